//! Refuses words and lengths that the settings rule out, in what issues say and in comments.

use serde::Deserialize;
use tessera_plugin::{
    Change, Context, Manifest, Plugin, Request, Validation, Value, Verdict, Violation, manifest, settings,
};

/// The plugin.
pub struct TextPolicy;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Words that may not occur, whatever their case.
    banned: Vec<String>,
    /// The fewest characters of a summary.
    min_summary: usize,
    /// The most characters of a summary; none: as many as an issue may have.
    max_summary: Option<usize>,
    /// Whether a summary must begin with a capital letter.
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
        let mut found: Vec<_> =
            request.changes.iter().filter_map(|change| banned(&settings, change)).collect();
        if let Some(Value::Text(summary)) = request.change("summary").map(|change| &change.after) {
            found.extend(summary_faults(&settings, summary));
        }
        if found.is_empty() { Ok(()) } else { Err(found) }
    }
}

fn banned(settings: &Settings, change: &Change) -> Option<Violation> {
    let text = change.after.as_text()?.to_lowercase();
    let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let word = settings.banned.iter().find(|word| words.contains(&word.to_lowercase().as_str()))?;
    // What a comment says is a change of its own, and no field of the issue.
    let field = if change.field.starts_with("comments.") { "body" } else { &change.field };
    Some(Violation::of(field, "WORD_BANNED", format!("{word:?} may not be used here")))
}

fn summary_faults(settings: &Settings, summary: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let (length, least) = (summary.chars().count(), settings.min_summary);
    if length < least {
        let message = format!("the summary has {length} characters; at least {least} are needed");
        found.push(Violation::of("summary", "SUMMARY_TOO_SHORT", message));
    }
    if let Some(most) = settings.max_summary.filter(|most| length > *most) {
        let message = format!("the summary has {length} characters; at most {most} are allowed");
        found.push(Violation::of("summary", "SUMMARY_TOO_LONG", message));
    }
    if settings.capital && summary.chars().next().is_some_and(char::is_lowercase) {
        let message = "the summary should begin with a capital letter";
        found.push(Violation::of("summary", "SUMMARY_NOT_CAPITAL", message));
    }
    found
}

tessera_plugin::export!(TextPolicy: validation);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, create, issue, update, with};

    use super::*;

    const SETTINGS: &str = r#"{"banned": ["Asap"], "min_summary": 5, "capital": true}"#;

    fn codes(verdict: Verdict) -> Vec<String> {
        verdict.err().unwrap_or_default().into_iter().map(|held| held.code).collect()
    }

    #[test]
    fn words_are_found_whole_and_whatever_their_case() {
        let harness = Harness::new().settings(SETTINGS);
        let judge = |summary: &str| {
            codes(harness.validate::<TextPolicy>(&create(issue("1", [("summary", summary)]))))
        };
        assert_eq!(judge("Mend it ASAP, please"), ["WORD_BANNED"]);
        assert!(judge("Asaparagus is late").is_empty());
        assert_eq!(judge("fix"), ["SUMMARY_TOO_SHORT", "SUMMARY_NOT_CAPITAL"]);
    }

    #[test]
    fn a_summary_is_measured_in_characters() {
        let harness = Harness::new().settings(r#"{"max_summary": 5}"#);
        let judge = |summary: &str| {
            codes(harness.validate::<TextPolicy>(&create(issue("1", [("summary", summary)]))))
        };
        assert!(judge("Größe").is_empty());
        assert_eq!(judge("Größen"), ["SUMMARY_TOO_LONG"]);
    }

    #[test]
    fn what_does_not_change_is_not_judged_again() {
        let harness = Harness::new().settings(SETTINGS);
        let old = issue("1", [("summary", "asap"), ("status", "NEW")]);
        let moved = with(&old, "status", "ASSIGNED");
        assert!(harness.validate::<TextPolicy>(&update(old.clone(), moved)).is_ok());
        let commented = with(&old, "comments.7", "do it asap");
        let refused = harness.validate::<TextPolicy>(&update(old, commented)).unwrap_err();
        assert_eq!(refused[0].field.as_deref(), Some("body"));
    }
}
