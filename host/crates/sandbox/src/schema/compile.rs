//! Compiles the JSON of a schema into rules. References are resolved here and lead only to places within the schema,
//! so that what is weighed is what is evaluated.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Number, Value};

use super::canonical::canonical;
use super::pattern::Patterns;
use super::rule::{Comparison, Keyword, Measure, Rule, RuleId, Schema, Type};
use super::text::shorten;

/// The most rules that a schema comes to when its references are followed.
const MAX_RULES: u64 = 10_000;

/// The most levels of a schema when its references are followed; evaluation takes stack for each.
const MAX_DEPTH: u32 = 200;

/// Dialects whose keywords are understood; without `$schema` it is the first.
const DIALECTS: [&str; 4] = [
    "https://json-schema.org/draft/2020-12/schema",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
];

/// Keywords that change what a reference leads to.
const RESOLUTION: [&str; 6] =
    ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"];

/// What a schema is refused for.
type Compiled<T> = Result<T, String>;

/// Rules and levels of a schema object, with all that it refers to.
#[derive(Clone, Copy)]
struct Weight {
    rules: u64,
    depth: u32,
}

/// How far a place of the schema is compiled.
#[derive(Clone, Copy)]
enum State {
    Open,
    Done(RuleId, Weight),
}

struct Compiler<'a> {
    root: &'a Value,
    rules: Vec<Rule>,
    states: HashMap<*const Value, State>,
    /// Weights of the places that are open, outermost first.
    open: Vec<Weight>,
    patterns: Patterns<'a>,
    tracks_evaluated: bool,
}

/// Compiles a schema, or says what it is refused for.
pub(super) fn compile(json: &Value) -> Compiled<Schema> {
    let mut compiler = Compiler {
        root: json,
        rules: Vec::new(),
        states: HashMap::new(),
        open: Vec::new(),
        patterns: Patterns::default(),
        tracks_evaluated: false,
    };
    check_dialect(json)?;
    let root = compiler.rule(json)?;
    Ok(Schema { rules: compiler.rules, root, tracks_evaluated: compiler.tracks_evaluated })
}

fn check_dialect(json: &Value) -> Compiled<()> {
    match json.get("$schema") {
        None => Ok(()),
        Some(Value::String(dialect)) if DIALECTS.contains(&dialect.trim_end_matches('#')) => Ok(()),
        Some(other) => {
            let other = shorten(&other.to_string());
            Err(format!("has the $schema {other}; one of {} is expected", DIALECTS.join(", ")))
        }
    }
}

impl<'a> Compiler<'a> {
    /// Compiles the schema at a place, once however many references lead there.
    fn rule(&mut self, json: &'a Value) -> Compiled<RuleId> {
        let place = std::ptr::from_ref(json);
        let (rule, weight) = match self.states.get(&place) {
            Some(State::Done(rule, weight)) => (*rule, *weight),
            Some(State::Open) => return Err("refers to itself in a circle".to_owned()),
            None => {
                self.states.insert(place, State::Open);
                self.open.push(Weight { rules: 1, depth: 1 });
                // The levels that are open take stack already, before their weights are known.
                check_depth(self.open.len())?;
                let compiled = match json {
                    Value::Bool(true) => Rule::Accept,
                    Value::Bool(false) => Rule::Reject,
                    Value::Object(members) => Rule::Keywords(self.keywords(json, members)?),
                    other => {
                        let other = shorten(&other.to_string());
                        return Err(format!("has {other} where a schema is expected"));
                    }
                };
                let weight = self.open.pop().unwrap_or(Weight { rules: 1, depth: 1 });
                let rule = self.rules.len();
                self.rules.push(compiled);
                self.states.insert(place, State::Done(rule, weight));
                (rule, weight)
            }
        };
        self.add(weight)?;
        Ok(rule)
    }

    /// Counts a schema to the one that contains it or refers to it.
    fn add(&mut self, weight: Weight) -> Compiled<()> {
        if let Some(outer) = self.open.last_mut() {
            outer.rules = outer.rules.saturating_add(weight.rules);
            outer.depth = outer.depth.max(weight.depth.saturating_add(1));
            if outer.rules > MAX_RULES {
                return Err(format!("comes to more than {MAX_RULES} rules when its references are followed"));
            }
            check_depth(outer.depth as usize)?;
        }
        Ok(())
    }

    fn keywords(&mut self, json: &'a Value, members: &'a Map<String, Value>) -> Compiled<Vec<Keyword>> {
        self.refuse_resolution(json, members)?;
        let mut keywords = Vec::new();
        for (name, value) in members {
            if let Some(keyword) = self.keyword(name, value)? {
                keywords.push(keyword);
            }
        }
        keywords.extend(self.items(members)?);
        keywords.extend(self.contains(members)?);
        keywords.extend(self.properties(members)?);
        keywords.extend(self.condition(members)?);
        self.definitions(members)?;
        for (name, build) in [
            ("unevaluatedItems", Keyword::UnevaluatedItems as fn(RuleId) -> Keyword),
            ("unevaluatedProperties", Keyword::UnevaluatedProperties),
        ] {
            if let Some(value) = members.get(name) {
                self.tracks_evaluated = true;
                keywords.push(build(self.rule(value)?));
            }
        }
        let weight = Weight { rules: keywords.len() as u64, depth: 0 };
        self.add(weight)?;
        Ok(keywords)
    }

    fn refuse_resolution(&self, json: &Value, members: &Map<String, Value>) -> Compiled<()> {
        let is_root = std::ptr::eq(json, self.root);
        // The name of the whole schema changes nothing: references are relative to the root in any case.
        let refused =
            RESOLUTION.into_iter().find(|name| members.contains_key(*name) && !(is_root && *name == "$id"));
        if let Some(name) = refused {
            return Err(format!("uses {name}; only references such as #/$defs/name are supported"));
        }
        if !is_root && members.contains_key("$schema") {
            return Err("has a $schema below its root".to_owned());
        }
        Ok(())
    }

    /// Compiles a keyword that stands for itself.
    fn keyword(&mut self, name: &str, value: &'a Value) -> Compiled<Option<Keyword>> {
        use Comparison::{Above, AtLeast, AtMost, Below};
        use Measure::{Characters, Items, Members};
        Ok(Some(match name {
            "$ref" => Keyword::Reference(self.reference(name, value)?),
            "type" => Keyword::Type(types(value)?),
            "const" => options(std::slice::from_ref(value)),
            "enum" => options(array(name, value)?),
            "minimum" => Keyword::Compare(AtLeast, number(name, value)?),
            "maximum" => Keyword::Compare(AtMost, number(name, value)?),
            "exclusiveMinimum" => Keyword::Compare(Above, number(name, value)?),
            "exclusiveMaximum" => Keyword::Compare(Below, number(name, value)?),
            "multipleOf" => Keyword::MultipleOf(positive(name, value)?),
            "minLength" => Keyword::Size(Characters, AtLeast, count(name, value)?),
            "maxLength" => Keyword::Size(Characters, AtMost, count(name, value)?),
            "minItems" => Keyword::Size(Items, AtLeast, count(name, value)?),
            "maxItems" => Keyword::Size(Items, AtMost, count(name, value)?),
            "minProperties" => Keyword::Size(Members, AtLeast, count(name, value)?),
            "maxProperties" => Keyword::Size(Members, AtMost, count(name, value)?),
            "pattern" => Keyword::Pattern(self.patterns.compile(string(name, value)?)?),
            "uniqueItems" => match value {
                Value::Bool(true) => Keyword::UniqueItems,
                Value::Bool(false) => return Ok(None),
                _ => return Err(expected(name, "a boolean")),
            },
            "propertyNames" => Keyword::PropertyNames(self.rule(value)?),
            "required" => Keyword::Required(strings(name, value)?),
            "dependentRequired" => {
                let members = object(name, value)?.iter();
                let lists = members.map(|(member, value)| Ok((member.clone(), strings(name, value)?)));
                Keyword::DependentRequired(lists.collect::<Compiled<_>>()?)
            }
            "dependentSchemas" => Keyword::DependentSchemas(self.named(name, value)?),
            "allOf" => Keyword::AllOf(self.alternatives(name, value)?),
            "anyOf" => Keyword::AnyOf(self.alternatives(name, value)?),
            "oneOf" => Keyword::OneOf(self.alternatives(name, value)?),
            "not" => Keyword::Not(self.rule(value)?),
            _ => return Ok(None),
        }))
    }

    /// Resolves a reference, which is a JSON pointer without escapes: every reader takes it for the same place.
    fn reference(&mut self, name: &str, value: &'a Value) -> Compiled<RuleId> {
        let text = string(name, value)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '$' | '_' | '-' | '.');
        let pointer = text.strip_prefix('#').filter(|pointer| pointer.chars().all(is_plain));
        let Some(place) = pointer.and_then(|pointer| self.root.pointer(pointer)) else {
            let text = shorten(text);
            return Err(format!(
                "refers to {text:?}; only places within it can be referred to, as #/$defs/name, by names of letters, \
                 digits, $, _, - and ."
            ));
        };
        self.rule(place).map_err(|message| {
            if message.contains("in a circle") { format!("refers to {text:?} in a circle") } else { message }
        })
    }

    fn alternatives(&mut self, name: &str, value: &'a Value) -> Compiled<Vec<RuleId>> {
        let schemas = array(name, value)?;
        if schemas.is_empty() {
            return Err(expected(name, "an array that is not empty"));
        }
        self.all(schemas)
    }

    fn all(&mut self, schemas: &'a [Value]) -> Compiled<Vec<RuleId>> {
        schemas.iter().map(|schema| self.rule(schema)).collect()
    }

    fn named(&mut self, name: &str, value: &'a Value) -> Compiled<BTreeMap<String, RuleId>> {
        let members = object(name, value)?.iter();
        members.map(|(member, schema)| Ok((member.clone(), self.rule(schema)?))).collect()
    }

    /// Compiles definitions. They count only where a reference leads to them.
    fn definitions(&mut self, members: &'a Map<String, Value>) -> Compiled<()> {
        for name in ["$defs", "definitions"] {
            let Some(value) = members.get(name) else { continue };
            for schema in object(name, value)?.values() {
                self.open.push(Weight { rules: 0, depth: 0 });
                self.rule(schema)?;
                self.open.pop();
            }
        }
        Ok(())
    }

    fn optional(&mut self, value: Option<&'a Value>) -> Compiled<Option<RuleId>> {
        value.map(|schema| self.rule(schema)).transpose()
    }

    /// Compiles `prefixItems` and `items`, or their older forms: `items` with an array, and `additionalItems`.
    fn items(&mut self, members: &'a Map<String, Value>) -> Compiled<Option<Keyword>> {
        let (prefix, rest) = match (members.get("prefixItems"), members.get("items")) {
            (None, Some(Value::Array(prefix))) => (Some(prefix.as_slice()), members.get("additionalItems")),
            (None, rest) => (None, rest),
            (Some(prefix), rest) => (Some(array("prefixItems", prefix)?), rest),
        };
        if prefix.is_none() && rest.is_none() {
            return Ok(None);
        }
        let prefix = self.all(prefix.unwrap_or_default())?;
        Ok(Some(Keyword::Items { prefix, rest: self.optional(rest)? }))
    }

    fn contains(&mut self, members: &'a Map<String, Value>) -> Compiled<Option<Keyword>> {
        let bound = |name: &str| members.get(name).map(|value| count(name, value)).transpose();
        let (min, max) = (bound("minContains")?, bound("maxContains")?);
        let Some(schema) = members.get("contains") else { return Ok(None) };
        Ok(Some(Keyword::Contains { rule: self.rule(schema)?, min: min.unwrap_or(1), max }))
    }

    fn properties(&mut self, members: &'a Map<String, Value>) -> Compiled<Option<Keyword>> {
        let (named, patterns) = (members.get("properties"), members.get("patternProperties"));
        let rest = members.get("additionalProperties");
        if named.is_none() && patterns.is_none() && rest.is_none() {
            return Ok(None);
        }
        let named = named.map(|value| self.named("properties", value)).transpose()?.unwrap_or_default();
        let mut compiled = Vec::new();
        if let Some(value) = patterns {
            for (pattern, schema) in object("patternProperties", value)? {
                compiled.push((self.patterns.compile(pattern)?, self.rule(schema)?));
            }
        }
        Ok(Some(Keyword::Properties { named, patterns: compiled, rest: self.optional(rest)? }))
    }

    /// Compiles `if` with what follows it, and the older `dependencies`.
    fn condition(&mut self, members: &'a Map<String, Value>) -> Compiled<Vec<Keyword>> {
        let (then, otherwise) = (self.optional(members.get("then"))?, self.optional(members.get("else"))?);
        let mut keywords = Vec::new();
        if let Some(condition) = members.get("if") {
            keywords.push(Keyword::If { condition: self.rule(condition)?, then, otherwise });
        }
        let (mut required, mut schemas) = (BTreeMap::new(), BTreeMap::new());
        if let Some(value) = members.get("dependencies") {
            for (member, value) in object("dependencies", value)? {
                if value.is_array() {
                    required.insert(member.clone(), strings("dependencies", value)?);
                } else {
                    schemas.insert(member.clone(), self.rule(value)?);
                }
            }
            keywords.extend([Keyword::DependentRequired(required), Keyword::DependentSchemas(schemas)]);
        }
        Ok(keywords)
    }
}

fn check_depth(depth: usize) -> Compiled<()> {
    if depth > MAX_DEPTH as usize {
        return Err(format!("is deeper than {MAX_DEPTH} levels when its references are followed"));
    }
    Ok(())
}

fn expected(name: &str, what: &str) -> String {
    format!("has the keyword {name}, whose value must be {what}")
}

fn array<'a>(name: &str, value: &'a Value) -> Compiled<&'a [Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| expected(name, "an array"))
}

fn object<'a>(name: &str, value: &'a Value) -> Compiled<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| expected(name, "an object"))
}

fn string<'a>(name: &str, value: &'a Value) -> Compiled<&'a str> {
    value.as_str().ok_or_else(|| expected(name, "a string"))
}

fn strings(name: &str, value: &Value) -> Compiled<Vec<String>> {
    let items = array(name, value)?.iter();
    items.map(|item| string(name, item).map(str::to_owned)).collect()
}

fn number(name: &str, value: &Value) -> Compiled<Number> {
    value.as_number().cloned().ok_or_else(|| expected(name, "a number"))
}

fn positive(name: &str, value: &Value) -> Compiled<Number> {
    let number = number(name, value)?;
    let is_positive = number.as_f64().is_some_and(|float| float > 0.0);
    if is_positive { Ok(number) } else { Err(expected(name, "a number above 0")) }
}

fn count(name: &str, value: &Value) -> Compiled<u64> {
    let number = value.as_number().and_then(super::canonical::integer);
    let count = number.and_then(|number| u64::try_from(number).ok());
    count.ok_or_else(|| expected(name, "a whole number, 0 or more"))
}

fn types(value: &Value) -> Compiled<Vec<Type>> {
    let names = match value {
        Value::Array(names) if !names.is_empty() => names.as_slice(),
        other => std::slice::from_ref(other),
    };
    let kind = |value: &Value| {
        let name = value.as_str()?;
        Type::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    };
    let known = Type::ALL.map(|(_, name)| name).join(", ");
    let expected = || expected("type", &format!("one of {known}, or an array of them"));
    names.iter().map(|name| kind(name).ok_or_else(expected)).collect()
}

fn options(values: &[Value]) -> Keyword {
    let texts: Vec<_> = values.iter().map(|value| shorten(&value.to_string())).collect();
    Keyword::Enum { options: values.iter().map(canonical).collect(), text: shorten(&texts.join(", ")) }
}
