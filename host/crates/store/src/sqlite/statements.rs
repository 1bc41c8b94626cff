//! Statements over rows, each for at most [`MAX_ROWS`] rows.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use tessera_core::id::TenantId;
use tessera_core::{Error, Result};

use super::dialect::{Conn, Db};
use super::sql::rows::{Column, Effect, Rows, Statement};
use crate::codec::signed;
use crate::error::db_error;
use crate::statement_cache::StatementCache;

/// Maximum number of rows of one statement; more rows take several.
const MAX_ROWS: usize = 64;

/// Names of parts, with the room for rows of each.
type Shape = Vec<(&'static str, Vec<usize>)>;

static STATEMENTS: LazyLock<StatementCache<Shape>> = LazyLock::new(StatementCache::default);

/// Rows of a part that one statement writes.
#[derive(Clone)]
struct Piece<'a> {
    part: &'a Statement<'a>,
    places: Range<usize>,
}

impl<'a> Piece<'a> {
    /// Returns the input rows, their range and the room for rows. Room is a power of two, so that there are few texts;
    /// unused room is bound to null.
    fn inputs(&self) -> impl Iterator<Item = (&'static str, &'a Rows<'a>, Range<usize>, usize)> {
        let own = self.clone();
        self.part.inputs.iter().enumerate().map(move |(index, (name, rows))| {
            let places = if index == 0 { own.places.clone() } else { 0..rows.count };
            let room = places.len().next_power_of_two();
            (*name, rows, places, room)
        })
    }
}

/// Executes several statements; each must change as many rows as its input has.
pub(super) async fn write_together(
    conn: &mut Conn,
    tenant: TenantId,
    parts: &[Statement<'_>],
) -> Result<String> {
    let pieces = parts.iter().flat_map(|part| {
        let starts = (0..part.count()).step_by(MAX_ROWS);
        starts.map(move |start| Piece { part, places: start..part.count().min(start + MAX_ROWS) })
    });
    let pieces: Vec<_> = pieces.collect();
    // All statements share one text if there are few such texts: if each part has room for one row, or for as many as the
    // others.
    let mut rooms = pieces.iter().flat_map(Piece::inputs).map(|(.., room)| room).filter(|room| *room > 1);
    let alike = rooms.next().is_none_or(|first| rooms.all(|room| room == first));
    let together = if alike { pieces.len() } else { 1 };
    for some in pieces.chunks(together.max(1)) {
        write(conn, tenant, some).await?;
    }
    Ok(String::new())
}

async fn write(conn: &mut Conn, tenant: TenantId, pieces: &[Piece<'_>]) -> Result<()> {
    let key = pieces.iter().map(|piece| (piece.part.name, piece.inputs().map(|(.., room)| room).collect()));
    let mut query = sqlx::query(AssertSqlSafe(STATEMENTS.get(key.collect(), || text(pieces))));
    for (_, rows, places, room) in pieces.iter().flat_map(Piece::inputs) {
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
        expected += places.len() + usize::from(part.effect == Effect::Numbers);
    }
    let changed = query.execute(conn).await.map_err(|error| match error.as_database_error() {
        // A violated bound of a pool: the decision was made by stale counts.
        Some(raised) if raised.is_check_violation() => Error::stale().caused_by(error),
        _ => db_error(error),
    })?;
    // No statement changes more rows than its input has, so the sum is sufficient.
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

/// Composes the statements. Parameters are the rows in order, the tenant, and the number of rows of each statement.
fn text(pieces: &[Piece<'_>]) -> String {
    let width = |rows: &Rows<'_>, room| room * rows.columns.len();
    let inputs = pieces.iter().flat_map(Piece::inputs);
    let tenant = 1 + inputs.map(|(_, rows, _, room)| width(rows, room)).sum::<usize>();
    let statements = pieces.iter().enumerate().map(|(index, piece)| {
        let statement = statement(piece).replace("$1", &format!("${tenant}"));
        statement.replace("$count", &format!("${}", tenant + 1 + index))
    });
    statements.collect::<Vec<_>>().join("; ")
}

fn statement(piece: &Piece<'_>) -> String {
    let (mut with, mut statement) = (String::new(), (piece.part.sql)());
    for (index, (name, rows, _, room)) in piece.inputs().enumerate() {
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
        statement = rows.fill(&statement).replace(name, &format!("given{index} v"));
    }
    let head = match piece.part.effect {
        Effect::Numbers => "UPDATE facts_head SET seq = seq + $count WHERE id = 1; ",
        Effect::Locks | Effect::Expects | Effect::Inserts => "",
    };
    // The statement may begin with common table expressions of its own.
    match statement.strip_prefix("WITH ") {
        Some(more) => format!("{head}WITH {with}, {more}"),
        None => format!("{head}WITH {with} {statement}"),
    }
}
