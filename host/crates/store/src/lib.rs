//! Tessera's store on SQLite and PostgreSQL.
//!
//! Each query is written once, in `sql`, and compiled for either driver; differences are in the drivers' folders. Rules are
//! left to core.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use tessera_core::Result;
use tessera_core::ports::Store;

mod clock;
mod codec;
mod connections;
mod error;
mod event_cache;
mod limits;
mod migrations;
mod notifier;
mod postgres;
mod sqlite;
mod statement_cache;

/// Database of a store.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// SQLite file, created if it does not exist.
    Sqlite {
        /// Path of the file.
        path: PathBuf,
    },
    /// Memory, until the process ends.
    Memory,
    /// PostgreSQL database, which several hosts may share.
    Postgres(PostgresConfig),
}

/// Address of a PostgreSQL database and the maximum number of connections, at least [`Self::MIN_CONNECTIONS`].
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    options: Box<PgConnectOptions>,
    max_connections: u32,
}

/// Parts of a PostgreSQL database's address.
#[derive(Clone, Debug)]
pub struct PostgresAddress {
    /// Name or address of the server.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// Role that connects.
    pub user: String,
    /// Password; if empty, none is sent.
    pub password: String,
    /// Name of the database.
    pub database: String,
    /// Whether the connection must be encrypted.
    pub ssl: bool,
}

impl PostgresConfig {
    /// The least maximum number of connections.
    pub const MIN_CONNECTIONS: u32 = postgres::MIN_CONNECTIONS;

    /// Parses a URL: `postgres://user:password@host:port/database`. Its `sslmode` takes precedence over `ssl`.
    pub fn from_url(url: &str, ssl: bool, max_connections: u32) -> Result<Self> {
        // Without the cause, which may quote the URL with its password.
        let expected = "is not a URL such as postgres://user:password@host:5432/database";
        let wrong = || tessera_core::Error::invalid("DATABASE_URL", expected);
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong());
        }
        let options = url.parse::<PgConnectOptions>().map_err(|_| wrong())?;
        let options = if ssl && !url.contains("sslmode=") {
            options.ssl_mode(sqlx::postgres::PgSslMode::Require)
        } else {
            options
        };
        Ok(Self { options: Box::new(options), max_connections })
    }

    /// Creates a configuration from an address.
    #[must_use]
    pub fn from_address(address: &PostgresAddress, max_connections: u32) -> Self {
        let mode =
            if address.ssl { sqlx::postgres::PgSslMode::Require } else { sqlx::postgres::PgSslMode::Prefer };
        let mut options = PgConnectOptions::new_without_pgpass()
            .host(&address.host)
            .port(address.port)
            .username(&address.user)
            .database(&address.database)
            .ssl_mode(mode);
        if !address.password.is_empty() {
            options = options.password(&address.password);
        }
        Self { options: Box::new(options), max_connections }
    }
}

/// Opens a store and migrates its tables. `host` is the name of this process, unique among those that share the store.
pub async fn open(config: StoreConfig, host: &str) -> Result<Arc<dyn Store>> {
    Ok(match config {
        StoreConfig::Sqlite { path } => Arc::new(sqlite::DbStore::open_file(&path, host).await?),
        StoreConfig::Memory => Arc::new(sqlite::DbStore::open_memory(host).await?),
        StoreConfig::Postgres(config) => {
            Arc::new(postgres::DbStore::open(*config.options, config.max_connections, host).await?)
        }
    })
}

/// Migrates the tables of a store.
pub async fn migrate(config: StoreConfig) -> Result<()> {
    match config {
        StoreConfig::Sqlite { path } => sqlite::migrate(&path).await,
        StoreConfig::Memory => Ok(()),
        StoreConfig::Postgres(config) => postgres::migrate(*config.options).await,
    }
}
