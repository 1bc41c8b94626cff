//! A tenant's keys for ticket codes. The private halves are kept sealed; the public ones are for every scanner.

use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::access::{ObjectKind, Operation};
use crate::admission::code::{Code, Presented, forged};
use crate::admission::{Ticket, TicketState};
use crate::changeset::{Changeset, Expect, Versioned};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, TenantId};
use crate::outbox::{NewFact, ObjectRef};
use crate::ports::Store;
use crate::secret::{Sealer, random};
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value, diff};

/// The most keys of a tenant: a code has two bytes for their number, and scanners hold all of them.
const MAX_KEYS: u16 = 1_000;

/// How long the making of a tenant's first key may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// A key for ticket codes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SigningKey {
    /// Its number, from 1; codes are signed by the one with the greatest.
    pub id: u16,
    /// The public half, 32 bytes of Ed25519.
    pub public: Vec<u8>,
    /// The private half, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when its codes are void; none: they are not.
    pub revoked_at: Option<Timestamp>,
    /// Counts its changes.
    pub version: u64,
}

/// Signs codes and verifies them.
#[derive(Clone)]
pub struct Codes {
    store: Arc<dyn Store>,
    commands: Commands,
    sealer: Sealer,
}

impl Codes {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, sealer: Sealer) -> Self {
        Self { store, commands, sealer }
    }

    /// The codes of valid tickets, in their order; who is cancelled has none.
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

    /// Refuses a code that none of the tenant's keys signed for this event, or one that was revoked when it was shown.
    pub async fn verify(
        &self,
        ctx: &Ctx,
        shown: &Presented,
        (event, at): (EventId, Timestamp),
    ) -> Result<()> {
        let keys = self.store.signing_keys(ctx.tenant).await?;
        let key = keys.iter().find(|key| key.id == shown.key).ok_or_else(forged)?;
        shown.verify(&key.public, ctx.tenant, event)?;
        if key.revoked_at.is_some_and(|revoked| revoked <= at) {
            let message = "the key that signed the code was revoked; the ticket has a new code";
            return Err(Error::new(ErrorKind::Precondition, "CODE_REVOKED", message));
        }
        Ok(())
    }

    /// Lists the tenant's keys, oldest first: what a scanner needs to verify codes by itself.
    pub async fn list(&self, ctx: &Ctx) -> Result<Vec<SigningKey>> {
        ctx.allow(Operation::SigningKeyList)?;
        let keys = self.store.signing_keys(ctx.tenant).await?;
        if keys.is_empty() { self.current(ctx.tenant).await.map(|first| vec![first]) } else { Ok(keys) }
    }

    /// Makes a new key, by which codes are signed from now on. Codes of the former ones stay good, or are void at once.
    pub async fn rotate(&self, ctx: &Ctx, revoke: bool) -> Result<SigningKey> {
        let decide = || async {
            let keys = self.store.signing_keys(ctx.tenant).await?;
            let made = self.make(ctx.tenant, keys.last().map_or(0, |key| key.id), ctx.now)?;
            let mut changeset =
                Changeset::new(ctx).fact(fact(ctx, "signing_key.created", None, &made)).insert(made.clone());
            for before in keys.into_iter().filter(|key| revoke && key.revoked_at.is_none()) {
                let version = before.version + 1;
                let after = SigningKey { revoked_at: Some(ctx.now), version, ..before.clone() };
                let fact = fact(ctx, "signing_key.revoked", Some(&before), &after);
                changeset = changeset.fact(fact).update(after);
            }
            Ok(Decision::change(changeset, made))
        };
        self.commands.run(ctx, Operation::SigningKeyRotate, &revoke, decide).await
    }

    /// The key that signs today; a tenant that has none gets its first.
    async fn current(&self, tenant: TenantId) -> Result<SigningKey> {
        let keys = self.store.signing_keys(tenant).await?;
        if let Some(key) = keys.last() {
            return Ok(key.clone());
        }
        let until = std::time::Instant::now() + PATIENCE;
        let now = self.store.now();
        let ctx = Ctx::new(tenant, Principal::System, "signing".into(), (now, until), Transport::Internal);
        // Where another was faster, its key is there at the second look.
        let decide = || async {
            if let Some(key) = self.store.signing_keys(tenant).await?.pop() {
                return Ok(Decision::nothing(key));
            }
            let made = self.make(tenant, 0, now)?;
            let fact = fact(&ctx, "signing_key.created", None, &made);
            Ok(Decision::change(Changeset::new(&ctx).fact(fact).insert(made.clone()), made))
        };
        self.commands.run(&ctx, Operation::SigningKeyRotate, &(), decide).await
    }

    fn make(&self, tenant: TenantId, last: u16, now: Timestamp) -> Result<SigningKey> {
        if last >= MAX_KEYS {
            let message = format!("the tenant has {MAX_KEYS} keys for ticket codes, and can have no more");
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

impl Versioned for SigningKey {
    fn expect(&self) -> Expect {
        Expect {
            kind: ObjectKind::SigningKey,
            id: self.id.to_string(),
            version: self.version,
            machines: None,
        }
    }
}

impl Snapshot for SigningKey {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("number", Value::Integer(self.id.into())),
            Field::new("revoked_at", self.revoked_at.map_or(Value::None, Value::Time)),
        ]
    }
}

fn pair(seed: &[u8]) -> Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed)
        .map_err(|_| Error::internal(anyhow::anyhow!("a signing key's seed has {} bytes", seed.len())))
}

/// What a key was sealed for: it opens as nothing else.
fn purpose(tenant: TenantId, number: u16) -> String {
    format!("signing key {number} of {tenant}")
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&SigningKey>, after: &SigningKey) -> NewFact {
    let object = ObjectRef { kind: ObjectKind::SigningKey, id: after.id.to_string(), version: after.version };
    NewFact::new(ctx, fact_type, object, diff(before, Some(after)))
}
