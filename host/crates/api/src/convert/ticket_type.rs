//! Ticket types.

use tessera_core::Result;
use tessera_core::catalog::{ChangeTicketType, TicketType, TypeStatus, WriteTicketType};
use tessera_core::id::PoolId;
use tessera_core::text::Faults;
use tessera_core::value::Money;
use tessera_core::{Error, Timestamp};
use tessera_proto::common::v1 as common;
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::{max_per_purchase, min_per_purchase, read_u64, type_etag};
use crate::convert::mask::Mask;
use crate::convert::{read_time, time, to_i32, to_i64};

/// Encodes a ticket type and its available units.
#[must_use]
pub(crate) fn ticket_type(ticket_type: TicketType, available: Option<u64>) -> pb::TicketType {
    let etag = type_etag(&ticket_type, available);
    let attributes = ticket_type.attributes;
    pb::TicketType {
        id: ticket_type.id.to_string(),
        event_id: ticket_type.event.to_string(),
        name: attributes.name,
        description: attributes.description,
        price: Some(common::Money { amount: attributes.price.amount, currency: attributes.price.currency }),
        quantity: attributes.quantity.map(to_i64),
        available_quantity: available.map(to_i64),
        max_per_purchase: to_i32(attributes.max_per_purchase.into()),
        min_per_purchase: to_i32(attributes.min_per_purchase.into()),
        valid_from: attributes.valid_from.and_then(time),
        valid_until: attributes.valid_until.and_then(time),
        status: attributes.status.name().to_owned(),
        metadata: attributes.metadata,
        pools: attributes.pools.iter().map(ToString::to_string).collect(),
        seated: ticket_type.seated,
        created_at: time(ticket_type.created_at),
        updated_at: time(ticket_type.updated_at),
        etag,
        category_prices: attributes.category_prices,
        hidden: attributes.hidden,
    }
}

/// Reads the attributes of a ticket type from either request.
macro_rules! attributes {
    ($request:ident, $faults:ident) => {
        WriteTicketType {
            name: $request.name,
            description: $request.description,
            price: money($request.price),
            category_prices: $request.category_prices,
            min_per_purchase: min_per_purchase($request.min_per_purchase, &mut $faults),
            max_per_purchase: max_per_purchase($request.max_per_purchase, &mut $faults),
            valid_from: timestamp("valid_from", $request.valid_from, &mut $faults),
            valid_until: timestamp("valid_until", $request.valid_until, &mut $faults),
            status: status(&$request.status, &mut $faults),
            metadata: $request.metadata,
            quantity: read_u64("quantity", $request.quantity, &mut $faults),
            pools: pools(&$request.pools)?,
            hidden: $request.hidden,
        }
    };
}

/// Reads a request to create a ticket type.
pub(crate) fn create(request: pb::CreateTicketTypeRequest) -> Result<WriteTicketType> {
    let mut faults = Faults::default();
    let ticket_type = attributes!(request, faults);
    faults.into_result().map(|()| ticket_type)
}

/// Reads an update of a ticket type; without a mask, every field changes.
pub(crate) fn change(mut request: pb::UpdateTicketTypeRequest) -> Result<ChangeTicketType> {
    let mask = Mask::read(request.update_mask, ChangeTicketType::FIELDS, None)?;
    if mask.keep("pools", ()).is_none() {
        request.pools.clear();
    }
    let mut faults = Faults::default();
    for (path, is_empty) in [("price", request.price.is_none()), ("status", request.status.is_empty())] {
        if mask.names(path) && is_empty {
            faults.add(path, "must be given");
        }
    }
    let ticket_type = attributes!(request, faults);
    faults.retain(mask.fields());
    faults.into_result().map(|()| ChangeTicketType::from_write(ticket_type, mask.fields()))
}

/// Reads a price; the core refuses an absent price.
fn money(price: Option<common::Money>) -> Money {
    let price = price.unwrap_or_default();
    Money { amount: price.amount, currency: price.currency }
}

/// Reads an optional timestamp.
pub(crate) fn timestamp(
    field: &str,
    at: Option<prost_types::Timestamp>,
    faults: &mut Faults,
) -> Option<Timestamp> {
    at.map(|at| read_time(field, &at)).and_then(|timestamp| faults.take(timestamp))
}

fn status(name: &str, faults: &mut Faults) -> TypeStatus {
    if name.is_empty() {
        return TypeStatus::default();
    }
    faults.take(TypeStatus::parse("status", name)).unwrap_or_default()
}

fn pools(ids: &[String]) -> Result<Vec<PoolId>> {
    let read = |(index, id): (usize, &String)| -> Result<PoolId, Error> {
        PoolId::parse(&format!("pools[{index}]"), id)
    };
    ids.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost_types::FieldMask;

    use super::*;

    #[test]
    fn create_uses_defaults() {
        let read = create(pb::CreateTicketTypeRequest::default()).unwrap();
        assert_eq!((read.min_per_purchase, read.max_per_purchase), (1, 10));
        assert_eq!((read.status, read.quantity, read.valid_from), (TypeStatus::Active, None, None));
        assert_eq!(read.price, Money { amount: 0, currency: String::new() });
    }

    #[test]
    fn categories_have_prices() {
        let prices = BTreeMap::from([("child".to_owned(), 500)]);
        let request = pb::CreateTicketTypeRequest { category_prices: prices.clone(), ..Default::default() };
        assert_eq!(create(request).unwrap().category_prices, prices);
        let request = pb::UpdateTicketTypeRequest {
            category_prices: prices.clone(),
            update_mask: Some(FieldMask { paths: vec!["category_prices".into()] }),
            ..Default::default()
        };
        let read = change(request).unwrap();
        assert_eq!((read.category_prices, read.name), (Some(prices), None));
    }

    #[test]
    fn unmasked_fields_stay() {
        let update_mask = Some(FieldMask { paths: vec!["quantity".into(), "valid_until".into()] });
        let request = pb::UpdateTicketTypeRequest { quantity: Some(7), update_mask, ..Default::default() };
        let read = change(request).unwrap();
        assert_eq!((read.quantity, read.valid_until), (Some(Some(7)), Some(None)));
        assert_eq!((read.price, read.pools, read.status), (None, None, None));
    }

    #[test]
    fn malformed_fields_are_reported() {
        let request = pb::CreateTicketTypeRequest {
            min_per_purchase: -1,
            quantity: Some(-1),
            status: "gone".into(),
            ..Default::default()
        };
        let refused = create(request).unwrap_err();
        let fields: Vec<_> = refused.faults().iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["min_per_purchase", "status", "quantity"]);
        let request = pb::CreateTicketTypeRequest { pools: vec!["p".into()], ..Default::default() };
        assert_eq!(create(request).unwrap_err().faults()[0].field, "pools[0]");
    }
}
