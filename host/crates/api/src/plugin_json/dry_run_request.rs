//! Decodes the requests of dry runs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use tessera_core::plugin::{DryRunRequest, Entity, Hook};
use tessera_core::{Error, Result};
use tessera_proto::common::v1 as pb;

use crate::convert::value::decode_named;
use crate::plugin_json::basket::BasketBody;
use crate::plugin_json::decode_input;
use crate::rest::decode::part;

/// A function of a hook.
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

/// The functions, with their names and hooks.
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

/// An object as plugins receive it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityBody {
    /// `issue`, `project` or `user`.
    pub kind: String,
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// Its version; 0 if it is not stored yet.
    #[serde(default)]
    pub version: u64,
    /// Its fields.
    #[serde(default)]
    pub fields: BTreeMap<String, pb::Value>,
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

impl EntityBody {
    fn decode(self, at: &str) -> Result<Entity> {
        let fields = decode_named(&format!("{at}.fields"), self.fields)?;
        Ok(Entity { kind: self.kind, id: self.id, version: self.version, fields })
    }
}

/// Decodes the request of a dry run of a hook or of one of its functions.
pub(crate) fn decode(hook: &str, function: &str, input: Map<String, Json>) -> Result<DryRunRequest> {
    decode_request(parse_function(hook, function)?, input)
}

/// Selects the function with this hook and this name. An empty text matches any, and exactly one function must match.
fn parse_function(hook: &str, function: &str) -> Result<Function> {
    let hook =
        Some(hook).filter(|hook| !hook.is_empty()).map(|name| Hook::parse("hook", name)).transpose()?;
    let of_hook = || FUNCTIONS.iter().filter(|(_, _, of)| hook.is_none_or(|hook| hook == *of));
    let mut candidates = of_hook().filter(|(_, name, _)| function.is_empty() || function == *name);
    if let (Some((function, ..)), None) = (candidates.next(), candidates.next()) {
        return Ok(*function);
    }
    let names: Vec<_> = of_hook().map(|(_, name, _)| *name).collect();
    Err(Error::invalid("function", format!("must be one of {}", names.join(", "))))
}

/// Decodes the input of a function.
fn decode_request(function: Function, input: Map<String, Json>) -> Result<DryRunRequest> {
    let input = Json::Object(input);
    let entity = |name: &str, body: EntityBody| body.decode(&format!("input.{name}"));
    let before = |body: Option<EntityBody>| body.map(|body| entity("before", body)).transpose();
    Ok(match function {
        Function::Validate => {
            let ValidateInput { operation, subject, before: previous } = part("input", &input)?;
            DryRunRequest::Validate {
                operation,
                subject: entity("subject", subject)?,
                before: before(previous)?,
            }
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
            let ChangeInput { issue, before: previous } = part("input", &input)?;
            DryRunRequest::OnChange { issue: entity("issue", issue)?, before: before(previous)? }
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tessera_core::plugin::DryRun;

    use super::*;

    fn read(json: &Json) -> Result<DryRun> {
        crate::plugin_json::read_dry_run(json.to_string().as_bytes())
    }

    #[test]
    fn dry_run_is_decoded_from_json() {
        let issue = json!({"kind": "issue", "id": "i", "fields": {"points": {"decimal": "1.5"}}});
        let dry_run = json!({
            "hook": "validation", "settings": {"a": [1]}, "now": "2026-01-31T12:00:00Z", "roles": ["agent"],
            "limits": {"fuel": 5}, "input": {"operation": "update", "subject": issue, "before": issue},
        });
        let dry_run = read(&dry_run).unwrap();
        assert_eq!(dry_run.settings, r#"{"a":[1]}"#);
        assert_eq!((dry_run.limits.fuel, dry_run.limits.output), (Some(5), None));
        let DryRunRequest::Validate { operation, subject, before } = dry_run.request else {
            panic!("not validate")
        };
        assert_eq!((operation.as_str(), Some(&subject)), ("update", before.as_ref()));
        assert_eq!(subject.fields[0].name, "points");
    }

    #[test]
    fn function_is_selected_by_hook_and_name() {
        assert_eq!(parse_function("validation", "").unwrap(), Function::Validate);
        assert_eq!(parse_function("pricing", "").unwrap(), Function::Quote);
        assert_eq!(parse_function("", "on-timer").unwrap(), Function::OnTimer);
        assert_eq!(parse_function("workflow", "guard").unwrap(), Function::Guard);
        for (hook, function, field) in [
            ("workflow", "", "function"),
            ("", "", "function"),
            ("pricing", "guard", "function"),
            ("x", "", "hook"),
        ] {
            assert_eq!(
                parse_function(hook, function).unwrap_err().faults()[0].field,
                field,
                "{hook} {function}"
            );
        }
    }

    #[test]
    fn input_fault_has_its_path() {
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
