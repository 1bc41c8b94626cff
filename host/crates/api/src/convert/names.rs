//! Conversions between enums of the protos and names of the domain. Built-in names have numbers; other names are text.

use tessera_core::access::Role;
use tessera_core::plugin::{Hook, OnFailure};
use tessera_core::tenancy::TenantState;
use tessera_core::tracker::{Category, FieldType, Relation};
use tessera_core::{Error, Result};
use tessera_proto::issues::v1::{LinkKind, Priority, Resolution, Status, Type};
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

/// Encodes a role.
#[must_use]
pub(crate) fn role(role: Role) -> i32 {
    let role = match role {
        Role::Operator => tenancy::Role::Operator,
        Role::Admin => tenancy::Role::Admin,
        Role::Agent => tenancy::Role::Agent,
        Role::Gate => tenancy::Role::Gate,
        Role::Viewer => tenancy::Role::Viewer,
    };
    role.into()
}

/// Reads a role.
pub(crate) fn read_role(field: &str, number: i32) -> Result<Role> {
    match tenancy::Role::try_from(number) {
        Ok(tenancy::Role::Operator) => Ok(Role::Operator),
        Ok(tenancy::Role::Admin) => Ok(Role::Admin),
        Ok(tenancy::Role::Agent) => Ok(Role::Agent),
        Ok(tenancy::Role::Gate) => Ok(Role::Gate),
        Ok(tenancy::Role::Viewer) => Ok(Role::Viewer),
        Ok(tenancy::Role::Unspecified) => Role::parse(field, ""),
        Err(_) => Err(unknown(field, number)),
    }
}

/// Encodes the state of a tenant.
#[must_use]
pub(crate) fn tenant_state(state: TenantState) -> i32 {
    let state = match state {
        TenantState::Active => tenancy::TenantState::Active,
        TenantState::Suspended => tenancy::TenantState::Suspended,
    };
    state.into()
}

/// Encodes the category of a state.
#[must_use]
pub(crate) fn category(category: Category) -> i32 {
    let category = match category {
        Category::Open => project::Category::Open,
        Category::Active => project::Category::Active,
        Category::Done => project::Category::Done,
    };
    category.into()
}

/// Reads the category of a state.
pub(crate) fn read_category(field: &str, number: i32) -> Result<Category> {
    match project::Category::try_from(number) {
        Ok(project::Category::Open) => Ok(Category::Open),
        Ok(project::Category::Active) => Ok(Category::Active),
        Ok(project::Category::Done) => Ok(Category::Done),
        Ok(project::Category::Unspecified) => Err(Error::invalid(field, "must be open, active or done")),
        Err(_) => Err(unknown(field, number)),
    }
}

/// Encodes the type of a field.
#[must_use]
pub(crate) fn field_type(field_type: FieldType) -> i32 {
    let field_type = match field_type {
        FieldType::Text => project::FieldType::Text,
        FieldType::Integer => project::FieldType::Integer,
        FieldType::Decimal => project::FieldType::Decimal,
        FieldType::Boolean => project::FieldType::Boolean,
        FieldType::Time => project::FieldType::Time,
        FieldType::Texts => project::FieldType::Texts,
    };
    field_type.into()
}

/// Reads the type of a field.
pub(crate) fn read_field_type(field: &str, number: i32) -> Result<FieldType> {
    match project::FieldType::try_from(number) {
        Ok(project::FieldType::Text) => Ok(FieldType::Text),
        Ok(project::FieldType::Integer) => Ok(FieldType::Integer),
        Ok(project::FieldType::Decimal) => Ok(FieldType::Decimal),
        Ok(project::FieldType::Boolean) => Ok(FieldType::Boolean),
        Ok(project::FieldType::Time) => Ok(FieldType::Time),
        Ok(project::FieldType::Texts) => Ok(FieldType::Texts),
        Ok(project::FieldType::Unspecified) => {
            Err(Error::invalid(field, "must be text, integer, decimal, boolean, time or texts"))
        }
        Err(_) => Err(unknown(field, number)),
    }
}

/// Encodes the relation of two issues.
#[must_use]
pub(crate) fn relation(relation: Relation) -> i32 {
    let kind = match relation {
        Relation::Blocks => LinkKind::Blocks,
        Relation::BlockedBy => LinkKind::BlockedBy,
        Relation::Duplicates => LinkKind::Duplicates,
        Relation::DuplicatedBy => LinkKind::DuplicatedBy,
        Relation::Relates => LinkKind::Relates,
        Relation::Parent => LinkKind::Parent,
        Relation::Child => LinkKind::Child,
    };
    kind.into()
}

/// Reads the relation of two issues.
pub(crate) fn read_relation(field: &str, number: i32) -> Result<Relation> {
    match LinkKind::try_from(number) {
        Ok(LinkKind::Blocks) => Ok(Relation::Blocks),
        Ok(LinkKind::BlockedBy) => Ok(Relation::BlockedBy),
        Ok(LinkKind::Duplicates) => Ok(Relation::Duplicates),
        Ok(LinkKind::DuplicatedBy) => Ok(Relation::DuplicatedBy),
        Ok(LinkKind::Relates) => Ok(Relation::Relates),
        Ok(LinkKind::Parent) => Ok(Relation::Parent),
        Ok(LinkKind::Child) => Ok(Relation::Child),
        Ok(LinkKind::Unspecified) => {
            let names: Vec<_> = Relation::ALL.iter().map(|relation| relation.name()).collect();
            Err(Error::invalid(field, format!("must be one of {}", names.join(", "))))
        }
        Err(_) => Err(unknown(field, number)),
    }
}

/// Encodes a hook.
#[must_use]
pub(crate) fn hook(hook: Hook) -> i32 {
    let hook = match hook {
        Hook::Pricing => plugin::Hook::Pricing,
        Hook::Validation => plugin::Hook::Validation,
        Hook::Workflow => plugin::Hook::Workflow,
    };
    hook.into()
}

/// Encodes a failure policy.
#[must_use]
pub(crate) fn on_failure(policy: OnFailure) -> i32 {
    let policy = match policy {
        OnFailure::Closed => plugin::OnFailure::Closed,
        OnFailure::Open => plugin::OnFailure::Open,
    };
    policy.into()
}

/// Reads a failure policy; `None` if it is unspecified.
pub(crate) fn read_on_failure(field: &str, number: i32) -> Result<Option<OnFailure>> {
    match plugin::OnFailure::try_from(number) {
        Ok(plugin::OnFailure::Unspecified) => Ok(None),
        Ok(plugin::OnFailure::Closed) => Ok(Some(OnFailure::Closed)),
        Ok(plugin::OnFailure::Open) => Ok(Some(OnFailure::Open)),
        Err(_) => Err(unknown(field, number)),
    }
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
            assert_eq!(read_role("r", role(variant)).unwrap(), variant);
        }
        for variant in Relation::ALL {
            assert_eq!(read_relation("k", relation(variant)).unwrap(), variant);
        }
        for (variant, _) in FieldType::ALL {
            assert_eq!(read_field_type("t", field_type(variant)).unwrap(), variant);
        }
        for variant in [Category::Open, Category::Active, Category::Done] {
            assert_eq!(read_category("c", category(variant)).unwrap(), variant);
        }
        for variant in [OnFailure::Closed, OnFailure::Open] {
            assert_eq!(read_on_failure("o", on_failure(variant)).unwrap(), Some(variant));
        }
        assert_eq!(read_on_failure("o", 0).unwrap(), None);
        assert!(read_on_failure("o", 3).is_err());
        for number in [0, -1, 99] {
            assert!(read_role("x", number).is_err());
            assert!(read_relation("x", number).is_err());
            assert!(read_field_type("x", number).is_err());
            assert!(read_category("x", number).is_err());
        }
    }
}
