//! Reads a recording row by row, and refuses what is no number and no time.
//!
//! A cell that cannot be read is no data, and the rest of its row counts; a row whose time cannot be
//! read is left out as a whole. Both are counted by reason, and the first of them are kept with their
//! place, so that somebody can mend the file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use anyhow::{Context, bail};
use gatehouse_core::reading::Timestamp;
use serde::Serialize;

/// How many refusals are kept with their place.
const FIRST: usize = 12;
/// Of these, how many of one column for one reason: a column of texts must not hide the others.
const ALIKE: usize = 3;
/// Longer texts are cut where they are shown.
const SHOWN: usize = 40;

/// Why a cell or a row is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    /// The cell is a text.
    NotANumber,
    /// The cell is an infinite number.
    NotFinite,
    /// The cell is not UTF-8.
    NotUtf8,
    /// The row's `timestamp` is no time, so the row has no place.
    NotATime,
    /// The row has more cells than the header, so nobody knows which is which.
    TooManyCells,
}

impl Reason {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotANumber => "not-a-number",
            Self::NotFinite => "not-finite",
            Self::NotUtf8 => "not-utf8",
            Self::NotATime => "not-a-time",
            Self::TooManyCells => "too-many-cells",
        }
    }
}

/// One refusal and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Refused {
    /// Counted from 1, the header's line.
    pub(super) line: u64,
    pub(super) column: String,
    pub(super) reason: Reason,
    /// What stands there.
    pub(super) found: String,
}

/// What a recording held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) name: String,
    pub(super) rows: u64,
    /// Empty cells, and cells that say NaN.
    pub(super) missing: u64,
    /// Cells and rows, by reason.
    pub(super) refused: BTreeMap<Reason, u64>,
    /// Of these, the cells alone.
    pub(super) refused_cells: u64,
    pub(super) first: Vec<Refused>,
}

impl Tally {
    fn refuse(&mut self, line: u64, column: &str, reason: Reason, found: &[u8]) {
        *self.refused.entry(reason).or_default() += 1;
        let is_alike = |first: &&Refused| first.column == column && first.reason == reason;
        if self.first.len() < FIRST && self.first.iter().filter(is_alike).count() < ALIKE {
            let found = String::from_utf8_lossy(found).trim().chars().take(SHOWN).collect();
            self.first.push(Refused { line, column: column.to_owned(), reason, found });
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    /// As it stands in the file.
    pub(super) timestamp: String,
    /// By point; none when the row is refused.
    pub(super) values: Option<(Timestamp, Vec<f64>)>,
}

/// A CSV with a header, under way.
pub(super) struct Recording<R> {
    rows: csv::Reader<R>,
    record: csv::ByteRecord,
    timestamp: usize,
    points: Vec<String>,
    positions: Vec<usize>,
    tally: Tally,
}

impl<R: Read> Recording<R> {
    /// Reads the header.
    pub(super) fn open(name: &str, input: R) -> anyhow::Result<Self> {
        let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let header = rows.byte_headers().with_context(|| format!("cannot read `{name}`"))?;
        let header: Vec<String> = header
            .iter()
            .map(|cell| std::str::from_utf8(cell).map(|cell| cell.trim().to_owned()))
            .collect::<Result<_, _>>()
            .with_context(|| format!("{name}:1: the file is not UTF-8; save it as UTF-8"))?;
        let Some(timestamp) = header.iter().position(|column| column == "timestamp") else {
            bail!("{name}:1: the header has no column `timestamp`; {}", found_instead(&header));
        };
        let others = || header.iter().enumerate().filter(move |(i, _)| *i != timestamp);
        let points: Vec<String> = others().map(|(_, column)| column.clone()).collect();
        if points.is_empty() {
            bail!("{name}:1: the header has no column besides `timestamp`");
        }
        if points.iter().collect::<BTreeSet<_>>().len() != points.len() {
            bail!("{name}:1: two columns have the same name");
        }
        let positions = others().map(|(i, _)| i).collect();
        let tally = Tally { name: name.to_owned(), ..Tally::default() };
        Ok(Self { rows, record: csv::ByteRecord::new(), timestamp, points, positions, tally })
    }

    /// The columns besides the time.
    pub(super) fn points(&self) -> &[String] {
        &self.points
    }

    /// The next row; none at the end.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Written>> {
        let name = &self.tally.name;
        let read = self.rows.read_byte_record(&mut self.record);
        if !read.with_context(|| format!("cannot read `{name}` to its end"))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        self.tally.rows += 1;
        let written = self.record.get(self.timestamp).unwrap_or_default();
        let timestamp = String::from_utf8_lossy(written).into_owned();
        let mut surplus = self.record.iter().skip(self.points.len() + 1);
        if let Some(cell) = surplus.find(|cell| !cell.trim_ascii().is_empty()) {
            self.tally.refuse(line, "", Reason::TooManyCells, cell);
            return Ok(Some(Written { timestamp, values: None }));
        }
        let Ok(at) = timestamp.parse::<Timestamp>() else {
            self.tally.refuse(line, "timestamp", Reason::NotATime, written);
            return Ok(Some(Written { timestamp, values: None }));
        };
        let mut values = Vec::with_capacity(self.points.len());
        for (position, column) in self.positions.iter().zip(&self.points) {
            let cell = self.record.get(*position).unwrap_or_default();
            let value = match number(cell) {
                Ok(value) => {
                    self.tally.missing += u64::from(value.is_none());
                    value
                }
                Err(reason) => {
                    self.tally.refused_cells += 1;
                    self.tally.refuse(line, column, reason, cell);
                    None
                }
            };
            values.push(value.unwrap_or(f64::NAN));
        }
        Ok(Some(Written { timestamp, values: Some((at, values)) }))
    }

    pub(super) fn finish(self) -> Tally {
        self.tally
    }
}

/// What a cell says; nothing when it is empty or says NaN.
fn number(cell: &[u8]) -> Result<Option<f64>, Reason> {
    let cell = std::str::from_utf8(cell).map_err(|_| Reason::NotUtf8)?.trim();
    if cell.is_empty() {
        return Ok(None);
    }
    match cell.parse::<f64>() {
        Ok(value) if value.is_nan() => Ok(None),
        Ok(value) if value.is_infinite() => Err(Reason::NotFinite),
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(Reason::NotANumber),
    }
}

fn found_instead(header: &[String]) -> String {
    let only = header.first().filter(|_| header.len() == 1);
    if let Some(parted) = only.and_then(|only| [';', '\t'].into_iter().find(|c| only.contains(*c)))
    {
        return format!("its cells are parted by {parted:?}, expected commas");
    }
    let similar = header.iter().find(|column| column.to_lowercase().contains("time"));
    let date = header.iter().find(|column| column.to_lowercase().contains("date"));
    match similar.or(date) {
        Some(column) => format!("rename `{column}` if that is it"),
        None => format!("it has {}", gatehouse_core::community::fault::listed(header)),
    }
}
