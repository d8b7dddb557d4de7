//! One node: what a board sees.
//!
//! A board has three loops, and none may hold up the others. Often (every half millisecond, in an
//! interrupt): [`Node::byte`] and [`Node::answer`]. In the main loop: what is [`Node::due`] is measured
//! without holding the node and handed in by [`Node::take`]; an [`Errand`] is carried out the same way.
//! Where the node is shared with an interrupt it is locked for the calls alone, each of which is short.

use gatehouse_contract::common::{
    BAUD_RATES, BUS_ERRORS, FIRMWARE, KIND, MAGIC, MAGIC_WORD, MAP_VERSION, REQUESTS, RESET_CAUSE,
    RESULT, ResetCause, SELF_TEST_RESULT, SENSOR_ERRORS, SERIAL, STATUS, SUPPLY, SUPPLY_LOWEST,
    UPTIME, result, status,
};
use gatehouse_contract::{Map, NoData};

use crate::SECOND;
use crate::bank::Bank;
use crate::line::{Heard, Line};
use crate::plan::{self, Plan, Turn};
use crate::sense::{Measured, Quantity};
use crate::settings::{CALIBRATIONS, Kept, OWN, Origin, RECORD, Settings};
use crate::slave::{self, Outcome, Reply};
use crate::watch::{Part, Watch};

mod served;

/// What a node of one kind does with its measurements.
pub trait Job: Default {
    const MAP: &'static Map;
    /// Told by function 43; the gateway's device type has the same name.
    const PRODUCT: &'static str;
    const TURNS: &'static [Turn];
    /// The map's own holding registers, as the node is made.
    const OWN: [u16; OWN];
    const CALIBRATION: [f32; CALIBRATIONS];

    /// Takes up what was kept.
    fn start(&mut self, with: &Settings) {
        let _ = with;
    }

    /// A measurement: what follows from it goes to the bank.
    fn take(
        &mut self,
        what: Quantity,
        measured: Measured,
        with: &Settings,
        bank: &mut Bank,
        now: u64,
    );

    /// One of the map's own commands. What it changes in the settings is kept when it says so.
    fn command(&mut self, word: u16, settings: &mut Settings, bank: &mut Bank, now: u64) -> Done;

    /// Whether it does not know yet what is normal.
    fn is_learning(&self) -> bool {
        false
    }
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The settings have changed and are to be kept.
    Keep,
    /// The board has to tell the chip.
    CalibrateCo2(u16),
    /// The conditions are not given.
    Failed,
}

/// What a board tells a node at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The chip's own number, folded to 31 bits.
    pub serial: u32,
    /// 256 * major + minor.
    pub firmware: u16,
    pub cause: ResetCause,
    /// Address switches; 0: none, or all off. They win over the register.
    pub switches: u8,
}

/// What a board is asked to do, in its main loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Write this to that slot (erase, write, read back), then say [`Node::saved`].
    Save { slot: usize, record: [u8; RECORD] },
    /// A self-test begins: have each chip asked who it is, by [`crate::Sense::ask_who`].
    AskWho,
    /// Tell the chip by [`crate::Sense::calibrate_co2`], then say [`Node::calibrated`].
    CalibrateCo2(u16),
    /// Start anew when the answer has left.
    Restart,
}

/// How the line is to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    pub baud: u32,
    /// As in `common::parity`; without parity there are two stop bits.
    pub parity: u8,
}

/// A node of one kind.
#[derive(Debug)]
pub struct Node<J> {
    state: State<J>,
    line: Line,
    reply: Reply,
    plan: Plan,
    watch: Watch,
    /// What is being measured.
    out: Option<Quantity>,
    start: u64,
}

/// What the slave serves.
#[derive(Debug)]
struct State<J> {
    job: J,
    bank: Bank,
    kept: Kept,
    /// In force, own registers that were not committed included.
    live: Settings,
    switches: u8,
    is_open: bool,
    /// What is to be kept, and whether it has been handed out.
    saving: Option<(Settings, bool)>,
    calibrating: Option<(u16, bool)>,
    is_restarting: bool,
    /// A bit for each turn: those that a self-test still waits for, and those that failed in it.
    test: Option<(u8, u8)>,
    /// A bit for each turn whose last measurement failed.
    failing: u8,
    is_test_wanted: bool,
    now: u64,
}

impl<J: Job> Node<J> {
    /// `slots` are the two settings slots as they stand in flash.
    pub fn new(slots: [&[u8]; 2], made: &Made, now: u64) -> Self {
        let first = Settings {
            address: 1,
            // 19200 even is the default of Modbus over serial line V1.02, section 2.5.1.
            baud: 1,
            parity: 0,
            own: J::OWN,
            calibration: J::CALIBRATION,
        };
        let kept = Kept::load(slots, J::MAP, first);
        let mut job = J::default();
        job.start(&kept.settings);
        let mut bank = Bank::new(J::MAP);
        bank.count(&MAGIC, Ok(i32::from(MAGIC_WORD)));
        bank.count(&KIND, Ok(i32::from(J::MAP.kind)));
        bank.count(&MAP_VERSION, Ok(i32::from(J::MAP.version)));
        bank.count(&FIRMWARE, Ok(i32::from(made.firmware)));
        bank.count(&SERIAL, Ok((made.serial % SERIAL.range.1.cast_unsigned()).cast_signed()));
        bank.count(&RESET_CAUSE, Ok(made.cause as i32));
        for counter in [&BUS_ERRORS, &SENSOR_ERRORS, &REQUESTS, &UPTIME, &STATUS] {
            bank.count(counter, Ok(0));
        }
        let mut state = State {
            job,
            bank,
            live: kept.settings,
            kept,
            switches: made.switches,
            is_open: false,
            saving: None,
            calibrating: None,
            is_restarting: false,
            test: Some((all(J::TURNS), 0)),
            failing: 0,
            is_test_wanted: false,
            now,
        };
        state.show_settings();
        let line = Line::new(state.wire().baud);
        Self {
            state,
            line,
            reply: Reply::default(),
            plan: Plan::new(J::TURNS, now),
            watch: Watch::new(now),
            out: None,
            start: now,
        }
    }

    /// How the line is to be set. It changes when settings have been kept, after the answer.
    pub fn wire(&self) -> Wire {
        self.state.wire()
    }

    /// The board has set the line anew.
    pub fn wired(&mut self) {
        self.line = Line::new(self.state.wire().baud);
    }

    /// A byte from the line.
    pub fn byte(&mut self, byte: u8, now: u64) {
        self.line.byte(byte, now);
    }

    /// A byte that came damaged, or was lost.
    pub fn damaged(&mut self, now: u64) {
        self.line.damaged(now);
    }

    /// What is to be sent, as soon as the line has been silent for long enough.
    pub fn answer(&mut self, now: u64) -> Option<&[u8]> {
        self.watch.saw(Part::Line, now);
        let heard = self.line.frame(now)?;
        let Heard::Frame(many) = heard else {
            self.state.bank.count_up(&BUS_ERRORS);
            return None;
        };
        self.state.now = now;
        self.state.tell_fare(self.start);
        let unit = self.state.unit();
        match slave::answer(self.line.bytes(many), unit, &mut self.state, &mut self.reply) {
            Outcome::Answered => {
                self.state.bank.count_up(&REQUESTS);
                Some(self.reply.as_slice())
            }
            Outcome::Damaged => {
                self.state.bank.count_up(&BUS_ERRORS);
                None
            }
            Outcome::Obeyed | Outcome::NotOurs => None,
        }
    }

    /// What is to be measured now. Nothing more is due until it was handed in.
    pub fn due(&mut self, now: u64) -> Option<Quantity> {
        if self.out.is_some() {
            return None;
        }
        self.watch.saw(Part::Sampling, now);
        self.out = self.plan.next(now);
        self.out
    }

    /// A measurement that was due.
    pub fn take(&mut self, what: Quantity, measured: Measured, now: u64) {
        self.out = None;
        self.state.now = now;
        self.state.note(what, &measured);
        let State { job, bank, live, .. } = &mut self.state;
        job.take(what, measured, live, bank, now);
    }

    /// What the board has to do; each errand is handed out once.
    pub fn errand(&mut self, now: u64) -> Option<Errand> {
        self.watch.saw(Part::Errands, now);
        let state = &mut self.state;
        if let Some((settings, is_out @ false)) = &mut state.saving {
            *is_out = true;
            let (slot, record) = state.kept.record(settings, J::MAP);
            return Some(Errand::Save { slot, record });
        }
        if let Some((ppm, is_out @ false)) = &mut state.calibrating {
            *is_out = true;
            return Some(Errand::CalibrateCo2(*ppm));
        }
        if core::mem::take(&mut state.is_test_wanted) {
            state.test = Some((all(J::TURNS), 0));
            self.plan.all_at_once(now);
            return Some(Errand::AskWho);
        }
        core::mem::take(&mut state.is_restarting).then_some(Errand::Restart)
    }

    /// The record stands in its slot, or cannot be written.
    pub fn saved(&mut self, is_written: bool) {
        let Some((settings, _)) = self.state.saving.take() else { return };
        if is_written {
            self.state.kept.written(settings);
            self.state.live = settings;
            self.state.is_open = false;
            self.state.show_settings();
        }
        self.state.finish(is_written);
    }

    /// The CO2 chip has taken its reference, or has not.
    pub fn calibrated(&mut self, is_done: bool) {
        if self.state.calibrating.take().is_some() {
            self.state.finish(is_done);
        }
    }

    /// Whether the watchdog may be petted.
    pub fn may_pet(&self, now: u64) -> bool {
        self.watch.all_alive(now)
    }

    /// The words that the gateway reads.
    pub fn bank(&self) -> &Bank {
        &self.state.bank
    }

    pub fn settings(&self) -> &Settings {
        &self.state.live
    }
}

impl<J: Job> State<J> {
    fn unit(&self) -> u8 {
        if (1..=247).contains(&self.switches) { self.switches } else { self.live.address }
    }

    fn wire(&self) -> Wire {
        let baud = BAUD_RATES.get(usize::from(self.live.baud)).copied();
        Wire { baud: baud.unwrap_or(BAUD_RATES[1]), parity: self.live.parity }
    }

    /// A measurement as such: the supply, and whether the chip is well.
    fn note(&mut self, what: Quantity, measured: &Measured) {
        let turn = J::TURNS.iter().position(|turn| turn.quantity == what).unwrap_or(0);
        let bit = 1_u8.checked_shl(u32::try_from(turn).unwrap_or(0)).unwrap_or(0);
        // What is not fitted cannot fail.
        let has_failed = matches!(measured, Err(why) if *why != NoData::Absent);
        if has_failed {
            self.bank.count_up(&SENSOR_ERRORS);
            self.failing |= bit;
        } else {
            self.failing &= !bit;
        }
        if let Some((waiting, failed)) = &mut self.test {
            *waiting &= !bit;
            *failed |= if has_failed { bit } else { 0 };
            if *waiting == 0 {
                let failed = *failed;
                self.test = None;
                self.bank.count(&SELF_TEST_RESULT, Ok(i32::from(failed)));
                if self.bank.counts(&RESULT) == Ok(result::RUNNING) && self.is_free() {
                    self.finish(true);
                }
            }
        }
        if what == Quantity::Supply {
            let supply = measured.map(|[millivolts, ..]| millivolts);
            self.bank.put(&SUPPLY, supply);
            let lowest = self.bank.value(&SUPPLY_LOWEST).unwrap_or(f32::MAX);
            if let Ok(supply) = supply {
                self.bank.put(&SUPPLY_LOWEST, Ok(supply.min(lowest)));
            }
        }
    }

    /// How the node fares, at the time of a question.
    fn tell_fare(&mut self, start: u64) {
        let seconds = (self.now - start) / SECOND;
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX).min(UPTIME.range.1);
        self.bank.count(&UPTIME, Ok(seconds));
        let bits = [
            (self.kept.origin == Origin::Older, status::SETTINGS_OLDER),
            (self.kept.origin == Origin::Made, status::SETTINGS_MADE),
            (self.is_open, status::SETTINGS_OPEN),
            (self.job.is_learning(), status::LEARNING),
            (self.failing != 0, status::SENSOR),
            (self.unit() != self.live.address || self.switches != 0, status::SWITCHES),
        ];
        let set = bits.iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| i32::from(*bit)).sum();
        self.bank.count(&STATUS, Ok(set));
    }

    /// Nothing is being kept, calibrated or tested.
    fn is_free(&self) -> bool {
        self.saving.is_none() && self.calibrating.is_none() && !self.is_test_wanted
    }

    fn finish(&mut self, is_done: bool) {
        let told = if is_done { result::DONE } else { result::FAILED };
        self.bank.count(&RESULT, Ok(told));
    }
}

/// A bit for every turn.
fn all(turns: &[Turn]) -> u8 {
    turns.iter().take(plan::MOST).fold(0, |bits, _| bits << 1 | 1)
}
