//! The machine that every project begins with, as a plugin: the same states, the same moves, and an issue
//! that is given to somebody for the first time moves on by itself.

use tessera_plugin::workflow::{Category, Machine, change};
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
        let given = before.is_some() && change(changes, "assignee_id").is_some_and(Change::is_first);
        let moved = change(changes, "status").is_some();
        if given && !moved && issue.text("status") == Some("NEW") {
            return Ok(vec![Effect::transition("assign")]);
        }
        Ok(Vec::new())
    }
}

tessera_plugin::export!(IssueLifecycle: workflow);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, issue, with};

    use super::*;

    #[test]
    fn who_is_given_a_new_issue_has_it_assigned() {
        let harness = Harness::new();
        let new = issue("1", [("status", "NEW")]);
        let given = with(&new, "assignee_id", "ada");
        let moved = Ok(vec![Effect::transition("assign")]);
        assert_eq!(harness.on_change::<IssueLifecycle>(&given, Some(&new)), moved);
        let again = with(&given, "assignee_id", "bob");
        assert_eq!(harness.on_change::<IssueLifecycle>(&again, Some(&given)), Ok(Vec::new()));
        let begun = issue("1", [("status", "IN_PROGRESS")]);
        let given = with(&begun, "assignee_id", "ada");
        assert_eq!(harness.on_change::<IssueLifecycle>(&given, Some(&begun)), Ok(Vec::new()));
    }

    #[test]
    fn every_move_leads_from_and_to_states_that_there_are() {
        let machine = Harness::new().machine::<IssueLifecycle>().unwrap();
        let names: Vec<_> = machine.states.iter().map(|state| state.name.as_str()).collect();
        for made in &machine.transitions {
            assert!(made.source.iter().chain([&made.target]).all(|state| names.contains(&state.as_str())));
        }
    }
}
