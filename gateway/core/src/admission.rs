//! The door: a decoded frame becomes readings with a quality, or is refused with a reason.
//!
//! Raw values come from [`crate::decode`]; what passes goes to [`crate::window`] and
//! [`crate::detect`], which see [`Quality::Good`] only. Everything else stays visible and counted.
//! A value is judged by what its device type declares, in this order: no data, range, rate of
//! change, stuck; a value outside the range is never compared with its neighbour, so that one spike
//! does not taint the honest reading that follows it.

mod own_clock;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::community::device_type::{DeviceType, Point, TimeField};
use crate::reading::{Quality, Reading, Timestamp};
pub use own_clock::{Order, OwnClock, fingerprint};

/// Why a whole frame was turned away.
///
/// A refusal is information about a device, not a failure of the gateway. It is counted per device
/// and shown on the console; nobody retries because of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Undecodable(#[from] crate::decode::Undecodable),
    #[error("frame is dated {ahead_ms} ms ahead of the gateway; check the device clock")]
    FromTheFuture { ahead_ms: i64 },
    #[error("frame is dated {age_ms} ms ago; check the device clock")]
    TooOld { age_ms: i64 },
    /// The wire delivered the same frame again. Harmless.
    #[error("frame was already seen")]
    Repeated,
    /// Older than what the device said before. Harmless after a reconnection.
    #[error("frame is {behind_ms} ms older than the one before it")]
    NotNewer { behind_ms: i64 },
}

impl Refusal {
    /// The word under which it is counted.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Undecodable(why) => why.word(),
            Self::FromTheFuture { .. } => "from-the-future",
            Self::TooOld { .. } => "too-old",
            Self::Repeated => "repeated",
            Self::NotNewer { .. } => "not-newer",
        }
    }

    /// Whether it says that something is wrong with the device, rather than with a connection.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Repeated | Self::NotNewer { .. })
    }
}

/// What one device said lately, as far as the next frame is judged by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    points: Vec<Memory>,
    /// The time of the newest readings.
    last: Option<Timestamp>,
    clock: OwnClock,
}

/// A frame that counts, and the time that its readings get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    pub at: Timestamp,
    pub order: Order,
    /// The times before it were told by another clock.
    pub is_other_clock: bool,
}

/// One point's past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The last good value and its time.
    pub good: Option<(Timestamp, f64)>,
    /// Since when the value has been exactly this.
    unchanged: Option<(Timestamp, f64)>,
    /// The quality of the last reading.
    pub quality: Option<Quality>,
    /// One bit per reading, the latest lowest: was it good?
    goods: u64,
    seen: u8,
}

impl Memory {
    /// Share of good readings among the last 64.
    pub fn share_good(&self) -> f64 {
        if self.seen == 0 { 0.0 } else { f64::from(self.goods.count_ones()) / f64::from(self.seen) }
    }

    /// How long the value has been what it is, at time `at`.
    pub fn held(&self, at: Timestamp) -> Duration {
        self.unchanged.map_or(Duration::ZERO, |(since, _)| at.since(since))
    }

    /// Whether it can be written down: JSON has neither infinity nor NaN.
    pub fn is_finite(&self) -> bool {
        self.good.into_iter().chain(self.unchanged).all(|(_, value)| value.is_finite())
    }

    fn note(&mut self, quality: Quality) {
        self.quality = Some(quality);
        self.goods = self.goods << 1 | u64::from(quality == Quality::Good);
        self.seen = (self.seen + 1).min(64);
    }
}

impl Gate {
    pub fn new(points: usize) -> Self {
        Self { points: vec![Memory::default(); points], last: None, clock: OwnClock::default() }
    }

    pub fn point(&self, point: usize) -> &Memory {
        &self.points[point]
    }

    /// The time of the newest readings since the start.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.last
    }

    /// What is known of the device's clock.
    pub fn clock(&self) -> &OwnClock {
        &self.clock
    }

    /// Whether the device has a clock and is not believed: its readings are dated by ours.
    pub fn is_doubted(&self) -> bool {
        self.clock.is_doubted
    }

    /// Puts back what was known of the device's clock before a restart.
    pub fn recall_clock(&mut self, clock: OwnClock) {
        self.clock = clock;
    }

    /// Puts back what was known of a point before a restart.
    pub fn recall(&mut self, point: usize, memory: Memory) {
        if let Some(known) = self.points.get_mut(point) {
            *known = memory;
        }
    }

    /// The clock that times this device was set.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        for memory in &mut self.points {
            memory.good = memory.good.map(|(at, value)| (to(at), value));
            memory.unchanged = memory.unchanged.map(|(at, value)| (to(at), value));
        }
        self.last = self.last.map(to);
    }

    /// Judges the device's own time. `trusted` says whether the gateway's clock can be believed;
    /// until then the device's time is not compared with it.
    ///
    /// `print` is the payload's [`fingerprint`]: a frame is counted once. A clock that went back is
    /// taken as it is when it is near ours now; else ours dates the readings until it is.
    ///
    /// # Errors
    /// The frame is dated wrongly, or has been seen.
    pub fn admit_time(
        &mut self,
        field: &TimeField,
        at: Timestamp,
        print: u64,
        trusted: bool,
        now: Timestamp,
    ) -> Result<Dated, Refusal> {
        let max_ahead = field.max_ahead.map_or(Duration::from_mins(5), |p| p.0);
        let max_age = field.max_age.map_or(Duration::from_hours(7 * 24), |p| p.0);
        if trusted && at > now + max_ahead {
            return Err(Refusal::FromTheFuture { ahead_ms: at.0.saturating_sub(now.0) });
        }
        let was_doubted = self.clock.is_doubted;
        let is_too_old = trusted && at < now - max_age && !was_doubted;
        let too_old = Refusal::TooOld { age_ms: now.0.saturating_sub(at.0) };
        if is_too_old && !self.clock.is_behind(at) {
            return Err(too_old);
        }
        let order = match self.clock.admit(at, print, now) {
            Err(Refusal::NotNewer { .. }) if is_too_old => return Err(too_old),
            other => other?,
        };
        let is_near = at >= now - max_ahead;
        self.clock.is_doubted = match order {
            Order::Forward => was_doubted && trusted && !is_near,
            Order::WentBack(_) => trusted && !is_near,
        };
        let is_other_clock = order != Order::Forward || was_doubted != self.clock.is_doubted;
        let at = if self.clock.is_doubted { now } else { at };
        Ok(Dated { at, order, is_other_clock })
    }

    /// Turns raw values into readings, in the order of the device type's points.
    ///
    /// `Missing` values of optional points make no reading.
    pub fn admit(
        &mut self,
        device_type: &DeviceType,
        values: &[Result<f64, Quality>],
        at: Timestamp,
        readings: &mut Vec<Reading>,
    ) {
        readings.clear();
        self.last = self.last.max(Some(at));
        for (index, ((point, memory), value)) in
            device_type.points.iter().zip(&mut self.points).zip(values).enumerate()
        {
            let (value, quality) = match *value {
                Ok(value) => (value, judge(point, memory, value, at)),
                Err(Quality::Missing) if point.optional => continue,
                Err(quality) => (f64::NAN, quality),
            };
            memory.note(quality);
            if quality == Quality::Good {
                memory.good = Some((at, value));
            }
            readings.push(Reading { point: index, value, quality });
        }
    }
}

/// Judges a value against its limits and against the last good one.
fn judge(point: &Point, memory: &mut Memory, value: f64, at: Timestamp) -> Quality {
    if point.range.is_some_and(|(lowest, highest)| !(lowest..=highest).contains(&value)) {
        return Quality::OutOfRange;
    }
    if memory.unchanged.is_none_or(|(_, same)| same.to_bits() != value.to_bits()) {
        memory.unchanged = Some((at, value));
    }
    if let (Some(max_rate), Some((then, before))) = (point.max_rate, memory.good)
        // A value from later than now is from another clock.
        && then <= at
        // Frames of a backlog arrive within milliseconds: times closer than a second say nothing.
        && (value - before).abs() > max_rate * at.since(then).as_secs_f64().max(1.0)
    {
        return Quality::Jumped;
    }
    if point.stuck_after.is_some_and(|limit| memory.held(at) > limit.0) {
        return Quality::Stuck;
    }
    Quality::Good
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::community::device_type::TimeFormat;

    const T0: Timestamp = Timestamp(1_000_000);

    fn thermometer() -> DeviceType {
        toml::from_str(
            r#"
            [device-type]
            id = "t"
            title = { zh = "温度", en = "thermometer" }
            via = "mqtt"
            [[point]]
            name = "temperature"
            at = { json = "/t" }
            unit = "degC"
            range = [-40, 85]
            max-rate = 0.5
            stuck-after = "10 min"
            "#,
        )
        .unwrap()
    }

    fn quality_after(gate: &mut Gate, value: f64, at: Timestamp) -> Quality {
        let mut readings = Vec::new();
        gate.admit(&thermometer(), &[Ok(value)], at, &mut readings);
        readings[0].quality
    }

    #[test]
    fn a_value_is_judged_by_range_first_and_rate_second() {
        let second = Duration::from_secs(1);
        let cases = [
            ("nothing to compare with", None, 21.0, Quality::Good),
            ("a believable rise", Some(21.0), 21.4, Quality::Good),
            ("ten degrees in a second", Some(21.0), 31.0, Quality::Jumped),
            ("outside the sensor's range", Some(84.9), 85.1, Quality::OutOfRange),
        ];
        for (why, before, value, expected) in cases {
            let mut gate = Gate::new(1);
            if let Some(before) = before {
                quality_after(&mut gate, before, T0);
            }
            assert_eq!(quality_after(&mut gate, value, T0 + second), expected, "{why}");
        }
    }

    #[test]
    fn a_spike_does_not_taint_the_honest_reading_after_it() {
        let mut gate = Gate::new(1);
        quality_after(&mut gate, 20.0, T0);

        assert_eq!(
            quality_after(&mut gate, 500.0, T0 + Duration::from_secs(1)),
            Quality::OutOfRange
        );
        assert_eq!(quality_after(&mut gate, 20.1, T0 + Duration::from_secs(2)), Quality::Good);
    }

    #[test]
    fn a_value_that_never_moves_is_stuck_until_it_moves() {
        let mut gate = Gate::new(1);
        quality_after(&mut gate, 20.0, T0);

        assert_eq!(quality_after(&mut gate, 20.0, T0 + Duration::from_mins(10)), Quality::Good);
        assert_eq!(quality_after(&mut gate, 20.0, T0 + Duration::from_mins(11)), Quality::Stuck);
        assert_eq!(quality_after(&mut gate, 20.1, T0 + Duration::from_mins(12)), Quality::Good);
    }

    #[test]
    fn a_frame_is_counted_once_and_dated_believably() {
        let field = TimeField {
            json: "/ts".into(),
            format: TimeFormat::UnixMs,
            max_ahead: None,
            max_age: None,
        };
        let mut gate = Gate::new(1);
        let mut admit = |at: Timestamp, print, trusted| {
            gate.admit_time(&field, at, print, trusted, T0).map(|_| ()).map_err(|r| r.word())
        };

        assert_eq!(admit(T0, 1, true), Ok(()));
        assert_eq!(admit(T0, 1, true), Err("repeated"));
        assert_eq!(admit(T0, 2, true), Ok(()), "two values within one millisecond");
        assert_eq!(admit(T0 - Duration::from_secs(1), 3, true), Err("not-newer"));
        assert_eq!(admit(T0 + Duration::from_hours(1), 4, true), Err("from-the-future"));
        assert_eq!(admit(T0 + Duration::from_hours(1), 4, false), Ok(()), "our clock may be wrong");
    }
}
