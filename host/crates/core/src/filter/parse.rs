//! The parser of filters and orders.

use uuid::Uuid;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::filter::spec::{Filter, Kind, Op, Operand, Order, Spec, Term};
use crate::time::Timestamp;

/// The longest filter, in bytes, and the most values in one.
const MAX_LENGTH: usize = 1_000;
const MAX_VALUES: usize = 50;

impl Spec {
    /// Parses an order. Empty text is the default of the list.
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

    /// Parses a filter.
    pub fn filter(&self, ctx: &Ctx, text: &str) -> Result<Filter> {
        if text.len() > MAX_LENGTH {
            return Err(Error::invalid("filter", format!("is longer than {MAX_LENGTH} bytes")));
        }
        let mut parser = Parser { text, at: 0 };
        let mut filter = Filter::default();
        let mut values = 0;
        while parser.skip_spaces() {
            let term = parser.term(self, ctx)?;
            values += term.values.len();
            if values > MAX_VALUES {
                return Err(parser.fault(parser.at, format_args!("more than {MAX_VALUES} values")));
            }
            filter.terms.push(term);
        }
        Ok(filter)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
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
        let matches = self.rest().starts_with(token);
        if matches {
            self.at += token.len();
        }
        matches
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
        let unexpected = |expected: &str| {
            self.fault(start, format_args!("{text:?} is not a value of {field}; {expected} is expected"))
        };
        let none = !quoted && text == "none";
        Ok(match kind {
            Kind::OptionalText | Kind::Id | Kind::User if none => Operand::None,
            Kind::Text | Kind::OptionalText | Kind::Named => Operand::Text(text),
            Kind::User if text == "me" => Operand::Id(
                ctx.user().ok_or_else(|| unexpected("this key is not bound to a user, so a user's id"))?.0,
            ),
            Kind::Id | Kind::User => Operand::Id(Uuid::try_parse(&text).map_err(|_| unexpected("an id"))?),
            Kind::Time => Operand::Time(
                Timestamp::parse("filter", &text)
                    .map_err(|_| unexpected("a time such as 2026-01-31 or 2026-01-31T12:00:00Z"))?,
            ),
            Kind::Boolean => match text.as_str() {
                "true" => Operand::Boolean(true),
                "false" => Operand::Boolean(false),
                _ => return Err(unexpected("true or false")),
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
        Err(self.fault(start, "the quote is not closed"))
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
    fn documented_filter_is_parsed() {
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
    fn error_names_the_column() {
        for (text, column, about) in [
            ("nonsense:1", 1, "no field"),
            ("status:A colour:red", 10, "no field"),
            ("status", 7, "expected after"),
            ("status:", 8, "needs a value"),
            ("status>A", 7, "takes only"),
            ("created>soon", 9, "is not a value"),
            ("status:\"open", 8, "not closed"),
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
    fn length_and_values_are_bounded() {
        assert!(fault(&"x".repeat(1_001)).contains("longer"));
        assert!(fault(&format!("status:{}", vec!["a"; 51].join(","))).contains("more than 50"));
    }

    #[test]
    fn malformed_filters_are_refused() {
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
    fn order_is_a_field_and_a_direction() {
        assert_eq!(SPEC.order("").unwrap(), Order { field: "created", descending: true });
        assert_eq!(SPEC.order("summary").unwrap(), Order { field: "summary", descending: false });
        assert_eq!(SPEC.order("created desc").unwrap(), Order { field: "created", descending: true });
        for bad in ["secret", "created down", "created desc asc"] {
            assert!(SPEC.order(bad).is_err(), "{bad}");
        }
    }
}
