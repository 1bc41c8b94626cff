//! Exports of the contract's functions, implemented by the SDK's traits.

use std::marker::PhantomData;

use crate::bindings::base::exports::tessera::plugin::manifest as wm;
use crate::bindings::pricing::exports::tessera::plugin::pricing as wp;
use crate::bindings::validation::exports::tessera::plugin::validation as wv;
use crate::bindings::workflow::exports::tessera::plugin::workflow as ww;
use crate::{Change, Context, Entity, Field, Plugin, Pricing, Validation, Violation, Workflow};

/// Type that implements the exports of a plugin.
#[doc(hidden)]
pub struct Adapter<T>(PhantomData<T>);

/// Makes a panic log its message before it ends the call.
fn log_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| crate::error(&panic.to_string())));
}

impl<T: Plugin> wm::Guest for Adapter<T> {
    fn describe() -> wm::Info {
        log_panics();
        T::manifest().into_info()
    }
}

impl<T: Validation> wv::Guest for Adapter<T> {
    fn validate(context: Context, request: wv::Request) -> Result<(), Vec<Violation>> {
        log_panics();
        T::validate(&context, &request)
    }
}

impl<T: Pricing> wp::Guest for Adapter<T> {
    fn quote(context: Context, request: wp::Request) -> Result<wp::Decision, Vec<Violation>> {
        log_panics();
        T::quote(&context, &request)
    }
}

impl<T: Workflow> ww::Guest for Adapter<T> {
    fn describe_machine(kind: String) -> Option<ww::Machine> {
        log_panics();
        T::machine(&kind)
    }

    fn describe_commands(kind: String) -> Vec<ww::Command> {
        log_panics();
        T::commands(&kind)
    }

    fn guard(context: Context, issue: Entity, transitions: Vec<String>) -> Vec<Result<(), Vec<Violation>>> {
        log_panics();
        transitions.iter().map(|transition| T::guard(&context, &issue, transition)).collect()
    }

    fn on_change(
        context: Context,
        issue: Entity,
        before: Option<Entity>,
        changes: Vec<Change>,
    ) -> Result<Vec<ww::Effect>, Vec<Violation>> {
        log_panics();
        T::on_change(&context, &issue, before.as_ref(), &changes)
    }

    fn on_timer(context: Context, issue: Entity, timer: String) -> Result<Vec<ww::Effect>, Vec<Violation>> {
        log_panics();
        T::on_timer(&context, &issue, &timer)
    }

    fn on_command(
        context: Context,
        issue: Entity,
        command: String,
        input: Vec<Field>,
    ) -> Result<Vec<ww::Effect>, Vec<Violation>> {
        log_panics();
        T::on_command(&context, &issue, &command, &input)
    }
}

/// Exports a plugin with its hooks: `tessera_plugin::export!(MyPlugin: validation, workflow);`
///
/// The hooks are `validation`, `workflow` and `pricing`. Expands to nothing unless the target is WebAssembly, so that
/// tests use a plugin as an ordinary library.
#[macro_export]
macro_rules! export {
    ($plugin:ty: $($hook:ident),+ $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::Adapter<$plugin>;
            $crate::bindings::base::export!(Exported with_types_in $crate::bindings::base);
            $($crate::bindings::$hook::export!(Exported with_types_in $crate::bindings::$hook);)+
        };
    };
}
