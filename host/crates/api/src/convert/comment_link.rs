//! What hangs on issues: comments and links.

use tessera_core::tracker::{Comment, Link, Relation};
use tessera_proto::issues::v1 as pb;

use crate::convert::fact::actor;
use crate::convert::{names, time};
use crate::state::etag;

/// A comment.
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

/// A link, as seen from one of its two issues.
#[must_use]
pub(crate) fn link(link: &Link) -> pb::Link {
    let created_at = match link.relation {
        // These are fields of the child; when they were set is in its history.
        Relation::Parent | Relation::Child => None,
        Relation::Blocks
        | Relation::BlockedBy
        | Relation::Duplicates
        | Relation::DuplicatedBy
        | Relation::Relates => time(link.created_at),
    };
    pb::Link {
        issue_id: link.issue.to_string(),
        kind: names::relation(link.relation),
        other_id: link.other.to_string(),
        created_at,
    }
}
