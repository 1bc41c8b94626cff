//! Tests of the rules of issues.

use super::*;
use crate::tracker::machine::{AssignMove, Category, State};
use crate::tracker::scheme::{FieldDefinition, FieldType, Usage};

fn new_issue(command: &CreateIssue, scheme: &Scheme) -> Result<Issue> {
    create(command, scheme, None, Timestamp::default())
}

fn command(summary: &str) -> CreateIssue {
    CreateIssue {
        project: ProjectId::generate(),
        summary: summary.into(),
        description: None,
        issue_type: None,
        priority: None,
        assignee: None,
        parent: None,
        labels: Vec::new(),
        fields: BTreeMap::new(),
    }
}

fn issue_in(status: &str) -> Issue {
    let issue = new_issue(&command("One"), &Scheme::built_in()).unwrap();
    let done = ["RESOLVED", "CLOSED"].contains(&status);
    Issue { status: status.into(), resolution: done.then(|| "FIXED".into()), ..issue }
}

fn later() -> Timestamp {
    Timestamp::from_micros(1_000_000).unwrap()
}

fn changed(before: &Issue, command: &ChangeIssue) -> Result<Issue> {
    change(before, command, &Scheme::built_in(), later())
}

fn field_of(error: &Error) -> &str {
    &error.faults()[0].field
}

const STATES: [&str; 6] = ["NEW", "ASSIGNED", "IN_PROGRESS", "RESOLVED", "CLOSED", "REOPENED"];

/// The machine as the documents have it.
const OPEN: [(&str, &[&str]); 6] = [
    ("NEW", &["ASSIGNED"]),
    ("ASSIGNED", &["IN_PROGRESS", "RESOLVED"]),
    ("IN_PROGRESS", &["RESOLVED", "CLOSED"]),
    ("RESOLVED", &["CLOSED", "REOPENED"]),
    ("CLOSED", &["REOPENED"]),
    ("REOPENED", &["ASSIGNED", "IN_PROGRESS"]),
];

#[test]
fn transitions_between_all_states_match_the_documentation() {
    for (from, open) in OPEN {
        for to in STATES {
            let before = issue_in(from);
            let resolution = ["RESOLVED", "CLOSED"].contains(&to).then(|| Some("FIXED".to_owned()));
            let command = ChangeIssue { status: Some(to.into()), resolution, ..ChangeIssue::default() };
            let outcome = changed(&before, &command);
            if from == to {
                assert_eq!(outcome.unwrap(), before, "{from} to itself changes nothing");
            } else if open.contains(&to) {
                let after = outcome.unwrap();
                assert_eq!(after.status, to);
                assert_eq!((after.version, after.modified_at), (before.version + 1, later()));
            } else {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Precondition, "{from} to {to}");
                assert_eq!(error.reason(), "TRANSITION_NOT_ALLOWED");
                for open in open {
                    assert!(error.message().contains(open), "{from} to {to}: {error}");
                }
            }
        }
    }
}

#[test]
fn resolution_is_required_in_done_states_and_refused_in_others() {
    for (from, to) in [("ASSIGNED", "RESOLVED"), ("IN_PROGRESS", "RESOLVED"), ("IN_PROGRESS", "CLOSED")] {
        let status = Some(to.to_owned());
        let bare = ChangeIssue { status: status.clone(), ..ChangeIssue::default() };
        assert_eq!(field_of(&changed(&issue_in(from), &bare).unwrap_err()), "resolution");
        let unknown = ChangeIssue { resolution: Some(Some("GONE".into())), ..bare.clone() };
        let error = changed(&issue_in(from), &unknown).unwrap_err();
        assert!(error.message().contains("WONTFIX"), "{error}");
        let right = ChangeIssue { resolution: Some(Some("WONTFIX".into())), ..bare };
        assert_eq!(changed(&issue_in(from), &right).unwrap().resolution.as_deref(), Some("WONTFIX"));
    }
    let early = ChangeIssue { resolution: Some(Some("FIXED".into())), ..ChangeIssue::default() };
    assert_eq!(field_of(&changed(&issue_in("NEW"), &early).unwrap_err()), "resolution");
    let cleared = ChangeIssue { resolution: Some(None), ..ChangeIssue::default() };
    assert_eq!(field_of(&changed(&issue_in("CLOSED"), &cleared).unwrap_err()), "resolution");
    let other = ChangeIssue { resolution: Some(Some("INVALID".into())), ..ChangeIssue::default() };
    assert_eq!(changed(&issue_in("CLOSED"), &other).unwrap().resolution.as_deref(), Some("INVALID"));
}

#[test]
fn closing_a_resolved_issue_keeps_its_resolution() {
    let close = ChangeIssue { status: Some("CLOSED".into()), ..ChangeIssue::default() };
    assert_eq!(changed(&issue_in("RESOLVED"), &close).unwrap().resolution.as_deref(), Some("FIXED"));
}

#[test]
fn reopening_clears_the_resolution() {
    let reopen = ChangeIssue { transition: Some("reopen".into()), ..ChangeIssue::default() };
    let after = changed(&issue_in("CLOSED"), &reopen).unwrap();
    assert_eq!((after.status.as_str(), after.resolution), ("REOPENED", None));
}

#[test]
fn issue_created_with_an_assignee_is_in_the_state_of_assigned_ones() {
    let assigned = CreateIssue { assignee: Some(UserId::generate()), ..command("One") };
    let status =
        |command: &CreateIssue, scheme: &Scheme| new_issue(command, scheme).map(|issue| issue.status);
    let mut scheme = Scheme::built_in();
    assert_eq!(status(&command("One"), &scheme).unwrap(), "NEW");
    assert_eq!(status(&assigned, &scheme).unwrap(), "ASSIGNED");
    scheme.machine.on_assign = Some(AssignMove { from: "NEW".into(), to: "IN_PROGRESS".into() });
    assert_eq!(status(&assigned, &scheme).unwrap(), "IN_PROGRESS");
    scheme.machine.on_assign = Some(AssignMove { from: "REOPENED".into(), to: "ASSIGNED".into() });
    assert_eq!(status(&assigned, &scheme).unwrap(), "NEW", "it starts from another state");
    scheme.machine.on_assign = None;
    assert_eq!(status(&assigned, &scheme).unwrap(), "NEW", "as of a workflow plugin");
    scheme.machine.on_assign = Some(AssignMove { from: "NEW".into(), to: "CLOSED".into() });
    assert_eq!(field_of(&status(&assigned, &scheme).unwrap_err()), "assignee_id");
}

#[test]
fn only_assigning_an_unassigned_new_issue_changes_its_state() {
    let assignee = Some(Some(UserId::generate()));
    let assign = ChangeIssue { assignee, ..ChangeIssue::default() };
    assert_eq!(changed(&issue_in("NEW"), &assign).unwrap().status, "ASSIGNED");
    assert_eq!(changed(&issue_in("REOPENED"), &assign).unwrap().status, "REOPENED");
    let assigned = Issue { assignee: Some(UserId::generate()), ..issue_in("NEW") };
    assert_eq!(changed(&assigned, &assign).unwrap().status, "NEW");
    let unassign = ChangeIssue { assignee: Some(None), ..ChangeIssue::default() };
    assert_eq!(changed(&assigned, &unassign).unwrap().status, "NEW");
}

#[test]
fn unchanged_issue_keeps_its_version() {
    let before = Issue { labels: ["a".to_owned()].into(), ..issue_in("NEW") };
    for nothing in [
        ChangeIssue::default(),
        ChangeIssue { summary: Some("One".into()), ..ChangeIssue::default() },
        ChangeIssue { description: Some(Some(String::new())), ..ChangeIssue::default() },
        ChangeIssue { status: Some("NEW".into()), ..ChangeIssue::default() },
        ChangeIssue { add_labels: vec!["a".into()], ..ChangeIssue::default() },
        ChangeIssue { remove_labels: vec!["b".into()], ..ChangeIssue::default() },
        ChangeIssue { fields: [("x".to_owned(), Value::None)].into(), ..ChangeIssue::default() },
    ] {
        assert_eq!(changed(&before, &nothing).unwrap(), before, "{nothing:?}");
    }
}

#[test]
fn transition_by_name_must_start_from_the_present_state() {
    let by = |name: &str| ChangeIssue { transition: Some(name.into()), ..ChangeIssue::default() };
    assert_eq!(changed(&issue_in("ASSIGNED"), &by("start")).unwrap().status, "IN_PROGRESS");
    let error = changed(&issue_in("NEW"), &by("start")).unwrap_err();
    assert_eq!(error.reason(), "TRANSITION_NOT_ALLOWED");
    assert!(error.message().contains("assign"), "{error}");
    assert_eq!(changed(&issue_in("NEW"), &by("fly")).unwrap_err().reason(), "TRANSITION_NOT_ALLOWED");
    let unknown = ChangeIssue { status: Some("FLYING".into()), ..ChangeIssue::default() };
    assert_eq!(field_of(&changed(&issue_in("NEW"), &unknown).unwrap_err()), "status");
}

#[test]
fn all_faults_of_a_new_issue_are_reported_together() {
    let bad = CreateIssue {
        description: Some("d".repeat(501)),
        issue_type: Some("WISH".into()),
        priority: Some("LOW".into()),
        labels: vec!["two words".into(), String::new(), "l".repeat(51)],
        fields: [("unknown".to_owned(), Value::Integer(1))].into(),
        ..command("")
    };
    let error = new_issue(&bad, &Scheme::built_in()).unwrap_err();
    let fields: BTreeSet<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
    let expected = ["description", "fields.unknown", "labels", "priority", "summary", "type"];
    assert_eq!(fields, expected.into());
}

#[test]
fn texts_are_limited_in_characters() {
    let with = |summary: usize, description: usize| {
        let command = CreateIssue {
            description: Some("\u{e9}".repeat(description)),
            ..command(&"\u{1f980}".repeat(summary))
        };
        new_issue(&command, &Scheme::built_in())
    };
    assert!(with(1, 1).is_ok());
    assert!(with(100, 500).is_ok());
    assert_eq!(field_of(&with(101, 1).unwrap_err()), "summary");
    assert_eq!(field_of(&with(1, 501).unwrap_err()), "description");
}

#[test]
fn labels_are_limited_on_create_and_on_change() {
    let labels: Vec<_> = (0..50).map(|n| format!("l{n}")).collect();
    let full = new_issue(&CreateIssue { labels, ..command("One") }, &Scheme::built_in()).unwrap();
    let add = |label: &str| ChangeIssue { add_labels: vec![label.into()], ..ChangeIssue::default() };
    assert!(changed(&full, &add("l7")).is_ok());
    assert_eq!(field_of(&changed(&full, &add("more")).unwrap_err()), "labels");
    let swap = ChangeIssue { remove_labels: vec!["l0".into()], ..add("more") };
    assert_eq!(changed(&full, &swap).unwrap().labels.len(), 50);
}

fn scheme_with(fields: Vec<FieldDefinition>) -> Scheme {
    Scheme { fields, ..Scheme::built_in() }
}

fn definition(name: &str, field_type: FieldType, required: bool, options: &[&str]) -> FieldDefinition {
    let options = options.iter().map(|&option| option.to_owned()).collect();
    FieldDefinition { name: name.into(), field_type, required, options }
}

#[test]
fn field_accepts_only_its_own_type() {
    let values = [
        (FieldType::Text, Value::Text("a".into())),
        (FieldType::Integer, Value::Integer(1)),
        (FieldType::Decimal, Value::Decimal(crate::value::Decimal::parse("d", "1.50").unwrap())),
        (FieldType::Boolean, Value::Boolean(true)),
        (FieldType::Time, Value::Time(later())),
        (FieldType::Texts, Value::Texts(vec!["a".into()])),
    ];
    for (field_type, _) in &values {
        let scheme = scheme_with(vec![definition("x", *field_type, false, &[])]);
        for (value_type, value) in &values {
            let command = CreateIssue { fields: [("x".to_owned(), value.clone())].into(), ..command("One") };
            let outcome = new_issue(&command, &scheme);
            assert_eq!(outcome.is_ok(), field_type == value_type, "{field_type:?} takes {value_type:?}");
        }
    }
}

#[test]
fn required_field_must_be_set_and_cannot_be_removed() {
    let scheme = scheme_with(vec![definition("team", FieldType::Text, true, &["red", "blue"])]);
    let error = new_issue(&command("One"), &scheme).unwrap_err();
    assert_eq!(field_of(&error), "fields.team");
    let with = |team: &str| CreateIssue {
        fields: [("team".to_owned(), Value::Text(team.into()))].into(),
        ..command("One")
    };
    assert_eq!(field_of(&new_issue(&with("green"), &scheme).unwrap_err()), "fields.team");
    let issue = new_issue(&with("red"), &scheme).unwrap();
    let take = ChangeIssue { fields: [("team".to_owned(), Value::None)].into(), ..ChangeIssue::default() };
    assert_eq!(field_of(&change(&issue, &take, &scheme, later()).unwrap_err()), "fields.team");
    let other = ChangeIssue { summary: Some("Two".into()), ..ChangeIssue::default() };
    assert!(change(&issue, &other, &scheme, later()).is_ok());
}

#[test]
fn total_size_of_fields_is_limited() {
    let fields = (0..10).map(|n| definition(&format!("f{n}"), FieldType::Text, false, &[])).collect();
    let scheme = scheme_with(fields);
    let with = |count: usize, length: usize| {
        let fields = (0..count).map(|n| (format!("f{n}"), Value::Text("x".repeat(length)))).collect();
        new_issue(&CreateIssue { fields, ..command("One") }, &scheme)
    };
    assert!(with(5, 32_768).is_ok());
    assert_eq!(field_of(&with(7, 32_768).unwrap_err()), "fields");
}

#[test]
fn transition_requires_its_fields() {
    let mut scheme = scheme_with(vec![definition("cause", FieldType::Text, false, &[])]);
    scheme.machine.states.push(State {
        name: "ANALYSED".into(),
        category: Category::Active,
        attributes: Vec::new(),
    });
    scheme.machine.transitions.push(Transition {
        name: "analyse".into(),
        from: Vec::new(),
        to: "ANALYSED".into(),
        requires: vec!["fields.cause".into(), "assignee_id".into(), "description".into()],
        attributes: Vec::new(),
    });
    scheme.check().unwrap();
    let issue = new_issue(&command("One"), &scheme).unwrap();
    let bare = ChangeIssue { transition: Some("analyse".into()), ..ChangeIssue::default() };
    let error = change(&issue, &bare, &scheme, later()).unwrap_err();
    let missing: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(missing, ["fields.cause", "assignee_id", "description"]);
    let whole = ChangeIssue {
        fields: [("cause".to_owned(), Value::Text("rust".into()))].into(),
        assignee: Some(Some(UserId::generate())),
        description: Some(Some("d".into())),
        ..bare
    };
    assert_eq!(change(&issue, &whole, &scheme, later()).unwrap().status, "ANALYSED");
}

#[test]
fn issue_moves_only_to_a_project_with_a_matching_scheme() {
    let issue = issue_in("RESOLVED");
    let other = ProjectId::generate();
    let moved = move_to(&issue, other, &Scheme::built_in(), later()).unwrap();
    assert_eq!((moved.project, moved.version, moved.modified_at), (other, issue.version + 1, later()));
    let mut narrow = Scheme::built_in();
    narrow.types = vec!["WISH".into()];
    narrow.default_type = "WISH".into();
    narrow.resolutions.retain(|name| name != "FIXED");
    narrow.machine.states.retain(|state| state.name != "RESOLVED");
    let error = move_to(&issue, other, &narrow, later()).unwrap_err();
    let fields: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["status", "type", "resolution"]);
}

#[test]
fn scheme_without_names_in_use_is_refused_with_all_counts() {
    let mut scheme = Scheme::built_in();
    scheme.types.retain(|name| name != "BUG");
    scheme.priorities.retain(|name| name != "MINOR");
    let count = |name: &str, count| [(name.to_owned(), count)].into();
    let usage = Usage { types: count("BUG", 1), priorities: count("MINOR", 7), ..Usage::default() };
    let error = scheme.check_usage(&usage).unwrap_err();
    assert_eq!(error.reason(), "SCHEME_IN_USE");
    let messages: Vec<_> = error.faults().iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(messages, ["lacks \"BUG\", and 1 issue has it", "lacks \"MINOR\", and 7 issues have it"]);
}
