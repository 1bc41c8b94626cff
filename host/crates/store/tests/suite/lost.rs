//! Lost answers to COMMIT: the outcome of the change is queried.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tessera_core::changeset::Committed;
use tessera_core::id::TicketTypeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::box_office::BoxOffice;
use crate::world::{Kind, World, run};

const PASS: u8 = 0;
const CUT_AFTER_COMMIT: u8 = 1;
const CUT_BEFORE_COMMIT: u8 = 2;
const GONE: u8 = 3;

/// A proxy to the server whose connection can be cut at the next COMMIT.
#[derive(Clone)]
struct Proxy {
    port: u16,
    cut: Arc<AtomicU8>,
    listening: AbortHandle,
}

impl Proxy {
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
    let (discarding, discarded) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let answers = tokio::spawn({
        let (discarding, discarded) = (Arc::clone(&discarding), Arc::clone(&discarded));
        async move {
            let mut buffer = vec![0; 65_536];
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                if discarding.load(Ordering::SeqCst) {
                    discarded.notify_one();
                } else if to_client.write_all(&buffer[..read]).await.is_err() {
                    break;
                }
            }
            discarded.notify_one();
        }
    });
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
            // The server executes the command, but its answer is discarded.
            discarding.store(true, Ordering::SeqCst);
            let _ = to_server.write_all(sent).await;
            discarded.notified().await;
            break;
        }
        if to_server.write_all(sent).await.is_err() {
            break;
        }
    }
    answers.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn outcome_of_a_commit_with_lost_answer_is_found() {
    async fn test(world: World) {
        let (host, port) = world.server_address();
        let proxy = Proxy::to(host, port).await;
        let remote = world.other_host_at("remote", proxy.port).await;
        let tenant = remote.tenant("acme").await;

        proxy.cut.store(CUT_AFTER_COMMIT, Ordering::SeqCst);
        let stored = remote.new_project("stored");
        let fact = remote.fact(tenant, "project.created", &stored);
        let verdict = remote.commit(remote.change(tenant).insert(stored.clone()).fact(fact)).await;
        assert_eq!(verdict.unwrap(), Committed::Stored);
        assert!(world.store.project(tenant, stored.id).await.unwrap().is_some());
        assert_eq!(proxy.cut.load(Ordering::SeqCst), PASS, "the proxy was cut");

        proxy.cut.store(CUT_BEFORE_COMMIT, Ordering::SeqCst);
        let lost = remote.new_project("lost");
        let error = remote.commit(remote.change(tenant).insert(lost.clone())).await.unwrap_err();
        assert_eq!(error.reason(), "UNAVAILABLE");
        assert_eq!(world.store.project(tenant, lost.id).await.unwrap(), None);
        remote.store(remote.change(tenant).insert(lost)).await;
        remote.numbered(2).await;
        remote.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// An event of which a host behind a proxy, which has cached the event, holds two units.
async fn selling(world: &World) -> (Proxy, BoxOffice, BoxOffice, TicketTypeId) {
    let (host, port) = world.server_address();
    let proxy = Proxy::to(host, port).await;
    let office = BoxOffice::open(world.clone(), Some(9), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let remote = BoxOffice { world: world.other_host_at("remote", proxy.port).await, ..office.clone() };
    for _ in 0..2 {
        remote.run(remote.reserve("ann", &[(standing, 1)])).await.unwrap();
    }
    (proxy, office, remote, standing)
}

/// A batch of one statement has no COMMIT; the proxy detects the buyer's name instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn outcome_of_a_reservation_with_lost_answer_is_found() {
    async fn test(world: World) {
        let (proxy, office, remote, standing) = selling(&world).await;

        proxy.cut.store(CUT_AFTER_COMMIT, Ordering::SeqCst);
        let stored = remote.run(remote.reserve("COMMIT", &[(standing, 1)])).await.unwrap();
        assert_eq!(proxy.cut.load(Ordering::SeqCst), PASS, "the proxy was cut");
        assert!(world.store.reservation(office.tenant, stored.id).await.unwrap().is_some());
        assert_eq!(office.counts(standing).await.held, 3);

        proxy.cut.store(CUT_BEFORE_COMMIT, Ordering::SeqCst);
        let job = remote.reserve("COMMIT", &[(standing, 1)]);
        let refused = remote.world.store.run_batch(office.tenant, office.event.id, &[job]).await;
        let error = refused.err().unwrap();
        assert!(error.message().contains("outcome of the change is unknown"), "{error:?}");
        assert_eq!(proxy.cut.load(Ordering::SeqCst), PASS, "the proxy was cut");
        assert_eq!(office.counts(standing).await.held, 3);
        remote.run(remote.reserve("ann", &[(standing, 1)])).await.unwrap();
        office.check().await;
        remote.world.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// A creation of an issue has no COMMIT either; the proxy detects the summary instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn outcome_of_a_creation_with_lost_answer_is_found() {
    async fn test(world: World) {
        let (host, port) = world.server_address();
        let proxy = Proxy::to(host, port).await;
        let remote = world.other_host_at("remote", proxy.port).await;
        let tenant = world.tenant("acme").await;
        let project = world.project(tenant, "Rocket").await;
        let issue = remote.new_issue(project.id, "COMMIT");
        proxy.cut.store(CUT_AFTER_COMMIT, Ordering::SeqCst);
        remote.store(remote.creation(tenant, &project, &issue)).await;
        assert_eq!(proxy.cut.load(Ordering::SeqCst), PASS, "the proxy was cut");
        assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(issue));

        let lost = remote.new_issue(project.id, "COMMIT");
        proxy.cut.store(CUT_BEFORE_COMMIT, Ordering::SeqCst);
        let error = remote.commit(remote.creation(tenant, &project, &lost)).await.unwrap_err();
        assert!(error.message().contains("outcome of the change is unknown"), "{error:?}");
        assert_eq!(proxy.cut.load(Ordering::SeqCst), PASS, "the proxy was cut");
        assert_eq!(world.store.issue(tenant, lost.id).await.unwrap(), None);
        remote.store(remote.creation(tenant, &project, &lost)).await;
        remote.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// A request during an outage fails in time with an unknown outcome, and the next one as unavailable.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unreachable_server_is_reported_in_time() {
    async fn test(world: World) {
        let (proxy, office, remote, standing) = selling(&world).await;

        proxy.cut.store(GONE, Ordering::SeqCst);
        proxy.listening.abort();
        for expected in ["outcome of the change is unknown", "is unavailable"] {
            let started = Instant::now();
            let job = remote.reserve("COMMIT", &[(standing, 1)]);
            let refused = remote.world.store.run_batch(office.tenant, office.event.id, &[job]).await;
            let error = refused.err().unwrap();
            assert!(error.message().contains(expected), "{error:?}");
            assert!(error.retry_after().is_some(), "{error:?}");
            assert!(started.elapsed() < Duration::from_secs(8), "answered after {:?}", started.elapsed());
        }
        assert_eq!(office.counts(standing).await.held, 2);
        remote.world.store.close().await;
    }
    run(Kind::Postgres, test).await;
}
