//! Users as JSON, in the two versions of the API.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::text::Faults;
use tessera_core::tracker::{ChangeUser, CreateUser, User};
use utoipa::ToSchema;

use crate::request::etag;
use crate::rest::dto::patch::Patch;

/// A user, in version 1.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserV1 {
    /// Its id.
    pub user_id: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Address, unique in the tenant whatever its case.
    pub email_address: String,
    /// Names this version, for `If-Match`.
    pub etag: String,
}

/// A user, in version 2.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserV2 {
    /// Its id.
    pub user_id: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Address, unique in the tenant whatever its case.
    pub email_address: String,
    /// Whether it may be assigned, and may use the keys that are bound to it.
    pub is_active: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version, for `If-Match`.
    pub etag: String,
}

/// What makes a user, or replaces all of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserBody {
    /// Given name, 1 to 50 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub first_name: String,
    /// Family name, 1 to 50 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub last_name: String,
    /// Address, unique in the tenant whatever its case.
    #[serde(default)]
    #[schema(required = true)]
    pub email_address: String,
}

/// What changes a user; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// Given name, 1 to 50 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub first_name: Patch<String>,
    /// Family name, 1 to 50 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub last_name: Patch<String>,
    /// Address, unique in the tenant whatever its case.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub email_address: Patch<String>,
}

/// Several users to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkUsersBody {
    /// 1 to 100 users; all are made, or none.
    #[serde(default)]
    pub users: Vec<UserBody>,
}

/// One user, in version 1.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserV1Answer {
    /// The user.
    pub user: UserV1,
}

/// One user, in version 2.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserV2Answer {
    /// The user.
    pub user: UserV2,
}

/// A page of users, in version 1.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsersV1Page {
    /// The users.
    pub users: Vec<UserV1>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// A page of users, in version 2.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsersV2Page {
    /// The users.
    pub users: Vec<UserV2>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// Users that were made together.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsersV2Answer {
    /// The users, in the order of the request.
    pub users: Vec<UserV2>,
}

impl From<User> for UserV1 {
    fn from(user: User) -> Self {
        Self {
            user_id: user.id.to_string(),
            first_name: user.first_name,
            last_name: user.last_name,
            email_address: user.email,
            etag: etag(user.version),
        }
    }
}

impl From<User> for UserV2 {
    fn from(user: User) -> Self {
        Self {
            user_id: user.id.to_string(),
            first_name: user.first_name,
            last_name: user.last_name,
            email_address: user.email,
            is_active: user.is_active,
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
            etag: etag(user.version),
        }
    }
}

impl From<UserBody> for CreateUser {
    fn from(body: UserBody) -> Self {
        Self { first_name: body.first_name, last_name: body.last_name, email: body.email_address }
    }
}

impl From<UserBody> for ChangeUser {
    fn from(body: UserBody) -> Self {
        Self {
            first_name: Some(body.first_name),
            last_name: Some(body.last_name),
            email: Some(body.email_address),
        }
    }
}

impl UserPatch {
    /// The command.
    pub fn command(self) -> Result<ChangeUser> {
        let mut faults = Faults::default();
        let command = ChangeUser {
            first_name: self.first_name.kept("first_name", &mut faults),
            last_name: self.last_name.kept("last_name", &mut faults),
            email: self.email_address.kept("email_address", &mut faults),
        };
        faults.into_result().map(|()| command)
    }
}
