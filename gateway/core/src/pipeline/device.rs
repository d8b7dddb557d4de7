//! What the pipeline holds per device.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::admission::Gate;
use crate::community::Device;
use crate::community::device_type::DeviceType;
use crate::decode::Decoder;
use crate::detect::bound::{Bound, Sight};
use crate::reading::Timestamp;
use crate::statistics::ledger::Ledger;
use crate::statistics::window::Around;
use crate::window::Recent;

/// This many refusals within [`REFUSALS_WITHIN`] are worth one event.
const REFUSALS_MANY: usize = 5;

/// Also how long it must stay quiet for the event to be over.
pub(super) const REFUSALS_WITHIN: Duration = Duration::from_mins(10);

/// One device's live state.
#[derive(Debug, Clone)]
pub(super) struct DeviceState {
    pub(super) decoder: Arc<Decoder>,
    pub(super) gate: Gate,
    /// Per point, when a rule looks back; else empty.
    pub(super) recent: Vec<Recent>,
    pub(super) bounds: Vec<Bound>,
    /// How far the device's time lies behind ours, by its last frame.
    pub(super) lag_ms: i64,
    /// Its gate knows more than the disk does.
    pub(super) is_unwritten: bool,
    /// Which of what the disk knew was taken up.
    pub(super) recalled: [u64; 2],
    /// The entry in the pipeline's timers.
    pub(super) timer: Option<Timestamp>,
    pub(super) echo: BTreeMap<String, serde_json::Value>,
    pub(super) frames: u64,
    /// Since start, by the reason's word.
    pub(super) refused: BTreeMap<&'static str, u64>,
    pub(super) refusals: Refusals,
    /// What its points were in each quarter of an hour.
    pub(super) ledger: Ledger,
    /// What it said lately, and around an event.
    pub(super) around: Around,
}

impl DeviceState {
    pub(super) fn new(device: &Device, decoder: Arc<Decoder>, looks_back: bool) -> Self {
        let points = device.device_type.points.len();
        Self {
            decoder,
            gate: Gate::new(points),
            recent: vec![Recent::default(); if looks_back { points } else { 0 }],
            bounds: Vec::new(),
            lag_ms: 0,
            is_unwritten: false,
            recalled: [0; 2],
            timer: None,
            echo: BTreeMap::new(),
            frames: 0,
            refused: BTreeMap::new(),
            refusals: Refusals::default(),
            ledger: Ledger::default(),
            around: Around::default(),
        }
    }

    /// Takes over what was known of the device under an earlier configuration, where points match.
    pub(super) fn inherit(&mut self, before: Self, same_points: bool) {
        self.lag_ms = before.lag_ms;
        self.is_unwritten = before.is_unwritten;
        self.echo = before.echo;
        self.frames = before.frames;
        self.refused = before.refused;
        self.refusals = before.refusals;
        if same_points {
            self.gate = before.gate;
            self.around = before.around;
            if before.recent.len() == self.recent.len() {
                self.recent = before.recent;
            }
        }
    }

    pub(super) fn sight<'a>(&'a self, device: &'a Device) -> Sight<'a> {
        Sight {
            device_type: &device.device_type,
            gate: &self.gate,
            recent: &self.recent,
            knows_time: true,
        }
    }

    /// Questions about its series will not be answered any more.
    pub(super) fn give_up_questions(&mut self) {
        for series in self.bounds.iter_mut().flat_map(|b| &mut b.series) {
            series.give_up();
        }
        for outlook in self.bounds.iter_mut().filter_map(|b| b.outlook.as_mut()) {
            outlook.is_waiting = false;
        }
    }

    /// The gateway's clock was set forward by this, from `before` on. A device with a clock of its own
    /// only lags more; what was timed by ours, and not restored from a time when it was right, moves.
    pub(super) fn handle_clock_step(&mut self, by_ms: i64, before: Timestamp, has_own_time: bool) {
        if has_own_time && !self.gate.is_doubted() {
            self.lag_ms = self.lag_ms.saturating_add(by_ms);
            return;
        }
        let by = Duration::from_millis(by_ms.unsigned_abs());
        self.shift(|at| if at <= before { at + by } else { at });
    }

    /// From this frame on another clock dates the readings: what was timed moves along, so that delays
    /// last as long as they should.
    pub(super) fn handle_other_clock(&mut self, at: Timestamp, now: Timestamp) {
        let by_ms = at.0.saturating_sub(self.there(now).0);
        self.shift(|at| Timestamp(at.0.saturating_add(by_ms)));
    }

    fn shift(&mut self, to: impl Fn(Timestamp) -> Timestamp) {
        self.gate.shift(&to);
        self.recent.fill(Recent::default());
        for bound in &mut self.bounds {
            if let (Some(due), Some(running)) = (bound.timer, bound.phase.running()) {
                let from = running.gone.unwrap_or(running.since);
                bound.timer = Some(Timestamp(due.0.saturating_add(to(from).0 - from.0)));
            }
            bound.phase = bound.phase.moved(&to);
            for series in &mut bound.series {
                series.shift(&to);
            }
            bound.together.iter_mut().for_each(|together| together.shift(&to));
            bound.outlook.iter_mut().for_each(|outlook| outlook.shift(&to));
        }
    }

    /// Whether a detector's word rests on a value that is too old to tell anything at that time.
    pub(super) fn is_stale(
        &self,
        device_type: &DeviceType,
        bound: &Bound,
        there: Timestamp,
    ) -> bool {
        let sight = Sight { device_type, gate: &self.gate, recent: &self.recent, knows_time: true };
        bound.grounds.iter().any(|point| sight.is_stale(*point, there))
    }

    pub(super) fn note_lag(&mut self, at: Timestamp, now: Timestamp) {
        self.lag_ms = now.0.saturating_sub(at.0);
    }

    /// A moment of the device's time, in ours.
    pub(super) fn here(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.saturating_add(self.lag_ms))
    }

    /// Our time, in the device's.
    pub(super) fn there(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_sub(self.lag_ms))
    }

    /// Points that a model does not know well enough yet.
    pub(super) fn learning(&self) -> Vec<usize> {
        let series = self.bounds.iter().flat_map(|bound| &bound.series);
        let learning = series.filter(|series| series.is_learning()).map(|series| series.point);
        learning.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// When the first of its delays will have passed, in our time.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.bounds.iter().filter_map(|b| b.timer).min().map(|at| self.here(at))
    }
}

/// Recent refusals of one device.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    recent: VecDeque<Timestamp>,
    by_reason: BTreeMap<&'static str, u64>,
    last: Option<Timestamp>,
    pub(super) is_raised: bool,
}

impl Refusals {
    /// Notes one; true when they have just become too many.
    pub(super) fn handle(&mut self, word: &'static str, now: Timestamp) -> bool {
        while self.recent.len() >= REFUSALS_MANY
            || self.recent.front().is_some_and(|then| now.since(*then) > REFUSALS_WITHIN)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.last = Some(now);
        *self.by_reason.entry(word).or_default() += 1;
        let too_many = self.recent.len() >= REFUSALS_MANY && !self.is_raised;
        self.is_raised |= too_many;
        too_many
    }

    /// Takes up an event that was open before a restart.
    pub(super) fn recall(&mut self, now: Timestamp) {
        self.is_raised = true;
        self.last = Some(now);
    }

    /// True when it has been quiet for long enough after too many.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) -> bool {
        let is_over =
            self.is_raised && self.last.is_none_or(|last| now.since(last) >= REFUSALS_WITHIN);
        if is_over {
            *self = Self::default();
        }
        is_over
    }

    pub(super) fn by_reason(&self) -> &BTreeMap<&'static str, u64> {
        &self.by_reason
    }
}
