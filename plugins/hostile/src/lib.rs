//! Does what no plugin should, as its settings say: for trials of the sandbox.

use std::cell::Cell;
use std::hint::black_box;

use serde::Deserialize;
use tessera_plugin::workflow::Draft;
use tessera_plugin::{
    Change, Context, Effect, Effects, Entity, Manifest, Plugin, Request, Validation, Verdict, Violation,
    Workflow, info, lookup, manifest, settings,
};

/// The plugin.
pub struct Hostile;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Settings {
    /// What to do.
    act: String,
    /// How much of it, where that matters.
    amount: u64,
}

thread_local! {
    static RUNS: Cell<u64> = const { Cell::new(0) };
}

impl Plugin for Hostile {
    fn manifest() -> Manifest {
        manifest!()
            .needs(["issue:update", "issue:create", "comment:create"])
            .settings(r#"{"type": "object"}"#)
    }
}

impl Validation for Hostile {
    fn validate(_: &Context, _: &Request) -> Verdict {
        let settings: Settings = settings();
        let runs = RUNS.with(|runs| {
            runs.set(runs.get() + 1);
            runs.get()
        });
        match settings.act.as_str() {
            "residue" => return Err(vec![Violation::new("RUNS", runs.to_string())]),
            "huge-output" => {
                let text = "x".repeat(usize::try_from(settings.amount).unwrap_or(usize::MAX));
                return Err(vec![Violation::new("HUGE", text)]);
            }
            "huge-list" => {
                let one = || Violation::new("MANY", "m");
                return Err((0..settings.amount).map(|_| one()).collect());
            }
            "bad-code" => return Err(vec![Violation::new("not a code", "m")]),
            "bad-text" => return Err(vec![Violation::new("BAD", "a\0b")]),
            "no-reason" => return Err(vec![Violation::new("EMPTY", "")]),
            act => misbehave(act, settings.amount),
        }
        Ok(())
    }
}

impl Workflow for Hostile {
    fn on_change(_: &Context, issue: &Entity, _: Option<&Entity>, _: &[Change]) -> Effects {
        let settings: Settings = settings();
        match settings.act.as_str() {
            // Each change leads to the next, without end.
            "loop" => {
                let text = format!("{}x", issue.text("description").unwrap_or_default());
                Ok(vec![Effect::set("description", text.as_str())])
            }
            "too-many-effects" => Ok((0..settings.amount).map(|_| Effect::add_label("l")).collect()),
            "not-granted" => Ok(vec![Effect::notify(&["role:admin"], "s", "b")]),
            "unknown-field" => Ok(vec![Effect::set("version", 7)]),
            "unknown-effect" => Ok(vec![Effect::new(tessera_plugin::workflow::Action::Other(
                tessera_plugin::Field::new("fly", true),
            ))]),
            "no-such-issue" => Ok(vec![Effect::comment("c").on("0198c0de-0000-7000-8000-000000000000")]),
            "no-such-project" => Ok(vec![Effect::new(tessera_plugin::workflow::Action::Create(Draft {
                key: "k".into(),
                project: Some("0198c0de-0000-7000-8000-000000000000".into()),
                kind: "issue".into(),
                fields: Vec::new(),
            }))]),
            "trap-after-effects" => {
                let effects = vec![Effect::comment("never seen")];
                black_box(&effects);
                panic!("after its effects");
            }
            act => {
                misbehave(act, settings.amount);
                Ok(Vec::new())
            }
        }
    }
}

fn misbehave(act: &str, amount: u64) {
    match act {
        "spin" => loop {
            black_box(amount);
        },
        "work" => {
            for step in 0..amount {
                black_box(step);
            }
        }
        "recurse" => {
            black_box(recurse(amount));
        }
        "grow-memory" => {
            let mut held: Vec<Vec<u8>> = Vec::new();
            for _ in 0..amount {
                held.push(vec![1; 64 * 1024]);
            }
            black_box(&held);
        }
        "flood-log" => {
            for line in 0..amount {
                info(&format!("line {line} of many"));
            }
        }
        "flood-lookups" => {
            for _ in 0..amount {
                let _ = black_box(lookup::find("issue", "", 100));
            }
        }
        "trap" => panic!("as it was told"),
        _ => {}
    }
}

#[expect(unconditional_recursion, reason = "this is what it is for")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth) + 1)) + 1
}

tessera_plugin::export!(Hostile: validation, workflow);
