//! Bytes that cannot be mistaken, and targets that send and check them.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const MIB: u64 = 1 << 20;
const BLOCK: usize = 64 << 10;

/// xorshift64*: every 8 bytes differ from all others for longer than any test.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, block: &mut [u8]) {
        for word in block.chunks_mut(8) {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes();
            word.copy_from_slice(&number[..word.len()]);
        }
    }
}

/// Bytes for whoever wants them in memory.
pub(crate) fn noise(seed: u64, bytes: u64) -> Vec<u8> {
    let mut all = vec![0; bytes as usize];
    Noise(seed | 1).fill(&mut all);
    all
}

pub(crate) async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    seed: u64,
    bytes: u64,
) -> io::Result<()> {
    let mut noise = Noise(seed | 1);
    let mut block = vec![0; BLOCK];
    let mut left = bytes;
    while left > 0 {
        let some = left.min(BLOCK as u64) as usize;
        noise.fill(&mut block);
        to.write_all(&block[..some]).await?;
        left -= some as u64;
    }
    to.flush().await
}

/// Reads exactly these bytes; others are an error.
pub(crate) async fn check(
    from: &mut (impl AsyncRead + Unpin),
    seed: u64,
    bytes: u64,
) -> io::Result<()> {
    let mut noise = Noise(seed | 1);
    let (mut block, mut expected) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut left = bytes;
    while left > 0 {
        let some = left.min(BLOCK as u64) as usize;
        noise.fill(&mut expected);
        from.read_exact(&mut block[..some]).await?;
        if block[..some] != expected[..some] {
            return Err(io::Error::other(format!(
                "wrong bytes, {left} before the end"
            )));
        }
        left -= some as u64;
    }
    Ok(())
}

/// A target: the client says a seed, how much it sends and how much it wants; both happen at once, then the target says `+` if what it
/// got was right, and closes.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket));
            }
        });
        Self { address, task }
    }

    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut socket: TcpStream) -> io::Result<()> {
    let (seed, up, down) = (
        socket.read_u64().await?,
        socket.read_u64().await?,
        socket.read_u64().await?,
    );
    let (mut read, mut write) = socket.split();
    tokio::try_join!(check(&mut read, seed, up), send(&mut write, !seed, down))?;
    write.write_all(b"+").await?;
    write.shutdown().await
}

/// The client's part: both directions at once, every byte compared, and nothing after the end.
pub(crate) async fn exchange(
    connection: &mut (impl AsyncRead + AsyncWrite + Unpin),
    seed: u64,
    up: u64,
    down: u64,
) -> io::Result<()> {
    for number in [seed, up, down] {
        connection.write_u64(number).await?;
    }
    connection.flush().await?;
    let (mut read, mut write) = tokio::io::split(connection);
    tokio::try_join!(send(&mut write, seed, up), check(&mut read, !seed, down))?;
    let mut rest = Vec::new();
    read.read_to_end(&mut rest).await?;
    match rest == b"+" {
        true => Ok(()),
        false => Err(io::Error::other(format!("{rest:?} at the end"))),
    }
}

/// Asks for more than will ever be read.
pub(crate) async fn ask_and_stall(connection: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    for number in [1, 0, 1 << 40] {
        connection.write_u64(number).await?;
    }
    connection.flush().await
}
