//! Refuses entities without the fields that the settings require.

use serde::Deserialize;
use tessera_plugin::{
    Context, Entity, Manifest, Plugin, Request, Validation, Verdict, Violation, manifest, settings,
};

/// The plugin.
pub struct RequiredFields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    rules: Vec<Rule>,
}

/// Required fields of the entities that match all conditions of the rule. An empty condition matches every entity.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    fields: Vec<String>,
    /// Kinds of entity. Empty: issues.
    #[serde(default)]
    kinds: Vec<String>,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    states: Vec<String>,
    #[serde(default)]
    priorities: Vec<String>,
}

impl Rule {
    fn matches(&self, entity: &Entity) -> bool {
        let contains = |list: &[String], field: &str| {
            list.is_empty() || entity.text(field).is_some_and(|text| list.iter().any(|name| name == text))
        };
        let kind =
            if self.kinds.is_empty() { entity.kind == "issue" } else { self.kinds.contains(&entity.kind) };
        kind && contains(&self.types, "type")
            && contains(&self.states, "status")
            && contains(&self.priorities, "priority")
    }
}

impl Plugin for RequiredFields {
    fn manifest() -> Manifest {
        manifest!()
            .kinds(["issue", "project", "user", "event", "ticket-type", "reservation", "ticket"])
            .settings(include_str!("settings.json"))
    }
}

impl Validation for RequiredFields {
    fn validate(_: &Context, request: &Request) -> Verdict {
        if request.is_delete() {
            return Ok(());
        }
        let settings: Settings = settings();
        let rules = settings.rules.iter().filter(|rule| rule.matches(&request.subject));
        let missing = rules.flat_map(|rule| &rule.fields).filter(|field| !request.subject.has(field));
        let mut names: Vec<_> = missing.collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Ok(());
        }
        let violation =
            |name: &&String| Violation::for_field(name, "FIELD_REQUIRED", format!("{name} is required"));
        Err(names.iter().map(violation).collect())
    }
}

tessera_plugin::export!(RequiredFields: validation);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, create, issue, update, with_field};

    use super::*;

    const SETTINGS: &str = r#"{"rules": [
        {"fields": ["description"], "types": ["BUG"]},
        {"fields": ["assignee_id", "description"], "states": ["IN_PROGRESS"]}
    ]}"#;

    #[test]
    fn only_matching_rules_apply() {
        let harness = Harness::new().settings(SETTINGS);
        let feature = issue("1", [("summary", "s"), ("type", "FEATURE"), ("status", "NEW")]);
        assert!(harness.validate::<RequiredFields>(&create(feature.clone())).is_ok());
        let started = with_field(&feature, "status", "IN_PROGRESS");
        let violations = harness.validate::<RequiredFields>(&update(feature, started)).unwrap_err();
        let fields: Vec<_> = violations.iter().filter_map(|violation| violation.field.as_deref()).collect();
        assert_eq!(fields, ["assignee_id", "description"]);
    }

    #[test]
    fn bug_without_description_is_refused() {
        let harness = Harness::new().settings(SETTINGS);
        let bug = issue("1", [("summary", "s"), ("type", "BUG"), ("status", "NEW")]);
        assert_eq!(harness.validate::<RequiredFields>(&create(bug.clone())).unwrap_err().len(), 1);
        let described = with_field(&bug, "description", "it breaks");
        assert!(harness.validate::<RequiredFields>(&create(described)).is_ok());
    }
}
