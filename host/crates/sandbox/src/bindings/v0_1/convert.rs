//! Between the contract's types and the core's. What a guest answers is checked on its way in: nothing that
//! breaks the contract gets further than this.

use std::fmt::Display;

use tessera_core::plugin::{
    Action, Adjusted, Adjustment, AdjustmentKind, Basket, BasketLine, CallContext, Draft, Effect, Entity,
    LogLevel, Manifest, Notice, PluginCommand, Refusal, Validation,
};
use tessera_core::tracker::{Category, Machine, State, Transition};
use tessera_core::value::{Decimal, Money};
use tessera_core::{Change, Field, Timestamp, Value};

use super::exports::{manifest as wm, pricing as wp, validation as wv, workflow as ww};
use super::imports::{host as wh, types as wt};
use crate::bindings::Broken;

type Checked<T> = Result<T, Broken>;

/// The most an adjustment may come to, either way.
const MAX_AMOUNT: u64 = 1_000_000_000_000_000;

fn broken(at: &str, what: impl Display) -> Broken {
    Broken(format!("{at} {what}"))
}

// What a guest is told.

pub(super) fn context(context: CallContext) -> wt::Context {
    wt::Context {
        tenant: context.tenant,
        invocation: context.invocation,
        now: millis(context.now),
        actor: wt::Actor { id: context.actor, roles: context.roles },
        dry_run: context.dry_run,
        cause: context.cause,
        attributes: fields_out(context.attributes),
    }
}

pub(super) fn entity(entity: Entity) -> wt::Entity {
    wt::Entity {
        kind: entity.kind,
        id: entity.id,
        version: entity.version,
        fields: fields_out(entity.fields),
    }
}

pub(super) fn change(change: Change) -> wt::Change {
    wt::Change { field: change.field, before: value(change.before), after: value(change.after) }
}

pub(super) fn validation(request: Validation) -> wv::Request {
    wv::Request {
        operation: request.operation,
        subject: entity(request.subject),
        before: request.before.map(entity),
        changes: request.changes.into_iter().map(change).collect(),
    }
}

pub(super) fn field(field: Field) -> wt::Field {
    wt::Field { name: field.name, value: value(field.value) }
}

fn fields_out(fields: Vec<Field>) -> Vec<wt::Field> {
    fields.into_iter().map(field).collect()
}

fn value(value: Value) -> wt::Value {
    match value {
        Value::None => wt::Value::None,
        Value::Text(text) => wt::Value::Text(text),
        Value::Integer(number) => wt::Value::Integer(number),
        Value::Decimal(decimal) => wt::Value::Decimal(decimal.as_str().to_owned()),
        Value::Boolean(flag) => wt::Value::Boolean(flag),
        Value::Time(at) => wt::Value::Time(millis(at)),
        Value::Money(Money { amount, currency }) => wt::Value::Money(wt::Money { amount, currency }),
        Value::Texts(texts) => wt::Value::Texts(texts),
        Value::Json(json) => wt::Value::Json(json),
    }
}

/// Times before 1970 are told as 1970: the contract knows none.
fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.micros() / 1_000).unwrap_or_default()
}

pub(super) fn basket(basket: Basket) -> wp::Request {
    let applied = basket.applied.into_iter();
    wp::Request {
        event: fields_out(basket.event),
        starts_at: basket.starts_at.map(millis),
        offset_now: basket.offset_now,
        offset_start: basket.offset_start,
        currency: basket.currency,
        currency_exponent: basket.currency_exponent,
        lines: basket.lines.into_iter().map(line).collect(),
        codes: basket.codes,
        channel: basket.channel,
        buyer: fields_out(basket.buyer),
        applied: applied
            .map(|(source, held)| wp::Applied { source, adjustment: adjustment_out(held) })
            .collect(),
    }
}

fn line(line: BasketLine) -> wp::Line {
    wp::Line {
        ticket_type: line.ticket_type,
        name: line.name,
        quantity: line.quantity,
        unit_price: line.unit_price,
        available: line.available,
        capacity: line.capacity,
        attributes: fields_out(line.attributes),
    }
}

fn adjustment_out(held: Adjustment) -> wp::Adjustment {
    wp::Adjustment {
        kind: match held.kind {
            AdjustmentKind::Surcharge => wp::AdjustmentKind::Surcharge,
            AdjustmentKind::Discount => wp::AdjustmentKind::Discount,
            AdjustmentKind::Fee => wp::AdjustmentKind::Fee,
            AdjustmentKind::Tax => wp::AdjustmentKind::Tax,
        },
        line: held.line,
        amount: held.amount,
        included: held.included,
        label: held.label,
        code: held.code,
        attributes: fields_out(held.attributes),
    }
}

// What a guest answers.

pub(super) fn level(level: wh::Level) -> LogLevel {
    match level {
        wh::Level::Debug => LogLevel::Debug,
        wh::Level::Info => LogLevel::Info,
        wh::Level::Warn => LogLevel::Warn,
        wh::Level::Error => LogLevel::Error,
    }
}

/// Text that can be stored and shown: no control characters but line breaks and tabs.
fn text(at: &str, text: String) -> Checked<String> {
    let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(forbidden) {
        return Err(broken(at, "has control characters; only line breaks and tabs are allowed"));
    }
    Ok(text)
}

fn time(at: &str, millis: u64) -> Checked<Timestamp> {
    let micros = i64::try_from(millis).ok().and_then(|millis| millis.checked_mul(1_000));
    micros
        .and_then(Timestamp::from_micros)
        .ok_or_else(|| broken(at, format_args!("is {millis}, which is no time")))
}

fn value_in(at: &str, value: wt::Value) -> Checked<Value> {
    Ok(match value {
        wt::Value::None => Value::None,
        wt::Value::Text(held) => Value::Text(text(at, held)?),
        wt::Value::Integer(number) => Value::Integer(number),
        wt::Value::Decimal(held) => {
            let decimal = Decimal::parse(at, &held);
            Value::Decimal(
                decimal.map_err(|_| {
                    broken(at, format_args!("is {held:?}, which is no decimal such as 12.50"))
                })?,
            )
        }
        wt::Value::Boolean(flag) => Value::Boolean(flag),
        wt::Value::Time(held) => Value::Time(time(at, held)?),
        wt::Value::Money(held) => {
            let known = held.currency.len() == 3 && held.currency.bytes().all(|b| b.is_ascii_uppercase());
            if !known {
                return Err(broken(
                    at,
                    format_args!("has the currency {:?}; ISO 4217 is expected", held.currency),
                ));
            }
            Value::Money(Money { amount: held.amount, currency: held.currency })
        }
        wt::Value::Texts(texts) => {
            Value::Texts(texts.into_iter().map(|held| text(at, held)).collect::<Checked<_>>()?)
        }
        wt::Value::Json(held) => Value::Json(json(at, held)?),
    })
}

fn json(at: &str, held: String) -> Checked<String> {
    match serde_json::from_str::<serde_json::Value>(&held) {
        Ok(_) => text(at, held),
        Err(error) => Err(broken(at, format_args!("is no JSON: {error}"))),
    }
}

fn field_in(at: &str, field: wt::Field) -> Checked<Field> {
    let name = text(&format!("{at}.name"), field.name)?;
    let value = value_in(&format!("{at}.{name}"), field.value)?;
    Ok(Field { name, value })
}

fn fields_in(at: &str, fields: Vec<wt::Field>) -> Checked<Vec<Field>> {
    fields.into_iter().map(|field| field_in(at, field)).collect()
}

pub(super) fn manifest(info: wm::Info) -> Checked<Manifest> {
    Ok(Manifest {
        name: text("manifest.name", info.name)?,
        version: text("manifest.version", info.version)?,
        summary: text("manifest.summary", info.summary)?,
        settings_schema: info.settings_schema,
        kinds: info.kinds,
        needs: info.needs,
        attributes: fields_in("manifest.attributes", info.attributes)?,
    })
}

fn verdict(violations: Vec<wt::Violation>) -> Checked<Vec<Refusal>> {
    violations.into_iter().enumerate().map(|(index, held)| refusal(index, held)).collect()
}

fn refusal(index: usize, held: wt::Violation) -> Checked<Refusal> {
    let at = format!("violations[{index}]");
    let code = held.code.as_bytes();
    let first = code.first().is_some_and(u8::is_ascii_uppercase);
    let plain = code.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_');
    if !first || !plain || code.len() > 63 {
        return Err(broken(
            &format!("{at}.code"),
            format_args!("is {:?}; ^[A-Z][A-Z0-9_]{{0,62}}$ is expected", held.code),
        ));
    }
    if held.message.is_empty() {
        return Err(broken(&format!("{at}.message"), "is empty; a sentence for a person is expected"));
    }
    Ok(Refusal {
        field: held.field.map(|field| text(&format!("{at}.field"), field)).transpose()?,
        code: held.code,
        message: text(&format!("{at}.message"), held.message)?,
    })
}

/// A refusal gives reasons: none at all is a mistake.
pub(super) fn refusals(violations: Vec<wt::Violation>) -> Checked<Vec<Refusal>> {
    if violations.is_empty() {
        return Err(broken("violations", "are none, although the plugin refuses"));
    }
    verdict(violations)
}

pub(super) fn guard(said: Vec<Result<(), Vec<wt::Violation>>>, asked: usize) -> Checked<Vec<Vec<Refusal>>> {
    if said.len() != asked {
        let what = format!("has {} entries for {asked} moves", said.len());
        return Err(broken("the answer of guard", what));
    }
    said.into_iter().map(|answer| answer.map_or_else(refusals, |()| Ok(Vec::new()))).collect()
}

pub(super) fn machine(machine: ww::Machine) -> Checked<Machine> {
    Ok(Machine {
        initial: text("machine.initial", machine.initial)?,
        states: machine
            .states
            .into_iter()
            .enumerate()
            .map(|(index, state)| {
                let category = match state.category {
                    ww::Category::Open => Category::Open,
                    ww::Category::Active => Category::Active,
                    ww::Category::Done => Category::Done,
                };
                let attributes = fields_in(&format!("machine.states[{index}].attributes"), state.attributes)?;
                Ok(State { name: state.name, category, attributes })
            })
            .collect::<Checked<_>>()?,
        transitions: machine
            .transitions
            .into_iter()
            .enumerate()
            .map(|(index, made)| {
                let at = format!("machine.transitions[{index}].attributes");
                Ok(Transition {
                    name: made.name,
                    from: made.source,
                    to: made.target,
                    requires: made.requires,
                    attributes: fields_in(&at, made.attributes)?,
                })
            })
            .collect::<Checked<_>>()?,
        on_assign: None,
    })
}

pub(super) fn command(command: ww::Command) -> PluginCommand {
    PluginCommand {
        name: command.name,
        title: command.title,
        states: command.states,
        input_schema: command.input_schema,
    }
}

pub(super) fn effects(
    said: Result<Vec<ww::Effect>, Vec<wt::Violation>>,
) -> Checked<Result<Vec<Effect>, Vec<Refusal>>> {
    match said {
        Ok(effects) => {
            let effects = effects.into_iter().enumerate();
            effects.map(|(index, held)| effect(index, held)).collect::<Checked<_>>().map(Ok)
        }
        Err(violations) => refusals(violations).map(Err),
    }
}

fn effect(index: usize, held: ww::Effect) -> Checked<Effect> {
    let at = format!("effects[{index}]");
    let action = match held.action {
        ww::Action::SetField(field) => Action::SetField(field_in(&at, field)?),
        ww::Action::Transition(name) => Action::Transition(text(&at, name)?),
        ww::Action::Comment(body) => Action::Comment(text(&at, body)?),
        ww::Action::AddLabel(label) => Action::AddLabel(text(&at, label)?),
        ww::Action::RemoveLabel(label) => Action::RemoveLabel(text(&at, label)?),
        ww::Action::Assign(user) => Action::Assign(user),
        ww::Action::Link(held) => Action::Link(text(&at, held.name)?, held.to),
        ww::Action::Create(draft) => Action::Create(Draft {
            key: text(&at, draft.key)?,
            project: draft.project,
            kind: text(&at, draft.kind)?,
            fields: fields_in(&at, draft.fields)?,
        }),
        ww::Action::Notify(notice) => Action::Notify(Notice {
            to: notice.to,
            subject: text(&at, notice.subject)?,
            body: text(&at, notice.body)?,
        }),
        ww::Action::SetTimer(timer) => Action::SetTimer(text(&at, timer.name)?, time(&at, timer.at)?),
        ww::Action::CancelTimer(name) => Action::CancelTimer(text(&at, name)?),
        ww::Action::Emit(event) => Action::Emit(text(&at, event.name)?, json(&at, event.data)?),
        ww::Action::Other(field) => Action::Other(field_in(&at, field)?),
    };
    Ok(Effect { on: held.on, action })
}

pub(super) fn quote(
    said: Result<wp::Decision, Vec<wt::Violation>>,
    lines: usize,
) -> Checked<Result<Adjusted, Vec<Refusal>>> {
    let decision = match said {
        Ok(decision) => decision,
        Err(violations) => return refusals(violations).map(Err),
    };
    let adjustments = decision.adjustments.into_iter().enumerate();
    let refused = decision.refused_codes.into_iter();
    Ok(Ok(Adjusted {
        adjustments: adjustments
            .map(|(index, held)| adjustment(index, held, lines))
            .collect::<Checked<_>>()?,
        refused_codes: refused
            .map(|held| Ok((text("refused-codes", held.code)?, text("refused-codes", held.reason)?)))
            .collect::<Checked<_>>()?,
        attributes: fields_in("attributes", decision.attributes)?,
    }))
}

fn adjustment(index: usize, held: wp::Adjustment, lines: usize) -> Checked<Adjustment> {
    let at = format!("adjustments[{index}]");
    if held.amount.unsigned_abs() > MAX_AMOUNT {
        return Err(broken(
            &format!("{at}.amount"),
            format_args!("is {}; at most 10^15 either way", held.amount),
        ));
    }
    if held.line.is_some_and(|line| line as usize >= lines) {
        return Err(broken(&format!("{at}.line"), "is no line of the basket"));
    }
    Ok(Adjustment {
        kind: match held.kind {
            wp::AdjustmentKind::Surcharge => AdjustmentKind::Surcharge,
            wp::AdjustmentKind::Discount => AdjustmentKind::Discount,
            wp::AdjustmentKind::Fee => AdjustmentKind::Fee,
            wp::AdjustmentKind::Tax => AdjustmentKind::Tax,
        },
        line: held.line,
        amount: held.amount,
        included: held.included,
        label: text(&at, held.label)?,
        code: held.code.map(|code| text(&at, code)).transpose()?,
        attributes: fields_in(&at, held.attributes)?,
    })
}
