//! The sources of settings. The command line takes precedence over the environment, and the environment over the file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::Fault;
use super::settings::{SETTINGS, Setting, Status, find};

/// Variables that are options of the command line and no settings.
const COMMAND_LINE_VARIABLES: [&str; 3] = ["TESSERA_CONFIG", "TESSERA_KEY", "TESSERA_SERVER"];

/// Variables of other programs that are close to a setting.
const FOREIGN_VARIABLES: [&str; 1] = ["HTTPS_PORT"];

/// The least characters of a setting of which a misspelling is looked for: shorter names are close to too many others.
const MIN_MISSPELT: usize = 7;

/// The settings of all sources as text, not yet parsed.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    values: BTreeMap<&'static str, Value>,
    /// Faults of the sources: unknown names, contradictions, unreadable text.
    pub(crate) faults: Vec<Fault>,
    /// Environment variables that are no settings, but whose names are close to one.
    pub(crate) hints: Vec<Fault>,
}

#[derive(Clone, Debug)]
struct Value {
    /// The name or alias under which it was set.
    name: &'static str,
    text: String,
    source: &'static str,
}

impl Sources {
    /// Collects the settings. Later sources take precedence.
    pub(crate) fn collect(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, OsString)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut sources = Self::default();
        if let Some((path, text)) = file {
            sources.read_file(path, text);
        }
        for (name, value) in environment {
            match SETTINGS.iter().find(|setting| setting.name == name) {
                Some(setting) => match value.into_string() {
                    Ok(value) => sources.put(setting, value, "environment"),
                    Err(_) => {
                        sources.faults.push(Fault::new(setting.name, "in the environment is not UTF-8"))
                    }
                },
                None if name.starts_with("TESSERA_")
                    && !name.starts_with("TESSERA_TEST_")
                    && !COMMAND_LINE_VARIABLES.contains(&name.as_str()) =>
                {
                    sources.unknown(&name, "environment");
                }
                None if !value.is_empty() => sources.hints.extend(misspelling(&name)),
                None => {}
            }
        }
        for (name, value) in flags {
            match find(&name) {
                Some(setting) => sources.put(setting, value, "command line"),
                None => sources.unknown(&name, "command line"),
            }
        }
        sources.infer_db_type();
        sources
    }

    fn read_file(&mut self, path: &Path, text: &str) {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                // Without the text of the line, which may contain a secret.
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let (line, start) =
                    (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |at| at + 1));
                let column = before.get(start..).map_or(0, |head| head.chars().count()) + 1;
                let message = format!("cannot be read at line {line}, column {column}: {}", error.message());
                self.faults.push(Fault::new(&path.display().to_string(), message));
                return;
            }
        };
        for (name, value) in table {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                other => {
                    let found = other.type_str();
                    self.faults.push(Fault::new(
                        &name,
                        format!("is of the type {found}; it must be text, a number, true or false"),
                    ));
                    continue;
                }
            };
            match find(&name) {
                Some(setting) => self.put(setting, text, "file"),
                None => self.unknown(&name, "file"),
            }
        }
    }

    /// Stores a value. A setting and its alias in the same source must not contradict each other.
    fn put(&mut self, setting: &Setting, text: String, source: &'static str) {
        // Compose files and shells express "not set" as an empty variable.
        if text.is_empty() && source == "environment" {
            return;
        }
        let of = match setting.status {
            Status::Alias(of) => of,
            Status::Supported | Status::NotBuilt(..) => setting.name,
        };
        if let Some(other) = self.values.get(of)
            && other.source == source
            && other.text != text
        {
            let message =
                format!("is {text:?}, but {}, which means the same, is {:?}", other.name, other.text);
            self.faults.push(Fault::new(setting.name, message));
            return;
        }
        self.values.insert(of, Value { name: setting.name, text, source });
    }

    /// Makes `postgres` the default of `DB_TYPE` when `DATABASE_URL` is set.
    fn infer_db_type(&mut self) {
        if let Some(url) = self.values.get("DATABASE_URL")
            && !self.values.contains_key("DB_TYPE")
        {
            let (name, text, source) = ("DATABASE_URL", "postgres".to_owned(), url.source);
            self.values.insert("DB_TYPE", Value { name, text, source });
        }
    }

    fn unknown(&mut self, name: &str, source: &str) {
        let nearest = SETTINGS
            .iter()
            .map(|setting| setting.name)
            .min_by_key(|known| distance(known, &name.to_uppercase()));
        let hint = nearest.map(|nearest| format!("; is {nearest} meant?")).unwrap_or_default();
        self.faults.push(Fault::new(name, format!("in the {source} is not a setting{hint}")));
    }

    /// Returns the value of a setting, and its source unless the value is the default.
    pub(crate) fn get(&self, setting: &Setting) -> (&str, Option<&'static str>) {
        self.values
            .get(setting.name)
            .map_or((setting.default, None), |value| (&value.text, Some(value.source)))
    }
}

/// Returns a hint if the name of a variable is one edit away from a setting, or differs only in case.
fn misspelling(name: &str) -> Option<Fault> {
    let capitals = name.to_uppercase();
    let is_close = |setting: &&Setting| {
        setting.name.len() >= MIN_MISSPELT && is_one_edit_or_less(&capitals, setting.name)
    };
    let nearest = SETTINGS.iter().filter(|_| !FOREIGN_VARIABLES.contains(&name)).find(is_close)?.name;
    Some(Fault::new(name, format!("in the environment is not a setting; is {nearest} meant?")))
}

/// Returns whether two words differ in at most one character that is added, removed or replaced, or in two neighbours
/// that are swapped.
fn is_one_edit_or_less(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let prefix = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.get(prefix..).unwrap_or_default(), b.get(prefix..).unwrap_or_default());
    match (a, b) {
        ([], []) => true,
        ([x, y, rest @ ..], [s, t, other @ ..]) if (x, y) == (t, s) && rest == other => true,
        ([_, rest @ ..], [_, other @ ..]) if rest == other => true,
        ([_, rest @ ..], other) | (other, [_, rest @ ..]) if rest == other => true,
        _ => false,
    }
}

/// Returns the edit distance of two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // A row of the Levenshtein matrix: the distances of a prefix of `a` to each prefix of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, to) in b.iter().enumerate() {
            let replace = diagonal + usize::from(from != *to);
            diagonal = row.get(j + 1).copied().unwrap_or(replace);
            let least = replace.min(diagonal + 1).min(row.get(j).copied().unwrap_or(replace) + 1);
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = least;
            }
        }
    }
    row.last().copied().unwrap_or_default()
}
