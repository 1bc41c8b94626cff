//! What a client writes of an object, and what changes it: the same fields, each of which may be absent.

macro_rules! written {
    ($(#[$doc:meta])* $write:ident, $(#[$change_doc:meta])* $change:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
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

        impl $change {
            /// The fields after the change.
            #[must_use]
            pub fn of(self, before: &$write) -> $write {
                $write { $($field: self.$field.unwrap_or_else(|| before.$field.clone()),)* }
            }
        }

        impl From<$write> for $change {
            fn from(whole: $write) -> Self {
                Self { $($field: Some(whole.$field),)* }
            }
        }
    };
}

pub(super) use written;
