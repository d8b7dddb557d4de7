//! One frame's way: decode, admit, remember, detect.

use super::Pipeline;
use super::asking::Row;
use super::boundary::Answer;
use crate::admission::{Order, Refusal, fingerprint};
use crate::decode::Decoded;
use crate::detect::bound::Sight;
use crate::detect::condition::{Change, Phase};
use crate::detect::score::Series;
use crate::reading::{
    Body, DeviceIndex, Frame, Quality, Reading, SourceIndex, TimeQuality, Timestamp, WireFault,
};

/// A clock that shows an earlier time than this (1 January 2025) has not been set since start.
const CERTAINLY_WRONG: Timestamp = Timestamp(1_735_689_600_000);

/// Buffers that are used anew for every frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    readings: Vec<Reading>,
    asks: Vec<(usize, u64)>,
    features: Vec<f32>,
    rows: Vec<Row>,
}

impl Pipeline {
    pub(super) fn handle_frame(&mut self, frame: &Frame, now: Timestamp) {
        let index = frame.device;
        let Some(state) = self.devices.get_mut(index.0) else { return };
        self.counts.frames += 1;
        state.frames += 1;
        let was_heard = !is_unanswered(&frame.body);
        if was_heard {
            self.silence.handle_frame(index, now);
            let source = self.community.device(index).source;
            if let Some(source) = self.sources.get_mut(source.0) {
                source.has_been_up = true;
            }
        }
        let decoded = match state.decoder.decode(&frame.body) {
            Ok(decoded) => decoded,
            Err(why) => return self.refuse(index, &why.into(), now),
        };
        let at = match self.time_of(index, &frame.body, &decoded, now) {
            Ok(at) => at,
            Err(refusal) => return self.refuse(index, &refusal, now),
        };
        self.note_heard(index, now);
        self.read_back(index, &decoded);
        self.expire_delays(index, at, now);
        self.handle_values(index, &decoded, at, was_heard, now);
        self.set_timer(index);
    }

    /// The time that the readings get: the device's own, if its type says where it stands.
    fn time_of(
        &mut self,
        index: DeviceIndex,
        body: &Body,
        decoded: &Decoded,
        now: Timestamp,
    ) -> Result<Timestamp, Refusal> {
        let state = &mut self.devices[index.0];
        let mut at = decoded.at.unwrap_or(now);
        match (body, &self.community.device(index).device_type.head.time) {
            (Body::Payload(payload), Some(field)) if decoded.at.is_some() => {
                let is_trusted = self.time_quality != TimeQuality::Unknown || now > CERTAINLY_WRONG;
                let print = fingerprint(payload);
                let dated = state.gate.admit_time(field, at, print, is_trusted, now)?;
                at = dated.at;
                if dated.is_other_clock {
                    state.handle_other_clock(at, now);
                }
                if let Order::WentBack(by) = dated.order {
                    state.note_lag(at, now);
                    self.raise_clock_went_back(index, by, now);
                    return Ok(at);
                }
            }
            (Body::Values { .. }, _) => {
                if let Some(last) = state.gate.last_at()
                    && at < last
                {
                    return Err(Refusal::NotNewer { behind_ms: last.0.saturating_sub(at.0) });
                }
            }
            (Body::Payload(_) | Body::Blocks(_), _) => {}
        }
        state.note_lag(at, now);
        Ok(at)
    }

    fn handle_values(
        &mut self,
        index: DeviceIndex,
        decoded: &Decoded,
        at: Timestamp,
        was_heard: bool,
        now: Timestamp,
    ) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let device = self.community.device(index);
        let state = &mut self.devices[index.0];
        state.gate.admit(&device.device_type, &decoded.values, at, &mut scratch.readings);
        if !decoded.echo.is_empty() {
            state.echo = decoded.echo_fields(&device.device_type);
        }
        self.counts.readings += scratch.readings.len() as u64;
        for reading in &scratch.readings {
            if reading.quality == Quality::Good && !state.recent.is_empty() {
                state.recent[reading.point].push(at, reading.value);
            }
        }
        // Recorded data is as old as it is; a live reading from before this program is wrongly dated.
        let knows_time = !self.settings.is_live
            || self.time_quality != TimeQuality::Unknown
            || at > CERTAINLY_WRONG;
        let mut waiting = 0;
        if self.settings.is_live && knows_time {
            let points = device.device_type.points.len();
            waiting = state.ledger.note(points, &scratch.readings, at);
            state.around.note(points, &scratch.readings, at);
        }
        let mut changes = Vec::new();
        let mut bounds = std::mem::take(&mut state.bounds);
        for (position, bound) in bounds.iter_mut().enumerate() {
            let compiled = &mut self.compiled[bound.detector];
            if let Some(budget) = &mut self.budgets[compiled.scene] {
                compiled.allowance = Some(budget.allowance(now));
            }
            scratch.asks.clear();
            scratch.features.clear();
            let change = bound.handle_readings(
                compiled,
                Sight { knows_time, ..state.sight(device) },
                &scratch.readings,
                &mut scratch.asks,
                &mut scratch.features,
                at,
            );
            if let Some(budget) = &mut self.budgets[compiled.scene] {
                budget.note_held_back(std::mem::take(&mut bound.held_back));
            }
            bound.timer = bound.phase.due(compiled.delays);
            changes.extend(change.map(|change| (position, change)));
            if let Some(model) = compiled.model().filter(|_| !scratch.asks.is_empty()) {
                scratch.rows.clear();
                scratch.rows.extend(scratch.asks.iter().map(|(series, sample)| Row {
                    device: index,
                    bound: position,
                    series: *series,
                    sample: *sample,
                }));
                self.asking.add(&model.name, &scratch.rows, &scratch.features, now);
            }
        }
        state.bounds = bounds;
        self.note_waiting(waiting, now);
        for (position, change) in changes {
            self.apply(index, position, change, now);
        }
        self.keep_armed(index, now);
        if self.speaking.contains(&index) {
            self.follow(index, &scratch.readings, now);
        }
        self.follow_window(index, now);
        // One bad frame is one thing that is wrong, however many points it has. A camera in the dark, or with
        // something before it, counts nothing: it says so by points of their own.
        let sees = self.community.device(index).sight().is_some();
        let mut is_fault = was_heard;
        for reading in &scratch.readings {
            if reading.quality != Quality::Good {
                let is_blind = sees && reading.quality == Quality::NoData;
                self.count_refused(index, reading.quality.word(), is_fault && !is_blind, now);
                is_fault &= is_blind;
            }
        }
        self.scratch = scratch;
    }

    /// Carries on the delays of a device up to a moment of its own time.
    pub(super) fn expire_delays(&mut self, index: DeviceIndex, at: Timestamp, now: Timestamp) {
        let state = &mut self.devices[index.0];
        let (mut changes, mut has_expired) = (Vec::new(), false);
        let device = self.community.device(index);
        let mut bounds = std::mem::take(&mut state.bounds);
        for (position, bound) in bounds.iter_mut().enumerate() {
            let Some(due) = bound.timer.filter(|due| *due <= at) else { continue };
            has_expired = true;
            let compiled = &self.compiled[bound.detector];
            let settled = match bound.may_still_hold(compiled, state.sight(device), due) {
                Some(false) => Some(Phase::Normal),
                // A value that has grown too old neither proves nor disproves anything.
                None if self.settings.is_live => Some(bound.phase.without_evidence()),
                Some(true) | None => None,
            };
            if let Some(phase) = settled {
                bound.phase = phase;
                bound.timer = None;
                continue;
            }
            let delays = compiled.delays;
            changes.extend(bound.phase.handle_timeout(delays, due).map(|c| (position, c)));
            bound.timer = bound.phase.due(delays);
        }
        state.bounds = bounds;
        for (position, change) in changes {
            self.apply(index, position, change, now);
        }
        if has_expired {
            self.keep_armed(index, now);
            self.concerned.push(index);
        }
        self.set_timer(index);
    }

    /// Puts the device's next delay on the list.
    pub(super) fn set_timer(&mut self, index: DeviceIndex) {
        let state = &mut self.devices[index.0];
        let due = state.due();
        if due != state.timer {
            if let Some(old) = state.timer {
                self.timers.remove(&(old, index));
            }
            self.timers.extend(due.map(|due| (due, index)));
            self.devices[index.0].timer = due;
        }
    }

    /// What a model says of the samples that come next.
    pub(super) fn handle_answer(&mut self, answer: &Answer, now: Timestamp) {
        let Some(rows) = self.asking.take(answer.question) else { return };
        let outputs = answer.outputs.as_deref().unwrap_or_default();
        let width = outputs.len() / rows.len().max(1);
        for (i, row) in rows.into_iter().enumerate() {
            let quantiles = outputs.get(i * width..(i + 1) * width).filter(|q| !q.is_empty());
            let Some(series) = self.series(row) else {
                self.handle_outlook(row, quantiles, now);
                continue;
            };
            if let Some(quantiles) = quantiles {
                series.handle_answer(row.sample, quantiles);
                self.counts.answered += 1;
            } else {
                series.give_up();
                self.counts.unanswered += 1;
            }
        }
    }

    /// What the model says of a point on its way to a limit. One that did not answer is found out at the
    /// next sample.
    fn handle_outlook(&mut self, row: Row, outputs: Option<&[f32]>, now: Timestamp) {
        let Some(state) = self.devices.get_mut(row.device.0) else { return };
        if row.bound >= state.bounds.len() {
            return;
        }
        let Some(outputs) = outputs else {
            self.counts.unanswered += 1;
            return;
        };
        self.counts.answered += 1;
        let at = state.there(now);
        let mut bounds = std::mem::take(&mut state.bounds);
        let bound = &mut bounds[row.bound];
        let compiled = &self.compiled[bound.detector];
        let sight = state.sight(self.community.device(row.device));
        let change = bound.handle_outlook(compiled, sight, row.sample, outputs, at);
        state.bounds = bounds;
        if let Some(change) = change {
            self.apply(row.device, row.bound, change, now);
        }
    }

    pub(super) fn series(&mut self, row: Row) -> Option<&mut Series> {
        self.devices.get_mut(row.device.0)?.bounds.get_mut(row.bound)?.series.get_mut(row.series)
    }

    pub(super) fn handle_dropped(
        &mut self,
        source: SourceIndex,
        device: Option<DeviceIndex>,
        reason: &'static str,
        count: u64,
        now: Timestamp,
    ) {
        if let Some(state) = self.sources.get_mut(source.0) {
            *state.dropped.entry(reason).or_default() += count;
        }
        *self.counts.refused.entry(reason).or_default() += count;
        let Some(index) = device.filter(|d| d.0 < self.devices.len()) else { return };
        let state = &mut self.devices[index.0];
        *state.refused.entry(reason).or_default() += count;
        // Our own overload and what a broker kept for us are no fault of the device.
        let is_fault = !matches!(reason, "overload" | "retained");
        if is_fault && state.refusals.handle(reason, now) {
            self.raise_refusals(index, now);
        }
    }

    fn refuse(&mut self, index: DeviceIndex, refusal: &Refusal, now: Timestamp) {
        self.count_refused(index, refusal.word(), refusal.is_fault(), now);
    }

    fn count_refused(
        &mut self,
        index: DeviceIndex,
        word: &'static str,
        is_fault: bool,
        now: Timestamp,
    ) {
        *self.counts.refused.entry(word).or_default() += 1;
        let state = &mut self.devices[index.0];
        *state.refused.entry(word).or_default() += 1;
        if is_fault && state.refusals.handle(word, now) {
            self.raise_refusals(index, now);
        }
    }

    /// What a change of a detector on a device means for the book.
    fn apply(&mut self, index: DeviceIndex, position: usize, change: Change, now: Timestamp) {
        match change {
            Change::Raised { since } => {
                self.note_against_budget(index, position, now);
                self.begin_window(index, now);
                self.raise(index, position, since, now);
            }
            Change::Dropped => self.drop_finding(index, position),
        }
    }
}

/// A poll without any answer: nobody was heard.
fn is_unanswered(body: &Body) -> bool {
    match body {
        Body::Payload(_) | Body::Values { .. } => false,
        Body::Blocks(blocks) => blocks.iter().all(|block| {
            matches!(
                block.words,
                Err(WireFault::Timeout | WireFault::Disconnected | WireFault::Garbled)
            )
        }),
    }
}
