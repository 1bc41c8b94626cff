//! Leases, the clock, the hosts' secret, and availability.

use std::time::Duration;

use crate::world::World;

on_every_store! {
    lease_has_one_holder_until_it_expires,
    clock_is_monotonic_and_advances,
    first_secret_fingerprint_is_kept,
    store_is_available_until_closed,
}

async fn lease_has_one_holder_until_it_expires(world: World) {
    let lease = |holder: &'static str, millis: u64| {
        let world = world.clone();
        async move { world.store.lease("sweeps", holder, Duration::from_millis(millis)).await.unwrap() }
    };
    assert!(lease("a", 60_000).await);
    assert!(!lease("b", 60_000).await);
    assert!(world.store.lease("other", "b", Duration::from_secs(60)).await.unwrap());
    assert!(lease("a", 60_000).await, "its holder renews it");
    assert!(!lease("b", 60_000).await);
    assert!(lease("a", 1).await, "its holder shortens it");
    world.wait_for("the end of the lease", || async { lease("b", 60_000).await }).await;
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

async fn clock_is_monotonic_and_advances(world: World) {
    let first = world.store.now();
    assert!(first.to_string().starts_with("20"), "{first}");
    let mut last = first;
    for _ in 0..1_000 {
        let now = world.store.now();
        assert!(now >= last);
        last = now;
    }
    world.wait_until(first.plus(Duration::from_millis(50))).await;
}

async fn first_secret_fingerprint_is_kept(world: World) {
    assert_eq!(world.store.secret_fingerprint([1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(world.store.secret_fingerprint([2; 32]).await.unwrap(), [1; 32]);
}

async fn store_is_available_until_closed(world: World) {
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
