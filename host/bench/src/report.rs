//! Tables of figures: as Markdown for people, and the same as JSON for programs.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::load::Measurement;

/// What a bench returns: its tables, in the order of the page.
pub(crate) type Tables = Vec<Table>;

/// A table of figures.
pub(crate) struct Table {
    /// The name under which the page includes it.
    pub(crate) name: &'static str,
    markdown: String,
}

impl Table {
    /// Builds a table of any columns.
    pub(crate) fn new<const N: usize>(
        name: &'static str,
        columns: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Self {
        let mut markdown = format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(N));
        for row in rows {
            markdown.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        Self { name, markdown }
    }

    /// Returns the table as Markdown.
    pub(crate) fn markdown(&self) -> &str {
        &self.markdown
    }
}

/// A figure beside its floor.
pub(crate) struct Row {
    /// Operation, transport, store and size.
    pub(crate) labels: [String; 4],
    /// The measurement of Tessera.
    pub(crate) subject: Measurement,
    /// The measurement of the floor, if the row has one.
    pub(crate) floor: Option<Measurement>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.floor.map(|floor| self.subject.rate / floor.rate)
    }

    fn cells(&self) -> [String; 9] {
        let [operation, transport, store, size] = self.labels.clone();
        let floor = self.floor.map_or("–".to_owned(), |floor| format!("{:.0}", floor.rate));
        let ratio = self.ratio().map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
        let Measurement { rate, p50, p99, .. } = self.subject;
        let (rate, p50, p99) = (format!("{rate:.0}"), format!("{p50:.3}"), format!("{p99:.3}"));
        [operation, transport, store, size, rate, p50, p99, floor, ratio]
    }

    fn json(&self) -> Value {
        let [operation, transport, store, size] = &self.labels;
        let figures = |m: &Measurement| json!({"per_second": m.rate, "p50_ms": m.p50, "p99_ms": m.p99});
        json!({
            "operation": operation, "transport": transport, "store": store, "size": size,
            "subject": figures(&self.subject), "floor": self.floor.as_ref().map(figures), "ratio": self.ratio(),
        })
    }
}

/// Builds the table of the rows, and writes them as JSON.
pub(crate) fn compare(name: &'static str, rows: &[Row]) -> Result<Tables> {
    let columns = ["operation", "by", "on", "size", "per second", "p50 ms", "p99 ms", "floor", "ratio"];
    write_json(name, &rows.iter().map(Row::json).collect())?;
    Ok(vec![Table::new(name, columns, rows.iter().map(Row::cells))])
}

/// Writes figures to `target/bench`.
pub(crate) fn write_json(name: &str, figures: &Value) -> Result<()> {
    let folder = Path::new("target/bench");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(format!("{name}.json")), serde_json::to_vec_pretty(figures)?)?;
    Ok(())
}
