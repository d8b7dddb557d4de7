//! The nouns that travel: when, from whom, what was sent, and what it means.
//!
//! A [`Frame`] is what a device said, untouched. [`crate::decode`] and [`crate::admission`] turn it
//! into [`Reading`]s: one value of one point, with a time and a [`Quality`]. A value that cannot be
//! trusted stays in sight with the reason; it is never replaced by zero.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::community::device_type::Function;

/// Milliseconds since the Unix epoch, UTC. The only notion of time in the core.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Time passed since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds, as events carry it.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or_else(|_| format!("{} ms", self.0), |t| format!("{t:.3}"))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// The text is neither RFC 3339 nor `YYYY-MM-DD HH:MM:SS` (taken as UTC).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time; expected RFC 3339 or `YYYY-MM-DD HH:MM:SS` (UTC)")]
pub struct NotATime(pub String);

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let text = text.trim();
        text.parse::<jiff::Timestamp>()
            .or_else(|_| {
                text.parse::<jiff::civil::DateTime>()
                    .and_then(|civil| jiff::tz::TimeZone::UTC.to_timestamp(civil))
            })
            .map(|t| Self(t.as_millisecond()))
            .map_err(|_| NotATime(text.to_owned()))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Whether the wall clock behind a [`Timestamp`] can be believed.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum TimeQuality {
    /// Disciplined by a time server.
    Synced,
    /// Was right once, runs on its own since.
    Holdover,
    /// Nobody has confirmed it since the box started.
    #[default]
    Unknown,
}

/// Position of a device in [`crate::community::Community::devices`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceIndex(pub usize);

/// Position of a broker, line or camera in [`crate::community::Community::sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceIndex(pub usize);

/// What a source wants back when nothing can be lost any more; its content is the source's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// Who handed the frame in.
    pub source: SourceIndex,
    /// Unique within the source for as long as it is open.
    pub id: u64,
}

/// Bytes or words as a device sent them, plus who and when. Not a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub device: DeviceIndex,
    /// Present when the source waits for [`crate::pipeline::Output::Settle`] (MQTT), absent when
    /// nobody does (Modbus: the device can be asked again).
    pub ticket: Option<Ticket>,
    pub body: Body,
}

/// The content of a [`Frame`], by kind of wire.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// An MQTT payload.
    Payload(Vec<u8>),
    /// Answers to the Modbus requests of one poll.
    Blocks(Vec<Block>),
    /// Values by point, in the device type's order (replay, cameras, local bus); `NaN` = no data.
    Values { at: Timestamp, values: Vec<f64> },
}

/// The answer to one Modbus request. Coils and discrete inputs are words of 0 or 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The table that was read; tables have addresses of their own.
    pub function: Function,
    /// First register or bit, as on the wire (0-based).
    pub start: u16,
    /// What came back, or why nothing did.
    pub words: Result<Vec<u16>, WireFault>,
    /// How many were asked for; a failed block covers `start .. start + count`.
    pub count: u16,
}

/// Why a wire gave no answer. Becomes a [`Quality`], never a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireFault {
    #[error("no answer within the line's timeout")]
    Timeout,
    /// Modbus exception code, application protocol V1.1b3, section 7.
    #[error("the device answered with Modbus exception {0}")]
    Exception(u8),
    #[error("the answer was damaged or had the wrong length")]
    Garbled,
    #[error("the line is closed")]
    Disconnected,
}

/// How far a [`Reading`] can be trusted. Only [`Quality::Good`] reaches a detector.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    Good,
    /// Outside the range that the device type declares.
    OutOfRange,
    /// Changed faster than the point can.
    Jumped,
    /// Has not changed for longer than a live sensor would.
    Stuck,
    /// The last good value is too old.
    Stale,
    /// The device sent its own code for "no data" (`-200`, `0xFFFF`, NaN).
    NoData,
    /// The field is missing from the frame.
    Missing,
    /// The field is there but is not what the device type declares.
    WrongType,
    /// The slave did not answer in time.
    Timeout,
    /// The slave answered with a Modbus exception.
    Exception,
    /// The answer was damaged.
    Garbled,
}

impl Quality {
    pub const ALL: [Self; 11] = [
        Self::Good,
        Self::OutOfRange,
        Self::Jumped,
        Self::Stuck,
        Self::Stale,
        Self::NoData,
        Self::Missing,
        Self::WrongType,
        Self::Timeout,
        Self::Exception,
        Self::Garbled,
    ];

    /// The word used in configuration, metrics and events.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::OutOfRange => "out-of-range",
            Self::Jumped => "jumped",
            Self::Stuck => "stuck",
            Self::Stale => "stale",
            Self::NoData => "no-data",
            Self::Missing => "missing",
            Self::WrongType => "wrong-type",
            Self::Timeout => "timeout",
            Self::Exception => "exception",
            Self::Garbled => "garbled",
        }
    }
}

/// One value of one point at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Position of the point in its device type.
    pub point: usize,
    /// In the unit that the device type declares; meaningless unless the quality says otherwise.
    pub value: f64,
    pub quality: Quality,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_written_forms_of_a_time_are_understood() {
        let expected = Ok(Timestamp(1_767_225_600_000));

        for text in ["2026-01-01T00:00:00Z", "2026-01-01 00:00:00", "2026-01-01T08:00:00+08:00"] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        assert_eq!("soon".parse::<Timestamp>(), Err(NotATime("soon".into())));
    }

    #[test]
    fn a_time_out_of_the_calendar_still_prints() {
        assert_eq!(Timestamp(i64::MAX).rfc3339(), format!("{} ms", i64::MAX));
        assert_eq!(Timestamp(1).rfc3339(), "1970-01-01T00:00:00.001Z");
    }
}
