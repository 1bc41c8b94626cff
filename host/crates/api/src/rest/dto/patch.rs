//! The members of a JSON merge patch: absent, null, or a value.

use serde::{Deserialize, Deserializer};
use tessera_core::Result;
use tessera_core::text::Faults;

/// One member.
#[derive(Clone, Debug, Default)]
pub enum Patch<T> {
    /// It is not in the patch: nothing changes.
    #[default]
    Absent,
    /// It is null: what there is goes.
    Null,
    /// It is given: it takes the place of what there is.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

impl<T> Patch<T> {
    /// What becomes of something that cannot be removed; null is a fault.
    pub fn kept(self, field: &str, faults: &mut Faults) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Value(value) => Some(value),
            Self::Null => {
                faults.add(field, "cannot be removed");
                None
            }
        }
    }

    /// Whether the patch says anything of it.
    #[must_use]
    pub fn is_named(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The same with its value read.
    pub fn read<U>(self, read: impl FnOnce(T) -> Result<U>) -> Result<Patch<U>> {
        Ok(match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(read(value)?),
        })
    }

    /// What becomes of something that may be absent.
    pub fn optional(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        a: Patch<String>,
    }

    fn read(json: &str) -> Patch<String> {
        serde_json::from_str::<Body>(json).unwrap().a
    }

    #[test]
    fn absent_null_and_a_value_are_told_apart() {
        assert_eq!(read("{}").optional(), None);
        assert_eq!(read(r#"{"a":null}"#).optional(), Some(None));
        assert_eq!(read(r#"{"a":"x"}"#).optional(), Some(Some("x".into())));
    }

    #[test]
    fn what_must_be_there_cannot_be_removed() {
        let mut faults = Faults::default();
        assert_eq!(read(r#"{"a":null}"#).kept("a", &mut faults), None);
        assert!(faults.into_result().is_err());
    }
}
