//! Comments and links of issues.

use tessera_core::tracker::{Comment, Link, Relation};
use tessera_proto::issues::v1 as pb;

use crate::convert::fact::actor;
use crate::convert::names::WireEnum as _;
use crate::convert::time;
use crate::state::etag;

/// Encodes a comment.
#[must_use]
pub(crate) fn comment(comment: Comment) -> pb::Comment {
    pb::Comment {
        comment_id: comment.id.to_string(),
        issue_id: comment.issue.to_string(),
        author: Some(actor(&comment.author)),
        body: comment.body,
        created_at: time(comment.created_at),
        edited_at: comment.edited_at.and_then(time),
        etag: etag(comment.version),
    }
}

/// Encodes a link, from the side of one of its issues.
#[must_use]
pub(crate) fn link(link: &Link) -> pb::Link {
    let created_at = match link.relation {
        // Parents are a field of the child, so the time is only in its history.
        Relation::Parent | Relation::Child => None,
        Relation::Blocks
        | Relation::BlockedBy
        | Relation::Duplicates
        | Relation::DuplicatedBy
        | Relation::Relates => time(link.created_at),
    };
    pb::Link {
        issue_id: link.issue.to_string(),
        kind: link.relation.number(),
        other_id: link.other.to_string(),
        created_at,
    }
}
