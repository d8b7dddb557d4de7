//! The one state machine: told what happened and what time it is, it answers with what to do.
//!
//! [`Pipeline::handle`] takes an [`Input`], [`Pipeline::handle_timeout`] the time,
//! [`Pipeline::poll_output`] hands out what should be done, [`Pipeline::poll_timeout`] says when to
//! come back. The caller drains `poll_output` after each of them and never lets time run backwards.
//!
//! 1. `boundary`: inputs and outputs,
//! 2. `device`: what is held per device,
//! 3. `intake`: one frame's way to findings,
//! 4. `asking` and `budgeting`: questions to models and their answers, and what may come of them,
//! 5. `health`: the gateway's own scenes,
//! 6. `telling`, `own_events` and `concern`: findings to events to records,
//! 7. `settling`: which frames may be acknowledged,
//! 8. `keeping`, `remembering` and `restoring`: over a restart, and when the configuration is replaced
//!    (`inheriting`),
//! 9. `verdicts`: what people say of events; `acting` and `reporting`: what they do about them, and what
//!    they saw themselves,
//! 10. `recording`: what is kept of readings, to try other rules on,
//! 11. `viewing`: a snapshot for the console,
//! 12. `writing`: values that are written to devices.

mod acting;
mod asking;
mod boundary;
mod budgeting;
mod concern;
mod device;
mod health;
mod inheriting;
mod intake;
mod keeping;
mod own_events;
mod recording;
mod remembering;
mod reporting;
mod restoring;
mod settling;
mod telling;
mod verdicts;
mod viewing;
mod writing;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::alert::standing::Trouble;
use crate::community::Community;
use crate::community::quantity::Text;
use crate::community::scene::Status;
use crate::decode::Decoder;
use crate::detect::anomaly::budget::Budget;
use crate::detect::bound::{Bound, Compiled};
use crate::detect::rule::Grades;
use crate::detect::silence::Silence;
use crate::event::identity::Mint;
use crate::event::verdict::Ledger;
use crate::event::{Book, Key};
use crate::reading::{DeviceIndex, TimeQuality, Timestamp};
use crate::view::Counts;
use asking::Asking;
pub use boundary::{
    Answer, Batch, Damage, Input, Kept, Output, Question, Restored, Ruling, Shift, Withdrawn,
    Write, WriteOrder,
};
use device::DeviceState;
use health::Health;
pub use remembering::is_apart;
use settling::Settling;

/// How often what lasts is looked at again while something is open.
const TICK: Duration = Duration::from_mins(1);

/// What a caller may tune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a window waits for company before a model is asked.
    pub gather: Duration,
    /// Whether silence and clocks are judged; recorded data has neither.
    pub is_live: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { gather: Duration::from_millis(250), is_live: true }
    }
}

/// The state machine.
pub struct Pipeline {
    community: Arc<Community>,
    settings: Settings,
    compiled: Vec<Compiled>,
    /// By position of the scene; `None` for scenes that are off.
    grades: Vec<Option<Grades>>,
    devices: Vec<DeviceState>,
    /// Delays that will have passed, in our time.
    timers: BTreeSet<(Timestamp, DeviceIndex)>,
    /// Devices with a detector that counts.
    speaking: BTreeSet<DeviceIndex>,
    /// Devices whose readings are put aside, one by one.
    windows: BTreeSet<DeviceIndex>,
    /// Devices whose refusals are an event.
    refusing: BTreeSet<DeviceIndex>,
    /// Devices whose clock went back, and when we learnt it.
    went_back: BTreeMap<DeviceIndex, Timestamp>,
    /// The disk is full, and not only the last write failed.
    is_disk_full: bool,
    /// Channels to people that are down, and what was told of them; `None` from before the start.
    channels_down: BTreeMap<String, Option<Trouble>>,
    /// Since when it is told what happened to the gateway itself.
    happened: BTreeMap<Health, Timestamp>,
    /// By position of the scene; `None` for scenes without a budget.
    budgets: Vec<Option<Budget>>,
    silence: Silence,
    asking: Asking,
    book: Book,
    /// What was raised lately, and what people said of it.
    ledger: Ledger,
    /// What people began in this step, by their tickets.
    begun: Vec<(u64, Key)>,
    /// Answers to those people, by the batch that must be on disk first.
    answers: VecDeque<(u64, Output)>,
    mint: Mint,
    boot: u64,
    /// Events that were told to nobody, since start.
    withheld: u64,
    time_quality: TimeQuality,
    sources: Vec<SourceState>,
    settling: Settling,
    writing: writing::Writing,
    batch: Batch,
    batches: u64,
    stored: u64,
    tick: Option<Timestamp>,
    /// When delays that could not be kept at once are kept.
    unkept: Option<Timestamp>,
    /// When what was heard is written down.
    checkpoint: Option<Timestamp>,
    /// An event has begun after which the power may go, and when everything was written for one.
    is_last_chance: bool,
    last_chance: Option<Timestamp>,
    /// Bytes of closed quarters that wait to be written.
    statistics_waiting: usize,
    /// Whose turn it is to write down what was learnt.
    turn: usize,
    /// Devices whose readings or delays may have led to something in this step.
    concerned: Vec<DeviceIndex>,
    outputs: VecDeque<Output>,
    counts: Counts,
    scratch: intake::Scratch,
}

#[derive(Debug, Clone, Default)]
struct SourceState {
    down: Option<Text>,
    /// It was up, or a device on it spoke.
    has_been_up: bool,
    dropped: BTreeMap<&'static str, u64>,
}

/// A scene that cannot work. `check` finds these first and tells them with their place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("scene `{0}`: {1}")]
    Detector(String, crate::detect::bound::Unusable),
    #[error("scene `{0}`: grade {line}: {why}", line = .1 + 1, why = .2)]
    Grade(String, usize, crate::detect::rule::NotARule),
}

impl Pipeline {
    /// A pipeline that takes up what was on disk.
    ///
    /// # Errors
    /// A scene cannot work.
    pub fn new(
        community: Arc<Community>,
        settings: Settings,
        restored: Restored,
        now: Timestamp,
    ) -> Result<Self, Unusable> {
        let mut pipeline = Self {
            silence: Silence::new(&community, now),
            asking: Asking::new(settings.gather),
            mint: Mint::new(&community.gateway, restored.sequence),
            boot: restored.boot,
            withheld: 0,
            sources: vec![SourceState::default(); community.sources.len()],
            compiled: Vec::new(),
            grades: Vec::new(),
            budgets: Vec::new(),
            devices: Vec::new(),
            timers: BTreeSet::new(),
            speaking: BTreeSet::new(),
            windows: BTreeSet::new(),
            refusing: BTreeSet::new(),
            went_back: BTreeMap::new(),
            is_disk_full: false,
            channels_down: BTreeMap::new(),
            happened: BTreeMap::new(),
            book: Book::default(),
            ledger: Ledger::default(),
            begun: Vec::new(),
            answers: VecDeque::new(),
            time_quality: TimeQuality::Unknown,
            settling: Settling::default(),
            writing: writing::Writing::default(),
            batch: Batch::default(),
            batches: 0,
            stored: 0,
            tick: None,
            unkept: None,
            checkpoint: None,
            is_last_chance: false,
            last_chance: None,
            statistics_waiting: 0,
            turn: 0,
            concerned: Vec::new(),
            outputs: VecDeque::new(),
            counts: Counts::default(),
            scratch: intake::Scratch::default(),
            community,
            settings,
        };
        pipeline.compile()?;
        let damage = restored.damage.clone();
        pipeline.restore(restored, now);
        if let Some(damage) = damage {
            pipeline.raise_damage(&damage, now);
        }
        pipeline.finish(None, now);
        Ok(pipeline)
    }

    pub fn community(&self) -> &Arc<Community> {
        &self.community
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        let mut ticket = None;
        match input {
            Input::Frame(frame) => {
                ticket = frame.ticket;
                self.handle_frame(&frame, now);
            }
            Input::Source { source, down } => {
                if let Some(state) = self.sources.get_mut(source.0) {
                    self.silence.handle_source(source, down.is_some(), now);
                    state.has_been_up |= down.is_none();
                    state.down = down;
                }
            }
            Input::Dropped { source, device, reason, count } => {
                self.handle_dropped(source, device, reason, count, now);
            }
            Input::Answer(answer) => self.handle_answer(&answer, now),
            Input::Stored { through } => {
                self.stored = self.stored.max(through);
                self.settling.handle_stored(through, |t| self.outputs.push_back(Output::Settle(t)));
                self.give_answers();
                self.handle_store_works();
            }
            Input::DiskFull { why } => self.handle_disk_full(why, now),
            Input::ModelsMissing { why } => self.handle_models_missing(why, now),
            Input::FlashWears { why } => self.handle_condition(Health::FlashWears, why, now),
            Input::StoreFailed { why } => self.handle_store_failed(&why, now),
            Input::Channels { down } => self.handle_channels(&down, now),
            Input::Clock(quality) => self.time_quality = quality,
            Input::ClockStepped { by_ms } => self.handle_clock_step(by_ms, now),
            Input::Withdrawn(withdrawn) => self.handle_withdrawn(withdrawn, now),
            Input::SettingsSetAside { why } => {
                self.raise_happened(Health::SettingsSetAside, why, now);
            }
            Input::Config(community) => {
                self.abandon_writes();
                self.replace(community, now);
            }
            Input::Write { ticket, write } => self.handle_write(ticket, &write, now),
            Input::Written { ticket, result } => self.handle_written(ticket, result, now),
            Input::Verdict { opinion, journal } => self.handle_verdict(&opinion, journal, now),
            Input::Act { action, ticket, journal } => {
                self.handle_action(action, ticket, journal, now);
            }
            // An event that is over has been told; its still is found on the box by the event's id.
            Input::Evidence { event, reference } => _ = self.book.attach(&event, reference),
            Input::Report { report, ticket } => self.handle_report(report, ticket, now),
            Input::Drill { drill, ticket } => self.handle_drill(drill, ticket, now),
        }
        self.finish(ticket, now);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((due, device)) = self.timers.first().copied()
            && due <= now
        {
            self.timers.remove(&(due, device));
            self.devices[device.0].timer = None;
            self.expire_delays(device, self.devices[device.0].there(now), now);
        }
        if self.settings.is_live {
            for change in self.silence.handle_timeout(now) {
                self.handle_silence(change, now);
            }
        }
        for row in self.asking.poll_given_up(now) {
            self.counts.unanswered += 1;
            if let Some(series) = self.series(row) {
                series.give_up();
            }
        }
        if self.tick.is_some_and(|due| due <= now) {
            self.look_again(now);
        }
        self.keep_what_waited(now);
        self.keep_all_heard(now);
        self.expire_writes(now);
        self.finish(None, now);
    }

    /// Writes down what a restart should know. Nothing is taken in after it.
    pub fn handle_stop(&mut self, now: Timestamp) {
        self.checkpoint_now(now);
        self.finish(None, now);
    }

    /// What should be done next, in order; `None` when everything was handed out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Pipeline::handle_timeout`] is wanted, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let timers = self.timers.first().map(|(due, _)| *due);
        let silence = self.settings.is_live.then(|| self.silence.due());
        let others = [
            self.asking.due(),
            self.book.due(),
            self.tick,
            self.unkept,
            self.checkpoint,
            self.writing.due(),
        ];
        [timers, silence].into_iter().chain(others).flatten().min()
    }

    /// The newest model score of a device; `None` before the first answer.
    pub fn score(&self, device: DeviceIndex) -> Option<f64> {
        let bounds = &self.devices.get(device.0)?.bounds;
        bounds.iter().filter_map(Bound::score).max_by(f64::total_cmp)
    }

    /// Whether a rule on the device says that something is wrong.
    pub fn has_rule_speaking(&self, device: DeviceIndex) -> bool {
        let bounds = self.devices.get(device.0).map_or(&[][..], |state| &state.bounds);
        let judges = |b: &&Bound| b.series.is_empty() && b.outlook.is_none();
        bounds.iter().filter(judges).any(|b| b.phase.is_active())
    }

    /// Windows that models were asked about, since start.
    pub fn asked(&self) -> u64 {
        self.counts.asked
    }

    /// Compiles the scenes and fastens their detectors to the devices.
    fn compile(&mut self) -> Result<(), Unusable> {
        let env = Arc::new(cel::Env::stdlib());
        let community = Arc::clone(&self.community);
        self.compiled.clear();
        self.grades.clear();
        for (index, scene) in community.scenes.iter().enumerate() {
            if scene.head.status == Status::Off {
                self.grades.push(None);
                continue;
            }
            let id = || scene.head.id.clone();
            for detector in &scene.detectors {
                self.compiled.push(
                    Compiled::new(
                        index,
                        detector,
                        &community.models,
                        community.calendar.as_ref(),
                        &env,
                    )
                    .map_err(|why| Unusable::Detector(id(), why))?,
                );
                let calendar = community.calendar.as_ref();
                let warning = Compiled::soon(index, detector, &community.models, calendar)
                    .map_err(|why| Unusable::Detector(id(), why))?;
                self.compiled.extend(warning);
            }
            let lines = scene.grades.iter().map(|g| (g.level, g.when.as_str()));
            let grades = Grades::compile(lines, &env)
                .map_err(|(line, why)| Unusable::Grade(id(), line, why))?;
            self.grades.push(Some(grades));
        }
        let decoders: BTreeMap<&str, Arc<Decoder>> = community
            .device_types
            .iter()
            .chain(community.devices.iter().map(|d| &d.device_type))
            .map(|t| (t.head.id.as_str(), Arc::new(Decoder::new(t))))
            .collect();
        self.devices = community
            .devices
            .iter()
            .map(|device| {
                let mut bounds: Vec<_> = self
                    .compiled
                    .iter()
                    .enumerate()
                    .filter_map(|(i, c)| c.bind(i, &community.scenes[c.scene], &device.device_type))
                    .collect();
                // Room for three more would be left, in each of a thousand devices.
                bounds.shrink_to_fit();
                let looks_back = bounds.iter().any(|b| self.compiled[b.detector].looks_back());
                let decoder = Arc::clone(&decoders[device.device_type.head.id.as_str()]);
                let mut state = DeviceState::new(device, decoder, looks_back);
                state.bounds = bounds;
                state
            })
            .collect();
        self.divide_budgets();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
