//! Commands that are large, and more of them than the host can carry out.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::json;
use tessera_proto::issues::v1::CreateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tonic_types::StatusExt as _;

use super::{Attack, Outcome, is_long, size};
use crate::reservations::{create, id, reserve};

/// The most units of a purchase.
const UNITS: u32 = 1_000;

/// The most requests in flight on one connection.
const STREAMS: usize = 250;

/// Reservations that are made at once.
const CONCURRENT: usize = 8;

/// Confirms many reservations of a thousand units together.
pub async fn confirmations(attack: &Attack<'_>) -> Outcome {
    let count = size(4, 100);
    let event = json!({
        "title": "A night", "category": "music", "status": "active",
        "start_date": "2126-03-01T19:00:00Z", "end_date": "2126-03-01T22:00:00Z",
    });
    let event = create(&attack.rest, "/v1/events", event, "event").await;
    let ticket_type = json!({
        "name": "Standing", "price": {"amount": 1250, "currency": "EUR"}, "quantity": count * UNITS as usize,
        "max_per_purchase": UNITS,
    });
    let path = format!("/v1/events/{event}/tickets");
    let show = (event, create(&attack.rest, &path, ticket_type, "ticket_type").await);
    let show = &show;
    let reserve = |n: usize| async move { id(&reserve(&attack.rest, show, &format!("b{n}"), UNITS).await) };
    let held: Vec<_> = stream::iter(0..count).map(reserve).buffer_unordered(CONCURRENT).collect().await;
    let begin = Instant::now();
    let confirm = |id: &String| {
        let path = format!("/v1/reservations/{id}:confirm");
        async move { attack.rest.post(&path, json!({"payment_reference": "p"})).await }
    };
    let answers = join_all(held.iter().map(confirm)).await;
    let confirmed = answers.iter().filter(|answer| answer.status.as_u16() == 200).count();
    match answers.iter().find(|answer| !matches!(answer.status.as_u16(), 200 | 503)) {
        Some(answer) => Err(format!("{}: {}", answer.status, answer.body)),
        None => Ok(format!("{confirmed} of {count} confirmed in {:.1?}", begin.elapsed())),
    }
}

/// Creates issues with few and with many requests in flight; each refused caller waits as long as the host asks for.
pub async fn flood(attack: &Attack<'_>) -> Outcome {
    let (few, many) = (64, size(500, 8_000));
    let time = Duration::from_secs(size(1, 8) as u64);
    let with_few = created(attack, few, time).await;
    let with_many = created(attack, many, time).await;
    let note = format!("{with_few} issues with {few} in flight, {with_many} with {many}");
    // The clients of this test take a part of the machine that grows with their number.
    if is_long() && with_many * 2 < with_few { Err(note) } else { Ok(note) }
}

/// Creates issues for a time; returns their number.
async fn created(attack: &Attack<'_>, in_flight: usize, time: Duration) -> usize {
    let mut clients = Vec::new();
    for _ in 0..in_flight.div_ceil(STREAMS) {
        let grpc = attack.grpc().await;
        clients.push(IssuesServiceClient::with_interceptor(grpc.channel.clone(), grpc));
    }
    let end = Instant::now() + time;
    let issue = CreateIssueRequest {
        project_id: attack.project.clone(),
        summary: "s".into(),
        ..CreateIssueRequest::default()
    };
    let callers = (0..in_flight).map(|n| {
        let (mut client, issue) = (clients[n % clients.len()].clone(), issue.clone());
        tokio::spawn(async move {
            let mut created = 0;
            while Instant::now() < end {
                match client.create_issue(issue.clone()).await {
                    Ok(_) => created += 1,
                    Err(status) => {
                        let retry = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
                        tokio::time::sleep(retry.unwrap_or(Duration::from_secs(1))).await;
                    }
                }
            }
            created
        })
    });
    let created = join_all(callers.collect::<Vec<_>>()).await;
    created.into_iter().map(|created: Result<usize, _>| created.unwrap()).sum()
}
