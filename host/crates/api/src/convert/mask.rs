//! Field masks: which fields of a request count.

use prost_types::FieldMask;
use tessera_core::input;
use tessera_core::{Error, Result};

/// The paths of an update mask. Without a mask, all fields are selected; an empty mask selects none.
#[derive(Debug)]
pub(crate) struct Mask(input::FieldMask);

impl Mask {
    /// Reads a mask and refuses unknown paths. `open` is a field whose parts are paths as well.
    pub(crate) fn read(mask: Option<FieldMask>, paths: &[&str], open: Option<&str>) -> Result<Self> {
        let Some(mask) = mask else { return Ok(Self(input::FieldMask::All)) };
        let is_part = |path: &str| {
            open.and_then(|open| path.strip_prefix(open)?.strip_prefix('.'))
                .is_some_and(|part| !part.is_empty())
        };
        // JSON has `settings` for `settings_json`, and `status` for `status_name`.
        let is_known = |path: &str| {
            let short = |name: &str| name.strip_suffix("_json").or(name.strip_suffix("_name")) == Some(path);
            paths.iter().any(|name| *name == path || short(name))
        };
        match mask.paths.iter().find(|path| !is_known(path) && !is_part(path)) {
            Some(path) => {
                let expected = paths.join(", ");
                Err(Error::invalid(
                    "update_mask",
                    format!("has the path {path:?}; one of {expected} is expected"),
                ))
            }
            None => Ok(Self(input::FieldMask::Only(mask.paths))),
        }
    }

    /// Returns the mask for fields whose paths are their own names.
    #[must_use]
    pub(crate) fn fields(&self) -> &input::FieldMask {
        &self.0
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        match &self.0 {
            input::FieldMask::All => [].iter(),
            input::FieldMask::Only(paths) => paths.iter(),
        }
        .map(String::as_str)
    }

    /// Whether there is no mask.
    #[must_use]
    pub(crate) fn is_absent(&self) -> bool {
        self.0 == input::FieldMask::All
    }

    /// Whether the mask has a path.
    #[must_use]
    pub(crate) fn names(&self, path: &str) -> bool {
        let short = path.strip_suffix("_json").unwrap_or(path);
        self.paths().any(|masked| masked == path || masked == short)
    }

    /// Returns the value if there is no mask or if the mask has the path.
    pub(crate) fn keep<T>(&self, path: &str, value: T) -> Option<T> {
        (self.is_absent() || self.names(path)).then_some(value)
    }

    /// Returns the parts of a field that the mask has.
    pub(crate) fn parts<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.paths().filter_map(move |path| path.strip_prefix(field)?.strip_prefix('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(paths: &[&str]) -> Result<Mask> {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        Mask::read(Some(FieldMask { paths }), &["name", "fields"], Some("fields"))
    }

    #[test]
    fn absent_mask_keeps_everything_and_empty_mask_nothing() {
        let absent = Mask::read(None, &["name"], None).unwrap();
        assert!(absent.is_absent() && !absent.names("name"));
        assert_eq!(absent.keep("name", 1), Some(1));
        let empty = read(&[]).unwrap();
        assert!(!empty.is_absent());
        assert_eq!(empty.keep("name", 1), None);
    }

    #[test]
    fn json_names_stand_for_fields() {
        let mask = Some(FieldMask { paths: vec!["settings".into()] });
        let mask = Mask::read(mask, &["settings_json"], None).unwrap();
        assert_eq!(mask.keep("settings_json", 1), Some(1));
    }

    #[test]
    fn mask_keeps_its_paths() {
        let mask = read(&["name", "fields.a.b", "fields.c"]).unwrap();
        assert_eq!(mask.keep("name", 1), Some(1));
        assert_eq!(mask.keep("fields", 1), None);
        assert_eq!(mask.parts("fields").collect::<Vec<_>>(), ["a.b", "c"]);
    }

    #[test]
    fn unknown_path_is_refused_by_name() {
        for bad in ["nam", "", "fields.", "fieldsx", "name.x", "*"] {
            let error = read(&["name", bad]).unwrap_err();
            assert_eq!(error.faults()[0].field, "update_mask");
            assert!(error.message().contains(&format!("{bad:?}")), "{error}");
        }
    }
}
