//! Records to fill a store with.

use tessera_core::changeset::{Changeset, Write};
use tessera_core::id::{InstallationId, IssueId, KeyId, ProjectId, TenantId, UserId};
use tessera_core::plugin::{
    AdmittedComponent, Digest, Footprint, Hook, Installation, LimitOverrides, Manifest, OnFailure, Release,
    ReleaseRef, Scope, Timer,
};
use tessera_core::tenancy::{ApiKey, KeyHash, StoredKey, Tenant, TenantState};
use tessera_core::tracker::{Issue, Project, User, issue};

use crate::world::World;

impl World {
    pub(crate) async fn tenant(&self, slug: &str) -> TenantId {
        let tenant = self.new_tenant(slug);
        let fact = self.fact(tenant.id, "tenant.created", &tenant);
        self.store(self.change(tenant.id).insert(tenant.clone()).fact(fact)).await;
        tenant.id
    }

    pub(crate) fn new_tenant(&self, slug: &str) -> Tenant {
        let now = self.store.now();
        Tenant {
            id: TenantId::generate(),
            slug: slug.into(),
            name: format!("The {slug}"),
            state: TenantState::Active,
            plugin_limits: LimitOverrides::default(),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    pub(crate) fn new_key(&self, tenant: TenantId, id: &str) -> StoredKey {
        let key = ApiKey {
            id: KeyId::parse("id", id).unwrap(),
            tenant,
            name: "a key".into(),
            roles: vec![tessera_core::Role::Admin, tessera_core::Role::Viewer],
            user: None,
            created_at: self.store.now(),
            expires_at: None,
            revoked_at: None,
            version: 1,
        };
        StoredKey { key, hash: KeyHash::from_bytes([7; 32]) }
    }

    pub(crate) fn new_user(&self, name: &str, email: &str) -> User {
        let (first, last) = name.split_once(' ').unwrap_or((name, "Nobody"));
        let now = self.store.now();
        User {
            id: UserId::generate(),
            first_name: first.into(),
            last_name: last.into(),
            email: email.into(),
            is_active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    pub(crate) async fn user(&self, tenant: TenantId, name: &str, email: &str) -> User {
        let user = self.new_user(name, email);
        let fact = self.fact(tenant, "user.created", &user);
        self.store(self.change(tenant).insert(user.clone()).fact(fact)).await;
        user
    }

    pub(crate) fn new_project(&self, name: &str) -> Project {
        let now = self.store.now();
        Project {
            id: ProjectId::generate(),
            name: name.into(),
            description: "where work lives".into(),
            scheme: None,
            machines: 0,
            issue_count: 0,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    pub(crate) async fn project(&self, tenant: TenantId, name: &str) -> Project {
        let project = self.new_project(name);
        let fact = self.fact(tenant, "project.created", &project).in_project(project.id);
        self.store(self.change(tenant).insert(project.clone()).fact(fact)).await;
        project
    }

    pub(crate) fn new_issue(&self, project: ProjectId, summary: &str) -> Issue {
        let now = self.store.now();
        Issue {
            id: IssueId::generate(),
            project,
            kind: issue::KIND.into(),
            summary: summary.into(),
            description: None,
            status: "NEW".into(),
            resolution: None,
            issue_type: "BUG".into(),
            priority: "MINOR".into(),
            assignee: None,
            reporter: None,
            parent: None,
            labels: [].into(),
            fields: [].into(),
            created_at: now,
            modified_at: now,
            version: 1,
        }
    }

    /// Creates the changeset of a new issue, as the service does.
    pub(crate) fn creation(&self, tenant: TenantId, project: &Project, issue: &Issue) -> Changeset {
        let fact = self.fact(tenant, "issue.created", issue).in_project(issue.project);
        self.change(tenant).expect(project).insert(issue.clone()).fact(fact)
    }

    pub(crate) async fn issue(&self, tenant: TenantId, project: &Project, summary: &str) -> Issue {
        self.issue_with(tenant, project, summary, |_| ()).await
    }

    pub(crate) async fn issue_with(
        &self,
        tenant: TenantId,
        project: &Project,
        summary: &str,
        change: impl FnOnce(&mut Issue),
    ) -> Issue {
        let mut issue = self.new_issue(project.id, summary);
        change(&mut issue);
        self.store(self.creation(tenant, project, &issue)).await;
        issue
    }

    /// Returns the next version of an issue.
    pub(crate) fn next(&self, issue: &Issue, change: impl FnOnce(&mut Issue)) -> Issue {
        let mut next = Issue { version: issue.version + 1, modified_at: self.store.now(), ..issue.clone() };
        change(&mut next);
        next
    }

    /// Creates the changeset of an issue's next version, with its fact.
    pub(crate) fn update(&self, tenant: TenantId, next: &Issue) -> Changeset {
        let fact = self.fact(tenant, "issue.updated", next).in_project(next.project);
        self.change(tenant).update(next.clone()).fact(fact)
    }

    /// Creates a release of a plugin; all bytes of its digest are the same.
    pub(crate) fn new_release(&self, plugin: &str, version: &str, digest: u8) -> Release {
        let manifest = Manifest {
            name: plugin.into(),
            version: version.into(),
            summary: "does something".into(),
            settings_schema: String::new(),
            kinds: Vec::new(),
            needs: Vec::new(),
            attributes: Vec::new(),
        };
        let footprint = Footprint { instances: 1, memories: 1, tables: 1 };
        let (digest, contract, hooks) = (Digest([digest; 32]), "1.0".into(), vec![Hook::Workflow]);
        let admitted = AdmittedComponent { digest, contract, hooks, manifest, footprint };
        Release { admitted, size: 3, uploaded_at: self.store.now(), uploaded_by: None }
    }

    /// Stores a release with its bytes.
    pub(crate) async fn release(&self, tenant: TenantId, plugin: &str, version: &str, digest: u8) -> Release {
        let release = self.new_release(plugin, version, digest);
        let bytes = Write::PutComponent(release.digest(), [digest; 3].as_slice().into());
        let fact = self.fact(tenant, "release.uploaded", &release);
        self.store(self.change(tenant).insert(release.clone()).write(bytes).fact(fact)).await;
        release
    }

    pub(crate) fn new_installation(&self, release: &Release, scope: Scope) -> Installation {
        let now = self.store.now();
        Installation {
            id: InstallationId::generate(),
            plugin: release.admitted.manifest.name.clone(),
            release: reference(release),
            earlier: Vec::new(),
            scope,
            settings: "".into(),
            order: 0,
            on_failure: OnFailure::Closed,
            grants: [].into(),
            limits: LimitOverrides::default(),
            enabled: true,
            hooks: release.admitted.hooks.clone(),
            kinds: Vec::new(),
            machines: [].into(),
            commands: [].into(),
            state_map: [].into(),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Installs a release without a state machine.
    pub(crate) async fn installation(
        &self,
        tenant: TenantId,
        release: &Release,
        scope: Scope,
    ) -> Installation {
        let installation = self.new_installation(release, scope);
        let generation = self.store.active_installations(tenant).await.unwrap().generation;
        let fact = self.fact(tenant, "plugin.installed", &installation);
        let changeset = self.change(tenant).write(Write::NextGeneration(generation, None));
        self.store(changeset.insert(installation.clone()).fact(fact)).await;
        installation
    }

    /// Creates a timer of an issue that is due now.
    pub(crate) fn new_timer(&self, issue: IssueId, by: InstallationId, name: &str) -> Timer {
        Timer {
            issue,
            installation: by,
            name: name.into(),
            at: self.store.now(),
            generation: 1,
            failures: 0,
            last_failure: None,
        }
    }
}

/// Returns the reference of an installation to a release.
pub(crate) fn reference(release: &Release) -> ReleaseRef {
    ReleaseRef {
        digest: release.digest(),
        version: release.admitted.manifest.version.clone(),
        previous_config: None,
    }
}
