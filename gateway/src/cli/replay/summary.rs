//! What a recording came to: for a person in a few lines, for a script as one JSON object.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gatehouse_core::view::Counts;
use serde::Serialize;

use super::recording::{Reason, Refused, Tally};

/// The word under which the pipeline counts a value that is none.
const NO_DATA: &str = "no-data";

/// What came of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    #[serde(skip)]
    name: String,
    rows: u64,
    /// Empty cells, and cells that say NaN.
    missing: u64,
    /// Cells, rows and readings that were refused, altogether.
    refused: u64,
    /// The same by reason.
    reasons: BTreeMap<&'static str, u64>,
    /// Events that opened.
    opened: u64,
    /// The first cells and rows that could not be read.
    first_refused: Vec<Refused>,
}

impl Summary {
    pub(super) fn new(tally: Tally, opened: u64, counts: &Counts) -> Self {
        let mut reasons = counts.refused.clone();
        // An empty cell is nobody's fault, and an unreadable one is told by its own reason.
        if let Some(no_data) = reasons.get_mut(NO_DATA) {
            *no_data = no_data.saturating_sub(tally.missing + tally.refused_cells);
        }
        reasons.retain(|_, count| *count > 0);
        for (reason, count) in tally.refused {
            *reasons.entry(reason.word()).or_default() += count;
        }
        Self {
            name: tally.name,
            rows: tally.rows,
            missing: tally.missing,
            refused: reasons.values().sum(),
            reasons,
            opened,
            first_refused: tally.first,
        }
    }

    /// Lines for a person.
    pub(super) fn text(&self) -> String {
        let parts: Vec<String> =
            self.reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let parts =
            if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        let mut text = format!(
            "{} rows, {} cells empty, {} refused{parts}, {} events opened\n",
            self.rows, self.missing, self.refused, self.opened
        );
        for Refused { line, column, reason, found } in &self.first_refused {
            let told = match reason {
                Reason::NotANumber => format!("column `{column}`: `{found}` is no number"),
                Reason::NotFinite => format!("column `{column}`: `{found}` is no finite number"),
                Reason::NotUtf8 => format!("column `{column}`: `{found}` is not UTF-8"),
                Reason::NotATime => format!(
                    "row refused: `{found}` is no time; expected RFC 3339 or `YYYY-MM-DD HH:MM:SS`"
                ),
                Reason::TooManyCells => {
                    format!("row refused: it has more cells than the header, such as `{found}`")
                }
            };
            // Writing into a String cannot fail.
            writeln!(text, "{}:{line}: {told}", self.name).ok();
        }
        text
    }
}
