//! Evaluates a JSON value by a compiled schema: each step is counted, and evaluation ends at the limit of steps or
//! of violations. It allocates for the violations and, where a rule depends on it, for what others have evaluated.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use serde_json::{Number, Value};

use super::canonical::{canonical, integer};
use super::pattern::Pattern;
use super::rule::{Comparison, Keyword, Measure, Rule, RuleId, Schema, Type};
use super::text::shorten;

/// A place that a value does not fit, below the root of the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// Members and indices, each behind a dot.
    pub(super) path: String,
    pub(super) message: String,
}

/// What evaluation has come to.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) mismatches: Vec<Mismatch>,
    pub(super) steps: u64,
    /// Whether it ended at the limit of steps, before the value was judged.
    pub(super) is_exhausted: bool,
}

/// Limits of one evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) steps: u64,
    pub(super) mismatches: usize,
}

/// Why evaluation ends before its end.
enum Stop {
    Steps,
    Mismatches,
}

/// Whether mismatches are reported, or only whether there is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Report,
    Test,
}

/// Members and items of one value that were evaluated by its rules.
#[derive(Default)]
struct Evaluated<'v> {
    members: BTreeSet<&'v str>,
    items: BTreeSet<usize>,
}

/// The path to a value, innermost segment first.
enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

struct Evaluation<'s> {
    schema: &'s Schema,
    limits: Limits,
    steps: u64,
    mismatches: Vec<Mismatch>,
}

/// Evaluates a value by a schema.
pub(super) fn evaluate(schema: &Schema, value: &Value, limits: Limits) -> Report {
    let mut evaluation = Evaluation { schema, limits, steps: 0, mismatches: Vec::new() };
    let ended = evaluation.rule(schema.root, value, &Path::Root, Mode::Report);
    Report {
        is_exhausted: matches!(ended, Err(Stop::Steps)),
        mismatches: evaluation.mismatches,
        steps: evaluation.steps,
    }
}

impl<'s> Evaluation<'s> {
    /// Evaluates a value by a rule; returns what it evaluated of the value, or `None` if the value does not fit.
    fn rule<'v>(
        &mut self,
        rule: RuleId,
        value: &'v Value,
        at: &Path<'_>,
        mode: Mode,
    ) -> Result<Option<Evaluated<'v>>, Stop> {
        self.charge(1)?;
        let schema = self.schema;
        let keywords = match schema.rules.get(rule) {
            Some(Rule::Keywords(keywords)) => keywords.as_slice(),
            Some(Rule::Accept) | None => return Ok(Some(Evaluated::default())),
            Some(Rule::Reject) => {
                self.mismatch(at, mode, || "is not allowed".to_owned())?;
                return Ok(None);
            }
        };
        let mut evaluated = Evaluated::default();
        let mut fits = true;
        for keyword in keywords {
            let depends = matches!(keyword, Keyword::UnevaluatedItems(_) | Keyword::UnevaluatedProperties(_));
            if mode.is_decided(fits) || (!fits && depends) {
                return Ok(None);
            }
            self.charge(1)?;
            fits &= self.keyword(keyword, value, at, mode, &mut evaluated)?;
        }
        Ok(fits.then_some(evaluated))
    }

    fn keyword<'v>(
        &mut self,
        keyword: &'s Keyword,
        value: &'v Value,
        at: &Path<'_>,
        mode: Mode,
        evaluated: &mut Evaluated<'v>,
    ) -> Result<bool, Stop> {
        match (keyword, value) {
            (Keyword::Reference(rule), _) => self.in_place(*rule, value, at, mode, evaluated),
            (Keyword::AllOf(rules), _) => {
                let mut fits = true;
                for rule in rules {
                    fits &= self.in_place(*rule, value, at, mode, evaluated)?;
                    if mode.is_decided(fits) {
                        break;
                    }
                }
                Ok(fits)
            }
            (Keyword::AnyOf(rules), _) => self.any_of(rules, value, at, mode, evaluated),
            (Keyword::OneOf(rules), _) => self.one_of(rules, value, at, mode, evaluated),
            (Keyword::Not(rule), _) => {
                let fits = self.rule(*rule, value, at, Mode::Test)?.is_none();
                self.expect(fits, at, mode, || "matches what `not` excludes".to_owned())
            }
            (Keyword::If { condition, then, otherwise }, _) => {
                let holds = self.rule(*condition, value, at, Mode::Test)?;
                let next = if holds.is_some() { then } else { otherwise };
                self.merge(evaluated, holds)?;
                next.map_or(Ok(true), |rule| self.in_place(rule, value, at, mode, evaluated))
            }
            (Keyword::Type(types), _) => {
                let fits = types.iter().any(|kind| is_type(value, *kind));
                let names = || types.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ");
                self.expect(fits, at, mode, || format!("must be of type {}", names()))
            }
            (Keyword::Enum { options, text }, _) => {
                let canonical = canonical(value);
                self.charge_bytes(canonical.len())?;
                self.expect(options.contains(&canonical), at, mode, || format!("must be one of {text}"))
            }
            (Keyword::Compare(comparison, limit), Value::Number(number)) => {
                let fits = compares(number, *comparison, limit);
                self.expect(fits, at, mode, || format!("must be {} {limit}", comparison.name()))
            }
            (Keyword::MultipleOf(divisor), Value::Number(number)) => {
                let fits = is_multiple(number, divisor);
                self.expect(fits, at, mode, || format!("must be a multiple of {divisor}"))
            }
            (Keyword::Size(measure, comparison, limit), _) => {
                let Some(size) = self.size(*measure, value)? else { return Ok(true) };
                let fits = if *comparison == Comparison::AtLeast { size >= *limit } else { size <= *limit };
                let (comparison, unit) = (comparison.name(), measure.name());
                self.expect(fits, at, mode, || format!("has {size} {unit}; must have {comparison} {limit}"))
            }
            (Keyword::Pattern(pattern), Value::String(text)) => {
                let fits = self.matches(pattern, text)?;
                let pattern = pattern.as_str();
                self.expect(fits, at, mode, || format!("must match the pattern {}", shorten(pattern)))
            }
            (_, Value::Array(items)) => self.array_keyword(keyword, items, at, mode, evaluated),
            (_, Value::Object(_)) => self.object_keyword(keyword, value, at, mode, evaluated),
            _ => Ok(true),
        }
    }

    fn array_keyword<'v>(
        &mut self,
        keyword: &Keyword,
        items: &'v [Value],
        at: &Path<'_>,
        mode: Mode,
        evaluated: &mut Evaluated<'v>,
    ) -> Result<bool, Stop> {
        match keyword {
            Keyword::UniqueItems => {
                let mut seen = HashSet::new();
                for (index, item) in items.iter().enumerate() {
                    let canonical = canonical(item);
                    self.charge_bytes(canonical.len())?;
                    if !seen.insert(canonical) {
                        self.mismatch(at, mode, || format!("has equal items, the second at {index}"))?;
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::Items { prefix, rest } => {
                let mut fits = true;
                for (index, item) in items.iter().enumerate() {
                    let Some(rule) = prefix.get(index).or(rest.as_ref()) else { break };
                    fits &= self.rule(*rule, item, &Path::Item(at, index), mode)?.is_some();
                    if mode.is_decided(fits) {
                        break;
                    }
                    self.note_item(evaluated, index)?;
                }
                Ok(fits)
            }
            Keyword::Contains { rule, min, max } => {
                let mut count = 0;
                for (index, item) in items.iter().enumerate() {
                    if self.rule(*rule, item, &Path::Item(at, index), Mode::Test)?.is_some() {
                        count += 1;
                        self.note_item(evaluated, index)?;
                    }
                }
                let fits = count >= *min && max.is_none_or(|max| count <= max);
                let most = max.map_or_else(String::new, |max| format!(" and at most {max}"));
                let message =
                    || format!("has {count} items that match `contains`; must have at least {min}{most}");
                self.expect(fits, at, mode, message)
            }
            Keyword::UnevaluatedItems(rule) => {
                let mut fits = true;
                for (index, item) in items.iter().enumerate() {
                    if !evaluated.items.contains(&index) {
                        fits &= self.rule(*rule, item, &Path::Item(at, index), mode)?.is_some();
                        self.note_item(evaluated, index)?;
                    }
                    if mode.is_decided(fits) {
                        break;
                    }
                }
                Ok(fits)
            }
            _ => Ok(true),
        }
    }

    fn object_keyword<'v>(
        &mut self,
        keyword: &'s Keyword,
        value: &'v Value,
        at: &Path<'_>,
        mode: Mode,
        evaluated: &mut Evaluated<'v>,
    ) -> Result<bool, Stop> {
        let Value::Object(members) = value else { return Ok(true) };
        let mut fits = true;
        match keyword {
            Keyword::Properties { named, patterns, rest } => {
                for (name, member) in members {
                    let at = Path::Member(at, name);
                    self.charge_bytes(name.len())?;
                    let mut rules: Vec<_> = named.get(name).copied().into_iter().collect();
                    for (pattern, rule) in patterns {
                        if self.matches(pattern, name)? {
                            rules.push(*rule);
                        }
                    }
                    if rules.is_empty() {
                        rules.extend(rest);
                    }
                    for rule in &rules {
                        fits &= self.rule(*rule, member, &at, mode)?.is_some();
                    }
                    if mode.is_decided(fits) {
                        break;
                    }
                    if !rules.is_empty() {
                        self.note_member(evaluated, name)?;
                    }
                }
            }
            Keyword::PropertyNames(rule) => {
                for name in members.keys() {
                    self.charge_bytes(name.len())?;
                    let text = Value::String(name.clone());
                    let is_allowed = self.rule(*rule, &text, at, Mode::Test)?.is_some();
                    let message = || format!("has the member {:?}, whose name is not allowed", shorten(name));
                    fits &= self.expect(is_allowed, at, mode, message)?;
                    if mode.is_decided(fits) {
                        break;
                    }
                }
            }
            Keyword::Required(names) => {
                for name in names {
                    self.charge_bytes(name.len())?;
                    let message = || format!("must have the member {:?}", shorten(name));
                    fits &= self.expect(members.contains_key(name), at, mode, message)?;
                }
            }
            Keyword::DependentRequired(dependents) => {
                for (name, required) in dependents {
                    self.charge_bytes(name.len())?;
                    if !members.contains_key(name) {
                        continue;
                    }
                    self.charge_bytes(required.iter().map(String::len).sum())?;
                    if let Some(missing) = required.iter().find(|name| !members.contains_key(*name)) {
                        fits = false;
                        let (name, missing) = (shorten(name), shorten(missing));
                        let message = || format!("must have the member {missing:?}, since it has {name:?}");
                        self.mismatch(at, mode, message)?;
                    }
                }
            }
            Keyword::DependentSchemas(dependents) => {
                for (name, rule) in dependents {
                    self.charge_bytes(name.len())?;
                    if members.contains_key(name) {
                        fits &= self.in_place(*rule, value, at, mode, evaluated)?;
                    }
                }
            }
            Keyword::UnevaluatedProperties(rule) => {
                for (name, member) in members {
                    self.charge_bytes(name.len())?;
                    if !evaluated.members.contains(name.as_str()) {
                        fits &= self.rule(*rule, member, &Path::Member(at, name), mode)?.is_some();
                        self.note_member(evaluated, name)?;
                    }
                    if mode.is_decided(fits) {
                        break;
                    }
                }
            }
            _ => {}
        }
        Ok(fits)
    }

    /// Evaluates the value itself by another rule, and keeps what that evaluated.
    fn in_place<'v>(
        &mut self,
        rule: RuleId,
        value: &'v Value,
        at: &Path<'_>,
        mode: Mode,
        evaluated: &mut Evaluated<'v>,
    ) -> Result<bool, Stop> {
        let more = self.rule(rule, value, at, mode)?;
        let fits = more.is_some();
        self.merge(evaluated, more)?;
        Ok(fits)
    }

    fn any_of<'v>(
        &mut self,
        rules: &[RuleId],
        value: &'v Value,
        at: &Path<'_>,
        mode: Mode,
        evaluated: &mut Evaluated<'v>,
    ) -> Result<bool, Stop> {
        let mut fits = false;
        for rule in rules {
            fits |= self.in_place(*rule, value, at, Mode::Test, evaluated)?;
            if fits && !self.schema.tracks_evaluated {
                break;
            }
        }
        let count = rules.len();
        self.expect(fits, at, mode, || format!("must match at least one of the {count} schemas of `anyOf`"))
    }

    fn one_of<'v>(
        &mut self,
        rules: &[RuleId],
        value: &'v Value,
        at: &Path<'_>,
        mode: Mode,
        evaluated: &mut Evaluated<'v>,
    ) -> Result<bool, Stop> {
        let mut matching = 0;
        for rule in rules {
            matching += usize::from(self.in_place(*rule, value, at, Mode::Test, evaluated)?);
        }
        let count = rules.len();
        let message =
            || format!("matches {matching} of the {count} schemas of `oneOf`; must match exactly one");
        self.expect(matching == 1, at, mode, message)
    }

    fn matches(&mut self, pattern: &Pattern, text: &str) -> Result<bool, Stop> {
        self.charge(1 + pattern.steps(text))?;
        Ok(pattern.matches(text))
    }

    fn size(&mut self, measure: Measure, value: &Value) -> Result<Option<u64>, Stop> {
        let size = match (measure, value) {
            (Measure::Characters, Value::String(text)) => {
                self.charge_bytes(text.len())?;
                text.chars().count()
            }
            (Measure::Items, Value::Array(items)) => items.len(),
            (Measure::Members, Value::Object(members)) => members.len(),
            _ => return Ok(None),
        };
        Ok(Some(size as u64))
    }

    fn merge<'v>(&mut self, into: &mut Evaluated<'v>, more: Option<Evaluated<'v>>) -> Result<(), Stop> {
        let Some(more) = more else { return Ok(()) };
        let names = more.members.iter().map(|name| name.len()).sum();
        self.charge_bytes(names)?;
        self.charge((more.members.len() + more.items.len()) as u64)?;
        into.members.extend(more.members);
        into.items.extend(more.items);
        Ok(())
    }

    fn note_member<'v>(&mut self, evaluated: &mut Evaluated<'v>, name: &'v str) -> Result<(), Stop> {
        if self.schema.tracks_evaluated {
            self.charge_bytes(name.len())?;
            evaluated.members.insert(name);
        }
        Ok(())
    }

    fn note_item(&mut self, evaluated: &mut Evaluated<'_>, index: usize) -> Result<(), Stop> {
        if self.schema.tracks_evaluated {
            self.charge(1)?;
            evaluated.items.insert(index);
        }
        Ok(())
    }

    fn charge(&mut self, steps: u64) -> Result<(), Stop> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps { Err(Stop::Steps) } else { Ok(()) }
    }

    /// Charges for a text that is copied, compared or hashed.
    fn charge_bytes(&mut self, bytes: usize) -> Result<(), Stop> {
        self.charge(1 + bytes as u64 / 16)
    }

    /// Reports a mismatch unless the value fits; returns whether it does.
    fn expect(
        &mut self,
        fits: bool,
        at: &Path<'_>,
        mode: Mode,
        message: impl FnOnce() -> String,
    ) -> Result<bool, Stop> {
        if !fits {
            self.mismatch(at, mode, message)?;
        }
        Ok(fits)
    }

    fn mismatch(&mut self, at: &Path<'_>, mode: Mode, message: impl FnOnce() -> String) -> Result<(), Stop> {
        if mode == Mode::Report {
            let mut path = String::new();
            at.write(&mut path);
            self.mismatches.push(Mismatch { path: shorten(&path), message: message() });
            if self.mismatches.len() >= self.limits.mismatches {
                return Err(Stop::Mismatches);
            }
        }
        Ok(())
    }
}

impl Mode {
    /// Whether evaluating more would change nothing.
    fn is_decided(self, fits: bool) -> bool {
        self == Self::Test && !fits
    }
}

impl Path<'_> {
    fn write(&self, text: &mut String) {
        match self {
            Self::Root => {}
            Self::Member(outer, name) => {
                outer.write(text);
                text.push('.');
                text.push_str(name);
            }
            Self::Item(outer, index) => {
                outer.write(text);
                // Writing into a string does not fail.
                let _ = write!(text, ".{index}");
            }
        }
    }
}

fn is_type(value: &Value, kind: Type) -> bool {
    match kind {
        Type::Null => value.is_null(),
        Type::Boolean => value.is_boolean(),
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::Number => value.is_number(),
        Type::String => value.is_string(),
        Type::Integer => value.as_number().is_some_and(|number| {
            integer(number).is_some() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
        }),
    }
}

fn compares(number: &Number, comparison: Comparison, limit: &Number) -> bool {
    let order = match (integer(number), integer(limit)) {
        (Some(number), Some(limit)) => Some(number.cmp(&limit)),
        _ => number.as_f64().zip(limit.as_f64()).and_then(|(number, limit)| number.partial_cmp(&limit)),
    };
    order.is_some_and(|order| match comparison {
        Comparison::AtLeast => order != Ordering::Less,
        Comparison::AtMost => order != Ordering::Greater,
        Comparison::Above => order == Ordering::Greater,
        Comparison::Below => order == Ordering::Less,
    })
}

#[expect(clippy::float_arithmetic, reason = "JSON Schema divides numbers that are no integers")]
fn is_multiple(number: &Number, divisor: &Number) -> bool {
    if let (Some(number), Some(divisor)) = (integer(number), integer(divisor)) {
        return number % divisor == 0;
    }
    let Some((number, divisor)) = number.as_f64().zip(divisor.as_f64()) else { return false };
    let quotient = number / divisor;
    // The quotient of two decimals is rounded: 0.0075 / 0.0001 is 75.00000000000001.
    quotient.is_finite() && (quotient - quotient.round()).abs() <= quotient.abs() * f64::EPSILON * 4.0
}
