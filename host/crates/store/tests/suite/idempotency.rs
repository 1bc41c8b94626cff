//! Idempotency: a repeated command is executed once and gets the recorded answer.

use std::sync::Arc;
use std::time::Duration;

use tessera_core::access::Operation;
use tessera_core::changeset::{Changeset, Committed};
use tessera_core::id::{CommentId, EventId, TenantId, TicketTypeId};
use tessera_core::idempotency::{Fingerprint, IdempotencyKey, Scope};
use tessera_core::idempotency::{IdempotencyClaim, IdempotencyRecord, RecordedAnswer};
use tessera_core::outbox::Actor;
use tessera_core::plugin;
use tessera_core::pricing::Promotion;
use tessera_core::tracker::{Comment, Link, Relation, Scheme};

use crate::installations::full;
use crate::pricing::{full_quote, full_rule};
use crate::promotions::full_promotion;
use crate::world::World;

on_every_store! {
    repeated_key_returns_the_recorded_answer,
    one_of_fifty_concurrent_repeats_is_executed,
    repeat_of_an_executed_update_is_not_stale,
    expired_record_is_replaced,
    failed_changeset_claims_no_key,
    answers_round_trip,
    expired_records_are_deleted_in_slices,
}

fn scope(tenant: TenantId, key: &str) -> Scope {
    let key = IdempotencyKey::parse(key).unwrap();
    Scope { tenant, principal: "key:k".into(), operation: Operation::IssueCreate, key }
}

fn claimed(world: &World, changeset: Changeset, key: &str, answer: impl Into<RecordedAnswer>) -> Changeset {
    let scope = scope(changeset.tenant, key);
    let expires = world.store.now().plus(Duration::from_secs(60));
    let fingerprint = Fingerprint::of(&("command", key));
    Changeset {
        claim: Some(IdempotencyClaim { scope, fingerprint, answer: answer.into(), expires }),
        ..changeset
    }
}

async fn repeated_key_returns_the_recorded_answer(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let project = world.project(tenant, "Rocket").await;
    let first = world.new_issue(project.id, "first");
    world.store(claimed(&world, world.creation(tenant, &project, &first), "k", first.clone())).await;
    let second = world.new_issue(project.id, "second");
    let again = claimed(&world, world.creation(tenant, &project, &second), "k", second.clone());
    let recorded = IdempotencyRecord {
        fingerprint: Fingerprint::of(&("command", "k")),
        answer: RecordedAnswer::Issue(first.clone()),
    };
    assert_eq!(world.commit(again).await.unwrap(), Committed::Replayed(Box::new(recorded.clone())));
    assert_eq!(world.store.issue(tenant, second.id).await.unwrap(), None);
    assert_eq!(world.store.recorded(&scope(tenant, "k")).await.unwrap(), Some(recorded));
    for unknown in [
        scope(other, "k"),
        scope(tenant, "K"),
        Scope { principal: "key:other".into(), ..scope(tenant, "k") },
        Scope { operation: Operation::IssueUpdate, ..scope(tenant, "k") },
    ] {
        assert_eq!(world.store.recorded(&unknown).await.unwrap(), None);
    }
}

async fn one_of_fifty_concurrent_repeats_is_executed(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let commits: Vec<_> = (0..50)
        .map(|number| {
            let issue = world.new_issue(project.id, &format!("number {number}"));
            let changeset = claimed(&world, world.creation(tenant, &project, &issue), "same", issue.clone());
            let world = world.clone();
            tokio::spawn(async move { (issue, world.commit(changeset).await.unwrap()) })
        })
        .collect();
    let (mut stored, mut answers) = (Vec::new(), Vec::new());
    for commit in commits {
        match commit.await.unwrap() {
            (issue, Committed::Stored) => stored.push(RecordedAnswer::Issue(issue)),
            (_, Committed::Replayed(recorded)) => answers.push(recorded.answer),
        }
    }
    assert_eq!(stored.len(), 1);
    assert!(answers.len() == 49 && answers.iter().all(|answer| *answer == stored[0]));
    assert_eq!(world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count, 1);
}

async fn repeat_of_an_executed_update_is_not_stale(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let issue = world.issue(tenant, &project, "first").await;
    let next = world.next(&issue, |next| next.summary = "second".into());
    let changeset = || claimed(&world, world.update(tenant, &next), "k", next.clone());
    world.store(changeset()).await;
    assert!(matches!(world.commit(changeset()).await.unwrap(), Committed::Replayed(_)));
}

async fn expired_record_is_replaced(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    for summary in ["first", "second"] {
        let issue = world.new_issue(project.id, summary);
        let mut changeset = claimed(&world, world.creation(tenant, &project, &issue), "k", issue);
        changeset.claim.as_mut().unwrap().expires = world.store.now();
        world.store(changeset).await;
        assert_eq!(world.store.recorded(&scope(tenant, "k")).await.unwrap(), None);
    }
}

async fn failed_changeset_claims_no_key(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let issue = world.new_issue(project.id, "first");
    let stale = tessera_core::tracker::Project { version: 9, ..project.clone() };
    let changeset = claimed(&world, world.creation(tenant, &stale, &issue), "k", issue.clone());
    assert!(world.commit(changeset).await.unwrap_err().is_stale());
    assert_eq!(world.store.recorded(&scope(tenant, "k")).await.unwrap(), None);
    world.store(claimed(&world, world.creation(tenant, &project, &issue), "k", issue)).await;
}

async fn answers_round_trip(world: World) {
    let tenant = world.tenant("acme").await;
    let mut project = world.new_project("Rocket");
    project.scheme = Some(Arc::new(Scheme::built_in()));
    project.issue_count = 7;
    let mut issue = world.new_issue(project.id, "first");
    issue.labels = ["ui".to_owned(), "api".to_owned()].into();
    issue.parent = Some(issue.id);
    let user = world.new_user("Ada Lovelace", "ada@example.com");
    let now = world.store.now();
    let author = Actor { kind: "key".into(), id: "k".into(), user: Some(user.id) };
    let comment = Comment {
        id: CommentId::generate(),
        issue: issue.id,
        author,
        body: "a \"quoted\" word\n".into(),
        created_at: now,
        edited_at: Some(now),
        version: 2,
    };
    let link = Link { issue: issue.id, relation: Relation::BlockedBy, other: issue.id, created_at: now };
    let mut key = world.new_key(tenant, "k").key;
    key.user = Some(user.id);
    key.expires_at = Some(now);
    let release = world.new_release("sla", "1.0.0", 1);
    let event = EventId::generate();
    let scopes = [plugin::Scope::Tenant, plugin::Scope::Project(project.id), plugin::Scope::Event(event)];
    let [whole, part, of_event] = scopes.map(|scope| full(world.new_installation(&release, scope)));
    let ticket_type = TicketTypeId::generate();
    let (rule, quote) = (full_rule(event, ticket_type, now), full_quote(event, ticket_type, now));
    let promotion = Promotion { uses: 3, ..full_promotion(event, ticket_type, now) };
    let answers: [RecordedAnswer; 16] = [
        ().into(),
        world.new_tenant("new").into(),
        key.into(),
        user.clone().into(),
        vec![user.clone(), user].into(),
        project.into(),
        issue.into(),
        comment.into(),
        link.into(),
        release.into(),
        whole.into(),
        part.into(),
        of_event.into(),
        rule.into(),
        quote.into(),
        promotion.into(),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let key = format!("k{number}");
        world.store(claimed(&world, world.change(tenant), &key, answer.clone())).await;
        let recorded = world.store.recorded(&scope(tenant, &key)).await.unwrap().unwrap();
        assert_eq!(recorded.answer, answer);
    }
}

async fn expired_records_are_deleted_in_slices(world: World) {
    let tenant = world.tenant("acme").await;
    for number in 0..5 {
        let mut changeset = claimed(&world, world.change(tenant), &format!("k{number}"), ());
        if number < 3 {
            changeset.claim.as_mut().unwrap().expires = world.store.now();
        }
        world.store(changeset).await;
    }
    let mut deleted = Vec::new();
    for _ in 0..3 {
        deleted.push(world.store.forget_keys(2).await.unwrap());
    }
    assert_eq!(deleted, [2, 1, 0]);
    assert!(world.store.recorded(&scope(tenant, "k4")).await.unwrap().is_some());
}
