//! Codes of promotions in reservations: their limits, the hidden ticket types that they show, and the units that they
//! keep. When codes are accepted at all is decided when the quote is made.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{PoolId, TicketTypeId};
use crate::inventory::Reservation;
use crate::inventory::batch_state::{BatchState, CodeState, PromotionState};
use crate::inventory::job::Reserve;
use crate::inventory::reservation::Unit;
use crate::inventory::terms::hidden_type;
use crate::pricing::{CodeClaim, CodeUse};

impl BatchState {
    /// Refuses codes that do not exist any more, and hidden ticket types that no code shows.
    pub(super) fn check_codes(&self, request: &Reserve) -> Result<()> {
        for claim in request.claims() {
            self.claimed(claim)?;
        }
        for (index, line) in request.lines.iter().enumerate() {
            let hidden = self.types.get(&line.ticket_type).filter(|terms| terms.hidden);
            let Some(terms) = hidden else { continue };
            let mut promotions =
                request.claims().iter().filter_map(|claim| self.promotions.get(&claim.promotion));
            if !promotions.any(|promotion| promotion.shows.contains(&line.ticket_type)) {
                return Err(hidden_type(index, &terms.name));
            }
        }
        Ok(())
    }

    /// Refuses codes that have been used as often as is allowed.
    pub(super) fn check_uses(&self, request: &Reserve) -> Result<()> {
        let claims = request.claims();
        for (index, claim) in claims.iter().enumerate() {
            let (code, promotion) = self.claimed(claim)?;
            // The request's codes before this one may be of the same promotion.
            let earlier = claims.iter().take(index).filter(|other| other.promotion == claim.promotion);
            let earlier = earlier.count() as u64;
            let of_buyer = self.buyer_uses.get(&(claim.promotion, request.buyer.clone()));
            let of_buyer = of_buyer.copied().unwrap_or_default();
            for (uses, max, of) in [
                (promotion.uses + earlier, promotion.max_uses, "of its promotion"),
                (of_buyer + earlier, promotion.max_uses_per_buyer, "of its promotion by the buyer"),
                (code.uses, promotion.max_uses_per_code, "of the code"),
            ] {
                if let Some(max) = max.filter(|max| uses >= u64::from(*max)) {
                    let message = format!(
                        "the code {} has been used up: there are {uses} of at most {max} uses {of}",
                        claim.code
                    );
                    return Err(Error::new(ErrorKind::Precondition, "CODE_USED_UP", message));
                }
            }
        }
        Ok(())
    }

    /// Returns the code of a claim with its promotion.
    fn claimed(&self, claim: &CodeClaim) -> Result<(&CodeState, &PromotionState)> {
        let code = self.codes.get(&claim.code).filter(|code| code.promotion == claim.promotion);
        code.zip(self.promotions.get(&claim.promotion)).ok_or_else(|| {
            let message = format!("the code {} does not exist any more; reserve without it", claim.code);
            Error::new(ErrorKind::Precondition, "CODE_NOT_VALID", message)
        })
    }

    /// Returns the uses of the requested codes, each with the units that the code keeps for it.
    pub(super) fn code_uses(&self, request: &Reserve) -> Vec<CodeUse> {
        let claims = request.claims();
        if claims.is_empty() {
            return Vec::new();
        }
        let lines = request.lines.iter().map(|line| (line.ticket_type, line.units.len()));
        let mut left = quantities(lines);
        let mut codes: Vec<CodeUse> = Vec::with_capacity(claims.len());
        for claim in claims {
            // A reservation is one use of a code.
            if codes.iter().any(|code| code.code == claim.code) {
                continue;
            }
            let Some(state) = self.codes.get(&claim.code) else { continue };
            let kept = state.kept.as_ref().filter(|kept| kept.event == self.id);
            let units = kept.map_or(0, |kept| take(&mut left, kept.ticket_type, kept.units));
            let (code, promotion) = (claim.code.clone(), claim.promotion);
            codes.push(CodeUse { code, promotion, units, created_at: state.created_at });
        }
        codes
    }

    /// Subtracts the units that codes keep from the units that must be free in each pool.
    pub(super) fn subtract_kept(&self, codes: &[CodeUse], demand: &mut BTreeMap<PoolId, u64>) {
        for code in codes {
            let kept = self.codes.get(&code.code).and_then(|code| code.kept.as_ref());
            for pool in kept.iter().flat_map(|kept| &kept.pools) {
                if let Some(units) = demand.get_mut(pool) {
                    *units = units.saturating_sub(code.units.into());
                }
            }
        }
    }

    /// Counts the uses of a new reservation's codes, and frees the units that the codes keep for it.
    pub(super) fn use_codes(&mut self, reservation: &Reservation) {
        for code in &reservation.codes {
            self.count_use(reservation, code, 1);
            self.move_kept(&code.code, -i64::from(code.units));
        }
    }

    /// Keeps units again that a reservation has returned to their pools, and ends the uses of its codes if no units
    /// remain. Returns its codes after that.
    pub(super) fn return_codes(&mut self, before: &Reservation, remaining: &[Unit]) -> Vec<CodeUse> {
        if before.codes.is_empty() {
            return Vec::new();
        }
        let type_of = |unit: &Unit| before.lines.get(unit.line).map(|line| (line.ticket_type, 1));
        let mut left = quantities(remaining.iter().filter_map(type_of));
        let mut codes = Vec::new();
        for code in &before.codes {
            let state = self.codes.get(&code.code).filter(|state| is_of(state, code));
            let kept_type = state.and_then(|state| state.kept.as_ref()).map(|kept| kept.ticket_type);
            let units = kept_type.map_or(code.units, |of| take(&mut left, of, code.units));
            self.keep_again(code, code.units.saturating_sub(units));
            if remaining.is_empty() {
                self.count_use(before, code, -1);
            } else {
                codes.push(CodeUse { units, ..code.clone() });
            }
        }
        codes
    }

    /// Counts a new use of a code, or one that ended.
    fn count_use(&mut self, of: &Reservation, code: &CodeUse, by: i64) {
        // The uses of a deleted promotion are not counted any more. Their rows are purged with it.
        let Some(promotion) = self.promotions.get_mut(&code.promotion) else { return };
        *self.writes.promotions.entry(code.promotion).or_default() += add(&mut promotion.uses, by);
        let buyer = (code.promotion, of.buyer.clone());
        add(self.buyer_uses.entry(buyer).or_default(), by);
        let key = (code.code.clone(), of.id);
        if by > 0 {
            self.writes.new_uses.insert(key, (code.promotion, of.buyer.clone()));
        } else if self.writes.new_uses.remove(&key).is_none() {
            self.writes.ended_uses.insert(key);
        }
        if let Some(state) = self.codes.get_mut(&code.code).filter(|state| is_of(state, code)) {
            self.writes.codes.entry(code.code.clone()).or_default().uses += add(&mut state.uses, by);
        }
    }

    /// Keeps returned units again, as far as the event and the promotion last and they are free.
    fn keep_again(&mut self, code: &CodeUse, units: u32) {
        if self.event_is_cancelled() {
            return;
        }
        let promotion = self.promotions.get(&code.promotion);
        let lasts = promotion.is_some_and(|promotion| {
            promotion.enabled && promotion.valid_until.is_none_or(|until| self.now < until)
        });
        let state = self.codes.get(&code.code).filter(|state| lasts && is_of(state, code));
        let kept = state.and_then(|state| state.kept.as_ref()).filter(|kept| kept.event == self.id);
        let Some(kept) = kept else { return };
        // The ticket type may have other pools now than when the code was created.
        let free = kept.pools.iter().filter_map(|pool| self.free(*pool)).min();
        let units = free.unwrap_or(u64::MAX).min(units.into());
        self.move_kept(&code.code, i64::try_from(units).unwrap_or_default());
    }

    /// Locks units that a code keeps from now on, or unlocks units that it keeps no longer.
    fn move_kept(&mut self, code: &str, by: i64) {
        let kept = self.codes.get_mut(code).and_then(|state| state.kept.as_mut());
        let Some(kept) = kept.filter(|_| by != 0) else { return };
        kept.units = u32::try_from(i64::from(kept.units) + by).unwrap_or_default();
        for pool in &kept.pools {
            self.writes.pools.entry(*pool).or_default().locked += by;
            if let Some(supply) = self.pools.get_mut(pool) {
                supply.counts.locked = supply.counts.locked.saturating_add_signed(by);
            }
        }
        self.writes.codes.entry(code.to_owned()).or_default().kept += by;
    }
}

/// Returns whether a code is the one that was used: it may have been deleted, and its text used for another one.
fn is_of(state: &CodeState, code: &CodeUse) -> bool {
    state.promotion == code.promotion && state.created_at == code.created_at
}

/// Changes a count, which does not fall below zero: the uses of a buyer are not read for each command. Returns the change.
fn add(count: &mut u64, by: i64) -> i64 {
    let by = if *count == 0 { by.max(0) } else { by };
    *count = count.saturating_add_signed(by);
    by
}

/// Sums units by their ticket types.
fn quantities(units: impl Iterator<Item = (TicketTypeId, usize)>) -> BTreeMap<TicketTypeId, u32> {
    let mut quantities: BTreeMap<TicketTypeId, u32> = BTreeMap::new();
    for (of, count) in units {
        let quantity = quantities.entry(of).or_default();
        *quantity = quantity.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }
    quantities
}

/// Takes at most so many units of a ticket type. Returns their number.
fn take(left: &mut BTreeMap<TicketTypeId, u32>, of: TicketTypeId, most: u32) -> u32 {
    let left = left.entry(of).or_default();
    let units = most.min(*left);
    *left -= units;
    units
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::catalog::{EventStatus, TypeStatus};
    use crate::ctx::{Ctx, IfVersion, Principal, Transport};
    use crate::id::{EventId, PromotionId, QuoteId, ReservationId, TenantId, TicketId};
    use crate::inventory::batch_state::{BatchWrites, CodeChange, PoolChange, PoolSupply};
    use crate::inventory::job::ReserveLine;
    use crate::inventory::terms::{EventTerms, TypeTerms};
    use crate::inventory::{Command, Counts, HoldRules, Job, JobOutcome};
    use crate::pricing::{KeptUnits, Quote};
    use crate::time::Timestamp;
    use crate::value::Money;

    /// The state of an event with one ticket type and the promotion of two codes, one of which keeps units.
    struct Sale {
        state: BatchState,
        ticket_type: TicketTypeId,
        promotion: PromotionId,
    }

    const PLAIN: &str = "PLAIN";
    const VOUCHER: &str = "VOUCHER";

    impl Sale {
        fn new(capacity: u64, kept: u32) -> Self {
            let (event, ticket_type) = (EventId::generate(), TicketTypeId::generate());
            let promotion = PromotionId::generate();
            let now = Timestamp::from_micros(1_800_000_000_000_000).unwrap();
            let mut state = BatchState::empty(event, now);
            state.event = Some(EventTerms {
                status: EventStatus::Active,
                ends_at: now.plus(Duration::from_secs(1_000_000)),
                hold_rules: HoldRules { default: Some(60), min: Some(1), max: Some(60) },
                buyer_limit: None,
                queue_required: false,
            });
            let pools = vec![PoolId::from(event), PoolId::from(ticket_type)];
            let terms = TypeTerms {
                name: "standing".into(),
                price: Money { amount: 100, currency: "EUR".into() },
                bounds: (1, 50),
                window: (None, None),
                status: TypeStatus::Active,
                pools: pools.clone(),
                seated: false,
                hidden: false,
            };
            state.types.insert(ticket_type, terms);
            for pool in &pools {
                let counts = Counts { locked: kept.into(), ..Counts::default() };
                let supply = PoolSupply { name: "pool".into(), capacity: Some(capacity), counts };
                state.pools.insert(*pool, supply);
            }
            let of_promotion = PromotionState {
                enabled: true,
                valid_until: None,
                shows: [].into(),
                max_uses: None,
                max_uses_per_buyer: None,
                max_uses_per_code: None,
                uses: 0,
            };
            state.promotions.insert(promotion, of_promotion);
            let kept = KeptUnits { ticket_type, event, pools, units: kept };
            for (code, kept) in [(PLAIN, None), (VOUCHER, Some(kept))] {
                state.codes.insert(code.into(), CodeState { promotion, uses: 0, kept, created_at: now });
            }
            Self { state, ticket_type, promotion }
        }

        fn promotion(&mut self) -> &mut PromotionState {
            self.state.promotions.get_mut(&self.promotion).unwrap()
        }

        fn quote(&self, codes: &[&str]) -> Quote {
            let claim = |code: &&str| CodeClaim { code: (*code).to_owned(), promotion: self.promotion };
            Quote {
                id: QuoteId::generate(),
                event: self.state.id,
                buyer: String::new(),
                channel: String::new(),
                currency: "EUR".into(),
                lines: Vec::new(),
                adjustments: Vec::new(),
                codes: Vec::new(),
                refused_codes: Vec::new(),
                claims: codes.iter().map(claim).collect(),
                calls: Vec::new(),
                basket: None,
                created_by: "system".into(),
                created_at: self.state.now,
                expires_at: self.state.now,
            }
        }

        fn run(&mut self, command: Command) -> Result<JobOutcome> {
            let times = (self.state.now, Instant::now() + Duration::from_secs(60));
            let principal = Principal::System;
            let ctx = Ctx::new(TenantId::generate(), principal, "r".into(), times, Transport::Internal);
            self.state.apply(&Job::new(&ctx, command, None))
        }

        fn reserve(&mut self, buyer: &str, units: usize, codes: &[&str]) -> Result<Reservation> {
            let line = ReserveLine {
                ticket_type: self.ticket_type,
                units: (0..units).map(|_| TicketId::generate()).collect(),
                seats: Vec::new(),
                category: String::new(),
            };
            let command = Command::Reserve(Reserve {
                id: ReservationId::generate(),
                buyer: buyer.into(),
                lines: vec![line],
                seconds: None,
                quote: (!codes.is_empty()).then(|| Arc::new(self.quote(codes))),
                quote_is_stored: false,
            });
            self.run(command).map(done)
        }

        fn release(&mut self, of: &Reservation, units: usize) -> Reservation {
            let units = of.units.iter().take(units).map(|unit| unit.id).collect();
            let command = Command::Release { id: of.id, units, if_version: IfVersion::default() };
            done(self.run(command).unwrap())
        }

        /// Returns the held and the locked units of a pool; all pools have the same.
        fn counts(&self) -> (u64, u64) {
            let mut counts = self.state.pools.values().map(|pool| (pool.counts.held, pool.counts.locked));
            let first = counts.next().unwrap();
            assert!(counts.all(|other| other == first));
            first
        }

        fn kept(&self) -> u32 {
            self.state.codes[VOUCHER].kept.as_ref().unwrap().units
        }
    }

    fn done(outcome: JobOutcome) -> Reservation {
        match outcome {
            JobOutcome::Done(reservation) => *reservation,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(result: Result<Reservation>) -> String {
        result.unwrap_err().reason().to_owned()
    }

    #[test]
    fn limits_are_exact_in_all_by_buyer_and_by_code() {
        type Limit = fn(&mut PromotionState);
        let limits: [(Limit, [bool; 4]); 4] = [
            (|_| (), [true, true, true, true]),
            (|promotion| promotion.max_uses = Some(3), [true, true, true, false]),
            (|promotion| promotion.max_uses_per_buyer = Some(1), [true, false, true, false]),
            (|promotion| promotion.max_uses_per_code = Some(2), [true, true, false, true]),
        ];
        for (limit, expected) in limits {
            let mut sale = Sale::new(100, 0);
            limit(sale.promotion());
            let attempts = [("ann", PLAIN), ("ann", PLAIN), ("ben", PLAIN), ("ben", VOUCHER)];
            let accepted = attempts.map(|(buyer, code)| match sale.reserve(buyer, 1, &[code]) {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error.reason(), "CODE_USED_UP");
                    assert!(error.message().contains(code), "{error}");
                    false
                }
            });
            assert_eq!(accepted, expected);
            let uses = expected.iter().filter(|accepted| **accepted).count();
            assert_eq!(sale.promotion().uses, uses as u64);
            assert_eq!(sale.state.writes.new_uses.len(), uses);
        }
    }

    #[test]
    fn codes_of_one_reservation_are_uses_of_the_promotion_together() {
        let mut sale = Sale::new(100, 0);
        sale.promotion().max_uses = Some(1);
        assert_eq!(refusal(sale.reserve("ann", 1, &[PLAIN, VOUCHER])), "CODE_USED_UP");
        sale.promotion().max_uses = Some(2);
        let reservation = sale.reserve("ann", 1, &[PLAIN, VOUCHER]).unwrap();
        assert_eq!(reservation.codes.len(), 2);
        assert_eq!(sale.promotion().uses, 2);
        assert_eq!(refusal(sale.reserve("ben", 1, &[PLAIN])), "CODE_USED_UP");
    }

    #[test]
    fn released_reservation_gives_its_codes_back() {
        let mut sale = Sale::new(100, 0);
        sale.promotion().max_uses_per_buyer = Some(1);
        sale.promotion().max_uses_per_code = Some(1);
        let held = sale.reserve("ann", 3, &[PLAIN]).unwrap();
        let (promotion, created_at) = (sale.promotion, sale.state.now);
        assert_eq!(held.codes, [CodeUse { code: PLAIN.into(), promotion, units: 0, created_at }]);
        assert_eq!(sale.release(&held, 2).codes, held.codes);
        assert_eq!(refusal(sale.reserve("ann", 1, &[PLAIN])), "CODE_USED_UP");
        assert!(sale.release(&held, 0).codes.is_empty());
        // Both were in this batch, so that nothing is left to be written.
        let writes = &sale.state.writes;
        assert!(writes.new_uses.is_empty() && writes.ended_uses.is_empty());
        assert_eq!((writes.promotions[&sale.promotion], writes.codes[PLAIN]), (0, CodeChange::default()));
        sale.reserve("ann", 1, &[PLAIN]).unwrap();
    }

    #[test]
    fn due_hold_gives_its_codes_back_before_a_refusal() {
        let mut sale = Sale::new(100, 0);
        sale.promotion().max_uses = Some(1);
        let held = sale.reserve("ann", 1, &[PLAIN]).unwrap();
        // The next batch.
        sale.state.writes = BatchWrites::default();
        sale.state.now = held.expires_at;
        sale.state.due = vec![held.clone()];
        let next = sale.reserve("ben", 1, &[PLAIN]).unwrap();
        assert!(sale.state.reservations[&held.id].codes.is_empty());
        let writes = &sale.state.writes;
        assert!(writes.ended_uses.contains(&(PLAIN.to_owned(), held.id)) && writes.ended_uses.len() == 1);
        let new = ((PLAIN.to_owned(), next.id), (sale.promotion, "ben".to_owned()));
        assert_eq!(writes.new_uses, BTreeMap::from([new]));
        assert_eq!(writes.promotions[&sale.promotion], 0);
        assert_eq!(sale.promotion().uses, 1);
    }

    #[test]
    fn confirmed_reservation_keeps_its_codes() {
        let mut sale = Sale::new(2, 2);
        let held = sale.reserve("ann", 2, &[VOUCHER]).unwrap();
        let payment_reference = "paid".to_owned();
        let command = Command::Confirm { id: held.id, payment_reference, if_version: IfVersion::default() };
        assert_eq!(done(sale.run(command).unwrap()).codes, held.codes);
        assert_eq!((sale.promotion().uses, sale.kept(), sale.counts()), (1, 0, (0, 0)));
    }

    #[test]
    fn kept_units_are_only_for_their_code() {
        let mut sale = Sale::new(3, 2);
        assert_eq!(refusal(sale.reserve("ben", 2, &[PLAIN])), "INVENTORY_EXHAUSTED");
        sale.reserve("ben", 1, &[]).unwrap();
        // More than is kept.
        assert_eq!(refusal(sale.reserve("ann", 3, &[VOUCHER])), "INVENTORY_EXHAUSTED");
        let held = sale.reserve("ann", 2, &[VOUCHER]).unwrap();
        assert_eq!((held.codes[0].units, sale.kept(), sale.counts()), (2, 0, (3, 0)));
        let expected = PoolChange { held: 3, sold: 0, locked: -2 };
        assert!(sale.state.writes.pools.values().all(|change| *change == expected));
        assert_eq!(sale.state.writes.codes[VOUCHER], CodeChange { uses: 1, kept: -2 });
        assert_eq!(refusal(sale.reserve("cem", 1, &[VOUCHER])), "INVENTORY_EXHAUSTED");
    }

    #[test]
    fn returned_units_are_kept_again_until_the_promotion_ends() {
        let mut sale = Sale::new(5, 2);
        let held = sale.reserve("ann", 4, &[VOUCHER]).unwrap();
        assert_eq!((held.codes[0].units, sale.counts()), (2, (4, 0)));
        // The code has no more units than the reservation.
        let rest = sale.release(&held, 2);
        assert_eq!((rest.codes[0].units, sale.kept(), sale.counts()), (2, 0, (2, 0)));
        let rest = sale.release(&rest, 1);
        assert_eq!((rest.codes[0].units, sale.kept(), sale.counts()), (1, 1, (1, 1)));
        sale.release(&rest, 0);
        assert_eq!((sale.kept(), sale.counts()), (2, (0, 2)));

        let ends: [fn(&mut PromotionState, Timestamp); 2] =
            [|promotion, _| promotion.enabled = false, |promotion, now| promotion.valid_until = Some(now)];
        for end in ends {
            let mut sale = Sale::new(5, 2);
            let held = sale.reserve("ann", 2, &[VOUCHER]).unwrap();
            let now = sale.state.now;
            end(sale.promotion(), now);
            sale.release(&held, 0);
            assert_eq!((sale.kept(), sale.counts(), sale.promotion().uses), (0, (0, 0), 0));
        }
    }

    #[test]
    fn no_more_units_are_kept_again_than_are_free() {
        let mut sale = Sale::new(2, 2);
        let held = sale.reserve("ann", 2, &[VOUCHER]).unwrap();
        // The code's units were in a further pool, of which one is left now.
        let pool = PoolId::generate();
        let counts = Counts { sold: 4, ..Counts::default() };
        let supply = PoolSupply { name: "shared".into(), capacity: Some(5), counts };
        sale.state.pools.insert(pool, supply);
        sale.state.codes.get_mut(VOUCHER).unwrap().kept.as_mut().unwrap().pools.push(pool);
        sale.release(&held, 0);
        assert_eq!((sale.kept(), sale.state.pools[&pool].counts.locked), (1, 1));
    }

    #[test]
    fn hidden_ticket_type_needs_a_code_that_shows_it() {
        let mut sale = Sale::new(5, 0);
        sale.state.types.get_mut(&sale.ticket_type).unwrap().hidden = true;
        let without: [&[&str]; 2] = [&[], &[PLAIN]];
        for codes in without {
            assert_eq!(refusal(sale.reserve("ann", 1, codes)), "ACCESS_CODE_REQUIRED");
        }
        let shows = [sale.ticket_type].into();
        sale.promotion().shows = shows;
        sale.reserve("ann", 1, &[PLAIN]).unwrap();
        assert_eq!(refusal(sale.reserve("ann", 1, &[])), "ACCESS_CODE_REQUIRED");
    }

    #[test]
    fn deleted_codes_are_refused_and_not_given_back() {
        let mut sale = Sale::new(5, 2);
        let held = sale.reserve("ann", 1, &[PLAIN]).unwrap();
        let other = sale.reserve("ann", 1, &[VOUCHER]).unwrap();
        sale.state.writes = BatchWrites::default();
        sale.state.codes.remove(PLAIN);
        assert_eq!(refusal(sale.reserve("ben", 1, &[PLAIN])), "CODE_NOT_VALID");
        sale.release(&held, 0);
        assert_eq!(sale.state.writes.promotions[&sale.promotion], -1);
        assert!(sale.state.writes.codes.is_empty());

        sale.state.writes = BatchWrites::default();
        sale.state.promotions.clear();
        assert_eq!(refusal(sale.reserve("ben", 1, &[VOUCHER])), "CODE_NOT_VALID");
        assert!(sale.release(&other, 0).codes.is_empty());
        assert!(sale.state.writes.promotions.is_empty() && sale.state.writes.ended_uses.is_empty());
    }

    #[test]
    fn code_that_was_created_again_gets_nothing_back_of_the_old_one() {
        let mut sale = Sale::new(9, 2);
        let old = sale.reserve("ann", 2, &[VOUCHER]).unwrap();
        // The code is deleted and created again. It keeps two other units, and is used.
        sale.state.now = sale.state.now.plus(Duration::from_secs(1));
        let now = sale.state.now;
        let again = sale.state.codes.get_mut(VOUCHER).unwrap();
        (again.uses, again.created_at) = (0, now);
        again.kept.as_mut().unwrap().units = 2;
        for pool in sale.state.pools.values_mut() {
            pool.counts.locked = 2;
        }
        sale.promotion().max_uses_per_code = Some(1);
        let new = sale.reserve("ben", 1, &[VOUCHER]).unwrap();
        sale.state.writes = BatchWrites::default();
        assert!(sale.release(&old, 0).codes.is_empty());
        assert_eq!((sale.kept(), sale.counts(), sale.promotion().uses), (1, (1, 1), 1));
        assert!(sale.state.writes.codes.is_empty());
        assert_eq!(refusal(sale.reserve("cem", 1, &[VOUCHER])), "CODE_USED_UP");
        sale.release(&new, 0);
        assert_eq!((sale.kept(), sale.counts(), sale.promotion().uses), (2, (0, 2), 0));
    }

    #[test]
    fn units_of_a_cancelled_event_are_not_kept_again() {
        let mut sale = Sale::new(5, 2);
        let held = sale.reserve("ann", 2, &[VOUCHER]).unwrap();
        sale.state.event.as_mut().unwrap().status = EventStatus::Cancelled;
        sale.release(&held, 0);
        assert_eq!((sale.kept(), sale.counts(), sale.promotion().uses), (0, (0, 0), 0));
    }

    #[test]
    fn reservations_of_quotes_are_counted_until_they_end() {
        let mut sale = Sale::new(5, 0);
        let held = sale.reserve("ann", 2, &[PLAIN]).unwrap();
        let quote = held.quote.unwrap();
        assert_eq!(sale.state.writes.quotes.len(), 1);
        // The next batch.
        sale.state.writes = BatchWrites::default();
        let rest = sale.release(&held, 1);
        assert!(sale.state.writes.stored_quotes.is_empty());
        sale.release(&rest, 0);
        assert_eq!(sale.state.writes.stored_quotes, BTreeMap::from([(quote, -1)]));
        // A quote is not stored if its reservation ends at once.
        sale.state.writes = BatchWrites::default();
        let held = sale.reserve("ann", 1, &[PLAIN]).unwrap();
        sale.release(&held, 0);
        assert!(sale.state.writes.quotes.is_empty() && sale.state.writes.stored_quotes.is_empty());
    }
}
