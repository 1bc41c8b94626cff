//! Refuses banned words in the fields and comments of issues, and summaries of a wrong length.

use serde::Deserialize;
use tessera_plugin::{
    Change, Context, Manifest, Plugin, Request, Validation, Value, Verdict, Violation, manifest, settings,
};

/// The plugin.
pub struct TextPolicy;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Banned words, in any case.
    banned: Vec<String>,
    /// Minimum number of characters of a summary.
    min_summary: usize,
    /// Maximum number of characters of a summary. None: the host's limit.
    max_summary: Option<usize>,
    /// A summary must begin with a capital letter.
    capital: bool,
}

impl Plugin for TextPolicy {
    fn manifest() -> Manifest {
        manifest!().kinds(["issue"]).settings(include_str!("settings.json"))
    }
}

impl Validation for TextPolicy {
    fn validate(_: &Context, request: &Request) -> Verdict {
        let settings: Settings = settings();
        let mut violations: Vec<_> =
            request.changes.iter().filter_map(|change| banned_word(&settings, change)).collect();
        if let Some(Value::Text(summary)) = request.change("summary").map(|change| &change.after) {
            violations.extend(summary_violations(&settings, summary));
        }
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}

fn banned_word(settings: &Settings, change: &Change) -> Option<Violation> {
    let text = change.after.as_text()?.to_lowercase();
    let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let word = settings.banned.iter().find(|word| words.contains(&word.to_lowercase().as_str()))?;
    // A comment is a change of its own, not a field of the issue.
    let field = if change.field.starts_with("comments.") { "body" } else { &change.field };
    Some(Violation::for_field(field, "WORD_BANNED", format!("the word \"{word}\" is banned")))
}

fn summary_violations(settings: &Settings, summary: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let (length, min) = (summary.chars().count(), settings.min_summary);
    if length < min {
        let message = format!("the summary must have at least {min} characters; it has {length}");
        violations.push(Violation::for_field("summary", "SUMMARY_TOO_SHORT", message));
    }
    if let Some(max) = settings.max_summary.filter(|max| length > *max) {
        let message = format!("the summary must have at most {max} characters; it has {length}");
        violations.push(Violation::for_field("summary", "SUMMARY_TOO_LONG", message));
    }
    if settings.capital && summary.chars().next().is_some_and(char::is_lowercase) {
        let message = "the summary must begin with a capital letter";
        violations.push(Violation::for_field("summary", "SUMMARY_NOT_CAPITAL", message));
    }
    violations
}

tessera_plugin::export!(TextPolicy: validation);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, create, issue, update, with_field};

    use super::*;

    const SETTINGS: &str = r#"{"banned": ["Asap"], "min_summary": 5, "capital": true}"#;

    fn codes(verdict: Verdict) -> Vec<String> {
        verdict.err().unwrap_or_default().into_iter().map(|violation| violation.code).collect()
    }

    #[test]
    fn banned_words_match_whole_words_in_any_case() {
        let harness = Harness::new().settings(SETTINGS);
        let validate = |summary: &str| {
            codes(harness.validate::<TextPolicy>(&create(issue("1", [("summary", summary)]))))
        };
        assert_eq!(validate("Mend it ASAP, please"), ["WORD_BANNED"]);
        assert!(validate("Asaparagus is late").is_empty());
        assert_eq!(validate("fix"), ["SUMMARY_TOO_SHORT", "SUMMARY_NOT_CAPITAL"]);
    }

    #[test]
    fn summary_length_counts_characters() {
        let harness = Harness::new().settings(r#"{"max_summary": 5}"#);
        let validate = |summary: &str| {
            codes(harness.validate::<TextPolicy>(&create(issue("1", [("summary", summary)]))))
        };
        assert!(validate("Größe").is_empty());
        assert_eq!(validate("Größen"), ["SUMMARY_TOO_LONG"]);
    }

    #[test]
    fn unchanged_fields_are_not_checked() {
        let harness = Harness::new().settings(SETTINGS);
        let old = issue("1", [("summary", "asap"), ("status", "NEW")]);
        let moved = with_field(&old, "status", "ASSIGNED");
        assert!(harness.validate::<TextPolicy>(&update(old.clone(), moved)).is_ok());
        let commented = with_field(&old, "comments.7", "do it asap");
        let refused = harness.validate::<TextPolicy>(&update(old, commented)).unwrap_err();
        assert_eq!(refused[0].field.as_deref(), Some("body"));
    }
}
