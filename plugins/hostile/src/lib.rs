//! Misbehaves as its settings say, for tests of the sandbox.

use std::cell::Cell;
use std::hint::black_box;

use serde::Deserialize;
use tessera_plugin::pricing::{Adjustment, AdjustmentKind, Basket, Decision};
use tessera_plugin::workflow::{Category, Draft, Machine};
use tessera_plugin::{
    Change, Context, Effect, Effects, Entity, MINUTE, Manifest, Plugin, Pricing, Request, Validation,
    Verdict, Violation, Workflow, info, lookup, manifest, settings,
};

/// The plugin.
pub struct Hostile;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Settings {
    /// Kind of misbehaviour.
    act: String,
    /// Its amount, depending on the kind.
    amount: u64,
    /// Adjustments of the act `adjust`, which returns all of them `amount` times, and once if that is 0.
    adjustments: Vec<Step>,
    /// Codes that the act `adjust` refuses.
    refused_codes: Vec<String>,
}

/// An adjustment of a price, right or wrong.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Step {
    kind: String,
    line: Option<u32>,
    amount: i64,
    included: bool,
    label: String,
    code: Option<String>,
}

impl Step {
    fn adjustment(&self) -> Adjustment {
        let kind = match self.kind.as_str() {
            "surcharge" => AdjustmentKind::Surcharge,
            "discount" => AdjustmentKind::Discount,
            "tax" => AdjustmentKind::Tax,
            _ => AdjustmentKind::Fee,
        };
        let adjustment = Adjustment::new(kind, self.amount, &self.label);
        Adjustment { line: self.line, included: self.included, code: self.code.clone(), ..adjustment }
    }
}

thread_local! {
    static RUNS: Cell<u64> = const { Cell::new(0) };
}

/// Marker that tests overwrite in the component, because `describe` has no settings: "spin" at its end makes it spin.
static DESCRIBES: &[u8; 22] = b"describes itself: well";

impl Plugin for Hostile {
    fn manifest() -> Manifest {
        if black_box(DESCRIBES).ends_with(b"spin") {
            misbehave("spin", 0);
        }
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
                return Err((0..settings.amount).map(|_| Violation::new("MANY", "m")).collect());
            }
            "bad-code" => return Err(vec![Violation::new("not a code", "m")]),
            "bad-text" => return Err(vec![Violation::new("BAD", "a\0b")]),
            "no-violations" => return Err(Vec::new()),
            "no-reason" => return Err(vec![Violation::new("EMPTY", "")]),
            act => misbehave(act, settings.amount),
        }
        Ok(())
    }
}

impl Workflow for Hostile {
    fn machine(_: &str) -> Option<Machine> {
        let settings: Settings = settings();
        let base = || {
            Machine::new("NEW")
                .state("NEW", Category::Open)
                .state_attribute("colour", "grey")
                .state("DONE", Category::Done)
                .transition("finish", &["NEW"], "DONE", &[])
                .transition_attribute("button", "Finish it")
        };
        let add = |machine: Machine, n| machine.state_attribute(&format!("a{n}"), "x");
        (settings.act == "attributes").then(|| (0..settings.amount).fold(base(), add))
    }

    fn on_change(context: &Context, issue: &Entity, before: Option<&Entity>, _: &[Change]) -> Effects {
        let settings: Settings = settings();
        match settings.act.as_str() {
            // Each change causes the next one.
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
            "create-child" if before.is_some() => Ok(vec![Effect::create(
                "child",
                vec![
                    tessera_plugin::Field::new("summary", "child"),
                    tessera_plugin::Field::new("parent_id", issue.id.as_str()),
                ],
            )]),
            // Each new issue gets a timer, `amount` minutes ahead.
            "timer" | "trap-on-timer" if before.is_none() => {
                Ok(vec![Effect::set_timer("tick", context.now + settings.amount * MINUTE)])
            }
            "trap-after-effects" => {
                let effects = vec![Effect::comment("never seen")];
                black_box(&effects);
                panic!("trap after effects");
            }
            act => {
                misbehave(act, settings.amount);
                Ok(Vec::new())
            }
        }
    }

    fn on_timer(_: &Context, _: &Entity, _: &str) -> Effects {
        let settings: Settings = settings();
        if settings.act == "trap-on-timer" {
            panic!("trap on timer");
        }
        Ok(vec![Effect::comment("the timer was due")])
    }
}

impl Pricing for Hostile {
    fn quote(context: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>> {
        let settings: Settings = settings();
        let mut decision = Decision::none();
        match settings.act.as_str() {
            "adjust" => {
                for _ in 0..settings.amount.max(1) {
                    decision.adjustments.extend(settings.adjustments.iter().map(Step::adjustment));
                }
                for code in &settings.refused_codes {
                    decision = decision.refusing(code, "not today");
                }
            }
            // Gives more than the price for each line of at least `amount` tickets.
            "greedy" => {
                for (index, (line, price)) in basket.lines.iter().zip(basket.amounts()).enumerate() {
                    if u64::from(line.quantity) >= settings.amount {
                        decision = decision.with(Adjustment::discount(price + 1, "Greedy").on_line(index));
                    }
                }
            }
            // Another fee in each call.
            "whim" => {
                let sum: u32 = context.invocation.bytes().map(u32::from).sum();
                decision = decision.with(Adjustment::fee(1 + i64::from(sum), "Whim"));
            }
            "refuse-basket" => return Err(vec![Violation::new("NOT_SOLD", "not to you")]),
            act => misbehave(act, settings.amount),
        }
        Ok(decision)
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
            let mut blocks: Vec<Vec<u8>> = Vec::new();
            for _ in 0..amount {
                blocks.push(vec![1; 64 * 1024]);
            }
            black_box(&blocks);
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
        "trap" => panic!("requested trap"),
        // A backtrace of `amount` frames.
        "deep-trap" => deep_trap(amount),
        act if OTHER_ACTS.contains(&act) => {}
        act => panic!("unknown act {act}"),
    }
}

/// Acts of other functions, and acts that do nothing.
const OTHER_ACTS: [&str; 25] = [
    "",
    "adjust",
    "greedy",
    "whim",
    "refuse-basket",
    "attributes",
    "residue",
    "huge-output",
    "huge-list",
    "bad-code",
    "bad-text",
    "no-violations",
    "no-reason",
    "loop",
    "too-many-effects",
    "create-child",
    "not-granted",
    "unknown-field",
    "unknown-effect",
    "no-such-issue",
    "no-such-project",
    "trap-after-effects",
    "timer",
    "trap-on-timer",
    "nothing",
];

#[inline(never)]
fn deep_trap(depth: u64) {
    match depth.checked_sub(1) {
        Some(left) => deep_trap(black_box(left)),
        None => panic!("requested deep trap"),
    }
    // Prevents a tail call, so that every frame stays.
    black_box(depth);
}

#[expect(unconditional_recursion, reason = "tests the limit of the stack")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth) + 1)) + 1
}

tessera_plugin::export!(Hostile: validation, workflow, pricing);

#[cfg(test)]
mod tests {
    use tessera_plugin::testing::{Harness, basket, create, issue, line, update, with_field};

    use super::*;

    fn harness(act: &str, amount: u64) -> Harness {
        Harness::new().settings(&format!(r#"{{"act": "{act}", "amount": {amount}}}"#))
    }

    #[test]
    fn no_act_does_nothing() {
        let new = issue("1", [("summary", "s")]);
        assert!(Harness::new().validate::<Hostile>(&create(new.clone())).is_ok());
        assert_eq!(Harness::new().on_change::<Hostile>(&new, None), Ok(Vec::new()));
    }

    #[test]
    fn reused_instance_counts_its_runs() {
        let request = create(issue("1", []));
        let runs = || harness("residue", 0).validate::<Hostile>(&request).unwrap_err()[0].message.clone();
        // Natively a thread is one instance. In the sandbox the number must always be 1.
        assert_eq!((runs(), runs()), ("1".to_owned(), "2".to_owned()));
    }

    #[test]
    fn amount_sets_the_size_of_the_result() {
        let request = create(issue("1", []));
        let refused = |act, amount| harness(act, amount).validate::<Hostile>(&request).unwrap_err();
        assert_eq!(refused("huge-output", 1_000)[0].message.len(), 1_000);
        assert_eq!(refused("huge-list", 1_000).len(), 1_000);
        let effects = harness("too-many-effects", 65).on_change::<Hostile>(&issue("1", []), None);
        assert_eq!(effects.unwrap().len(), 65);
    }

    #[test]
    fn flood_log_writes_amount_lines() {
        let harness = harness("flood-log", 3);
        let old = issue("1", []);
        assert!(harness.validate::<Hostile>(&update(old.clone(), old)).is_ok());
        assert_eq!(harness.log().len(), 3);
    }

    #[test]
    fn loop_answers_each_change_with_another() {
        let harness = harness("loop", 0);
        let first = issue("1", [("description", "d")]);
        assert_eq!(harness.on_change::<Hostile>(&first, None), Ok(vec![Effect::set("description", "dx")]));
        let next = with_field(&first, "description", "dx");
        let effects = harness.on_change::<Hostile>(&next, Some(&first));
        assert_eq!(effects, Ok(vec![Effect::set("description", "dxx")]));
    }

    #[test]
    fn timer_is_set_for_a_new_issue_and_comments_when_due() {
        let harness = harness("timer", 5);
        let (new, at) = (issue("1", []), harness.context().now + 5 * MINUTE);
        assert_eq!(harness.on_change::<Hostile>(&new, None), Ok(vec![Effect::set_timer("tick", at)]));
        assert_eq!(harness.on_change::<Hostile>(&new, Some(&new)), Ok(Vec::new()));
        let effects = harness.on_timer::<Hostile>(&new, "tick");
        assert_eq!(effects, Ok(vec![Effect::comment("the timer was due")]));
    }

    #[test]
    fn adjust_returns_the_adjustments_of_the_settings() {
        let settings = r#"{"act": "adjust", "amount": 2, "refused_codes": ["A"],
            "adjustments": [{"kind": "discount", "line": 7, "amount": 5, "included": true, "code": "B"}]}"#;
        let decision = Harness::new().settings(settings).quote::<Hostile>(&basket([line(1, 100)])).unwrap();
        let wrong = Adjustment::new(AdjustmentKind::Discount, 5, "").on_line(7).for_code("B").as_included();
        assert_eq!(decision.adjustments, [wrong.clone(), wrong]);
        assert_eq!(decision.refused_codes[0].code, "A");
        let refused = harness("refuse-basket", 0).quote::<Hostile>(&basket([line(1, 100)])).unwrap_err();
        assert_eq!(refused[0].code, "NOT_SOLD");
    }

    #[test]
    fn greedy_gives_more_than_the_price_of_large_lines() {
        let decision = harness("greedy", 3).quote::<Hostile>(&basket([line(2, 100), line(3, 100)])).unwrap();
        assert_eq!(decision.adjustments, [Adjustment::discount(301, "Greedy").on_line(1)]);
    }

    #[test]
    #[should_panic(expected = "requested deep trap")]
    fn deep_trap_panics() {
        let _ = harness("deep-trap", 20).validate::<Hostile>(&create(issue("1", [])));
    }
}
