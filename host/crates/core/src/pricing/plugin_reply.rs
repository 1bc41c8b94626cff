//! What pricing plugins answer, checked by the contract.

use crate::plugin::{Installation, PriceAdjustments};
use crate::pricing::{Calculation, QuoteAdjustment, RefusedCode, Source};

/// The most bytes of texts that plugins add to a quote: labels, attributes and reasons.
const MAX_TEXT: usize = 64 << 10;

/// The most characters of a label and of a reason.
const MAX_LABEL: usize = 200;

/// Adds the adjustments of a plugin, and the codes that it refuses. The error says what the contract does not allow.
pub(super) fn apply_reply(
    installation: &Installation,
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
    let source = Source::Plugin(installation.id, installation.release.digest);
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
