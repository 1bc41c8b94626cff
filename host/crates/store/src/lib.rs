//! Tessera's store on SQLite and PostgreSQL.
//!
//! Each query is written once, in `sql`, and compiled for either driver; what really differs stands in
//! the driver's own folder. Nothing here decides: rules are in the core.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use tessera_core::Result;
use tessera_core::ports::Store;

mod clock;
mod codec;
mod connections;
mod error;
mod fair;
mod postgres;
mod remembered;
mod signal;
mod sqlite;
mod texts;

/// Where everything is kept.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// In a SQLite file, which is made when there is none.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// In memory, until the process ends.
    Memory,
    /// In a PostgreSQL database, which many hosts may share.
    Postgres(PostgresConfig),
}

/// Which PostgreSQL database, and how many connections to it.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    options: Box<PgConnectOptions>,
    max_connections: u32,
}

/// The parts of a PostgreSQL database's address.
#[derive(Clone, Debug)]
pub struct PostgresAddress {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The role.
    pub user: String,
    /// Its password; empty: none is sent.
    pub password: String,
    /// The database.
    pub database: String,
    /// Whether the connection must be encrypted.
    pub ssl: bool,
}

impl PostgresConfig {
    /// From a URL: `postgres://user:password@host:port/database`; what it says of TLS goes before `ssl`.
    pub fn from_url(url: &str, ssl: bool, max_connections: u32) -> Result<Self> {
        // Without the cause, which may quote the URL, and with it the password.
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

    /// From its parts.
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

/// Opens a store and brings its tables up to date. `host` names this process among all that share it.
pub async fn open(config: StoreConfig, host: &str) -> Result<Arc<dyn Store>> {
    Ok(match config {
        StoreConfig::Sqlite { path } => Arc::new(sqlite::DbStore::open_file(&path, host).await?),
        StoreConfig::Memory => Arc::new(sqlite::DbStore::open_memory(host).await?),
        StoreConfig::Postgres(config) => {
            Arc::new(postgres::DbStore::open(*config.options, config.max_connections, host).await?)
        }
    })
}

/// Brings the tables up to date and does nothing else.
pub async fn migrate(config: StoreConfig) -> Result<()> {
    match config {
        StoreConfig::Sqlite { path } => sqlite::migrate(&path).await,
        StoreConfig::Memory => Ok(()),
        StoreConfig::Postgres(config) => postgres::migrate(*config.options).await,
    }
}
