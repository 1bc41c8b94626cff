//! What admission is sold to: venues, series, events and their ticket types.
//!
//! Counts of what is left are in `inventory`; nothing here changes them.

pub mod event;
pub mod events;
pub mod place;
pub mod series;
pub mod ticket_type;
pub mod ticket_types;
pub mod venue;

pub use event::{ChangeEvent, Event, EventStatus, WriteEvent};
pub use events::Events;
pub use place::Place;
pub use series::{ChangeSeries, Series, WriteSeries};
pub use ticket_type::{ChangeTicketType, TicketType, TypeStatus, WriteTicketType};
pub use ticket_types::TicketTypes;
pub use venue::{ChangeVenue, Venue, WriteVenue};
