//! The floors that Tessera is compared with: bare servers of the same libraries that send the same bytes, and the same
//! rows written to the same database without Tessera.

use std::convert::Infallible;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::serve::{Listener, ListenerExt as _};
use prost::Message;
use sqlx::{ConnectOptions as _, Connection as _};
use tessera_proto::issues::v1::{GetIssueResponse, ListIssuesResponse};
use tokio::sync::Mutex;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::load::{self, Measurement};

/// The library and the response of a floor server.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Kind {
    /// axum, any bytes.
    Http,
    /// tonic, an issue.
    GrpcGet,
    /// tonic, a page of issues.
    GrpcList,
}

impl Kind {
    /// Returns the name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::GrpcGet => "grpc-get",
            Self::GrpcList => "grpc-list",
        }
    }
}

/// Prints the address and serves until the process is killed.
pub(crate) async fn serve(kind: Kind, response: &Path) -> Result<()> {
    let response = std::fs::read(response)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    // As Tessera does: otherwise small responses wait for acknowledgements.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let incoming = |listener| futures_util::stream::unfold(listener, accept_next);
    let mut server = tonic::transport::Server::builder();
    match kind {
        Kind::Http => {
            let response = axum::body::Bytes::from(response);
            let handler = move || async move { ([(CONTENT_TYPE, "application/json")], response) };
            axum::serve(listener, Router::new().route("/", get(handler))).await?;
        }
        Kind::GrpcGet => {
            let service = FixedResponse(GetIssueResponse::decode(&*response)?);
            server.add_service(service).serve_with_incoming(incoming(listener)).await?;
        }
        Kind::GrpcList => {
            let service = FixedResponse(ListIssuesResponse::decode(&*response)?);
            server.add_service(service).serve_with_incoming(incoming(listener)).await?;
        }
    }
    Ok(())
}

async fn accept_next<L: Listener>(mut listener: L) -> Option<(std::io::Result<L::Io>, L)> {
    let (stream, _) = listener.accept().await;
    Some((Ok(stream), listener))
}

/// A service that returns the same response to each call.
#[derive(Clone)]
struct FixedResponse<T>(T);

impl<T> NamedService for FixedResponse<T> {
    const NAME: &'static str = "issues.v1.IssuesService";
}

impl<T: Message + Clone + Default + 'static> UnaryService<()> for FixedResponse<T> {
    type Response = T;
    type Future = std::future::Ready<Result<Response<T>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.clone())))
    }
}

impl<T: Message + Clone + Default + 'static> Service<http::Request<Body>> for FixedResponse<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let codec = ProstCodec::<T, ()>::default();
            Ok(Grpc::new(codec).unary(service, request).await)
        })
    }
}

/// The tables of the write floors: objects, counters and facts.
const TABLES: [&str; 3] = [
    "CREATE TABLE floor_objects (id TEXT PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE floor_counts (slot INTEGER PRIMARY KEY, held INTEGER NOT NULL)",
    "CREATE TABLE floor_facts (id TEXT PRIMARY KEY, body TEXT NOT NULL)",
];
const INSERT_COUNTER: &str = "INSERT INTO floor_counts (slot, held) VALUES ($1, 0)";

/// A statement of a floor's transaction.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// Inserts a row.
    Insert(&'static str),
    /// Increments a counter.
    Increment(&'static str),
}

const OBJECT: Step = Step::Insert("INSERT INTO floor_objects (id, body) VALUES ($1, $2)");
const COUNTER_INCREMENT: Step = Step::Increment("UPDATE floor_counts SET held = held + 1 WHERE slot = $1");
const FACT: Step = Step::Insert("INSERT INTO floor_facts (id, body) VALUES ($1, $2)");

/// The rows of a creation. The counter is updated late, to keep its lock short.
pub(crate) const CREATION: [Step; 3] = [OBJECT, COUNTER_INCREMENT, FACT];

/// The rows of a reservation. The counter is updated first, since it decides whether anything is available.
pub(crate) const RESERVATION: [Step; 3] = [COUNTER_INCREMENT, OBJECT, FACT];

macro_rules! write_rows {
    ($connection:expr, $steps:expr, $counter:expr, $caller:expr, $call:expr) => {{
        let id = format!("{:08}-{:08}", $caller, $call);
        let body = "x".repeat(400);
        let mut transaction = $connection.begin().await?;
        for step in $steps {
            let query = match step {
                Step::Insert(sql) => sqlx::query(sql).bind(&id).bind(&body),
                Step::Increment(sql) => sqlx::query(sql).bind(i32::try_from($counter)?),
            };
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        anyhow::Ok(())
    }};
}

/// Runs a transaction of these steps for each call on PostgreSQL. Each caller has a connection; they share the counters.
pub(crate) async fn write_postgres(
    url: &str,
    steps: [Step; 3],
    (callers, counters): (usize, usize),
    span: Duration,
) -> Result<Measurement> {
    let options: sqlx::postgres::PgConnectOptions = url.parse()?;
    let mut first = options.connect().await?;
    for table in ["floor_objects", "floor_counts", "floor_facts"] {
        let drop = format!("DROP TABLE IF EXISTS {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&mut first).await?;
    }
    for table in TABLES {
        sqlx::raw_sql(table).execute(&mut first).await?;
    }
    for counter in 0..counters {
        sqlx::query(INSERT_COUNTER).bind(i32::try_from(counter)?).execute(&mut first).await?;
    }
    let mut connections = Vec::new();
    for _ in 0..callers {
        connections.push(Arc::new(Mutex::new(options.connect().await?)));
    }
    load::closed_loop(callers, span, move |caller, call| {
        let connection = connections.get(caller).cloned();
        async move {
            let Some(connection) = connection else { return Ok(()) };
            let mut connection = connection.lock().await;
            write_rows!(connection, steps, (caller + call * callers) % counters, caller, call)
        }
    })
    .await
}

/// Runs a durable transaction of these steps for each call on SQLite. All callers share one connection.
pub(crate) async fn write_sqlite(
    file: Option<&Path>,
    steps: [Step; 3],
    (callers, counters): (usize, usize),
    span: Duration,
) -> Result<Measurement> {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
    let options = match file {
        Some(file) => SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full),
        None => SqliteConnectOptions::new().in_memory(true),
    };
    let mut connection = options.connect().await?;
    for table in TABLES {
        sqlx::raw_sql(table).execute(&mut connection).await?;
    }
    for counter in 0..counters {
        sqlx::query(INSERT_COUNTER).bind(i32::try_from(counter)?).execute(&mut connection).await?;
    }
    let connection = Arc::new(Mutex::new(connection));
    load::closed_loop(callers, span, move |caller, call| {
        let connection = Arc::clone(&connection);
        async move {
            let mut connection = connection.lock().await;
            write_rows!(connection, steps, (caller + call * callers) % counters, caller, call)
        }
    })
    .await
}

/// Runs one statement on PostgreSQL.
pub(crate) async fn run_sql(url: &str, sql: &str) -> Result<()> {
    let options: sqlx::postgres::PgConnectOptions = url.parse()?;
    let mut connection = options.connect().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
    Ok(connection.close().await?)
}
