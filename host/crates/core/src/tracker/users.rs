//! Operations on users.

use std::sync::Arc;

use crate::access::{ObjectKind, Operation};
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::UserId;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::text::Faults;
use crate::tracker::User;
use crate::value::diff;

/// The most users that one command creates.
pub const MAX_BULK: usize = 100;

/// The command that creates a user.
#[derive(Clone, Hash, Debug)]
pub struct CreateUser {
    /// The given name.
    pub first_name: String,
    /// The family name.
    pub last_name: String,
    /// The e-mail address.
    pub email: String,
}

/// The command that changes a user; `None` keeps a value.
#[derive(Clone, Hash, Debug, Default)]
pub struct ChangeUser {
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
}

/// Performs the operations on users.
#[derive(Clone)]
pub struct Users {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Users {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Creates a user.
    pub async fn create(&self, ctx: &Ctx, command: CreateUser) -> Result<User> {
        let decide = || async {
            let user = new_user(ctx, &command);
            let mut faults = Faults::default();
            user.check("", &mut faults);
            faults.into_result()?;
            let fact = fact(ctx, "user.created", None, &user);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).insert(user.clone()), user))
        };
        self.commands.run(ctx, Operation::UserCreate, &command, decide).await
    }

    /// Creates several users, or none.
    pub async fn bulk_create(&self, ctx: &Ctx, command: Vec<CreateUser>) -> Result<Vec<User>> {
        let decide = || async {
            if command.is_empty() || command.len() > MAX_BULK {
                return Err(Error::invalid("users", format!("must have between 1 and {MAX_BULK} entries")));
            }
            let users: Vec<_> = command.iter().map(|one| new_user(ctx, one)).collect();
            let mut faults = Faults::default();
            for (index, user) in users.iter().enumerate() {
                user.check(&format!("users[{index}]."), &mut faults);
            }
            faults.into_result()?;
            let changeset = users.iter().fold(Changeset::new(ctx), |changeset, user| {
                changeset.fact(fact(ctx, "user.created", None, user)).insert(user.clone())
            });
            Ok(Decision::change(changeset, users))
        };
        self.commands.run(ctx, Operation::UserBulkCreate, &command, decide).await
    }

    /// Returns a user.
    pub async fn get(&self, ctx: &Ctx, id: UserId) -> Result<User> {
        ctx.allow(Operation::UserGet)?;
        self.load(ctx, id).await
    }

    /// Lists users.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<User>> {
        ctx.allow(Operation::UserList)?;
        self.store.users(ctx.tenant, None, page).await
    }

    /// Finds users by a part of their name or e-mail address.
    pub async fn search(&self, ctx: &Ctx, query: &str, page: &PageRequest) -> Result<Page<User>> {
        ctx.allow(Operation::UserSearch)?;
        let mut faults = Faults::default();
        faults.text("query", query, 1, 100);
        faults.into_result()?;
        self.store.users(ctx.tenant, Some(query), page).await
    }

    /// Changes a user.
    pub async fn update(&self, ctx: &Ctx, id: UserId, command: ChangeUser) -> Result<User> {
        self.change(ctx, Operation::UserUpdate, "user.updated", id, &command, |user| {
            let ChangeUser { first_name, last_name, email } = command.clone();
            user.first_name = first_name.unwrap_or_else(|| user.first_name.clone());
            user.last_name = last_name.unwrap_or_else(|| user.last_name.clone());
            user.email = email.unwrap_or_else(|| user.email.clone());
        })
        .await
    }

    /// Deactivates a user: it cannot be assigned, and its API keys are refused.
    pub async fn deactivate(&self, ctx: &Ctx, id: UserId) -> Result<User> {
        let fact_type = "user.deactivated";
        self.change(ctx, Operation::UserDeactivate, fact_type, id, &(), |user| user.is_active = false).await
    }

    /// Activates a user.
    pub async fn activate(&self, ctx: &Ctx, id: UserId) -> Result<User> {
        self.change(ctx, Operation::UserActivate, "user.activated", id, &(), |user| user.is_active = true)
            .await
    }

    /// Deletes a user. Issues that were assigned to it become unassigned.
    pub async fn delete(&self, ctx: &Ctx, id: UserId) -> Result<User> {
        let decide = || async {
            let user = self.load(ctx, id).await?;
            ctx.check_version(user.version)?;
            if ctx.user() == Some(id) {
                let message = "an API key cannot delete the user that it is bound to";
                return Err(Error::new(ErrorKind::Precondition, "USER_IN_USE", message));
            }
            let object = object(&user, user.version + 1);
            let fact = NewFact::new(ctx, "user.deleted", object, diff(Some(&user), None));
            Ok(Decision::change(Changeset::new(ctx).fact(fact).delete(user.clone()), user))
        };
        self.commands.run(ctx, Operation::UserDelete, &(id, &ctx.if_version), decide).await
    }

    async fn change(
        &self,
        ctx: &Ctx,
        operation: Operation,
        fact_type: &'static str,
        id: UserId,
        command: &(impl std::hash::Hash + Sync),
        change: impl Fn(&mut User) + Sync,
    ) -> Result<User> {
        let decide = || async {
            let before = self.load(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after = before.clone();
            change(&mut after);
            let mut faults = Faults::default();
            after.check("", &mut faults);
            faults.into_result()?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, fact_type, Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, operation, &(id, command, &ctx.if_version), decide).await
    }

    async fn load(&self, ctx: &Ctx, id: UserId) -> Result<User> {
        self.store.user(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("user"))
    }
}

fn new_user(ctx: &Ctx, command: &CreateUser) -> User {
    User {
        id: UserId::generate(),
        first_name: command.first_name.clone(),
        last_name: command.last_name.clone(),
        email: command.email.clone(),
        is_active: true,
        created_at: ctx.now,
        updated_at: ctx.now,
        version: 1,
    }
}

fn object(user: &User, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::User, id: user.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&User>, after: &User) -> NewFact {
    NewFact::new(ctx, fact_type, object(after, after.version), diff(before, Some(after)))
}
