//! The grammar of lists: which rows, and in what order.
//!
//! ```text
//! filter  = { term }                      every term must hold
//! term    = [ "-" ] field operator value { "," value }
//! operator= ":" | ">" | ">=" | "<" | "<="
//! value   = word | '"' text '"'           inside quotes, \" and \\ stand for themselves
//! order   = field [ "asc" | "desc" ]
//! ```
//! `:` holds when the field is one of the values; `-` turns a term round. A user's field takes `me`, a
//! field that may be empty takes `none`. Faults are reported with their column, counted from 1.

use uuid::Uuid;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// The longest filter, in bytes, and the most values in one.
const MAX_LENGTH: usize = 1_000;
const MAX_VALUES: usize = 50;

/// What a field's values look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text that is compared as it is.
    Text,
    /// Text that may be absent (`none`).
    OptionalText,
    /// The id of an object; it may be absent (`none`).
    Id,
    /// The id of a user, `me` or `none`.
    User,
    /// A moment; takes all operators.
    Time,
    /// `true` or `false`.
    Boolean,
    /// Fields named by what follows the dot, compared as text: `field.severity`.
    Named,
}

/// What can be said about the rows of one list.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The fields and their kinds.
    pub fields: &'static [(&'static str, Kind)],
    /// What the list can be sorted by; the first is the default, newest first.
    pub orders: &'static [&'static str],
}

/// Which rows of a list are asked for: those for which every term holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// The terms.
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// Whether it must not hold.
    pub negated: bool,
    /// The field of the spec.
    pub field: &'static str,
    /// What follows the dot of a named field.
    pub name: Option<String>,
    /// How it is compared.
    pub op: Op,
    /// With what; one value unless `op` is `OneOf`.
    pub values: Vec<Operand>,
}

/// How a field is compared with values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Is one of them.
    OneOf,
    /// Is greater.
    Greater,
    /// Is greater or the same.
    GreaterOrEqual,
    /// Is less.
    Less,
    /// Is less or the same.
    LessOrEqual,
}

/// A value in a filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operand {
    /// Text.
    Text(String),
    /// An object's id.
    Id(Uuid),
    /// A moment.
    Time(Timestamp),
    /// True or false.
    Boolean(bool),
    /// Nothing.
    None,
}

/// The order of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Order {
    /// The field of the spec.
    pub field: &'static str,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl Spec {
    /// Reads an order; empty text is the spec's own.
    pub fn order(&self, text: &str) -> Result<Order> {
        let mut words = text.split_whitespace();
        let Some(word) = words.next() else {
            let field = self.orders.first().copied().unwrap_or("id");
            return Ok(Order { field, descending: true });
        };
        let Some(field) = self.orders.iter().copied().find(|field| *field == word) else {
            let message = format!("cannot sort by {word:?}; one of {} is expected", self.orders.join(", "));
            return Err(Error::invalid("order_by", message));
        };
        let descending = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return Err(Error::invalid("order_by", "may only say \"asc\" or \"desc\" after the field")),
        };
        Ok(Order { field, descending })
    }

    /// Reads a filter.
    pub fn filter(&self, ctx: &Ctx, text: &str) -> Result<Filter> {
        if text.len() > MAX_LENGTH {
            return Err(Error::invalid("filter", format!("is longer than {MAX_LENGTH} bytes")));
        }
        let mut reader = Reader { text, at: 0 };
        let mut filter = Filter::default();
        let mut values = 0;
        while reader.skip_spaces() {
            let term = reader.term(self, ctx)?;
            values += term.values.len();
            if values > MAX_VALUES {
                return Err(reader.fault(reader.at, format_args!("more than {MAX_VALUES} values")));
            }
            filter.terms.push(term);
        }
        Ok(filter)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, at: usize, message: impl std::fmt::Display) -> Error {
        let before = self.text.get(..at).unwrap_or(self.text);
        Error::invalid("filter", format_args!("column {}: {message}", before.chars().count() + 1))
    }

    fn skip_spaces(&mut self) -> bool {
        self.at = self.text.len() - self.rest().trim_start().len();
        !self.rest().is_empty()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn term(&mut self, spec: &Spec, ctx: &Ctx) -> Result<Term> {
        let negated = self.eat("-");
        let start = self.at;
        let length =
            self.rest().find([':', '<', '>', ' ', '\t', '\n', '"', ',']).unwrap_or(self.rest().len());
        let word = self.rest().get(..length).unwrap_or_default().to_owned();
        self.at += length;
        let (field, name, kind) = self.field(spec, start, &word)?;
        let op_at = self.at;
        let op = self.operator(&word)?;
        if op != Op::OneOf && kind != Kind::Time {
            return Err(self.fault(op_at, format_args!("{word} takes only \":\"")));
        }
        let mut values = vec![self.value(ctx, field, kind)?];
        while self.eat(",") {
            if op != Op::OneOf {
                return Err(self.fault(self.at - 1, "only \":\" takes several values"));
            }
            values.push(self.value(ctx, field, kind)?);
        }
        if !self.rest().is_empty() && !self.rest().starts_with(char::is_whitespace) {
            return Err(self.fault(self.at, "a space is expected after a value"));
        }
        Ok(Term { negated, field, name, op, values })
    }

    fn field(&self, spec: &Spec, start: usize, word: &str) -> Result<(&'static str, Option<String>, Kind)> {
        let (head, name) = word.split_once('.').map_or((word, None), |(head, name)| (head, Some(name)));
        let named = name.is_some_and(|name| !name.is_empty());
        let found = spec.fields.iter().find(|(field, kind)| {
            if *kind == Kind::Named { named && *field == head } else { *field == word }
        });
        if let Some((field, kind)) = found {
            let name = if *kind == Kind::Named { name.map(str::to_owned) } else { None };
            return Ok((field, name, *kind));
        }
        let known: Vec<_> = spec
            .fields
            .iter()
            .map(
                |(field, kind)| {
                    if *kind == Kind::Named { format!("{field}.<name>") } else { (*field).to_owned() }
                },
            )
            .collect();
        Err(self.fault(start, format_args!("no field {word:?}; one of {} is expected", known.join(", "))))
    }

    fn operator(&mut self, word: &str) -> Result<Op> {
        let ops = [
            (":", Op::OneOf),
            (">=", Op::GreaterOrEqual),
            (">", Op::Greater),
            ("<=", Op::LessOrEqual),
            ("<", Op::Less),
        ];
        for (token, op) in ops {
            if self.eat(token) {
                return Ok(op);
            }
        }
        Err(self.fault(self.at, format_args!("\":\" and a value are expected after {word:?}")))
    }

    fn value(&mut self, ctx: &Ctx, field: &str, kind: Kind) -> Result<Operand> {
        let start = self.at;
        let quoted = self.rest().starts_with('"');
        let text = if quoted { self.quoted()? } else { self.word() };
        if text.is_empty() && !quoted {
            return Err(self.fault(start, format_args!("{field} needs a value")));
        }
        let wrong = |expected: &str| {
            self.fault(start, format_args!("{text:?} is not a value of {field}; {expected} is expected"))
        };
        let none = !quoted && text == "none";
        Ok(match kind {
            Kind::OptionalText | Kind::Id | Kind::User if none => Operand::None,
            Kind::Text | Kind::OptionalText | Kind::Named => Operand::Text(text),
            Kind::User if text == "me" => Operand::Id(
                ctx.user().ok_or_else(|| wrong("this key is not bound to a user, so a user's id"))?.0,
            ),
            Kind::Id | Kind::User => Operand::Id(Uuid::try_parse(&text).map_err(|_| wrong("an id"))?),
            Kind::Time => Operand::Time(
                Timestamp::parse("filter", &text)
                    .map_err(|_| wrong("a time such as 2026-01-31 or 2026-01-31T12:00:00Z"))?,
            ),
            Kind::Boolean => match text.as_str() {
                "true" => Operand::Boolean(true),
                "false" => Operand::Boolean(false),
                _ => return Err(wrong("true or false")),
            },
        })
    }

    fn word(&mut self) -> String {
        let length = self.rest().find(|c: char| c.is_whitespace() || c == ',').unwrap_or(self.rest().len());
        let word = self.rest().get(..length).unwrap_or_default().to_owned();
        self.at += length;
        word
    }

    fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => text.push(c),
                    _ => return Err(self.fault(start + at, "only \\\" and \\\\ may follow a backslash")),
                },
                c => text.push(c),
            }
        }
        Err(self.fault(start, "this quote is never closed"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::ctx::{Principal, Transport};
    use crate::id::{KeyId, TenantId, UserId};

    const SPEC: Spec = Spec {
        fields: &[
            ("status", Kind::Text),
            ("assignee", Kind::User),
            ("created", Kind::Time),
            ("active", Kind::Boolean),
            ("field", Kind::Named),
        ],
        orders: &["created", "summary"],
    };

    fn ctx(user: Option<UserId>) -> Ctx {
        let id = KeyId::parse("id", "k").unwrap();
        let deadline = Instant::now() + Duration::from_secs(1);
        let principal = Principal::Key { id, user, roles: [].into() };
        Ctx::new(
            TenantId::generate(),
            principal,
            "r".into(),
            (Timestamp::default(), deadline),
            Transport::Internal,
        )
    }

    fn fault(text: &str) -> String {
        SPEC.filter(&ctx(None), text).unwrap_err().faults()[0].message.clone()
    }

    #[test]
    fn the_filter_of_the_documents_is_read() {
        let me = UserId::generate();
        let text =
            r#"status:RESOLVED,"IN REVIEW" assignee:me created>=2026-01-01 -active:true field.a:"x\"y""#;
        let filter = SPEC.filter(&ctx(Some(me)), text).unwrap();
        assert_eq!(filter.terms.len(), 5);
        let [status, assignee, created, active, field] = &filter.terms[..] else { panic!() };
        assert_eq!(status.values, [Operand::Text("RESOLVED".into()), Operand::Text("IN REVIEW".into())]);
        assert_eq!(assignee.values, [Operand::Id(me.0)]);
        assert_eq!(created.op, Op::GreaterOrEqual);
        assert!(active.negated);
        assert_eq!((field.name.as_deref(), &field.values[0]), (Some("a"), &Operand::Text("x\"y".into())));
    }

    #[test]
    fn a_fault_names_its_column() {
        for (text, column, about) in [
            ("nonsense:1", 1, "no field"),
            ("status:A colour:red", 10, "no field"),
            ("status", 7, "expected after"),
            ("status:", 8, "needs a value"),
            ("status>A", 7, "takes only"),
            ("created>soon", 9, "is not a value"),
            ("status:\"open", 8, "never closed"),
            ("é:1", 1, "no field"),
            ("status:é é:1", 10, "no field"),
            ("assignee:me", 10, "not bound"),
            ("active:yes", 8, "true or false"),
            ("crash happens", 1, "no field"),
        ] {
            let message = fault(text);
            assert!(message.starts_with(&format!("column {column}: ")), "{text}: {message}");
            assert!(message.contains(about), "{text}: {message}");
        }
    }

    #[test]
    fn a_filter_is_bounded() {
        assert!(fault(&"x".repeat(1_001)).contains("longer"));
        assert!(fault(&format!("status:{}", vec!["a"; 51].join(","))).contains("more than 50"));
    }

    #[test]
    fn rubbish_never_panics() {
        for text in [
            "-",
            "--",
            "\"",
            "\\",
            "status:\"\\",
            "field.:x",
            "field:x",
            ":",
            ",",
            "status:a,",
            "status:\"a\"b",
            "日:本",
        ] {
            assert!(SPEC.filter(&ctx(None), text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_order_is_a_field_and_a_direction() {
        assert_eq!(SPEC.order("").unwrap(), Order { field: "created", descending: true });
        assert_eq!(SPEC.order("summary").unwrap(), Order { field: "summary", descending: false });
        assert_eq!(SPEC.order("created desc").unwrap(), Order { field: "created", descending: true });
        for bad in ["secret", "created down", "created desc asc"] {
            assert!(SPEC.order(bad).is_err(), "{bad}");
        }
    }
}
