//! One table for people, and the same as JSON for programs.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::load::Measured;

/// A figure beside its floor.
pub(crate) struct Row {
    /// What was measured, on what, at which size.
    pub(crate) what: [String; 4],
    /// What it gave.
    pub(crate) subject: Measured,
    /// What the floor gave; none: this row has no floor of its own.
    pub(crate) floor: Option<Measured>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.subject.rate / floor.rate)
    }

    fn cells(&self) -> [String; 9] {
        let [operation, transport, store, size] = self.what.clone();
        let floor = self.floor.map_or("–".to_owned(), |floor| format!("{:.0}", floor.rate));
        let ratio = self.ratio().map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let Measured { rate, p50, p99, .. } = self.subject;
        let (rate, p50, p99) = (format!("{rate:.0}"), format!("{p50:.3}"), format!("{p99:.3}"));
        [operation, transport, store, size, rate, p50, p99, floor, ratio]
    }

    fn json(&self) -> Value {
        let [operation, transport, store, size] = &self.what;
        let figures = |m: &Measured| json!({"per_second": m.rate, "p50_ms": m.p50, "p99_ms": m.p99});
        json!({
            "operation": operation, "transport": transport, "store": store, "size": size,
            "subject": figures(&self.subject), "floor": self.floor.as_ref().map(figures), "ratio": self.ratio(),
        })
    }
}

/// Prints the rows, and writes them under `target/bench`.
pub(crate) fn show(name: &str, rows: &[Row]) -> Result<()> {
    let columns = ["operation", "by", "on", "size", "per second", "p50 ms", "p99 ms", "floor", "ratio"];
    print(columns, rows.iter().map(Row::cells));
    write(name, &rows.iter().map(Row::json).collect())
}

/// Prints a table of any columns.
pub(crate) fn print<const N: usize>(columns: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    println!("| {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(N));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}

/// Writes figures under `target/bench`.
pub(crate) fn write(name: &str, figures: &Value) -> Result<()> {
    let folder = Path::new("target/bench");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(format!("{name}.json")), serde_json::to_vec_pretty(figures)?)?;
    Ok(())
}
