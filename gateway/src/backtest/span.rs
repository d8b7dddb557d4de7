//! `--from` and `--to`.

use std::str::FromStr;
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use gatehouse_core::statistics::quarter::Quarter;

/// A time, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(ago) = text.strip_prefix('-') {
            let told = |_| format!("`{text}` is no time back from now; expected one such as `-7d`");
            return humantime::parse_duration(ago).map(Self::Ago).map_err(told);
        }
        let midnight = format!("{text} 00:00:00");
        text.parse().or_else(|_| midnight.parse()).map(Self::At).map_err(|_| {
            format!("`{text}` is no time; expected RFC 3339, `YYYY-MM-DD`, or one such as `-7d`")
        })
    }
}

/// From when until when, in whole quarters of an hour: those that begin in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    /// `None` when there is nothing in it. What has not been yet is left out.
    pub fn new(from: Moment, to: Moment, now: Timestamp) -> Option<Self> {
        let at = |moment| match moment {
            Moment::At(at) => at,
            Moment::Ago(ago) => now - ago,
        };
        let (from, to) = (at(from), at(to).min(now));
        (from < to).then_some(Self { from, to })
    }

    /// The same, and this much before it.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self { from: self.from - by, ..self }
    }

    pub fn contains(self, at: Timestamp) -> bool {
        (self.from..self.to).contains(&at)
    }

    pub fn quarters(self) -> impl Iterator<Item = Quarter> {
        let first = Quarter::of(self.from);
        let first = if first.start() < self.from { first.next() } else { first };
        (first.0..).map(Quarter).take_while(move |quarter| quarter.start() < self.to)
    }
}
