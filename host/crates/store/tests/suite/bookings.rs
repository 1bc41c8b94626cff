//! Queues: order of entry, one open booking for each buyer, admission to the sale.

use std::time::Duration;

use tessera_core::booking::{Booking, BookingState, Queue};
use tessera_core::catalog::{Event, EventStatus};
use tessera_core::changeset::Changeset;
use tessera_core::id::BookingId;
use tessera_core::inventory::LineRequest;
use tessera_core::ports::DueWork;

use crate::box_office::BoxOffice;
use crate::world::World;

fn booking(office: &BoxOffice, buyer: &str, after: u64) -> Booking {
    let now = office.world.store.now();
    Booking {
        id: BookingId::generate(),
        event: office.event.id,
        buyer: buyer.into(),
        lines: Vec::new(),
        hold_seconds: Some(60),
        state: BookingState::Waiting,
        entered_at: office.event.created_at.plus(Duration::from_millis(after)),
        active_at: None,
        active_until: None,
        reservation: None,
        failure: None,
        created_by: "system".into(),
        updated_at: now,
        version: 1,
    }
}

fn change(office: &BoxOffice) -> Changeset {
    office.world.change(office.tenant)
}

async fn bookings_are_served_in_order_of_entry(world: World) {
    let office = BoxOffice::open(world, Some(10), |_| ()).await;
    let (store, tenant, event) = (office.world.store.clone(), office.tenant, office.event.id);
    let [ann, ben, cem] =
        [("ann", 5), ("ben", 1), ("cem", 9)].map(|(buyer, after)| booking(&office, buyer, after));
    for booking in [&ann, &ben, &cem] {
        office.world.store(change(&office).insert(booking.clone())).await;
        assert_eq!(store.booking(tenant, booking.id).await.unwrap().as_ref(), Some(booking));
    }
    let ids = |bookings: Vec<Booking>| bookings.into_iter().map(|booking| booking.id).collect::<Vec<_>>();
    assert_eq!(store.waiting_bookings(tenant, event).await.unwrap(), [ben.id, ann.id, cem.id]);
    assert_eq!(ids(store.next_bookings(tenant, event, 2).await.unwrap()), [ben.id, ann.id]);
    assert_eq!(store.bookings_before(tenant, &cem).await.unwrap(), 2);
    assert_eq!(store.queued_events(tenant, 9).await.unwrap(), [event]);
    assert_eq!(office.world.tenants_with(DueWork::Queues).await, [tenant]);
    // A buyer has one open booking at a time.
    let twin = booking(&office, "ann", 20);
    let refused = store.commit(change(&office).insert(twin.clone())).await.unwrap_err();
    assert!(refused.is_stale());
    assert_eq!(store.open_booking(tenant, event, "ann").await.unwrap(), Some(ann.clone()));
    office.world.store(change(&office).update(ann.cancelled(store.now()).unwrap())).await;
    assert_eq!(store.open_booking(tenant, event, "ann").await.unwrap(), None);
    office.world.store(change(&office).insert(twin)).await;
    assert_eq!(store.queue_counts(tenant, event).await.unwrap(), (3, 0));
    let other = office.world.tenant("other").await;
    assert_eq!(store.queue_counts(other, event).await.unwrap(), (0, 0));
    assert_eq!(store.booking(other, ben.id).await.unwrap(), None);
}

async fn active_bookings_with_due_work_are_listed(world: World) {
    let office = BoxOffice::open(world, Some(10), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (store, tenant, event) = (office.world.store.clone(), office.tenant, office.event.id);
    let now = store.now();
    let [ann, ben, cem] =
        [("ann", 5), ("ben", 1), ("cem", 9)].map(|(buyer, after)| booking(&office, buyer, after));
    let category = "child".into();
    let line = LineRequest { ticket_type: standing, quantity: 2, seats: Vec::new(), category };
    let cem = Booking { lines: vec![line], ..cem };
    let mut served = Vec::new();
    for (booking, seconds) in [(ann, 300), (ben, 0), (cem, 300)] {
        office.world.store(change(&office).insert(booking.clone())).await;
        let after = booking.activated(now, seconds);
        office.world.store(change(&office).update(after.clone())).await;
        assert_eq!(store.booking(tenant, booking.id).await.unwrap().as_ref(), Some(&after));
        served.push(after);
    }
    let due = |at| {
        let store = store.clone();
        async move {
            let due = store.active_bookings(tenant, event, (at, 9)).await.unwrap();
            due.into_iter().map(|(booking, reserved)| (booking.buyer, reserved)).collect::<Vec<_>>()
        }
    };
    // Ben's time is over; Ann is not due until she reserves, and Cem has lines to reserve.
    assert_eq!(due(Some(now)).await, [("ben".to_owned(), None)]);
    assert_eq!(due(None).await.len(), 3);
    let reservable = store.reservable_bookings(tenant, event, (now, 9)).await.unwrap();
    assert_eq!(reservable, [(served[2].clone(), 0)]);
    let reservation = office.run(office.reserve("ann", &[(standing, 1)])).await.unwrap();
    assert!(due(Some(now)).await.contains(&("ann".to_owned(), Some(reservation.id))));
    let done = served[0].done(reservation.id, now);
    office.world.store(change(&office).update(done.clone())).await;
    assert_eq!(store.booking(tenant, done.id).await.unwrap(), Some(done));
    let failed = served[2].failed(&tessera_core::Error::not_found("ticket-type"), now);
    office.world.store(change(&office).update(failed.clone())).await;
    assert_eq!(store.booking(tenant, failed.id).await.unwrap(), Some(failed));
}

async fn delayed_booking_is_reservable_after_those_that_are_due_before(world: World) {
    let office = BoxOffice::open(world, Some(10), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (store, tenant, event) = (office.world.store.clone(), office.tenant, office.event.id);
    let now = store.now();
    let later = |seconds| now.plus(Duration::from_secs(seconds));
    let lines =
        vec![LineRequest { ticket_type: standing, quantity: 1, seats: Vec::new(), category: String::new() }];
    let mut active = Vec::new();
    for (buyer, after) in [("ann", 1), ("ben", 2), ("cem", 3)] {
        let waiting = Booking { lines: lines.clone(), ..booking(&office, buyer, after) };
        office.world.store(change(&office).insert(waiting.clone())).await;
        active.push(waiting.activated(now, 300));
        office.world.store(change(&office).update(active[active.len() - 1].clone())).await;
    }
    let reservable = |at, limit| {
        let store = store.clone();
        async move {
            let due = store.reservable_bookings(tenant, event, (at, limit)).await.unwrap();
            due.into_iter().map(|(booking, failed)| (booking.buyer, failed)).collect::<Vec<_>>()
        }
    };
    let expected = |due: &[(&str, u32)]| -> Vec<(String, u32)> {
        due.iter().map(|(buyer, failed)| ((*buyer).to_owned(), *failed)).collect()
    };
    assert_eq!(reservable(now, 9).await, expected(&[("ann", 0), ("ben", 0), ("cem", 0)]));
    store.delay_booking(tenant, active[0].id, (1, later(200))).await.unwrap();
    store.delay_booking(tenant, active[1].id, (2, later(100))).await.unwrap();
    assert_eq!(reservable(now, 9).await, expected(&[("cem", 0)]));
    // A booking whose attempts failed does not come before one that is due for a longer time.
    assert_eq!(reservable(later(200), 9).await, expected(&[("cem", 0), ("ben", 2), ("ann", 1)]));
    assert_eq!(reservable(later(200), 1).await, expected(&[("cem", 0)]));
    assert_eq!(store.booking(tenant, active[0].id).await.unwrap().as_ref(), Some(&active[0]));
    assert_eq!(store.queued_events(tenant, 9).await.unwrap(), [event]);
    store.delay_booking(tenant, active[2].id, (1, later(300))).await.unwrap();
    assert_eq!(store.queued_events(tenant, 9).await.unwrap(), [], "all of them are delayed");
    // Only active bookings of the tenant are delayed.
    let other = office.world.tenant("other").await;
    store.delay_booking(other, active[0].id, (5, later(0))).await.unwrap();
    office.world.store(change(&office).update(active[1].cancelled(now).unwrap())).await;
    store.delay_booking(tenant, active[1].id, (5, later(0))).await.unwrap();
    assert_eq!(reservable(later(300), 9).await, expected(&[("ann", 1), ("cem", 1)]));
}

async fn required_queue_admits_only_active_bookings(world: World) {
    let office = BoxOffice::open(world, Some(10), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (store, tenant, event) = (office.world.store.clone(), office.tenant, office.event.id);
    let ann = booking(&office, "ann", 1);
    office.world.store(change(&office).insert(ann.clone())).await;
    assert_eq!(store.queue(tenant, event).await.unwrap(), None);
    let free = office.run(office.reserve("dia", &[(standing, 1)])).await;
    assert!(free.is_ok(), "a queue is not required by default");
    let queue = Queue { required: true, version: 1, ..Queue::default_of(event, store.now()) };
    office.world.store(change(&office).insert(queue.clone())).await;
    assert_eq!(store.queue(tenant, event).await.unwrap(), Some(queue.clone()));
    let twin = store.commit(change(&office).insert(queue.clone())).await.unwrap_err();
    assert!(twin.is_stale());
    for buyer in ["ann", "dia"] {
        let refused = office.run(office.reserve(buyer, &[(standing, 1)])).await.unwrap_err();
        assert_eq!(refused.reason(), "QUEUE_REQUIRED");
    }
    let served = ann.activated(store.now(), 300);
    office.world.store(change(&office).update(served.clone())).await;
    let verdicts = office
        .batch(&[office.reserve("dia", &[(standing, 1)]), office.reserve("ann", &[(standing, 1)])])
        .await;
    assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
    // An expired booking is not admitted, also before it is swept.
    let past = Booking { active_until: served.active_at, version: 3, ..served };
    office.world.store(change(&office).update(past)).await;
    let refused = office.run(office.reserve("ann", &[(standing, 1)])).await.unwrap_err();
    assert_eq!(refused.reason(), "QUEUE_REQUIRED");
    let open = Queue { required: false, max_active: 7, version: 2, ..queue };
    office.world.store(change(&office).update(open.clone())).await;
    assert_eq!(store.queue(tenant, event).await.unwrap(), Some(open));
    assert!(office.run(office.reserve("dia", &[(standing, 1)])).await.is_ok());
}

async fn queue_without_due_work_is_not_listed(world: World) {
    let office = BoxOffice::open(world, Some(10), |_| ()).await;
    let (store, tenant, event) = (office.world.store.clone(), office.tenant, office.event.id);
    let queue = Queue { max_active: 1, version: 1, ..Queue::default_of(event, store.now()) };
    office.world.store(change(&office).insert(queue.clone())).await;
    let (ann, ben) = (booking(&office, "ann", 1), booking(&office, "ben", 2));
    let due = || async { store.queued_events(tenant, 9).await.unwrap() };
    assert_eq!(due().await, []);
    office.world.store(change(&office).insert(ann.clone())).await;
    assert_eq!(due().await, [event], "a booking can become active");
    let served = ann.activated(store.now(), 300);
    office.world.store(change(&office).update(served.clone()).insert(ben)).await;
    assert_eq!(due().await, [], "all bookings that can be served are active, none is due");
    let wider = Queue { max_active: 2, version: 2, ..queue };
    office.world.store(change(&office).update(wider.clone())).await;
    assert_eq!(due().await, [event], "another booking can become active");
    office.world.store(change(&office).update(Queue { max_active: 1, version: 3, ..wider })).await;
    let past = Booking { active_until: served.active_at, version: 3, ..served };
    office.world.store(change(&office).update(past.clone())).await;
    assert_eq!(due().await, [event], "an active booking has expired");
    let later =
        Booking { active_until: Some(store.now().plus(Duration::from_secs(300))), version: 4, ..past };
    let mut cancelled = Event { version: 2, ..office.event.clone() };
    cancelled.attributes.status = EventStatus::Cancelled;
    office.world.store(change(&office).update(later).update(cancelled)).await;
    assert_eq!(due().await, [event], "the event is cancelled");
}

on_every_store! {
    queue_without_due_work_is_not_listed,
    bookings_are_served_in_order_of_entry,
    active_bookings_with_due_work_are_listed,
    delayed_booking_is_reservable_after_those_that_are_due_before,
    required_queue_admits_only_active_bookings,
}
