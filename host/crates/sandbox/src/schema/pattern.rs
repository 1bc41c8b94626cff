//! Regular expressions of schemas, bounded in size: an expression takes memory when it is compiled, and time for each
//! byte of a text, in proportion to its compiled form.

use std::collections::HashMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::text::shorten;

/// Limits of one expression's compiled form, tried in turn: the first that suffices is its size.
const SIZES: [usize; 3] = [4 << 10, 32 << 10, 256 << 10];

/// The most bytes that the compiled expressions of one schema take together.
const MAX_TOTAL: usize = 4 << 20;

/// The most expressions of one schema: each has buffers of its own beside its compiled form.
const MAX_PATTERNS: usize = 64;

/// The longest expression, in bytes: parsing takes memory before the compiled form is bounded.
const MAX_LENGTH: usize = 1_000;

/// A compiled regular expression.
pub(super) struct Pattern {
    regex: Regex,
    text: String,
    /// Upper bound of the compiled form, in bytes.
    size: usize,
}

/// The regular expressions of one schema.
#[derive(Default)]
pub(super) struct Patterns<'a> {
    compiled: HashMap<&'a str, Arc<Pattern>>,
    total: usize,
}

impl Pattern {
    /// Returns the steps that matching a text takes: its length times what one byte takes at worst.
    pub(super) fn steps(&self, text: &str) -> u64 {
        let per_byte = 1 + (self.size >> 10) as u64;
        (text.len() as u64).saturating_mul(per_byte)
    }

    /// Whether the expression matches anywhere in the text, in time linear in its length.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The expression as its author wrote it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl<'a> Patterns<'a> {
    /// Compiles an expression; equal ones are compiled once.
    pub(super) fn compile(&mut self, text: &'a str) -> Result<Arc<Pattern>, String> {
        if let Some(pattern) = self.compiled.get(text) {
            return Ok(Arc::clone(pattern));
        }
        if text.len() > MAX_LENGTH {
            return Err(format!("has a pattern of {} bytes; at most {MAX_LENGTH} are allowed", text.len()));
        }
        if self.compiled.len() >= MAX_PATTERNS {
            return Err(format!("has more than {MAX_PATTERNS} different patterns"));
        }
        let pattern = Arc::new(compile(text)?);
        self.total += pattern.size;
        if self.total > MAX_TOTAL {
            return Err(format!("has patterns that need more than {MAX_TOTAL} bytes together"));
        }
        self.compiled.insert(text, Arc::clone(&pattern));
        Ok(pattern)
    }
}

fn compile(text: &str) -> Result<Pattern, String> {
    let excerpt = shorten(text);
    let translated = jsonschema_regex::to_rust_regex(text)
        .map_err(|()| format!("has the pattern {excerpt:?}, which is not a regular expression"))?;
    for size in SIZES {
        let built = RegexBuilder::new(&translated).size_limit(size).dfa_size_limit(size).build();
        match built {
            Ok(regex) => return Ok(Pattern { regex, text: text.to_owned(), size }),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => return Err(format!("has the pattern {excerpt:?}, which is not supported")),
        }
    }
    let most = SIZES.last().copied().unwrap_or_default();
    Err(format!("has the pattern {excerpt:?}, which needs more than {most} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_bounded_in_size_number_and_length() {
        let mut patterns = Patterns::default();
        assert!(patterns.compile("^[a-z0-9-]{1,63}$").unwrap().matches("a-1"));
        let error = |text: &'static str| compile(text).map(|_| ()).unwrap_err();
        assert!(error(r"\p{L}{1000}").contains("needs more than"));
        assert!(error(r"(a)\1").contains("pattern") && error("(").contains("pattern"));
        let long = "a".repeat(MAX_LENGTH + 1);
        assert!(Patterns::default().compile(&long).map(|_| ()).unwrap_err().contains("at most"));
        let texts: Vec<_> = (0..=MAX_PATTERNS).map(|n| format!("^x{n}")).collect();
        let mut patterns = Patterns::default();
        let compiled = texts.iter().filter(|text| patterns.compile(text).is_ok()).count();
        assert_eq!(compiled, MAX_PATTERNS);
        let texts: Vec<_> = (0..40).map(|n| format!("^{n}[a-z]{{2000}}$")).collect();
        let mut patterns = Patterns::default();
        let all: Result<Vec<_>, _> = texts.iter().map(|text| patterns.compile(text)).collect();
        assert!(all.map(|_| ()).unwrap_err().contains("together"));
    }

    #[test]
    fn a_larger_pattern_takes_more_steps_for_each_byte() {
        let small = compile("^a").unwrap();
        let large = compile("^[a-z]{500}").unwrap();
        assert!(large.steps("abcd") > small.steps("abcd"));
        assert_eq!(small.steps("abcdabcd"), 2 * small.steps("abcd"));
    }
}
