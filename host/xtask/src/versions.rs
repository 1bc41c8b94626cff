//! The pinned versions of tools and servers. That of Rust is in `rust-toolchain.toml`.

/// The oldest supported major version of PostgreSQL.
pub(crate) const POSTGRES_MINIMUM: u32 = 15;

/// cargo-deny: licences, bans, sources, advisories.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// cargo-llvm-cov: coverage of the tests.
pub(crate) const CARGO_LLVM_COV: &str = "0.9.1";

/// componentize-qjs, from npm: makes components of JavaScript. The template of `tessera plugin new` has the same.
pub(crate) const COMPONENTIZE_QJS: &str = "0.4.5";

/// componentize-py, a Python package: makes components of Python. The template of `tessera plugin new` has the same.
pub(crate) const COMPONENTIZE_PY: &str = "0.25.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_plugins_have_the_versions_that_tests_use() {
        let javascript = include_str!("../../src/plugin/template/javascript/package.json");
        assert!(
            javascript.contains(&format!("\"componentize-qjs\": \"{COMPONENTIZE_QJS}\"")),
            "{javascript}"
        );
        let python = include_str!("../../src/plugin/template/python/requirements.txt");
        assert_eq!(python, format!("componentize-py=={COMPONENTIZE_PY}\n"));
    }
}
