//! Arguments of guests' functions, and answers to their look-ups: from the core's types to the contract's.

use tessera_core::Change;
use tessera_core::plugin::{Adjustment, AdjustmentKind, Basket, BasketLine, CallContext, Entity, Validation};

use super::generated::exports::tessera::plugin::{pricing as wp, validation as wv};
use super::generated::tessera::plugin::types as wt;
use super::values::{to_fields, to_millis, to_value};

pub(super) fn context(context: CallContext) -> wt::Context {
    wt::Context {
        tenant: context.tenant,
        invocation: context.invocation,
        now: to_millis(context.now),
        actor: wt::Actor { id: context.actor, roles: context.roles },
        dry_run: context.dry_run,
        cause: context.cause,
        attributes: to_fields(context.attributes),
    }
}

pub(super) fn entity(entity: Entity) -> wt::Entity {
    let Entity { kind, id, version, fields } = entity;
    wt::Entity { kind, id, version, fields: to_fields(fields) }
}

pub(super) fn change(change: Change) -> wt::Change {
    wt::Change { field: change.field, before: to_value(change.before), after: to_value(change.after) }
}

pub(super) fn validation(request: Validation) -> wv::Request {
    wv::Request {
        operation: request.operation,
        subject: entity(request.subject),
        before: request.before.map(entity),
        changes: request.changes.into_iter().map(change).collect(),
    }
}

pub(super) fn basket(basket: Basket) -> wp::Request {
    let applied = basket.applied.into_iter();
    let applied = applied.map(|(source, applied)| wp::Applied { source, adjustment: adjustment(applied) });
    wp::Request {
        event: to_fields(basket.event),
        starts_at: basket.starts_at.map(to_millis),
        offset_now: basket.offset_now,
        offset_start: basket.offset_start,
        currency: basket.currency,
        currency_exponent: basket.currency_exponent,
        lines: basket.lines.into_iter().map(line).collect(),
        codes: basket.codes,
        channel: basket.channel,
        buyer: to_fields(basket.buyer),
        applied: applied.collect(),
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
        attributes: to_fields(line.attributes),
    }
}

fn adjustment(adjustment: Adjustment) -> wp::Adjustment {
    wp::Adjustment {
        kind: match adjustment.kind {
            AdjustmentKind::Surcharge => wp::AdjustmentKind::Surcharge,
            AdjustmentKind::Discount => wp::AdjustmentKind::Discount,
            AdjustmentKind::Fee => wp::AdjustmentKind::Fee,
            AdjustmentKind::Tax => wp::AdjustmentKind::Tax,
        },
        line: adjustment.line,
        amount: adjustment.amount,
        included: adjustment.included,
        label: adjustment.label,
        code: adjustment.code,
        attributes: to_fields(adjustment.attributes),
    }
}
