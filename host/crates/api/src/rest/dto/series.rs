//! Series of events as JSON.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::catalog::{ChangeSeries, Series, WriteSeries};
use tessera_core::text::Faults;
use utoipa::ToSchema;

use crate::request::etag;
use crate::rest::dto::patch::Patch;

/// Events that belong together, as the nights of one tour.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesBody {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// What makes a series, or replaces all of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteSeriesBody {
    /// 1 to 255 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
    /// At most 10,000 characters.
    #[serde(default)]
    pub description: String,
}

/// What changes a series; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesPatch {
    /// 1 to 255 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// At most 10,000 characters; null empties it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
}

/// One series.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesAnswer {
    /// The series.
    pub series: SeriesBody,
}

/// A page of series.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesPage {
    /// The series.
    pub series: Vec<SeriesBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

impl From<Series> for SeriesBody {
    fn from(series: Series) -> Self {
        Self {
            id: series.id.to_string(),
            name: series.attributes.name,
            description: series.attributes.description,
            created_at: series.created_at.to_string(),
            updated_at: series.updated_at.to_string(),
            etag: etag(series.version),
        }
    }
}

impl From<WriteSeriesBody> for WriteSeries {
    fn from(body: WriteSeriesBody) -> Self {
        Self { name: body.name, description: body.description }
    }
}

impl SeriesPatch {
    /// The command.
    pub fn command(self) -> Result<ChangeSeries> {
        let mut faults = Faults::default();
        let command = ChangeSeries {
            name: self.name.kept("name", &mut faults),
            description: self.description.optional().map(Option::unwrap_or_default),
        };
        faults.into_result().map(|()| command)
    }
}
