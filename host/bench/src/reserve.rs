//! Reservations over gRPC, of one hot event and of many events. The floor is a transaction that updates one row and
//! inserts two. One hot event has a second floor: a transaction that writes all rows of a reservation.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _};
use tessera_proto::ticket::v1::ReserveTicketsRequest;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::client::{RestClient, grpc_request, text_at};
use crate::floor::{self, RESERVATION};
use crate::load::{self, Measurement, median};
use crate::process::{Host, KEY};
use crate::replay::{Database, Replay};
use crate::report::{self, Row, Tables};

/// Options of the bench.
#[derive(clap::Parser, Clone)]
pub(crate) struct Options {
    /// Binary of Tessera.
    #[arg(long, default_value = "target/dist/tessera")]
    binary: PathBuf,
    /// PostgreSQL server as postgres://user@host:port/database.
    #[arg(long, env = "TESSERA_TEST_POSTGRES")]
    postgres: String,
    /// Duration of each measurement in milliseconds.
    #[arg(long, default_value_t = 1_500)]
    span_ms: u64,
    /// Number of rounds, of which the median is reported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Numbers of concurrent clients on one hot event.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
    clients: Vec<usize>,
    /// Number of events in the runs with many events; a hundredth and a tenth of it are measured as well.
    #[arg(long, default_value_t = 1_000)]
    events: usize,
    /// Stores to measure.
    #[arg(long, value_delimiter = ',', value_parser = ["sqlite", "postgres"], default_value = "sqlite,postgres")]
    stores: Vec<String>,
}

/// Number of concurrent clients on many events.
const CLIENTS_OF_MANY: usize = 32;

/// Number of connections that the clients share.
const CONNECTIONS: usize = 4;

/// An event with its ticket type.
#[derive(Clone)]
struct Show {
    event: String,
    ticket_type: String,
}

/// Runs the bench.
pub(crate) async fn run(options: Options) -> Result<Tables> {
    let mut rows = Vec::new();
    for store in &options.stores {
        let folder =
            std::env::temp_dir().join(format!("tessera-bench-reserve-{store}-{}", std::process::id()));
        let result = async {
            let subject = Target::create(&options, store, folder.join("subject")).await?;
            let replayed = Target::create(&options, store, folder.join("replayed")).await?;
            let result = measure(&options, (&subject, &replayed), &mut rows).await;
            subject.remove().await?;
            replayed.remove().await?;
            result
        };
        let result = result.await;
        std::fs::remove_dir_all(&folder)?;
        result.with_context(|| format!("on {store}"))?;
    }
    report::compare("reserve", &rows)
}

/// Measures hosts on one database, and the replay of a reservation on another, which a host created there.
async fn measure(
    options: &Options,
    (subject, replayed): (&Target, &Target),
    rows: &mut Vec<Row>,
) -> Result<()> {
    let bench = Bench::start(options, replayed).await?;
    let client = bench.clients.first().cloned().context("no connection")?;
    reserve(client, bench.create_show().await?, "buyer".to_owned()).await?;
    bench.host.stop().await?;
    let replay = Replay::of_only_reservation(replayed.database()?).await?;
    Bench::start(options, subject).await?.measure(&replay, rows).await
}

/// A host's folder, and its database if that is a server's.
struct Target {
    /// The URL of the database and that of its server.
    urls: Option<(String, String)>,
    folder: PathBuf,
}

impl Target {
    async fn create(options: &Options, store: &str, folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        if store != "postgres" {
            return Ok(Self { urls: None, folder });
        }
        let name = folder.file_name().context("no name")?.to_string_lossy();
        let name = format!("bench_{name}_{}", std::process::id());
        let (server, _) = options.postgres.rsplit_once('/').context("no database in the URL")?;
        floor::run_sql(&options.postgres, &format!("CREATE DATABASE {name}")).await?;
        Ok(Self { urls: Some((format!("{server}/{name}"), options.postgres.clone())), folder })
    }

    fn setting(&self) -> (&str, &str) {
        self.urls.as_ref().map_or(("DB_TYPE", "sqlite"), |(url, _)| ("DATABASE_URL", url.as_str()))
    }

    fn database(&self) -> Result<Database> {
        Ok(match &self.urls {
            None => Database::Sqlite(self.folder.join("tessera.db")),
            Some((url, _)) => Database::Postgres(Box::new(url.parse()?)),
        })
    }

    async fn remove(self) -> Result<()> {
        let Some((url, server)) = self.urls else { return Ok(()) };
        let (_, name) = url.rsplit_once('/').context("no database in the URL")?;
        floor::run_sql(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await
    }
}

/// A running host and its clients.
struct Bench<'a> {
    options: &'a Options,
    target: &'a Target,
    host: Host,
    rest: RestClient,
    clients: Vec<TicketServiceClient<Channel>>,
}

impl<'a> Bench<'a> {
    async fn start(options: &'a Options, target: &'a Target) -> Result<Self> {
        let host = Host::start(&options.binary, &target.folder, &[target.setting()]).await?;
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients
                .push(TicketServiceClient::new(Endpoint::from_shared(host.grpc.clone())?.connect().await?));
        }
        let rest = RestClient::operator(&host);
        Ok(Self { options, target, host, rest, clients })
    }

    async fn measure(&self, replay: &Replay, rows: &mut Vec<Row>) -> Result<()> {
        for clients in &self.options.clients {
            let show = self.create_show().await?;
            let size = format!("{clients} clients");
            rows.extend(self.compare("one hot event", &size, (*clients, vec![show]), Some(replay)).await?);
        }
        let mut shows = Vec::new();
        for events in [self.options.events / 100, self.options.events / 10, self.options.events] {
            if events == 0 {
                continue;
            }
            while shows.len() < events {
                shows.push(self.create_show().await?);
            }
            let size = format!("{CLIENTS_OF_MANY} clients");
            let load = format!("{events} events");
            rows.extend(self.compare(&load, &size, (CLIENTS_OF_MANY, shows.clone()), None).await?);
        }
        Ok(())
    }

    /// Measures subject and floors in alternation.
    async fn compare(
        &self,
        load: &str,
        size: &str,
        (clients, shows): (usize, Vec<Show>),
        replay: Option<&Replay>,
    ) -> Result<Vec<Row>> {
        let (mut subjects, mut floors, mut replays) = (Vec::new(), Vec::new(), Vec::new());
        let before = self.counts().await?;
        for round in 0..self.options.rounds {
            subjects.push(self.reserve(clients, shows.clone()).await?);
            floors.push(self.floor((clients, shows.len()), round).await?);
            if let Some(replay) = replay {
                replays.push(replay.measure(clients, self.span()).await?);
            }
        }
        let after = self.counts().await?;
        // The reservations of one transaction have the same time.
        let batch = (after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64;
        let size = format!("{size}, {batch:.1} per transaction");
        let store = self.store();
        let subject = median(subjects);
        let row = |load: &str, floors| Row {
            labels: ["reserve", load, store, &size].map(str::to_owned),
            subject,
            floor: Some(median(floors)),
        };
        let mut rows = vec![row(load, floors)];
        if !replays.is_empty() {
            rows.push(row(&format!("{load}, against all its rows"), replays));
        }
        Ok(rows)
    }

    async fn reserve(&self, clients: usize, shows: Vec<Show>) -> Result<Measurement> {
        let grpc_clients = self.clients.clone();
        load::closed_loop(clients, self.span(), move |client, call| {
            let grpc = grpc_clients.get(client % CONNECTIONS).cloned();
            let show = shows.get((client + call * clients) % shows.len()).cloned();
            async move {
                let (grpc, show) = grpc.zip(show).context("no event")?;
                reserve(grpc, show, format!("buyer-{client}-{call}")).await
            }
        })
        .await
    }

    async fn floor(&self, (clients, counters): (usize, usize), round: usize) -> Result<Measurement> {
        if let Some((url, _)) = &self.target.urls {
            return floor::write_postgres(url, RESERVATION, (clients, counters), self.span()).await;
        }
        let file = self.target.folder.join(format!("floor-{clients}-{counters}-{round}.db"));
        floor::write_sqlite(Some(&file), RESERVATION, (clients, counters), self.span()).await
    }

    fn store(&self) -> &'static str {
        if self.target.urls.is_some() { "postgres" } else { "sqlite" }
    }

    fn span(&self) -> Duration {
        Duration::from_millis(self.options.span_ms)
    }

    /// Returns the number of reservations and of their different times.
    async fn counts(&self) -> Result<(i64, i64)> {
        const SQL: &str = "SELECT COUNT(*), COUNT(DISTINCT created_at) FROM reservations";
        Ok(match self.target.database()? {
            Database::Postgres(options) => {
                let mut connection = options.connect().await?;
                let counts = sqlx::query_as(SQL).fetch_one(&mut connection).await?;
                connection.close().await?;
                counts
            }
            Database::Sqlite(file) => {
                let mut connection =
                    sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await?;
                let counts = sqlx::query_as(SQL).fetch_one(&mut connection).await?;
                connection.close().await?;
                counts
            }
        })
    }

    async fn create_show(&self) -> Result<Show> {
        let event = json!({
            "title": "A night", "category": "music", "status": "active",
            "start_date": "2099-01-01T20:00:00Z", "end_date": "2099-01-01T23:00:00Z",
        });
        let event = text_at(&self.rest.post("/v1/events", &event).await?, "/event/id")?;
        let ticket_type = json!({
            "name": "Standing", "price": {"amount": 1_250, "currency": "EUR"}, "quantity": 10_000_000,
        });
        let ticket_type = self.rest.post(&format!("/v1/events/{event}/tickets"), &ticket_type).await?;
        Ok(Show { event, ticket_type: text_at(&ticket_type, "/ticket_type/id")? })
    }
}

async fn reserve(mut client: TicketServiceClient<Channel>, show: Show, buyer: String) -> Result<()> {
    let message = ReserveTicketsRequest {
        event_id: show.event,
        ticket_type_id: show.ticket_type,
        quantity: 1,
        user_id: buyer,
        ..ReserveTicketsRequest::default()
    };
    client.reserve_tickets(grpc_request(message, KEY)?).await?;
    Ok(())
}
