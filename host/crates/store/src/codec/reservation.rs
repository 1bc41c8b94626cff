//! Reservations, their lines and units.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::id::{
    EventId, PoolId, PromotionId, QuoteId, ReservationId, SeatId, TicketId, TicketTypeId,
};
use tessera_core::inventory::reservation::{Line, Unit, UnitSeat};
use tessera_core::inventory::{Reservation, ReservationState};
use tessera_core::pricing::CodeUse;
use tessera_core::value::Money;
use uuid::Uuid;

use super::scalar::{corrupt, moment};

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredLine {
    #[serde(rename = "type")]
    ticket_type: Uuid,
    amount: i64,
    currency: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    category: String,
    pools: Vec<Uuid>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredUnit {
    id: Uuid,
    line: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seat: Option<(Uuid, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quoted: Option<i64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredCodeUse {
    code: String,
    promotion: Uuid,
    units: u32,
    /// When the code was created.
    created: i64,
}

/// A reservation; ids are texts, times microseconds.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredReservation {
    pub(crate) id: Uuid,
    pub(crate) event: Uuid,
    pub(crate) buyer: String,
    pub(crate) state: String,
    pub(crate) quantity: u64,
    pub(crate) lines: Vec<StoredLine>,
    pub(crate) units: Vec<StoredUnit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quote: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) codes: Vec<StoredCodeUse>,
    pub(crate) payment: Option<String>,
    pub(crate) created_by: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) version: u64,
}

/// Decodes a reservation's state.
pub(crate) fn reservation_state(name: &str) -> Result<ReservationState> {
    ReservationState::ALL
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| corrupt("a reservation's state", name))
}

pub(crate) fn stored_line(line: &Line) -> StoredLine {
    StoredLine {
        ticket_type: line.ticket_type.0,
        amount: line.price.amount,
        currency: line.price.currency.clone(),
        category: line.category.clone(),
        pools: line.pools.iter().map(|pool| pool.0).collect(),
    }
}

pub(crate) fn line(stored: StoredLine) -> Line {
    Line {
        ticket_type: TicketTypeId(stored.ticket_type),
        price: Money { amount: stored.amount, currency: stored.currency },
        category: stored.category,
        pools: stored.pools.into_iter().map(PoolId).collect(),
    }
}

pub(crate) fn stored_unit(unit: &Unit) -> StoredUnit {
    let seat = unit.seat.as_ref().map(|seat| (seat.id.0, seat.label.clone()));
    StoredUnit { id: unit.id.0, line: unit.line, seat, quoted: unit.quoted }
}

pub(crate) fn unit(stored: StoredUnit) -> Unit {
    let seat = stored.seat.map(|(id, label)| UnitSeat { id: SeatId(id), label });
    Unit { id: TicketId(stored.id), line: stored.line, seat, quoted: stored.quoted }
}

pub(crate) fn stored_code_use(code: &CodeUse) -> StoredCodeUse {
    StoredCodeUse {
        code: code.code.clone(),
        promotion: code.promotion.0,
        units: code.units,
        created: code.created_at.micros(),
    }
}

pub(crate) fn code_use(stored: StoredCodeUse) -> Result<CodeUse> {
    Ok(CodeUse {
        code: stored.code,
        promotion: PromotionId(stored.promotion),
        units: stored.units,
        created_at: moment(stored.created)?,
    })
}

pub(crate) fn stored_reservation(reservation: &Reservation) -> StoredReservation {
    StoredReservation {
        id: reservation.id.0,
        event: reservation.event.0,
        buyer: reservation.buyer.clone(),
        state: reservation.state.name().to_owned(),
        quantity: reservation.units.len() as u64,
        lines: reservation.lines.iter().map(stored_line).collect(),
        units: reservation.units.iter().map(stored_unit).collect(),
        quote: reservation.quote.map(|quote| quote.0),
        codes: reservation.codes.iter().map(stored_code_use).collect(),
        payment: reservation.payment_reference.clone(),
        created_by: reservation.created_by.clone(),
        created_at: reservation.created_at.micros(),
        updated_at: reservation.updated_at.micros(),
        expires_at: reservation.expires_at.micros(),
        version: reservation.version,
    }
}

pub(crate) fn reservation(stored: StoredReservation) -> Result<Reservation> {
    Ok(Reservation {
        id: ReservationId(stored.id),
        event: EventId(stored.event),
        buyer: stored.buyer,
        state: reservation_state(&stored.state)?,
        lines: stored.lines.into_iter().map(line).collect(),
        units: stored.units.into_iter().map(unit).collect(),
        quote: stored.quote.map(QuoteId),
        codes: stored.codes.into_iter().map(code_use).collect::<Result<_>>()?,
        payment_reference: stored.payment,
        created_by: stored.created_by,
        created_at: moment(stored.created_at)?,
        updated_at: moment(stored.updated_at)?,
        expires_at: moment(stored.expires_at)?,
        version: stored.version,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Rows without a quote are as they were before there were quotes.
    #[test]
    fn line_and_unit_without_a_quote_have_no_further_members() {
        let id = Uuid::now_v7();
        let stored = json!({ "type": id, "amount": 100, "currency": "EUR", "pools": [id] });
        let read = line(serde_json::from_value(stored.clone()).unwrap());
        assert_eq!(read.category, "");
        assert_eq!(serde_json::to_value(stored_line(&read)).unwrap(), stored);
        let stored = json!({ "id": id, "line": 0 });
        let read = unit(serde_json::from_value(stored.clone()).unwrap());
        assert_eq!(read.quoted, None);
        assert_eq!(serde_json::to_value(stored_unit(&read)).unwrap(), stored);
    }
}
