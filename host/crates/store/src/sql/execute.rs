//! Executes statements that change one row, and queries whose rows are read into objects.

use sqlx::QueryBuilder;
use tessera_core::{Error, Result};

use super::table::Query;
use super::{Conn, Db, Row};
use crate::error::db_error;

/// Executes a statement that changes one row. If it changes none, the caller's version of the row is stale.
pub(super) async fn change_one(conn: &mut Conn, query: Query<'_>) -> Result<()> {
    let result = query.execute(conn).await.map_err(db_error)?;
    if result.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Reads the row that a query selects, if there is one.
pub(super) async fn read_one<T>(
    conn: &mut Conn,
    mut query: QueryBuilder<Db>,
    read: fn(&Row) -> Result<T>,
) -> Result<Option<T>> {
    let row = query.build().fetch_optional(conn).await.map_err(db_error)?;
    row.as_ref().map(read).transpose()
}

/// Reads all rows that a query selects.
pub(super) async fn read_all<T>(
    conn: &mut Conn,
    mut query: QueryBuilder<Db>,
    read: fn(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    let rows = query.build().fetch_all(conn).await.map_err(db_error)?;
    rows.iter().map(read).collect()
}
