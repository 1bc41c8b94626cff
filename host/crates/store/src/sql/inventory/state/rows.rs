//! Rows of the state as JSON, and how they are decoded.

use std::collections::BTreeSet;

use serde::Deserialize;
use tessera_core::Result;
use tessera_core::access::Operation;
use tessera_core::catalog::{EventStatus, TypeStatus};
use tessera_core::id::{EventId, PoolId, PromotionId, SeatId, TenantId, TicketId, TicketTypeId};
use tessera_core::idempotency::IdempotencyRecord;
use tessera_core::idempotency::{Fingerprint, IdempotencyKey, Scope};
use tessera_core::inventory::HoldRules;
use tessera_core::inventory::batch_state::{CodeState, PoolSupply, PromotionState};
use tessera_core::inventory::terms::{EventTerms, TypeTerms};
use tessera_core::inventory::{Counts, Seat};
use tessera_core::pricing::KeptUnits;
use tessera_core::value::Money;
use uuid::Uuid;

use crate::codec::{StoredAnswer, answer, corrupt, moment};

#[derive(Deserialize)]
pub(super) struct EventRow {
    pub(super) version: i64,
    pub(super) status: String,
    pub(super) ends_at: i64,
    pub(super) usual: Option<u32>,
    pub(super) least: Option<u32>,
    pub(super) most: Option<u32>,
    pub(super) limit: Option<u32>,
    pub(super) queued: Option<u8>,
    /// The tenant's rules, for what the event leaves open.
    pub(super) tenant: Option<HoldRow>,
}

#[derive(Deserialize)]
pub(super) struct HoldRow {
    pub(super) version: i64,
    pub(super) usual: Option<u32>,
    pub(super) least: Option<u32>,
    pub(super) most: Option<u32>,
}

impl HoldRow {
    pub(super) fn decode(self) -> HoldRules {
        HoldRules { default: self.usual, min: self.least, max: self.most }
    }
}

impl EventRow {
    pub(super) fn decode(self) -> Result<EventTerms> {
        Ok(EventTerms {
            status: EventStatus::parse("status", &self.status)?,
            ends_at: moment(self.ends_at)?,
            hold_rules: HoldRules { default: self.usual, min: self.least, max: self.most }
                .or(self.tenant.map(HoldRow::decode).unwrap_or_default()),
            buyer_limit: self.limit,
            queue_required: self.queued == Some(1),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct PoolRow {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) capacity: Option<u64>,
    pub(super) held: u64,
    pub(super) sold: u64,
    pub(super) locked: u64,
}

impl PoolRow {
    pub(super) fn decode(self) -> (PoolId, PoolSupply) {
        let counts = Counts { held: self.held, sold: self.sold, locked: self.locked };
        (PoolId(self.id), PoolSupply { name: self.name, capacity: self.capacity, counts })
    }
}

#[derive(Deserialize)]
pub(super) struct TypeRow {
    pub(super) id: Uuid,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) least: u32,
    pub(super) most: u32,
    pub(super) from: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) status: String,
    pub(super) pools: Vec<Uuid>,
    pub(super) seated: u8,
    pub(super) hidden: u8,
}

impl TypeRow {
    pub(super) fn decode(self, event: EventId) -> Result<(TicketTypeId, TypeTerms)> {
        let id = TicketTypeId(self.id);
        let mut pools: Vec<_> = self.pools.into_iter().map(PoolId).collect();
        pools.extend([PoolId::from(event), PoolId::from(id)]);
        pools.sort_unstable();
        let time = |at: Option<i64>| at.map(moment).transpose();
        let terms = TypeTerms {
            name: self.name,
            price: Money { amount: self.amount, currency: self.currency },
            bounds: (self.least, self.most),
            window: (time(self.from)?, time(self.until)?),
            status: TypeStatus::parse("status", &self.status)?,
            pools,
            seated: self.seated != 0,
            hidden: self.hidden != 0,
        };
        Ok((id, terms))
    }
}

#[derive(Deserialize)]
pub(super) struct BuyerRow {
    pub(super) buyer: String,
    pub(super) units: u64,
}

#[derive(Deserialize)]
pub(super) struct PromotionRow {
    pub(super) id: Uuid,
    pub(super) enabled: u8,
    pub(super) valid_until: Option<i64>,
    pub(super) terms: PromotionTermsRow,
    pub(super) uses: u64,
}

/// Those of a promotion's terms that batches depend on.
#[derive(Deserialize)]
pub(super) struct PromotionTermsRow {
    pub(super) shows: BTreeSet<Uuid>,
    /// The bounds of uses: in all, of a buyer, of a code.
    pub(super) max_uses: (Option<u32>, Option<u32>, Option<u32>),
}

impl PromotionRow {
    pub(super) fn decode(self) -> Result<(PromotionId, PromotionState)> {
        let (max_uses, max_uses_per_buyer, max_uses_per_code) = self.terms.max_uses;
        let promotion = PromotionState {
            enabled: self.enabled != 0,
            valid_until: self.valid_until.map(moment).transpose()?,
            shows: self.terms.shows.into_iter().map(TicketTypeId).collect(),
            max_uses,
            max_uses_per_buyer,
            max_uses_per_code,
            uses: self.uses,
        };
        Ok((PromotionId(self.id), promotion))
    }
}

#[derive(Deserialize)]
pub(super) struct CodeRow {
    pub(super) code: String,
    pub(super) promotion: Uuid,
    pub(super) uses: u64,
    pub(super) kept: u32,
    #[serde(rename = "type")]
    pub(super) ticket_type: Option<Uuid>,
    pub(super) event: Option<Uuid>,
    pub(super) pools: Option<Vec<Uuid>>,
    pub(super) created: i64,
}

impl CodeRow {
    pub(super) fn decode(self) -> Result<(String, CodeState)> {
        let kept = self.ticket_type.zip(self.event).map(|(ticket_type, event)| KeptUnits {
            ticket_type: TicketTypeId(ticket_type),
            event: EventId(event),
            pools: self.pools.unwrap_or_default().into_iter().map(PoolId).collect(),
            units: self.kept,
        });
        let promotion = PromotionId(self.promotion);
        let created_at = moment(self.created)?;
        Ok((self.code, CodeState { promotion, uses: self.uses, kept, created_at }))
    }
}

#[derive(Deserialize)]
pub(super) struct BuyerUsesRow {
    pub(super) promotion: Uuid,
    pub(super) buyer: String,
    pub(super) uses: u64,
}

#[derive(Deserialize)]
pub(super) struct SeatRow {
    pub(super) id: Uuid,
    #[serde(rename = "type")]
    pub(super) ticket_type: Uuid,
    pub(super) row: String,
    pub(super) number: u32,
    pub(super) label: String,
    pub(super) unit: Option<Uuid>,
}

impl SeatRow {
    pub(super) fn decode(self, event: EventId) -> Seat {
        Seat {
            id: SeatId(self.id),
            event,
            ticket_type: TicketTypeId(self.ticket_type),
            row: self.row,
            number: self.number,
            label: self.label,
            unit: self.unit.map(TicketId),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct KeyRow {
    pub(super) principal: String,
    pub(super) operation: String,
    pub(super) key: String,
    pub(super) fingerprint: String,
    pub(super) answer: StoredAnswer,
}

impl KeyRow {
    pub(super) fn decode(self, tenant: TenantId) -> Result<(Scope, IdempotencyRecord)> {
        let operation = Operation::ALL.iter().copied().find(|known| known.name() == self.operation);
        let operation = operation.ok_or_else(|| corrupt("an operation", &self.operation))?;
        let scope =
            Scope { tenant, principal: self.principal, operation, key: IdempotencyKey::parse(&self.key)? };
        let fingerprint = fingerprint(&self.fingerprint)?;
        Ok((scope, IdempotencyRecord { fingerprint, answer: answer(self.answer)? }))
    }
}

fn fingerprint(hex: &str) -> Result<Fingerprint> {
    let mut bytes = [0_u8; 32];
    let wrong = || corrupt("a fingerprint", hex);
    if hex.len() != 2 * bytes.len() {
        return Err(wrong());
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digits = hex.get(2 * index..2 * index + 2).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(Fingerprint(bytes))
}
