//! Field masks: which fields of a request count.

use prost_types::FieldMask;
use tessera_core::{Error, Result};

/// The paths that a client named; none: it named no mask, or an empty one.
#[derive(Debug)]
pub struct Mask(Option<Vec<String>>);

impl Mask {
    /// Reads a mask; a path that is not known is refused by its name. `open` is a field whose parts can be
    /// named as well.
    pub fn read(mask: Option<FieldMask>, known: &[&str], open: Option<&str>) -> Result<Self> {
        let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else { return Ok(Self(None)) };
        let is_part = |path: &str| {
            open.and_then(|open| path.strip_prefix(open)?.strip_prefix('.'))
                .is_some_and(|part| !part.is_empty())
        };
        match mask.paths.iter().find(|path| !known.contains(&path.as_str()) && !is_part(path)) {
            Some(path) => {
                let known = known.join(", ");
                Err(Error::invalid("update_mask", format!("names {path:?}; one of {known} is expected")))
            }
            None => Ok(Self(Some(mask.paths))),
        }
    }

    /// Whether there is no mask.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the mask names a path.
    #[must_use]
    pub fn names(&self, path: &str) -> bool {
        self.0.as_ref().is_some_and(|paths| paths.iter().any(|held| held == path))
    }

    /// The value, if there is no mask or if it names the path.
    pub fn keep<T>(&self, path: &str, value: T) -> Option<T> {
        (self.is_absent() || self.names(path)).then_some(value)
    }

    /// The parts of a field that the mask names.
    pub fn parts<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        let paths = self.0.iter().flatten();
        paths.filter_map(move |path| path.strip_prefix(field)?.strip_prefix('.'))
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
    fn without_a_mask_everything_counts() {
        for mask in [Mask::read(None, &["name"], None).unwrap(), read(&[]).unwrap()] {
            assert!(mask.is_absent());
            assert!(!mask.names("name"));
            assert_eq!(mask.keep("name", 1), Some(1));
        }
    }

    #[test]
    fn a_mask_keeps_what_it_names() {
        let mask = read(&["name", "fields.a.b", "fields.c"]).unwrap();
        assert_eq!(mask.keep("name", 1), Some(1));
        assert_eq!(mask.keep("fields", 1), None);
        assert_eq!(mask.parts("fields").collect::<Vec<_>>(), ["a.b", "c"]);
    }

    #[test]
    fn a_path_that_is_not_known_is_named() {
        for bad in ["nam", "", "fields.", "fieldsx", "name.x", "*"] {
            let error = read(&["name", bad]).unwrap_err();
            assert_eq!(error.faults()[0].field, "update_mask");
            assert!(error.message().contains(&format!("{bad:?}")), "{error}");
        }
    }
}
