//! State that a batch is decided by: one statement reads what all commands need, others what few need. The pools are
//! locked before.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::Result;
use tessera_core::catalog::EventStatus;
use tessera_core::id::{EventId, TenantId, TicketTypeId};
use tessera_core::inventory::seat::MAX_CANDIDATES;
use tessera_core::inventory::{BatchState, Job};

use self::requested::Requested;
use self::rows::{BuyerRow, EventRow, KeyRow, PoolRow, SeatRow, TypeRow};
use self::sql::{Further, Required};
use super::super::{Conn, Row, Ts};
use super::cached_event::TermVersions;
use super::seat;
use crate::codec::{StoredReservation, reservation};
use crate::error::db_error;

mod codes;
mod requested;
mod rows;
mod sql;

/// Reads the state that the commands are decided by, and the versions of its terms. Promotions and codes are locked with
/// `lock`.
pub(super) async fn read(
    conn: &mut Conn,
    (tenant, id): (TenantId, EventId),
    (jobs, lock): (&[Arc<Job>], &str),
) -> Result<(BatchState, TermVersions)> {
    let requested = Requested::of(jobs);
    let required = Required {
        new: !requested.types.is_empty(),
        old: !requested.reservations.is_empty(),
        keys: !requested.keys.is_empty(),
    };
    let query = sqlx::query(AssertSqlSafe(required.statement()))
        .bind(tenant.0)
        .bind(id.0)
        .bind(Json(&requested.types))
        .bind(Json(&requested.reservations))
        .bind(Json(&requested.keys));
    let row = query.fetch_one(&mut *conn).await.map_err(db_error)?;
    let Ts(now) = row.try_get("now").map_err(db_error)?;
    let event: Option<Json<EventRow>> = row.try_get("event").map_err(db_error)?;
    let due: i64 = row.try_get("due").map_err(db_error)?;
    let mut state = BatchState::empty(id, now);
    let mut versions = TermVersions::default();
    if let Some(Json(stored)) = event {
        (versions.event, versions.holds) =
            (stored.version, stored.tenant.as_ref().map(|holds| holds.version));
        state.event = Some(stored.decode()?);
    }
    state.pools = all::<PoolRow>(&row, "pools")?.into_iter().map(PoolRow::decode).collect();
    if required.new {
        for stored in all::<TypeRow>(&row, "types")? {
            let version = stored.version;
            let (id, terms) = stored.decode(id)?;
            state.types.insert(id, terms);
            versions.types.insert(id, version);
        }
    }
    if required.old {
        for stored in all::<StoredReservation>(&row, "reservations")? {
            let stored = reservation(stored)?;
            state.reservations.insert(stored.id, stored);
        }
    }
    if required.keys {
        state.records = all::<KeyRow>(&row, "keys")?
            .into_iter()
            .map(|stored| stored.decode(tenant))
            .collect::<Result<_>>()?;
    }
    let terms = state.event.as_ref();
    let due = due > 0 || terms.is_some_and(|event| event.status == EventStatus::Cancelled);
    let further = Further {
        due,
        buyers: required.new && terms.is_some_and(|event| event.buyer_limit.is_some()),
        served: required.new && terms.is_some_and(|event| event.queue_required),
        seats: due || !requested.seats.is_empty(),
    };
    if !further.is_nothing() {
        read_further(conn, tenant, (&mut state, &requested), further).await?;
    }
    for (of, count) in &requested.any {
        if state.types.get(of).is_some_and(|terms| terms.seated) {
            read_free_seats(conn, tenant, (&mut state, *of), *count).await?;
        }
    }
    codes::read(conn, tenant, (&mut state, jobs), lock).await?;
    Ok((state, versions))
}

/// Reads free seats of a type in their order: enough for all commands that take any seat, even after the seats that
/// other commands request are taken.
async fn read_free_seats(
    conn: &mut Conn,
    tenant: TenantId,
    (state, of): (&mut BatchState, TicketTypeId),
    count: u32,
) -> Result<()> {
    let cached: HashSet<_> = state.seats.iter().map(|seat| seat.id).collect();
    let most = MAX_CANDIDATES.max(count).saturating_add(u32::try_from(cached.len()).unwrap_or(u32::MAX));
    let vacant = seat::vacant(conn, tenant, of, most).await?;
    state.seats.extend(vacant.into_iter().filter(|seat| !cached.contains(&seat.id)));
    Ok(())
}

async fn read_further(
    conn: &mut Conn,
    tenant: TenantId,
    (state, requested): (&mut BatchState, &Requested),
    further: Further,
) -> Result<()> {
    let cancelled = state.event.as_ref().is_some_and(|event| event.status == EventStatus::Cancelled);
    let query = sqlx::query(AssertSqlSafe(further.statement()))
        .bind(tenant.0)
        .bind(state.id.0)
        .bind(Json(&requested.seats))
        .bind(Json(&requested.buyers))
        .bind(Ts(state.now))
        .bind(cancelled);
    let row = query.fetch_one(conn).await.map_err(db_error)?;
    if further.due {
        let due = all::<StoredReservation>(&row, "due")?.into_iter().map(reservation);
        state.due = due.collect::<Result<_>>()?;
    }
    if further.buyers {
        let buyers = all::<BuyerRow>(&row, "buyers")?.into_iter();
        state.buyers = buyers.map(|stored| (stored.buyer, stored.units)).collect();
    }
    if further.served {
        state.active_buyers = all::<String>(&row, "served")?.into_iter().collect();
    }
    if further.seats {
        state.seats =
            all::<SeatRow>(&row, "seats")?.into_iter().map(|stored| stored.decode(state.id)).collect();
    }
    Ok(())
}

/// Decodes a JSON column that is a list; null is an empty list.
fn all<T: for<'de> Deserialize<'de> + Send + Unpin + 'static>(row: &Row, column: &str) -> Result<Vec<T>> {
    let list: Option<Json<Vec<T>>> = row.try_get(column).map_err(db_error)?;
    Ok(list.map(|Json(list)| list).unwrap_or_default())
}
