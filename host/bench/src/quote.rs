//! Prices of baskets over gRPC through pricing plugins, beside the same rules in native code; and reservations of a
//! tenant with a rule, beside those of one without.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tessera_proto::ticket::v1::pricing_service_client::PricingServiceClient;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;
use tessera_proto::ticket::v1::{
    CalculatePriceRequest, CalculatePriceResponse, RequestedLine, ReserveTicketsRequest,
};
use tonic::transport::{Channel, Endpoint};

use crate::client::{RestClient, grpc_request, text_at};
use crate::floor;
use crate::load::{self, Measurement};
use crate::plugins;
use crate::process::Host;
use crate::report::{self, Table, Tables};

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
    /// Numbers of concurrent callers.
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    callers: Vec<usize>,
    /// Stores to measure.
    #[arg(long, value_delimiter = ',', value_parser = ["sqlite", "postgres"], default_value = "sqlite,postgres")]
    stores: Vec<String>,
}

/// A step of a price: a plugin with its settings, and the rule that changes prices in the same way.
struct Step {
    plugin: &'static str,
    settings: &'static str,
    rule: &'static str,
}

const STEPS: [Step; 3] = [
    Step {
        plugin: "group-discount",
        settings: r#"{"steps": [{"units": 5, "percent": "5"}]}"#,
        rule: r#"{"name": "Group", "kind": "discount", "percent": "5", "min_quantity": 5, "order": 1}"#,
    },
    Step {
        plugin: "surge",
        settings: r#"{"steps": [{"sold": "0", "percent": "10"}]}"#,
        rule: r#"{"name": "High demand", "kind": "surcharge", "steps": [{"sold": "0", "percent": "10"}], "order": 2}"#,
    },
    Step {
        plugin: "city-tax",
        settings: r#"{"cities": [{"city": "Berlin", "percent": "7.5"}]}"#,
        rule: r#"{"name": "City tax", "kind": "tax", "percent": "7.5"}"#,
    },
];

/// The numbers of steps that are compared. Without any, the two tenants show how far equal ones differ.
const SIZES: [usize; 3] = [0, 1, 3];

/// The prices of the ticket types of an event, one for each line of a basket.
const PRICES: [i64; 3] = [1_999, 2_499, 4_950];

/// The units of each line, which together reach the step of the group discount.
const UNITS: i32 = 2;

/// The rule of the tenant whose reservations are priced.
const RULE: &str = r#"{"name": "High demand", "kind": "surcharge", "percent": "10"}"#;

/// Runs the bench.
pub(crate) async fn run(options: Options) -> Result<Tables> {
    let mut components = Vec::new();
    for step in &STEPS {
        components.push(plugins::build_component(&options.binary, step.plugin)?);
    }
    let mut rows = Vec::new();
    for store in &options.stores {
        let folder = std::env::temp_dir().join(format!("tessera-bench-quote-{store}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let result = measure_store(&options, (store, &folder), &components, &mut rows).await;
        std::fs::remove_dir_all(&folder)?;
        result.with_context(|| format!("on {store}"))?;
    }
    report::write_json("quote", &rows.iter().map(Row::json).collect())?;
    let columns = [
        "operation",
        "with",
        "beside",
        "on",
        "callers",
        "per second",
        "beside it",
        "ratio",
        "p50 µs",
        "beside it µs",
        "added µs",
    ];
    Ok(vec![Table::new("quote", columns, rows.iter().map(Row::cells))])
}

async fn measure_store(
    options: &Options,
    (store, folder): (&str, &Path),
    components: &[Vec<u8>],
    rows: &mut Vec<Row>,
) -> Result<()> {
    let database = format!("bench_quote_{}", std::process::id());
    let (server, _) = options.postgres.rsplit_once('/').context("no database in the URL")?;
    let url = format!("{server}/{database}");
    let is_postgres = store == "postgres";
    let setting = if is_postgres {
        floor::run_sql(&options.postgres, &format!("CREATE DATABASE {database}")).await?;
        ("DATABASE_URL", url.as_str())
    } else {
        ("DB_TYPE", store)
    };
    let host = Host::start(&options.binary, folder, &[setting]).await?;
    let channel = Endpoint::from_shared(host.grpc.clone())?.connect().await?;
    let bench = Bench { options, host, store, channel };
    let result = bench.measure(components, rows).await;
    drop(bench);
    if is_postgres {
        floor::run_sql(&options.postgres, &format!("DROP DATABASE {database} WITH (FORCE)")).await?;
    }
    result
}

/// A running host and the connection to it.
struct Bench<'a> {
    options: &'a Options,
    host: Host,
    store: &'a str,
    channel: Channel,
}

impl Bench<'_> {
    async fn measure(&self, components: &[Vec<u8>], rows: &mut Vec<Row>) -> Result<()> {
        for size in SIZES {
            self.measure_quotes(size, components, rows).await?;
        }
        self.measure_reservations(rows).await
    }

    /// Compares prices of one tenant with plugins with those of another one with rules.
    async fn measure_quotes(&self, size: usize, components: &[Vec<u8>], rows: &mut Vec<Row>) -> Result<()> {
        let (with_plugins, plugins) = self.create_shop(&format!("plugins-{size}")).await?;
        let (with_rules, rules) = self.create_shop(&format!("rules-{size}")).await?;
        for (step, component) in STEPS.iter().zip(components).take(size) {
            with_plugins.install(component, step.settings).await?;
            with_rules.post("/v1/pricing-rules", &serde_json::from_str(step.rule)?).await?;
        }
        let price = self.price(&plugins, size).await?;
        let price_of_rules = self.price(&rules, size).await?;
        ensure!(price == price_of_rules, "{size} plugins make {price}, and the same rules {price_of_rules}");
        for callers in &self.options.callers {
            let (subject, floor) = load::alternate(
                self.options.rounds,
                || self.quote(*callers, &plugins, price),
                || self.quote(*callers, &rules, price),
            )
            .await?;
            let labels = ["quote".to_owned(), format!("{size} plugins"), format!("{size} rules")];
            rows.push(self.row(labels, *callers, (subject, floor)));
        }
        Ok(())
    }

    /// Compares reservations of one tenant with a rule with those of another one without.
    async fn measure_reservations(&self, rows: &mut Vec<Row>) -> Result<()> {
        let (with_rule, ruled) = self.create_shop("reserve-rule").await?;
        let (_, plain) = self.create_shop("reserve-plain").await?;
        with_rule.post("/v1/pricing-rules", &serde_json::from_str(RULE)?).await?;
        // 10 % of 1,999 are 199.9.
        let (base, raised) = (PRICES[0], 2_199);
        for callers in &self.options.callers {
            let (subject, floor) = load::alternate(
                self.options.rounds,
                || self.reserve(*callers, &ruled, raised),
                || self.reserve(*callers, &plain, base),
            )
            .await?;
            let labels = ["reserve", "1 rule", "no rules"].map(str::to_owned);
            rows.push(self.row(labels, *callers, (subject, floor)));
        }
        Ok(())
    }

    /// Creates a tenant with an event that is on sale.
    async fn create_shop(&self, slug: &str) -> Result<(RestClient, Shop)> {
        let rest = RestClient::operator(&self.host).create_tenant(slug).await?;
        let venue = json!({
            "name": "Hall", "address": "1 Street", "city": "Berlin", "country": "Germany",
            "time_zone": "Europe/Berlin",
        });
        let venue = text_at(&rest.post("/v1/venues", &venue).await?, "/venue/id")?;
        let event = json!({
            "title": "A night", "category": "music", "status": "active", "venue_id": venue,
            "start_date": "2099-01-01T20:00:00Z", "end_date": "2099-01-01T23:00:00Z",
        });
        let event = text_at(&rest.post("/v1/events", &event).await?, "/event/id")?;
        let mut ticket_types = Vec::new();
        for price in PRICES {
            let ticket_type = json!({
                "name": format!("Seat at {price}"), "price": {"amount": price, "currency": "EUR"},
                "quantity": 10_000_000,
            });
            let ticket_type = rest.post(&format!("/v1/events/{event}/tickets"), &ticket_type).await?;
            ticket_types.push(text_at(&ticket_type, "/ticket_type/id")?);
        }
        let key = rest.key().to_owned();
        Ok((rest, Shop { key, event, ticket_types }))
    }

    /// Returns the price of a basket, to which each step must have added an adjustment for each line.
    async fn price(&self, shop: &Shop, steps: usize) -> Result<i64> {
        let mut client = PricingServiceClient::new(self.channel.clone());
        let request = grpc_request(shop.basket(), &shop.key)?;
        let response = client.calculate_price(request).await?.into_inner();
        let adjustments = response.adjustments.len();
        ensure!(adjustments == steps * PRICES.len(), "{steps} steps made {adjustments} adjustments");
        final_price(&response)
    }

    async fn quote(&self, callers: usize, shop: &Shop, price: i64) -> Result<Measurement> {
        let client = PricingServiceClient::new(self.channel.clone());
        let (basket, key) = (shop.basket(), shop.key.clone());
        load::closed_loop(callers, self.span(), move |_, _| {
            let (mut client, request) = (client.clone(), grpc_request(basket.clone(), &key));
            async move {
                let response = client.calculate_price(request?).await?.into_inner();
                let found = final_price(&response)?;
                ensure!(found == price, "the price is {found} and was {price}");
                Ok(())
            }
        })
        .await
    }

    async fn reserve(&self, callers: usize, shop: &Shop, price: i64) -> Result<Measurement> {
        let (client, shop) = (TicketServiceClient::new(self.channel.clone()), shop.clone());
        load::closed_loop(callers, self.span(), move |caller, call| {
            let message = ReserveTicketsRequest {
                event_id: shop.event.clone(),
                ticket_type_id: shop.ticket_types.first().cloned().unwrap_or_default(),
                quantity: 1,
                user_id: format!("buyer-{caller}-{call}"),
                ..ReserveTicketsRequest::default()
            };
            let (mut client, request) = (client.clone(), grpc_request(message, &shop.key));
            async move {
                let reservation = client.reserve_tickets(request?).await?.into_inner().reservation;
                let total = reservation.and_then(|reservation| reservation.total).context("no total")?;
                ensure!(total.amount == price, "the total is {} and not {price}", total.amount);
                Ok(())
            }
        })
        .await
    }

    fn row(&self, labels: [String; 3], callers: usize, (subject, floor): (Measurement, Measurement)) -> Row {
        Row { labels, store: self.store.to_owned(), callers, subject, floor }
    }

    fn span(&self) -> Duration {
        Duration::from_millis(self.options.span_ms)
    }
}

/// Returns the price of a response that was made with all plugins.
fn final_price(response: &CalculatePriceResponse) -> Result<i64> {
    ensure!(response.passed_over.is_empty(), "plugins failed: {:?}", response.passed_over);
    Ok(response.final_price.as_ref().context("no price")?.amount)
}

/// A tenant's event.
#[derive(Clone)]
struct Shop {
    /// The key of the tenant's administrator.
    key: String,
    event: String,
    ticket_types: Vec<String>,
}

impl Shop {
    /// Builds a request for the price of some units of each ticket type.
    fn basket(&self) -> CalculatePriceRequest {
        let line = |ticket_type: &String| RequestedLine {
            ticket_type_id: ticket_type.clone(),
            quantity: UNITS,
            ..RequestedLine::default()
        };
        CalculatePriceRequest {
            event_id: self.event.clone(),
            lines: self.ticket_types.iter().map(line).collect(),
            ..CalculatePriceRequest::default()
        }
    }
}

/// A figure beside its floor.
struct Row {
    /// Operation, what the subject has, and what the floor has.
    labels: [String; 3],
    store: String,
    callers: usize,
    subject: Measurement,
    floor: Measurement,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.subject.rate / self.floor.rate
    }

    /// Returns by how much the median latency is longer, in microseconds.
    fn added(&self) -> f64 {
        (self.subject.p50 - self.floor.p50) * 1e3
    }

    fn cells(&self) -> [String; 11] {
        let [operation, with, beside] = self.labels.clone();
        [
            operation,
            with,
            beside,
            self.store.clone(),
            self.callers.to_string(),
            format!("{:.0}", self.subject.rate),
            format!("{:.0}", self.floor.rate),
            format!("{:.2}", self.ratio()),
            format!("{:.0}", self.subject.p50 * 1e3),
            format!("{:.0}", self.floor.p50 * 1e3),
            format!("{:.1}", self.added()),
        ]
    }

    fn json(&self) -> Value {
        let [operation, with, beside] = &self.labels;
        let figures = |m: &Measurement| json!({"per_second": m.rate, "p50_ms": m.p50, "p99_ms": m.p99});
        json!({
            "operation": operation, "with": with, "beside": beside, "store": self.store, "callers": self.callers,
            "subject": figures(&self.subject), "floor": figures(&self.floor), "ratio": self.ratio(),
            "added_us": self.added(),
        })
    }
}
