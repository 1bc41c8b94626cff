//! Core types as JSON: values of fields, schemes, plugin manifests, and the answers that are recorded for
//! idempotency keys. Core itself does not depend on JSON.

mod admission;
mod answer;
mod booking;
mod catalog;
mod plugin;
mod pricing;
mod promotion;
mod reservation;
mod scalar;
mod scheme;
mod tenancy;
mod tracker;
mod value;

pub(crate) use admission::{ticket_state, verdict};
pub(crate) use answer::{StoredAnswer, answer, stored_answer};
pub(crate) use booking::{StoredRequestedLine, booking_state, requested_line, stored_requested_line};
pub(crate) use catalog::pool_sort;
pub(crate) use plugin::{
    StoredCommands, StoredFootprint, StoredLimits, StoredMachines, StoredManifest, StoredReleaseRef,
    commands, footprint, hooks, limits, machines, manifest, on_failure, release_ref, scope, stored_commands,
    stored_footprint, stored_hooks, stored_limits, stored_machines, stored_manifest, stored_release_ref,
};
pub(crate) use pricing::{
    StoredDisplayedPrice, StoredPricingRule, StoredQuote, StoredQuoteContent, StoredRuleTerms,
    displayed_price, pricing_rule, quote, stored_displayed_price, stored_quote_content, stored_rule_terms,
};
pub(crate) use promotion::{StoredPromotion, StoredPromotionTerms, promotion, stored_promotion_terms};
pub(crate) use reservation::{
    StoredCodeUse, StoredLine, StoredReservation, StoredUnit, code_use, line, reservation, reservation_state,
    stored_code_use, stored_line, stored_unit, unit,
};
pub(crate) use scalar::{corrupt, moment, signed, small, tiny, unsigned};
pub(crate) use scheme::{StoredScheme, scheme, stored_scheme};
pub(crate) use tenancy::tenant_state;
pub(crate) use value::{
    StoredChange, StoredFields, changes, fields, roles, stored_changes, stored_fields, stored_roles,
};
