//! All benches in one run, whose tables replace those of a Markdown page.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::report::Tables;
use crate::{quote, reserve, sandbox, tenants, tracker};

/// The arguments of each bench for the page, and for a quick trial of the command.
const BENCHES: [(&str, &[&str], &[&str]); 5] = [
    (
        "tracker",
        &["--span-ms", "600"],
        &["--span-ms", "50", "--rounds", "1", "--issues", "100", "--stores", "memdb"],
    ),
    (
        "sandbox",
        &["--span-ms", "400", "--issues", "1000"],
        &["--span-ms", "50", "--rounds", "1", "--issues", "100"],
    ),
    (
        "reserve",
        &["--span-ms", "700", "--events", "200"],
        &["--span-ms", "50", "--rounds", "1", "--events", "2", "--clients", "1", "--stores", "sqlite"],
    ),
    (
        "quote",
        &["--span-ms", "700"],
        &["--span-ms", "50", "--rounds", "1", "--callers", "1", "--stores", "sqlite"],
    ),
    ("tenants", &["--span-ms", "4000"], &["--span-ms", "100", "--rounds", "1", "--tenants", "2"]),
];

/// The tables of the benches, each with a block in the page.
const TABLES: [&str; 7] = ["tracker", "sandbox", "reserve", "quote", "memory", "starts", "neighbours"];

/// Options of the run.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// Binary of Tessera.
    #[arg(long, default_value = "target/dist/tessera")]
    binary: PathBuf,
    /// PostgreSQL server as postgres://user@host:port/database.
    #[arg(long, env = "TESSERA_TEST_POSTGRES")]
    postgres: String,
    /// Page whose tables are replaced.
    #[arg(long, default_value = "host/docs/PERFORMANCE.md")]
    page: PathBuf,
    /// Tries the command: measures briefly and prints the page instead of writing it.
    #[arg(long)]
    quick: bool,
}

/// Runs all benches and writes the page.
pub(crate) async fn run(options: Options, build: &str) -> Result<()> {
    let path = &options.page;
    let mut page =
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    // Before the benches, which take long.
    for name in TABLES {
        find_block(&page, name)?;
    }
    replace(&mut page, "build", &format!("{build}\n"))?;
    for (name, arguments, quick) in BENCHES {
        let arguments = if options.quick { quick } else { arguments };
        let command = format!("cargo xtask bench {name} {}", arguments.join(" "));
        println!("{command}");
        for table in run_bench(name, arguments, &options).await? {
            replace(&mut page, table.name, &format!("`{command}`\n\n{}", table.markdown()))?;
        }
    }
    if options.quick {
        println!("{page}");
        return Ok(());
    }
    std::fs::write(path, page).with_context(|| format!("{} cannot be written", path.display()))
}

async fn run_bench(name: &str, arguments: &[&str], options: &Options) -> Result<Tables> {
    let binary = options.binary.to_str().context("the path of the binary is not UTF-8")?;
    let common = [name, "--binary", binary];
    let postgres = ["--postgres", &options.postgres];
    let without_database = || common.iter().chain(arguments);
    let with_database = || common.iter().chain(&postgres).chain(arguments);
    match name {
        "tracker" => tracker::run(tracker::Options::try_parse_from(with_database())?).await,
        "sandbox" => sandbox::run(sandbox::Options::try_parse_from(with_database())?).await,
        "reserve" => reserve::run(reserve::Options::try_parse_from(with_database())?).await,
        "quote" => quote::run(quote::Options::try_parse_from(with_database())?).await,
        _ => tenants::run(tenants::Options::try_parse_from(without_database())?).await,
    }
}

/// Finds the text between `<!-- bench: name -->` and `<!-- end -->`.
fn find_block(page: &str, name: &str) -> Result<Range<usize>> {
    let marker = format!("<!-- bench: {name} -->\n");
    let begin =
        page.find(&marker).with_context(|| format!("the page has no {}", marker.trim()))? + marker.len();
    let length = page.get(begin..).and_then(|rest| rest.find("<!-- end -->"));
    let end = begin + length.with_context(|| format!("the block {name} of the page has no <!-- end -->"))?;
    Ok(begin..end)
}

/// Replaces the text of a block.
fn replace(page: &mut String, name: &str, text: &str) -> Result<()> {
    page.replace_range(find_block(page, name)?, &format!("\n{text}\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "# Page\n\n<!-- bench: a -->\nold\n<!-- end -->\n\nText.\n\n<!-- bench: b -->\n<!-- end -->\n";

    #[test]
    fn block_is_replaced_and_the_rest_of_the_page_stays() {
        let mut page = PAGE.to_owned();
        replace(&mut page, "a", "new\n").unwrap();
        assert_eq!(page, PAGE.replace("old\n", "\nnew\n\n"));
        let once = page.clone();
        replace(&mut page, "a", "new\n").unwrap();
        assert_eq!(page, once);
    }

    #[test]
    fn missing_block_is_an_error() {
        assert!(replace(&mut PAGE.to_owned(), "c", "new\n").is_err());
        assert!(replace(&mut "<!-- bench: a -->\n".to_owned(), "a", "new\n").is_err());
    }

    #[test]
    fn performance_page_has_a_block_for_each_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PERFORMANCE.md");
        let page = std::fs::read_to_string(path).unwrap();
        for name in ["build"].into_iter().chain(TABLES) {
            find_block(&page, name).unwrap();
        }
    }

    #[test]
    fn arguments_of_each_bench_are_valid() {
        for (name, full, quick) in BENCHES {
            for arguments in [full, quick] {
                let arguments = || [name].into_iter().chain(arguments.iter().copied());
                let with_database = || arguments().chain(["--postgres", "postgres://localhost/x"]);
                match name {
                    "tracker" => drop(tracker::Options::try_parse_from(with_database()).unwrap()),
                    "sandbox" => drop(sandbox::Options::try_parse_from(with_database()).unwrap()),
                    "reserve" => drop(reserve::Options::try_parse_from(with_database()).unwrap()),
                    "quote" => drop(quote::Options::try_parse_from(with_database()).unwrap()),
                    "tenants" => drop(tenants::Options::try_parse_from(arguments()).unwrap()),
                    other => panic!("{other} is no bench"),
                }
            }
        }
    }
}
