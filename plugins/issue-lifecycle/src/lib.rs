//! The default machine of projects as a plugin. A new issue becomes ASSIGNED when it gets its first assignee.

use tessera_plugin::workflow::{Category, Machine, find_change};
use tessera_plugin::{Change, Context, Effect, Effects, Entity, Manifest, Plugin, Workflow, manifest};

/// The plugin.
pub struct IssueLifecycle;

impl Plugin for IssueLifecycle {
    fn manifest() -> Manifest {
        manifest!().kinds(["issue"]).needs(["issue:transition"])
    }
}

impl Workflow for IssueLifecycle {
    fn machine(_: &str) -> Option<Machine> {
        let machine = Machine::new("NEW")
            .state("NEW", Category::Open)
            .state("ASSIGNED", Category::Open)
            .state("IN_PROGRESS", Category::Active)
            .state("RESOLVED", Category::Done)
            .state("CLOSED", Category::Done)
            .state("REOPENED", Category::Open)
            .transition("assign", &["NEW", "REOPENED"], "ASSIGNED", &[])
            .transition("start", &["ASSIGNED", "REOPENED"], "IN_PROGRESS", &[])
            .transition("resolve", &["ASSIGNED", "IN_PROGRESS"], "RESOLVED", &["resolution"])
            .transition("close", &["IN_PROGRESS", "RESOLVED"], "CLOSED", &["resolution"])
            .transition("reopen", &["RESOLVED", "CLOSED"], "REOPENED", &[]);
        Some(machine)
    }

    fn on_change(_: &Context, issue: &Entity, before: Option<&Entity>, changes: &[Change]) -> Effects {
        let first_assignee =
            before.is_some() && find_change(changes, "assignee_id").is_some_and(Change::is_first_value);
        let status_changes = find_change(changes, "status").is_some();
        if first_assignee && !status_changes && issue.text("status") == Some("NEW") {
            return Ok(vec![Effect::transition("assign")]);
        }
        Ok(Vec::new())
    }
}

tessera_plugin::export!(IssueLifecycle: workflow);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, issue, with_field};

    use super::*;

    #[test]
    fn first_assignee_moves_a_new_issue_to_assigned() {
        let harness = Harness::new();
        let new = issue("1", [("status", "NEW")]);
        let assigned = with_field(&new, "assignee_id", "ada");
        let effects = Ok(vec![Effect::transition("assign")]);
        assert_eq!(harness.on_change::<IssueLifecycle>(&assigned, Some(&new)), effects);
        let reassigned = with_field(&assigned, "assignee_id", "bob");
        assert_eq!(harness.on_change::<IssueLifecycle>(&reassigned, Some(&assigned)), Ok(Vec::new()));
        let started = issue("1", [("status", "IN_PROGRESS")]);
        let assigned = with_field(&started, "assignee_id", "ada");
        assert_eq!(harness.on_change::<IssueLifecycle>(&assigned, Some(&started)), Ok(Vec::new()));
    }

    #[test]
    fn transitions_name_states_of_the_machine() {
        let machine = Harness::new().machine::<IssueLifecycle>().unwrap();
        let names: Vec<_> = machine.states.iter().map(|state| state.name.as_str()).collect();
        for transition in &machine.transitions {
            let mut ends = transition.source.iter().chain([&transition.target]);
            assert!(ends.all(|state| names.contains(&state.as_str())));
        }
    }
}
