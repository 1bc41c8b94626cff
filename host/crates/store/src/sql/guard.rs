//! Guards: conditions beyond versions that must hold under the locks, else the changeset is stale.

use tessera_core::changeset::{Changeset, Guard};
use tessera_core::{Error, Result};

use super::Conn;
use super::catalog::{event, pool};
use super::plugin::{installation, timer};
use super::pricing::{promotion, quote, rule};
use super::tracker::{count, issue, project};

/// Checks the guards that apply to the rows before the writes.
pub(super) async fn before(conn: &mut Conn, changeset: &Changeset) -> Result<()> {
    let tenant = changeset.tenant;
    for guard in &changeset.guards {
        match guard {
            Guard::ProjectIsEmpty(id) => count::is_zero(conn, tenant, *id).await?,
            Guard::SchemeFits(id, scheme) => project::fits(conn, tenant, *id, scheme).await?,
            Guard::HasNoChildren(id) => issue::no_children(conn, tenant, &[*id]).await?,
            Guard::StatesInUse(scope, states) => issue::states_are(conn, tenant, *scope, states).await?,
            Guard::ReleaseIsUnused(digest) => installation::none_uses(conn, tenant, *digest).await?,
            Guard::HasNoEvents(kind, id) => {
                if event::any_of(conn, tenant, *kind, *id).await? {
                    return Err(Error::stale());
                }
            }
            Guard::FewerOpenQuotes(most, now) => quote::fewer_open_than(conn, tenant, (*most, *now)).await?,
            Guard::SalesPaused(event) => drop(pool::pause(conn, tenant, *event).await?),
            Guard::EventIsUnsold(event) => {
                let pools = pool::pause(conn, tenant, *event).await?;
                if pools.iter().any(|pool| pool.counts.used() > 0) {
                    return Err(Error::stale());
                }
            }
            Guard::FewerRules(most) => rule::fewer_than(conn, tenant, *most).await?,
            Guard::FewerPromotions(most) => promotion::fewer_than(conn, tenant, *most).await?,
            Guard::TimersOf(..) | Guard::CodesAtMost(_) => {}
        }
    }
    Ok(())
}

/// Checks the guards that apply to the rows after the writes.
pub(super) async fn after(conn: &mut Conn, changeset: &Changeset) -> Result<()> {
    for guard in &changeset.guards {
        match guard {
            Guard::TimersOf(issue, most) => timer::at_most(conn, changeset.tenant, *issue, *most).await?,
            Guard::CodesAtMost(most) => promotion::codes_at_most(conn, changeset.tenant, *most).await?,
            Guard::ProjectIsEmpty(_)
            | Guard::SchemeFits(..)
            | Guard::HasNoChildren(_)
            | Guard::StatesInUse(..)
            | Guard::ReleaseIsUnused(_)
            | Guard::HasNoEvents(..)
            | Guard::FewerOpenQuotes(..)
            | Guard::SalesPaused(_)
            | Guard::EventIsUnsold(_)
            | Guard::FewerRules(_)
            | Guard::FewerPromotions(_) => {}
        }
    }
    Ok(())
}
