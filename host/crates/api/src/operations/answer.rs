//! The answer of an operation.

use tessera_proto::issues::v1::{Comment, Issue};
use tessera_proto::plugin::v1::{Installation, Release};
use tessera_proto::project::v1::{Project, Scheme};
use tessera_proto::tenancy::v1::{Key, Tenant};
use tessera_proto::ticket::v1::{
    Booking, CheckInRecord, Event, HoldRules, Lock, Pool, PricingRule, Promotion, Quote, Reservation, Series,
    SigningKey, Ticket, TicketType, Venue,
};
use tessera_proto::user::{v1, v2};

/// A response message, with the id and the entity tag of the resource in it.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// The message.
    pub(crate) body: T,
    /// The entity tag of the resource, without quotes.
    pub(crate) etag: Option<String>,
    /// The id of the resource.
    pub(crate) id: Option<String>,
}

/// A message that represents one resource.
pub(crate) trait Resource {
    /// Its id, if it has one.
    fn id(&self) -> Option<&str>;
    /// Its entity tag, if it has versions.
    fn etag(&self) -> Option<&str>;
}

impl<T> Answer<T> {
    /// Creates an answer without an entity tag.
    pub(crate) fn new(body: T) -> Self {
        Self { body, etag: None, id: None }
    }

    /// Creates an answer with the id and the entity tag of its resource.
    pub(crate) fn of<R: Resource>(resource: R, wrap: impl FnOnce(Option<R>) -> T) -> Self {
        let (id, etag) = (resource.id().map(str::to_owned), resource.etag().map(str::to_owned));
        Self { body: wrap(Some(resource)), etag, id }
    }

    /// Creates an answer with an entity tag.
    pub(crate) fn tagged(etag: &str, body: T) -> Self {
        Self { etag: Some(etag.to_owned()), ..Self::new(body) }
    }
}

macro_rules! resources {
    ($($message:ty: $($id:ident)?, $($etag:ident)?;)*) => {$(
        impl Resource for $message {
            fn id(&self) -> Option<&str> {
                resources!(@field self $($id)?)
            }

            fn etag(&self) -> Option<&str> {
                resources!(@field self $($etag)?)
            }
        }
    )*};
    (@field $message:ident) => { None };
    (@field $message:ident $field:ident) => { Some(&$message.$field) };
}

resources! {
    Booking: id, etag;
    CheckInRecord: id, ;
    Comment: comment_id, etag;
    Event: id, etag;
    HoldRules: , etag;
    Installation: installation_id, etag;
    Issue: issue_id, etag;
    Key: id, etag;
    Lock: id, ;
    Pool: id, etag;
    PricingRule: id, etag;
    Project: project_id, etag;
    Promotion: id, etag;
    Quote: id, ;
    Release: digest, ;
    Reservation: id, etag;
    Scheme: , etag;
    Series: id, etag;
    SigningKey: , ;
    Tenant: id, etag;
    Ticket: id, etag;
    TicketType: id, etag;
    Venue: id, etag;
    v1::User: user_id, etag;
    v2::User: user_id, etag;
}
