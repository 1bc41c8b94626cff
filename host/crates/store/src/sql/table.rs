//! Lists of columns: each table has one, from which its statements are written.

use std::sync::OnceLock;

use sqlx::QueryBuilder;
use tessera_core::id::TenantId;

use super::Db;

/// Columns of one table. Statements bind them in this order: key, mutable, fixed.
pub(super) struct Table {
    name: &'static str,
    key: &'static [&'static str],
    /// Columns that an update sets.
    mutable: &'static [&'static str],
    /// Columns that only an insert sets.
    fixed: &'static [&'static str],
    /// Columns that are written and used in conditions, but not read.
    unread: &'static [&'static str],
    /// Further expressions that are read.
    computed: &'static str,
    /// Join that the expressions need.
    join: &'static str,
    insert: OnceLock<String>,
    update: OnceLock<String>,
    select: OnceLock<String>,
}

impl Table {
    pub(super) const fn new(
        name: &'static str,
        key: &'static [&'static str],
        mutable: &'static [&'static str],
        fixed: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            key,
            mutable,
            fixed,
            unread: &[],
            computed: "",
            join: "",
            insert: OnceLock::new(),
            update: OnceLock::new(),
            select: OnceLock::new(),
        }
    }

    /// Leaves columns out of what is read.
    pub(super) const fn without(mut self, unread: &'static [&'static str]) -> Self {
        self.unread = unread;
        self
    }

    /// Reads expressions beside the columns; begins with a comma.
    pub(super) const fn with(mut self, computed: &'static str) -> Self {
        self.computed = computed;
        self
    }

    /// Reads from a join as well. None of its columns may have the name of a column of the table.
    pub(super) const fn joined(mut self, join: &'static str) -> Self {
        self.join = join;
        self
    }

    fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.key.iter().chain(self.mutable).chain(self.fixed).copied()
    }

    /// Returns the columns that are read, separated by commas, each with the prefix.
    pub(super) fn list(&self, prefix: &str) -> String {
        let read = self.columns().filter(|column| !self.unread.contains(column));
        read.map(|column| format!("{prefix}{column}")).collect::<Vec<_>>().join(", ")
    }

    /// Inserts one row; all columns are bound.
    pub(super) fn insert(&'static self) -> &'static str {
        self.insert.get_or_init(|| {
            let columns = self.columns().collect::<Vec<_>>();
            let places = (1..=columns.len()).map(|place| format!("${place}")).collect::<Vec<_>>();
            format!("INSERT INTO {} ({}) VALUES ({})", self.name, columns.join(", "), places.join(", "))
        })
    }

    /// Updates the row of a key at a version; key, mutable columns and the stored version are bound.
    pub(super) fn update(&'static self) -> &'static str {
        self.update.get_or_init(|| {
            let first = self.key.len() + 1;
            let set = self.mutable.iter().zip(first..).map(|(column, place)| format!("{column} = ${place}"));
            let set = set.collect::<Vec<_>>().join(", ");
            let of_key = self.key.iter().zip(1..).map(|(column, place)| format!("{column} = ${place} AND "));
            let of_key = of_key.collect::<String>();
            let version = first + self.mutable.len();
            format!("UPDATE {} SET {set} WHERE {of_key}version = ${version}", self.name)
        })
    }

    /// The same update, which sets further columns; `set` ends with a comma.
    pub(super) fn update_with(&'static self, set: &str) -> String {
        self.update().replacen("SET ", &format!("SET {set} "), 1)
    }

    /// Returns the parameter that is bound to a column.
    pub(super) fn parameter(&self, name: &str) -> String {
        format!("${}", self.columns().take_while(|column| *column != name).count() + 1)
    }

    /// Selects rows; the condition is to follow.
    pub(super) fn select(&'static self) -> &'static str {
        self.select.get_or_init(|| {
            format!("SELECT {}{} FROM {}{} WHERE ", self.list(""), self.computed, self.name, self.join)
        })
    }

    /// Selects rows of a tenant; further conditions may follow.
    pub(super) fn of(&'static self, tenant: TenantId) -> QueryBuilder<Db> {
        let mut query = QueryBuilder::new(self.select());
        query.push("tenant_id = ").push_bind(tenant.0);
        query
    }
}

/// Arguments of a statement that are bound one by one.
pub(super) type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: Table =
        Table::new("things", &["tenant_id", "id"], &["name", "folded", "version"], &["created_at"])
            .without(&["folded"])
            .with(", 1 AS one, size")
            .joined(" LEFT JOIN sizes ON thing = id");

    #[test]
    fn statements_have_the_columns_in_one_order() {
        assert_eq!(
            TABLE.insert(),
            "INSERT INTO things (tenant_id, id, name, folded, version, created_at) VALUES ($1, $2, $3, $4, $5, $6)"
        );
        assert_eq!(
            TABLE.update(),
            "UPDATE things SET name = $3, folded = $4, version = $5 WHERE tenant_id = $1 AND id = $2 AND version = $6"
        );
        assert_eq!(
            TABLE.select(),
            "SELECT tenant_id, id, name, version, created_at, 1 AS one, size FROM things \
             LEFT JOIN sizes ON thing = id WHERE "
        );
    }
}
