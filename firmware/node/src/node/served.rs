//! What the gateway may read and write: every word is checked against the map before one is taken.

use gatehouse_contract::common::{
    ADDRESS, BAUD, BUS_ERRORS, CLEAR, COMMAND, COMMIT, COMMIT_KEY, PARITY, REQUESTS, RESTART,
    RESULT, SELF_TEST, SENSOR_ERRORS, SUPPLY, SUPPLY_LOWEST, result,
};
use gatehouse_contract::{Access, Register, map};

use super::{Done, Job, State};
use crate::settings::{OWN, Settings};
use crate::slave::{Exception, Served};

const VENDOR: &str = "Gatehouse";

impl<J: Job> Served for State<J> {
    fn input(&self, address: u16) -> Option<u16> {
        self.bank.word(Access::Input, address)
    }

    fn holding(&self, address: u16) -> Option<u16> {
        self.bank.word(Access::Holding, address)
    }

    fn write(&mut self, first: u16, words: &[u16], is_broadcast: bool) -> Result<(), Exception> {
        let mut orders = 0;
        for (nth, word) in words.iter().enumerate() {
            let address = after(first, nth).ok_or(Exception::IllegalAddress)?;
            orders += u8::from(self.check(address, *word, is_broadcast)?);
        }
        // The second would take the place of the first, and its result would be read as that of both.
        if orders > 1 {
            return Err(Exception::IllegalValue);
        }
        for (nth, word) in words.iter().enumerate() {
            let register = after(first, nth).and_then(|at| self.bank.register(Access::Holding, at));
            let Some(register) = register else { continue };
            self.set(register, *word);
        }
        Ok(())
    }

    fn identity(&self, object: u8) -> Option<&str> {
        match object {
            0 => Some(VENDOR),
            1 => Some(J::PRODUCT),
            2 => Some(env!("CARGO_PKG_VERSION")),
            _ => None,
        }
    }
}

/// The address of the `nth` word from `first` on; none beyond the last there is.
fn after(first: u16, nth: usize) -> Option<u16> {
    first.checked_add(u16::try_from(nth).ok()?)
}

impl<J: Job> State<J> {
    /// Whether the register may be written so; true for one that orders something to be done.
    fn check(&self, address: u16, word: u16, is_broadcast: bool) -> Result<bool, Exception> {
        let register =
            self.bank.register(Access::Holding, address).ok_or(Exception::IllegalAddress)?;
        // Every node of a line at one address would be none at all.
        if *register == RESULT || is_broadcast && *register != COMMAND {
            return Err(Exception::IllegalAddress);
        }
        let counts = register.decode_counts(&[word]).map_err(|_code| Exception::IllegalValue)?;
        let is_order = *register == COMMAND || *register == COMMIT;
        if *register == COMMAND && !self.bank.map().knows(word)
            || *register == COMMIT && counts != i32::from(COMMIT_KEY)
        {
            return Err(Exception::IllegalValue);
        }
        if is_order && self.bank.counts(&RESULT) == Ok(result::RUNNING) {
            return Err(Exception::Busy);
        }
        Ok(is_order)
    }

    fn set(&mut self, register: &Register, word: u16) {
        self.bank.count(register, register.decode_counts(&[word]));
        match *register {
            COMMIT => self.keep(self.wanted()),
            COMMAND => self.obey(word),
            _ => {
                // Own registers are in force at once, so that their effect can be seen before they are kept.
                let nth = register.address.checked_sub(map::OWN).map(usize::from);
                if let Some(own) = nth.and_then(|nth| self.live.own.get_mut(nth)) {
                    *own = word;
                }
                self.is_open = true;
            }
        }
    }

    fn obey(&mut self, word: u16) {
        self.bank.count(&RESULT, Ok(result::RUNNING));
        match word {
            SELF_TEST => self.is_test_wanted = true,
            RESTART => self.is_restarting = true,
            CLEAR => {
                for counter in [&BUS_ERRORS, &SENSOR_ERRORS, &REQUESTS] {
                    self.bank.count(counter, Ok(0));
                }
                let supply = self.bank.value(&SUPPLY);
                self.bank.put(&SUPPLY_LOWEST, supply);
                self.finish(true);
            }
            own => {
                let mut live = self.live;
                match self.job.command(own, &mut live, &mut self.bank, self.now) {
                    Done::Keep => {
                        // An address that was written and not committed is not kept by the way.
                        let Settings { address, baud, parity, .. } = self.kept.settings;
                        self.live = live;
                        self.keep(Settings { address, baud, parity, ..live });
                    }
                    Done::CalibrateCo2(ppm) => self.calibrating = Some((ppm, false)),
                    Done::Failed => self.finish(false),
                }
            }
        }
    }

    fn keep(&mut self, settings: Settings) {
        self.bank.count(&RESULT, Ok(result::RUNNING));
        self.saving = Some((settings, false));
    }

    /// What stands in the holding registers, with the calibrations in force.
    fn wanted(&self) -> Settings {
        let byte = |register: &Register| {
            let counts = self.bank.counts(register).unwrap_or(register.range.0);
            u8::try_from(counts).unwrap_or(u8::MAX)
        };
        Settings { address: byte(&ADDRESS), baud: byte(&BAUD), parity: byte(&PARITY), ..self.live }
    }

    /// Puts what is in force into the holding registers.
    pub(super) fn show_settings(&mut self) {
        let Settings { address, baud, parity, own, .. } = self.live;
        for (register, value) in [(&ADDRESS, address), (&BAUD, baud), (&PARITY, parity)] {
            self.bank.count(register, Ok(i32::from(value)));
        }
        for (nth, word) in (0..).zip(own).take(OWN) {
            if let Some(register) = self.bank.register(Access::Holding, map::OWN + nth) {
                self.bank.count(register, register.decode_counts(&[word]));
            }
        }
    }
}
