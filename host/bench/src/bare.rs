//! A reservation without Tessera: the rows that one leaves, in the same tables, written as by hand. That is one transaction
//! for each, and a statement for each table.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::load::{self, Measured};

/// Where a host has left one reservation.
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// What writes one more reservation like that.
pub(crate) struct Bare {
    place: Place,
    steps: Arc<[Step]>,
}

/// A statement, and whether it is given an id.
struct Step {
    sql: String,
    is_given: bool,
}

/// The newest row of a table that is true of a condition is written again; some columns get something else.
struct Copied {
    table: &'static str,
    condition: &'static str,
    others: &'static [(&'static str, &'static str)],
}

const POSTGRES: [Copied; 2] = [
    Copied {
        table: "reservations",
        condition: "TRUE",
        others: &[("id", "$1"), ("buyer", "CAST($1 AS text)")],
    },
    Copied {
        table: "facts",
        condition: "object_kind = 'reservation'",
        others: &[("id", "$1"), ("object_id", "CAST($1 AS text)"), ("drawn", "currval('facts_drawn')")],
    },
];

const SQLITE: [Copied; 2] = [
    Copied { table: "reservations", condition: "TRUE", others: &[("id", "$1"), ("buyer", "hex($1)")] },
    Copied {
        table: "facts",
        condition: "object_kind = 'reservation'",
        others: &[
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
        for Step { sql, is_given } in $steps.iter() {
            let query = sqlx::query(AssertSqlSafe(sql.as_str()));
            let query = if *is_given { query.bind(id) } else { query };
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        anyhow::Ok(())
    }};
}

/// The statement that writes such a row again: all that is not given is written out.
macro_rules! insertion {
    ($connection:expr, $copied:expr, $columns:expr, $quoted:expr) => {{
        let Copied { table, condition, others } = $copied;
        let columns: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe($columns)).bind(table).fetch_all(&mut *$connection).await?;
        let mut values = Vec::new();
        for column in &columns {
            let other = others.iter().find(|(name, _)| name == column);
            values.push(match other {
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
        anyhow::Ok(Step { sql, is_given: true })
    }};
}

impl Bare {
    /// Learns what the one reservation has left. No host has the database now.
    pub(crate) async fn learn(place: Place) -> Result<Self> {
        let steps = match &place {
            Place::Postgres(options) => postgres_steps(&mut options.connect().await?).await?,
            Place::Sqlite(file) => sqlite_steps(&mut open(file).await?).await?,
        };
        Ok(Self { place, steps: steps.into() })
    }

    /// Writes from `callers` places for `span`: on PostgreSQL each has its connection, on SQLite they share one.
    pub(crate) async fn measure(&self, callers: usize, span: Duration) -> Result<Measured> {
        match &self.place {
            Place::Postgres(options) => {
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
                load::closed(callers, span, call).await
            }
            Place::Sqlite(file) => {
                let connection = Arc::new(Mutex::new(open(file).await?));
                let steps = Arc::clone(&self.steps);
                let call = move |_, _| {
                    let (connection, steps) = (Arc::clone(&connection), Arc::clone(&steps));
                    async move {
                        let mut connection = connection.lock().await;
                        write_steps!(connection, steps)
                    }
                };
                load::closed(callers, span, call).await
            }
        }
    }
}

/// As a host opens it: each commit is durable.
async fn open(file: &PathBuf) -> Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new().filename(file).synchronous(SqliteSynchronous::Full).connect().await?)
}

/// Statements that are given nothing. Pools are changed one after another, in the order in which all do.
fn whole(texts: impl Iterator<Item = String>) -> Vec<Step> {
    texts.map(|sql| Step { sql, is_given: false }).collect()
}

async fn postgres_steps(connection: &mut PgConnection) -> Result<Vec<Step>> {
    const COLUMNS: &str = "SELECT CAST(column_name AS text) FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position";
    const HELD: &str = "SELECT format('UPDATE pools SET held = held + 1 WHERE tenant_id = %L AND id = %L',
        tenant_id, id) FROM pools ORDER BY id";
    const DRAWN: &str = "SELECT format('INSERT INTO unnumbered (tenant_id, facts, at) VALUES (%L, 1, %L)',
        tenant_id, created_at) FROM reservations LIMIT 1";
    let held: Vec<_> = sqlx::query_scalar(HELD).fetch_all(&mut *connection).await?;
    let drawn = sqlx::query_scalar(DRAWN).fetch_one(&mut *connection).await.context("no reservation")?;
    let mut steps = whole(held.into_iter().chain([drawn]));
    for copied in &POSTGRES {
        let quoted = |column: &String| format!("quote_nullable(CAST({column} AS text))");
        steps.push(insertion!(connection, copied, COLUMNS, quoted)?);
    }
    Ok(steps)
}

async fn sqlite_steps(connection: &mut SqliteConnection) -> Result<Vec<Step>> {
    const COLUMNS: &str = "SELECT name FROM pragma_table_info($1)";
    const HELD: &str = "SELECT 'UPDATE pools SET held = held + 1 WHERE tenant_id = ' || quote(tenant_id)
        || ' AND id = ' || quote(id) FROM pools ORDER BY id";
    const NUMBERED: &str = "UPDATE facts_head SET seq = seq + 1 WHERE id = 1";
    let held: Vec<_> = sqlx::query_scalar(HELD).fetch_all(&mut *connection).await?;
    let mut steps = whole(held.into_iter().chain([NUMBERED.to_owned()]));
    for copied in &SQLITE {
        steps.push(insertion!(connection, copied, COLUMNS, |column: &String| format!("quote({column})"))?);
    }
    Ok(steps)
}
