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
//! and models begin anew at each start.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Pipeline;
use crate::admission::{Memory, OwnClock};
use crate::reading::{DeviceIndex, Timestamp};

/// How often everything that was heard is written.
const CHECKPOINT: Duration = Duration::from_mins(15);

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

    /// Writes down everything that was heard, when it is time.
    pub(super) fn keep_all_heard(&mut self, now: Timestamp) {
        if self.checkpoint.take_if(|due| *due <= now).is_some() {
            self.checkpoint_now();
        }
    }

    pub(super) fn checkpoint_now(&mut self) {
        for index in (0..self.devices.len()).map(DeviceIndex) {
            self.keep_heard(index);
        }
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

/// Where a device's memory is kept.
pub(super) fn key(device: &str) -> String {
    format!("heard/{device}")
}
