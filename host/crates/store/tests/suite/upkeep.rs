//! Leases, the clock, the hosts' secret, and whether the store answers.

use std::time::{Duration, Instant};

use crate::world::World;

on_every_store! {
    a_lease_is_one_holder_s_until_it_runs_out,
    the_clock_goes_forward_with_the_time,
    the_first_secret_is_the_one,
    a_store_answers_until_it_is_closed,
}

async fn a_lease_is_one_holder_s_until_it_runs_out(world: World) {
    let lease = |holder: &'static str, millis: u64| {
        let world = world.clone();
        async move { world.store.lease("sweeps", holder, Duration::from_millis(millis)).await.unwrap() }
    };
    assert!(lease("a", 60_000).await);
    assert!(!lease("b", 60_000).await);
    assert!(world.store.lease("other", "b", Duration::from_secs(60)).await.unwrap());
    assert!(lease("a", 200).await, "its holder keeps it");
    assert!(!lease("b", 60_000).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(lease("b", 60_000).await, "it has run out");
    assert!(!lease("a", 60_000).await);
    let takers: Vec<_> = (0..10)
        .map(|taker| {
            let world = world.clone();
            tokio::spawn(async move {
                world.store.lease("new", &format!("t{taker}"), Duration::from_secs(60)).await.unwrap()
            })
        })
        .collect();
    let mut holders = 0;
    for taker in takers {
        holders += usize::from(taker.await.unwrap());
    }
    assert_eq!(holders, 1);
}

async fn the_clock_goes_forward_with_the_time(world: World) {
    let (shown, at) = (world.store.now(), Instant::now());
    assert!(shown.to_string().starts_with("20"), "{shown}");
    let mut last = shown;
    for _ in 0..1_000 {
        let now = world.store.now();
        assert!(now >= last);
        last = now;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let gone = world.store.now().micros() - shown.micros();
    let expected = i64::try_from(at.elapsed().as_micros()).unwrap();
    assert!((gone - expected).abs() < 100_000, "{gone} µs were shown and {expected} µs went by");
}

async fn the_first_secret_is_the_one(world: World) {
    assert_eq!(world.store.secret_fingerprint([1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(world.store.secret_fingerprint([2; 32]).await.unwrap(), [1; 32]);
}

async fn a_store_answers_until_it_is_closed(world: World) {
    let tenant = world.tenant("acme").await;
    world.store.ping().await.unwrap();
    let project = world.new_project("Last");
    let last = world.store.commit(world.change(tenant).insert(project.clone()));
    let (stored, ()) = tokio::join!(last, world.store.close());
    stored.unwrap();
    for error in [
        world.store.ping().await.unwrap_err(),
        world.store.project(tenant, project.id).await.unwrap_err(),
        world.commit(world.change(tenant).insert(world.new_project("Late"))).await.unwrap_err(),
    ] {
        assert_eq!(error.reason(), "UNAVAILABLE", "{error:?}");
        assert!(error.retry_after().is_some());
    }
}
