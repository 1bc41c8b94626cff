//! Series: events that belong together, such as the nights of a tour.

use crate::error::Result;
use crate::filter::{Kind, Spec};
use crate::id::SeriesId;
use crate::input::input;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot};

input! {
    /// The attributes of a series that clients write.
    WriteSeries,
    /// A change of a series; absent attributes stay as they are.
    ChangeSeries {
        /// Its name.
        name: String,
        /// Its description.
        description: String,
    }
}

/// A series of events.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Series {
    /// Its id.
    pub id: SeriesId,
    /// The attributes that clients write.
    pub attributes: WriteSeries,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change.
    pub version: u64,
}

/// The filters and orders of lists of series.
pub const SPEC: Spec = Spec {
    fields: &[("name", Kind::Text), ("created", Kind::Time), ("modified", Kind::Time)],
    orders: &["created", "modified", "name"],
};

/// The largest page of series.
pub const MAX_PAGE: u32 = 200;

impl WriteSeries {
    /// Checks what clients may write.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("name", &self.name, 1, 255);
        faults.text("description", &self.description, 0, 10_000);
        faults.into_result()
    }
}

impl Snapshot for Series {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("name", self.attributes.name.as_str()),
            Field::new("description", self.attributes.description.as_str()),
        ]
    }
}
