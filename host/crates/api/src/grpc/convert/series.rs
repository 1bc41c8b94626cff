//! Series of events.

use tessera_core::Result;
use tessera_core::catalog::{ChangeSeries, Series, WriteSeries};
use tessera_proto::ticket::v1 as pb;

use crate::grpc::convert::mask::Mask;
use crate::grpc::convert::time;
use crate::request::etag;

/// A series.
#[must_use]
pub fn series(series: Series) -> pb::Series {
    pb::Series {
        id: series.id.to_string(),
        name: series.attributes.name,
        description: series.attributes.description,
        created_at: time(series.created_at),
        updated_at: time(series.updated_at),
        etag: etag(series.version),
    }
}

/// What makes a series.
#[must_use]
pub fn create(ask: pb::CreateSeriesRequest) -> WriteSeries {
    WriteSeries { name: ask.name, description: ask.description }
}

/// What changes a series; without a mask, all of it.
pub fn change(ask: pb::UpdateSeriesRequest) -> Result<ChangeSeries> {
    let mask = Mask::read(ask.update_mask, &["name", "description"], None)?;
    Ok(ChangeSeries {
        name: mask.keep("name", ask.name),
        description: mask.keep("description", ask.description),
    })
}
