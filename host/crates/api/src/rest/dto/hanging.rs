//! What hangs on issues, as JSON: comments, labels, links and watchers.

use serde::{Deserialize, Serialize};
use tessera_core::tracker::{Comment, Link};
use utoipa::ToSchema;

use crate::request::etag;
use crate::rest::dto::fact::ActorBody;
use crate::rest::dto::text;

/// A comment.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommentBody {
    /// Its id.
    pub comment_id: String,
    /// The issue that it is on.
    pub issue_id: String,
    /// Who wrote it.
    pub author: ActorBody,
    /// What it says.
    pub body: String,
    /// When it was written.
    pub created_at: String,
    /// When it was last edited.
    pub edited_at: Option<String>,
    /// Names this version, for `If-Match`.
    pub etag: String,
}

/// What a comment says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteComment {
    /// 1 to 10,000 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub body: String,
}

/// One comment.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommentAnswer {
    /// The comment.
    pub comment: CommentBody,
}

/// A page of comments, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommentsPage {
    /// The comments.
    pub comments: Vec<CommentBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// A label to put on an issue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelBody {
    /// 1 to 50 characters without spaces, commas and quotes.
    #[serde(default)]
    #[schema(required = true)]
    pub label: String,
}

/// A link, as seen from one of its two issues.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkBody {
    /// From where it is seen.
    pub issue_id: String,
    /// What that issue is to the other: `blocks`, `blocked_by`, `duplicates`, `duplicated_by`, `relates`,
    /// `parent` (the other is its parent) or `child`.
    pub kind: String,
    /// The other issue.
    pub other_id: String,
    /// When it was made.
    pub created_at: String,
}

/// A link to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteLink {
    /// `blocks`, `blocked_by`, `duplicates`, `duplicated_by`, `relates`, `parent` or `child`.
    #[serde(default)]
    #[schema(required = true)]
    pub kind: String,
    /// The other issue.
    #[serde(default)]
    #[schema(required = true)]
    pub other_id: String,
}

/// One link.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkAnswer {
    /// The link.
    pub link: LinkBody,
}

/// An issue's links.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinksAnswer {
    /// The links.
    pub links: Vec<LinkBody>,
}

/// Who shall watch.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatcherBody {
    /// A user's id, or `me`; absent: `me`.
    #[serde(default)]
    pub user_id: Option<String>,
}

/// Who watches an issue.
#[derive(Debug, Serialize, ToSchema)]
pub struct WatchersAnswer {
    /// The users.
    pub user_ids: Vec<String>,
}

impl From<Comment> for CommentBody {
    fn from(comment: Comment) -> Self {
        Self {
            comment_id: comment.id.to_string(),
            issue_id: comment.issue.to_string(),
            author: (&comment.author).into(),
            body: comment.body,
            created_at: comment.created_at.to_string(),
            edited_at: text(comment.edited_at),
            etag: etag(comment.version),
        }
    }
}

impl From<Link> for LinkBody {
    fn from(link: Link) -> Self {
        Self {
            issue_id: link.issue.to_string(),
            kind: link.relation.name().to_owned(),
            other_id: link.other.to_string(),
            created_at: link.created_at.to_string(),
        }
    }
}
