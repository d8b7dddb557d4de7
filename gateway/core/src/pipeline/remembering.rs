//! What was heard of each device, kept on disk, so that a restart counts no reading twice.
//!
//! What is known of a device is its gate: its clock, the newest frames that were counted, and the last
//! value of each point with the time since when it stands. It is written
//!
//! 1. as `heard/<device>`, with every batch that a frame of the device leads to, in the same atomic write,
//! 2. as `noted/<device>`, for devices that spoke, every three hours and at a stop: no write of its own per frame.
//!
//! Of the two the later counts. So what is on disk of a decision and of the frames that led to it belongs
//! together. A frame that is
//! delivered again after a power cut is either known (it is dropped), or newer than anything that left
//! a trace: then it is taken in for the first time, as far as the disk can tell. What a power cut can
//! lose is at most three hours of the memory of devices that led to nothing: the value that the next
//! one's rate of change is compared with, and the length of a run of equal values. Windows of rules
//! begin anew at each start.
//!
//! `learnt/<device>/<scene>/<detector>/<point>` is what a model's point knows of its past
//! ([`crate::detect::anomaly`]): written at a stop, and device by device every six hours.
//! `together/<device>/<scene>/<detector>` is what is known of its points as a whole
//! ([`crate::detect::joint`]), after a fingerprint of their names, in that order.
//!
//! All of it is written with the first record of an event whose scene asks for that (`checkpoint`), too.
//!
//! `noted`, `learnt` and `together` belong to no decision. Whoever stores them may write them apart, by
//! [`is_apart`]: they are most of what a calm day writes, and a flash takes only so much.

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

/// How often some of the devices write what is known of them. Each time costs some pages whatever is in
/// them; more of it at once, and less often, writes less (docs/benchmarks.md).
const CHECKPOINT: Duration = Duration::from_mins(30);

/// What was heard of a device is up to 1 kB: at each checkpoint one device of so many writes it.
const HEARD_TURNS: usize = 6;

/// What points have learnt is some 2 kB each and grows old slowly: a device's turn comes every six hours.
const LEARNT_TURNS: usize = 12;

/// What was used of the budgets is a row of the database, which writes its neighbours along: every hour.
const BUDGETS_EVERY: usize = 2;

/// A contact that chatters must not wear out the flash.
const LAST_CHANCES: Duration = Duration::from_mins(5);

/// Statistics are written with every second checkpoint: with the quarter that was open at the last, a
/// power cut costs at most an hour and a quarter of them.
const STATISTICS_EVERY: usize = 2;

/// A device's memory, with a decision and on its own.
const HEARD: &str = "heard";
const NOTED: &str = "noted";

/// A device's memory, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Heard {
    /// The start and the batch that it was written with: of two, the later counts.
    #[serde(default)]
    order: [u64; 2],
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
                self.keep_heard(*index, HEARD);
            }
        }
        concerned.clear();
        self.concerned = concerned;
    }

    /// Writes down what is known of a device, if the disk does not know it.
    fn keep_heard(&mut self, index: DeviceIndex, kind: &str) {
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
            order: [self.boot, self.batches],
            lag_ms: state.lag_ms,
            clock: state.gate.clock().clone(),
            points: points.collect(),
        };
        let json = serde_json::to_vec(&heard).ok();
        self.batch.states.extend(json.map(|json| (format!("{kind}/{}", device.id), Some(json))));
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
            let turn = self.turn;
            let is_turn = |index: DeviceIndex, of: usize| index.0 % of == turn % of;
            self.keep_known(
                |index| is_turn(index, HEARD_TURNS),
                |index| is_turn(index, LEARNT_TURNS),
            );
            if turn.is_multiple_of(BUDGETS_EVERY) {
                self.keep_budgets();
            }
            if self.devices.iter().any(|device| device.is_unwritten) {
                self.checkpoint = Some(now + CHECKPOINT);
            }
            // What people said fades.
            self.learn_verdicts(now);
            self.follow_windows(now);
            if self.turn.is_multiple_of(STATISTICS_EVERY) {
                self.write_statistics(Occasion::Hour, now);
            }
        }
    }

    /// Writes down everything, as at a stop.
    pub(super) fn checkpoint_now(&mut self, now: Timestamp) {
        self.keep_all_armed(now);
        if self.settings.is_live {
            self.keep_known(|_| true, |_| true);
            self.keep_budgets();
            self.write_statistics(Occasion::End, now);
            self.close_windows();
        }
    }

    /// Notes that an event of a scene begins: the power may go after it.
    pub(super) fn note_begun(&mut self, scene: &str) {
        let scenes = &self.community.scenes;
        self.is_last_chance |= scenes.iter().any(|s| s.head.id == scene && s.head.checkpoint);
    }

    /// Writes down everything in this step, when one of its events asks for that.
    pub(super) fn take_last_chance(&mut self, now: Timestamp) {
        let is_early = self.last_chance.is_some_and(|at| now.since(at) < LAST_CHANCES);
        if std::mem::take(&mut self.is_last_chance) && !is_early {
            self.last_chance = Some(now);
            self.checkpoint_now(now);
        }
    }

    fn keep_known(
        &mut self,
        heard: impl Fn(DeviceIndex) -> bool,
        learnt: impl Fn(DeviceIndex) -> bool,
    ) {
        for index in (0..self.devices.len()).map(DeviceIndex) {
            if heard(index) {
                self.keep_heard(index, NOTED);
            }
            if learnt(index) {
                self.keep_learnt(index);
            }
        }
    }

    /// Takes up what was heard; false when it cannot be read or nobody is meant.
    pub(super) fn restore_heard(&mut self, device: &str, json: &[u8]) -> bool {
        let Ok(heard) = serde_json::from_slice::<Heard>(json) else { return false };
        let Some(index) = self.community.find_device(device) else { return false };
        let device_type = &self.community.device(index).device_type;
        let state = &mut self.devices[index.0];
        if heard.order < state.recalled {
            return true;
        }
        state.recalled = heard.order;
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
pub(super) fn keys(device: &str) -> [String; 2] {
    [HEARD, NOTED].map(|kind| format!("{kind}/{device}"))
}

/// Whether what stands under that key belongs to no decision, and may be written apart from them.
pub fn is_apart(key: &str) -> bool {
    key.split_once('/').is_some_and(|(kind, _)| [NOTED, "learnt", "together"].contains(&kind))
}
