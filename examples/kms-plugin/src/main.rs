//! The plugin as a program.

use std::path::PathBuf;

use clap::Parser;
use kms_plugin::{KeyFile, serve};

/// A KMS v2 plugin with keys in a local file. An example: real keys belong into a key service.
#[derive(Debug, Parser)]
struct Arguments {
    /// The Unix socket to listen on.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// The file of keys, made with one key if it is missing.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Add a new key, say its id, and end. A running plugin seals with it at once.
    #[arg(long)]
    rotate: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments {
        socket,
        key_file,
        rotate,
    } = Arguments::parse();
    let keys = KeyFile::open(&key_file)?;
    if rotate {
        println!("{}", keys.rotate()?);
        return Ok(());
    }
    serve(&socket, keys, async {
        // An error means that the signal cannot be waited for; then nothing but SIGKILL ends this.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await
}
