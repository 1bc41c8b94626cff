//! Writes the rows of a reservation again without Tessera: into the same tables, in one transaction for each reservation
//! and with one statement for each table.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::load::{self, Measurement};

/// The database of a host.
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// The statements that write one more reservation.
pub(crate) struct Replay {
    database: Database,
    steps: Arc<[Step]>,
}

/// A statement, and whether it takes an id as its parameter.
struct Step {
    sql: String,
    takes_id: bool,
}

/// A row to copy: the first of a table that meets the condition, with other expressions for some columns.
struct RowCopy {
    table: &'static str,
    condition: &'static str,
    replaced: &'static [(&'static str, &'static str)],
}

const POSTGRES: [RowCopy; 2] = [
    RowCopy {
        table: "reservations",
        condition: "TRUE",
        replaced: &[("id", "$1"), ("buyer", "CAST($1 AS text)")],
    },
    RowCopy {
        table: "facts",
        condition: "object_kind = 'reservation'",
        replaced: &[("id", "$1"), ("object_id", "CAST($1 AS text)"), ("drawn", "currval('facts_drawn')")],
    },
];

const SQLITE: [RowCopy; 2] = [
    RowCopy { table: "reservations", condition: "TRUE", replaced: &[("id", "$1"), ("buyer", "hex($1)")] },
    RowCopy {
        table: "facts",
        condition: "object_kind = 'reservation'",
        replaced: &[
            ("id", "$1"),
            ("object_id", "hex($1)"),
            ("seq", "(SELECT seq FROM facts_head WHERE id = 1)"),
        ],
    },
];

macro_rules! write_steps {
    ($connection:expr, $steps:expr) => {{
        let id = Uuid::now_v7();
        let mut transaction = $connection.begin().await?;
        for Step { sql, takes_id } in $steps.iter() {
            let query = sqlx::query(AssertSqlSafe(sql.as_str()));
            let query = if *takes_id { query.bind(id) } else { query };
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        anyhow::Ok(())
    }};
}

/// Builds the statement that inserts the copy of a row. The values are literals except for the id.
macro_rules! insert_statement {
    ($connection:expr, $copy:expr, $columns:expr, $quoted:expr) => {{
        let RowCopy { table, condition, replaced } = $copy;
        let columns: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe($columns)).bind(table).fetch_all(&mut *$connection).await?;
        let mut values = Vec::new();
        for column in &columns {
            let replacement = replaced.iter().find(|(name, _)| name == column);
            values.push(match replacement {
                Some((_, value)) => (*value).to_owned(),
                None => {
                    let quoted = $quoted(column);
                    let sql = format!("SELECT {quoted} FROM {table} WHERE {condition} LIMIT 1");
                    let query = sqlx::query_scalar(AssertSqlSafe(sql));
                    query.fetch_one(&mut *$connection).await.with_context(|| format!("{table}.{column}"))?
                }
            });
        }
        let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "));
        anyhow::Ok(Step { sql, takes_id: true })
    }};
}

impl Replay {
    /// Reads the rows of the only reservation in a database. No host may be using the database.
    pub(crate) async fn of_only_reservation(database: Database) -> Result<Self> {
        let steps = match &database {
            Database::Postgres(options) => postgres_steps(&mut options.connect().await?).await?,
            Database::Sqlite(file) => sqlite_steps(&mut open(file).await?).await?,
        };
        Ok(Self { database, steps: steps.into() })
    }

    /// Writes with `callers` in a closed loop: on PostgreSQL each has a connection, on SQLite they share one.
    pub(crate) async fn measure(&self, callers: usize, span: Duration) -> Result<Measurement> {
        match &self.database {
            Database::Postgres(options) => {
                let mut connections = Vec::new();
                for _ in 0..callers {
                    connections.push(Arc::new(Mutex::new(options.connect().await?)));
                }
                let steps = Arc::clone(&self.steps);
                let call = move |caller: usize, _| {
                    let (connection, steps) = (connections.get(caller).cloned(), Arc::clone(&steps));
                    async move {
                        let connection = connection.context("no connection")?;
                        let mut connection = connection.lock().await;
                        write_steps!(connection, steps)
                    }
                };
                load::closed_loop(callers, span, call).await
            }
            Database::Sqlite(file) => {
                let connection = Arc::new(Mutex::new(open(file).await?));
                let steps = Arc::clone(&self.steps);
                let call = move |_, _| {
                    let (connection, steps) = (Arc::clone(&connection), Arc::clone(&steps));
                    async move {
                        let mut connection = connection.lock().await;
                        write_steps!(connection, steps)
                    }
                };
                load::closed_loop(callers, span, call).await
            }
        }
    }
}

/// Opens a file as a host does: each commit is durable.
async fn open(file: &PathBuf) -> Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new().filename(file).synchronous(SqliteSynchronous::Full).connect().await?)
}

/// Makes steps of statements without parameters. Pools are updated in the order that hosts use, so that none deadlocks.
fn without_id(texts: impl Iterator<Item = String>) -> Vec<Step> {
    texts.map(|sql| Step { sql, takes_id: false }).collect()
}

async fn postgres_steps(connection: &mut PgConnection) -> Result<Vec<Step>> {
    const COLUMNS: &str = "SELECT CAST(column_name AS text) FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position";
    const POOL_UPDATES: &str =
        "SELECT format('UPDATE pools SET held = held + 1 WHERE tenant_id = %L AND id = %L',
        tenant_id, id) FROM pools ORDER BY id";
    const UNNUMBERED: &str =
        "SELECT format('INSERT INTO unnumbered (tenant_id, facts, at) VALUES (%L, 1, %L)',
        tenant_id, created_at) FROM reservations LIMIT 1";
    let pool_updates: Vec<_> = sqlx::query_scalar(POOL_UPDATES).fetch_all(&mut *connection).await?;
    let unnumbered =
        sqlx::query_scalar(UNNUMBERED).fetch_one(&mut *connection).await.context("no reservation")?;
    let mut steps = without_id(pool_updates.into_iter().chain([unnumbered]));
    for copy in &POSTGRES {
        let quoted = |column: &String| format!("quote_nullable(CAST({column} AS text))");
        steps.push(insert_statement!(connection, copy, COLUMNS, quoted)?);
    }
    Ok(steps)
}

async fn sqlite_steps(connection: &mut SqliteConnection) -> Result<Vec<Step>> {
    const COLUMNS: &str = "SELECT name FROM pragma_table_info($1)";
    const POOL_UPDATES: &str =
        "SELECT 'UPDATE pools SET held = held + 1 WHERE tenant_id = ' || quote(tenant_id)
        || ' AND id = ' || quote(id) FROM pools ORDER BY id";
    const NUMBERING: &str = "UPDATE facts_head SET seq = seq + 1 WHERE id = 1";
    let pool_updates: Vec<_> = sqlx::query_scalar(POOL_UPDATES).fetch_all(&mut *connection).await?;
    let mut steps = without_id(pool_updates.into_iter().chain([NUMBERING.to_owned()]));
    for copy in &SQLITE {
        steps.push(insert_statement!(connection, copy, COLUMNS, |column: &String| format!(
            "quote({column})"
        ))?);
    }
    Ok(steps)
}
