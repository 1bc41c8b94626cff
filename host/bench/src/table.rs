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
    println!("| operation | by | on | size | per second | p50 ms | p99 ms | floor | ratio |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let [operation, transport, store, size] = &row.what;
        let floor = row.floor.map_or("–".to_owned(), |floor| format!("{:.0}", floor.rate));
        let ratio = row.ratio().map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let Measured { rate, p50, p99 } = row.subject;
        println!(
            "| {operation} | {transport} | {store} | {size} | {rate:.0} | {p50:.3} | {p99:.3} | {floor} | {ratio} |"
        );
    }
    let folder = Path::new("target/bench");
    std::fs::create_dir_all(folder)?;
    let rows: Vec<_> = rows.iter().map(Row::json).collect();
    std::fs::write(folder.join(format!("{name}.json")), serde_json::to_vec_pretty(&rows)?)?;
    Ok(())
}
