//! Rules of a plugin's manifest.

use tessera_core::plugin::Manifest;
use tessera_core::plugin::installation::RIGHTS;
use tessera_core::text::Faults;
use tessera_core::{Error, Result};

use crate::schema;

/// The most kinds of a manifest.
const MAX_KINDS: usize = 20;

/// The most attributes of a manifest.
const MAX_ATTRIBUTES: usize = 50;

/// Checks a manifest; the error lists every violation.
pub(crate) fn check(manifest: &Manifest) -> Result<()> {
    let mut faults = Faults::default();
    let name = manifest.name.as_bytes();
    let starts_with_letter = name.first().is_some_and(u8::is_ascii_lowercase);
    let is_plain = name.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
    if !starts_with_letter || !is_plain || name.len() > 63 {
        faults.add(
            "manifest.name",
            format_args!(
                "is {:?}; a lower-case letter, then letters, digits and hyphens, at most 63",
                manifest.name
            ),
        );
    }
    if let Err(error) = semver::Version::parse(&manifest.version) {
        faults.add(
            "manifest.version",
            format_args!("is {:?}, which is not a semantic version such as 1.2.0: {error}", manifest.version),
        );
    } else if manifest.version.len() > 64 {
        faults.add("manifest.version", "is longer than 64 characters");
    }
    faults.text("manifest.summary", &manifest.summary, 0, 500);
    if !manifest.settings_schema.is_empty() {
        faults.take(schema::check("manifest.settings-schema", &manifest.settings_schema));
    }
    if manifest.kinds.len() > MAX_KINDS {
        faults
            .add("manifest.kinds", format_args!("has {} entries; at most {MAX_KINDS}", manifest.kinds.len()));
    }
    for kind in &manifest.kinds {
        faults.text("manifest.kinds", kind, 1, 63);
    }
    for need in &manifest.needs {
        if !RIGHTS.contains(&need.as_str()) {
            let rights = RIGHTS.join(", ");
            faults.add("manifest.needs", format_args!("has {need:?}; one of {rights} is expected"));
        }
    }
    if manifest.attributes.len() > MAX_ATTRIBUTES {
        let count = manifest.attributes.len();
        faults.add("manifest.attributes", format_args!("has {count} entries; at most {MAX_ATTRIBUTES}"));
    }
    faults.into_result().map_err(|error: Error| error.with_reason("MANIFEST_INVALID"))
}

#[cfg(test)]
mod tests {
    use tessera_core::Field;

    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            name: "a-plugin".into(),
            version: "1.0.0-rc.1".into(),
            summary: String::new(),
            settings_schema: r#"{"type": "object"}"#.into(),
            kinds: vec!["issue".into()],
            needs: vec!["issue:update".into()],
            attributes: Vec::new(),
        }
    }

    #[test]
    fn each_violation_names_its_field() {
        assert!(check(&manifest()).is_ok());
        type Break = fn(&mut Manifest);
        let cases: [(&str, Break); 9] = [
            ("manifest.name", |manifest| manifest.name = "Plugin".into()),
            ("manifest.version", |manifest| manifest.version = "1".into()),
            ("manifest.version", |manifest| manifest.version = format!("1.0.0-{}", "x".repeat(64))),
            ("manifest.summary", |manifest| manifest.summary = "x".repeat(501)),
            ("manifest.settings-schema", |manifest| manifest.settings_schema = "{".into()),
            ("manifest.kinds", |manifest| manifest.kinds = vec!["k".into(); 21]),
            ("manifest.kinds", |manifest| manifest.kinds = vec![String::new()]),
            ("manifest.attributes", |manifest| manifest.attributes = vec![Field::new("a", "x"); 51]),
            ("manifest.needs", |manifest| manifest.needs = vec!["issue:burn".into()]),
        ];
        for (field, break_rule) in cases {
            let mut manifest = manifest();
            break_rule(&mut manifest);
            let error = check(&manifest).unwrap_err();
            assert_eq!((error.reason(), error.faults()[0].field.as_str()), ("MANIFEST_INVALID", field));
        }
    }
}
