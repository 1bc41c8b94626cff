//! Round trips: rows are locked for few of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tessera_core::IfVersion;
use tessera_core::changeset::{Expect, Guard, Versioned as _, Write};
use tessera_core::inventory::Command;
use tessera_core::plugin::Scope;
use tessera_core::tracker::Issue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::box_office::BoxOffice;
use crate::world::{Kind, World, run};

/// Maximum number of round trips from the lock to the commit, inclusive.
const MOST: usize = 5;

/// Counts of a proxy.
#[derive(Default)]
struct Passed {
    /// Number of transactions.
    begun: AtomicUsize,
    /// Maximum number of messages of a transaction after its BEGIN.
    longest: AtomicUsize,
}

/// A counting proxy to the server.
async fn proxy(host: String, port: u16, passed: Arc<Passed>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect((host.as_str(), port)).await.unwrap();
            tokio::spawn(pass(client, server, Arc::clone(&passed)));
        }
    });
    own
}

async fn pass(client: TcpStream, server: TcpStream, passed: Arc<Passed>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 1 << 20];
    let mut sent = None;
    while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
        let has = |word: &[u8]| buffer[..read].windows(word.len()).any(|part| part == word);
        sent = if has(b"BEGIN") { Some(0) } else { sent.map(|count| count + 1) };
        passed.begun.fetch_add(usize::from(sent == Some(0)), Ordering::SeqCst);
        if (has(b"COMMIT") || has(b"ROLLBACK"))
            && let Some(count) = sent.take()
        {
            passed.longest.fetch_max(count, Ordering::SeqCst);
        }
        if to_server.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batch_takes_few_round_trips() {
    async fn test(world: World) {
        // The first host numbers the facts, the one behind the proxy only reserves.
        let office = BoxOffice::open(world, Some(1_000), |text| text.buyer_limit = Some(50)).await;
        office.world.numbered(2).await;
        let standing = office.ticket_type(None, &[]).await;
        let (host, port) = office.world.server_address();
        let passed = Arc::new(Passed::default());
        let port = proxy(host, port, Arc::clone(&passed)).await;
        let remote = BoxOffice { world: office.world.other_host_at("remote", port).await, ..office.clone() };
        // Statements are prepared once for each connection; the warm-up excludes that from the counts.
        let mut counted = usize::MAX;
        for _ in 0..24 {
            let reservation = remote.run(remote.reserve("ann", &[(standing, 2)])).await.unwrap();
            let other = remote.run(remote.reserve("ben", &[(standing, 2)])).await.unwrap();
            passed.longest.store(0, Ordering::SeqCst);
            let jobs = [
                remote.reserve("cem", &[(standing, 1)]),
                remote.job(Command::Confirm {
                    id: reservation.id,
                    payment_reference: "p".into(),
                    if_version: IfVersion::default(),
                }),
                remote.job(Command::Release {
                    id: other.id,
                    units: Vec::new(),
                    if_version: IfVersion::default(),
                }),
                remote.job(Command::Sweep),
            ];
            let verdicts = remote.batch(&jobs).await;
            assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
            counted = counted.min(passed.longest.load(Ordering::SeqCst));
        }
        assert!((2..=MOST).contains(&counted), "{counted} round trips with the pools locked");
        remote.world.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// A host that has cached the event neither locks nor reads: its statement is a transaction of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cached_reservation_is_one_statement() {
    async fn test(world: World) {
        let office = BoxOffice::open(world, Some(1_000), |_| ()).await;
        let standing = office.ticket_type(None, &[]).await;
        let (host, port) = office.world.server_address();
        let passed = Arc::new(Passed::default());
        let port = proxy(host, port, Arc::clone(&passed)).await;
        let remote = BoxOffice { world: office.world.other_host_at("remote", port).await, ..office.clone() };
        remote.run(remote.reserve("ann", &[(standing, 1)])).await.unwrap();
        let before = passed.begun.load(Ordering::SeqCst);
        assert!(before > 0, "the first batch reads");
        for _ in 0..20 {
            remote.run(remote.reserve("ann", &[(standing, 1)])).await.unwrap();
        }
        assert_eq!(passed.begun.load(Ordering::SeqCst), before);
        // Sales in between do not invalidate the cache.
        let reservation = remote.run(remote.reserve("ann", &[(standing, 1)])).await.unwrap();
        remote.confirm(reservation.id).await.unwrap();
        let before = passed.begun.load(Ordering::SeqCst);
        remote.run(remote.reserve("ann", &[(standing, 1)])).await.unwrap();
        assert_eq!(passed.begun.load(Ordering::SeqCst), before);
        office.check().await;
        remote.world.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// A creation without plugins reads nothing: the inserting statement checks its dependencies.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn issue_creation_is_one_statement() {
    async fn test(world: World) {
        let tenant = world.tenant("acme").await;
        let (project, user) =
            (world.project(tenant, "Rocket").await, world.user(tenant, "Ann", "ann@example.org").await);
        let parent = world.issue(tenant, &project, "parent").await;
        let release = world.release(tenant, "sla", "1.0.0", 1).await;
        let installation = world.installation(tenant, &release, Scope::Tenant).await;
        let (host, port) = world.server_address();
        let passed = Arc::new(Passed::default());
        let remote = world.other_host_at("remote", proxy(host, port, Arc::clone(&passed)).await).await;
        let begun = || passed.begun.load(Ordering::SeqCst);
        let child = || {
            let mut issue = remote.new_issue(project.id, "child");
            (issue.assignee, issue.parent) = (Some(user.id), Some(parent.id));
            issue.labels = ["a", "b"].map(String::from).into();
            issue
        };
        let creation = |issue: &Issue| {
            let fact = remote.fact(tenant, "issue.created", issue).in_project(project.id);
            let timer = Write::PutTimer(remote.new_timer(issue.id, installation.id, "late"));
            remote
                .change(tenant)
                .insert(issue.clone())
                .write(timer)
                .guard(Guard::TimersOf(issue.id, 1))
                .fact(fact)
        };
        let before = begun();
        let issue = child();
        remote.store(creation(&issue).expect_machine(&project).expect(&user).expect(&parent)).await;
        assert_eq!(begun(), before);
        assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(issue));

        // A failed expectation is located step by step, and nothing is stored.
        let wrong = [
            Expect { machines: Some(project.machines + 1), ..project.expect() },
            Expect { version: 2, ..project.expect() },
            Expect { version: 2, ..user.expect() },
            Expect { version: 2, ..parent.expect() },
        ];
        for expected in wrong {
            let (issue, before) = (child(), begun());
            let mut late = creation(&issue);
            late.expects.push(expected);
            assert!(remote.commit(late).await.unwrap_err().is_stale());
            assert_eq!(begun(), before + 1);
            assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), None);
        }
        remote.store.close().await;
    }
    run(Kind::Postgres, test).await;
}
