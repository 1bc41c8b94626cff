//! Promotions and their codes, and the units that codes keep.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tessera_core::Timestamp;
use tessera_core::changeset::{Guard, Write};
use tessera_core::id::{EventId, PoolId, PromotionId, TenantId, TicketTypeId};
use tessera_core::inventory::Counts;
use tessera_core::page::PageRequest;
use tessera_core::ports::DueWork;
use tessera_core::pricing::promotion::{Discount, MAX_NEW_CODES, SPEC};
use tessera_core::pricing::rule::Per;
use tessera_core::pricing::{KeptUnits, Percent, Promotion, PromotionCode, WritePromotion};
use tessera_core::value::Money;

use crate::box_office::BoxOffice;
use crate::world::{World, all, page};

const MINUTE: Duration = Duration::from_secs(60);

on_every_store! {
    promotion_round_trips,
    promotions_are_paged_and_filtered,
    concurrent_creations_keep_the_bound_of_promotions,
    ten_thousand_codes_are_created_and_listed,
    existing_code_makes_a_creation_stale,
    kept_units_are_locked_until_they_are_freed,
    codes_and_promotions_with_kept_units_are_not_deleted,
    kept_units_of_ended_promotions_are_found,
    promotions_are_deleted_with_their_event,
    deleted_promotions_are_purged_in_slices,
    codes_of_deleted_promotions_are_used_again_at_once,
    concurrent_creations_keep_the_bound_of_codes,
}

fn new_promotion(name: &str, now: Timestamp) -> Promotion {
    let attributes = WritePromotion {
        name: name.into(),
        event: None,
        ticket_types: BTreeSet::new(),
        discount: None,
        shows: BTreeSet::new(),
        min_quantity: None,
        valid_from: None,
        valid_until: None,
        max_uses: None,
        max_uses_per_buyer: None,
        max_uses_per_code: None,
        combinable: false,
        enabled: true,
    };
    let id = PromotionId::generate();
    Promotion { id, attributes, codes: 0, uses: 0, created_at: now, updated_at: now, version: 1 }
}

/// Sets every field of a promotion, except for the number of its uses.
pub(crate) fn full_promotion(event: EventId, ticket_type: TicketTypeId, now: Timestamp) -> Promotion {
    let attributes = WritePromotion {
        name: "Friends \u{1F680}".into(),
        event: Some(event),
        ticket_types: [ticket_type].into(),
        discount: Some(Discount::Amount(Money { amount: 250, currency: "EUR".into() }, Per::Order)),
        shows: [ticket_type].into(),
        min_quantity: Some(1),
        valid_from: Some(now),
        valid_until: Some(now.plus(MINUTE)),
        max_uses: Some(2),
        max_uses_per_buyer: Some(3),
        max_uses_per_code: Some(4),
        combinable: true,
        enabled: false,
    };
    Promotion { attributes, codes: 5, ..new_promotion("", now) }
}

fn codes(of: &Promotion, texts: &[&str], kept: Option<&KeptUnits>) -> Vec<PromotionCode> {
    let code = |text: &&str| PromotionCode {
        code: (*text).to_owned(),
        promotion: of.id,
        uses: 0,
        kept: kept.cloned(),
        created_at: of.created_at,
    };
    texts.iter().map(code).collect()
}

/// Returns the next version of a promotion.
fn next(promotion: &Promotion, change: impl FnOnce(&mut Promotion)) -> Promotion {
    let mut next = Promotion { version: promotion.version + 1, ..promotion.clone() };
    change(&mut next);
    next
}

async fn stored_codes(world: &World, tenant: TenantId, of: PromotionId) -> Vec<PromotionCode> {
    all(page(&SPEC, 3_000, ""), |request: PageRequest| {
        let store = Arc::clone(&world.store);
        async move { store.promotion_code_page(tenant, of, &request).await }
    })
    .await
}

/// Creates a promotion with three codes, each of which keeps two units of a ticket type of an event with ten.
async fn with_kept_units(world: World) -> (BoxOffice, TicketTypeId, Promotion, Vec<PromotionCode>) {
    let office = BoxOffice::open(world, Some(10), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let mut pools = vec![PoolId::from(event), PoolId::from(standing)];
    pools.sort_unstable();
    let kept = KeptUnits { ticket_type: standing, event, pools, units: 2 };
    let promotion = Promotion { codes: 3, ..new_promotion("guests", world.store.now()) };
    let codes = codes(&promotion, &["A", "B", "C"], Some(&kept));
    let creation = world.change(tenant).insert(promotion.clone());
    world.store(creation.write(Write::CreateCodes(codes.clone()))).await;
    (office, standing, promotion, codes)
}

async fn promotion_round_trips(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant) = (&office.world, office.tenant);
    let mut promotion = full_promotion(office.event.id, standing, world.store.now());
    world.store(world.change(tenant).insert(promotion.clone())).await;
    assert_eq!(world.store.promotion(tenant, promotion.id).await.unwrap(), Some(promotion.clone()));
    let plain = new_promotion("plain", promotion.created_at).attributes;
    for discount in [None, Some(Discount::Percent(Percent::HUNDRED))] {
        promotion = next(&promotion, |next| {
            next.attributes = WritePromotion { discount, ..plain.clone() };
            next.codes += 1;
            next.updated_at = world.store.now();
        });
        world.store(world.change(tenant).update(promotion.clone())).await;
        assert_eq!(world.store.promotion(tenant, promotion.id).await.unwrap(), Some(promotion.clone()));
    }
    let stale = Promotion { version: 2, ..promotion.clone() };
    assert!(world.commit(world.change(tenant).delete(stale)).await.unwrap_err().is_stale());
    let other = world.tenant("other").await;
    assert_eq!(world.store.promotion(other, promotion.id).await.unwrap(), None);
    world.store(world.change(tenant).delete(promotion.clone())).await;
    assert_eq!(world.store.promotion(tenant, promotion.id).await.unwrap(), None);
}

async fn promotions_are_paged_and_filtered(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let mut promotions = Vec::new();
    for number in 0..4 {
        let mut promotion = new_promotion(&number.to_string(), world.store.now());
        promotion.attributes.enabled = number != 1;
        promotion.attributes.event = (number == 2).then_some(event);
        world.store(world.change(tenant).insert(promotion.clone())).await;
        promotions.push(promotion);
    }
    let list = |request: PageRequest| {
        let store = Arc::clone(&world.store);
        async move { store.promotion_page(tenant, &request).await }
    };
    assert_eq!(all(page(&SPEC, 3, "created asc"), list).await, promotions);
    promotions.reverse();
    assert_eq!(all(page(&SPEC, 2, ""), list).await, promotions);
    for (text, found) in [
        ("enabled:false".to_owned(), vec!["1"]),
        (format!("event:{event}"), vec!["2"]),
        ("event:none enabled:true".to_owned(), vec!["0", "3"]),
    ] {
        let filter = world.filter(tenant, &SPEC, &text);
        let listed = all(PageRequest { filter, ..page(&SPEC, 9, "created asc") }, list).await;
        let names: Vec<_> = listed.iter().map(|promotion| &*promotion.attributes.name).collect();
        assert_eq!(names, found, "{text}");
    }
    let other = world.tenant("other").await;
    for (tenant, limit, count) in [(tenant, 9, 4), (tenant, 3, 3), (other, 9, 0)] {
        assert_eq!(world.store.count_promotions(tenant, limit).await.unwrap(), count);
    }
}

async fn concurrent_creations_keep_the_bound_of_promotions(world: World) {
    let tenant = world.tenant("acme").await;
    for most in 1..=10 {
        let creation = |name| {
            let promotion = new_promotion(name, world.store.now());
            world.change(tenant).guard(Guard::FewerPromotions(most)).insert(promotion)
        };
        let (one, two) = tokio::join!(world.commit(creation("one")), world.commit(creation("two")));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(one.and(two).unwrap_err().is_stale());
        assert_eq!(world.store.count_promotions(tenant, 99).await.unwrap() as usize, most);
    }
}

async fn ten_thousand_codes_are_created_and_listed(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let promotion = new_promotion("many", world.store.now());
    world.store(world.change(tenant).insert(promotion.clone())).await;
    let texts: Vec<_> = (0..MAX_NEW_CODES).map(|number| format!("C{number:05}")).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let codes = codes(&promotion, &texts, None);
    let counted = next(&promotion, |next| next.codes = 10_000);
    let creation = world.change(tenant).update(counted.clone());
    world.store(creation.write(Write::CreateCodes(codes.clone()))).await;
    assert_eq!(stored_codes(&world, tenant, promotion.id).await, codes);
    assert_eq!(stored_codes(&world, other, promotion.id).await, []);
    let named = ["C00007", "C09999", "c00007", "NONE"].map(str::to_owned);
    let found = [&codes[7], &codes[9_999]].map(|code| (code.clone(), counted.clone()));
    assert_eq!(world.store.promotion_codes(tenant, &named).await.unwrap(), found);
    assert_eq!(world.store.promotion_codes(other, &named).await.unwrap(), []);
    assert_eq!(world.store.promotion_codes(tenant, &[]).await.unwrap(), []);
    assert_eq!(world.store.count_code_uses(tenant, promotion.id, "ann").await.unwrap(), 0);
    world.store(world.change(tenant).delete(counted)).await;
    assert_eq!(world.store.promotion_codes(tenant, &named).await.unwrap(), []);
}

async fn existing_code_makes_a_creation_stale(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let promotion = new_promotion("one", world.store.now());
    let own = codes(&promotion, &["A", "B"], None);
    let creation = world.change(tenant).insert(promotion.clone());
    world.store(creation.write(Write::CreateCodes(own.clone()))).await;
    let twin = new_promotion("two", promotion.created_at);
    let creation = |tenant| {
        let creation = world.change(tenant).insert(twin.clone());
        creation.write(Write::CreateCodes(codes(&twin, &["B", "C"], None)))
    };
    assert!(world.commit(creation(tenant)).await.unwrap_err().is_stale());
    assert_eq!(world.store.promotion(tenant, twin.id).await.unwrap(), None);
    assert_eq!(stored_codes(&world, tenant, promotion.id).await, own);
    world.store(creation(other)).await;
    let orphan = world.change(tenant).write(Write::CreateCodes(codes(&twin, &["D"], None)));
    assert!(world.commit(orphan).await.unwrap_err().is_stale());
}

async fn kept_units_are_locked_until_they_are_freed(world: World) {
    let (office, standing, promotion, kept) = with_kept_units(world).await;
    let (world, tenant) = (&office.world, office.tenant);
    let locked = |locked| Counts { held: 0, sold: 0, locked };
    assert_eq!(office.counts(office.event.id).await, locked(6));
    assert_eq!(office.counts(standing).await, locked(6));
    assert_eq!(stored_codes(world, tenant, promotion.id).await, kept);
    // Four units are left.
    let more = codes(&promotion, &["D", "E", "F"], kept[0].kept.as_ref());
    let more = world.change(tenant).write(Write::CreateCodes(more));
    assert!(world.commit(more).await.unwrap_err().is_stale());
    assert_eq!(stored_codes(world, tenant, promotion.id).await, kept);
    assert_eq!(office.counts(office.event.id).await, locked(6));

    let free = |codes: &[PromotionCode]| world.change(tenant).write(Write::FreeKeptUnits(codes.to_vec()));
    let other = world.tenant("other").await;
    world.store(world.change(other).write(Write::FreeKeptUnits(kept.clone()))).await;
    assert_eq!(office.counts(office.event.id).await, locked(6));
    for (codes, left) in [(&kept[..1], 4), (&kept[..1], 4), (&kept[..], 0)] {
        world.store(free(codes)).await;
        assert_eq!(office.counts(office.event.id).await, locked(left));
        assert_eq!(office.counts(standing).await, locked(left));
    }
    let freed = stored_codes(world, tenant, promotion.id).await;
    let units: Vec<_> = freed.iter().map(|code| code.kept.as_ref().unwrap().units).collect();
    assert_eq!(units, [0, 0, 0]);
    office.check().await;
}

async fn codes_and_promotions_with_kept_units_are_not_deleted(world: World) {
    let (office, _, promotion, kept) = with_kept_units(world).await;
    let (world, tenant) = (&office.world, office.tenant);
    let deletion = |code: &str| Write::DeleteCode(promotion.id, code.to_owned());
    let counted = next(&promotion, |next| next.codes -= 1);
    let keeping = world.change(tenant).update(counted.clone()).write(deletion("A"));
    assert!(world.commit(keeping).await.unwrap_err().is_stale());
    let unknown = world.change(tenant).update(counted.clone()).write(deletion("X"));
    assert!(world.commit(unknown).await.unwrap_err().is_stale());
    let free = Write::FreeKeptUnits(kept[..1].to_vec());
    world.store(world.change(tenant).update(counted.clone()).write(free).write(deletion("A"))).await;
    assert_eq!(office.counts(office.event.id).await.locked, 4);
    assert_eq!(stored_codes(world, tenant, promotion.id).await, kept[1..]);

    assert!(world.commit(world.change(tenant).delete(counted.clone())).await.unwrap_err().is_stale());
    let free = Write::FreeKeptUnits(kept[1..].to_vec());
    world.store(world.change(tenant).write(free).delete(counted)).await;
    assert_eq!(world.store.promotion(tenant, promotion.id).await.unwrap(), None);
    assert_eq!(stored_codes(world, tenant, promotion.id).await, []);
    assert_eq!(office.counts(office.event.id).await.locked, 0);
}

async fn kept_units_of_ended_promotions_are_found(world: World) {
    let (office, _, promotion, kept) = with_kept_units(world).await;
    let (world, tenant) = (&office.world, office.tenant);
    for limit in [2, 9] {
        let keeping = world.store.keeping_codes(tenant, promotion.id, limit).await.unwrap();
        assert_eq!(keeping, kept[..kept.len().min(limit as usize)]);
    }
    let found = async |limit| world.store.ended_kept_codes(tenant, limit).await.unwrap();
    assert_eq!(found(9).await, []);
    assert_eq!(world.tenants_with(DueWork::KeptUnits).await, []);
    let disabled = next(&promotion, |next| next.attributes.enabled = false);
    let ended = next(&disabled, |next| {
        next.attributes.enabled = true;
        next.attributes.valid_until = Some(promotion.created_at);
    });
    for promotion in [disabled, ended] {
        world.store(world.change(tenant).update(promotion)).await;
        assert_eq!(found(9).await, kept);
        assert_eq!(found(2).await, kept[..2]);
        assert_eq!(world.tenants_with(DueWork::KeptUnits).await, [tenant]);
    }
    world.store(world.change(tenant).write(Write::FreeKeptUnits(kept))).await;
    assert_eq!(found(9).await, []);
    assert_eq!(world.store.keeping_codes(tenant, promotion.id, 9).await.unwrap(), []);
    assert_eq!(world.tenants_with(DueWork::KeptUnits).await, []);
}

async fn promotions_are_deleted_with_their_event(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let now = world.store.now();
    let (own, everywhere) = (full_promotion(event, standing, now), new_promotion("everywhere", now));
    let creation = world.change(tenant).insert(own.clone()).insert(everywhere.clone());
    world.store(creation.write(Write::CreateCodes(codes(&own, &["A"], None)))).await;
    world.store(world.change(tenant).delete(office.event.clone())).await;
    assert_eq!(world.store.promotion(tenant, own.id).await.unwrap(), None);
    assert_eq!(stored_codes(world, tenant, own.id).await, []);
    assert_eq!(world.store.promotion(tenant, everywhere.id).await.unwrap(), Some(everywhere.clone()));
    let moved = next(&everywhere, |next| next.attributes.event = Some(event));
    for late in [world.change(tenant).insert(own), world.change(tenant).update(moved)] {
        assert!(world.commit(late).await.unwrap_err().is_stale());
    }
    while world.store.purge_events(9).await.unwrap() > 0 {}
    assert_eq!(world.store.promotion(tenant, everywhere.id).await.unwrap(), Some(everywhere));
}

async fn deleted_promotions_are_purged_in_slices(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let now = world.store.now();
    let (own, gone) = (full_promotion(event, standing, now), new_promotion("gone", now));
    let left = Promotion { codes: 1, ..new_promotion("left", now) };
    let texts: Vec<_> = (0..5).map(|number| format!("OWN-{number}")).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let mut created = codes(&own, &texts, None);
    created.extend(codes(&left, &["LEFT"], None));
    let creation = world.change(tenant).insert(own.clone()).insert(gone.clone()).insert(left.clone());
    world.store(creation.write(Write::CreateCodes(created))).await;
    assert_eq!(world.tenants_with(DueWork::DeletedPromotions).await, []);
    assert_eq!(world.store.purge_promotions(tenant, 9).await.unwrap(), 0);

    // One is deleted by itself, the other with its event.
    world.store(world.change(tenant).delete(gone.clone())).await;
    world.store(world.change(tenant).delete(office.event.clone())).await;
    let listed = world.store.promotion_page(tenant, &page(&SPEC, 9, "")).await.unwrap().items;
    assert_eq!(listed, std::slice::from_ref(&left));
    for deleted in [&own, &gone] {
        assert_eq!(world.store.promotion(tenant, deleted.id).await.unwrap(), None);
        assert_eq!(stored_codes(world, tenant, deleted.id).await, []);
        let changed = next(deleted, |_| ());
        assert!(world.commit(world.change(tenant).update(changed)).await.unwrap_err().is_stale());
    }
    assert_eq!(world.store.promotion_codes(tenant, &["OWN-0".to_owned()]).await.unwrap(), []);
    // The event's purge does not wait for its promotions.
    while world.store.purge_events(9).await.unwrap() > 0 {}
    assert_eq!(world.store.count_promotions(tenant, 9).await.unwrap(), 3);
    assert_eq!(world.store.count_codes(tenant).await.unwrap(), 6);

    let other = world.tenant("other").await;
    assert_eq!(world.store.purge_promotions(other, 9).await.unwrap(), 0);
    assert_eq!(world.tenants_with(DueWork::DeletedPromotions).await, [tenant]);
    let mut slices = Vec::new();
    while slices.last() != Some(&0) {
        slices.push(world.store.purge_promotions(tenant, 2).await.unwrap());
    }
    assert_eq!(slices, [1, 2, 2, 1, 1, 0]);
    assert_eq!(world.tenants_with(DueWork::DeletedPromotions).await, []);
    assert_eq!(world.store.count_promotions(tenant, 9).await.unwrap(), 1);
    assert_eq!(world.store.count_codes(tenant).await.unwrap(), 1);
    assert_eq!(stored_codes(world, tenant, left.id).await.len(), 1);
}

async fn codes_of_deleted_promotions_are_used_again_at_once(world: World) {
    let (office, standing, old, kept) = with_kept_units(world).await;
    let (world, tenant) = (&office.world, office.tenant);
    let free = Write::FreeKeptUnits(kept.clone());
    world.store(world.change(tenant).write(free).delete(old.clone())).await;
    let new = Promotion { codes: 2, ..new_promotion("new", world.store.now()) };
    let mut created = codes(&new, &["A"], None);
    created.extend(codes(&new, &["B"], kept[0].kept.as_ref()));
    let creation = world.change(tenant).insert(new.clone());
    world.store(creation.write(Write::CreateCodes(created.clone()))).await;
    assert_eq!(stored_codes(world, tenant, new.id).await, created);
    assert_eq!(office.counts(standing).await.locked, 2);
    let again = Promotion { id: PromotionId::generate(), ..new.clone() };
    let twins = codes(&again, &["A"], None);
    let twice = world.change(tenant).insert(again).write(Write::CreateCodes(twins));
    assert!(world.commit(twice).await.unwrap_err().is_stale());
    // The purge of the old promotion deletes what is left of it.
    let mut slices = Vec::new();
    while slices.last() != Some(&0) {
        slices.push(world.store.purge_promotions(tenant, 9).await.unwrap());
    }
    assert_eq!(slices, [1, 1, 0]);
    assert_eq!(stored_codes(world, tenant, new.id).await, created);
    office.check().await;
}

async fn concurrent_creations_keep_the_bound_of_codes(world: World) {
    let tenant = world.tenant("acme").await;
    for most in 1..=10_u32 {
        let creation = |name: &str| {
            let promotion = Promotion { codes: 1, ..new_promotion(name, world.store.now()) };
            let code = codes(&promotion, &[&format!("{name}-{most}")], None);
            let creation = world.change(tenant).guard(Guard::CodesAtMost(most)).insert(promotion);
            creation.write(Write::CreateCodes(code))
        };
        let (one, two) = tokio::join!(world.commit(creation("ONE")), world.commit(creation("TWO")));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(one.and(two).unwrap_err().is_stale());
        assert_eq!(world.store.count_codes(tenant).await.unwrap(), most);
    }
}
