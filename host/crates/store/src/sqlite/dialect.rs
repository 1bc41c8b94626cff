//! What SQLite does in its own way.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, QueryBuilder, Sqlite, Type};
use tessera_core::{Result, Timestamp};

use crate::codec::signed;
use crate::error::fault;

pub(super) type Db = Sqlite;
pub(super) type Conn = sqlx::SqliteConnection;
pub(super) type Row = sqlx::sqlite::SqliteRow;

/// There is one writer: what it reads stays as it is until it commits.
pub(super) const LOCK_TO_CHANGE: &str = "";
pub(super) const LOCK_TO_KEEP: &str = "";

/// Nobody asks for a transaction: its answer cannot be lost.
pub(super) const TRANSACTION: &str = "''";

/// Takes or keeps the lease `$1` for `$2`, for `$3` microseconds.
pub(super) const LEASE: &str = "INSERT INTO leases (name, holder, epoch, until)
    VALUES ($1, $2, 1, CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
    epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
    WHERE leases.holder = excluded.holder
    OR leases.until <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";

/// A moment: microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ts(pub(super) Timestamp);

impl Type<Sqlite> for Ts {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }

    fn compatible(info: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(info)
    }
}

impl Encode<'_, Sqlite> for Ts {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<'_, Sqlite>>::encode(self.0.micros(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Ts {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let micros = <i64 as Decode<'r, Sqlite>>::decode(value)?;
        Ok(Self(Timestamp::from_micros(micros).ok_or("a time out of range")?))
    }
}

/// The number of the first of `count` new facts: the one writer gives them.
pub(super) async fn places(conn: &mut Conn, count: usize) -> Result<Option<i64>> {
    if count == 0 {
        return Ok(None);
    }
    let count = signed(count as u64);
    let query = sqlx::query_scalar("UPDATE facts_head SET seq = seq + $1 WHERE id = 1 RETURNING seq");
    let last: i64 = query.bind(count).fetch_one(conn).await.map_err(fault)?;
    Ok(Some(last - count + 1))
}

/// The field of that name in a JSON column is one of the texts, or has one among its texts.
pub(super) fn push_field(query: &mut QueryBuilder<Db>, column: &str, name: &str, texts: &[String]) {
    query.push(format_args!("EXISTS (SELECT 1 FROM json_each({column}) f WHERE f.key = "));
    query.push_bind(name.to_owned());
    query.push(
        " AND (CASE f.type WHEN 'array' THEN NULL
          WHEN 'object' THEN COALESCE(f.value ->> '$.\"$decimal\"', f.value ->> '$.\"$time\"')
          WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(f.value AS TEXT) END IN (",
    );
    push_list(query, texts);
    query.push(
        ") OR EXISTS (SELECT 1 FROM json_each(CASE f.type WHEN 'array' THEN f.value ELSE '[]' END) e
          WHERE e.value IN (",
    );
    push_list(query, texts);
    query.push("))))");
}

fn push_list(query: &mut QueryBuilder<Db>, texts: &[String]) {
    let mut list = query.separated(", ");
    for text in texts {
        list.push_bind(text.clone());
    }
}
