//! Files of a database and connections to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tessera_core::{Error, Result};

use super::memory::TempFolder;
use crate::error::db_error;
use crate::migrations::SQLITE_MIGRATOR;

/// Timeout for locks of other processes.
const BUSY: Duration = Duration::from_secs(5);

/// Prepared statements that the writer caches: those that write rows have one text for each power of two of rows.
const STATEMENTS: usize = 512;

/// Timeout for readers during a checkpoint, which blocks writers meanwhile.
const BUSY_CHECKPOINT: Duration = Duration::from_millis(50);

/// Attempts to open while another process switches the journal or migrates.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Path of a database.
pub(super) struct DatabaseFile {
    path: PathBuf,
    /// Private folder of a database in memory.
    folder: Option<TempFolder>,
}

impl DatabaseFile {
    pub(super) fn file(path: &Path) -> Self {
        Self { path: path.to_owned(), folder: None }
    }

    pub(super) fn memory() -> Result<Self> {
        let folder = TempFolder::make().map_err(Error::internal)?;
        Ok(Self { path: folder.path().join("tessera.db"), folder: Some(folder) })
    }

    /// Returns the size of the write-ahead log.
    pub(super) fn log_size(&self) -> u64 {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        std::fs::metadata(log).map_or(0, |file| file.len())
    }

    /// Deletes a database in memory.
    pub(super) fn remove(&self) {
        if let Some(folder) = &self.folder {
            folder.remove();
        }
    }

    fn options(&self) -> SqliteConnectOptions {
        let durable = self.folder.is_none();
        SqliteConnectOptions::new()
            .filename(&self.path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(if durable { SqliteSynchronous::Full } else { SqliteSynchronous::Off })
            .foreign_keys(true)
            .busy_timeout(BUSY)
    }

    /// Returns the options of a reading connection.
    pub(super) fn to_read(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .read_only(true)
            .busy_timeout(BUSY)
            .pragma("query_only", "ON")
    }

    /// Opens the writing connection and migrates the tables.
    pub(super) async fn open(&self) -> Result<SqliteConnection> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(Error::internal)?;
        }
        let mut attempt = 1;
        loop {
            match self.open_once().await {
                Ok(conn) => return Ok(conn),
                Err(error) if attempt == ATTEMPTS || !is_busy(&error) => return Err(db_error(error)),
                Err(_) => attempt += 1,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn open_once(&self) -> Result<SqliteConnection, sqlx::Error> {
        let mut conn = self.to_write().await?;
        // One transaction for all migrations, so that processes that start at once migrate one after the other.
        let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await?;
        SQLITE_MIGRATOR.run_direct(None, &mut *transaction, false).await.map_err(sqlx::Error::from)?;
        transaction.commit().await?;
        Ok(conn)
    }

    /// Opens a writing connection. Checkpoints run on another one.
    pub(super) async fn to_write(&self) -> Result<SqliteConnection, sqlx::Error> {
        let options = self.options().create_if_missing(true).pragma("wal_autocheckpoint", "0");
        options.statement_cache_capacity(STATEMENTS).connect().await
    }

    /// Opens a connection for checkpoints.
    pub(super) async fn to_checkpoint(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.options().busy_timeout(BUSY_CHECKPOINT).connect().await
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let raised = match error {
        sqlx::Error::Migrate(error) => match &**error {
            sqlx::migrate::MigrateError::Execute(error) => error.as_database_error(),
            sqlx::migrate::MigrateError::ExecuteMigration(error, _) => error.as_database_error(),
            _ => None,
        },
        error => error.as_database_error(),
    };
    let code = raised.and_then(sqlx::error::DatabaseError::code).and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}
