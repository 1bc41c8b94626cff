//! One call: a fresh store and instance, the limits around it, and what it came to.

use std::sync::Arc;
use std::time::Instant;

use tessera_core::id::TenantId;
use tessera_core::plugin::{Ask, Call, CallLimits, Failure, FailureReason, Footprint, Outcome, Reply, Usage};
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::bindings::{Answer, Broken, Contract, Exports, Misfit};
use crate::lanes::Lanes;
use crate::size;
use crate::state::{Clock, Guest, Late};

/// How many functions of a backtrace are told.
const MAX_FRAMES: usize = 32;

/// A release that can be called.
pub(crate) struct Ready {
    pre: InstancePre<Guest>,
    exports: Exports,
    /// What an instance takes of the pool.
    pub(crate) footprint: Footprint,
}

impl Ready {
    /// A release of that contract, ready to be called.
    pub(crate) fn new(
        pre: InstancePre<Guest>,
        contract: Contract,
        footprint: Footprint,
    ) -> wasmtime::Result<Self> {
        let exports = Exports::find(contract, &pre)?;
        Ok(Self { pre, exports, footprint })
    }

    /// Refuses a component whose exports are not of the contract's types; answers the interface that does not
    /// fit, and how its functions should look. Runs what the component does at its start.
    pub(crate) async fn check(
        self: Arc<Self>,
        engine: &Engine,
        lanes: &Lanes,
        (tenant, limits, deadline): (TenantId, CallLimits, Instant),
    ) -> Result<Result<(), Misfit>, Failure> {
        let clock = Clock::new();
        let parts = self.footprint.instances;
        let guest = Guest::new(limits, "".into(), deadline, None, parts, Arc::clone(&clock));
        let mut store = Store::new(engine, guest);
        let ready = Arc::clone(&self);
        let begun = Box::pin(async move {
            let begun = async {
                prepare(&mut store, limits)?;
                ready.pre.instantiate_async(&mut store).await
            };
            (begun.await, store)
        });
        let Some((begun, mut store)) = lanes.run(tenant, Arc::clone(&clock), begun).await else {
            return Err(failure(FailureReason::Host, "the host stops".to_owned()));
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        lanes.note(tenant, fuel);
        match begun {
            Ok(instance) => Ok(self.exports.check(&mut store, &instance)),
            Err(error) => {
                let usage = Usage { fuel, time: clock.spent(), memory: store.data().held() };
                Err(why(&error, store.data(), usage, limits))
            }
        }
    }

    /// Calls it in a fresh instance; nothing survives the call.
    pub(crate) async fn call(self: Arc<Self>, engine: &Engine, lanes: &Lanes, call: Call) -> Outcome {
        let Call { tenant, settings, limits, deadline, lookup, ask, .. } = call;
        let weight = size::of_ask(&ask) + settings.len();
        if weight as u64 > limits.input {
            let message = format!(
                "the input has {weight} bytes; {} are allowed: fields that plugins need not see should be smaller",
                limits.input
            );
            return unsaid(FailureReason::InputTooLarge, message);
        }
        let clock = Clock::new();
        let parts = self.footprint.instances;
        let guest = Guest::new(limits, settings, deadline, lookup, parts, Arc::clone(&clock));
        let mut store = Store::new(engine, guest);
        if let Err(error) = prepare(&mut store, limits) {
            return unsaid(FailureReason::Host, format!("the call cannot be prepared: {error}"));
        }
        let work = Box::pin(async move { (self.run(&mut store, ask).await, store) });
        let Some((answer, store)) = lanes.run(tenant, Arc::clone(&clock), work).await else {
            return unsaid(FailureReason::Host, "the host stops".to_owned());
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        lanes.note(tenant, fuel);
        let guest = store.into_data();
        let usage = Usage { fuel, time: clock.spent(), memory: guest.held() };
        let reply = match answer {
            Ok(Ok(reply)) => within(reply, limits),
            Ok(Err(Broken(what))) => {
                Err(failure(FailureReason::BadAnswer, format!("the answer breaks the contract: {what}")))
            }
            Err(error) => Err(why(&error, &guest, usage, limits)),
        };
        let Guest { log, log_was_cut, lookups, .. } = guest;
        Outcome { reply, usage, log, log_was_cut, lookups }
    }

    async fn run(&self, store: &mut Store<Guest>, ask: Ask) -> Answer {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        self.exports.call(store, &instance, ask).await
    }
}

fn prepare(store: &mut Store<Guest>, limits: CallLimits) -> wasmtime::Result<()> {
    store.limiter(|guest| guest);
    store.set_fuel(limits.fuel)?;
    // What crosses the boundary costs several times its bytes, for each part has a head.
    store.set_hostcall_fuel(usize::try_from(limits.output.saturating_mul(8)).unwrap_or(usize::MAX));
    // Not the first tick, into which one of many short calls runs: going over to the other lane costs more than
    // such a call.
    store.set_epoch_deadline(2);
    store.epoch_deadline_callback(|mut context| {
        context.data_mut().check_clocks()?;
        Ok(UpdateDeadline::Yield(1))
    });
    Ok(())
}

fn within(reply: Reply, limits: CallLimits) -> Result<Reply, Failure> {
    let weight = size::of_reply(&reply) as u64;
    if weight > limits.output {
        return Err(output_too_large(&format!("has {weight} bytes"), limits));
    }
    if let Reply::Effects(Ok(effects)) = &reply
        && effects.len() > limits.effects as usize
    {
        let message = format!("the plugin wants {} effects; {} are allowed", effects.len(), limits.effects);
        return Err(failure(FailureReason::TooManyEffects, message));
    }
    Ok(reply)
}

fn output_too_large(what: &str, limits: CallLimits) -> Failure {
    let message = format!("the answer {what}; {} bytes are allowed", limits.output);
    failure(FailureReason::OutputTooLarge, message)
}

/// Why a guest has no answer.
fn why(error: &wasmtime::Error, guest: &Guest, usage: Usage, limits: CallLimits) -> Failure {
    let trap = error.downcast_ref::<Trap>().copied();
    let mut failure = if let Some(late) = guest.late {
        out_of_time(late, usage, limits)
    } else if trap == Some(Trap::OutOfFuel) {
        let message = format!(
            "the call used all of its {} instructions; `tessera plugin run --fuel` shows how many it needs",
            limits.fuel
        );
        failure(FailureReason::OutOfFuel, message)
    } else if let Some(wanted) = guest.starved {
        let message = format!(
            "the instance wanted {wanted} bytes of memory and tables; {} are allowed: `tessera plugin run --memory` shows how many it needs",
            limits.memory
        );
        failure(FailureReason::OutOfMemory, message)
    } else if let Some(trap) = trap {
        failure(FailureReason::Trapped, format!("the plugin trapped: {trap}"))
    } else if error.to_string().contains("hostcalls") {
        // wasmtime has no type for it.
        output_too_large("or what it passed to the host is too large", limits)
    } else {
        failure(FailureReason::BadAnswer, format!("the answer cannot be read: {}", error.root_cause()))
    };
    failure.backtrace = frames(error);
    failure
}

fn out_of_time(late: Late, usage: Usage, limits: CallLimits) -> Failure {
    match late {
        Late::Guest => {
            let message = format!(
                "the call ran for {} ms; {} are allowed: `tessera plugin run --time-ms` shows how many it needs",
                usage.time.as_millis(),
                limits.time.as_millis()
            );
            failure(FailureReason::TimedOut, message)
        }
        Late::Caller => failure(FailureReason::Late, "nobody waits for the answer any more".to_owned()),
    }
}

fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => demangled(name),
        None => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().take(MAX_FRAMES).map(name).collect()
}

/// A name as its author wrote it.
fn demangled(name: &str) -> String {
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |held| format!("{held:#}"))
}

fn failure(reason: FailureReason, message: String) -> Failure {
    Failure { reason, message, backtrace: Vec::new() }
}

/// An outcome of a call that never began.
pub(crate) fn unsaid(reason: FailureReason, message: String) -> Outcome {
    Outcome {
        reply: Err(failure(reason, message)),
        usage: Usage::default(),
        log: Vec::new(),
        log_was_cut: false,
        lookups: Vec::new(),
    }
}
