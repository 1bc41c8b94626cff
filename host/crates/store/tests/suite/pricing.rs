//! Pricing rules, and quotes with the reservations that are made with them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tessera_core::changeset::{Guard, Write};
use tessera_core::id::{EventId, InstallationId, PromotionId, QuoteId, RuleId, TicketTypeId};
use tessera_core::inventory::{Command, Job};
use tessera_core::page::PageRequest;
use tessera_core::plugin::{Adjustment, AdjustmentKind, Basket, BasketLine, Digest, Scope};
use tessera_core::ports::DueWork;
use tessera_core::pricing::rule::{Clock, Per, SPEC, SoldStep};
use tessera_core::pricing::{
    CodeClaim, DisplayedPrice, DisplayedPrices, Percent, PricingCall, PricingRule, Quote, QuoteAdjustment,
    QuoteLine, RefusedCode, RuleValue, Source, WriteRule,
};
use tessera_core::value::{Decimal, Money};
use tessera_core::{Field, Timestamp, Value};

use crate::box_office::{BoxOffice, done, reserve};
use crate::world::{World, all, page};

const MINUTE: Duration = Duration::from_secs(60);

on_every_store! {
    rule_round_trips,
    rules_are_paged_and_filtered,
    concurrent_creations_keep_the_bound_of_rules,
    rules_and_installations_are_deleted_with_their_event,
    quote_round_trips,
    concurrent_creations_keep_the_bound_of_open_quotes,
    batch_stores_the_quote_of_its_reservations_once,
    stored_quote_is_marked_as_reserved,
    open_quotes_are_counted_and_purged_after_their_end,
    quotes_of_ended_reservations_are_purged,
    category_prices_round_trip,
    displayed_prices_are_stored_once_for_each_version,
    old_displayed_prices_are_found_and_forgotten,
}

fn new_rule(name: &str, kind: AdjustmentKind, now: Timestamp) -> PricingRule {
    let attributes = WriteRule {
        name: name.into(),
        kind,
        value: RuleValue::Percent(Percent::HUNDRED),
        included: false,
        event: None,
        ticket_types: BTreeSet::new(),
        categories: BTreeSet::new(),
        valid_from: None,
        valid_until: None,
        min_minutes_to_start: None,
        max_minutes_to_start: None,
        min_quantity: None,
        max_quantity: None,
        clock: Clock::Start,
        weekdays: std::iter::empty().collect(),
        minutes: None,
        order: 0,
        enabled: true,
    };
    PricingRule { id: RuleId::generate(), attributes, created_at: now, updated_at: now, version: 1 }
}

/// Sets every field of a rule.
pub(crate) fn full_rule(event: EventId, ticket_type: TicketTypeId, now: Timestamp) -> PricingRule {
    let attributes = WriteRule {
        name: "Service \u{1F680}".into(),
        kind: AdjustmentKind::Fee,
        value: RuleValue::Amount(Money { amount: 250, currency: "EUR".into() }, Per::Order),
        included: true,
        event: Some(event),
        ticket_types: [ticket_type].into(),
        categories: ["child".to_owned(), "student".to_owned()].into(),
        valid_from: Some(now),
        valid_until: Some(now.plus(MINUTE)),
        min_minutes_to_start: Some(1),
        max_minutes_to_start: Some(2),
        min_quantity: Some(3),
        max_quantity: Some(4),
        clock: Clock::Sale,
        weekdays: [0, 6].into(),
        minutes: Some((1_320, 60)),
        order: -5,
        enabled: false,
    };
    PricingRule { attributes, ..new_rule("", AdjustmentKind::Fee, now) }
}

pub(crate) fn new_quote(event: EventId, ticket_type: TicketTypeId, now: Timestamp) -> Quote {
    let line = QuoteLine {
        ticket_type,
        name: "standing".into(),
        category: String::new(),
        quantity: 3,
        unit_price: 1_250,
        total: 3_750,
    };
    Quote {
        id: QuoteId::generate(),
        event,
        buyer: String::new(),
        channel: String::new(),
        currency: "EUR".into(),
        lines: vec![line],
        adjustments: Vec::new(),
        codes: Vec::new(),
        refused_codes: Vec::new(),
        claims: Vec::new(),
        calls: Vec::new(),
        basket: None,
        created_by: "system".into(),
        created_at: now,
        expires_at: now.plus(MINUTE),
    }
}

/// Sets every field of a quote.
pub(crate) fn full_quote(event: EventId, ticket_type: TicketTypeId, now: Timestamp) -> Quote {
    let (installation, digest) = (InstallationId::generate(), Digest([7; 32]));
    let fields = vec![
        Field::new("none", Value::None),
        Field::new("text", "\u{1F680}"),
        Field::new("integer", Value::Integer(i64::MIN)),
        Field::new("boolean", true),
        Field::new("decimal", Value::Decimal(Decimal::parse("d", "12.50").unwrap())),
        Field::new("time", now),
        Field::new("money", Value::Money(Money { amount: -5, currency: "EUR".into() })),
        Field::new("texts", Value::Texts(vec!["b".into(), "a".into()])),
    ];
    let discount = Adjustment {
        kind: AdjustmentKind::Discount,
        line: Some(0),
        amount: -650,
        included: false,
        label: "Early".into(),
        code: Some("EARLY".into()),
        attributes: fields.clone(),
    };
    let tax = Adjustment {
        kind: AdjustmentKind::Tax,
        line: None,
        amount: 495,
        included: true,
        label: "VAT".into(),
        code: None,
        attributes: Vec::new(),
    };
    let rule = Source::Rule(RuleId::generate(), 3);
    let basket = Basket {
        event: fields.clone(),
        starts_at: Some(now),
        offset_now: -60,
        offset_start: 120,
        currency: "EUR".into(),
        currency_exponent: 2,
        lines: vec![BasketLine {
            ticket_type: ticket_type.to_string(),
            name: "standing".into(),
            quantity: 3,
            unit_price: 1_250,
            available: u32::MAX,
            capacity: 100,
            attributes: vec![Field::new("category", "child")],
        }],
        codes: vec!["EARLY".into(), "LATE".into()],
        channel: "box-office".into(),
        buyer: fields,
        applied: Vec::new(),
    };
    let plain = new_quote(event, ticket_type, now);
    let line = QuoteLine { category: "child".into(), total: 3_100, ..plain.lines[0].clone() };
    Quote {
        buyer: "ann".into(),
        channel: "box-office".into(),
        lines: vec![line],
        adjustments: vec![
            QuoteAdjustment { source: Source::Plugin(installation, digest), adjustment: discount },
            QuoteAdjustment { source: rule, adjustment: tax },
        ],
        codes: vec!["EARLY".into()],
        refused_codes: vec![RefusedCode { code: "LATE".into(), reason: "too late".into() }],
        calls: vec![PricingCall {
            installation,
            plugin: "surge@1.0.0".into(),
            digest,
            version: 4,
            settings: r#"{"label":"Gala"}"#.into(),
            applied: 1,
            failed: true,
        }],
        basket: Some(Box::new(basket)),
        ..plain
    }
}

/// Creates a reservation of three units with a quote.
fn quoted(office: &BoxOffice, buyer: &str, ticket_type: TicketTypeId, quote: &Arc<Quote>) -> Arc<Job> {
    let Command::Reserve(mut command) = reserve(buyer, &[(ticket_type, 3)], None) else {
        panic!("another command")
    };
    command.lines[0].category.clone_from(&quote.lines[0].category);
    command.quote = Some(Arc::clone(quote));
    office.job(Command::Reserve(command))
}

async fn rule_round_trips(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant) = (&office.world, office.tenant);
    let mut rule = full_rule(office.event.id, standing, world.store.now());
    world.store(world.change(tenant).insert(rule.clone())).await;
    assert_eq!(world.store.pricing_rule(tenant, rule.id).await.unwrap(), Some(rule.clone()));
    let step = |sold: u64, percent: u64| SoldStep {
        sold: Percent::share(sold, 100),
        percent: Percent::share(percent, 1_000),
    };
    let plain = new_rule("plain", AdjustmentKind::Surcharge, rule.created_at).attributes;
    for value in [
        RuleValue::Steps(vec![step(0, 1), step(50, 125)]),
        RuleValue::Percent(Percent::MAX),
        RuleValue::Amount(Money { amount: 1, currency: "JPY".into() }, Per::Unit),
    ] {
        rule.attributes = WriteRule { value, ..plain.clone() };
        rule.version += 1;
        rule.updated_at = world.store.now();
        world.store(world.change(tenant).update(rule.clone())).await;
        assert_eq!(world.store.pricing_rule(tenant, rule.id).await.unwrap(), Some(rule.clone()));
    }
    let stale = PricingRule { version: 2, ..rule.clone() };
    assert!(world.commit(world.change(tenant).delete(stale)).await.unwrap_err().is_stale());
    let other = world.tenant("other").await;
    assert_eq!(world.store.pricing_rule(other, rule.id).await.unwrap(), None);
    world.store(world.change(tenant).delete(rule.clone())).await;
    assert_eq!(world.store.pricing_rule(tenant, rule.id).await.unwrap(), None);
}

async fn rules_are_paged_and_filtered(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let mut rules = Vec::new();
    for (number, kind) in AdjustmentKind::ALL.into_iter().enumerate() {
        let mut rule = new_rule(kind.name(), kind, world.store.now());
        rule.attributes.enabled = number != 1;
        rule.attributes.event = (number == 2).then_some(event);
        world.store(world.change(tenant).insert(rule.clone())).await;
        rules.push(rule);
    }
    assert_eq!(world.store.pricing_rules(tenant).await.unwrap(), rules);
    let list = |request: PageRequest| {
        let store = Arc::clone(&world.store);
        async move { store.pricing_rule_page(tenant, &request).await }
    };
    assert_eq!(all(page(&SPEC, 3, "created asc"), list).await, rules);
    rules.reverse();
    assert_eq!(all(page(&SPEC, 2, "created desc"), list).await, rules);
    for (text, found) in [
        ("kind:fee,tax".to_owned(), vec!["fee", "tax"]),
        ("-kind:tax".to_owned(), vec!["surcharge", "discount", "fee"]),
        ("enabled:false".to_owned(), vec!["discount"]),
        (format!("event:{event}"), vec!["fee"]),
        ("event:none enabled:true".to_owned(), vec!["surcharge", "tax"]),
    ] {
        let filter = world.filter(tenant, &SPEC, &text);
        let listed = all(PageRequest { filter, ..page(&SPEC, 9, "created asc") }, list).await;
        let names: Vec<_> = listed.iter().map(|rule| &*rule.attributes.name).collect();
        assert_eq!(names, found, "{text}");
    }
    let other = world.tenant("other").await;
    assert_eq!(world.store.pricing_rules(other).await.unwrap(), []);
}

async fn concurrent_creations_keep_the_bound_of_rules(world: World) {
    let tenant = world.tenant("acme").await;
    for most in 1..=20 {
        let creation = |name| {
            let rule = new_rule(name, AdjustmentKind::Fee, world.store.now());
            world.change(tenant).guard(Guard::FewerRules(most)).insert(rule)
        };
        let (one, two) = tokio::join!(world.commit(creation("one")), world.commit(creation("two")));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(one.and(two).unwrap_err().is_stale());
        assert_eq!(world.store.pricing_rules(tenant).await.unwrap().len(), most);
    }
}

async fn rules_and_installations_are_deleted_with_their_event(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let project = world.project(tenant, "Rocket").await;
    world.issue(tenant, &project, "not of the event").await;
    let release = world.release(tenant, "surge", "1.0.0", 1).await;
    let scope = Scope::Event(event);
    let inside = world.installation(tenant, &release, scope).await;
    let outside = world.installation(tenant, &release, Scope::Tenant).await;
    assert_eq!(world.store.installation(tenant, inside.id).await.unwrap(), Some(inside));
    assert!(world.store.states_in_use(tenant, scope).await.unwrap().is_empty());
    assert!(world.store.own_schemes(tenant, scope).await.unwrap().is_empty());
    let twin = world.change(tenant).insert(world.new_installation(&release, scope));
    assert_eq!(world.commit(twin).await.unwrap_err().reason(), "INSTALLATION_EXISTS");

    let now = world.store.now();
    let everywhere = new_rule("everywhere", AdjustmentKind::Tax, now);
    let own = full_rule(event, standing, now);
    let quote = new_quote(event, standing, now);
    let changeset = world.change(tenant).insert(everywhere.clone()).insert(own).insert(quote.clone());
    world.store(changeset).await;
    world.store(world.change(tenant).delete(office.event.clone())).await;
    let active = world.store.active_installations(tenant).await.unwrap().installations;
    assert_eq!(active, [Arc::new(outside)]);
    assert_eq!(world.store.pricing_rules(tenant).await.unwrap(), std::slice::from_ref(&everywhere));

    let mut moved = PricingRule { version: 2, ..everywhere };
    moved.attributes.event = Some(event);
    for late in [
        world.change(tenant).insert(world.new_installation(&release, scope)),
        world.change(tenant).insert(full_rule(event, standing, now)),
        world.change(tenant).update(moved),
    ] {
        assert!(world.commit(late).await.unwrap_err().is_stale());
    }
    while world.store.purge_events(9).await.unwrap() > 0 {}
    assert_eq!(world.store.quote(tenant, quote.id).await.unwrap(), None);
}

async fn quote_round_trips(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let now = world.store.now();
    let mut claiming = full_quote(event, standing, now);
    let promotion = PromotionId::generate();
    claiming.claims = vec![CodeClaim { code: "EARLY".into(), promotion }];
    claiming.adjustments[0].source = Source::Promotion(promotion, 5);
    for quote in [full_quote(event, standing, now), claiming, new_quote(event, standing, now)] {
        world.store(world.change(tenant).insert(quote.clone())).await;
        assert_eq!(world.store.quote(tenant, quote.id).await.unwrap(), Some(quote.clone()));
        world.store(world.change(tenant).expect(&quote)).await;
        let other = world.tenant(&format!("other-{}", quote.id)).await;
        assert_eq!(world.store.quote(other, quote.id).await.unwrap(), None);
    }
    assert_eq!(world.store.quote(tenant, QuoteId::generate()).await.unwrap(), None);
}

async fn concurrent_creations_keep_the_bound_of_open_quotes(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    for most in 1..=20 {
        let creation = || {
            let now = world.store.now();
            let guard = Guard::FewerOpenQuotes(most, now);
            world.change(tenant).guard(guard).insert(new_quote(event, standing, now))
        };
        let (one, two) = tokio::join!(world.commit(creation()), world.commit(creation()));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(one.and(two).unwrap_err().is_stale());
        assert_eq!(world.store.count_open_quotes(tenant, 99).await.unwrap(), most);
    }
}

async fn batch_stores_the_quote_of_its_reservations_once(world: World) {
    let office = BoxOffice::open(world, Some(20), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (store, tenant) = (&office.world.store, office.tenant);
    let quote = Arc::new(full_quote(office.event.id, standing, store.now()));
    let other = Arc::new(new_quote(office.event.id, standing, store.now()));
    let jobs = [
        quoted(&office, "ann", standing, &quote),
        quoted(&office, "ben", standing, &quote),
        quoted(&office, "cem", standing, &other),
        office.reserve("dia", &[(standing, 1)]),
    ];
    let verdicts = office.batch(&jobs).await;
    let held: Vec<_> = verdicts.into_iter().map(|verdict| done(verdict).unwrap()).collect();
    let quotes: Vec<_> = held.iter().map(|reservation| reservation.quote).collect();
    assert_eq!(quotes, [Some(quote.id), Some(quote.id), Some(other.id), None]);
    for reservation in &held {
        let stored = store.reservation(tenant, reservation.id).await.unwrap();
        assert_eq!(stored.as_ref(), Some(reservation));
    }
    assert_eq!(store.quote(tenant, quote.id).await.unwrap().as_ref(), Some(&*quote));
    assert_eq!(store.quote(tenant, other.id).await.unwrap().as_ref(), Some(&*other));
    assert_eq!(store.count_open_quotes(tenant, 9).await.unwrap(), 0);
    let prices: Vec<_> = held[0].units.iter().filter_map(|unit| unit.quoted).collect();
    assert_eq!(prices, quote.unit_totals(0));
    assert_eq!((held[0].lines[0].category.as_str(), held[0].total().unwrap().amount), ("child", 3_100));
    assert!(held[3].units.iter().all(|unit| unit.quoted.is_none()));

    // The cached event suffices now, and a later command reads what the batch wrote.
    let again = office.run(quoted(&office, "eli", standing, &quote)).await.unwrap();
    assert_eq!(again.quote, Some(quote.id));
    let sold = office.confirm(held[0].id).await.unwrap();
    assert_eq!((sold.quote, &sold.lines, &sold.units), (held[0].quote, &held[0].lines, &held[0].units));
    let mut paid: Vec<_> = office.tickets().await.into_iter().map(|ticket| ticket.price.amount).collect();
    let mut expected = quote.unit_totals(0);
    paid.sort_unstable();
    expected.sort_unstable();
    assert_eq!(paid, expected);
    office.check().await;
}

async fn stored_quote_is_marked_as_reserved(world: World) {
    let office = BoxOffice::open(world, Some(20), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant) = (&office.world, office.tenant);
    let quote = Arc::new(full_quote(office.event.id, standing, world.store.now()));
    world.store(world.change(tenant).insert(Quote::clone(&quote))).await;
    assert_eq!(world.store.count_open_quotes(tenant, 9).await.unwrap(), 1);
    for buyer in ["ann", "ben"] {
        let reservation = office.run(quoted(&office, buyer, standing, &quote)).await.unwrap();
        assert_eq!(reservation.quote, Some(quote.id));
        assert_eq!(world.store.count_open_quotes(tenant, 9).await.unwrap(), 0);
    }
    assert_eq!(world.store.quote(tenant, quote.id).await.unwrap().as_ref(), Some(&*quote));
    office.check().await;
}

async fn open_quotes_are_counted_and_purged_after_their_end(world: World) {
    let office = BoxOffice::open(world, Some(20), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant) = (&office.world, office.tenant);
    let now = world.store.now();
    let ends = [now.minus(3 * MINUTE), now.minus(2 * MINUTE), now.minus(MINUTE), now.plus(MINUTE)];
    let quote = |expires_at| Arc::new(Quote { expires_at, ..new_quote(office.event.id, standing, now) });
    let [first, second, reserved, open] = ends.map(quote);
    for quote in [&first, &second, &reserved, &open] {
        world.store(world.change(tenant).insert(Quote::clone(quote))).await;
    }
    office.run(quoted(&office, "ann", standing, &reserved)).await.unwrap();
    let other = world.tenant("other").await;
    for (tenant, limit, expected) in [(tenant, 9, 1), (tenant, 0, 0), (other, 9, 0)] {
        assert_eq!(world.store.count_open_quotes(tenant, limit).await.unwrap(), expected);
    }
    let stored = |id| async move { world.store.quote(tenant, id).await.unwrap().is_some() };
    assert_eq!(world.store.purge_quotes(now, 1).await.unwrap(), 1);
    assert!(!stored(first.id).await && stored(second.id).await);
    assert_eq!(world.store.purge_quotes(now, 9).await.unwrap(), 1);
    assert_eq!(world.store.purge_quotes(now, 9).await.unwrap(), 0);
    assert!(!stored(second.id).await && stored(reserved.id).await && stored(open.id).await);
    assert_eq!(world.store.count_open_quotes(tenant, 9).await.unwrap(), 1);
    // A quote that was purged meanwhile is stored again.
    office.run(quoted(&office, "ben", standing, &first)).await.unwrap();
    assert!(stored(first.id).await);
    assert_eq!(world.store.count_open_quotes(tenant, 9).await.unwrap(), 1);
}

async fn quotes_of_ended_reservations_are_purged(world: World) {
    let office = BoxOffice::open(world, Some(50), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant) = (&office.world, office.tenant);
    let now = world.store.now();
    let quote = |expires_at| Arc::new(Quote { expires_at, ..new_quote(office.event.id, standing, now) });
    let [made, sold, shared, late] =
        [now.minus(MINUTE), now.minus(MINUTE), now.minus(MINUTE), now.plus(60 * MINUTE)].map(quote);
    world.store(world.change(tenant).insert(Quote::clone(&shared))).await;
    let hold = async |buyer: &str, quote: &Arc<Quote>| {
        office.run(quoted(&office, buyer, standing, quote)).await.unwrap().id
    };
    let (made_for, sold_to, late_for) =
        (hold("ann", &made).await, hold("ben", &sold).await, hold("cem", &late).await);
    let (first, second) = (hold("dia", &shared).await, hold("eli", &shared).await);
    office.confirm(sold_to).await.unwrap();
    let quotes = [&made, &sold, &shared, &late];
    let stored = async || {
        let mut stored = Vec::new();
        for quote in quotes {
            stored.push(world.store.quote(tenant, quote.id).await.unwrap().is_some());
        }
        stored
    };
    let purge = async |after| world.store.purge_quotes(now.plus(after), 9).await.unwrap();
    assert_eq!(purge(30 * MINUTE).await, 0);
    // A part of the reservation is released, then the rest.
    let part = world.store.reservation(tenant, made_for).await.unwrap().unwrap().units[0].id;
    office.release(made_for, &[part]).await.unwrap();
    office.release(late_for, &[]).await.unwrap();
    office.release(first, &[]).await.unwrap();
    assert_eq!(purge(30 * MINUTE).await, 0);
    office.release(made_for, &[]).await.unwrap();
    // They are kept for a time, and do not count as open.
    assert_eq!(world.store.purge_quotes(now, 9).await.unwrap(), 0);
    assert_eq!(world.store.count_open_quotes(tenant, 9).await.unwrap(), 0);
    assert_eq!(stored().await, [true; 4]);
    assert_eq!(purge(30 * MINUTE).await, 1);
    assert_eq!(stored().await, [false, true, true, true]);
    // A quote that is reserved again is used again.
    let again = hold("fay", &shared).await;
    office.release(second, &[]).await.unwrap();
    assert_eq!(purge(30 * MINUTE).await, 0);
    office.release(again, &[]).await.unwrap();
    // A quote is kept until its own end, too.
    assert_eq!((purge(30 * MINUTE).await, purge(90 * MINUTE).await), (1, 1));
    assert_eq!(stored().await, [false, true, false, false]);
    office.check().await;
}

async fn category_prices_round_trip(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant) = (&office.world, office.tenant);
    let mut ticket_type = world.store.ticket_type(tenant, standing).await.unwrap().unwrap();
    assert!(ticket_type.attributes.category_prices.is_empty());
    ticket_type.attributes.category_prices = [("child".to_owned(), 0), ("student".to_owned(), 900)].into();
    ticket_type.version += 1;
    world.store(world.change(tenant).update(ticket_type.clone())).await;
    assert_eq!(world.store.ticket_type(tenant, standing).await.unwrap(), Some(ticket_type.clone()));
    assert_eq!(world.store.ticket_types(tenant, office.event.id).await.unwrap(), [ticket_type]);
}

/// Sets every field of displayed prices.
fn full_prices(event: EventId, ticket_type: TicketTypeId, computed_at: Timestamp) -> DisplayedPrices {
    let mut adjustments = full_quote(event, ticket_type, computed_at).adjustments;
    for step in &mut adjustments {
        step.adjustment.attributes.clear();
    }
    let price = DisplayedPrice {
        ticket_type,
        name: "Stalls \u{1F680}".into(),
        base: Money { amount: 1_250, currency: "EUR".into() },
        price: 1_100,
        sold: Percent::share(1, 3),
        adjustments,
        left_out: true,
    };
    DisplayedPrices { event, prices: vec![price], computed_at, version: 1 }
}

async fn displayed_prices_are_stored_once_for_each_version(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let put = |prices: &DisplayedPrices| {
        let write = Write::PutDisplayedPrices(prices.clone());
        world.change(tenant).write(write)
    };
    let stored = || async { world.store.displayed_prices(tenant, event).await.unwrap() };
    assert_eq!(stored().await, None);
    let first = full_prices(event, standing, world.store.now());
    world.store(put(&first)).await;
    assert_eq!(stored().await, Some(first.clone()));
    let second = DisplayedPrices { prices: Vec::new(), version: 2, ..first.clone() };
    assert!(world.commit(put(&first)).await.unwrap_err().is_stale());
    world.store(put(&second)).await;
    assert!(world.commit(put(&second)).await.unwrap_err().is_stale());
    assert_eq!(stored().await, Some(second.clone()));
    let other = world.tenant("other").await;
    assert_eq!(world.store.displayed_prices(other, event).await.unwrap(), None);

    world.store.forget_displayed_prices(tenant, event).await.unwrap();
    assert_eq!(stored().await, None);
    let third = DisplayedPrices { version: 3, ..second };
    assert!(world.commit(put(&third)).await.unwrap_err().is_stale());
    world.store(put(&first)).await;
    world.store(world.change(tenant).delete(office.event.clone())).await;
    while world.store.purge_events(9).await.unwrap() > 0 {}
    assert_eq!(stored().await, None);
}

async fn old_displayed_prices_are_found_and_forgotten(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let (world, tenant, event) = (&office.world, office.tenant, office.event.id);
    let now = world.store.now();
    let prices = full_prices(event, standing, now.minus(2 * MINUTE));
    world.store(world.change(tenant).write(Write::PutDisplayedPrices(prices.clone()))).await;
    let stale = |tenant, at, limit| async move {
        world.store.stale_displayed_prices(tenant, at, limit).await.unwrap()
    };
    assert_eq!(stale(tenant, now.minus(MINUTE), 9).await, [event]);
    assert_eq!(stale(tenant, now.minus(2 * MINUTE), 9).await, [event]);
    assert_eq!(stale(tenant, now.minus(3 * MINUTE), 9).await, []);
    assert_eq!(stale(tenant, now, 0).await, []);
    let other = world.tenant("other").await;
    assert_eq!(stale(other, now, 9).await, []);
    assert_eq!(world.tenants_with(DueWork::Prices(MINUTE)).await, [tenant]);
    assert_eq!(world.tenants_with(DueWork::Prices(3 * MINUTE)).await, []);
    let postpone = |tenant, at| async move {
        world.store.postpone_displayed_prices(tenant, event, at).await.unwrap();
    };
    postpone(other, now).await;
    postpone(tenant, now.minus(3 * MINUTE)).await;
    assert_eq!(world.store.displayed_prices(tenant, event).await.unwrap(), Some(prices.clone()));
    postpone(tenant, now.minus(MINUTE)).await;
    let postponed = DisplayedPrices { computed_at: now.minus(MINUTE), ..prices };
    assert_eq!(world.store.displayed_prices(tenant, event).await.unwrap(), Some(postponed));
    assert_eq!(stale(tenant, now.minus(MINUTE), 9).await, [event]);
    world.store.forget_displayed_prices(tenant, event).await.unwrap();
    assert_eq!(world.tenants_with(DueWork::Prices(MINUTE)).await, []);
}
