//! The fields that clients write of an object, declared once: a `Write*` struct with all fields, a `Change*` struct
//! in which each may be absent, the list of their names, and the choice of fields by an update mask.

/// The fields that an update changes, by the names that clients use.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum FieldMask {
    /// Every field.
    All,
    /// Only these; empty: none.
    Only(Vec<String>),
}

impl FieldMask {
    /// Whether the update changes the field.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|only| only == name),
        }
    }
}

/// Lists the names of fields: the field's own name, or those that follow `as`.
macro_rules! field_names {
    (@ [$($name:expr,)*]) => { [$($name,)*] };
    (@ [$($name:expr,)*] $field:ident as $($alias:literal)|+, $($rest:tt)*) => {
        $crate::input::field_names!(@ [$($name,)* $($alias,)+] $($rest)*)
    };
    (@ [$($name:expr,)*] $field:ident, $($rest:tt)*) => {
        $crate::input::field_names!(@ [$($name,)* stringify!($field),] $($rest)*)
    };
    ($($fields:tt)*) => { $crate::input::field_names!(@ [] $($fields)*) };
}

/// Declares a `Write*` and a `Change*` struct with the same fields. Clients know a field by its own name, or by
/// the names that follow `as` where one field is several for them or has another name.
macro_rules! input {
    ($(#[$doc:meta])* $write:ident, $(#[$change_doc:meta])* $change:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty $(as $($alias:literal)|+)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub struct $write {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        $(#[$change_doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
        pub struct $change {
            $($(#[$field_doc])* pub $field: Option<$type>,)*
        }

        impl $write {
            /// The names of the fields, as clients use them.
            pub const FIELDS: &'static [&'static str] =
                &$crate::input::field_names!($($field $(as $($alias)|+)?,)*);
        }

        impl $change {
            /// The names of the fields, as clients use them.
            pub const FIELDS: &'static [&'static str] = $write::FIELDS;

            /// Takes from `write` the fields that the mask contains.
            #[must_use]
            pub fn from_write(write: $write, mask: &$crate::input::FieldMask) -> Self {
                Self::from(write).retain(mask)
            }

            /// Drops the fields that the mask does not contain. A field with several names stays if the mask
            /// contains one of them.
            #[must_use]
            pub fn retain(self, mask: &$crate::input::FieldMask) -> Self {
                Self {
                    $($field: self.$field.filter(|_| {
                        $crate::input::field_names!($field $(as $($alias)|+)?,)
                            .iter()
                            .any(|name| mask.contains(name))
                    }),)*
                }
            }

            /// Returns the fields after the change.
            #[must_use]
            pub fn apply_to(self, before: &$write) -> $write {
                $write { $($field: self.$field.unwrap_or_else(|| before.$field.clone()),)* }
            }
        }

        impl From<$write> for $change {
            fn from(write: $write) -> Self {
                Self { $($field: Some(write.$field),)* }
            }
        }
    };
}

pub(crate) use {field_names, input};

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro declares public types, here for the test alone")]
mod tests {
    use super::FieldMask;

    input! {
        /// All fields.
        WriteShape,
        /// Some fields.
        ChangeShape {
            /// Its own name.
            name: String,
            /// Another name for clients.
            color: Option<u8> as "colour",
            /// Two names for clients.
            point: (i64, i64) as "x" | "y",
        }
    }

    fn shape() -> WriteShape {
        WriteShape { name: "a".into(), color: None, point: (1, 2) }
    }

    fn only(names: &[&str]) -> FieldMask {
        FieldMask::Only(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn fields_are_listed_by_the_names_that_clients_use() {
        assert_eq!(WriteShape::FIELDS, ["name", "colour", "x", "y"]);
        assert_eq!(ChangeShape::FIELDS, WriteShape::FIELDS);
    }

    #[test]
    fn mask_keeps_only_the_fields_that_it_names() {
        let change = ChangeShape::from_write(shape(), &only(&["colour"]));
        assert_eq!(change, ChangeShape { color: Some(None), ..ChangeShape::default() });
        let change = ChangeShape::from_write(shape(), &only(&["y"]));
        assert_eq!(change, ChangeShape { point: Some((1, 2)), ..ChangeShape::default() });
        assert_eq!(ChangeShape::from_write(shape(), &only(&[])), ChangeShape::default());
        assert_eq!(ChangeShape::from_write(shape(), &FieldMask::All), ChangeShape::from(shape()));
    }

    #[test]
    fn change_leaves_absent_fields_as_they_were() {
        let change = ChangeShape { name: Some("b".into()), ..ChangeShape::default() };
        assert_eq!(change.apply_to(&shape()), WriteShape { name: "b".into(), ..shape() });
    }
}
