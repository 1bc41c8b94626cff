//! What SQLite does in its own way.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{AssertSqlSafe, Decode, Encode, QueryBuilder, Sqlite, Type};
use tessera_core::id::TenantId;
use tessera_core::{Error, Result, Timestamp};

use super::sql::rows::{Column, Part, Rows, Way};
use crate::codec::signed;
use crate::error::fault;
use crate::texts::Texts;

pub(super) type Db = Sqlite;
pub(super) type Conn = sqlx::SqliteConnection;
pub(super) type Row = sqlx::sqlite::SqliteRow;

/// There is one writer: what it reads stays as it is until it commits.
pub(super) const LOCK_TO_CHANGE: &str = "";
pub(super) const LOCK_TO_KEEP: &str = "";

/// How many rows a project's count of issues has.
pub(super) const SLOTS: u8 = 16;

/// Nobody asks for a transaction: its answer cannot be lost.
pub(super) const TRANSACTION: &str = "''";

/// Takes or keeps the lease `$1` for `$2`, for `$3` microseconds.
pub(super) const LEASE: &str = "INSERT INTO leases (name, holder, epoch, until)
    VALUES ($1, $2, 1, CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) + $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
    epoch = leases.epoch + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
    WHERE leases.holder = excluded.holder
    OR leases.until <= CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";

/// The clock.
pub(super) const CLOCK: &str = "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";
/// A moment after all others.
pub(super) const FOREVER: &str = "9223372036854775807";
/// Makes a JSON object, and a JSON array of many rows.
pub(super) const OBJECT: &str = "json_object";
pub(super) const LIST: &str = "json_group_array";

/// The entries of a JSON array, as `v.value`.
pub(super) fn each(rows: &str) -> String {
    format!("json_each({rows}) AS v")
}

/// The column is one of what `value` says of the entries of a JSON array.
pub(super) fn among(column: &str, value: &str, rows: &str) -> String {
    within(column, &format!("SELECT {value} FROM {}", each(rows)))
}

/// The column is one of what a query finds.
pub(super) fn within(column: &str, query: &str) -> String {
    format!("{column} IN ({query})")
}

/// A JSON column within a JSON object.
pub(super) fn json(column: &str) -> String {
    format!("json({column})")
}

/// An id out of a text, and as one.
pub(super) fn uuid(text: &str) -> String {
    format!("unhex({text}, '-')")
}

pub(super) fn id_text(column: &str) -> String {
    format!("nullif(hex({column}), '')")
}

/// A moment as a number of microseconds.
pub(super) fn micros(column: &str) -> String {
    column.to_owned()
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(column: &str) -> String {
    format!("hex({column})")
}

/// Nothing is locked: there is one writer.
pub(super) const LOCK_POOLS: &str = "";

/// The condition that an event's terms are as they were seen.
pub(super) const STILL: &str = "(SELECT COUNT(*) FROM $event WHERE
      (SELECT e.version FROM events e WHERE e.tenant_id = $1 AND e.id = v.id AND e.deleted_at IS NULL) = v.version
      AND (SELECT COUNT(*) FROM queues q WHERE q.tenant_id = $1 AND q.event_id = v.id AND q.required) = 0
      AND (SELECT h.version FROM hold_rules h WHERE h.tenant_id = $1) IS NOT DISTINCT FROM v.holds) = 1
     AND (SELECT COUNT(*) FROM $types WHERE
      (SELECT t.version FROM ticket_types t WHERE t.tenant_id = $1 AND t.id = v.id) = v.version)
      = (SELECT COUNT(*) FROM $types)";

/// The column is one of the ids that `$rows` have under this name.
pub(super) fn of_rows(column: &str, name: &str) -> String {
    format!("{column} IN (SELECT v.{name} FROM $rows)")
}

/// How a statement begins that writes many rows. If one cannot be written, those before it stay, for whoever wrote them
/// takes the whole transaction back, or all since its savepoint: SQLite need not be able to.
pub(super) const INSERT: &str = "INSERT OR FAIL INTO";
pub(super) const UPDATE: &str = "UPDATE OR FAIL";

/// How many rows a statement is given at most; of more it is carried out again.
const MOST: usize = 64;

/// The names of parts, and for how many rows of each kind there is room.
type Shape = Vec<(&'static str, Vec<usize>)>;

static TEXTS: LazyLock<Texts<Shape>> = LazyLock::new(Texts::default);

/// Some rows of a part, that are written by one statement.
#[derive(Clone)]
struct Piece<'a> {
    part: &'a Part<'a>,
    places: Range<usize>,
}

impl<'a> Piece<'a> {
    /// What the statement is given: the rows, their places, and for how many there is room. That is a power of two, so that
    /// there are few texts; what is left of it is null.
    fn given(&self) -> impl Iterator<Item = (&'static str, &'a Rows<'a>, Range<usize>, usize)> {
        let own = self.clone();
        self.part.given.iter().enumerate().map(move |(index, (name, rows))| {
            let places = if index == 0 { own.places.clone() } else { 0..rows.count };
            let room = places.len().next_power_of_two();
            (*name, rows, places, room)
        })
    }
}

/// Carries out several statements; each must change as many rows as it is given.
pub(super) async fn write_together(conn: &mut Conn, tenant: TenantId, parts: &[Part<'_>]) -> Result<String> {
    let pieces = parts.iter().flat_map(|part| {
        let starts = (0..part.count()).step_by(MOST);
        starts.map(move |start| Piece { part, places: start..part.count().min(start + MOST) })
    });
    let pieces: Vec<_> = pieces.collect();
    // One text carries out all of them, where there are few such texts: each kind of rows has room for one, or for as many
    // as the others.
    let mut rooms = pieces.iter().flat_map(Piece::given).map(|(.., room)| room).filter(|room| *room > 1);
    let alike = rooms.next().is_none_or(|first| rooms.all(|room| room == first));
    let together = if alike { pieces.len() } else { 1 };
    for some in pieces.chunks(together.max(1)) {
        write(conn, tenant, some).await?;
    }
    Ok(String::new())
}

async fn write(conn: &mut Conn, tenant: TenantId, pieces: &[Piece<'_>]) -> Result<()> {
    let key = pieces.iter().map(|piece| (piece.part.name, piece.given().map(|(.., room)| room).collect()));
    let mut query = sqlx::query(AssertSqlSafe(TEXTS.get(key.collect(), || text(pieces))));
    for (_, rows, places, room) in pieces.iter().flat_map(Piece::given) {
        for place in places.map(Some).chain(std::iter::repeat(None)).take(room) {
            for (_, column) in &rows.columns {
                query = bind(query, column, place);
            }
        }
    }
    query = query.bind(tenant.0);
    let mut expected = 0;
    for Piece { part, places } in pieces {
        query = query.bind(signed(places.len() as u64));
        expected += places.len() + usize::from(part.way == Way::Numbers);
    }
    let changed = query.execute(conn).await.map_err(|error| match error.as_database_error() {
        // A pool's bound: it is judged by what it was.
        Some(raised) if raised.is_check_violation() => Error::stale().caused_by(error),
        _ => fault(error),
    })?;
    // None changes more than it is given: the sum says it of each.
    if usize::try_from(changed.rows_affected()) == Ok(expected) { Ok(()) } else { Err(Error::stale()) }
}

fn bind<'q>(
    query: Query<'q, Db, SqliteArguments>,
    column: &Column<'_>,
    place: Option<usize>,
) -> Query<'q, Db, SqliteArguments> {
    macro_rules! bind {
        ($column:expr, $value:expr) => {
            query.bind(place.and_then(|place| $column.get(place)).and_then($value))
        };
    }
    match column {
        Column::Ids(column) => bind!(column, |id| *id),
        Column::Texts(column) => bind!(column, |text| text.map(str::to_owned)),
        Column::Numbers(column) => bind!(column, |number| *number),
        Column::Moments(column) => bind!(column, |at| Some(at.0.micros())),
        Column::Bytes(column) => bind!(column, |bytes| Some(bytes.clone())),
        Column::Jsons(column) => bind!(column, |json| Some(json.get().to_owned())),
    }
}

/// The statements with their rows as parameters in their order, after them the tenant and how many rows each is given:
/// parameters that have no names are counted from the first.
fn text(pieces: &[Piece<'_>]) -> String {
    let width = |rows: &Rows<'_>, room| room * rows.columns.len();
    let given = pieces.iter().flat_map(Piece::given);
    let tenant = 1 + given.map(|(_, rows, _, room)| width(rows, room)).sum::<usize>();
    let statements = pieces.iter().enumerate().map(|(index, piece)| {
        let statement = statement(piece).replace("$1", &format!("${tenant}"));
        statement.replace("$count", &format!("${}", tenant + 1 + index))
    });
    statements.collect::<Vec<_>>().join("; ")
}

fn statement(piece: &Piece<'_>) -> String {
    let (mut with, mut statement) = (String::new(), (piece.part.sql)());
    for (index, (name, rows, _, room)) in piece.given().enumerate() {
        let columns =
            rows.columns.iter().zip(1..).map(|((name, _), place)| format!("column{place} AS {name}, "));
        let (columns, place) = (columns.collect::<String>(), rows.columns.len() + 1);
        let values = (1..=room).map(|place| format!("({}{place})", "?, ".repeat(rows.columns.len())));
        let values = values.collect::<Vec<_>>().join(", ");
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(
            with,
            "{comma}given{index} AS (SELECT {columns}column{place} AS place FROM (VALUES {values})
             WHERE column1 IS NOT NULL)"
        );
        statement = statement.replace(name, &format!("given{index} v"));
    }
    let head = match piece.part.way {
        Way::Numbers => "UPDATE facts_head SET seq = seq + $count WHERE id = 1; ",
        Way::Locks | Way::Expects | Way::Inserts => "",
    };
    // A statement may have more such rows of its own.
    match statement.strip_prefix("WITH ") {
        Some(more) => format!("{head}WITH {with}, {more}"),
        None => format!("{head}WITH {with} {statement}"),
    }
}

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
