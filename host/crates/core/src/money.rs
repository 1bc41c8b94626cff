//! Currencies of ISO 4217 with their numbers of decimals.

use crate::text::Faults;
use crate::value::Money;

/// The highest price, in minor units.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000;

/// Currencies with two decimals.
const TWO: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD \
    CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ \
    GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT \
    MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD \
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED \
    VES WST XAD XCD XCG YER ZAR ZMW ZWG";
/// Currencies without decimals.
const NONE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
/// Currencies with three decimals.
const THREE: &str = "BHD IQD JOD KWD LYD OMR TND";
/// Currencies with four decimals.
const FOUR: &str = "CLF UYW";

/// Returns the number of decimals of a currency; `None` if the code is unknown.
#[must_use]
pub fn exponent(currency: &str) -> Option<u8> {
    let sets = [(2, TWO), (0, NONE), (3, THREE), (4, FOUR)];
    sets.into_iter()
        .find(|(_, codes)| codes.split_ascii_whitespace().any(|code| code == currency))
        .map(|(decimals, _)| decimals)
}

/// Checks a price.
pub(crate) fn check(field: &str, price: &Money, faults: &mut Faults) {
    if exponent(&price.currency).is_none() {
        let message = format!("is {:?}; a code of ISO 4217 such as EUR is expected", price.currency);
        faults.add(&format!("{field}.currency"), message);
    }
    if !(0..=MAX_AMOUNT).contains(&price.amount) {
        faults.add(&format!("{field}.amount"), format_args!("is not within 0 to {MAX_AMOUNT} minor units"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponent_is_the_number_of_decimals() {
        let currencies = [("EUR", Some(2)), ("JPY", Some(0)), ("KWD", Some(3)), ("CLF", Some(4))];
        for (code, decimals) in currencies {
            assert_eq!(exponent(code), decimals, "{code}");
        }
        for code in ["", "eur", "XXX", "EURO", "EUR USD"] {
            assert_eq!(exponent(code), None, "{code}");
        }
    }
}
