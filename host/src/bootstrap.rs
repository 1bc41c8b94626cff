//! The first start creates the tenant `default` with its admin key, and example data if the configuration asks for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tessera_core::PageRequest;
use tessera_core::filter::{Filter, Order};
use tessera_core::id::TenantId;
use tessera_core::tenancy::tenant::DEFAULT_SLUG;
use tessera_core::tenancy::{CreateKey, CreateTenant};
use tessera_core::tracker::{CreateIssue, CreateProject, CreateUser};
use tessera_core::{App, Ctx, ErrorKind, Principal, Role, Transport};

use crate::config::{Demo, Redacted};

/// Creates the tenant and its first key if they do not exist. Returns the text of a key that was generated.
pub(crate) async fn run(app: &App, configured: Option<&Redacted>) -> Result<Option<String>> {
    let system = ctx(app, TenantId(uuid::Uuid::nil()));
    let tenant = match app.tenants.get(&system, DEFAULT_SLUG).await {
        Ok(tenant) => tenant,
        Err(error) if error.kind() == ErrorKind::NotFound => create_tenant(app, &system).await?,
        Err(error) => return Err(error.into()),
    };
    let ctx = ctx(app, tenant.id);
    if let Some(Redacted(text)) = configured {
        ensure_key(app, &ctx, text).await.context("TESSERA_BOOTSTRAP_KEY cannot be used")?;
        return Ok(None);
    }
    if !app.keys.list(&ctx, &first(1)).await?.items.is_empty() {
        return Ok(None);
    }
    let key = app.keys.create(&ctx, first_key()).await?;
    Ok(key.text)
}

async fn create_tenant(app: &App, system: &Ctx) -> Result<tessera_core::tenancy::Tenant> {
    let command = CreateTenant { slug: DEFAULT_SLUG.to_owned(), name: "Default".to_owned() };
    match app.tenants.create(system, command).await {
        Ok(tenant) => Ok(tenant),
        // Another host that starts at the same time has created it.
        Err(error) if error.kind() == ErrorKind::Exists => Ok(app.tenants.get(system, DEFAULT_SLUG).await?),
        Err(error) => Err(error.into()),
    }
}

async fn ensure_key(app: &App, ctx: &Ctx, text: &str) -> Result<()> {
    match app.keys.create_as(ctx, first_key(), text).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Exists => {
            anyhow::ensure!(
                app.auth.key_exists(text).await?,
                "a key with this id exists already, and its secret or the host's secret key differs"
            );
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the command that creates the key of an operator who is an admin of the tenant `default`, too.
pub(crate) fn first_key() -> CreateKey {
    CreateKey {
        name: "bootstrap".to_owned(),
        roles: vec![Role::Operator, Role::Admin],
        user: None,
        expires_at: None,
        tenant: None,
    }
}

/// Creates example data in a tenant without users and projects.
pub(crate) async fn create_examples(app: &App, demo: Demo) -> Result<()> {
    let system = ctx(app, TenantId(uuid::Uuid::nil()));
    let tenant = app.tenants.get(&system, DEFAULT_SLUG).await?;
    let ctx = ctx(app, tenant.id);
    let users = app.users.list(&ctx, &first(1)).await?.items;
    let projects = app.projects.list(&ctx, &first(1)).await?.items;
    if !users.is_empty() || !projects.is_empty() {
        tracing::info!("example data not created: the host is not empty");
        return Ok(());
    }
    let (mut example_users, mut example_projects) = (Vec::new(), Vec::new());
    for number in 1..=demo.users {
        let command = CreateUser {
            first_name: format!("User{number}"),
            last_name: "Example".to_owned(),
            email: format!("user{number}@example.com"),
        };
        example_users.push(app.users.create(&ctx, command).await?);
    }
    for number in 1..=demo.projects {
        let name = format!("Project {number}");
        let command = CreateProject { name, description: format!("Example project number {number}") };
        example_projects.push(app.projects.create(&ctx, command).await?);
    }
    let mut issues = 0_u32;
    if demo.relationships && !example_users.is_empty() {
        for (project, user) in example_projects.iter().zip(example_users.iter().cycle()) {
            for (summary, assigned) in [("Take a look around", true), ("Create an issue", false)] {
                let issue = app.issues.create(&ctx, example_issue(project.id, summary)).await?;
                if assigned {
                    app.issues.assign(&ctx, issue.id, Some(user.id)).await?;
                }
                issues += 1;
            }
        }
    }
    tracing::info!(users = demo.users, projects = demo.projects, issues, "example data created");
    Ok(())
}

fn example_issue(project: tessera_core::id::ProjectId, summary: &str) -> CreateIssue {
    CreateIssue {
        project,
        summary: summary.to_owned(),
        description: Some("An example issue".to_owned()),
        issue_type: None,
        priority: None,
        assignee: None,
        parent: None,
        labels: vec!["example".to_owned()],
        fields: std::collections::BTreeMap::new(),
    }
}

fn first(size: u32) -> PageRequest {
    let order = Order { field: "created", descending: false };
    PageRequest { size, after: None, filter: Filter::default(), order }
}

/// Returns the context of the host itself.
pub(crate) fn ctx(app: &App, tenant: TenantId) -> Ctx {
    let deadline = Instant::now() + Duration::from_secs(60);
    Ctx::new(tenant, Principal::System, Arc::from("start"), (app.now(), deadline), Transport::Internal)
}
