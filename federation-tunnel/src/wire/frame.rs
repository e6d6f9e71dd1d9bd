//! A Protobuf message with its length in front: four bytes, big endian.

use std::io;

use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest message taken: a certificate chain and a few names are far below.
const LONGEST: usize = 64 * 1024;
/// The longest list of routes taken, between processes of one hub: more than 50,000 clusters with the longest names.
const LONGEST_LIST: usize = 16 * 1024 * 1024;

/// A message cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The stream ended or broke.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// Longer than what was asked for may be.
    #[error("a message of {0} bytes")]
    TooLong(usize),
    /// Not the message it should be.
    #[error("a message that cannot be read")]
    Malformed(#[from] prost::DecodeError),
}

/// Writes one message and flushes.
pub(crate) async fn write_message(
    io: &mut (impl AsyncWrite + Unpin),
    message: &impl Message,
) -> io::Result<()> {
    write_within(io, message, LONGEST).await
}

/// As [`write_message`], for a list that grows with the number of clusters.
pub(crate) async fn write_list(
    io: &mut (impl AsyncWrite + Unpin),
    list: &impl Message,
) -> io::Result<()> {
    write_within(io, list, LONGEST_LIST).await
}

async fn write_within(
    io: &mut (impl AsyncWrite + Unpin),
    message: &impl Message,
    longest: usize,
) -> io::Result<()> {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len())
        .ok()
        .filter(|_| body.len() <= longest)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the message is too long"))?;
    let mut bytes = Vec::with_capacity(4 + body.len());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&body);
    io.write_all(&bytes).await?;
    io.flush().await
}

/// Reads one message, and not a byte more. Memory grows with what arrives, not with what the length says.
pub(crate) async fn read_message<M: Message + Default>(
    io: &mut (impl AsyncRead + Unpin),
) -> Result<M, FrameError> {
    read_within(io, LONGEST).await
}

/// As [`read_message`], for what [`write_list`] wrote. For peers only that have shown who they are.
pub(crate) async fn read_list<M: Message + Default>(
    io: &mut (impl AsyncRead + Unpin),
) -> Result<M, FrameError> {
    read_within(io, LONGEST_LIST).await
}

async fn read_within<M: Message + Default>(
    io: &mut (impl AsyncRead + Unpin),
    longest: usize,
) -> Result<M, FrameError> {
    let mut length = [0; 4];
    io.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > longest {
        return Err(FrameError::TooLong(length));
    }
    let mut body = Vec::new();
    let read = io.take(length as u64).read_to_end(&mut body).await?;
    if read < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(M::decode(body.as_slice())?)
}

#[cfg(test)]
mod tests {
    use super::super::messages::AgentHello;
    use super::*;

    #[tokio::test]
    async fn a_message_is_read_and_nothing_behind_it() {
        let hello = AgentHello {
            version: 1,
            agent: "a".to_owned(),
            ..AgentHello::default()
        };
        let mut bytes = Vec::new();
        write_message(&mut bytes, &hello).await.unwrap();
        bytes.extend_from_slice(b"rest");
        let mut input = bytes.as_slice();
        assert_eq!(read_message::<AgentHello>(&mut input).await.unwrap(), hello);
        assert_eq!(input, b"rest");
    }

    #[tokio::test]
    async fn long_short_and_broken_messages_are_errors() {
        let mut long: &[u8] = &[0, 1, 0, 1];
        assert!(matches!(
            read_message::<AgentHello>(&mut long).await,
            Err(FrameError::TooLong(65537))
        ));
        let mut short: &[u8] = &[0, 0, 0, 9, 1];
        assert!(matches!(
            read_message::<AgentHello>(&mut short).await,
            Err(FrameError::Io(_))
        ));
        let mut broken: &[u8] = &[0, 0, 0, 2, 0xff, 0xff];
        assert!(matches!(
            read_message::<AgentHello>(&mut broken).await,
            Err(FrameError::Malformed(_))
        ));
    }
}
