//! What the contract allows a pricing plugin to answer.

use crate::id::{InstallationId, RuleId, TicketTypeId};
use crate::plugin::{Basket, Digest, PriceAdjustments};
use crate::pricing::line::PricedLine;
use crate::pricing::{Calculation, QuoteAdjustment, RefusedCode, Source};

/// The most bytes of texts that plugins add to a quote: labels and attributes.
const MAX_TEXT: usize = 64 << 10;

/// The most characters of a label and of a reason.
const MAX_LABEL: usize = 200;

/// Returns the price of a basket with a plugin's adjustments. The error says what the contract does not allow.
pub fn check_reply(basket: &Basket, reply: &PriceAdjustments) -> Result<i64, String> {
    let mut calculation = price_before(basket)?;
    let source = Source::Plugin(InstallationId::generate(), Digest([0; 32]));
    apply_reply(source, reply, &basket.codes, (&mut calculation, &mut Vec::new()))?;
    Ok(calculation.lines().iter().map(|line| line.amount).sum())
}

/// Returns the price of a basket as a plugin is given it: its lines, and the adjustments of the steps before.
pub fn price_before(basket: &Basket) -> Result<Calculation, String> {
    let lines = basket.lines.iter().map(|line| PricedLine {
        ticket_type: TicketTypeId::generate(),
        name: line.name.clone(),
        category: String::new(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        amount: line.unit_price.saturating_mul(line.quantity.into()),
    });
    let mut calculation = Calculation::new(basket.currency.clone(), lines.collect());
    let source = Source::Rule(RuleId::generate(), 1);
    for (_, adjustment) in &basket.applied {
        calculation.add(source, adjustment.clone())?;
    }
    Ok(calculation)
}

/// Adds the adjustments of a plugin, and the codes that it refuses. `entered` are the codes that it was given. The error
/// says what the contract does not allow; the calculation and the codes may be changed in part then.
pub(crate) fn apply_reply(
    source: Source,
    reply: &PriceAdjustments,
    entered: &[String],
    (calculation, refused): (&mut Calculation, &mut Vec<RefusedCode>),
) -> Result<(), String> {
    let codes = reply.adjustments.iter().filter_map(|adjustment| adjustment.code.as_ref());
    let mut codes = codes.chain(reply.refused_codes.iter().map(|(code, _)| code));
    if let Some(code) = codes.find(|code| !entered.contains(code)) {
        return Err(format!("it names the code {code:?}, which was not entered"));
    }
    let labels = reply.adjustments.iter().map(|adjustment| ("label", &adjustment.label));
    let reasons = reply.refused_codes.iter().map(|(_, reason)| ("reason", reason));
    for (what, text) in labels.chain(reasons) {
        if text.is_empty() || text.chars().count() > MAX_LABEL || text.chars().any(char::is_control) {
            return Err(format!("a {what} must have 1 to {MAX_LABEL} characters, and no control characters"));
        }
    }
    for adjustment in &reply.adjustments {
        calculation.add(source, adjustment.clone())?;
    }
    for (code, reason) in &reply.refused_codes {
        if !refused.iter().any(|refused| refused.code == *code) {
            refused.push(RefusedCode { code: code.clone(), reason: reason.clone() });
        }
    }
    let size = |step: &QuoteAdjustment| {
        let attributes = step.adjustment.attributes.iter().map(|field| field.name.len() + field.value.size());
        step.adjustment.label.len() + attributes.sum::<usize>()
    };
    // The labels of rules do not count: no plugin can help them.
    let by_plugins = calculation.adjustments().iter();
    let by_plugins = by_plugins.filter(|step| matches!(step.source, Source::Plugin(..)));
    if by_plugins.map(size).sum::<usize>() > MAX_TEXT {
        return Err(format!("the labels and attributes of plugins have more than {MAX_TEXT} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{Adjustment, AdjustmentKind, BasketLine};
    use crate::value::Field;

    fn discount(line: Option<u32>, amount: i64, label: &str) -> Adjustment {
        Adjustment {
            kind: AdjustmentKind::Discount,
            line,
            amount,
            included: false,
            label: label.into(),
            code: None,
            attributes: Vec::new(),
        }
    }

    /// A basket of two tickets at 500 in one line, after a discount of 300.
    fn basket() -> Basket {
        let line = BasketLine {
            ticket_type: "t".into(),
            name: "Seat".into(),
            quantity: 2,
            unit_price: 500,
            available: 10,
            capacity: 10,
            attributes: Vec::new(),
        };
        Basket {
            event: Vec::new(),
            starts_at: None,
            offset_now: 0,
            offset_start: 0,
            currency: "EUR".into(),
            currency_exponent: 2,
            lines: vec![line],
            codes: vec!["FRIENDS".into()],
            channel: String::new(),
            buyer: Vec::new(),
            applied: vec![("rule:1@1".into(), discount(None, -300, "Early"))],
        }
    }

    fn reply(adjustment: Adjustment) -> PriceAdjustments {
        PriceAdjustments { adjustments: vec![adjustment], refused_codes: Vec::new(), attributes: Vec::new() }
    }

    #[test]
    fn reply_is_checked_at_the_price_after_the_steps_before() {
        let check = |adjustment| check_reply(&basket(), &reply(adjustment));
        assert_eq!(check(discount(None, -700, "All")), Ok(0));
        assert_eq!(check(discount(Some(0), -1, "One")), Ok(699));
        let accepted = Adjustment { code: Some("FRIENDS".into()), ..discount(None, -10, "Friends") };
        assert_eq!(check(accepted), Ok(690));
        for (adjustment, fault) in [
            (discount(None, -701, "Too much"), "below zero"),
            (discount(Some(1), -1, "Nowhere"), "line 1"),
            (discount(None, 1, "Wrong"), "wrong sign"),
            (discount(None, -1, ""), "a label must have 1 to 200 characters"),
            (Adjustment { code: Some("X".into()), ..discount(None, -1, "X") }, "was not entered"),
        ] {
            let error = check(adjustment).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
    }

    #[test]
    fn texts_of_plugins_are_bounded_in_sum() {
        // A label of one byte, an attribute with a name of one byte, and its text.
        let noted = |bytes: usize| {
            let attributes = vec![Field::new("n", "x".repeat(bytes - 2).as_str())];
            Adjustment { attributes, ..discount(None, -1, "l") }
        };
        let check = |sizes: [usize; 2]| {
            let adjustments = sizes.map(noted).to_vec();
            check_reply(&basket(), &PriceAdjustments { adjustments, ..reply(discount(None, -1, "l")) })
        };
        assert_eq!(check([MAX_TEXT / 2, MAX_TEXT / 2]), Ok(698));
        let error = check([MAX_TEXT / 2, MAX_TEXT / 2 + 1]).unwrap_err();
        assert!(error.contains("65536 bytes"), "{error}");
    }

    #[test]
    fn refused_code_must_be_entered_and_have_a_reason() {
        let check = |code: &str, reason: &str| {
            let refused_codes = vec![(code.to_owned(), reason.to_owned())];
            let reply = PriceAdjustments { adjustments: Vec::new(), refused_codes, attributes: Vec::new() };
            check_reply(&basket(), &reply)
        };
        assert_eq!(check("FRIENDS", "not today"), Ok(700));
        assert!(check("FRIENDS", "").is_err() && check("OTHER", "not today").is_err());
    }
}
