//! `tessera plugin check`: calls a pricing plugin with generated baskets, and shrinks a basket that shows a fault.

mod baskets;
mod shrink;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tessera_api::plugin_json::show_basket;
use tessera_core::Timestamp;
use tessera_core::plugin::{
    Basket, DryRun, DryRunRequest, Failure, FailureReason, Hook, LimitOverrides, Reply, Verdict,
};
use tessera_core::pricing::{check_reply, price_before};

use super::cli::{CheckArgs, LimitArgs};
use super::local::{LocalRun, load, refused};
use super::remote::read_settings;
use crate::print;

/// The time of all calls, in microseconds: 2026-06-01T12:00:00Z. The same seed makes the same requests on every day.
const NOW: i64 = 1_780_315_200_000_000;

/// The most smaller baskets that are tried.
const MAX_TRIALS: u32 = 5_000;

/// A check of one component.
struct Check {
    component: LocalRun,
    settings: String,
    is_monotone: bool,
    /// The number of baskets that the plugin has refused.
    refused: u32,
    /// The most instructions of a call.
    fuel: u64,
}

/// Checks a component with generated baskets. Returns whether all passed.
pub(super) async fn check(path: &Path, args: &CheckArgs, limits: LimitArgs) -> Result<bool> {
    let component = load(path, limits).await?;
    if !component.has(Hook::Pricing) {
        bail!("{} does not export the hook pricing; only pricing plugins can be checked", path.display());
    }
    let settings = args.settings.as_deref().map(read_settings).transpose()?.unwrap_or_default();
    component.check_settings(&settings).await?;
    let mut words = args.code.clone();
    if !settings.is_empty() {
        let settings: Value = serde_json::from_str(&settings).context("the settings are not JSON")?;
        baskets::add_texts(&settings, &mut words);
    }
    let mut generator = baskets::Generator::new(args.seed, words);
    let mut check = Check { component, settings, is_monotone: args.monotone, refused: 0, fuel: 0 };
    for number in 1..=args.baskets {
        let basket = generator.basket(now());
        if let Some(fault) = check.fault(&basket).await? {
            let (basket, fault) = check.shrink(basket, fault).await?;
            let report = json!({
                "seed": args.seed, "basket": number, "reason": fault, "call": check.call_json(basket)?,
            });
            print(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
            return Ok(false);
        }
    }
    if check.refused == args.baskets {
        bail!("the plugin refuses all {} baskets, so that no price was checked", args.baskets);
    }
    print(&format!(
        "{} baskets passed (seed {}); the plugin refused {} of them; a call used at most {} of {} instructions\n",
        args.baskets, args.seed, check.refused, check.fuel, limits.fuel
    ))?;
    Ok(true)
}

fn now() -> Timestamp {
    Timestamp::from_micros(NOW).unwrap_or_default()
}

impl Check {
    /// Returns the fault that the calls with a basket show.
    async fn fault(&mut self, basket: &Basket) -> Result<Option<String>> {
        let total = match self.total(basket).await? {
            Ok(Some(total)) => total,
            Ok(None) => {
                self.refused += 1;
                return Ok(None);
            }
            Err(fault) => return Ok(Some(fault)),
        };
        if !self.is_monotone {
            return Ok(None);
        }
        for (line, grown) in shrink::grown(basket) {
            if let Ok(Some(more)) = self.total(&grown).await?
                && more < total
            {
                let quantities = |basket: &Basket| basket.lines.get(line).map_or(0, |line| line.quantity);
                let (before, after) = (quantities(basket), quantities(&grown));
                return Ok(Some(format!(
                    "the total falls from {total} to {more} if the quantity of line {line} grows from {before} to {after}"
                )));
            }
        }
        Ok(None)
    }

    /// Returns the total of a basket, or `None` if the plugin refuses the basket. The inner error is a fault.
    async fn total(&mut self, basket: &Basket) -> Result<Result<Option<i64>, String>> {
        let reply = match self.call("check-1", basket).await? {
            Ok(reply) => reply,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(match (self.call("check-2", basket).await?, reply) {
            (Err(fault), _) => Err(fault),
            (Ok(again), reply) if again != reply => {
                Err("two calls with the same request have different answers".to_owned())
            }
            (Ok(_), Reply::Quote(Ok(reply))) => check_reply(basket, &reply).map(Some),
            (Ok(_), Reply::Quote(Err(_))) => Ok(None),
            (Ok(_), _) => Err("the answer is not one of quote".to_owned()),
        })
    }

    /// Calls the plugin. The inner error is the failure of the call.
    async fn call(&mut self, invocation: &str, basket: &Basket) -> Result<Result<Reply, String>> {
        let dry_run = DryRun {
            settings: self.settings.clone(),
            limits: LimitOverrides::default(),
            now: Some(now()),
            actor: None,
            roles: Vec::new(),
            request: DryRunRequest::Quote(basket.clone()),
        };
        let tried = self.component.call_as(invocation, dry_run).await?;
        self.fuel = self.fuel.max(tried.record.usage.fuel);
        if let Verdict::Failed(Failure { reason, message, .. }) = tried.record.verdict {
            let fault = format!("{}: {message}", reason.name());
            if matches!(reason, FailureReason::Late | FailureReason::Busy | FailureReason::Host) {
                bail!("{fault}");
            }
            return Ok(Err(fault));
        }
        tried.reply.map(Ok).context("the call has no reply")
    }

    /// Returns the smallest basket that is found to show a fault, and its fault.
    async fn shrink(&mut self, mut basket: Basket, mut fault: String) -> Result<(Basket, String)> {
        let mut trials = 0;
        'smaller: loop {
            for smaller in shrink::smaller(&basket) {
                // The steps before can make a basket without a price, which a host never shows a plugin.
                if price_before(&smaller).is_err() {
                    continue;
                }
                if trials == MAX_TRIALS {
                    break 'smaller;
                }
                trials += 1;
                if let Some(found) = self.fault(&smaller).await? {
                    (basket, fault) = (smaller, found);
                    continue 'smaller;
                }
            }
            break;
        }
        Ok((basket, fault))
    }

    /// Returns the call with a basket as `tessera plugin run` reads it.
    fn call_json(&self, basket: Basket) -> Result<Value> {
        let input = show_basket(basket).map_err(|error| refused(&error))?;
        let mut call = json!({"function": "quote", "now": now().to_string(), "input": input});
        if !self.settings.is_empty()
            && let Some(members) = call.as_object_mut()
        {
            members.insert("settings".to_owned(), serde_json::from_str(&self.settings)?);
        }
        Ok(call)
    }
}
