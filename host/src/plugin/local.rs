//! Runs a component locally, in the same sandbox as on a host.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;
use tessera_api::plugin_json::{ReplyBody, read_dry_run, show_dry_run};
use tessera_core::Timestamp;
use tessera_core::id::TenantId;
use tessera_core::plugin::{
    AdmittedComponent, Call, CallContext, CallLimits, CallRecord, DryRun, DryRunResult, Failure, Hook,
    Lookup, LookupError, Manifest, Reply, Verdict,
};
use tessera_core::ports::Plugins as _;
use tessera_sandbox::Sandbox;

use super::build::size;
use super::cli::LimitArgs;
use crate::config::PluginBounds;
use crate::{print, wiring};

/// Largest component, in bytes.
const MAX_COMPONENT: u64 = 64 << 20;

/// Deadline of a call, beside its own limits.
const DEADLINE: Duration = Duration::from_secs(120);

/// The tenant in the context of calls. It is always the same, so that equal requests are equal calls.
const TENANT: TenantId = TenantId(uuid::Uuid::from_u128(1));

/// A component that is loaded into a sandbox.
pub(super) struct LocalRun {
    sandbox: Sandbox,
    admitted: AdmittedComponent,
    limits: CallLimits,
}

/// A file of test cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    cases: Vec<Value>,
}

/// Loads a component into a sandbox of its own.
pub(super) async fn load(path: &Path, limits: LimitArgs) -> Result<LocalRun> {
    let component: Arc<[u8]> =
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.into();
    let standard = CallLimits::standard();
    let time = Duration::from_millis(limits.time_ms);
    let limits = CallLimits { fuel: limits.fuel, memory: limits.memory, time, ..standard };
    let bounds = PluginBounds {
        component: MAX_COMPONENT,
        call: limits,
        calls: 16,
        tenant_percent: 100,
        compile_time: Duration::from_secs(300),
        compile_memory: 8 << 30,
        compilations: 1,
    };
    let sandbox = wiring::sandbox(&bounds, None, [0; 32])?;
    let deadline = Instant::now() + bounds.compile_time * 2;
    let admitted = sandbox.admit(TenantId::generate(), component, deadline).await;
    let admitted = admitted.map_err(|error| refused(&error))?;
    Ok(LocalRun { sandbox, admitted, limits })
}

/// Converts a refusal of the sandbox into an error with all its faults.
pub(super) fn refused(error: &tessera_core::Error) -> anyhow::Error {
    let faults: String = error.faults().iter().map(|fault| format!("\n  {}", fault.sentence())).collect();
    anyhow!("{}: {}{faults}", error.reason(), error.message())
}

/// Prints a component's imports, exports and manifest.
pub(super) async fn inspect(path: &Path) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = tessera_sandbox::inspect(&bytes).map_err(|error| refused(&error))?;
    let list = |names: &[String]| names.iter().map(|name| format!("  {name}\n")).collect::<String>();
    print(&format!(
        "{}: {}\nimports\n{}exports\n{}",
        path.display(),
        size(bytes.len()),
        list(&found.imports),
        list(&found.exports)
    ))?;
    let limits = LimitArgs { fuel: 10_000_000, memory: 16 << 20, time_ms: 250 };
    let LocalRun { admitted, .. } = load(path, limits).await?;
    let AdmittedComponent { digest, contract, footprint, manifest, .. } = admitted;
    let manifest = serde_json::to_string_pretty(&ReplyBody::from(Reply::Manifest(manifest)))?;
    print(&format!(
        "contract {contract}, digest {digest}\nan instance needs {} memories, {} tables, {} core instances\n{manifest}\n",
        footprint.memories, footprint.tables, footprint.instances
    ))
}

/// Makes one call and prints the result. Returns whether the call succeeded.
pub(super) async fn run(path: &Path, input: &Path, limits: LimitArgs) -> Result<bool> {
    let trial = read_trial(&text(input)?)?;
    let tried = load(path, limits).await?.call(trial).await?;
    let answered = tried.reply.is_some();
    print(&format!("{}\n", serde_json::to_string_pretty(&show_dry_run(tried)?)?))?;
    Ok(answered)
}

/// Makes one call many times and prints its time, instructions and memory.
pub(super) async fn bench(path: &Path, input: &Path, times: u32, limits: LimitArgs) -> Result<()> {
    let trial = read_trial(&text(input)?)?;
    let component = load(path, limits).await?;
    let mut durations = Vec::new();
    let (mut fuel, mut memory) = (0, 0);
    for _ in 0..times {
        let start = Instant::now();
        let tried = component.call(trial.clone()).await?;
        durations.push(start.elapsed());
        if let Verdict::Failed(Failure { reason, message, .. }) = tried.record.verdict {
            bail!("{}: {message}", reason.name());
        }
        fuel = fuel.max(tried.record.usage.fuel);
        memory = memory.max(tried.record.usage.memory);
    }
    durations.sort();
    let at = |hundredths: usize| {
        let index = (durations.len() * hundredths / 100).min(durations.len().saturating_sub(1));
        durations.get(index).map_or(0, Duration::as_micros)
    };
    print(&format!(
        "{times} calls: p50 {} µs, p99 {} µs; at most {fuel} instructions and {} KiB of memory\n",
        at(50),
        at(99),
        memory / 1024
    ))
}

/// Runs the test cases of a file. Returns whether all passed.
pub(super) async fn test(path: &Path, cases: &Path, limits: LimitArgs) -> Result<bool> {
    let Cases { cases } = serde_json::from_str(&text(cases)?).context("the file of cases cannot be read")?;
    if cases.is_empty() {
        bail!("the file contains no cases");
    }
    let component = load(path, limits).await?;
    let (mut passed, count) = (0, cases.len());
    for (index, mut case) in cases.into_iter().enumerate() {
        let mut take = |name: &str| case.as_object_mut().and_then(|case| case.remove(name));
        let name = take("name").and_then(|name| name.as_str().map(str::to_owned));
        let name = name.unwrap_or_else(|| format!("case {}", index + 1));
        let (expected, max_fuel) = (take("expect"), take("fuel_at_most").and_then(|max| max.as_u64()));
        let trial = read_trial(&case.to_string()).with_context(|| name.clone())?;
        let tried = component.call(trial).await?;
        let fuel = tried.record.usage.fuel;
        let answer = show_dry_run(tried)?;
        let mut faults = Vec::new();
        differences("", &expected.unwrap_or(Value::Null), &answer, &mut faults);
        if let Some(max) = max_fuel.filter(|max| fuel > *max) {
            faults.push(format!("the call used {fuel} instructions; expected at most {max}"));
        }
        let verdict = if faults.is_empty() { "ok" } else { "FAILED" };
        passed += usize::from(faults.is_empty());
        print(&format!("{name}: {verdict} ({fuel} instructions)\n"))?;
        for fault in faults {
            print(&format!("  {fault}\n"))?;
        }
    }
    print(&format!("{passed} of {count} passed\n"))?;
    Ok(passed == count)
}

/// Collects the differences of a result from the expectation. Members that the expectation lacks are ignored.
fn differences(at: &str, expected: &Value, found: &Value, faults: &mut Vec<String>) {
    match (expected, found) {
        (Value::Null, _) if at.is_empty() => {}
        (Value::Object(members), Value::Object(found)) => {
            for (name, expected) in members {
                let found = found.get(name).unwrap_or(&Value::Null);
                differences(&format!("{at}.{name}"), expected, found, faults);
            }
        }
        (Value::Array(items), Value::Array(found)) if items.len() == found.len() => {
            for (index, (expected, found)) in items.iter().zip(found).enumerate() {
                differences(&format!("{at}[{index}]"), expected, found, faults);
            }
        }
        _ if expected == found => {}
        _ => faults.push(format!("{}: expected {expected}, found {found}", at.trim_start_matches('.'))),
    }
}

impl LocalRun {
    /// Whether the component has a hook.
    pub(super) fn has(&self, hook: Hook) -> bool {
        self.admitted.hooks.contains(&hook)
    }

    async fn call(&self, dry_run: DryRun) -> Result<DryRunResult> {
        self.check_settings(&dry_run.settings).await?;
        self.call_as("run", dry_run).await
    }

    /// Refuses settings that violate the plugin's schema.
    pub(super) async fn check_settings(&self, settings: &str) -> Result<()> {
        let schema = &self.admitted.manifest.settings_schema;
        if schema.is_empty() {
            return Ok(());
        }
        let json = if settings.is_empty() { "{}" } else { settings };
        let tenant = TenantId::generate();
        let violations = self.sandbox.schema_violations(tenant, schema, json, "settings").await;
        let violations = violations.map_err(|error| refused(&error))?;
        if violations.is_empty() {
            return Ok(());
        }
        Err(refused(&tessera_core::Error::violations(violations)))
    }

    /// Makes a call with settings that are checked. `invocation` names it in its context.
    pub(super) async fn call_as(&self, invocation: &str, dry_run: DryRun) -> Result<DryRunResult> {
        let DryRun { settings, limits, now, actor, roles, request } = dry_run;
        let at = now.map_or_else(current_time, Ok)?;
        let context = CallContext {
            tenant: TENANT.to_string(),
            invocation: invocation.to_owned(),
            now: at,
            actor: actor.unwrap_or_else(|| "system".to_owned()),
            roles,
            dry_run: true,
            cause: Vec::new(),
            attributes: Vec::new(),
        };
        let request = request.into_request(context);
        let (function, subject) = (request.function(), request.subject());
        let call = Call {
            share: TenantId::generate().into(),
            release: self.admitted.digest,
            settings: settings.into(),
            limits: self.limits.at_most(&limits),
            deadline: Instant::now() + DEADLINE,
            lookup: Some(Lookup::new(|_| async { Err(LookupError::Unavailable) })),
            request,
        };
        let outcome = self.sandbox.call(call).await;
        let Manifest { name, version, .. } = &self.admitted.manifest;
        let release = format!("{name}@{version}");
        let (record, reply) = CallRecord::new((at, String::new()), release, (function, subject), outcome);
        Ok(DryRunResult { reply: reply.ok(), record })
    }
}

#[expect(clippy::disallowed_methods, reason = "a local run has no store whose clock could be used")]
fn current_time() -> Result<Timestamp> {
    let micros = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
    let at = i64::try_from(micros).ok().and_then(Timestamp::from_micros);
    at.context("the system clock is out of range")
}

fn read_trial(json: &str) -> Result<DryRun> {
    read_dry_run(json.as_bytes()).map_err(|error| refused(&error))
}

/// Reads a file, or standard input for `-`.
fn text(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
