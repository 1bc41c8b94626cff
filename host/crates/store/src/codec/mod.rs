//! How the core's types are kept as JSON: values of fields, schemes, what plugins say of themselves, and
//! the answers that are recorded for idempotency keys. The core's own types know nothing of JSON.

mod admission;
mod answer;
mod booking;
mod catalog;
mod plugin;
mod reservation;
mod scheme;
mod value;

use tessera_core::tenancy::TenantState;
use tessera_core::{Error, Result, Timestamp};

pub(crate) use admission::{
    CheckInForm, SigningKeyForm, TicketForm, check_in, check_in_form, signing_key, signing_key_form, ticket,
    ticket_form, ticket_state, verdict,
};
pub(crate) use answer::{AnswerForm, answer, answer_form};
pub(crate) use booking::{
    AskedLineForm, BookingForm, QueueForm, TenantHoldsForm, asked_line, asked_line_form, booking,
    booking_form, booking_state, queue, queue_form, tenant_holds, tenant_holds_form,
};
pub(crate) use catalog::{
    EventForm, LockForm, PoolForm, SeriesForm, TicketTypeForm, VenueForm, event, event_form, lock, lock_form,
    pool, pool_form, pool_sort, series, series_form, ticket_type, ticket_type_form, venue, venue_form,
};
pub(crate) use plugin::{
    CommandsForm, FootprintForm, InstallationForm, LimitsForm, MachinesForm, ManifestForm, ReleaseForm,
    ReleaseRefForm, TimerForm, commands, commands_form, footprint, footprint_form, hooks, hooks_form,
    installation, installation_form, limits, limits_form, machines, machines_form, manifest, manifest_form,
    on_failure, release, release_form, release_ref, release_ref_form, timer, timer_form,
};
pub(crate) use reservation::{
    LineForm, ReservationForm, UnitForm, line, line_form, reservation, reservation_form, reservation_state,
    unit, unit_form,
};
pub(crate) use scheme::{MachineForm, SchemeForm, machine, machine_form, scheme, scheme_form};
pub(crate) use value::{
    AttributesForm, ChangeForm, FieldsForm, attributes, attributes_form, change_forms, changes, fields,
    fields_form, roles, roles_form,
};

/// Something stored cannot be read.
pub(crate) fn corrupt(what: &str, found: impl std::fmt::Debug) -> Error {
    Error::internal(anyhow::anyhow!("the store holds {found:?} where {what} is expected"))
}

/// Versions, counts and numbers as the databases keep them.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same, read.
pub(crate) fn unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| corrupt("a count", number))
}

/// A small number, read.
pub(crate) fn small(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| corrupt("a small number", number))
}

/// A number of two bytes, read.
pub(crate) fn tiny(number: i64) -> Result<u16> {
    u16::try_from(number).map_err(|_| corrupt("a number of two bytes", number))
}

/// A moment from its microseconds.
pub(crate) fn moment(micros: i64) -> Result<Timestamp> {
    Timestamp::from_micros(micros).ok_or_else(|| corrupt("a time", micros))
}

/// A tenant's state from its name.
pub(crate) fn tenant_state(name: &str) -> Result<TenantState> {
    let known = [TenantState::Active, TenantState::Suspended];
    known.into_iter().find(|state| state.name() == name).ok_or_else(|| corrupt("a tenant's state", name))
}
