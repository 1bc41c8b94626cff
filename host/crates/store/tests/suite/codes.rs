//! Codes of promotions in batches: limits, units that codes keep, and hidden ticket types.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tessera_core::Result;
use tessera_core::catalog::{Event, EventStatus};
use tessera_core::changeset::Write;
use tessera_core::id::{EventId, PoolId, PromotionId, TicketTypeId};
use tessera_core::inventory::{
    Command, Counts, HoldRules, Job, JobOutcome, Pool, PoolSort, Reservation, ReservationState,
};
use tessera_core::ports::DueWork;
use tessera_core::pricing::promotion::WritePromotion;
use tessera_core::pricing::{CodeClaim, CodeUse, KeptUnits, Promotion, PromotionCode, Quote};

use crate::box_office::{BoxOffice, done, hold, reserve};
use crate::pricing::new_quote;
use crate::world::World;

on_every_store! {
    limits_in_all_by_buyer_and_by_code_are_exact,
    release_gives_codes_back,
    expiry_gives_codes_back,
    last_units_are_sold_to_the_code_that_keeps_them,
    kept_units_of_a_disabled_promotion_are_freed,
    hidden_ticket_type_is_sold_only_with_a_code,
    stored_quote_is_not_written_again,
    batches_of_two_events_claim_the_same_promotions,
    uses_are_purged_with_their_promotion,
    code_that_was_created_again_is_another_one,
    units_of_a_cancelled_event_are_not_kept,
}

/// Creates a promotion with codes. The codes keep units of a ticket type if it is given.
async fn promotion(
    office: &BoxOffice,
    codes: &[&str],
    kept: Option<(TicketTypeId, u32)>,
    change: impl FnOnce(&mut WritePromotion),
) -> Promotion {
    let now = office.world.store.now();
    let mut attributes = WritePromotion {
        name: "Summer".into(),
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
        combinable: true,
        enabled: true,
    };
    change(&mut attributes);
    let promotion = Promotion {
        id: PromotionId::generate(),
        attributes,
        codes: u32::try_from(codes.len()).unwrap(),
        uses: 0,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let pools = kept.map(|(of, _)| vec![PoolId::from(office.event.id), of.into()]);
    let mut pools = pools.unwrap_or_default();
    pools.sort_unstable();
    let code = |code: &&str| PromotionCode {
        code: (*code).to_owned(),
        promotion: promotion.id,
        uses: 0,
        kept: kept.map(|(ticket_type, units)| KeptUnits {
            ticket_type,
            event: office.event.id,
            pools: pools.clone(),
            units,
        }),
        created_at: now,
    };
    let codes = codes.iter().map(code).collect();
    let changeset = office.world.change(office.tenant).insert(promotion.clone());
    office.world.store(changeset.write(Write::CreateCodes(codes))).await;
    promotion
}

fn claim(promotion: &Promotion, code: &str) -> CodeClaim {
    CodeClaim { code: code.into(), promotion: promotion.id }
}

/// Returns a reservation with a quote that has these claims.
fn claiming(
    office: &BoxOffice,
    buyer: &str,
    (ticket_type, units): (TicketTypeId, usize),
    claims: &[CodeClaim],
) -> Arc<Job> {
    let Command::Reserve(mut command) = reserve(buyer, &[(ticket_type, units)], None) else {
        panic!("another command")
    };
    let mut quote = new_quote(office.event.id, ticket_type, office.world.store.now());
    quote.lines[0].quantity = u32::try_from(units).unwrap();
    quote.lines[0].total = 1_250 * i64::from(quote.lines[0].quantity);
    quote.claims = claims.to_vec();
    command.quote = Some(Arc::new(quote));
    office.job(Command::Reserve(command))
}

fn reason(verdict: Result<Reservation>) -> String {
    verdict.unwrap_err().reason().to_owned()
}

/// Returns the stored uses of a promotion, and those of a code with the units that it keeps.
async fn uses(office: &BoxOffice, promotion: &Promotion, code: &str) -> (u32, u32, u32) {
    let (store, tenant) = (&office.world.store, office.tenant);
    let of_promotion = store.promotion(tenant, promotion.id).await.unwrap().unwrap();
    let codes = store.promotion_codes(tenant, &[code.to_owned()]).await.unwrap();
    let [(code, _)] = &codes[..] else { panic!("{codes:?}") };
    (of_promotion.uses, code.uses, code.kept.as_ref().map_or(0, |kept| kept.units))
}

async fn limits_in_all_by_buyer_and_by_code_are_exact(world: World) {
    type Limit = fn(&mut WritePromotion);
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let limits: [(Limit, [bool; 4]); 3] = [
        (|attributes| attributes.max_uses = Some(3), [true, true, true, false]),
        (|attributes| attributes.max_uses_per_buyer = Some(1), [true, false, true, false]),
        (|attributes| attributes.max_uses_per_code = Some(2), [true, true, false, true]),
    ];
    for (index, (limit, expected)) in limits.into_iter().enumerate() {
        let (one, two) = (format!("ONE-{index}"), format!("TWO-{index}"));
        let of = promotion(&office, &[&one, &two], None, limit).await;
        let attempts = [("ann", &one), ("ann", &one), ("ben", &one), ("ben", &two)];
        let jobs = attempts.map(|(buyer, code)| claiming(&office, buyer, (standing, 1), &[claim(&of, code)]));
        // The first two in one batch, the others each in its own.
        let mut verdicts = office.batch(&jobs[..2]).await;
        for job in &jobs[2..] {
            verdicts.extend(office.batch(std::slice::from_ref(job)).await);
        }
        assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), expected, "{verdicts:?}");
        for refused in verdicts.iter().filter_map(|verdict| verdict.as_ref().err()) {
            assert_eq!(refused.reason(), "CODE_USED_UP");
        }
        let accepted = expected.iter().filter(|accepted| **accepted).count();
        assert_eq!(uses(&office, &of, &one).await.0 as usize, accepted);
        let (store, tenant) = (&office.world.store, office.tenant);
        let of_buyers = store.count_code_uses(tenant, of.id, "ann").await.unwrap()
            + store.count_code_uses(tenant, of.id, "ben").await.unwrap();
        assert_eq!(of_buyers as usize, accepted);
    }
    let unknown = CodeClaim { code: "GONE".into(), promotion: PromotionId::generate() };
    let refused = office.run(claiming(&office, "ann", (standing, 1), &[unknown])).await;
    assert_eq!(reason(refused), "CODE_NOT_VALID");
    office.check().await;
}

async fn release_gives_codes_back(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let limit = |attributes: &mut WritePromotion| {
        (attributes.max_uses, attributes.max_uses_per_buyer) = (Some(1), Some(1));
        attributes.max_uses_per_code = Some(1);
    };
    let of = promotion(&office, &["ONCE"], None, limit).await;
    let job = || claiming(&office, "ann", (standing, 3), &[claim(&of, "ONCE")]);
    let held = office.run(job()).await.unwrap();
    let created_at = of.created_at;
    assert_eq!(held.codes, [CodeUse { code: "ONCE".into(), promotion: of.id, units: 0, created_at }]);
    let stored = office.world.store.reservation(office.tenant, held.id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&held));
    // A part of it is still a use.
    assert_eq!(office.release(held.id, &[held.units[0].id]).await.unwrap().codes, held.codes);
    assert_eq!(reason(office.run(job()).await), "CODE_USED_UP");
    assert!(office.release(held.id, &[]).await.unwrap().codes.is_empty());
    assert_eq!(uses(&office, &of, "ONCE").await, (0, 0, 0));
    assert_eq!(office.world.store.count_code_uses(office.tenant, of.id, "ann").await.unwrap(), 0);
    let again = office.run(job()).await.unwrap();
    assert_eq!(office.confirm(again.id).await.unwrap().codes, held.codes);
    assert_eq!(uses(&office, &of, "ONCE").await, (1, 1, 0));
    assert_eq!(reason(office.run(job()).await), "CODE_USED_UP");
    office.check().await;
}

async fn expiry_gives_codes_back(world: World) {
    let holds = HoldRules { default: Some(2), min: Some(1), max: Some(2) };
    let office = BoxOffice::open(world, None, |text| hold(text, holds)).await;
    let standing = office.ticket_type(None, &[]).await;
    let of = promotion(&office, &["ONCE"], None, |attributes| attributes.max_uses = Some(1)).await;
    let job = |buyer| claiming(&office, buyer, (standing, 1), &[claim(&of, "ONCE")]);
    let held = office.run(job("ann")).await.unwrap();
    assert_eq!(reason(office.run(job("ben")).await), "CODE_USED_UP");
    office.wait_for_end(&held).await;
    // A batch ends due holds before it refuses a code.
    let next = office.run(job("ben")).await.unwrap();
    let ended = office.world.store.reservation(office.tenant, held.id).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.codes.len()), (ReservationState::Expired, 0));
    assert_eq!(uses(&office, &of, "ONCE").await, (1, 1, 0));
    office.wait_for_end(&next).await;
    let swept = office.batch(&[office.job(Command::Sweep)]).await.pop().unwrap();
    assert!(matches!(swept, Ok(JobOutcome::Swept(1))), "{swept:?}");
    assert_eq!(uses(&office, &of, "ONCE").await, (0, 0, 0));
    office.check().await;
}

async fn last_units_are_sold_to_the_code_that_keeps_them(world: World) {
    let office = BoxOffice::open(world, Some(4), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let of = promotion(&office, &["VOUCHER"], Some((standing, 2)), |_| ()).await;
    assert_eq!(office.counts(standing).await, Counts { held: 0, sold: 0, locked: 2 });
    office.run(office.reserve("ben", &[(standing, 2)])).await.unwrap();
    assert_eq!(reason(office.run(office.reserve("cem", &[(standing, 1)])).await), "INVENTORY_EXHAUSTED");
    let voucher = |buyer, units| claiming(&office, buyer, (standing, units), &[claim(&of, "VOUCHER")]);
    assert_eq!(reason(office.run(voucher("ann", 3)).await), "INVENTORY_EXHAUSTED");
    let held = office.run(voucher("ann", 2)).await.unwrap();
    let created_at = of.created_at;
    assert_eq!(held.codes, [CodeUse { code: "VOUCHER".into(), promotion: of.id, units: 2, created_at }]);
    assert_eq!(uses(&office, &of, "VOUCHER").await, (1, 1, 0));
    for pool in [PoolId::from(office.event.id), standing.into()] {
        assert_eq!(office.counts(pool).await, Counts { held: 4, sold: 0, locked: 0 });
    }
    assert_eq!(reason(office.run(voucher("dia", 1)).await), "INVENTORY_EXHAUSTED");

    let rest = office.release(held.id, &[held.units[0].id]).await.unwrap();
    assert_eq!(rest.codes[0].units, 1);
    assert_eq!(uses(&office, &of, "VOUCHER").await, (1, 1, 1));
    assert_eq!(office.counts(standing).await, Counts { held: 3, sold: 0, locked: 1 });
    assert_eq!(reason(office.run(office.reserve("cem", &[(standing, 1)])).await), "INVENTORY_EXHAUSTED");
    office.release(held.id, &[]).await.unwrap();
    assert_eq!(uses(&office, &of, "VOUCHER").await, (0, 0, 2));
    assert_eq!(office.counts(standing).await, Counts { held: 2, sold: 0, locked: 2 });
    let again = office.run(voucher("ann", 2)).await.unwrap();
    office.confirm(again.id).await.unwrap();
    assert_eq!(office.counts(office.event.id).await, Counts { held: 2, sold: 2, locked: 0 });
    office.check().await;
}

async fn kept_units_of_a_disabled_promotion_are_freed(world: World) {
    let office = BoxOffice::open(world, Some(2), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let of = promotion(&office, &["VOUCHER"], Some((standing, 2)), |_| ()).await;
    let held = office.run(claiming(&office, "ann", (standing, 2), &[claim(&of, "VOUCHER")])).await.unwrap();
    let mut disabled = Promotion { version: 2, ..of.clone() };
    disabled.attributes.enabled = false;
    office.world.store(office.world.change(office.tenant).update(disabled)).await;
    office.release(held.id, &[]).await.unwrap();
    assert_eq!(uses(&office, &of, "VOUCHER").await, (0, 0, 0));
    assert_eq!(office.counts(standing).await, Counts::default());
    office.run(office.reserve("ben", &[(standing, 2)])).await.unwrap();
    office.check().await;
}

async fn hidden_ticket_type_is_sold_only_with_a_code(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let backstage = office.ticket_type(None, &[]).await;
    // The event is cached with a ticket type that is not hidden.
    for buyer in ["ann", "ben"] {
        office.run(office.reserve(buyer, &[(backstage, 1)])).await.unwrap();
    }
    let (store, tenant) = (&office.world.store, office.tenant);
    let mut hidden = store.ticket_type(tenant, backstage).await.unwrap().unwrap();
    hidden.attributes.hidden = true;
    hidden.version += 1;
    office.world.store(office.world.change(tenant).update(hidden)).await;
    let plain = promotion(&office, &["PLAIN"], None, |_| ()).await;
    let shows = |attributes: &mut WritePromotion| attributes.shows = [backstage].into();
    let key = promotion(&office, &["KEY"], None, shows).await;
    for _ in 0..2 {
        let without = office.run(office.reserve("cem", &[(backstage, 1)])).await;
        assert_eq!(reason(without), "ACCESS_CODE_REQUIRED");
        let other = claiming(&office, "cem", (backstage, 1), &[claim(&plain, "PLAIN")]);
        assert_eq!(reason(office.run(other).await), "ACCESS_CODE_REQUIRED");
        office.run(claiming(&office, "cem", (backstage, 1), &[claim(&key, "KEY")])).await.unwrap();
    }
    office.check().await;
}

async fn stored_quote_is_not_written_again(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (store, tenant) = (&office.world.store, office.tenant);
    let quote = new_quote(office.event.id, standing, store.now());
    office.world.store(office.world.change(tenant).insert(quote.clone())).await;
    let job = |quote: &Quote| {
        let Command::Reserve(mut command) = reserve("ann", &[(standing, 3)], None) else {
            panic!("another command")
        };
        (command.quote, command.quote_is_stored) = (Some(Arc::new(quote.clone())), true);
        office.job(Command::Reserve(command))
    };
    for verdict in office.batch(&[job(&quote), job(&quote)]).await {
        assert_eq!(done(verdict).unwrap().quote, Some(quote.id));
    }
    assert_eq!(store.count_open_quotes(tenant, 9).await.unwrap(), 0);
    assert_eq!(store.quote(tenant, quote.id).await.unwrap(), Some(quote));
    // A quote that was purged meanwhile.
    let purged = new_quote(office.event.id, standing, store.now());
    let refused = store.run_batch(tenant, office.event.id, &[job(&purged)]).await;
    assert!(refused.unwrap_err().is_stale());
    office.check().await;
}

/// Opens another event of the same tenant, with a ticket type.
async fn another_event(office: &BoxOffice) -> (BoxOffice, TicketTypeId) {
    let event = Event { id: EventId::generate(), ..office.event.clone() };
    let pool = Pool::new(event.id, (PoolSort::Event, event.id.into()), "event", event.created_at);
    office.world.store(office.world.change(office.tenant).insert(event.clone()).insert(pool)).await;
    let other = BoxOffice { event, ..office.clone() };
    let standing = other.ticket_type(None, &[]).await;
    (other, standing)
}

async fn batches_of_two_events_claim_the_same_promotions(world: World) {
    const MAX: usize = 30;
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (other, elsewhere) = another_event(&office).await;
    let limit = |attributes: &mut WritePromotion| attributes.max_uses = u32::try_from(MAX).ok();
    let (one, two) =
        (promotion(&office, &["ONE"], None, limit).await, promotion(&office, &["TWO"], None, limit).await);
    let claims = [claim(&one, "ONE"), claim(&two, "TWO")];
    // The batches name the codes in opposite orders.
    let sell = |office: BoxOffice, ticket_type, claims: Vec<CodeClaim>| async move {
        let mut sold = 0_usize;
        for round in 0..12 {
            let buyer = |n: usize| format!("buyer {round}-{n}");
            let jobs: Vec<_> =
                (0..3).map(|n| claiming(&office, &buyer(n), (ticket_type, 1), &claims)).collect();
            for verdict in office.batch(&jobs).await {
                match done(verdict) {
                    Ok(_) => sold += 1,
                    Err(error) => assert_eq!(error.reason(), "CODE_USED_UP"),
                }
            }
        }
        sold
    };
    let reversed = claims.iter().rev().cloned().collect();
    let (here, there) = tokio::join!(
        tokio::spawn(sell(office.clone(), standing, claims.to_vec())),
        tokio::spawn(sell(other.clone(), elsewhere, reversed)),
    );
    assert_eq!(here.unwrap() + there.unwrap(), MAX);
    for (of, code) in [(&one, "ONE"), (&two, "TWO")] {
        let (of_promotion, of_code, _) = uses(&office, of, code).await;
        assert_eq!((of_promotion as usize, of_code as usize), (MAX, MAX));
    }
}

async fn uses_are_purged_with_their_promotion(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let (other, elsewhere) = another_event(&office).await;
    let standing = office.ticket_type(None, &[]).await;
    let of = promotion(&office, &["CODE"], None, |_| ()).await;
    for _ in 0..5 {
        office.run(claiming(&office, "ann", (standing, 1), &[claim(&of, "CODE")])).await.unwrap();
    }
    other.run(claiming(&other, "ann", (elsewhere, 1), &[claim(&of, "CODE")])).await.unwrap();
    let (store, tenant) = (&office.world.store, office.tenant);
    assert_eq!(store.count_code_uses(tenant, of.id, "ann").await.unwrap(), 6);
    office.world.store(office.world.change(tenant).delete(office.event.clone())).await;
    while store.purge_events(2).await.unwrap() > 0 {}
    // The promotion is for all events, and still counts them.
    assert_eq!(uses(&office, &of, "CODE").await.0, 6);
    assert_eq!(store.count_code_uses(tenant, of.id, "ann").await.unwrap(), 6);
    office.world.store(office.world.change(tenant).delete(of.clone())).await;
    let mut purged = 0;
    loop {
        let rows = store.purge_promotions(tenant, 4).await.unwrap();
        assert!(rows <= 4);
        purged += rows;
        if rows == 0 {
            break;
        }
    }
    // One code, its uses and the promotion.
    assert_eq!(purged, 8);
    assert_eq!(store.count_code_uses(tenant, of.id, "ann").await.unwrap(), 0);
}

async fn code_that_was_created_again_is_another_one(world: World) {
    let office = BoxOffice::open(world, Some(9), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let limit = |attributes: &mut WritePromotion| attributes.max_uses_per_code = Some(1);
    let of = promotion(&office, &["VOUCHER"], Some((standing, 2)), limit).await;
    let voucher = |buyer, units| claiming(&office, buyer, (standing, units), &[claim(&of, "VOUCHER")]);
    let old = office.run(voucher("ann", 2)).await.unwrap();
    let (store, tenant) = (&office.world.store, office.tenant);
    let found = store.promotion_codes(tenant, &["VOUCHER".to_owned()]).await.unwrap().pop();
    let mut code = found.unwrap().0;
    let deletion = Write::DeleteCode(of.id, code.code.clone());
    let counted = Promotion { version: 2, codes: 0, ..of.clone() };
    office.world.store(office.world.change(tenant).update(counted.clone()).write(deletion)).await;
    code.created_at = of.created_at.plus(Duration::from_secs(1));
    code.kept.as_mut().unwrap().units = 2;
    let again = Promotion { version: 3, codes: 1, ..counted };
    let creation = office.world.change(tenant).update(again).write(Write::CreateCodes(vec![code]));
    office.world.store(creation).await;
    assert_eq!(uses(&office, &of, "VOUCHER").await, (1, 0, 2));
    office.run(voucher("ben", 1)).await.unwrap();
    assert_eq!(uses(&office, &of, "VOUCHER").await, (2, 1, 1));
    office.release(old.id, &[]).await.unwrap();
    assert_eq!(uses(&office, &of, "VOUCHER").await, (1, 1, 1));
    assert_eq!(office.counts(standing).await, Counts { held: 1, sold: 0, locked: 1 });
    assert_eq!(reason(office.run(voucher("cem", 1)).await), "CODE_USED_UP");
    office.check().await;
}

async fn units_of_a_cancelled_event_are_not_kept(world: World) {
    let office = BoxOffice::open(world, Some(9), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let of = promotion(&office, &["A", "B"], Some((standing, 2)), |_| ()).await;
    let (store, tenant, event) = (&office.world.store, office.tenant, office.event.id);
    let held = office.run(claiming(&office, "ann", (standing, 2), &[claim(&of, "A")])).await.unwrap();
    assert_eq!(store.ended_kept_codes(tenant, 9).await.unwrap(), []);
    assert_eq!(office.world.tenants_with(DueWork::KeptUnits).await, []);
    let mut cancelled = store.event(tenant, event).await.unwrap().unwrap();
    cancelled.attributes.status = EventStatus::Cancelled;
    cancelled.version += 1;
    office.world.store(office.world.change(tenant).update(cancelled)).await;
    office.release(held.id, &[]).await.unwrap();
    assert_eq!(uses(&office, &of, "A").await, (0, 0, 0));
    assert_eq!(office.counts(standing).await, Counts { held: 0, sold: 0, locked: 2 });
    // The other code's units are found until they are free; the event is not swept before.
    assert_eq!(office.world.tenants_with(DueWork::KeptUnits).await, [tenant]);
    let kept = store.ended_kept_codes(tenant, 9).await.unwrap();
    assert_eq!(kept.iter().map(|code| &*code.code).collect::<Vec<_>>(), ["B"]);
    store.note_swept(tenant, event).await.unwrap();
    assert_eq!(office.world.tenants_with(DueWork::Holds).await, [tenant]);
    office.world.store(office.world.change(tenant).write(Write::FreeKeptUnits(kept))).await;
    assert_eq!(office.counts(standing).await, Counts::default());
    assert_eq!(office.world.tenants_with(DueWork::KeptUnits).await, []);
    store.note_swept(tenant, event).await.unwrap();
    assert_eq!(office.world.tenants_with(DueWork::Holds).await, []);
    office.check().await;
}
