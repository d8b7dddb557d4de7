//! What was heard of each device, kept on disk, so that a restart counts no reading twice.
//!
//! `heard/<device>` is the device's gate: its clock, the newest frames that were counted, and the last
//! value of each point with the time since when it stands. It is written
//!
//! 1. with every batch that a frame of the device leads to, in the same atomic write,
//! 2. for all devices that spoke, every [`CHECKPOINT`] and at a stop: no write of its own per frame.
//!
//! So what is on disk of a decision and of the frames that led to it belongs together. A frame that is
//! delivered again after a power cut is either known (it is dropped), or newer than anything that left
//! a trace: then it is taken in for the first time, as far as the disk can tell. What a power cut can
//! lose is at most [`CHECKPOINT`] of the memory of devices that led to nothing: the value that the next
//! one's rate of change is compared with, and the length of a run of equal values. Windows of rules
//! begin anew at each start.
//!
//! `learnt/<device>/<scene>/<detector>/<point>` is what a model's point knows of its past
//! ([`crate::detect::anomaly`]): written at a stop, and device by device every four hours.
//! `together/<device>/<scene>/<detector>` is what is known of its points as a whole
//! ([`crate::detect::joint`]), after a fingerprint of their names, in that order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Pipeline;
use super::recording::Occasion;
use crate::admission::{Memory, OwnClock, fingerprint};
use crate::community::device_type::DeviceType;
use crate::detect::together::Together;
use crate::detect::warning::Outlook;
use crate::reading::{DeviceIndex, Timestamp};

/// How often everything that was heard is written.
const CHECKPOINT: Duration = Duration::from_mins(15);

/// What points have learnt is some 2 kB each and grows old slowly: at each checkpoint one device of so
/// many writes it, so that a device's turn comes every four hours.
const TURNS: usize = 16;

/// Statistics are written with every third checkpoint: with the quarter that was open at the last, a
/// power cut costs at most an hour of them.
const STATISTICS_EVERY: usize = 3;

/// A device's memory, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Heard {
    /// How far its time lies behind ours.
    lag_ms: i64,
    clock: OwnClock,
    points: BTreeMap<String, Memory>,
}

impl Pipeline {
    /// Notes that something a device said is counted in this step.
    pub(super) fn note_heard(&mut self, index: DeviceIndex, now: Timestamp) {
        self.devices[index.0].is_unwritten = true;
        self.concerned.push(index);
        if self.settings.is_live {
            self.checkpoint.get_or_insert(now + CHECKPOINT);
        }
    }

    /// Adds to the step's batch, if there is one, what is known of the devices that led to it.
    pub(super) fn keep_concerned(&mut self) {
        let mut concerned = std::mem::take(&mut self.concerned);
        if !self.batch.is_empty() {
            for index in &concerned {
                self.keep_heard(*index);
            }
        }
        concerned.clear();
        self.concerned = concerned;
    }

    /// Writes down what is known of a device, if the disk does not know it.
    pub(super) fn keep_heard(&mut self, index: DeviceIndex) {
        let state = &mut self.devices[index.0];
        if !std::mem::take(&mut state.is_unwritten) || !self.settings.is_live {
            return;
        }
        let device = self.community.device(index);
        let points = device.device_type.points.iter().enumerate().filter_map(|(at, point)| {
            let memory = *state.gate.point(at);
            let is_worth = memory != Memory::default() && memory.is_finite();
            is_worth.then(|| (point.name.clone(), memory))
        });
        let heard = Heard {
            lag_ms: state.lag_ms,
            clock: state.gate.clock().clone(),
            points: points.collect(),
        };
        let json = serde_json::to_vec(&heard).ok();
        self.batch.states.extend(json.map(|json| (key(&device.id), Some(json))));
    }

    /// Writes down what the models' points of a device have learnt.
    fn keep_learnt(&mut self, index: DeviceIndex) {
        let device = self.community.device(index);
        for bound in &self.devices[index.0].bounds {
            let compiled = &self.compiled[bound.detector];
            let scene = &self.community.scenes[compiled.scene].head.id;
            for series in bound.series.iter().filter(|series| series.verdict.is_some()) {
                let point = &device.device_type.points[series.point].name;
                let key = format!("learnt/{}/{scene}/{}/{point}", device.id, compiled.id);
                self.batch.states.push((key, Some(series.remember())));
            }
            if let Some(bytes) = bound.together.as_ref().and_then(Together::remember) {
                let key = format!("together/{}/{scene}/{}", device.id, compiled.id);
                let names = names_of(&device.device_type, &bound.points);
                self.batch.states.push((key, Some([&names[..], &bytes].concat())));
            }
            let seen = bound.outlook.as_ref().and_then(Outlook::remember);
            if let (Some(json), Some(point)) = (seen, bound.points.first()) {
                let point = &device.device_type.points[*point].name;
                let key = format!("learnt/{}/{scene}/{}/{point}", device.id, compiled.id);
                self.batch.states.push((key, Some(json)));
            }
        }
    }

    /// Takes up what a point has learnt; false when it cannot be read or nobody is meant.
    pub(super) fn restore_learnt(
        &mut self,
        [device, scene, detector, point]: [&str; 4],
        bytes: &[u8],
    ) -> bool {
        let Some(index) = self.community.find_device(device) else { return false };
        let Some(point) = self.community.device(index).device_type.point(point) else {
            return false;
        };
        let mut is_taken = false;
        for position in self.positions(index, scene, detector) {
            let bound = &mut self.devices[index.0].bounds[position];
            let mut series = bound.series.iter_mut().filter(|series| series.point == point);
            is_taken |= series.any(|series| series.recall(bytes));
            let outlook = bound.outlook.as_mut().filter(|_| bound.points == [point]);
            is_taken |= outlook.is_some_and(|outlook| outlook.recall(bytes));
        }
        is_taken
    }

    /// Takes up what is known of a device's points as a whole; false when it cannot be read, the points
    /// are others, or nobody is meant.
    pub(super) fn restore_together(
        &mut self,
        [device, scene, detector]: [&str; 3],
        bytes: &[u8],
    ) -> bool {
        let Some(index) = self.community.find_device(device) else { return false };
        let Some((names, bytes)) = bytes.split_first_chunk() else { return false };
        let device_type = Arc::clone(&self.community.device(index).device_type);
        self.positions(index, scene, detector).into_iter().any(|position| {
            let bound = &mut self.devices[index.0].bounds[position];
            let is_same = names_of(&device_type, &bound.points) == *names;
            bound.together.as_mut().is_some_and(|together| is_same && together.recall(bytes))
        })
    }

    /// Writes down everything that was heard, when it is time.
    pub(super) fn keep_all_heard(&mut self, now: Timestamp) {
        if self.checkpoint.take_if(|due| *due <= now).is_some() {
            self.turn += 1;
            let turn = self.turn % TURNS;
            self.keep_everything(|index| index.0 % TURNS == turn);
            // What people said fades.
            self.learn_verdicts(now);
            self.follow_windows(now);
            if self.turn.is_multiple_of(STATISTICS_EVERY) {
                self.write_statistics(Occasion::Hour, now);
            }
        }
    }

    /// Writes down everything, at a stop.
    pub(super) fn checkpoint_now(&mut self, now: Timestamp) {
        if self.settings.is_live {
            self.keep_everything(|_| true);
            self.write_statistics(Occasion::End, now);
            self.close_windows();
        }
    }

    fn keep_everything(&mut self, is_its_turn: impl Fn(DeviceIndex) -> bool) {
        for index in (0..self.devices.len()).map(DeviceIndex) {
            self.keep_heard(index);
            if is_its_turn(index) {
                self.keep_learnt(index);
            }
        }
        self.keep_budgets();
    }

    /// Takes up what was heard; false when it cannot be read or nobody is meant.
    pub(super) fn restore_heard(&mut self, device: &str, json: &[u8]) -> bool {
        let Ok(heard) = serde_json::from_slice::<Heard>(json) else { return false };
        let Some(index) = self.community.find_device(device) else { return false };
        let device_type = &self.community.device(index).device_type;
        let state = &mut self.devices[index.0];
        state.lag_ms = heard.lag_ms;
        state.gate.recall_clock(heard.clock);
        for (name, memory) in heard.points {
            if let Some(point) = device_type.point(&name) {
                state.gate.recall(point, memory);
            }
        }
        true
    }
}

/// Tells these points from others, and from the same in another order.
fn names_of(device_type: &DeviceType, points: &[usize]) -> [u8; 8] {
    let names: Vec<&str> =
        points.iter().map(|point| device_type.points[*point].name.as_str()).collect();
    fingerprint(names.join("/").as_bytes()).to_le_bytes()
}

/// Where a device's memory is kept.
pub(super) fn key(device: &str) -> String {
    format!("heard/{device}")
}
