//! Dry runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use tessera_core::plugin::{DryRun, DryRunRequest, Entity, Hook, LimitOverrides};
use tessera_core::{Error, Result, Timestamp};
use utoipa::ToSchema;

use crate::rest::plugin_json::basket::BasketBody;
use crate::rest::plugin_json::{as_text, decode_fields, decode_input, part};

/// What can be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Function {
    Validate,
    DescribeMachine,
    DescribeCommands,
    Guard,
    OnChange,
    OnTimer,
    OnCommand,
    Quote,
}

/// What can be called, by what name, and of which hook it is.
const FUNCTIONS: [(Function, &str, Hook); 8] = [
    (Function::Validate, "validate", Hook::Validation),
    (Function::DescribeMachine, "describe-machine", Hook::Workflow),
    (Function::DescribeCommands, "describe-commands", Hook::Workflow),
    (Function::Guard, "guard", Hook::Workflow),
    (Function::OnChange, "on-change", Hook::Workflow),
    (Function::OnTimer, "on-timer", Hook::Workflow),
    (Function::OnCommand, "on-command", Hook::Workflow),
    (Function::Quote, "quote", Hook::Pricing),
];

/// A dry run: a hook is called with given input, and nothing is stored.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialBody {
    /// `validation`, `workflow` or `pricing`; absent: as `function` says.
    #[serde(default)]
    pub hook: Option<String>,
    /// `validate`, `describe-machine`, `describe-commands`, `guard`, `on-change`, `on-timer`, `on-command` or
    /// `quote`; absent: the only one that the hook has.
    #[serde(default)]
    pub function: Option<String>,
    /// The installation's settings.
    #[serde(default)]
    pub settings: Option<Map<String, Json>>,
    /// The time that the plugin is told; absent: now.
    #[serde(default)]
    pub now: Option<String>,
    /// Who it is told acts; absent: the caller.
    #[serde(default)]
    pub actor: Option<String>,
    /// The roles that it is told the actor has, where one is given.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What holds the call, below what the host and the tenant allow.
    #[serde(default)]
    pub limits: LimitsBody,
    /// The function's input: `{"operation", "subject", "before"}` for `validate`, `{"issue", "before"}` for
    /// `on-change`, `{"issue", "transitions"}`, `{"issue", "timer"}`, `{"issue", "command", "input"}`,
    /// `{"kind"}` for what is described, a basket for `quote`.
    #[serde(default)]
    pub input: Map<String, Json>,
}

/// What holds a call; what is absent has no limit of its own.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsBody {
    /// Instructions, as fuel counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Milliseconds of the plugin's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// Bytes of memory for an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Bytes of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
}

/// An object as plugins see it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityBody {
    /// `issue`, `project` or `user`.
    pub kind: String,
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// Its version; 0 for what is not stored yet.
    #[serde(default)]
    pub version: u64,
    /// All that can be said of it.
    #[serde(default)]
    pub fields: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidateInput {
    operation: String,
    subject: EntityBody,
    #[serde(default)]
    before: Option<EntityBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KindInput {
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardInput {
    issue: EntityBody,
    transitions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeInput {
    issue: EntityBody,
    #[serde(default)]
    before: Option<EntityBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimerInput {
    issue: EntityBody,
    timer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandInput {
    issue: EntityBody,
    command: String,
    #[serde(default)]
    input: Map<String, Json>,
}

impl From<LimitsBody> for LimitOverrides {
    fn from(limits: LimitsBody) -> Self {
        let LimitsBody { fuel, time_ms, memory, output } = limits;
        Self { fuel, time_ms, memory, output }
    }
}

impl From<LimitOverrides> for LimitsBody {
    fn from(limits: LimitOverrides) -> Self {
        let LimitOverrides { fuel, time_ms, memory, output } = limits;
        Self { fuel, time_ms, memory, output }
    }
}

impl EntityBody {
    fn decode(self, at: &str) -> Result<Entity> {
        let fields = decode_fields(&format!("{at}.fields"), self.fields)?;
        Ok(Entity { kind: self.kind, id: self.id, version: self.version, fields })
    }
}

impl TrialBody {
    /// What is called.
    fn called(&self) -> Result<Function> {
        let hook = self.hook.as_deref().filter(|hook| !hook.is_empty());
        let hook = hook.map(|name| Hook::parse("hook", name)).transpose()?;
        let named = self.function.as_deref().filter(|function| !function.is_empty());
        let of_hook = || FUNCTIONS.iter().filter(|(_, _, of)| hook.is_none_or(|hook| hook == *of));
        let mut fitting = of_hook().filter(|(_, name, _)| named.is_none_or(|named| named == *name));
        if let (Some((function, ..)), None) = (fitting.next(), fitting.next()) {
            return Ok(*function);
        }
        let names: Vec<_> = of_hook().map(|(_, name, _)| *name).collect();
        Err(Error::invalid("function", format!("must be one of {}", names.join(", "))))
    }
}

fn question(function: Function, input: Map<String, Json>) -> Result<DryRunRequest> {
    let input = Json::Object(input);
    let entity = |name: &str, body: EntityBody| body.decode(&format!("input.{name}"));
    let before = |body: Option<EntityBody>| body.map(|body| entity("before", body)).transpose();
    Ok(match function {
        Function::Validate => {
            let ValidateInput { operation, subject, before: held } = part("input", &input)?;
            DryRunRequest::Validate { operation, subject: entity("subject", subject)?, before: before(held)? }
        }
        Function::DescribeMachine => {
            DryRunRequest::DescribeMachine { kind: part::<KindInput>("input", &input)?.kind }
        }
        Function::DescribeCommands => {
            DryRunRequest::DescribeCommands { kind: part::<KindInput>("input", &input)?.kind }
        }
        Function::Guard => {
            let GuardInput { issue, transitions } = part("input", &input)?;
            DryRunRequest::Guard { issue: entity("issue", issue)?, transitions }
        }
        Function::OnChange => {
            let ChangeInput { issue, before: held } = part("input", &input)?;
            DryRunRequest::OnChange { issue: entity("issue", issue)?, before: before(held)? }
        }
        Function::OnTimer => {
            let TimerInput { issue, timer } = part("input", &input)?;
            DryRunRequest::OnTimer { issue: entity("issue", issue)?, timer }
        }
        Function::OnCommand => {
            let CommandInput { issue, command, input } = part("input", &input)?;
            DryRunRequest::OnCommand { issue: entity("issue", issue)?, command, input: decode_input(&input) }
        }
        Function::Quote => DryRunRequest::Quote(part::<BasketBody>("input", &input)?.decode("input")?),
    })
}

impl TryFrom<TrialBody> for DryRun {
    type Error = Error;

    fn try_from(body: TrialBody) -> Result<Self> {
        let function = body.called()?;
        let now = body.now.as_deref().map(|at| Timestamp::parse("now", at)).transpose()?;
        Ok(Self {
            request: question(function, body.input)?,
            settings: as_text(body.settings),
            limits: body.limits.into(),
            now,
            actor: body.actor.filter(|actor| !actor.is_empty()),
            roles: body.roles,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: &Json) -> Result<DryRun> {
        part::<TrialBody>("body", json)?.try_into()
    }

    #[test]
    fn a_dry_run_is_read_as_it_is_written() {
        let issue = json!({"kind": "issue", "id": "i", "fields": {"points": {"decimal": "1.5"}}});
        let trial = json!({
            "hook": "validation", "settings": {"a": [1]}, "now": "2026-01-31T12:00:00Z", "roles": ["agent"],
            "limits": {"fuel": 5}, "input": {"operation": "update", "subject": issue, "before": issue},
        });
        let trial = read(&trial).unwrap();
        assert_eq!(trial.settings, r#"{"a":[1]}"#);
        assert_eq!((trial.limits.fuel, trial.limits.output), (Some(5), None));
        let DryRunRequest::Validate { operation, subject, before } = trial.request else {
            panic!("not validate")
        };
        assert_eq!((operation.as_str(), Some(&subject)), ("update", before.as_ref()));
        assert_eq!(subject.fields[0].name, "points");
    }

    #[test]
    fn what_is_called_is_found_by_hook_or_function_and_both_must_agree() {
        let called = |hook: &str, function: &str| {
            let body =
                TrialBody { hook: Some(hook.into()), function: Some(function.into()), ..Default::default() };
            body.called()
        };
        assert_eq!(called("validation", "").unwrap(), Function::Validate);
        assert_eq!(called("pricing", "").unwrap(), Function::Quote);
        assert_eq!(called("", "on-timer").unwrap(), Function::OnTimer);
        assert_eq!(called("workflow", "guard").unwrap(), Function::Guard);
        for (hook, function, field) in [
            ("workflow", "", "function"),
            ("", "", "function"),
            ("pricing", "guard", "function"),
            ("x", "", "hook"),
        ] {
            assert_eq!(called(hook, function).unwrap_err().faults()[0].field, field, "{hook} {function}");
        }
    }

    #[test]
    fn a_fault_in_the_input_names_its_place() {
        for (function, input, field) in [
            ("validate", json!({"operation": "create"}), "input.subject"),
            ("guard", json!({"issue": {"kind": 1}, "transitions": []}), "input.issue.kind"),
            (
                "on-timer",
                json!({"issue": {"kind": "issue", "fields": {"a": 1.5}}, "timer": "t"}),
                "input.issue.fields.a",
            ),
            (
                "quote",
                json!({"currency": "EUR", "lines": [{"ticket_type": "a", "quantity": 1, "unit_price": 1, "attributes": {"b": {}}}]}),
                "input.lines[0].attributes.b",
            ),
        ] {
            let error = read(&json!({"function": function, "input": input})).unwrap_err();
            assert_eq!(error.faults()[0].field, field, "{function}");
        }
    }
}
