//! Users, in both versions of the contract.

use tessera_core::Result;
use tessera_core::tracker::{ChangeUser, CreateUser, User};
use tessera_proto::user::{v1, v2};

use crate::convert::mask::Mask;
use crate::convert::time;
use crate::state::etag;

const PATHS: [&str; 3] = ["first_name", "last_name", "email_address"];

/// Encodes a user, in version 1.
#[must_use]
pub(crate) fn user_v1(user: User) -> v1::User {
    v1::User {
        user_id: user.id.to_string(),
        first_name: user.first_name,
        last_name: user.last_name,
        email_address: user.email,
        etag: etag(user.version),
    }
}

/// Encodes a user, in version 2.
#[must_use]
pub(crate) fn user_v2(user: User) -> v2::User {
    v2::User {
        user_id: user.id.to_string(),
        first_name: user.first_name,
        last_name: user.last_name,
        email_address: user.email,
        is_active: user.is_active,
        created_at: time(user.created_at),
        updated_at: time(user.updated_at),
        etag: etag(user.version),
    }
}

/// Reads a request to create a user, in version 1.
#[must_use]
pub(crate) fn create_v1(request: v1::CreateUserRequest) -> CreateUser {
    CreateUser { first_name: request.first_name, last_name: request.last_name, email: request.email_address }
}

/// Reads a request to create a user, in version 2.
#[must_use]
pub(crate) fn create_v2(request: v2::CreateUserRequest) -> CreateUser {
    CreateUser { first_name: request.first_name, last_name: request.last_name, email: request.email_address }
}

/// Reads an update of a user, in version 1; without a mask, every field changes.
pub(crate) fn change_v1(request: v1::UpdateUserRequest) -> Result<ChangeUser> {
    let mask = Mask::read(request.update_mask, &PATHS, None)?;
    Ok(change(&mask, [request.first_name, request.last_name, request.email_address]))
}

/// Reads an update of a user, in version 2; without a mask, every field changes.
pub(crate) fn change_v2(request: v2::UpdateUserRequest) -> Result<ChangeUser> {
    let mask = Mask::read(request.update_mask, &PATHS, None)?;
    Ok(change(&mask, [request.first_name, request.last_name, request.email_address]))
}

fn change(mask: &Mask, [first_name, last_name, email]: [String; 3]) -> ChangeUser {
    ChangeUser {
        first_name: mask.keep("first_name", first_name),
        last_name: mask.keep("last_name", last_name),
        email: mask.keep("email_address", email),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::FieldMask;

    fn request(paths: Option<&[&str]>) -> v1::UpdateUserRequest {
        let paths = paths.map(|paths| paths.iter().map(|&path| path.to_owned()).collect());
        let update_mask = paths.map(|paths| FieldMask { paths });
        v1::UpdateUserRequest { first_name: "Ada".into(), update_mask, ..Default::default() }
    }

    #[test]
    fn unmasked_update_replaces_the_user() {
        let change = change_v1(request(None)).unwrap();
        let fields = [change.first_name, change.last_name, change.email];
        assert_eq!(fields.map(Option::unwrap), ["Ada", "", ""]);
    }

    #[test]
    fn masked_update_changes_only_the_masked_fields() {
        let change = change_v1(request(Some(&["first_name"]))).unwrap();
        assert_eq!((change.first_name.as_deref(), change.last_name, change.email), (Some("Ada"), None, None));
        assert!(change_v1(request(Some(&["is_active"]))).is_err());
    }
}
