//! Series of events.

use tessera_core::Result;
use tessera_core::catalog::{ChangeSeries, Series, WriteSeries};
use tessera_proto::ticket::v1 as pb;

use crate::convert::mask::Mask;
use crate::convert::time;
use crate::state::etag;

/// Encodes a series.
#[must_use]
pub(crate) fn series(series: Series) -> pb::Series {
    pb::Series {
        id: series.id.to_string(),
        name: series.attributes.name,
        description: series.attributes.description,
        created_at: time(series.created_at),
        updated_at: time(series.updated_at),
        etag: etag(series.version),
    }
}

/// Reads a request to create a series.
#[must_use]
pub(crate) fn create(request: pb::CreateSeriesRequest) -> WriteSeries {
    WriteSeries { name: request.name, description: request.description }
}

/// Reads an update of a series; without a mask, every field changes.
pub(crate) fn change(request: pb::UpdateSeriesRequest) -> Result<ChangeSeries> {
    let mask = Mask::read(request.update_mask, ChangeSeries::FIELDS, None)?;
    let series = WriteSeries { name: request.name, description: request.description };
    Ok(ChangeSeries::from_write(series, mask.fields()))
}
