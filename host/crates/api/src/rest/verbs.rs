//! Paths with a verb after a colon.
//!
//! The router knows no `{id}:verb`. Such a route is kept as `{id}/!verb`, and a path that has one of the known verbs at a
//! known position is rewritten before it is routed. `%3A` is a colon as well. No other file sees the internal form.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Stands for the colon in the router's paths.
const MARK: &str = "/!";

/// The documented paths with a verb after a colon.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verbs(Vec<Vec<String>>);

/// A documented path as the router has it.
pub(super) fn internal(path: &str) -> String {
    match split(path) {
        Some((head, verb)) => format!("{head}{MARK}{verb}"),
        None => path.to_owned(),
    }
}

/// A path of the router as it is documented.
#[must_use]
pub(crate) fn documented(path: &str) -> String {
    path.replace(MARK, ":")
}

/// Takes a verb off the last segment of a path.
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

    /// Whether a path has a known verb at a known place.
    fn knows(&self, path: &str) -> bool {
        let segments: Vec<_> = path.split('/').collect();
        self.0.iter().any(|route| {
            route.len() == segments.len()
                && route.iter().zip(&segments).all(|(pattern, segment)| fits(pattern, segment))
        })
    }

    /// Whether a path has a verb where only other verbs are known: nothing is there. What stands before the
    /// colon is an id at such places, and no id has one.
    fn misses(&self, path: &str) -> bool {
        let segments: Vec<_> = path.split('/').collect();
        let place = |route: &Vec<String>| {
            let mut pairs = route.iter().zip(&segments).take(route.len() - 1);
            route.len() == segments.len()
                && route.last().is_some_and(|last| last.contains("}:"))
                && pairs.all(|(pattern, segment)| fits(pattern, segment))
        };
        split(path).is_some() && !self.knows(path) && self.0.iter().any(place)
    }

    /// The request as the router knows it.
    #[must_use]
    pub(crate) fn rewrite(self: &Arc<Self>, mut request: Request) -> Request {
        let path = with_colon(request.uri().path());
        let marked = path.contains(MARK) || self.misses(&path);
        let Some((head, verb)) = split(&path).filter(|_| self.knows(&path)) else {
            if marked {
                *request.uri_mut() = Uri::from_static("/!");
            }
            return request;
        };
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let inside = format!("{head}{MARK}{verb}{query}");
        if let Ok(inside) = PathAndQuery::try_from(inside) {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(inside);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
        request
    }
}

/// The path with the escaped colon of its last segment as a colon.
fn with_colon(path: &str) -> Cow<'_, str> {
    let start = path.rfind('/').unwrap_or_default();
    let escaped =
        |index: &usize| path.get(*index..index + 3).is_some_and(|three| three.eq_ignore_ascii_case("%3a"));
    match (start..path.len()).rev().find(escaped) {
        Some(index) => format!("{}:{}", &path[..index], &path[index + 3..]).into(),
        None => path.into(),
    }
}

/// Whether a segment fits one of a route: `{id}:verb` fits any id with that verb.
fn fits(pattern: &str, segment: &str) -> bool {
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
    fn a_known_verb_at_a_known_place_is_taken_apart() {
        assert_eq!(rewritten("/v1/issues/7:transition?a=b"), "/v1/issues/7/!transition?a=b");
        assert_eq!(rewritten("/v1/issues:bulkUpdate"), "/v1/issues/!bulkUpdate");
        assert_eq!(rewritten("/v1/issues/7%3Atransition?a=b"), "/v1/issues/7/!transition?a=b");
        assert_eq!(rewritten("/v1/issues%3abulkUpdate"), "/v1/issues/!bulkUpdate");
    }

    #[test]
    fn what_only_looks_like_a_verb_stays() {
        for path in ["/v1/issues/7/labels/a:transition", "/v1/issues/:transition", "/", "/a:b"] {
            assert_eq!(rewritten(path), path);
        }
    }

    #[test]
    fn an_unknown_verb_is_an_unknown_route() {
        assert_eq!(rewritten("/v1/issues/7:fly"), "/!");
    }

    #[test]
    fn nobody_reaches_a_verb_by_its_inside_name() {
        assert_eq!(rewritten("/v1/issues/7/!transition"), "/!");
    }
}
