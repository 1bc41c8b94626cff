//! The answer to COMMIT is lost: the caller learns what became of the change all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tessera_core::changeset::Committed;
use tessera_core::id::TicketTypeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::box_office::BoxOffice;
use crate::world::{Kind, World, run};

const PASS: u8 = 0;
const CUT_AFTER_COMMIT: u8 = 1;
const CUT_BEFORE_COMMIT: u8 = 2;
const GONE: u8 = 3;

/// A wire to the server that can be cut at the next COMMIT.
#[derive(Clone)]
struct Wire {
    port: u16,
    cut: Arc<AtomicU8>,
    listening: AbortHandle,
}

impl Wire {
    async fn to(host: String, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, cut) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU8::new(PASS)));
        let cuts = Arc::clone(&cut);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((host.as_str(), port)).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&cuts)));
            }
        });
        Self { port: at, cut, listening: listening.abort_handle() }
    }
}

async fn pass(client: TcpStream, server: TcpStream, cut: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        if cut.load(Ordering::SeqCst) == GONE {
            break;
        }
        let sent = &buffer[..read];
        let commits = sent.windows(6).any(|part| part == b"COMMIT");
        let cut = if commits { cut.swap(PASS, Ordering::SeqCst) } else { PASS };
        if cut == CUT_BEFORE_COMMIT {
            break;
        }
        if cut == CUT_AFTER_COMMIT {
            // No answer comes through any more, but the server gets the command.
            answers.abort();
            let _ = to_server.write_all(sent).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            break;
        }
        if to_server.write_all(sent).await.is_err() {
            break;
        }
    }
    answers.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_whose_answer_is_lost_is_known_all_the_same() {
    async fn test(world: World) {
        let (host, port) = world.server_address();
        let wire = Wire::to(host, port).await;
        let wired = world.other_host_at("wired", wire.port).await;
        let tenant = wired.tenant("acme").await;

        wire.cut.store(CUT_AFTER_COMMIT, Ordering::SeqCst);
        let stored = wired.new_project("stored");
        let fact = wired.fact(tenant, "project.created", &stored);
        let verdict = wired.commit(wired.change(tenant).insert(stored.clone()).fact(fact)).await;
        assert_eq!(verdict.unwrap(), Committed::Stored);
        assert!(world.store.project(tenant, stored.id).await.unwrap().is_some());
        assert_eq!(wire.cut.load(Ordering::SeqCst), PASS, "the wire was cut");

        wire.cut.store(CUT_BEFORE_COMMIT, Ordering::SeqCst);
        let lost = wired.new_project("lost");
        let error = wired.commit(wired.change(tenant).insert(lost.clone())).await.unwrap_err();
        assert_eq!(error.reason(), "UNAVAILABLE");
        assert_eq!(world.store.project(tenant, lost.id).await.unwrap(), None);
        wired.store(wired.change(tenant).insert(lost)).await;
        wired.numbered(2).await;
        wired.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// An event of which two units are held by a host behind a wire, which remembers what it sells.
async fn selling(world: &World) -> (Wire, BoxOffice, BoxOffice, TicketTypeId) {
    let (host, port) = world.server_address();
    let wire = Wire::to(host, port).await;
    let office = BoxOffice::open(world.clone(), Some(9), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let wired = BoxOffice { world: world.other_host_at("wired", wire.port).await, ..office.clone() };
    for _ in 0..2 {
        wired.run(wired.reserve("ann", &[(standing, 1)])).await.unwrap();
    }
    (wire, office, wired, standing)
}

/// A batch that is one statement commits without saying so. The wire takes its buyer for a COMMIT.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reservation_whose_answer_is_lost_is_known_all_the_same() {
    async fn test(world: World) {
        let (wire, office, wired, standing) = selling(&world).await;

        wire.cut.store(CUT_AFTER_COMMIT, Ordering::SeqCst);
        let stored = wired.run(wired.reserve("COMMIT", &[(standing, 1)])).await.unwrap();
        assert_eq!(wire.cut.load(Ordering::SeqCst), PASS, "the wire was cut");
        assert!(world.store.reservation(office.tenant, stored.id).await.unwrap().is_some());
        assert_eq!(office.counts(standing).await.held, 3);

        wire.cut.store(CUT_BEFORE_COMMIT, Ordering::SeqCst);
        let job = wired.reserve("COMMIT", &[(standing, 1)]);
        let refused = wired.world.store.run_batch(office.tenant, office.event.id, &[job]).await;
        let error = refused.err().unwrap();
        assert!(error.message().contains("nobody knows"), "{error:?}");
        assert_eq!(wire.cut.load(Ordering::SeqCst), PASS, "the wire was cut");
        assert_eq!(office.counts(standing).await.held, 3);
        wired.run(wired.reserve("ann", &[(standing, 1)])).await.unwrap();
        office.check().await;
        wired.world.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// So does a creation of an issue. The wire takes its summary for a COMMIT.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_creation_whose_answer_is_lost_is_known_all_the_same() {
    async fn test(world: World) {
        let (host, port) = world.server_address();
        let wire = Wire::to(host, port).await;
        let wired = world.other_host_at("wired", wire.port).await;
        let tenant = world.tenant("acme").await;
        let project = world.project(tenant, "Rocket").await;
        let issue = wired.new_issue(project.id, "COMMIT");
        wire.cut.store(CUT_AFTER_COMMIT, Ordering::SeqCst);
        wired.store(wired.creation(tenant, &project, &issue)).await;
        assert_eq!(wire.cut.load(Ordering::SeqCst), PASS, "the wire was cut");
        assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(issue));

        let lost = wired.new_issue(project.id, "COMMIT");
        wire.cut.store(CUT_BEFORE_COMMIT, Ordering::SeqCst);
        let error = wired.commit(wired.creation(tenant, &project, &lost)).await.unwrap_err();
        assert!(error.message().contains("nobody knows"), "{error:?}");
        assert_eq!(wire.cut.load(Ordering::SeqCst), PASS, "the wire was cut");
        assert_eq!(world.store.issue(tenant, lost.id).await.unwrap(), None);
        wired.store(wired.creation(tenant, &project, &lost)).await;
        wired.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// Who asked a server that goes away is told soon that nobody knows, and who asks then that it is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_goes_away_is_told_of_soon() {
    async fn test(world: World) {
        let (wire, office, wired, standing) = selling(&world).await;

        wire.cut.store(GONE, Ordering::SeqCst);
        wire.listening.abort();
        for said in ["nobody knows", "away"] {
            let asked = Instant::now();
            let job = wired.reserve("COMMIT", &[(standing, 1)]);
            let refused = wired.world.store.run_batch(office.tenant, office.event.id, &[job]).await;
            let error = refused.err().unwrap();
            assert!(error.message().contains(said), "{error:?}");
            assert!(error.retry_after().is_some(), "{error:?}");
            assert!(asked.elapsed() < Duration::from_secs(8), "told after {:?}", asked.elapsed());
        }
        assert_eq!(office.counts(standing).await.held, 2);
        wired.world.store.close().await;
    }
    run(Kind::Postgres, test).await;
}
