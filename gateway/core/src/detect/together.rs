//! A device's points under one eye: which readings make a row, and what the rows came to.
//!
//! Good readings come in from [`super::bound`]; [`super::joint`] judges them. A device that sends its
//! points one by one makes a row of each message, in which the others are missing; with a declared
//! distance of samples a row holds the newest of each point.

use std::time::Duration;

use super::anomaly::UNOPENED;
use super::bytes::Bytes;
use super::joint::{Joint, Judgement};
use crate::reading::{Quality, Reading, Timestamp};

/// A pause of so many usual distances is an outage: forecasts from before it mean nothing.
const OUTAGE: u32 = 16;
/// After one of so many, levels from before it mean nothing either: the device is learnt anew.
const FORGOTTEN: u32 = 512;

/// The points of one device, watched together.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// Positions in the device type.
    points: Vec<usize>,
    every: Duration,
    row: Vec<Option<f64>>,
    last: Option<Timestamp>,
    /// The usual distance of rows.
    usual: Option<Duration>,
    joint: Joint,
    /// Whether the episode that is open has raised something.
    has_raised: Option<bool>,
    /// What the newest row came to.
    pub judgement: Option<Judgement>,
}

impl Together {
    pub fn new(points: &[usize], every: Duration) -> Self {
        Self {
            points: points.to_vec(),
            every,
            row: vec![None; points.len()],
            last: None,
            usual: None,
            joint: Joint::new(points.len(), None),
            has_raised: None,
            judgement: None,
        }
    }

    /// Takes the readings of one frame; true when they made a row.
    pub fn handle(&mut self, readings: &[Reading], at: Timestamp) -> bool {
        for (slot, point) in self.row.iter_mut().zip(&self.points) {
            let good = readings.iter().find(|r| r.point == *point && r.quality == Quality::Good);
            *slot = good.map(|r| r.value).or(*slot);
        }
        if self.last.is_some_and(|last| at >= last && at.since(last) < self.every) {
            return false;
        }
        if let Some(last) = self.last.replace(at) {
            let distance = at.since(last);
            let usual = *self.usual.get_or_insert(distance);
            if distance > usual * FORGOTTEN {
                self.joint = Joint::new(self.points.len(), None);
            } else if at < last || distance > usual * OUTAGE {
                self.joint.handle_gap();
            } else {
                self.usual = Some((usual * 15 + distance) / 16);
            }
        }
        self.judgement = Some(self.joint.handle(&self.row));
        self.row.fill(None);
        true
    }

    /// Notes whether the newest row raises something; true when an episode is over in which none did.
    pub fn was_held_back(&mut self, raises: bool) -> bool {
        if self.is_open() {
            self.has_raised = Some(raises || self.has_raised == Some(true));
            return false;
        }
        self.has_raised.take() == Some(false)
    }

    /// Whether the points do not fit each other at present.
    pub fn is_open(&self) -> bool {
        self.judgement.as_ref().is_some_and(|judgement| judgement.is_open)
    }

    /// 0..1, as it is told: from 0.5 only while the points do not fit.
    pub fn score(&self) -> f64 {
        let Some(judgement) = &self.judgement else { return 0.0 };
        if judgement.is_open { judgement.score.max(0.5) } else { judgement.score.min(UNOPENED) }
    }

    /// How rare rows like the newest are on this device, in powers of ten.
    pub fn powers(&self) -> f64 {
        self.judgement.as_ref().map_or(0.0, |judgement| judgement.powers)
    }

    /// The usual distance of rows, in seconds; 0 until known.
    pub fn interval(&self) -> f64 {
        self.usual.map_or(0.0, |usual| usual.as_secs_f64())
    }

    /// What it knows, as bytes for the disk; `None` before the first row.
    pub fn remember(&self) -> Option<Vec<u8>> {
        let last = self.last.filter(|_| self.judgement.is_some())?;
        let usual = u64::try_from(self.usual.unwrap_or_default().as_millis()).ok()?;
        let mut bytes = last.0.to_le_bytes().to_vec();
        bytes.extend(usual.to_le_bytes());
        bytes.extend(self.joint.remember());
        Some(bytes)
    }

    /// Goes on from what was kept; false when it cannot be read.
    pub fn recall(&mut self, bytes: &[u8]) -> bool {
        let mut from = Bytes(bytes);
        let times = from.array().map(i64::from_le_bytes).zip(from.array().map(u64::from_le_bytes));
        let joint = Joint::recall(self.points.len(), from.0);
        let (Some((last, usual)), Some(joint)) = (times, joint) else { return false };
        self.last = Some(Timestamp(last));
        self.usual = (usual > 0).then(|| Duration::from_millis(usual));
        self.joint = joint;
        true
    }

    /// Goes on from what was learnt of the same points under an earlier configuration.
    pub fn inherit(&mut self, before: Self) {
        *self = Self { every: self.every, ..before };
    }

    /// The clock that times the rows was set.
    pub fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.last = self.last.map(to);
    }

    /// The points' positions, in the order of a judgement's shares.
    pub fn points(&self) -> &[usize] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(point: usize, value: f64, quality: Quality) -> Reading {
        Reading { point, value, quality }
    }

    #[test]
    fn a_row_is_what_a_frame_brings_or_what_came_within_the_distance() {
        let good = |point, value| reading(point, value, Quality::Good);
        let mut each = Together::new(&[0, 2], Duration::ZERO);
        assert!(each.handle(&[good(0, 1.0)], Timestamp(0)));
        assert!(each.handle(&[good(2, 1.0)], Timestamp(0)), "the same moment, another message");

        let mut gathered = Together::new(&[0, 2], Duration::from_mins(1));
        assert!(gathered.handle(&[good(0, 1.0)], Timestamp(0)));
        assert!(!gathered.handle(&[good(2, 5.0)], Timestamp(30_000)));
        assert_eq!(gathered.row, [None, Some(5.0)]);
        assert!(gathered.handle(&[good(0, 1.0)], Timestamp(60_000)));
        assert!(gathered.handle(&[good(0, 1.0)], Timestamp(10_000)), "the clock went back");
    }

    #[test]
    fn after_a_long_outage_a_device_is_learnt_anew() {
        let good = |value| [reading(0, value, Quality::Good), reading(1, value, Quality::Good)];
        let mut together = Together::new(&[0, 1], Duration::ZERO);
        for second in 0..600 {
            together.handle(&good(f64::from(second % 7)), Timestamp(i64::from(second) * 1_000));
        }
        assert!(!together.judgement.as_ref().unwrap().is_learning);

        together.handle(&good(900.0), Timestamp(30 * 86_400_000));

        assert!(together.judgement.as_ref().unwrap().is_learning && !together.is_open());
    }

    #[test]
    fn no_deviation_is_too_rare_for_a_budget_and_what_it_held_back_is_told_when_it_is_over() {
        let good = |t, h| [reading(0, t, Quality::Good), reading(1, h, Quality::Good)];
        let mut together = Together::new(&[0, 1], Duration::ZERO);
        let (mut most, mut episodes, mut told) = (0.0_f64, 0, 0);
        for second in 0..3_000 {
            let calm = f64::from(second * 7919 % 101) / 100.0;
            let bad = if second > 1_000 && second % 50 == 0 { 4e6 } else { 0.0 };
            let was_open = together.is_open();
            together.handle(&good(calm, calm + bad), Timestamp(i64::from(second) * 1_000));
            if together.is_open() {
                most = most.max(together.powers());
                episodes += i32::from(!was_open);
            }
            told += i32::from(together.was_held_back(episodes == 2));
        }

        assert!((10.0..15.0).contains(&most), "{most}");
        assert!(
            told > 1 && told == episodes - 1 - i32::from(together.is_open()),
            "{told} of {episodes}"
        );
    }

    #[test]
    fn a_reading_that_is_not_good_is_missing() {
        let mut together = Together::new(&[0, 1], Duration::from_mins(1));
        together.handle(&[], Timestamp(0));
        together.handle(&[reading(0, 9.0, Quality::OutOfRange)], Timestamp(1));
        assert_eq!(together.row, [None, None]);
    }
}
