//! The schemas of the stores as numbered migrations, compiled into the binary.
//!
//! The files are listed here instead of by `sqlx::migrate!`, because sqlx's macros compile the drivers and SQLite a second
//! time for the build.

use std::sync::LazyLock;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// File name and statements of a migration.
type Step = (&'static str, &'static str);

macro_rules! step {
    ($file:literal) => {
        ($file, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../migrations/", $file)))
    };
}

const SQLITE: &[Step] = &[
    step!("sqlite/0001_baseline.sql"),
    step!("sqlite/0002_due_by_tenant.sql"),
    step!("sqlite/0003_pricing.sql"),
    step!("sqlite/0004_promotions.sql"),
    step!("sqlite/0005_booking_attempts.sql"),
];

const POSTGRES: &[Step] = &[
    step!("postgres/0001_baseline.sql"),
    step!("postgres/0002_due_by_tenant.sql"),
    step!("postgres/0003_pricing.sql"),
    step!("postgres/0004_promotions.sql"),
    step!("postgres/0005_booking_attempts.sql"),
];

/// The migrations of SQLite.
pub(crate) static SQLITE_MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| migrator(SQLITE));

/// The migrations of PostgreSQL.
pub(crate) static POSTGRES_MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| migrator(POSTGRES));

fn migrator(steps: &[Step]) -> Migrator {
    let migrations = steps.iter().filter_map(|&(file, statements)| {
        let (version, description) = version_and_description(file)?;
        let statements = statements.into_sql_str();
        Some(Migration::new(version, description.into(), MigrationType::Simple, statements, false))
    });
    Migrator::with_migrations(migrations.collect())
}

/// Parses `sqlite/0001_first_tables.sql` to 1 and `first tables`, as sqlx does.
fn version_and_description(file: &str) -> Option<(i64, String)> {
    let (_, name) = file.split_once('/')?;
    let (version, description) = name.strip_suffix(".sql")?.split_once('_')?;
    Some((version.parse().ok()?, description.replace('_', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_with_its_own_version() {
        for (store, steps, migrator) in
            [("sqlite", SQLITE, &SQLITE_MIGRATOR), ("postgres", POSTGRES, &POSTGRES_MIGRATOR)]
        {
            let folder = format!("{}/../../../migrations/{store}", env!("CARGO_MANIFEST_DIR"));
            let entries = std::fs::read_dir(folder).unwrap();
            let mut files: Vec<_> = entries
                .map(|entry| format!("{store}/{}", entry.unwrap().file_name().to_str().unwrap()))
                .collect();
            files.sort();
            let listed: Vec<_> = steps.iter().map(|(file, _)| *file).collect();
            assert_eq!(listed, files);

            let mut versions: Vec<_> = migrator.iter().map(|migration| migration.version).collect();
            versions.dedup();
            assert_eq!(versions.len(), files.len());
        }
    }
}
