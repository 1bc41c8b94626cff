//! Replies of guests, from the contract's types to the core's.

use tessera_core::plugin::{
    Action, Adjustment, AdjustmentKind, Draft, Effect, LogLevel, Manifest, Notice, PluginCommand,
    PriceAdjustments, Refusal,
};
use tessera_core::tracker::{Category, Machine, State, Transition};

use super::generated::exports::tessera::plugin::{manifest as wm, pricing as wp, workflow as ww};
use super::generated::tessera::plugin::{host as wh, types as wt};
use super::values::{Checked, from_field, from_fields, from_json, from_millis, from_text, invalid};

/// The largest amount of an adjustment, in either direction.
const MAX_AMOUNT: u64 = 1_000_000_000_000_000;

pub(super) fn level(level: wh::Level) -> LogLevel {
    match level {
        wh::Level::Debug => LogLevel::Debug,
        wh::Level::Info => LogLevel::Info,
        wh::Level::Warn => LogLevel::Warn,
        wh::Level::Error => LogLevel::Error,
    }
}

pub(super) fn manifest(info: wm::Info) -> Checked<Manifest> {
    Ok(Manifest {
        name: from_text("manifest.name", info.name)?,
        version: from_text("manifest.version", info.version)?,
        summary: from_text("manifest.summary", info.summary)?,
        settings_schema: info.settings_schema,
        kinds: info.kinds,
        needs: info.needs,
        attributes: from_fields("manifest.attributes", info.attributes)?,
    })
}

/// Converts the reasons of a refusal, of which there must be at least one.
pub(super) fn refusals(violations: Vec<wt::Violation>) -> Checked<Vec<Refusal>> {
    if violations.is_empty() {
        return Err(invalid("violations", "are none, although the plugin refuses"));
    }
    let violations = violations.into_iter().enumerate();
    violations.map(|(index, violation)| refusal(index, violation)).collect()
}

fn refusal(index: usize, violation: wt::Violation) -> Checked<Refusal> {
    let wt::Violation { field, code, message } = violation;
    let at = format!("violations[{index}]");
    let starts_with_letter = code.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
    let is_plain = code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !starts_with_letter || !is_plain || code.len() > 63 {
        let expected = format_args!("is {code:?}; ^[A-Z][A-Z0-9_]{{0,62}}$ is expected");
        return Err(invalid(&format!("{at}.code"), expected));
    }
    if message.is_empty() {
        return Err(invalid(&format!("{at}.message"), "is empty; a sentence for a person is expected"));
    }
    let field = field.map(|field| from_text(&format!("{at}.field"), field)).transpose()?;
    Ok(Refusal { field, code, message: from_text(&format!("{at}.message"), message)? })
}

/// Converts the results of `guard`, one for each transition.
pub(super) fn guard(
    results: Vec<Result<(), Vec<wt::Violation>>>,
    transitions: usize,
) -> Checked<Vec<Vec<Refusal>>> {
    if results.len() != transitions {
        let what = format!("has {} entries for {transitions} transitions", results.len());
        return Err(invalid("the answer of guard", what));
    }
    results.into_iter().map(|result| result.map_or_else(refusals, |()| Ok(Vec::new()))).collect()
}

pub(super) fn machine(machine: ww::Machine) -> Checked<Machine> {
    let (states, transitions) = (machine.states.into_iter(), machine.transitions.into_iter());
    Ok(Machine {
        initial: from_text("machine.initial", machine.initial)?,
        states: states.enumerate().map(|(index, each)| state(index, each)).collect::<Checked<_>>()?,
        transitions: transitions
            .enumerate()
            .map(|(index, each)| transition(index, each))
            .collect::<Checked<_>>()?,
        on_assign: None,
    })
}

fn state(index: usize, state: ww::State) -> Checked<State> {
    let category = match state.category {
        ww::Category::Open => Category::Open,
        ww::Category::Active => Category::Active,
        ww::Category::Done => Category::Done,
    };
    let attributes = from_fields(&format!("machine.states[{index}].attributes"), state.attributes)?;
    Ok(State { name: state.name, category, attributes })
}

fn transition(index: usize, transition: ww::Transition) -> Checked<Transition> {
    let at = format!("machine.transitions[{index}].attributes");
    Ok(Transition {
        name: transition.name,
        from: transition.source,
        to: transition.target,
        requires: transition.requires,
        attributes: from_fields(&at, transition.attributes)?,
    })
}

pub(super) fn command(command: ww::Command) -> PluginCommand {
    let ww::Command { name, title, states, input_schema } = command;
    PluginCommand { name, title, states, input_schema }
}

pub(super) fn effects(
    result: Result<Vec<ww::Effect>, Vec<wt::Violation>>,
) -> Checked<Result<Vec<Effect>, Vec<Refusal>>> {
    match result {
        Ok(effects) => {
            let effects = effects.into_iter().enumerate();
            effects.map(|(index, each)| effect(index, each)).collect::<Checked<_>>().map(Ok)
        }
        Err(violations) => refusals(violations).map(Err),
    }
}

fn effect(index: usize, effect: ww::Effect) -> Checked<Effect> {
    let at = format!("effects[{index}]");
    let action = match effect.action {
        ww::Action::SetField(field) => Action::SetField(from_field(&at, field)?),
        ww::Action::Transition(name) => Action::Transition(from_text(&at, name)?),
        ww::Action::Comment(body) => Action::Comment(from_text(&at, body)?),
        ww::Action::AddLabel(label) => Action::AddLabel(from_text(&at, label)?),
        ww::Action::RemoveLabel(label) => Action::RemoveLabel(from_text(&at, label)?),
        ww::Action::Assign(user) => Action::Assign(user),
        ww::Action::Link(link) => Action::Link(from_text(&at, link.name)?, link.to),
        ww::Action::Create(draft) => Action::Create(Draft {
            key: from_text(&at, draft.key)?,
            project: draft.project,
            kind: from_text(&at, draft.kind)?,
            fields: from_fields(&at, draft.fields)?,
        }),
        ww::Action::Notify(notice) => Action::Notify(Notice {
            to: notice.to,
            subject: from_text(&at, notice.subject)?,
            body: from_text(&at, notice.body)?,
        }),
        ww::Action::SetTimer(timer) => {
            Action::SetTimer(from_text(&at, timer.name)?, from_millis(&at, timer.at)?)
        }
        ww::Action::CancelTimer(name) => Action::CancelTimer(from_text(&at, name)?),
        ww::Action::Emit(event) => Action::Emit(from_text(&at, event.name)?, from_json(&at, event.data)?),
        ww::Action::Other(field) => Action::Other(from_field(&at, field)?),
    };
    Ok(Effect { on: effect.on, action })
}

/// Converts the result of `quote` for a basket of this many lines.
pub(super) fn quote(
    result: Result<wp::Decision, Vec<wt::Violation>>,
    lines: usize,
) -> Checked<Result<PriceAdjustments, Vec<Refusal>>> {
    let decision = match result {
        Ok(decision) => decision,
        Err(violations) => return refusals(violations).map(Err),
    };
    let adjustments = decision.adjustments.into_iter().enumerate();
    let adjustments = adjustments.map(|(index, each)| adjustment(index, each, lines));
    let codes = decision.refused_codes.into_iter();
    let codes = codes.map(|refused| {
        Ok((from_text("refused-codes", refused.code)?, from_text("refused-codes", refused.reason)?))
    });
    Ok(Ok(PriceAdjustments {
        adjustments: adjustments.collect::<Checked<_>>()?,
        refused_codes: codes.collect::<Checked<_>>()?,
        attributes: from_fields("attributes", decision.attributes)?,
    }))
}

fn adjustment(index: usize, adjustment: wp::Adjustment, lines: usize) -> Checked<Adjustment> {
    let at = format!("adjustments[{index}]");
    let wp::Adjustment { kind, line, amount, included, label, code, attributes } = adjustment;
    if amount.unsigned_abs() > MAX_AMOUNT {
        let expected = format_args!("is {amount}; at most 10^15 in either direction is allowed");
        return Err(invalid(&format!("{at}.amount"), expected));
    }
    if line.is_some_and(|line| line as usize >= lines) {
        return Err(invalid(&format!("{at}.line"), "is not a line of the basket"));
    }
    Ok(Adjustment {
        kind: match kind {
            wp::AdjustmentKind::Surcharge => AdjustmentKind::Surcharge,
            wp::AdjustmentKind::Discount => AdjustmentKind::Discount,
            wp::AdjustmentKind::Fee => AdjustmentKind::Fee,
            wp::AdjustmentKind::Tax => AdjustmentKind::Tax,
        },
        line,
        amount,
        included,
        label: from_text(&at, label)?,
        code: code.map(|code| from_text(&at, code)).transpose()?,
        attributes: from_fields(&at, attributes)?,
    })
}
