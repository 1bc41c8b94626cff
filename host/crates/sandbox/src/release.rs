//! A release that can be called: its compiled component and exports. Each call runs in a fresh store and instance, within
//! its limits.

use std::sync::Arc;
use std::time::Instant;

use tessera_core::plugin::{
    Call, CallLimits, CallShare, Failure, FailureReason, Footprint, Outcome, PluginRequest, Reply, Usage,
};
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::bindings::Exports;
use crate::call_state::CallState;
use crate::contract::{Contract, GuestResult, InvalidReply, TypeMismatch};
use crate::failure::{failure, from_error, not_begun, output_too_large};
use crate::guest_clock::GuestClock;
use crate::scheduler::Scheduler;
use crate::size;

/// A release that can be called.
pub(crate) struct LoadedRelease {
    pre: InstancePre<CallState>,
    exports: Exports,
    /// What an instance takes of the pool.
    pub(crate) footprint: Footprint,
}

impl LoadedRelease {
    /// Looks up the exports of a component that was built for `contract`.
    pub(crate) fn new(
        pre: InstancePre<CallState>,
        contract: Contract,
        footprint: Footprint,
    ) -> wasmtime::Result<Self> {
        let exports = Exports::find(contract, &pre)?;
        Ok(Self { pre, exports, footprint })
    }

    /// Checks that the exports are of the contract's types. Runs what the component does at its start.
    pub(crate) async fn check_types(
        self: Arc<Self>,
        engine: &Engine,
        scheduler: &Scheduler,
        (share, limits, deadline): (CallShare, CallLimits, Instant),
    ) -> Result<Result<(), TypeMismatch>, Failure> {
        let clock = GuestClock::new();
        let instances = self.footprint.instances;
        let state = CallState::new(limits, "".into(), deadline, None, instances, Arc::clone(&clock));
        let mut store = Store::new(engine, state);
        let release = Arc::clone(&self);
        let start = Box::pin(async move {
            let start = async {
                set_limits(&mut store, limits)?;
                release.pre.instantiate_async(&mut store).await
            };
            (start.await, store)
        });
        let Some((started, mut store)) = scheduler.run(share, Arc::clone(&clock), start).await else {
            return Err(failure(FailureReason::Host, "the host is stopping".to_owned()));
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        scheduler.note_fuel(share, fuel);
        match started {
            Ok(instance) => Ok(self.exports.check_types(&mut store, &instance)),
            Err(error) => {
                let usage = Usage { fuel, time: clock.elapsed(), memory: store.data().memory() };
                Err(from_error(&error, store.data(), usage, limits))
            }
        }
    }

    /// Calls the release in a fresh instance; nothing survives the call.
    pub(crate) async fn call(self: Arc<Self>, engine: &Engine, scheduler: &Scheduler, call: Call) -> Outcome {
        let Call { share, settings, limits, deadline, lookup, request, .. } = call;
        let input = size::of_request(&request) + settings.len();
        if input as u64 > limits.input {
            let message = format!(
                "the input has {input} bytes; {} are allowed: fields that plugins need not see should be smaller",
                limits.input
            );
            return not_begun(FailureReason::InputTooLarge, message);
        }
        let clock = GuestClock::new();
        let instances = self.footprint.instances;
        let state = CallState::new(limits, settings, deadline, lookup, instances, Arc::clone(&clock));
        let mut store = Store::new(engine, state);
        if let Err(error) = set_limits(&mut store, limits) {
            return not_begun(FailureReason::Host, format!("the call cannot be prepared: {error}"));
        }
        let work = Box::pin(async move { (self.run(&mut store, request).await, store) });
        let Some((result, store)) = scheduler.run(share, Arc::clone(&clock), work).await else {
            return not_begun(FailureReason::Host, "the host is stopping".to_owned());
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        scheduler.note_fuel(share, fuel);
        let state = store.into_data();
        let usage = Usage { fuel, time: clock.elapsed(), memory: state.memory() };
        let reply = match result {
            Ok(Ok(reply)) => check_size(reply, limits),
            Ok(Err(InvalidReply(what))) => {
                Err(failure(FailureReason::BadAnswer, format!("the answer breaks the contract: {what}")))
            }
            Err(error) => Err(from_error(&error, &state, usage, limits)),
        };
        let CallState { log, log_was_cut, lookups, .. } = state;
        Outcome { reply, usage, log, log_was_cut, lookups }
    }

    async fn run(&self, store: &mut Store<CallState>, request: PluginRequest) -> GuestResult {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        self.exports.call(store, &instance, request).await
    }
}

fn set_limits(store: &mut Store<CallState>, limits: CallLimits) -> wasmtime::Result<()> {
    store.limiter(|state| state);
    store.set_fuel(limits.fuel)?;
    // What crosses the boundary costs several times its bytes: each part has a header.
    store.set_hostcall_fuel(usize::try_from(limits.output.saturating_mul(8)).unwrap_or(usize::MAX));
    // Not the first tick, into which one of many short calls runs: moving to another thread costs more than such a
    // call.
    store.set_epoch_deadline(2);
    store.epoch_deadline_callback(|mut context| {
        context.data_mut().check_time()?;
        Ok(UpdateDeadline::Yield(1))
    });
    Ok(())
}

/// Refuses a reply beyond the limits of its size and of its effects.
fn check_size(reply: Reply, limits: CallLimits) -> Result<Reply, Failure> {
    let size = size::of_reply(&reply) as u64;
    if size > limits.output {
        return Err(output_too_large(&format!("has {size} bytes"), limits));
    }
    if let Reply::Effects(Ok(effects)) = &reply
        && effects.len() > limits.effects as usize
    {
        let message = format!("the plugin wants {} effects; {} are allowed", effects.len(), limits.effects);
        return Err(failure(FailureReason::TooManyEffects, message));
    }
    Ok(reply)
}
