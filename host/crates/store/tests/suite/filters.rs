//! Every field of every filter, also negated and with `none`.

use tessera_core::filter::Spec;
use tessera_core::id::TenantId;
use tessera_core::outbox::fact;
use tessera_core::tenancy::{key, tenant};
use tessera_core::tracker::{issue, project, user};
use tessera_core::value::Decimal;
use tessera_core::{Timestamp, Value};

use crate::world::{World, page};
use tessera_core::page::PageRequest;

on_every_store! {
    issues_are_filtered,
    issues_are_filtered_by_custom_fields,
    users_are_filtered_and_searched,
    projects_tenants_and_keys_are_filtered,
    facts_are_filtered,
}

fn request(world: &World, tenant: TenantId, spec: &Spec, text: &str) -> PageRequest {
    PageRequest { filter: world.filter(tenant, spec, text), ..page(spec, 100, spec.orders[0]) }
}

async fn issues(world: &World, tenant: TenantId, text: &str) -> String {
    let found = world.store.issues(tenant, &request(world, tenant, &issue::SPEC, text)).await.unwrap();
    found.items.into_iter().map(|issue| issue.summary).collect()
}

async fn issues_are_filtered(world: World) {
    let tenant = world.tenant("acme").await;
    let (rocket, other) = (world.project(tenant, "Rocket").await, world.project(tenant, "Other").await);
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await.id;
    let at = |text: &str| Timestamp::parse("t", text).unwrap();
    let a = world
        .issue_with(tenant, &rocket, "a", |issue| {
            issue.status = "RESOLVED".into();
            issue.resolution = Some("FIXED".into());
            issue.issue_type = "FEATURE".into();
            issue.priority = "MAJOR".into();
            issue.assignee = Some(ada);
            issue.reporter = Some(ada);
            issue.labels = ["ui".to_owned(), "api".to_owned()].into();
            issue.created_at = at("2026-01-01");
            issue.modified_at = at("2026-01-05");
        })
        .await;
    world
        .issue_with(tenant, &other, "b", |issue| {
            issue.parent = Some(a.id);
            issue.labels = ["ui".to_owned()].into();
            issue.created_at = at("2026-01-02");
            issue.modified_at = at("2026-01-04");
        })
        .await;
    world
        .issue_with(tenant, &rocket, "c", |issue| {
            issue.kind = "ticket".into();
            issue.created_at = at("2026-01-03");
            issue.modified_at = at("2026-01-03");
        })
        .await;
    let watched = world.next(&a, |next| next.modified_at = at("2026-01-05"));
    let watch = tessera_core::changeset::Write::AddWatcher(a.id, ada);
    world.store(world.update(tenant, &watched).write(watch)).await;
    let (project, parent) = (other.id, a.id);
    for (text, expected) in [
        ("".to_owned(), "abc"),
        ("status:RESOLVED".into(), "a"),
        ("-status:RESOLVED".into(), "bc"),
        ("status:NEW,RESOLVED type:FEATURE".into(), "a"),
        ("type:BUG".into(), "bc"),
        ("-type:BUG,FEATURE".into(), ""),
        ("priority:MAJOR".into(), "a"),
        ("resolution:FIXED".into(), "a"),
        ("-resolution:FIXED".into(), "bc"),
        ("resolution:none".into(), "bc"),
        ("-resolution:none".into(), "a"),
        ("resolution:none,FIXED".into(), "abc"),
        (format!("project:{project}"), "b"),
        (format!("-project:{project}"), "ac"),
        (format!("assignee:{ada}"), "a"),
        (format!("-assignee:{ada}"), "bc"),
        ("assignee:none".into(), "bc"),
        ("-assignee:none".into(), "a"),
        (format!("reporter:{ada}"), "a"),
        (format!("watcher:{ada}"), "a"),
        (format!("-watcher:{ada}"), "bc"),
        ("watcher:none".into(), "bc"),
        ("-watcher:none".into(), "a"),
        (format!("parent:{parent}"), "b"),
        ("parent:none".into(), "ac"),
        ("label:ui".into(), "ab"),
        ("label:api,other".into(), "a"),
        ("-label:api".into(), "bc"),
        ("label:none".into(), "c"),
        ("label:none,api".into(), "ac"),
        ("-label:none".into(), "ab"),
        ("label:ui -label:api".into(), "b"),
        ("kind:ticket".into(), "c"),
        ("created>2026-01-01".into(), "bc"),
        ("created>=2026-01-02 created<2026-01-03".into(), "b"),
        ("created:2026-01-02,2026-01-03".into(), "bc"),
        ("-created<=2026-01-02".into(), "c"),
        ("modified>2026-01-03".into(), "ab"),
        ("modified<=2026-01-04".into(), "bc"),
        ("status:resolved".into(), ""),
    ] {
        assert_eq!(issues(&world, tenant, &text).await, expected, "{text}");
    }
}

async fn issues_are_filtered_by_custom_fields(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let decimal = |text: &str| Value::Decimal(Decimal::parse("d", text).unwrap());
    for (summary, value) in [
        ("a", Value::Text("high".into())),
        ("b", Value::Integer(-12)),
        ("c", decimal("12.50")),
        ("d", Value::Boolean(true)),
        ("e", Value::Time(Timestamp::parse("t", "2026-01-31T12:00:00Z").unwrap())),
        ("f", Value::Texts(vec!["red".into(), "green".into()])),
    ] {
        world
            .issue_with(tenant, &project, summary, |issue| {
                issue.fields = [("x".to_owned(), value), ("y z".to_owned(), Value::Integer(1))].into();
            })
            .await;
    }
    world.issue(tenant, &project, "g").await;
    for (text, expected) in [
        ("field.x:high", "a"),
        ("field.x:HIGH", ""),
        ("field.x:-12", "b"),
        ("field.x:12.50", "c"),
        ("field.x:12.5", ""),
        ("field.x:true", "d"),
        ("field.x:2026-01-31T12:00:00Z", "e"),
        ("field.x:green", "f"),
        ("field.x:red,true,high", "adf"),
        ("-field.x:high", "bcdefg"),
        ("field.absent:1", ""),
        ("-field.absent:1", "abcdefg"),
        ("field.$decimal:12.50", ""),
        ("field.x.$decimal:12.50", ""),
        ("field.[0]:red", ""),
        ("field.x':\"' OR 1=1 --\"", ""),
        ("field.x:\"a'b\"", ""),
        ("field.0:red", ""),
    ] {
        assert_eq!(issues(&world, tenant, text).await, expected, "{text}");
    }
    let stored = world.store.issues(tenant, &request(&world, tenant, &issue::SPEC, "field.x:12.50")).await;
    assert_eq!(stored.unwrap().items[0].fields["x"], decimal("12.50"));
}

async fn users_are_filtered_and_searched(world: World) {
    let tenant = world.tenant("acme").await;
    let ada = world.user(tenant, "Ada Lovelace", "Ada@Example.com").await;
    world.user(tenant, "Ödön von-Horváth", "o_d%n@example.com").await;
    let users = |part: Option<&'static str>, text: String| {
        let world = world.clone();
        async move {
            let request = request(&world, tenant, &user::SPEC, &text);
            let found = world.store.users(tenant, part, &request).await.unwrap();
            found.items.into_iter().map(|user| user.first_name).collect::<Vec<_>>()
        }
    };
    let off = tessera_core::tracker::User { is_active: false, version: 2, ..ada.clone() };
    world.store(world.change(tenant).update(off)).await;
    for (text, expected) in [
        ("name:ada", vec!["Ada"]),
        ("name:LOVELACE", vec!["Ada"]),
        ("name:\"ada lovelace\"", vec!["Ada"]),
        ("name:ödön,ada", vec!["Ada", "Ödön"]),
        ("name:\"lovelace ada\"", vec![]),
        ("-name:ada", vec!["Ödön"]),
        ("email:ADA@example.com", vec!["Ada"]),
        ("-email:ADA@example.com", vec!["Ödön"]),
        ("active:true", vec!["Ödön"]),
        ("active:false", vec!["Ada"]),
        ("-active:false", vec!["Ödön"]),
        ("active:true,false", vec!["Ada", "Ödön"]),
        ("created>2020-01-01 modified<2999-01-01", vec!["Ada", "Ödön"]),
        ("-modified>2020-01-01", vec![]),
    ] {
        assert_eq!(users(None, text.to_owned()).await, expected, "{text}");
    }
    for (part, expected) in [
        ("LOVE", vec!["Ada"]),
        ("da lo", vec!["Ada"]),
        ("ÖDÖN", vec!["Ödön"]),
        ("horváth", vec!["Ödön"]),
        ("%", vec!["Ödön"]),
        ("_d", vec!["Ödön"]),
        ("!", vec![]),
        ("\\", vec![]),
        ("example", vec!["Ada", "Ödön"]),
    ] {
        assert_eq!(users(Some(part), String::new()).await, expected, "{part}");
    }
}

async fn projects_tenants_and_keys_are_filtered(world: World) {
    let tenant = world.tenant("acme").await;
    world.tenant("other").await;
    world.project(tenant, "Rocket").await;
    world.project(tenant, "Shuttle").await;
    for (text, expected) in [
        ("name:Rocket", 1),
        ("name:rocket", 0),
        ("-name:Rocket", 1),
        ("created>2020-01-01", 2),
        ("modified<2020-01-01", 0),
    ] {
        let found =
            world.store.projects(tenant, &request(&world, tenant, &project::SPEC, text)).await.unwrap();
        assert_eq!(found.items.len(), expected, "{text}");
    }
    for (text, expected) in [("slug:acme", 1), ("-slug:acme", 1), ("state:active", 2), ("state:suspended", 0)]
    {
        let found = world.store.tenants(&request(&world, tenant, &tenant::SPEC, text)).await.unwrap();
        assert_eq!(found.items.len(), expected, "{text}");
    }
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await.id;
    let mut bound = world.new_key(tenant, "bound");
    bound.key.user = Some(ada);
    world.store(world.change(tenant).insert(bound).insert(world.new_key(tenant, "free"))).await;
    for (text, expected) in [
        (format!("user:{ada}"), "bound"),
        (format!("-user:{ada}"), "free"),
        ("user:none".into(), "free"),
        ("-user:none".into(), "bound"),
    ] {
        let found = world.store.keys(tenant, &request(&world, tenant, &key::SPEC, &text)).await.unwrap();
        let ids: Vec<_> = found.items.into_iter().map(|key| key.id.to_string()).collect();
        assert_eq!(ids, [expected], "{text}");
    }
}

async fn facts_are_filtered(world: World) {
    let tenant = world.tenant("acme").await;
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let project = world.project(tenant, "Rocket").await;
    let mut fact = world.fact(tenant, "issue_x.odd", &ada);
    fact.actor.kind = "key".into();
    fact.actor.id = "k1".into();
    fact.actor.user = Some(ada.id);
    fact.transport = "rest".into();
    world.store(world.change(tenant).fact(fact)).await;
    world.issue(tenant, &project, "first").await;
    world.numbered(5).await;
    let (user, home) = (ada.id, project.id);
    for (text, expected) in [
        (
            String::new(),
            vec!["tenant.created", "user.created", "project.created", "issue_x.odd", "issue.created"],
        ),
        ("type:issue.*".into(), vec!["issue.created"]),
        ("type:ISSUE.*".into(), vec![]),
        ("type:issue*".into(), vec!["issue_x.odd", "issue.created"]),
        ("type:issue_x.odd,user.*".into(), vec!["user.created", "issue_x.odd"]),
        ("-type:*".into(), vec![]),
        ("kind:project".into(), vec!["project.created"]),
        (format!("object:{user}"), vec!["user.created", "issue_x.odd"]),
        (format!("project:{home}"), vec!["project.created", "issue.created"]),
        ("project:none".into(), vec!["tenant.created", "user.created", "issue_x.odd"]),
        ("actor:k1".into(), vec!["issue_x.odd"]),
        (format!("user:{user}"), vec!["issue_x.odd"]),
        (format!("-user:{user} kind:user"), vec!["user.created"]),
        ("transport:rest".into(), vec!["issue_x.odd"]),
        ("created<2020-01-01".into(), vec![]),
    ] {
        let request = request(&world, tenant, &fact::SPEC, &text);
        let mut found = world.store.audit(tenant, &request).await.unwrap().items;
        found.reverse();
        // The store's condition agrees with core's.
        let all = world.store.tenant_facts_after(tenant, 0, 100, usize::MAX).await.unwrap();
        let matching: Vec<_> = all.into_iter().filter(|fact| fact.matches(&request.filter)).collect();
        assert_eq!(found, matching, "{text}");
        let types: Vec<_> = found.iter().map(|fact| &*fact.body.fact_type).collect();
        assert_eq!(types, expected, "{text}");
    }
}
