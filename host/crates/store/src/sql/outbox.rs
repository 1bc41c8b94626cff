//! Facts.

use futures_util::TryStreamExt as _;
use sqlx::types::Json;
use sqlx::{Connection as _, QueryBuilder, Row as _};
use tessera_core::access::ObjectKind;
use tessera_core::filter::{Operand, Term};
use tessera_core::id::{EventId, FactId, ProjectId, TenantId, UserId};
use tessera_core::outbox::{Actor, Fact, Mark, NewFact, ObjectRef, Seq};
use tessera_core::page::{Page, PageRequest, SortKey};
use tessera_core::{Result, Timestamp};

use super::page::{Sort, SortType, number};
use super::rows::{Effect, RowsBuilder, Statement};
use super::{Conn, Db, Row, Ts, dialect, filter, numbering};
use crate::codec::{StoredChange, changes, corrupt, signed, stored_changes, unsigned};
use crate::error::db_error;

/// Facts that one statement inserts at most.
const ROWS: usize = 200;

/// Columns of a fact without its number.
const COLUMNS: &str = "tenant_id, id, fact_type, object_kind, object_id, object_version, project_id, \
    event_id, at, actor_kind, actor_id, actor_user, transport, request_id, cause, release, changes";

/// Inserts facts in order; called last, when all row locks are held. Returns the token that identifies the transaction in
/// the database.
pub(super) async fn insert(conn: &mut Conn, tenant: TenantId, facts: &[NewFact]) -> Result<String> {
    if facts.is_empty() {
        return transaction(conn).await;
    }
    let mut token = String::new();
    let mut place = numbering::first(conn, facts).await?;
    let mut all = Some((tenant, facts));
    for some in facts.chunks(ROWS) {
        let mut query = QueryBuilder::<Db>::new("");
        numbering::push_insert(&mut query, COLUMNS, all.take());
        query.push_values(some, |mut row, fact| {
            row.push_bind(tenant.0)
                .push_bind(fact.id.0)
                .push_bind(fact.fact_type.to_string())
                .push_bind(fact.object.kind.name())
                .push_bind(fact.object.id.clone())
                .push_bind(signed(fact.object.version))
                .push_bind(fact.project.map(|project| project.0))
                .push_bind(fact.event.map(|event| event.0))
                .push_bind(Ts(fact.at))
                .push_bind(fact.actor.kind.to_string())
                .push_bind(fact.actor.id.clone())
                .push_bind(fact.actor.user.map(|user| user.0))
                .push_bind(fact.transport.to_string())
                .push_bind(fact.request_id.clone())
                .push_bind(fact.cause.map(|cause| cause.0))
                .push_bind(fact.release.clone())
                .push_bind(Json(stored_changes(&fact.changes)))
                .push_bind(place);
            place += 1;
        });
        query.push(format_args!("{} RETURNING {} AS token", numbering::INSERTED, dialect::TRANSACTION));
        let rows = query.build_query_scalar().fetch_all(&mut *conn).await.map_err(db_error)?;
        token = rows.into_iter().next().unwrap_or_default();
    }
    Ok(token)
}

/// Inserts facts in order as a part of a statement.
pub(in super::super) fn all_at_once<'a>(
    facts: impl IntoIterator<Item = &'a NewFact>,
) -> Result<Statement<'a>> {
    let rows = RowsBuilder::new(facts)
        .ids("id", |fact: &NewFact| fact.id.0)
        .texts("fact_type", |fact| &*fact.fact_type)
        .texts("object_kind", |fact| fact.object.kind.name())
        .texts("object_id", |fact| fact.object.id.as_str())
        .numbers("object_version", |fact| signed(fact.object.version))
        .ids("project_id", |fact| fact.project.map(|project| project.0))
        .ids("event_id", |fact| fact.event.map(|event| event.0))
        .moments("at", |fact| fact.at)
        .texts("actor_kind", |fact| &*fact.actor.kind)
        .texts("actor_id", |fact| fact.actor.id.as_str())
        .ids("actor_user", |fact| fact.actor.user.map(|user| user.0))
        .texts("transport", |fact| &*fact.transport)
        .texts("request_id", |fact| fact.request_id.as_str())
        .ids("cause", |fact| fact.cause.map(|cause| cause.0))
        .texts("release", |fact| fact.release.as_deref())
        .jsons("changes", |fact| stored_changes(&fact.changes))?
        .rows();
    Ok(Statement::new("facts", Effect::Numbers, rows, || {
        format!(
            "{} facts (tenant_id, {}, $columns) SELECT $1, {}, $values FROM $rows WHERE TRUE",
            dialect::INSERT,
            numbering::COLUMNS,
            numbering::OF_ROW,
        )
    }))
}

async fn transaction(conn: &mut Conn) -> Result<String> {
    let mut query = QueryBuilder::<Db>::new("SELECT ");
    query.push(dialect::TRANSACTION);
    query.build_query_scalar().fetch_one(conn).await.map_err(db_error)
}

pub(super) async fn head(conn: &mut Conn) -> Result<Seq> {
    let query = sqlx::query_scalar("SELECT seq FROM facts_head WHERE id = 1");
    unsigned(query.fetch_one(conn).await.map_err(db_error)?)
}

pub(super) async fn after(
    conn: &mut Conn,
    tenant: Option<TenantId>,
    seq: Seq,
    (limit, bytes): (u32, usize),
) -> Result<Vec<Fact>> {
    let mut query = QueryBuilder::<Db>::new(format!("SELECT {COLUMNS}, seq FROM "));
    numbering::push_after(&mut query, tenant, signed(seq), limit);
    let (mut facts, mut size) = (Vec::new(), 0);
    let mut rows = query.build().fetch(&mut *conn);
    while size < bytes
        && let Some(row) = rows.try_next().await.map_err(db_error)?
    {
        let fact = read(&row)?;
        size += fact.size();
        facts.push(fact);
    }
    drop(rows);
    if size >= bytes {
        // PostgreSQL sends further rows. They are discarded now, and not during the connection's next query.
        conn.ping().await.map_err(db_error)?;
    }
    Ok(facts)
}

pub(super) async fn marks(conn: &mut Conn, seq: Seq, limit: u32) -> Result<Vec<Mark>> {
    let mut query = QueryBuilder::<Db>::new(
        "SELECT tenant_id, fact_type, object_kind, object_id, object_version, seq FROM ",
    );
    numbering::push_after(&mut query, None, signed(seq), limit);
    let mark = |row: &Row| {
        Ok(Mark {
            seq: unsigned(row.try_get("seq").map_err(db_error)?)?,
            tenant: TenantId(row.try_get("tenant_id").map_err(db_error)?),
            fact_type: row.try_get::<String, _>("fact_type").map_err(db_error)?.into(),
            object: object(row)?,
        })
    };
    query.build().fetch_all(conn).await.map_err(db_error)?.iter().map(mark).collect()
}

pub(super) async fn history(
    conn: &mut Conn,
    tenant: TenantId,
    (kind, id): (ObjectKind, &str),
    page: &PageRequest,
) -> Result<Page<Fact>> {
    let mut query =
        QueryBuilder::<Db>::new(format!("SELECT {COLUMNS}, {} AS seq FROM facts", numbering::SEQ));
    query.push(" WHERE tenant_id = ").push_bind(tenant.0);
    query.push(" AND object_kind = ").push_bind(kind.name());
    query.push(" AND object_id = ").push_bind(id.to_owned());
    filter::push(&mut query, &page.filter, condition)?;
    let place = |fact: &Fact| number(fact.body.object.version, &fact.body.id);
    let sort = Sort::by("object_version", SortType::Numbers, place).descending(true);
    sort.page((conn, tenant), query, page, read).await
}

pub(super) async fn audit(conn: &mut Conn, tenant: TenantId, page: &PageRequest) -> Result<Page<Fact>> {
    let upto = page.after.as_ref().and_then(|after| match after.key {
        SortKey::Integer(seq) => Some(seq),
        SortKey::Time(_) | SortKey::Text(_) => None,
    });
    // Each transaction has at least one fact on the page, except perhaps the one that contains `upto`; one further fact
    // shows whether the page is the last. A filter may require all transactions.
    let most = page.filter.terms.is_empty().then(|| page.size.saturating_add(2));
    let mut query = QueryBuilder::<Db>::new(format!("SELECT {COLUMNS}, seq FROM "));
    numbering::push_newest(&mut query, tenant, (upto, most));
    filter::push(&mut query, &page.filter, condition)?;
    let place = |fact: &Fact| number(fact.seq.unwrap_or_default(), &fact.body.id);
    let sort = Sort::by("seq", SortType::Numbers, place).descending(true).in_order(numbering::NEWEST_FIRST);
    sort.page((conn, tenant), query, page, read).await
}

pub(super) async fn seq_before(conn: &mut Conn, before: Timestamp) -> Result<Seq> {
    let query = sqlx::query_scalar(numbering::SEQ_BEFORE).bind(Ts(before));
    let seq: Option<i64> = query.fetch_optional(conn).await.map_err(db_error)?;
    unsigned(seq.unwrap_or_default())
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "type" => push_types(query, term),
        "kind" => filter::text(query, "object_kind", term),
        "object" => filter::text(query, "object_id", term),
        "project" => filter::id(query, "project_id", term),
        "event" => filter::id(query, "event_id", term),
        "actor" => filter::text(query, "actor_id", term),
        "user" => filter::id(query, "actor_user", term),
        "transport" => filter::text(query, "transport", term),
        "created" => filter::time(query, "at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

/// Matches fact types; `issue.*` matches all types with that prefix.
fn push_types(query: &mut QueryBuilder<Db>, term: &Term) {
    query.push("FALSE");
    for value in &term.values {
        let Operand::Text(pattern) = value else { continue };
        match pattern.strip_suffix('*') {
            Some(prefix) => {
                let length = prefix.chars().count();
                query.push(format_args!(" OR substr(fact_type, 1, {length}) = "));
                query.push_bind(prefix.to_owned());
            }
            None => {
                query.push(" OR fact_type = ").push_bind(pattern.clone());
            }
        }
    }
}

fn object(row: &Row) -> Result<ObjectRef> {
    let kind: String = row.try_get("object_kind").map_err(db_error)?;
    Ok(ObjectRef {
        kind: ObjectKind::named(&kind).ok_or_else(|| corrupt("a kind of object", &kind))?,
        id: row.try_get("object_id").map_err(db_error)?,
        version: unsigned(row.try_get("object_version").map_err(db_error)?)?,
    })
}

fn read(row: &Row) -> Result<Fact> {
    let seq: Option<i64> = row.try_get("seq").map_err(db_error)?;
    let Ts(at) = row.try_get("at").map_err(db_error)?;
    let Json(stored) = row.try_get::<Json<Vec<StoredChange>>, _>("changes").map_err(db_error)?;
    let actor = Actor {
        kind: row.try_get::<String, _>("actor_kind").map_err(db_error)?.into(),
        id: row.try_get("actor_id").map_err(db_error)?,
        user: row.try_get::<Option<_>, _>("actor_user").map_err(db_error)?.map(UserId),
    };
    Ok(Fact {
        seq: seq.map(unsigned).transpose()?,
        tenant: TenantId(row.try_get("tenant_id").map_err(db_error)?),
        body: NewFact {
            id: FactId(row.try_get("id").map_err(db_error)?),
            fact_type: row.try_get::<String, _>("fact_type").map_err(db_error)?.into(),
            object: object(row)?,
            project: row.try_get::<Option<_>, _>("project_id").map_err(db_error)?.map(ProjectId),
            event: row.try_get::<Option<_>, _>("event_id").map_err(db_error)?.map(EventId),
            at,
            actor,
            transport: row.try_get::<String, _>("transport").map_err(db_error)?.into(),
            request_id: row.try_get("request_id").map_err(db_error)?,
            cause: row.try_get::<Option<_>, _>("cause").map_err(db_error)?.map(FactId),
            release: row.try_get("release").map_err(db_error)?,
            changes: changes(stored)?,
        },
    })
}
