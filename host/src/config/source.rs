//! Where settings come from: the file, the environment over it, the command line over both.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::Fault;
use super::settings::{SETTINGS, Setting, Standing, named};

/// What the command line reads itself: the file's place, and what `tessera plugin` needs to reach a host.
const OF_CLIENTS: [&str; 3] = ["TESSERA_CONFIG", "TESSERA_KEY", "TESSERA_SERVER"];

/// What was said of the settings, before it is read.
#[derive(Debug, Default)]
pub(crate) struct Said {
    values: BTreeMap<&'static str, Value>,
    /// What was wrong with the saying itself.
    pub(crate) faults: Vec<Fault>,
}

#[derive(Clone, Debug)]
struct Value {
    /// The name by which it was said.
    name: &'static str,
    text: String,
    place: &'static str,
}

impl Said {
    /// Gathers from all sources; each later one wins.
    pub(crate) fn gather(
        file: Option<(&Path, &str)>,
        environment: impl IntoIterator<Item = (String, OsString)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut said = Self::default();
        if let Some((path, text)) = file {
            said.read_file(path, text);
        }
        for (name, value) in environment {
            match SETTINGS.iter().find(|setting| setting.name == name) {
                Some(setting) => match value.into_string() {
                    Ok(value) => said.put(setting, value, "environment"),
                    Err(_) => said.faults.push(Fault::new(setting.name, "in the environment is not UTF-8")),
                },
                None if name.starts_with("TESSERA_")
                    && !name.starts_with("TESSERA_TEST_")
                    && !OF_CLIENTS.contains(&name.as_str()) =>
                {
                    said.unknown(&name, "environment");
                }
                None => {}
            }
        }
        for (name, value) in flags {
            match named(&name) {
                Some(setting) => said.put(setting, value, "command line"),
                None => said.unknown(&name, "command line"),
            }
        }
        said.follow_database();
        said
    }

    fn read_file(&mut self, path: &Path, text: &str) {
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                // Without the line itself, which may hold a secret.
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
                        format!("is of the type {found}; text, a number or true/false is expected"),
                    ));
                    continue;
                }
            };
            match named(&name) {
                Some(setting) => self.put(setting, text, "file"),
                None => self.unknown(&name, "file"),
            }
        }
    }

    /// Sets a setting under whichever of its names; what is said by two names at one place must be the same.
    fn put(&mut self, setting: &Setting, text: String, place: &'static str) {
        // An empty variable is how compose files and shells say "not set".
        if text.is_empty() && place == "environment" {
            return;
        }
        let of = match setting.standing {
            Standing::Alias(of) => of,
            Standing::Works | Standing::NotBuilt(..) => setting.name,
        };
        if let Some(held) = self.values.get(of)
            && held.place == place
            && held.text != text
        {
            let message = format!("is {text:?}, but {}, which means the same, is {:?}", held.name, held.text);
            self.faults.push(Fault::new(setting.name, message));
            return;
        }
        self.values.insert(of, Value { name: setting.name, text, place });
    }

    /// A database that is named is meant to be used.
    fn follow_database(&mut self) {
        if let Some(url) = self.values.get("DATABASE_URL")
            && !self.values.contains_key("DB_TYPE")
        {
            let (name, text, place) = ("DATABASE_URL", "postgres".to_owned(), url.place);
            self.values.insert("DB_TYPE", Value { name, text, place });
        }
    }

    fn unknown(&mut self, name: &str, place: &str) {
        let near = SETTINGS
            .iter()
            .map(|setting| setting.name)
            .min_by_key(|known| distance(known, &name.to_uppercase()));
        let hint = near.map(|near| format!("; is {near} meant?")).unwrap_or_default();
        self.faults.push(Fault::new(name, format!("in the {place} is not a setting{hint}")));
    }

    /// What a setting is, and whether somebody said so.
    pub(crate) fn get(&self, setting: &Setting) -> (&str, Option<&'static str>) {
        self.values
            .get(setting.name)
            .map_or((setting.default, None), |value| (&value.text, Some(value.place)))
    }
}

/// How many letters must be changed to make one word of another.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut before = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, to) in b.iter().enumerate() {
            let replace = before + usize::from(from != *to);
            before = row.get(j + 1).copied().unwrap_or(replace);
            let least = replace.min(before + 1).min(row.get(j).copied().unwrap_or(replace) + 1);
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = least;
            }
        }
    }
    row.last().copied().unwrap_or_default()
}
