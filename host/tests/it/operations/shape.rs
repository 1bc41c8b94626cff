//! What differs from run to run, in the place of its value.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::operations::fixture::Fixture;

/// Fields that differ from call to call, and what stands for them.
const FRESH: [(&str, &str); 9] = [
    ("cursor", "<cursor>"),
    ("next_page_token", "<token>"),
    ("token", "<token>"),
    ("secret", "<secret>"),
    ("request_id", "<uuid>"),
    ("code", "<code>"),
    ("public_key", "<public key>"),
    ("key_id", "<key id>"),
    ("time_us", "<time>"),
];

/// Fields that also differ from build to build of a plugin, and versions.
const BUILT: [(&str, &str); 4] =
    [("etag", "<etag>"), ("digest", "<digest>"), ("fuel", "<fuel>"), ("size", "<size>")];

/// Replaces values by their shapes, with the fixture's names for its own objects.
pub struct Shape {
    names: Vec<(String, &'static str)>,
    masked: Vec<(&'static str, &'static str)>,
    now: OffsetDateTime,
}

impl Shape {
    /// For answers of one build.
    pub fn new(fixture: &Fixture) -> Self {
        Self { names: fixture.distinct(), masked: FRESH.to_vec(), now: OffsetDateTime::now_utc() }
    }

    /// For answers that are compared across builds.
    pub fn across_builds(fixture: &Fixture) -> Self {
        let shape = Self::new(fixture);
        Self { masked: FRESH.into_iter().chain(BUILT).collect(), ..shape }
    }

    pub fn header(&self, name: &str, value: &str) -> Value {
        match name {
            "etag" => json!("\"<etag>\""),
            _ => Value::String(self.text(value)),
        }
    }

    pub fn of(&self, value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), self.field(name, value)));
                Value::Object(fields.collect())
            }
            Value::Array(list) => list.iter().map(|item| self.of(item)).collect(),
            Value::String(text) => Value::String(self.text(text)),
            other => other.clone(),
        }
    }

    fn field(&self, name: &str, value: &Value) -> Value {
        if name == "by_time" {
            return self.curve(value);
        }
        match (self.masked.iter().find(|(known, _)| *known == name), value) {
            // Codes of errors and of promotions are values.
            (Some(("code", _)), Value::String(text)) if text.len() < 60 => json!(self.text(text)),
            (Some(_), Value::Null) => Value::Null,
            (Some(_), Value::String(text)) if text.is_empty() => value.clone(),
            (Some(_), Value::Object(_) | Value::Array(_)) | (None, _) => self.of(value),
            (Some((_, shape)), _) => json!(shape),
        }
    }

    /// The points of a curve from now to the start of an event, which may be far from now.
    fn curve(&self, points: &Value) -> Value {
        let mut points = self.of(points);
        for point in points.as_array_mut().into_iter().flatten() {
            point["at"] = json!("<time>");
        }
        points
    }

    /// A text with ids and times by their shape.
    pub fn text(&self, text: &str) -> String {
        let named = self
            .names
            .iter()
            .fold(text.to_owned(), |text, (value, name)| text.replace(value, &format!("<{name}>")));
        let mut out = String::new();
        let mut rest = named.as_str();
        while let Some(first) = rest.chars().next() {
            let (shape, length) = self.start(rest).unwrap_or((None, first.len_utf8()));
            out.push_str(shape.unwrap_or(&rest[..length]));
            rest = &rest[length..];
        }
        out
    }

    /// What stands for the start of a text, and how long that start is.
    fn start(&self, text: &str) -> Option<(Option<&'static str>, usize)> {
        if text.get(..36).is_some_and(|start| Uuid::try_parse(start).is_ok()) {
            return Some((Some("<uuid>"), 36));
        }
        if text.get(..64).is_some_and(|start| start.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Some((Some("<digest>"), 64));
        }
        let hexadecimal = text.bytes().take_while(u8::is_ascii_hexdigit).count();
        if hexadecimal == 16 && !text[16..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Some((Some("<key id>"), 16));
        }
        let end = text.find('Z').filter(|end| (19..=30).contains(end))?;
        let at = OffsetDateTime::parse(&text[..=end], &Rfc3339).ok()?;
        let near = (at - self.now).abs() < Duration::WEEK;
        Some((near.then_some("<time>"), end + 1))
    }
}
