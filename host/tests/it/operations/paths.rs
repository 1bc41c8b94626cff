//! The paths of an operation: the documented one, aliases for clients of the predecessors, and undocumented ones.

use std::sync::LazyLock;

use reqwest::Method;
use tessera_api::rest::served_routes;

use super::Row;

impl Row {
    /// Returns the row once for each path at which its operation is served, the documented path first.
    pub fn at_every_path(&self) -> Vec<Self> {
        static SERVED: LazyLock<Vec<(&'static str, Method, String)>> = LazyLock::new(served_routes);
        let others = SERVED
            .iter()
            .filter(|(id, method, path)| *id == self.id && *method == self.method && path != self.route);
        let others = others.map(|(_, _, path)| Self { path: self.alias(path).leak(), ..self.clone() });
        [self.clone()].into_iter().chain(others).collect()
    }

    /// Returns another path of the operation, for the same objects of the fixture.
    fn alias(&self, path: &str) -> String {
        let below_root = |path: &'static str| path.strip_prefix("/v1").unwrap_or(path);
        match path.strip_suffix(below_root(self.route)) {
            Some(root) => format!("{root}{}", below_root(self.path)),
            None => path.to_owned(),
        }
    }
}
