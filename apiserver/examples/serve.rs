//! A plain API server for trying things out: `cargo run -p apiserver --example serve -- <directory> [port]`.
//!
//! Keeps its objects, certificates and kubeconfig in the directory, and runs until Ctrl-C.

use std::net::SocketAddr;
use std::path::PathBuf;

use apiserver::seams::Seams;
use apiserver::{Certificates, Server};
use apiserver_store::{SqliteBackend, SqliteOptions, Store, StoreOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("usage: serve <directory> [port]")?);
    let port: u16 = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let backend = SqliteBackend::open(SqliteOptions::new(directory.join("data"))).await?;
    let store = Store::open(backend, StoreOptions::default()).await?;
    let certificates = Certificates::open(&directory.join("pki"), &[], &Seams::system())?;
    let server = Server::builder(store, certificates)
        .listen(SocketAddr::from(([127, 0, 0, 1], port)))
        .start()
        .await?;
    let kubeconfig = directory.join("kubeconfig");
    server.kubeconfig("demo")?.write(&kubeconfig)?;
    server.ready().await;
    println!("ready: KUBECONFIG={} kubectl get ns", kubeconfig.display());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
