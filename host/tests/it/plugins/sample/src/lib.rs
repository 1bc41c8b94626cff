//! Does what the labels of an issue say, so that the records of its calls set every field of the API.

use tessera_plugin::workflow::Command;
use tessera_plugin::{
    Change, Context, Effect, Effects, Entity, Manifest, Plugin, Request, Validation, Verdict, Violation,
    Workflow, info, lookup, manifest,
};

/// The plugin.
pub struct Sample;

impl Plugin for Sample {
    fn manifest() -> Manifest {
        manifest!()
            .kinds(["issue"])
            .needs(["issue:update"])
            .settings(r#"{"type": "object", "properties": {"greeting": {"type": "string"}}}"#)
            .attribute("team", "tests")
    }
}

impl Validation for Sample {
    fn validate(_: &Context, request: &Request) -> Verdict {
        let issue = &request.subject;
        if has_label(issue, "refused") {
            return Err(vec![Violation::for_field("labels", "LABEL_REFUSED", "the label is refused")]);
        }
        if has_label(issue, "failing") {
            // Unlike a panic it does not log a line number, which would be in the records.
            core::arch::wasm32::unreachable();
        }
        if has_label(issue, "verbose") {
            // More than the log of a call holds.
            info(&"x".repeat(9_000));
        }
        if has_label(issue, "curious") {
            let project = issue.text("project_id").unwrap_or_default();
            let _ = lookup::get("project", project);
            let _ = lookup::find("issue", &format!("project:{project}"), 3);
        }
        Ok(())
    }
}

impl Workflow for Sample {
    fn commands(_: &str) -> Vec<Command> {
        let input = r#"{"type": "object", "properties": {"name": {"type": "string"}}}"#;
        vec![Command::new("greet", "Greet").in_states(&["NEW"]).with_input(input)]
    }

    fn on_change(context: &Context, issue: &Entity, before: Option<&Entity>, _: &[Change]) -> Effects {
        let mut effects = Vec::new();
        if before.is_none() && has_label(issue, "marked") {
            effects.push(Effect::set("description", "marked"));
        }
        if before.is_none() && has_label(issue, "timed") {
            effects.push(Effect::set_timer("tick", context.now));
        }
        Ok(effects)
    }

    fn on_timer(_: &Context, _: &Entity, _: &str) -> Effects {
        core::arch::wasm32::unreachable();
    }
}

fn has_label(issue: &Entity, name: &str) -> bool {
    issue.texts("labels").iter().any(|label| label == name)
}

tessera_plugin::export!(Sample: validation, workflow);
