//! Paths with a verb after a colon.
//!
//! The router does not support `{id}:verb`. Such a route is registered as `{id}/!verb`, and a path with a known verb at
//! a known position is rewritten before it is routed. `%3A` counts as a colon. Only this file uses the internal form.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Replaces the colon in the paths of the router.
const MARK: &str = "/!";

/// The documented paths with a verb after a colon.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verbs(Vec<Vec<String>>);

/// Converts a documented path to the internal form.
pub(super) fn internal(path: &str) -> String {
    match split(path) {
        Some((head, verb)) => format!("{head}{MARK}{verb}"),
        None => path.to_owned(),
    }
}

/// Converts a path of the router to the documented form.
#[must_use]
pub(crate) fn documented(path: &str) -> String {
    path.replace(MARK, ":")
}

/// Splits the verb off the last segment of a path.
fn split(path: &str) -> Option<(&str, &str)> {
    let start = path.rfind('/')?;
    let colon = path.rfind(':').filter(|colon| *colon > start + 1)?;
    let (head, verb) = path.split_at_checked(colon)?;
    Some((head, verb.get(1..)?))
}

impl Verbs {
    pub(super) fn add(&mut self, path: &str) {
        if split(path).is_some() {
            self.0.push(path.split('/').map(str::to_owned).collect());
        }
    }

    /// Whether a path has a known verb at a known position.
    fn has_known_verb(&self, path: &str) -> bool {
        let segments: Vec<_> = path.split('/').collect();
        self.0.iter().any(|route| {
            route.len() == segments.len()
                && route.iter().zip(&segments).all(|(pattern, segment)| matches(pattern, segment))
        })
    }

    /// Whether a path has an unknown verb where other verbs are known. Such a path does not exist, since ids have no
    /// colon.
    fn has_unknown_verb(&self, path: &str) -> bool {
        let segments: Vec<_> = path.split('/').collect();
        let fits_route = |route: &Vec<String>| {
            let mut pairs = route.iter().zip(&segments).take(route.len() - 1);
            route.len() == segments.len()
                && route.last().is_some_and(|last| last.contains("}:"))
                && pairs.all(|(pattern, segment)| matches(pattern, segment))
        };
        split(path).is_some() && !self.has_known_verb(path) && self.0.iter().any(fits_route)
    }

    /// Rewrites the path of a request to the internal form.
    #[must_use]
    pub(crate) fn rewrite(self: &Arc<Self>, mut request: Request) -> Request {
        let path = with_colon(request.uri().path());
        let is_unknown = path.contains(MARK) || self.has_unknown_verb(&path);
        let Some((head, verb)) = split(&path).filter(|_| self.has_known_verb(&path)) else {
            if is_unknown {
                *request.uri_mut() = Uri::from_static("/!");
            }
            return request;
        };
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let internal = format!("{head}{MARK}{verb}{query}");
        if let Ok(internal) = PathAndQuery::try_from(internal) {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(internal);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
        request
    }
}

/// Unescapes the colon in the last segment of a path.
fn with_colon(path: &str) -> Cow<'_, str> {
    let start = path.rfind('/').unwrap_or_default();
    let escaped =
        |index: &usize| path.get(*index..index + 3).is_some_and(|three| three.eq_ignore_ascii_case("%3a"));
    match (start..path.len()).rev().find(escaped) {
        Some(index) => format!("{}:{}", &path[..index], &path[index + 3..]).into(),
        None => path.into(),
    }
}

/// Whether a segment matches a pattern: `{id}:verb` matches any id with that verb.
fn matches(pattern: &str, segment: &str) -> bool {
    let Some(open) = pattern.find('{') else { return pattern == segment };
    let Some(close) = pattern.rfind('}') else { return false };
    let (head, tail) =
        (pattern.get(..open).unwrap_or_default(), pattern.get(close + 1..).unwrap_or_default());
    segment.len() > head.len() + tail.len() && segment.starts_with(head) && segment.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn rewritten(path: &str) -> String {
        let mut verbs = Verbs::default();
        for route in ["/v1/issues/{issue_id}:transition", "/v1/issues:bulkUpdate", "/v1/issues/{issue_id}"] {
            verbs.add(route);
        }
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        Arc::new(verbs).rewrite(request).uri().to_string()
    }

    #[test]
    fn known_verb_is_rewritten() {
        assert_eq!(rewritten("/v1/issues/7:transition?a=b"), "/v1/issues/7/!transition?a=b");
        assert_eq!(rewritten("/v1/issues:bulkUpdate"), "/v1/issues/!bulkUpdate");
        assert_eq!(rewritten("/v1/issues/7%3Atransition?a=b"), "/v1/issues/7/!transition?a=b");
        assert_eq!(rewritten("/v1/issues%3abulkUpdate"), "/v1/issues/!bulkUpdate");
    }

    #[test]
    fn other_paths_with_colons_are_unchanged() {
        for path in ["/v1/issues/7/labels/a:transition", "/v1/issues/:transition", "/", "/a:b"] {
            assert_eq!(rewritten(path), path);
        }
    }

    #[test]
    fn unknown_verb_is_not_routed() {
        assert_eq!(rewritten("/v1/issues/7:fly"), "/!");
    }

    #[test]
    fn internal_verb_path_is_not_reachable() {
        assert_eq!(rewritten("/v1/issues/7/!transition"), "/!");
    }
}
