//! Tickets, and the keys of their codes, as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tessera_core::admission::{Code, RevokedCodes, SigningKey, Ticket};
use utoipa::ToSchema;

use crate::admission::{ALGORITHM, ticket_etag};
use crate::rest::dto::text;
use crate::rest::dto::ticket_type::MoneyBody;

/// The right to be admitted to an event once, or as often as the event allows.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketBody {
    /// Its id: that of the unit which was reserved.
    pub id: String,
    /// The event.
    pub event_id: String,
    /// The reservation that was confirmed.
    pub reservation_id: String,
    /// Its type.
    pub ticket_type_id: String,
    /// Its seat's label; null: it has no seat.
    pub seat_number: Option<String>,
    /// What was paid for it.
    pub price: MoneyBody,
    /// Who holds it.
    pub holder: String,
    /// `valid` or `cancelled`.
    pub state: &'static str,
    /// What its holder shows at the door; null: it was cancelled, or the key's roles do not see codes.
    pub code: Option<String>,
    /// The number of its code, from 1; those with lesser ones are void.
    pub serial: u16,
    /// How often it was admitted.
    pub entries: u32,
    /// Whether its holder is inside.
    pub inside: bool,
    /// When it last came in or went out; null: never.
    pub last_at: Option<String>,
    /// At which gate that was; null: at none.
    pub last_gate: Option<String>,
    /// When it was cancelled; null: it was not.
    pub cancelled_at: Option<String>,
    /// When it was issued.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// One ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketAnswer {
    /// The ticket.
    pub ticket: TicketBody,
}

/// A page of tickets.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketsPage {
    /// The tickets.
    pub tickets: Vec<TicketBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// Who gets a ticket.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferTicketBody {
    /// Who holds it from now on, 1 to 255 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub holder: String,
}

/// How a ticket is cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CancelTicketBody {
    /// Whether its unit, and its seat, can be sold again.
    pub restock: bool,
}

/// Codes of a ticket that are void though their signatures are good.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedCodeBody {
    /// The ticket.
    pub ticket_id: String,
    /// The number of the code that is good; null: none is.
    pub good_serial: Option<u16>,
    /// When the others became void.
    pub revoked_at: String,
}

/// A page of an event's void codes; those that were revoked first come first.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedCodesPage {
    /// The codes, by ticket.
    pub revoked_codes: Vec<RevokedCodeBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// The public half of a key that signs codes.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeyBody {
    /// Its number, from 1; the greatest signs today.
    pub number: u16,
    /// Its 32 bytes as base64 (RFC 4648, with padding).
    pub public_key: String,
    /// `Ed25519`.
    pub algorithm: &'static str,
    /// When it was made.
    pub created_at: String,
    /// When its codes became void; null: they are good.
    pub revoked_at: Option<String>,
}

/// The keys by which codes are verified.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeysAnswer {
    /// The keys, oldest first.
    pub keys: Vec<SigningKeyBody>,
    /// The tenant's id: what codes are signed for, beside the event's.
    pub tenant_id: String,
}

/// What becomes of the former keys.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateKeysBody {
    /// Whether codes that they signed are void from now on. All tickets have new codes then.
    pub revoke_former: bool,
}

/// One key.
#[derive(Debug, Serialize, ToSchema)]
pub struct SigningKeyAnswer {
    /// The key that signs from now on.
    pub key: SigningKeyBody,
}

impl TicketBody {
    /// A ticket, with its code for who sees it.
    #[must_use]
    pub fn new(held: Ticket, code: Option<Code>) -> Self {
        let etag = ticket_etag(&held, code.as_ref());
        Self {
            id: held.id.to_string(),
            event_id: held.event.to_string(),
            reservation_id: held.reservation.to_string(),
            ticket_type_id: held.ticket_type.to_string(),
            seat_number: held.seat.map(|seat| seat.label),
            price: MoneyBody::from(&held.price),
            holder: held.holder,
            state: held.state.name(),
            code: code.map(|code| code.0),
            serial: held.serial,
            entries: held.presence.entries,
            inside: held.presence.inside,
            last_at: text(held.presence.last_at),
            last_gate: held.presence.last_gate,
            cancelled_at: text(held.cancelled_at),
            created_at: held.created_at.to_string(),
            updated_at: held.updated_at.to_string(),
            etag,
        }
    }
}

impl From<RevokedCodes> for RevokedCodeBody {
    fn from(held: RevokedCodes) -> Self {
        Self {
            ticket_id: held.ticket.to_string(),
            good_serial: held.valid_serial,
            revoked_at: held.at.to_string(),
        }
    }
}

impl From<&SigningKey> for SigningKeyBody {
    fn from(held: &SigningKey) -> Self {
        Self {
            number: held.id,
            public_key: STANDARD.encode(&held.public),
            algorithm: ALGORITHM,
            created_at: held.created_at.to_string(),
            revoked_at: text(held.revoked_at),
        }
    }
}
