//! Reservations over gRPC: one hot event and many, from one client to many, beside a transaction that counts up one
//! row and inserts two.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use tessera_proto::ticket::v1::ReserveTicketsRequest;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::floor::{self, RESERVATION};
use crate::host::{Host, KEY};
use crate::load::{self, Measured, median};
use crate::table::{self, Row};

/// How the bench runs.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// The binary of Tessera.
    #[arg(long, default_value = "target/release/tessera")]
    binary: PathBuf,
    /// PostgreSQL's server, as postgres://user@host:port/database.
    #[arg(long, env = "TESSERA_TEST_POSTGRES")]
    postgres: String,
    /// How long each figure is measured in each round, in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    span_ms: u64,
    /// How many rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many clients at once, on one hot event.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
    clients: Vec<usize>,
    /// How many events there are besides; a hundredth and a tenth of them are measured as well.
    #[arg(long, default_value_t = 1_000)]
    events: usize,
    /// Which stores.
    #[arg(long, value_delimiter = ',', default_value = "sqlite,postgres")]
    stores: Vec<String>,
}

/// How many clients reserve from many events.
const CLIENTS_OF_MANY: usize = 32;

/// How many connections the clients share.
const CONNECTIONS: usize = 4;

/// An event with its ticket type.
#[derive(Clone)]
struct Show {
    event: String,
    ticket_type: String,
}

/// Runs the bench and prints its table.
pub(crate) async fn run(options: Options) -> Result<()> {
    let mut rows = Vec::new();
    for store in &options.stores {
        let folder =
            std::env::temp_dir().join(format!("tessera-bench-reserve-{store}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let measured = Bench::run(&options, store, &folder, &mut rows).await;
        std::fs::remove_dir_all(&folder)?;
        measured.with_context(|| format!("on {store}"))?;
    }
    table::show("reserve", &rows)
}

struct Bench<'a> {
    options: &'a Options,
    store: &'a str,
    folder: &'a Path,
    /// The database's URL, where it has one.
    url: String,
    http: String,
    rest: reqwest::Client,
    channels: Vec<TicketServiceClient<Channel>>,
}

impl<'a> Bench<'a> {
    async fn run(options: &'a Options, store: &'a str, folder: &'a Path, rows: &mut Vec<Row>) -> Result<()> {
        let database = format!("bench_reserve_{}", std::process::id());
        let url = match options.postgres.rsplit_once('/') {
            Some((server, _)) => format!("{server}/{database}"),
            None => options.postgres.clone(),
        };
        let secret = ("TESSERA_SECRET_KEY", "a secret for benches, of at least 32 characters");
        let place = if store == "postgres" {
            floor::run_sql(&options.postgres, &format!("CREATE DATABASE {database}")).await?;
            ("DATABASE_URL", url.as_str())
        } else {
            ("DB_TYPE", store)
        };
        let host = Host::start(&options.binary, folder, &[place, secret]).await?;
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels
                .push(TicketServiceClient::new(Endpoint::from_shared(host.grpc.clone())?.connect().await?));
        }
        let (http, rest) = (host.http.clone(), reqwest::Client::new());
        let bench = Self { options, store, folder, url: url.clone(), http, rest, channels };
        let measured = bench.measure(rows).await;
        drop(bench);
        drop(host);
        if store == "postgres" {
            floor::run_sql(&options.postgres, &format!("DROP DATABASE {database} WITH (FORCE)")).await?;
        }
        measured
    }

    async fn measure(&self, rows: &mut Vec<Row>) -> Result<()> {
        for clients in &self.options.clients {
            let shows = vec![self.show().await?];
            let row = self.pair("one hot event", &format!("{clients} clients"), (*clients, 1), shows).await?;
            rows.push(row);
        }
        let mut shows = Vec::new();
        for events in [self.options.events / 100, self.options.events / 10, self.options.events] {
            if events == 0 {
                continue;
            }
            while shows.len() < events {
                shows.push(self.show().await?);
            }
            let size = format!("{CLIENTS_OF_MANY} clients");
            let what = format!("{events} events");
            rows.push(self.pair(&what, &size, (CLIENTS_OF_MANY, events), shows.clone()).await?);
        }
        Ok(())
    }

    /// Subject and floor in turn.
    async fn pair(
        &self,
        what: &str,
        size: &str,
        (clients, slots): (usize, usize),
        shows: Vec<Show>,
    ) -> Result<Row> {
        let (mut subjects, mut floors) = (Vec::new(), Vec::new());
        let before = self.counted().await?;
        for round in 0..self.options.rounds {
            subjects.push(self.reserve(clients, shows.clone()).await?);
            floors.push(self.floor((clients, slots), round).await?);
        }
        let after = self.counted().await?;
        // All that one transaction wrote has one time.
        let together = (after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64;
        let size = format!("{size}, {together:.1} together");
        Ok(Row {
            what: ["reserve", what, self.store, &size].map(str::to_owned),
            subject: median(subjects),
            floor: Some(median(floors)),
        })
    }

    async fn reserve(&self, clients: usize, shows: Vec<Show>) -> Result<Measured> {
        let channels = self.channels.clone();
        load::closed(clients, self.span(), move |client, call| {
            let channel = channels.get(client % CONNECTIONS).cloned();
            let show = shows.get((client + call * clients) % shows.len()).cloned();
            async move {
                let (mut channel, show) = channel.zip(show).context("no event")?;
                let message = ReserveTicketsRequest {
                    event_id: show.event,
                    ticket_type_id: show.ticket_type,
                    quantity: 1,
                    user_id: format!("buyer-{client}-{call}"),
                    ..ReserveTicketsRequest::default()
                };
                let mut request = tonic::Request::new(message);
                request.metadata_mut().insert("authorization", format!("Bearer {KEY}").parse()?);
                channel.reserve_tickets(request).await?;
                Ok(())
            }
        })
        .await
    }

    async fn floor(&self, (clients, slots): (usize, usize), round: usize) -> Result<Measured> {
        if self.store == "postgres" {
            return floor::write_postgres(&self.url, RESERVATION, (clients, slots), self.span()).await;
        }
        let file = self.folder.join(format!("floor-{clients}-{slots}-{round}.db"));
        floor::write_sqlite(Some(&file), RESERVATION, (clients, slots), self.span()).await
    }

    fn span(&self) -> Duration {
        Duration::from_millis(self.options.span_ms)
    }

    /// How many reservations there are, and of how many different times.
    async fn counted(&self) -> Result<(i64, i64)> {
        const SQL: &str = "SELECT COUNT(*), COUNT(DISTINCT created_at) FROM reservations";
        if self.store == "postgres" {
            let options: sqlx::postgres::PgConnectOptions = self.url.parse()?;
            let mut connection = options.connect().await?;
            let counted = sqlx::query_as(SQL).fetch_one(&mut connection).await?;
            connection.close().await?;
            return Ok(counted);
        }
        let file = self.folder.join("tessera.db");
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await?;
        let counted = sqlx::query_as(SQL).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(counted)
    }

    async fn show(&self) -> Result<Show> {
        let event = json!({
            "title": "A night", "category": "music", "status": "active",
            "start_date": "2099-01-01T20:00:00Z", "end_date": "2099-01-01T23:00:00Z",
        });
        let event = text(&self.post("/v1/events", &event).await?, "/event/id")?;
        let held = json!({"name": "Standing", "price": {"amount": 1_250, "currency": "EUR"}, "quantity": 10_000_000});
        let held = self.post(&format!("/v1/events/{event}/tickets"), &held).await?;
        Ok(Show { event, ticket_type: text(&held, "/ticket_type/id")? })
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.rest.post(format!("{}{path}", self.http)).bearer_auth(KEY).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

fn text(answer: &Value, at: &str) -> Result<String> {
    Ok(answer.pointer(at).and_then(Value::as_str).with_context(|| format!("no {at} in {answer}"))?.to_owned())
}
