//! Conversions between enums of the protos and names of the domain. Built-in names have numbers; other names are text.

use tessera_core::access::Role;
use tessera_core::plugin::{Hook, OnFailure};
use tessera_core::tenancy::TenantState;
use tessera_core::tracker::{Category, FieldType, Relation};
use tessera_core::{Error, Result};
use tessera_proto::issues::v1::{self as issues, Priority, Resolution, Status, Type};
use tessera_proto::{plugin::v1 as plugin, project::v1 as project, tenancy::v1 as tenancy};

/// An enum of built-in names; 0 stands for none.
pub(crate) trait BuiltIn: Copy + TryFrom<i32> + Into<i32> {
    /// The name in the protos and in the built-in scheme.
    fn name(self) -> &'static str;
    /// The value with this name.
    fn from_name(name: &str) -> Option<Self>;
}

macro_rules! built_in {
    ($($name:ident)*) => {$(
        impl BuiltIn for $name {
            fn name(self) -> &'static str {
                self.as_str_name()
            }

            fn from_name(name: &str) -> Option<Self> {
                Self::from_str_name(name)
            }
        }
    )*};
}

built_in! { Status Resolution Type Priority }

/// Returns the number of a name; 0 if the name is not built in.
#[must_use]
pub(crate) fn number<E: BuiltIn>(name: &str) -> i32 {
    E::from_name(name).map_or(0, Into::into)
}

/// Reads a name from its number or from its text; `None` if neither is set.
pub(crate) fn name<E: BuiltIn>(field: &str, number: i32, text: &str) -> Result<Option<String>> {
    let built_in = match number {
        0 => None,
        _ => Some(E::try_from(number).map_err(|_| unknown(field, number))?.name()),
    };
    match (built_in, text) {
        (None, "") => Ok(None),
        (None, text) => Ok(Some(text.to_owned())),
        (Some(name), "") => Ok(Some(name.to_owned())),
        (Some(name), text) if name == text => Ok(Some(name.to_owned())),
        (Some(name), text) => {
            Err(Error::invalid(field, format!("is {name}, but {field}_name is {text:?}; give one of them")))
        }
    }
}

fn unknown(field: &str, number: i32) -> Error {
    Error::invalid(field, format!("is {number}, which is not a value of this enum"))
}

/// An enum of the domain with an enum of its own in the protos.
pub(crate) trait WireEnum: Sized {
    /// Returns its number.
    fn number(self) -> i32;
    /// Reads a number; `None` if it is unspecified.
    fn from_number(field: &str, number: i32) -> Result<Option<Self>>;
}

macro_rules! wire_enums {
    ($($domain:ident = $($proto:ident)::+ { $($variant:ident)* })*) => {$(
        impl WireEnum for $domain {
            fn number(self) -> i32 {
                use $($proto)::+ as Proto;
                let number = match self {
                    $(Self::$variant => Proto::$variant,)*
                };
                number.into()
            }

            fn from_number(field: &str, number: i32) -> Result<Option<Self>> {
                use $($proto)::+ as Proto;
                match Proto::try_from(number) {
                    $(Ok(Proto::$variant) => Ok(Some(Self::$variant)),)*
                    Ok(Proto::Unspecified) => Ok(None),
                    Err(_) => Err(unknown(field, number)),
                }
            }
        }
    )*};
}

wire_enums! {
    Category = project::Category { Open Active Done }
    FieldType = project::FieldType { Text Integer Decimal Boolean Time Texts }
    Hook = plugin::Hook { Pricing Validation Workflow }
    OnFailure = plugin::OnFailure { Closed Open }
    Relation = issues::LinkKind { Blocks BlockedBy Duplicates DuplicatedBy Relates Parent Child }
    Role = tenancy::Role { Operator Admin Agent Gate Viewer }
    TenantState = tenancy::TenantState { Active Suspended }
}

/// Reads a role.
pub(crate) fn read_role(field: &str, number: i32) -> Result<Role> {
    Role::from_number(field, number)?.map_or_else(|| Role::parse(field, ""), Ok)
}

/// Reads the category of a state.
pub(crate) fn read_category(field: &str, number: i32) -> Result<Category> {
    let category = Category::from_number(field, number)?;
    category.ok_or_else(|| Error::invalid(field, "must be open, active or done"))
}

/// Reads the type of a field.
pub(crate) fn read_field_type(field: &str, number: i32) -> Result<FieldType> {
    let field_type = FieldType::from_number(field, number)?;
    field_type.ok_or_else(|| Error::invalid(field, "must be text, integer, decimal, boolean, time or texts"))
}

/// Reads the relation of two issues.
pub(crate) fn read_relation(field: &str, number: i32) -> Result<Relation> {
    Relation::from_number(field, number)?.ok_or_else(|| {
        let names: Vec<_> = Relation::ALL.iter().map(|relation| relation.name()).collect();
        Error::invalid(field, format!("must be one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_core::tracker::Scheme;

    fn check_numbers<E: BuiltIn>(names: &[String]) {
        for (index, name) in names.iter().enumerate() {
            assert_eq!(number::<E>(name), i32::try_from(index + 1).unwrap(), "{name}");
        }
    }

    #[test]
    fn built_in_names_have_the_numbers_of_the_scheme() {
        let scheme = Scheme::built_in();
        let states: Vec<_> = scheme.machine.states.iter().map(|state| state.name.clone()).collect();
        check_numbers::<Status>(&states);
        check_numbers::<Resolution>(&scheme.resolutions);
        check_numbers::<Type>(&scheme.types);
        check_numbers::<Priority>(&scheme.priorities);
        assert_eq!(number::<Status>("IN_REVIEW"), 0);
    }

    #[test]
    fn enum_name_is_read_from_number_or_text() {
        let read = |number, text| name::<Status>("status", number, text);
        assert_eq!(read(0, "").unwrap(), None);
        assert_eq!(read(3, "").unwrap().unwrap(), "IN_PROGRESS");
        assert_eq!(read(0, "IN_REVIEW").unwrap().unwrap(), "IN_REVIEW");
        assert_eq!(read(1, "NEW").unwrap().unwrap(), "NEW");
        for (number, text) in [(1, "CLOSED"), (7, ""), (-1, ""), (99, "NEW")] {
            assert_eq!(read(number, text).unwrap_err().faults()[0].field, "status", "{number} {text}");
        }
    }

    #[test]
    fn enums_round_trip() {
        for variant in Role::ALL {
            assert_eq!(read_role("r", variant.number()).unwrap(), variant);
        }
        for variant in Relation::ALL {
            assert_eq!(read_relation("k", variant.number()).unwrap(), variant);
        }
        for (variant, _) in FieldType::ALL {
            assert_eq!(read_field_type("t", variant.number()).unwrap(), variant);
        }
        for variant in [Category::Open, Category::Active, Category::Done] {
            assert_eq!(read_category("c", variant.number()).unwrap(), variant);
        }
        for variant in [OnFailure::Closed, OnFailure::Open] {
            assert_eq!(OnFailure::from_number("o", variant.number()).unwrap(), Some(variant));
        }
        assert_eq!(OnFailure::from_number("o", 0).unwrap(), None);
        assert!(OnFailure::from_number("o", 3).is_err());
        for number in [0, -1, 99] {
            assert!(read_role("x", number).is_err());
            assert!(read_relation("x", number).is_err());
            assert!(read_field_type("x", number).is_err());
            assert!(read_category("x", number).is_err());
        }
    }
}
