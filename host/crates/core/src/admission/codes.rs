//! The service of signing keys and ticket codes. Private halves are stored encrypted; public ones are for all scanners.

use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::access::{ObjectKind, Operation};
use crate::admission::code::{Code, ScannedCode, not_authentic};
use crate::admission::{SigningKey, Ticket, TicketState};
use crate::changeset::{Changeset, MAX_ROWS};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, TenantId};
use crate::outbox::{NewFact, ObjectRef};
use crate::ports::Store;
use crate::secret::{Sealer, random};
use crate::time::Timestamp;
use crate::value::diff;

/// The most keys of a tenant, with revoked ones. A code has two bytes for their number, and scanners store all of them.
const MAX_KEYS: u16 = 1_000;

/// The most keys of a tenant that are not revoked. One rotation must be able to revoke them all.
const MAX_LIVE_KEYS: usize = 100;

/// The new key and the revoked ones, each with its fact.
const _: () = assert!(2 + 2 * MAX_LIVE_KEYS <= MAX_ROWS);

/// How long the creation of a tenant's first key may take.
const CREATE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Signs and verifies codes, and manages signing keys.
#[derive(Clone)]
pub struct Codes {
    store: Arc<dyn Store>,
    commands: Commands,
    sealer: Sealer,
}

impl Codes {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, sealer: Sealer) -> Self {
        Self { store, commands, sealer }
    }

    /// Returns the codes of tickets, in their order; `None` for cancelled tickets.
    pub async fn of(&self, tenant: TenantId, tickets: &[Ticket]) -> Result<Vec<Option<Code>>> {
        if tickets.iter().all(|ticket| ticket.state != TicketState::Valid) {
            return Ok(vec![None; tickets.len()]);
        }
        let key = self.current(tenant).await?;
        let pair = self.open(tenant, &key)?;
        let code = |ticket: &Ticket| {
            (ticket.state == TicketState::Valid).then(|| Code::sign((key.id, &pair), tenant, ticket))
        };
        Ok(tickets.iter().map(code).collect())
    }

    /// Refuses a code that no key of the tenant signed for this event, or whose key was revoked at the time of the scan.
    pub async fn verify(
        &self,
        ctx: &Ctx,
        scanned: &ScannedCode,
        (event, at): (EventId, Timestamp),
    ) -> Result<()> {
        let keys = self.store.signing_keys(ctx.tenant).await?;
        let key = keys.iter().find(|key| key.id == scanned.key).ok_or_else(not_authentic)?;
        scanned.verify(&key.public, ctx.tenant, event)?;
        if key.revoked_at.is_some_and(|revoked| revoked <= at) {
            let message = "the key that signed the code was revoked; the ticket has a new code";
            return Err(Error::new(ErrorKind::Precondition, "CODE_REVOKED", message));
        }
        Ok(())
    }

    /// Lists the tenant's keys, oldest first. Scanners need them to verify codes offline.
    pub async fn list(&self, ctx: &Ctx) -> Result<Vec<SigningKey>> {
        ctx.allow(Operation::SigningKeyList)?;
        let keys = self.store.signing_keys(ctx.tenant).await?;
        if keys.is_empty() { self.current(ctx.tenant).await.map(|first| vec![first]) } else { Ok(keys) }
    }

    /// Creates a new key, which signs codes from now on. Codes of earlier keys stay valid unless `revoke` is set.
    pub async fn rotate(&self, ctx: &Ctx, revoke: bool) -> Result<SigningKey> {
        let decide = || async {
            let keys = self.store.signing_keys(ctx.tenant).await?;
            let live = keys.iter().filter(|key| key.revoked_at.is_none()).count();
            if live >= MAX_LIVE_KEYS && !revoke {
                let message = format!(
                    "the tenant has {live} signing keys that are not revoked; at most {MAX_LIVE_KEYS}: \
                     rotate with revoke_former"
                );
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let created = self.create_key(ctx.tenant, keys.last().map_or(0, |key| key.id), ctx.now)?;
            let mut changeset = Changeset::new(ctx)
                .fact(fact(ctx, "signing_key.created", None, &created))
                .insert(created.clone());
            for before in keys.into_iter().filter(|key| revoke && key.revoked_at.is_none()) {
                let version = before.version + 1;
                let after = SigningKey { revoked_at: Some(ctx.now), version, ..before.clone() };
                let fact = fact(ctx, "signing_key.revoked", Some(&before), &after);
                changeset = changeset.fact(fact).update(after);
            }
            Ok(Decision::change(changeset, created))
        };
        self.commands.run(ctx, Operation::SigningKeyRotate, &revoke, decide).await
    }

    /// Returns the key that signs new codes. Creates the first key of a tenant without one.
    async fn current(&self, tenant: TenantId) -> Result<SigningKey> {
        let keys = self.store.signing_keys(tenant).await?;
        if let Some(key) = keys.last() {
            return Ok(key.clone());
        }
        let deadline = std::time::Instant::now() + CREATE_TIMEOUT;
        let now = self.store.now();
        let ctx = Ctx::new(tenant, Principal::System, "signing".into(), (now, deadline), Transport::Internal);
        // If another request was faster, the second attempt finds its key.
        let decide = || async {
            if let Some(key) = self.store.signing_keys(tenant).await?.pop() {
                return Ok(Decision::nothing(key));
            }
            let created = self.create_key(tenant, 0, now)?;
            let fact = fact(&ctx, "signing_key.created", None, &created);
            Ok(Decision::change(Changeset::new(&ctx).fact(fact).insert(created.clone()), created))
        };
        self.commands.run(&ctx, Operation::SigningKeyRotate, &(), decide).await
    }

    fn create_key(&self, tenant: TenantId, last: u16, now: Timestamp) -> Result<SigningKey> {
        if last >= MAX_KEYS {
            let message = format!("the tenant has had {MAX_KEYS} signing keys, which is the most");
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let (id, seed) = (last + 1, random::<32>()?);
        let pair = pair(&seed)?;
        Ok(SigningKey {
            id,
            public: pair.public_key().as_ref().to_vec(),
            sealed: self.sealer.seal(&purpose(tenant, id), &seed)?,
            created_at: now,
            revoked_at: None,
            version: 1,
        })
    }

    fn open(&self, tenant: TenantId, key: &SigningKey) -> Result<Ed25519KeyPair> {
        pair(&self.sealer.open(&purpose(tenant, key.id), &key.sealed)?)
    }
}

fn pair(seed: &[u8]) -> Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed)
        .map_err(|_| Error::internal(anyhow::anyhow!("a signing key's seed has {} bytes", seed.len())))
}

/// Returns the purpose that a key is encrypted for. It cannot be decrypted for another one.
fn purpose(tenant: TenantId, number: u16) -> String {
    format!("signing key {number} of {tenant}")
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&SigningKey>, after: &SigningKey) -> NewFact {
    let object = ObjectRef { kind: ObjectKind::SigningKey, id: after.id.to_string(), version: after.version };
    NewFact::new(ctx, fact_type, object, diff(before, Some(after)))
}
