//! The model of users.

use crate::filter::{Kind, Spec};
use crate::id::UserId;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot};

/// A user.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// The given name.
    pub first_name: String,
    /// The family name.
    pub last_name: String,
    /// The e-mail address, unique in the tenant regardless of case.
    pub email: String,
    /// Whether the user can be assigned, and can use the API keys that are bound to it.
    pub is_active: bool,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Its version.
    pub version: u64,
}

/// The filters and orders of lists of users.
pub const SPEC: Spec = Spec {
    fields: &[
        ("name", Kind::Text),
        ("email", Kind::Text),
        ("active", Kind::Boolean),
        ("created", Kind::Time),
        ("modified", Kind::Time),
    ],
    orders: &["created", "modified", "email", "last_name"],
};

/// The largest page of users.
pub const MAX_PAGE: u32 = 100;

impl Snapshot for User {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("first_name", self.first_name.as_str()),
            Field::new("last_name", self.last_name.as_str()),
            Field::new("email_address", self.email.as_str()),
            Field::new("is_active", self.is_active),
        ]
    }
}

impl User {
    /// Checks the fields that clients write; `at` precedes their names.
    pub fn check(&self, at: &str, faults: &mut Faults) {
        faults.text(&format!("{at}first_name"), &self.first_name, 1, 50);
        faults.text(&format!("{at}last_name"), &self.last_name, 1, 50);
        if !is_email(&self.email) {
            faults.add(&format!("{at}email_address"), "is not an e-mail address such as ada@example.com");
        }
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain =
        |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | '<' | '>' | ',' | ';' | '"');
    let labels = domain.split('.');
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && local.chars().all(plain)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && labels.clone().count() >= 2
        && labels.into_iter().all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_has_local_part_and_domain() {
        for good in ["a@b.cd", "ada.lovelace+x@example.co.uk", "jörg@müller.de", "o'neil@example.com"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b.cd",
            "a@b",
            "a b@c.de",
            "a@b@c.de",
            "a@.cd",
            "a@b..cd",
            "a@-b.cd",
            "a\n@b.cd",
            ".a@b.cd",
            "a..b@c.de",
            "<a@b.cd>",
            "a@b.cd,",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
