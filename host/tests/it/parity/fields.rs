//! Which fields of the answers' messages had a value that is not their default.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

use crate::operations::rpc;

/// Fields that no answer of the table sets, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("plugin.v1.CreateInstallationResponse.lagging_hosts", LAGGING),
    ("plugin.v1.UpdateInstallationResponse.lagging_hosts", LAGGING),
    ("plugin.v1.RollbackInstallationResponse.lagging_hosts", LAGGING),
    ("plugin.v1.DeleteInstallationResponse.lagging_hosts", LAGGING),
    ("plugin.v1.Timer.parked", PARKED),
    ("plugin.v1.RetryInstallationTimersResponse.timers", PARKED),
    ("ticket.v1.QuoteAdjustment.attributes", ATTRIBUTES),
];

const LAGGING: &str = "a host in memory has no other hosts; see plugins::lifecycle::stopped_host_lags";

const PARKED: &str = "a timer is parked after an hour of failures; \
    see plugins::timers::failing_timer_is_parked_listed_and_retried_on_request";

const ATTRIBUTES: &str =
    "no plugin of the repository sets attributes; see convert::pricing::tests in tessera-api";

/// The names of all fields whose values are names of an enum.
pub(super) fn enums() -> &'static BTreeSet<String> {
    static ENUMS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let pool = rpc::pool();
        let fields = pool.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>());
        fields
            .filter(|field| matches!(field.kind(), Kind::Enum(_)))
            .map(|field| field.name().to_owned())
            .collect()
    });
    &ENUMS
}

/// Adds the fields of a message that have another value than their default, as `package.Message.field`.
pub(super) fn set(message: &DynamicMessage, found: &mut BTreeSet<String>) {
    for (field, value) in message.fields() {
        if !value.is_default(&field.kind()) || field.is_list() || field.is_map() {
            found.insert(field.full_name().to_owned());
        }
        match value {
            Value::Message(inner) => set(inner, found),
            Value::List(list) => {
                list.iter().filter_map(Value::as_message).for_each(|inner| set(inner, found))
            }
            Value::Map(map) => map.values().filter_map(Value::as_message).for_each(|inner| set(inner, found)),
            _ => {}
        }
    }
}

/// Fails unless every field of every answer was found, or is an exception that was not.
pub(super) fn assert_complete(found: &BTreeSet<String>) {
    let mut messages = BTreeSet::new();
    let mut fields = BTreeSet::new();
    for service in rpc::pool().services() {
        for method in service.methods() {
            add(&method.output(), &mut messages, &mut fields);
        }
    }
    let excepted: BTreeSet<_> = EXCEPTIONS.iter().map(|(field, _)| (*field).to_owned()).collect();
    let missing: Vec<_> =
        fields.iter().filter(|field| !found.contains(*field) && !excepted.contains(*field)).collect();
    assert!(missing.is_empty(), "no answer sets {missing:#?}: add a call to the table of operations");
    let needless: Vec<_> =
        excepted.iter().filter(|field| found.contains(*field) || !fields.contains(*field)).collect();
    assert!(needless.is_empty(), "no exceptions any more: {needless:#?}");
}

/// Adds the fields of a message and of the messages in it.
fn add(message: &MessageDescriptor, messages: &mut BTreeSet<String>, fields: &mut BTreeSet<String>) {
    if message.is_map_entry() {
        if let Kind::Message(inner) = message.map_entry_value_field().kind() {
            add(&inner, messages, fields);
        }
        return;
    }
    if message.full_name().starts_with("google.") || !messages.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        fields.insert(field.full_name().to_owned());
        if let Kind::Message(inner) = field.kind() {
            add(&inner, messages, fields);
        }
    }
}
