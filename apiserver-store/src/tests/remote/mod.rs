//! The suite on database servers, and what belongs to servers: several processes, lost connections, restarts.

mod proxy;
mod several;
mod trouble;

use crate::{
    RemoteBackend, Store, StoreOptions,
    conformance::{
        self,
        databases::{DatabaseServer, Engine},
    },
    database::{DatabaseUrl, remote_options},
};

pub(super) async fn backend(url: &str) -> RemoteBackend {
    let url: DatabaseUrl = url.parse().unwrap();
    RemoteBackend::open(remote_options(&url).unwrap())
        .await
        .unwrap()
}

async fn store(url: &str) -> Store {
    let options = StoreOptions {
        retention: None,
        ..StoreOptions::default()
    };
    Store::open(backend(url).await, options).await.unwrap()
}

/// Runs checks on a PostgreSQL and on a MariaDB server, a test each.
macro_rules! on_both {
    ($($check:ident),*) => {
        mod postgres {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Engine::Postgres).await;
            })*
        }
        mod mariadb {
            $(#[tokio::test]
            async fn $check() {
                super::$check(super::Engine::MariaDb).await;
            })*
        }
    };
}
use on_both;

/// Defines a fixture: a new database on the server that all tests share.
macro_rules! fixture {
    ($name:ident, $engine:expr, $parameters:expr) => {
        struct $name(String);

        #[async_trait::async_trait]
        impl conformance::Fixture for $name {
            type Backend = RemoteBackend;

            fn available() -> bool {
                DatabaseServer::shared($engine).is_some()
            }

            async fn new() -> Self {
                let server = DatabaseServer::shared($engine).unwrap();
                Self(format!("{}{}", server.create_database(), $parameters))
            }

            async fn open(&self) -> RemoteBackend {
                backend(&self.0).await
            }
        }
    };
}

mod postgres {
    use super::*;

    fixture!(Postgres, Engine::Postgres, "");
    crate::conformance_suite!(Postgres);
}

mod mariadb {
    use super::*;

    fixture!(MariaDb, Engine::MariaDb, "");
    crate::conformance_suite!(MariaDb);
}

/// As for OceanBase and proxies that cannot prepare statements.
mod mariadb_plain {
    use super::*;

    fixture!(MariaDbPlain, Engine::MariaDb, "&prepared=false");
    crate::conformance_suite!(MariaDbPlain);
}
