//! Reservations over gRPC: one hot event and many, from one client to many, beside a transaction that counts up one
//! row and inserts two. One hot event is also measured beside a transaction that writes what a reservation leaves.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use tessera_proto::ticket::v1::ReserveTicketsRequest;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::bare::{Bare, Place};
use crate::floor::{self, RESERVATION};
use crate::host::{Host, KEY};
use crate::load::{self, Measured, median};
use crate::table::{self, Row};

/// How the bench runs.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// The binary of Tessera.
    #[arg(long, default_value = "target/dist/tessera")]
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
    #[arg(long, value_delimiter = ',', value_parser = ["sqlite", "postgres"], default_value = "sqlite,postgres")]
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
        let (ours, bare) = (folder.join("ours"), folder.join("bare"));
        let measured = async {
            let ours = Database::create(&options, store, ours).await?;
            let bare = Database::create(&options, store, bare).await?;
            let measured = measure(&options, (&ours, &bare), &mut rows).await;
            ours.remove().await?;
            bare.remove().await?;
            measured
        };
        let measured = measured.await;
        std::fs::remove_dir_all(&folder)?;
        measured.with_context(|| format!("on {store}"))?;
    }
    table::show("reserve", &rows)
}

/// A host leaves a reservation in one database, which is then written again without it; another is measured by the other.
async fn measure(options: &Options, (ours, bare): (&Database, &Database), rows: &mut Vec<Row>) -> Result<()> {
    let first = Bench::start(options, bare).await?;
    let channel = first.channels.first().cloned().context("no connection")?;
    reserve(channel, first.show().await?, "buyer".to_owned()).await?;
    first.host.stop().await?;
    let bare = Bare::learn(bare.place()?).await?;
    Bench::start(options, ours).await?.measure(&bare, rows).await
}

/// Where a host keeps what it is told.
struct Database {
    /// The database's URL and that of its server, where it has one.
    urls: Option<(String, String)>,
    folder: PathBuf,
}

impl Database {
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

    fn place(&self) -> Result<Place> {
        Ok(match &self.urls {
            None => Place::Sqlite(self.folder.join("tessera.db")),
            Some((url, _)) => Place::Postgres(Box::new(url.parse()?)),
        })
    }

    async fn remove(self) -> Result<()> {
        let Some((url, server)) = self.urls else { return Ok(()) };
        let (_, name) = url.rsplit_once('/').context("no database in the URL")?;
        floor::run_sql(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await
    }
}

/// A running host, and who calls it.
struct Bench<'a> {
    options: &'a Options,
    database: &'a Database,
    host: Host,
    rest: reqwest::Client,
    channels: Vec<TicketServiceClient<Channel>>,
}

impl<'a> Bench<'a> {
    async fn start(options: &'a Options, database: &'a Database) -> Result<Self> {
        let secret = ("TESSERA_SECRET_KEY", "a secret for benches, of at least 32 characters");
        let host = Host::start(&options.binary, &database.folder, &[database.setting(), secret]).await?;
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels
                .push(TicketServiceClient::new(Endpoint::from_shared(host.grpc.clone())?.connect().await?));
        }
        Ok(Self { options, database, host, rest: reqwest::Client::new(), channels })
    }

    async fn measure(&self, bare: &Bare, rows: &mut Vec<Row>) -> Result<()> {
        for clients in &self.options.clients {
            let show = self.show().await?;
            let size = format!("{clients} clients");
            rows.extend(self.beside("one hot event", &size, (*clients, vec![show]), Some(bare)).await?);
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
            rows.extend(self.beside(&what, &size, (CLIENTS_OF_MANY, shows.clone()), None).await?);
        }
        Ok(())
    }

    /// Subject and floors in turn.
    async fn beside(
        &self,
        what: &str,
        size: &str,
        (clients, shows): (usize, Vec<Show>),
        bare: Option<&Bare>,
    ) -> Result<Vec<Row>> {
        let (mut subjects, mut floors, mut bares) = (Vec::new(), Vec::new(), Vec::new());
        let before = self.counted().await?;
        for round in 0..self.options.rounds {
            subjects.push(self.reserve(clients, shows.clone()).await?);
            floors.push(self.floor((clients, shows.len()), round).await?);
            if let Some(bare) = bare {
                bares.push(bare.measure(clients, self.span()).await?);
            }
        }
        let after = self.counted().await?;
        // All that one transaction wrote has one time.
        let together = (after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64;
        let size = format!("{size}, {together:.1} together");
        let store = self.store();
        let subject = median(subjects);
        let row = |what: &str, floors| Row {
            what: ["reserve", what, store, &size].map(str::to_owned),
            subject,
            floor: Some(median(floors)),
        };
        let mut rows = vec![row(what, floors)];
        if !bares.is_empty() {
            rows.push(row(&format!("{what}, beside its own rows"), bares));
        }
        Ok(rows)
    }

    async fn reserve(&self, clients: usize, shows: Vec<Show>) -> Result<Measured> {
        let channels = self.channels.clone();
        load::closed(clients, self.span(), move |client, call| {
            let channel = channels.get(client % CONNECTIONS).cloned();
            let show = shows.get((client + call * clients) % shows.len()).cloned();
            async move {
                let (channel, show) = channel.zip(show).context("no event")?;
                reserve(channel, show, format!("buyer-{client}-{call}")).await
            }
        })
        .await
    }

    async fn floor(&self, (clients, slots): (usize, usize), round: usize) -> Result<Measured> {
        if let Some((url, _)) = &self.database.urls {
            return floor::write_postgres(url, RESERVATION, (clients, slots), self.span()).await;
        }
        let file = self.database.folder.join(format!("floor-{clients}-{slots}-{round}.db"));
        floor::write_sqlite(Some(&file), RESERVATION, (clients, slots), self.span()).await
    }

    fn store(&self) -> &'static str {
        if self.database.urls.is_some() { "postgres" } else { "sqlite" }
    }

    fn span(&self) -> Duration {
        Duration::from_millis(self.options.span_ms)
    }

    /// How many reservations there are, and of how many different times.
    async fn counted(&self) -> Result<(i64, i64)> {
        const SQL: &str = "SELECT COUNT(*), COUNT(DISTINCT created_at) FROM reservations";
        Ok(match self.database.place()? {
            Place::Postgres(options) => {
                let mut connection = options.connect().await?;
                let counted = sqlx::query_as(SQL).fetch_one(&mut connection).await?;
                connection.close().await?;
                counted
            }
            Place::Sqlite(file) => {
                let mut connection =
                    sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await?;
                let counted = sqlx::query_as(SQL).fetch_one(&mut connection).await?;
                connection.close().await?;
                counted
            }
        })
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
        let request = self.rest.post(format!("{}{path}", self.host.http)).bearer_auth(KEY).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

async fn reserve(mut channel: TicketServiceClient<Channel>, show: Show, buyer: String) -> Result<()> {
    let message = ReserveTicketsRequest {
        event_id: show.event,
        ticket_type_id: show.ticket_type,
        quantity: 1,
        user_id: buyer,
        ..ReserveTicketsRequest::default()
    };
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {KEY}").parse()?);
    channel.reserve_tickets(request).await?;
    Ok(())
}

fn text(answer: &Value, at: &str) -> Result<String> {
    Ok(answer.pointer(at).and_then(Value::as_str).with_context(|| format!("no {at} in {answer}"))?.to_owned())
}
