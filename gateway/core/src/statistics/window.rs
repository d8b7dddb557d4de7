//! The readings around an event, one by one, so that another rule can be run on them.
//!
//! Each device remembers its last [`RECENT`] frames. When a detector on it counts, those of the last
//! [`BEFORE`] and all that follow are put aside, until [`AFTER`] has passed without one that counts, or
//! there are [`MOST_BYTES`] of them. Values are `f32`: seven digits.

use std::collections::VecDeque;
use std::time::Duration;

use super::page::{Bytes, decimal, nearest, write_number, write_text};
use crate::reading::{Quality, Reading, Timestamp};

/// Frames that are remembered: with four points 1.5 kB a device.
const RECENT: usize = 64;

/// How far back a window begins at most.
const BEFORE: Duration = Duration::from_hours(2);

/// How long it goes on when nothing counts any more.
const AFTER: Duration = Duration::from_mins(15);

/// A window is no longer than this.
const MOST_BYTES: usize = 64 << 10;

/// A time takes this much at most, when it is within half an hour of the one before.
const TIME_BYTES: usize = 3;

const VERSION: u8 = 1;

/// What a device said lately, and around an event.
#[derive(Debug, Clone, Default)]
pub struct Around {
    recent: Rows,
    open: Option<Box<Open>>,
}

#[derive(Debug, Clone)]
struct Open {
    rows: Rows,
    /// When a detector last counted.
    counted: Timestamp,
}

/// Frames: times in milliseconds, and for each time a value of every point.
#[derive(Debug, Clone, Default)]
struct Rows {
    times: VecDeque<i64>,
    values: VecDeque<f32>,
}

/// The readings around an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub device: String,
    /// Names.
    pub points: Vec<String>,
    /// In the order of their coming; `NaN` where a point said nothing good.
    pub rows: Vec<(Timestamp, Vec<f64>)>,
}

impl Around {
    /// Notes the readings of one frame; `points` is how many points the device has.
    pub fn note(&mut self, points: usize, readings: &[Reading], at: Timestamp) {
        if readings.is_empty() {
            return;
        }
        let good = |point| readings.iter().find(|r| r.point == point && r.quality == Quality::Good);
        let value = |point| good(point).map_or(f32::NAN, |reading| nearest(reading.value));
        if self.recent.times.len() >= RECENT {
            self.recent.times.pop_front();
            self.recent.values.drain(..points.min(self.recent.values.len()));
        }
        self.recent.push(at, (0..points).map(value));
        if let Some(open) = &mut self.open {
            open.rows.push(at, (0..points).map(value));
        }
    }

    /// A detector counts, by the device's time.
    pub fn begin(&mut self, at: Timestamp) {
        let Self { recent, open } = self;
        open.get_or_insert_with(|| {
            Box::new(Open { rows: recent.since(at - BEFORE), counted: at })
        })
        .counted = at;
    }

    /// A detector still counts.
    pub fn go_on(&mut self, at: Timestamp) {
        if let Some(open) = &mut self.open {
            open.counted = at;
        }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether the window is over, by the device's time.
    pub fn is_over(&self, there: Timestamp) -> bool {
        self.open.as_ref().is_some_and(|open| {
            there.since(open.counted) >= AFTER || open.rows.bytes() >= MOST_BYTES
        })
    }

    /// What is remembered now: all of an open window, or what was said lately.
    pub fn look<'p>(&self, device: &str, points: impl ExactSizeIterator<Item = &'p str>) -> Window {
        let rows = self.open.as_ref().map_or(&self.recent, |open| &open.rows);
        let width = points.len();
        let values: Vec<f64> = rows.values.iter().copied().map(decimal).collect();
        let row = |(at, time): (usize, &i64)| {
            let values = values.get(at * width..(at + 1) * width).unwrap_or_default();
            (Timestamp(*time), values.to_vec())
        };
        Window {
            device: device.to_owned(),
            points: points.map(ToOwned::to_owned).collect(),
            rows: rows.times.iter().enumerate().map(row).collect(),
        }
    }

    /// Closes the window and writes it, with the time of its first row.
    pub fn close<'p>(
        &mut self,
        device: &str,
        points: impl ExactSizeIterator<Item = &'p str>,
    ) -> Option<(Timestamp, Vec<u8>)> {
        let Open { rows, .. } = *self.open.take()?;
        let first = Timestamp(*rows.times.front()?);
        let mut out = vec![VERSION];
        write_text(device, &mut out);
        let width = points.len();
        write_number(width as u64, &mut out);
        points.for_each(|point| write_text(point, &mut out));
        write_number(rows.times.len() as u64, &mut out);
        let mut values = rows.values.iter();
        let mut before = 0_i64;
        for time in rows.times {
            let step = time.wrapping_sub(before);
            write_number(((step << 1) ^ (step >> 63)).cast_unsigned(), &mut out);
            before = time;
            for value in values.by_ref().take(width) {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        Some((first, out))
    }
}

impl Rows {
    fn push(&mut self, at: Timestamp, values: impl Iterator<Item = f32>) {
        self.times.push_back(at.0);
        self.values.extend(values);
    }

    fn since(&self, at: Timestamp) -> Self {
        let skip = self.times.iter().take_while(|time| **time < at.0).count();
        let width = self.values.len() / self.times.len().max(1);
        Self {
            times: self.times.iter().skip(skip).copied().collect(),
            values: self.values.iter().skip(skip * width).copied().collect(),
        }
    }

    fn bytes(&self) -> usize {
        self.times.len() * TIME_BYTES + self.values.len() * size_of::<f32>()
    }
}

/// Reads a window; `None` when it is none of ours.
pub fn read(bytes: &[u8]) -> Option<Window> {
    let mut bytes = Bytes(bytes.strip_prefix(&[VERSION])?);
    let device = bytes.text()?;
    let width = bytes.count()?;
    let points = (0..width).map(|_| bytes.text()).collect::<Option<Vec<_>>>()?;
    let count = bytes.count()?;
    let mut before = 0_i64;
    let mut row = || {
        let zigzag = bytes.number()?;
        before = before.wrapping_add((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed());
        let mut value = || Some(decimal(f32::from_le_bytes(bytes.array()?)));
        let values = (0..width).map(|_| value()).collect::<Option<_>>()?;
        Some((Timestamp(before), values))
    };
    let rows = (0..count).map(|_| row()).collect::<Option<_>>()?;
    Some(Window { device, points, rows })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn note(around: &mut Around, seconds: i64, value: f64) {
        let good = Reading { point: 0, value, quality: Quality::Good };
        let bad = Reading { point: 1, value: 7.0, quality: Quality::Stuck };
        around.note(2, &[good, bad], Timestamp(seconds * 1_000));
    }

    fn close(around: &mut Around) -> Option<Window> {
        let (_, bytes) = around.close("t1", ["a", "b"].into_iter())?;
        read(&bytes)
    }

    #[test]
    fn a_window_has_what_was_before_and_what_came_after() {
        let mut around = Around::default();
        (0..200)
            .for_each(|i| note(&mut around, i * 10, f64::from(u32::try_from(i).unwrap()) / 10.0));
        assert!(close(&mut around).is_none(), "nothing has happened");
        let lately = around.look("t1", ["a", "b"].into_iter());
        assert_eq!((lately.rows.len(), lately.rows[63].1[0]), (64, 19.9));
        around.begin(Timestamp(1_990_000));
        (200..210).for_each(|i| note(&mut around, i * 10, 0.1));

        let seen = around.look("t1", ["a", "b"].into_iter());
        let over = |seconds: i64| around.is_over(Timestamp(seconds * 1_000));
        assert!(!over(1_990 + 14 * 60) && over(1_990 + 15 * 60));
        let window = close(&mut around).unwrap();

        assert_eq!((window.device.as_str(), window.rows.len()), ("t1", 64 + 10));
        assert_eq!(seen.rows.len(), 74, "and so it is seen before it is closed");
        assert_eq!(seen.rows[73].0, window.rows[73].0);
        assert_eq!((window.rows[0].0, window.rows[0].1[0]), (Timestamp(1_360_000), 13.6));
        assert_eq!(window.rows[73].1[0].to_bits(), 0.1_f64.to_bits(), "to the digit");
        assert!(window.rows.iter().all(|(_, values)| values[1].is_nan()), "it was not good");
        assert!(!around.is_open());
    }

    #[test]
    fn a_window_is_bounded_in_bytes_and_begins_two_hours_before_at_most() {
        let mut around = Around::default();
        (0..10).for_each(|i| note(&mut around, i * 3_600, 1.0));
        around.begin(Timestamp(9 * 3_600_000));
        assert_eq!(close(&mut around.clone()).unwrap().rows.len(), 3);

        let mut at = 9 * 3_600;
        while !around.is_over(Timestamp(at * 1_000)) {
            at += 1;
            note(&mut around, at, 2.0);
            around.go_on(Timestamp(at * 1_000));
        }
        let (_, bytes) = around.close("t1", ["a", "b"].into_iter()).unwrap();
        assert!((55_000..=66_000).contains(&bytes.len()), "{}", bytes.len());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&[&[VERSION], &bytes[..]].concat());
        }
    }
}
