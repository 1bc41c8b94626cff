//! Check-ins, and what they add up to, as JSON.

use serde::{Deserialize, Serialize};
use tessera_core::admission::{CheckIn, CreateCheckIn, Inspection, MergedScan, ReportedScan};
use tessera_core::admission::{DoorStats, GateCounts};
use tessera_core::id::EventId;
use tessera_core::{Result, Timestamp};
use utoipa::ToSchema;

use crate::admission::{WrittenCheckIn, noted, told};
use crate::rest::dto::admission::TicketBody;
use crate::rest::dto::text;

/// One passage through a gate, or an attempt that was reported later.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInRecord {
    /// Its id.
    pub id: String,
    /// The event.
    pub event_id: String,
    /// The ticket.
    pub ticket_id: String,
    /// `in` or `out`.
    pub direction: &'static str,
    /// `accepted`; `duplicate`: the ticket had been used before; `stray`: it went out without being inside; `void`: the
    /// ticket, or the code that was shown, was not good any more. May change when scanners report late.
    pub verdict: &'static str,
    /// When it happened.
    pub at: String,
    /// At which gate.
    pub gate: String,
    /// With which device; empty: it is not known.
    pub device_id: String,
    /// By whom of the staff; empty: it is not known.
    pub staff_id: String,
    /// What the device calls it by; null: the host recorded it as it happened.
    pub nonce: Option<String>,
    /// The number of the code that was shown; null: the ticket was named by its id.
    pub serial: Option<u16>,
    /// The principal who reported it, as `key:<id>`.
    pub created_by: String,
    /// When it was recorded.
    pub created_at: String,
    /// The principal who took it back; null: nobody did.
    pub undone_by: Option<String>,
    /// When it was taken back; null: it was not.
    pub undone_at: Option<String>,
}

/// A ticket that somebody shows. The ticket, its code, or both are named.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValidateTicketBody {
    /// The ticket; absent: the code names it.
    pub ticket_id: String,
    /// Its code; absent: the ticket is named.
    pub qr_code: String,
    /// `in` or `out`; absent: in.
    pub direction: String,
}

/// What a ticket is worth at the gate.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidateTicketAnswer {
    /// Whether it would be let through.
    pub valid: bool,
    /// Why not, for programs, as `ALREADY_CHECKED_IN`; empty: it would.
    pub reason: String,
    /// Why not, for people; empty: it would.
    pub message: String,
    /// The ticket, without its code; null: it is none of the event's.
    pub ticket: Option<TicketBody>,
}

/// Somebody at a gate. The ticket, its code, or both are named.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckInBody {
    /// The ticket; absent: the code names it.
    pub ticket_id: String,
    /// Its code; absent: the ticket is named.
    pub qr_code: String,
    /// By whom of the staff, at most 100 characters.
    pub staff_id: String,
    /// With which device, at most 100 characters.
    pub device_id: String,
    /// At which gate, 1 to 100 characters.
    #[schema(required = true)]
    pub gate: String,
    /// `in` or `out`; absent: in.
    pub direction: String,
}

/// Somebody was let in, or out.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInAnswer {
    /// What was recorded.
    pub record: CheckInRecord,
    /// What to tell who stands at the gate.
    pub message: String,
}

/// What a device noted of somebody at a gate.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScanBody {
    /// What the device calls it by, 1 to 100 characters: reported again, it is the same.
    #[schema(required = true)]
    pub nonce: String,
    /// When it was, by the device's clock.
    #[schema(required = true)]
    pub at: String,
    /// The ticket; absent: the code names it.
    pub ticket_id: String,
    /// Its code; absent: the ticket is named.
    pub qr_code: String,
    /// `in` or `out`; absent: in.
    pub direction: String,
    /// At which gate, 1 to 100 characters.
    #[schema(required = true)]
    pub gate: String,
    /// By whom of the staff, at most 100 characters.
    pub staff_id: String,
}

/// What a device noted while it had no connection.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckInBatchBody {
    /// The device, 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub device_id: String,
    /// The scans, 1 to 500.
    #[serde(default)]
    #[schema(required = true)]
    pub scans: Vec<ScanBody>,
}

/// What became of a scan.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScanResult {
    /// What the device calls it by.
    pub nonce: String,
    /// What was recorded, whatever it was worth; null: nothing was.
    pub record: Option<CheckInRecord>,
    /// Why nothing was recorded, for programs; empty: it was.
    pub reason: String,
    /// What it was worth, or why nothing was recorded, for people.
    pub message: String,
}

/// What became of each scan, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInBatchAnswer {
    /// The results.
    pub results: Vec<ScanResult>,
}

/// One check-in.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInRecordAnswer {
    /// The check-in.
    pub record: CheckInRecord,
}

/// A page of an event's check-ins.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckInsPage {
    /// The check-ins.
    pub records: Vec<CheckInRecord>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// How many went through a gate. Check-ins that were taken back do not count.
#[derive(Debug, Serialize, ToSchema)]
pub struct GateStats {
    /// The gate.
    pub gate: String,
    /// How often somebody came in.
    pub entries: u64,
    /// How often somebody went out.
    pub exits: u64,
    /// Scans without a connection that turned out to admit nobody.
    pub refused: u64,
}

/// How many went through a gate in a minute.
#[derive(Debug, Serialize, ToSchema)]
pub struct MinuteStats {
    /// When the minute began.
    pub minute: String,
    /// The gate.
    pub gate: String,
    /// How often somebody came in.
    pub entries: u64,
    /// How often somebody went out.
    pub exits: u64,
    /// Scans without a connection that turned out to admit nobody.
    pub refused: u64,
}

/// What is known of an event's tickets and its door.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventStats {
    /// Tickets that are valid.
    pub valid: u64,
    /// Tickets that were cancelled.
    pub cancelled: u64,
    /// Tickets that were admitted at least once.
    pub admitted: u64,
    /// Holders who are inside.
    pub inside: u64,
    /// The gates, by name.
    pub gates: Vec<GateStats>,
    /// Minutes in which somebody came or went, oldest first, then by gate.
    pub minutes: Vec<MinuteStats>,
}

/// The counts of an event's door.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventStatsAnswer {
    /// The counts.
    pub stats: EventStats,
}

impl ValidateTicketBody {
    /// Who would like to go through.
    pub fn asked(self, event: EventId) -> Result<CreateCheckIn> {
        let Self { ticket_id, qr_code, direction } = self;
        WrittenCheckIn { ticket_id, qr_code, direction, ..WrittenCheckIn::default() }.read(event)
    }
}

impl CheckInBody {
    /// Who goes through.
    pub fn asked(self, event: EventId) -> Result<CreateCheckIn> {
        let Self { ticket_id, qr_code, staff_id, device_id, gate, direction } = self;
        WrittenCheckIn { ticket_id, qr_code, direction, gate, device_id, staff_id }.read(event)
    }
}

impl CheckInBatchBody {
    /// What the device noted.
    #[must_use]
    pub fn scans(self, event: EventId) -> Vec<ReportedScan> {
        let Self { device_id, scans } = self;
        scans.into_iter().map(|scan| scan.written(event, device_id.clone())).collect()
    }
}

impl ScanBody {
    fn written(self, event: EventId, device_id: String) -> ReportedScan {
        let Self { nonce, at, ticket_id, qr_code, direction, gate, staff_id } = self;
        let at = match at.as_str() {
            "" => Err(tessera_core::Error::invalid("at", "must be given")),
            at => Timestamp::parse("at", at),
        };
        let asked = WrittenCheckIn { ticket_id, qr_code, direction, gate, device_id, staff_id };
        noted(event, nonce, (at, asked))
    }
}

impl From<CheckIn> for CheckInRecord {
    fn from(held: CheckIn) -> Self {
        let (undone_by, undone_at) = held.undone.map(|undone| (undone.by, undone.at.to_string())).unzip();
        Self {
            id: held.id.to_string(),
            event_id: held.event.to_string(),
            ticket_id: held.ticket.to_string(),
            direction: held.direction.name(),
            verdict: held.verdict.name(),
            at: held.at.to_string(),
            gate: held.gate,
            device_id: held.device,
            staff_id: held.staff,
            nonce: held.nonce,
            serial: held.serial,
            created_by: held.created_by,
            created_at: held.recorded_at.to_string(),
            undone_by,
            undone_at,
        }
    }
}

impl From<CheckIn> for CheckInAnswer {
    fn from(held: CheckIn) -> Self {
        let message = told(&held).to_owned();
        Self { record: held.into(), message }
    }
}

impl From<Inspection> for ValidateTicketAnswer {
    fn from(held: Inspection) -> Self {
        let refusal = held.refusal.as_ref();
        Self {
            valid: refusal.is_none(),
            reason: text(refusal.map(|error| error.reason())).unwrap_or_default(),
            message: text(refusal.map(|error| error.message())).unwrap_or_default(),
            ticket: held.ticket.map(|held| TicketBody::new(held, None)),
        }
    }
}

impl From<MergedScan> for ScanResult {
    fn from(held: MergedScan) -> Self {
        let nonce = held.nonce;
        match held.result {
            Ok(held) => {
                let message = told(&held).to_owned();
                Self { nonce, record: Some(held.into()), reason: String::new(), message }
            }
            Err(error) => {
                let (reason, message) = (error.reason().to_owned(), error.message().to_owned());
                Self { nonce, record: None, reason, message }
            }
        }
    }
}

impl From<DoorStats> for EventStats {
    fn from(held: DoorStats) -> Self {
        let gate = |(gate, passed): (String, GateCounts)| {
            let GateCounts { entries, exits, refused } = passed;
            GateStats { gate, entries, exits, refused }
        };
        let minute = |(at, gate, passed): (Timestamp, String, GateCounts)| {
            let GateCounts { entries, exits, refused } = passed;
            MinuteStats { minute: at.to_string(), gate, entries, exits, refused }
        };
        Self {
            valid: held.valid,
            cancelled: held.cancelled,
            admitted: held.admitted,
            inside: held.inside,
            gates: held.gates.into_iter().map(gate).collect(),
            minutes: held.minutes.into_iter().map(minute).collect(),
        }
    }
}
