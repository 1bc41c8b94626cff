//! Venues, series, events and ticket types.
//!
//! Counts of units are in `inventory`; nothing here changes them.

pub mod event;
pub mod events;
pub mod geo;
pub mod series;
pub mod series_service;
pub mod ticket_type;
pub mod ticket_types;
pub mod time_zone;
pub mod venue;
pub mod venues;

pub use event::{ChangeEvent, Event, EventStatus, WriteEvent};
pub use events::Events;
pub use geo::GeoPoint;
pub use series::{ChangeSeries, Series, WriteSeries};
pub use series_service::SeriesService;
pub use ticket_type::{ChangeTicketType, TicketType, TypeStatus, WriteTicketType};
pub use ticket_types::TicketTypes;
pub use venue::{ChangeVenue, Venue, WriteVenue};
pub use venues::Venues;
