//! New codes of a promotion: named by the client, or made at random.

use std::collections::BTreeSet;

use crate::catalog::ticket_type::MAX_PURCHASE;
use crate::error::Result;
use crate::id::TicketTypeId;
use crate::pricing::promotion::{MAX_CODE, MAX_NEW_CODES, canonical};
use crate::secret::random;
use crate::text::Faults;

/// The symbols of random codes: those that are not taken for one another.
const ALPHABET: &[u8; 31] = b"ABCDEFGHJKMNPQRSTUVWXYZ23456789";

/// The number of random symbols of a code, with 49 bits in all.
const RANDOM_SYMBOLS: usize = 10;

/// The longest prefix of random codes.
const MAX_PREFIX: usize = 20;
const _: () = assert!(MAX_PREFIX + RANDOM_SYMBOLS <= MAX_CODE, "a random code is not too long");

/// A request for codes: either named ones, or a number of random ones.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct NewCodes {
    /// The named codes, in upper or lower case.
    pub codes: Vec<String>,
    /// The number of random codes.
    pub count: u32,
    /// The begin of random codes.
    pub prefix: String,
    /// The ticket type of which each code keeps units, and their number.
    pub kept: Option<(TicketTypeId, u32)>,
}

impl NewCodes {
    /// Creates a request for named codes that keep no units.
    #[must_use]
    pub fn named(codes: Vec<String>) -> Self {
        Self { codes, ..Self::default() }
    }

    /// Returns the number of codes.
    #[must_use]
    pub fn number(&self) -> u32 {
        u32::try_from(self.codes.len()).unwrap_or(u32::MAX).saturating_add(self.count)
    }

    /// Checks what clients may write, and returns the named codes in their canonical form.
    pub(super) fn check(&self) -> Result<BTreeSet<String>> {
        let mut faults = Faults::default();
        if self.codes.is_empty() && self.count == 0 {
            faults.add("codes", "is empty; name codes, or set count to a number of random ones");
        }
        if self.codes.len() > MAX_NEW_CODES {
            let message = format_args!("has {} entries; 1 to {MAX_NEW_CODES} are allowed", self.codes.len());
            faults.add("codes", message);
        }
        if self.count > 0 && !self.codes.is_empty() {
            faults.add("count", "must be absent where codes are named");
        } else if self.count as usize > MAX_NEW_CODES {
            faults.add("count", format_args!("is {}; 1 to {MAX_NEW_CODES} are allowed", self.count));
        }
        self.check_prefix(&mut faults);
        if let Some((_, units)) = self.kept
            && !(1..=MAX_PURCHASE).contains(&units)
        {
            faults.add("kept_units", format_args!("is {units}; 1 to {MAX_PURCHASE} are allowed"));
        }
        let named = self.canonical_codes(&mut faults);
        faults.into_result()?;
        Ok(named)
    }

    fn check_prefix(&self, faults: &mut Faults) {
        if self.prefix.is_empty() {
            return;
        }
        if !self.codes.is_empty() {
            faults.add("prefix", "must be absent where codes are named");
        }
        if canonical(&self.prefix).is_none_or(|prefix| prefix.len() > MAX_PREFIX) {
            let expected =
                format_args!("is not at most {MAX_PREFIX} ASCII letters, digits, hyphens and underscores");
            faults.add("prefix", expected);
        }
    }

    fn canonical_codes(&self, faults: &mut Faults) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for (index, code) in self.codes.iter().take(MAX_NEW_CODES).enumerate() {
            let field = format!("codes[{index}]");
            let Some(text) = canonical(code) else {
                let expected =
                    format!("1 to {MAX_CODE} ASCII letters, digits, hyphens and underscores are expected");
                faults.add(&field, format_args!("is {code:?}; {expected}"));
                continue;
            };
            if !named.insert(text) {
                let message = format_args!(
                    "is {code:?}, which is named before; upper and lower case are the same in codes"
                );
                faults.add(&field, message);
            }
        }
        named
    }

    /// Makes as many random codes as are wanted.
    pub(super) fn make_random(&self) -> Result<BTreeSet<String>> {
        let prefix = canonical(&self.prefix).unwrap_or_default();
        let mut codes = BTreeSet::new();
        while codes.len() < self.count as usize {
            codes.insert(random_code(&prefix)?);
        }
        Ok(codes)
    }
}

fn random_code(prefix: &str) -> Result<String> {
    let mut code = prefix.to_owned();
    let length = prefix.len() + RANDOM_SYMBOLS;
    while code.len() < length {
        let (bytes, missing) = (random::<16>()?, length - code.len());
        // A number without a symbol is dropped, so that all symbols are equally likely.
        let symbols = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
        code.extend(symbols.take(missing).map(|symbol| char::from(*symbol)));
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty_fields(codes: &NewCodes) -> Vec<String> {
        let error = codes.check().unwrap_err();
        error.faults().iter().map(|fault| fault.field.clone()).collect()
    }

    fn named(codes: &[&str]) -> NewCodes {
        NewCodes::named(codes.iter().map(|&code| code.to_owned()).collect())
    }

    #[test]
    fn named_codes_are_stored_in_upper_case_and_named_once() {
        let codes = named(&["summer-26", " Early "]);
        assert_eq!(codes.number(), 2);
        let expected = BTreeSet::from(["EARLY".to_owned(), "SUMMER-26".to_owned()]);
        assert_eq!(codes.check().unwrap(), expected);
        assert_eq!(faulty_fields(&named(&["a", "b c", "A", ""])), ["codes[1]", "codes[2]", "codes[3]"]);
    }

    #[test]
    fn request_names_codes_or_their_number_within_the_bounds() {
        let ticket_type = TicketTypeId::generate();
        let of = |count| NewCodes { count, ..NewCodes::default() };
        let most = u32::try_from(MAX_NEW_CODES).unwrap();
        of(most).check().unwrap();
        let many = NewCodes::named((0..=MAX_NEW_CODES).map(|number| format!("C{number}")).collect());
        for (codes, fields) in [
            (of(0), vec!["codes"]),
            (of(most + 1), vec!["count"]),
            (many, vec!["codes"]),
            (NewCodes { count: 1, ..named(&["a"]) }, vec!["count"]),
            (NewCodes { prefix: "x".into(), ..named(&["a"]) }, vec!["prefix"]),
            (NewCodes { prefix: "x".repeat(MAX_PREFIX + 1), ..of(1) }, vec!["prefix"]),
            (NewCodes { prefix: "x y".into(), ..of(1) }, vec!["prefix"]),
            (NewCodes { kept: Some((ticket_type, 0)), ..of(1) }, vec!["kept_units"]),
            (NewCodes { kept: Some((ticket_type, MAX_PURCHASE + 1)), ..of(1) }, vec!["kept_units"]),
        ] {
            assert_eq!(faulty_fields(&codes), fields);
        }
    }

    #[test]
    fn random_codes_differ_and_have_only_clear_symbols() {
        let wanted = NewCodes { count: 1_000, prefix: "vip-".into(), ..NewCodes::default() };
        assert!(wanted.check().unwrap().is_empty());
        let codes = wanted.make_random().unwrap();
        assert_eq!(codes.len(), 1_000);
        for code in &codes {
            let symbols = code.strip_prefix("VIP-").unwrap();
            assert_eq!(symbols.len(), RANDOM_SYMBOLS);
            assert!(symbols.bytes().all(|symbol| ALPHABET.contains(&symbol)), "{code}");
            assert_eq!(canonical(code).as_ref(), Some(code));
        }
        assert_ne!(codes, wanted.make_random().unwrap());
    }
}
