//! The cost of plugin calls: in the sandbox, in plain wasmtime and as native code, and as part of creating an issue.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use group_discount::GroupDiscount;
use required_fields::RequiredFields;
use tessera_core::id::TenantId;
use tessera_core::plugin::{
    Basket, BasketLine, Call, CallContext, CallLimits, Digest, Entity, PluginRequest, Reply, Validation,
};
use tessera_core::ports::Plugins as _;
use tessera_core::{Field, Timestamp};
use tessera_plugin::testing::Harness;
use tessera_sandbox::{PoolSize, Sandbox, SandboxConfig};

use crate::floor::{self, CREATION};
use crate::load::{self, Measurement, median};
use crate::plain_wasmtime::{PlainWasmtime, pricing, types, validation};
use crate::plugins;
use crate::process::Host;
use crate::report::{self, Row, Tables};
use crate::tracker;

const RULES: &str = r#"{"rules": [{"fields": ["description", "fields.f0"], "types": ["BUG"]}]}"#;
const GROUPS: &str = r#"{"steps": [{"units": 5, "percent": "5"}]}"#;

/// Options of the bench.
#[derive(clap::Parser, Clone)]
#[group(skip)]
pub(crate) struct Options {
    #[command(flatten)]
    tracker: tracker::Options,
}

/// Runs the bench.
pub(crate) async fn run(options: Options) -> Result<Tables> {
    let mut rows = Vec::new();
    let components = Components::build(&options.tracker.binary)?;
    measure_validations(&options, &components, &mut rows).await?;
    measure_quotes(&options, &components, &mut rows).await?;
    measure_creations(&options, &components, &mut rows).await?;
    report::compare("sandbox", &rows)
}

/// The example plugins as components.
struct Components {
    group_discount: Vec<u8>,
    required_fields: Vec<u8>,
    support_sla: Vec<u8>,
}

impl Components {
    fn build(binary: &Path) -> Result<Self> {
        Ok(Self {
            group_discount: plugins::build_component(binary, "group-discount")?,
            required_fields: plugins::build_component(binary, "required-fields")?,
            support_sla: plugins::build_component(binary, "support-sla")?,
        })
    }
}

fn sandbox(binary: &Path) -> Result<Sandbox> {
    let limits = CallLimits::standard();
    let config = SandboxConfig {
        cache: None,
        cache_key: [0; 32],
        limits,
        max_component: 64 << 20,
        compile_time: Duration::from_secs(60),
        compile_memory: 2 << 30,
        compilations: 2,
        compiler: (PathBuf::from(binary), vec!["compile-plugin".into()]),
        pool: PoolSize::for_calls(128, limits.memory),
        idle_releases: 16,
        tenant_share: 100,
    };
    Sandbox::new(config).map_err(|error| anyhow!("{error}"))
}

fn context() -> CallContext {
    CallContext {
        tenant: "0198c0de-0000-7000-8000-000000000000".to_owned(),
        invocation: "bench/1".to_owned(),
        now: Timestamp::from_micros(1_767_225_600_000_000).unwrap_or_default(),
        actor: "key:bench".to_owned(),
        roles: vec!["admin".to_owned()],
        dry_run: false,
        cause: Vec::new(),
        attributes: Vec::new(),
    }
}

fn plain_context() -> types::Context {
    let context = context();
    types::Context {
        tenant: context.tenant,
        invocation: context.invocation,
        now: 1_767_225_600_000,
        actor: types::Actor { id: context.actor, roles: context.roles },
        dry_run: false,
        cause: Vec::new(),
        attributes: Vec::new(),
    }
}

/// Returns the fields of an issue, of which `custom` are the project's own.
fn issue_fields(custom: usize) -> Vec<(String, String)> {
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut fields = vec![
        text("project_id", "0198c0de-0000-7000-8000-000000000001"),
        text("summary", "The press on line 4 loses oil"),
        text("description", &"It began on Monday. ".repeat(10)),
        text("status", "NEW"),
        text("type", "BUG"),
        text("priority", "MAJOR"),
    ];
    fields.extend((0..custom).map(|n| (format!("fields.f{n}"), format!("value {n}"))));
    fields
}

/// A sandbox with one release.
struct Subject {
    sandbox: Sandbox,
    tenant: TenantId,
    release: Digest,
    settings: Arc<str>,
}

impl Subject {
    async fn new(binary: &Path, component: &[u8], settings: &str) -> Result<Arc<Self>> {
        let sandbox = sandbox(binary)?;
        let admitted = sandbox
            .admit(TenantId::generate(), component.into(), Instant::now() + Duration::from_secs(120))
            .await
            .map_err(|error| anyhow!("{error}"))?;
        let (tenant, release) = (TenantId::generate(), admitted.digest);
        Ok(Arc::new(Self { sandbox, tenant, release, settings: settings.into() }))
    }

    async fn call(&self, request: PluginRequest) -> Result<Reply> {
        let call = Call {
            share: self.tenant.into(),
            release: self.release,
            settings: Arc::clone(&self.settings),
            limits: self.sandbox.limits(),
            deadline: Instant::now() + Duration::from_secs(10),
            lookup: None,
            request,
        };
        let outcome = self.sandbox.call(call).await;
        outcome.reply.map_err(|failure| anyhow!("{}", failure.message))
    }
}

/// Measures the sandbox, plain wasmtime and native code in alternation.
async fn compare<A, B, C>(
    options: &Options,
    mut subject: impl FnMut() -> A,
    mut plain: impl FnMut() -> B,
    mut native: impl FnMut() -> C,
) -> Result<[Measurement; 3]>
where
    A: Future<Output = Result<Measurement>>,
    B: Future<Output = Result<Measurement>>,
    C: Future<Output = Result<Measurement>>,
{
    let (mut subjects, mut plains, mut natives) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.tracker.rounds {
        subjects.push(subject().await?);
        plains.push(plain().await?);
        natives.push(native().await?);
    }
    Ok([median(subjects), median(plains), median(natives)])
}

fn push_rows(rows: &mut Vec<Row>, hook: &str, size: &str, [subject, plain, native]: [Measurement; 3]) {
    let row = |by: &str, subject, floor| Row {
        labels: [hook, by, "sandbox", size].map(str::to_owned),
        subject,
        floor,
    };
    rows.push(row("against wasmtime", subject, Some(plain)));
    rows.push(row("against native code", subject, Some(native)));
}

async fn measure_validations(options: &Options, components: &Components, rows: &mut Vec<Row>) -> Result<()> {
    let span = options.tracker.span();
    let binary = &options.tracker.binary;
    let subject = Subject::new(binary, &components.required_fields, RULES).await?;
    let plain = Arc::new(PlainWasmtime::new(&components.required_fields, RULES)?);
    for custom in [1, 100] {
        let fields = issue_fields(custom);
        let entity = Entity {
            kind: "issue".to_owned(),
            id: "1".to_owned(),
            version: 1,
            fields: fields.iter().map(|(name, text)| Field::new(name, text.as_str())).collect(),
        };
        let changes = Entity::changes(None, &entity);
        let request = Validation { operation: "create".into(), subject: entity, before: None, changes };
        let lowered = Arc::new(plain_request(&fields));
        let native = Arc::new(native_request(&fields));
        let measured = compare(
            options,
            || {
                let (subject, request) = (Arc::clone(&subject), request.clone());
                load::closed_loop(1, span, move |_, _| {
                    let (subject, request) =
                        (Arc::clone(&subject), PluginRequest::Validate(context(), request.clone()));
                    async move {
                        ensure!(
                            subject.call(request).await? == Reply::Verdict(Vec::new()),
                            "the plugin refuses"
                        );
                        Ok(())
                    }
                })
            },
            || {
                let (plain, lowered) = (Arc::clone(&plain), Arc::clone(&lowered));
                load::closed_loop(1, span, move |_, _| {
                    let (plain, lowered) = (Arc::clone(&plain), Arc::clone(&lowered));
                    async move {
                        // Each call gets a copy of its arguments, as in the sandbox.
                        let request = (*lowered).clone();
                        ensure!(plain.validate(&plain_context(), &request).await?, "the plugin refuses");
                        Ok(())
                    }
                })
            },
            || {
                let native = Arc::clone(&native);
                load::closed_loop(1, span, move |_, _| {
                    let native = Arc::clone(&native);
                    async move {
                        let harness = Harness::new().settings(RULES);
                        ensure!(harness.validate::<RequiredFields>(&native).is_ok(), "the plugin refuses");
                        Ok(())
                    }
                })
            },
        )
        .await?;
        push_rows(rows, "validate", &format!("{} fields", fields.len()), measured);
    }
    Ok(())
}

async fn measure_quotes(options: &Options, components: &Components, rows: &mut Vec<Row>) -> Result<()> {
    let span = options.tracker.span();
    let subject = Subject::new(&options.tracker.binary, &components.group_discount, GROUPS).await?;
    let plain = Arc::new(PlainWasmtime::new(&components.group_discount, GROUPS)?);
    for lines in [1, 10] {
        let basket = basket(lines);
        let lowered = Arc::new(plain_basket(lines));
        let native = Arc::new(native_basket(lines));
        let measured = compare(
            options,
            || {
                let (subject, basket) = (Arc::clone(&subject), basket.clone());
                load::closed_loop(1, span, move |_, _| {
                    let (subject, request) =
                        (Arc::clone(&subject), PluginRequest::Quote(context(), basket.clone()));
                    async move {
                        let Reply::Quote(Ok(decision)) = subject.call(request).await? else {
                            return Err(anyhow!("no quote"));
                        };
                        ensure!(decision.adjustments.len() == lines, "some lines have no adjustment");
                        Ok(())
                    }
                })
            },
            || {
                let (plain, lowered) = (Arc::clone(&plain), Arc::clone(&lowered));
                load::closed_loop(1, span, move |_, _| {
                    let (plain, lowered) = (Arc::clone(&plain), Arc::clone(&lowered));
                    async move {
                        let request = (*lowered).clone();
                        ensure!(
                            plain.quote(&plain_context(), &request).await? == lines,
                            "some lines have no adjustment"
                        );
                        Ok(())
                    }
                })
            },
            || {
                let native = Arc::clone(&native);
                load::closed_loop(1, span, move |_, _| {
                    let native = Arc::clone(&native);
                    async move {
                        let quoted = Harness::new().settings(GROUPS).quote::<GroupDiscount>(&native);
                        ensure!(
                            quoted.is_ok_and(|decision| decision.adjustments.len() == lines),
                            "some lines have no adjustment"
                        );
                        Ok(())
                    }
                })
            },
        )
        .await?;
        push_rows(rows, "quote", &format!("{lines} lines"), measured);
    }
    Ok(())
}

fn plain_request(fields: &[(String, String)]) -> validation::Request {
    let value = |text: &String| types::Value::Text(text.clone());
    let subject_fields: Vec<_> =
        fields.iter().map(|(name, text)| types::Field { name: name.clone(), value: value(text) }).collect();
    let changes = fields.iter().map(|(name, text)| types::Change {
        field: name.clone(),
        before: types::Value::None,
        after: value(text),
    });
    validation::Request {
        operation: "create".into(),
        subject: types::Entity { kind: "issue".into(), id: "1".into(), version: 1, fields: subject_fields },
        before: None,
        changes: changes.collect(),
    }
}

fn native_request(fields: &[(String, String)]) -> tessera_plugin::Request {
    let fields = fields.iter().map(|(name, text)| tessera_plugin::Field::new(name, text.as_str())).collect();
    tessera_plugin::testing::create(tessera_plugin::Entity {
        kind: "issue".into(),
        id: "1".into(),
        version: 1,
        fields,
    })
}

fn basket(lines: usize) -> Basket {
    let line = BasketLine {
        ticket_type: "0198c0de-0000-7000-8000-000000000002".into(),
        name: "Seat".into(),
        quantity: 6,
        unit_price: 1_999,
        available: 100,
        capacity: 1_000,
        attributes: Vec::new(),
    };
    Basket {
        event: Vec::new(),
        starts_at: None,
        offset_now: 60,
        offset_start: 60,
        currency: "EUR".into(),
        currency_exponent: 2,
        lines: vec![line; lines],
        codes: Vec::new(),
        channel: "web".into(),
        buyer: Vec::new(),
        applied: Vec::new(),
    }
}

macro_rules! same_basket {
    ($name:ident, $module:ident, $request:ident) => {
        fn $name(lines: usize) -> $module::$request {
            let basket = basket(lines);
            let lines = basket.lines.into_iter().map(|line| $module::Line {
                ticket_type: line.ticket_type,
                name: line.name,
                quantity: line.quantity,
                unit_price: line.unit_price,
                available: line.available,
                capacity: line.capacity,
                attributes: Vec::new(),
            });
            $module::$request {
                event: Vec::new(),
                starts_at: None,
                offset_now: basket.offset_now,
                offset_start: basket.offset_start,
                currency: basket.currency,
                currency_exponent: basket.currency_exponent,
                lines: lines.collect(),
                codes: Vec::new(),
                channel: basket.channel,
                buyer: Vec::new(),
                applied: Vec::new(),
            }
        }
    };
}

use tessera_plugin::pricing as native_pricing;

same_basket!(plain_basket, pricing, Request);
same_basket!(native_basket, native_pricing, Basket);

/// Measures creations over gRPC with zero, one and two plugins installed. The floor writes the same rows without Tessera.
async fn measure_creations(options: &Options, components: &Components, rows: &mut Vec<Row>) -> Result<()> {
    for store in ["sqlite", "postgres"] {
        let folder =
            std::env::temp_dir().join(format!("tessera-bench-plugins-{store}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let result = measure_creations_on(options, components, store, &folder, rows).await;
        std::fs::remove_dir_all(&folder)?;
        result.with_context(|| format!("on {store}"))?;
    }
    Ok(())
}

async fn measure_creations_on(
    options: &Options,
    components: &Components,
    store: &str,
    folder: &Path,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let tracker = &options.tracker;
    let database = format!("bench_plugins_{}", std::process::id());
    let url = match tracker.postgres.rsplit_once('/') {
        Some((server, _)) => format!("{server}/{database}"),
        None => tracker.postgres.clone(),
    };
    let setting = if store == "postgres" {
        floor::run_sql(&tracker.postgres, &format!("CREATE DATABASE {database}")).await?;
        ("DATABASE_URL", url.as_str())
    } else {
        ("DB_TYPE", store)
    };
    let host = Host::start(&tracker.binary, folder, &[setting]).await?;
    let bench = tracker::Bench::new(tracker, &host, store, folder).await?;
    let mut number = 0;
    for plugins in 0..=2 {
        match plugins {
            1 => bench.rest.install(&components.required_fields, plugins::RULES_FOR_ALL).await?,
            2 => bench.rest.install(&components.support_sla, "{}").await?,
            _ => {}
        }
        let mut floor = || {
            number += 1;
            let file = folder.join(format!("floor-{number}.db"));
            let url = url.clone();
            async move {
                let (load, span) = ((tracker.callers, tracker::ISSUE_COUNTERS), tracker.span());
                if store == "postgres" {
                    floor::write_postgres(&url, CREATION, load, span).await
                } else {
                    floor::write_sqlite(Some(&file), CREATION, load, span).await
                }
            }
        };
        let (subject, floor) = bench.rounds(|| bench.grpc_create(), &mut floor).await?;
        let labels = ["create", "gRPC", store, &format!("{plugins} plugins")].map(str::to_owned);
        rows.push(Row { labels, subject, floor: Some(floor) });
    }
    drop(bench);
    drop(host);
    if store == "postgres" {
        floor::run_sql(&tracker.postgres, &format!("DROP DATABASE {database} WITH (FORCE)")).await?;
    }
    Ok(())
}
