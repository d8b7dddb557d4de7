//! What is kept of readings, to try other rules on (`gatehouse backtest`).
//!
//! Each device has a [`Ledger`](crate::statistics::ledger::Ledger) of quarters of an hour. What is
//! closed in them is written for all devices at once, as one page: with every third checkpoint
//! ([`super::remembering`]), when a backlog has made much of it, at a stop, and before the configuration is
//! replaced.
//!
//! A detector that counts opens a [`Window`](crate::statistics::window): it is written when it is over,
//! and as far as it has come at a stop and before the configuration is replaced. A power cut costs those
//! that are open; after a restart an event has no second one.

use super::Pipeline;
use super::boundary::Kept;
use crate::reading::{DeviceIndex, Timestamp};
use crate::statistics::page;

/// Windows at once, of up to 64 kB each: a whole street that goes wrong is described by some of it.
const MOST_WINDOWS: usize = 32;

/// Closed quarters that wait in memory, in bytes: an hour of 500 devices of four points.
pub(super) const MOST_WAITING: usize = 128 << 10;

/// Why quarters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Too much waits.
    Backlog,
    /// It is time.
    Hour,
    /// Nothing may stay behind.
    End,
}

impl Pipeline {
    /// Notes that so many bytes more wait to be written.
    pub(super) fn note_waiting(&mut self, bytes: usize, now: Timestamp) {
        self.statistics_waiting += bytes;
        if self.statistics_waiting > MOST_WAITING {
            self.write_statistics(Occasion::Backlog, now);
        }
    }

    /// Writes the quarters that are over; at the end, those that are not as well.
    pub(super) fn write_statistics(&mut self, occasion: Occasion, now: Timestamp) {
        self.statistics_waiting = 0;
        let mut page = page::begin();
        for (state, device) in self.devices.iter_mut().zip(&self.community.devices) {
            let there = state.there(now);
            match occasion {
                Occasion::Backlog => {}
                Occasion::Hour => {
                    state.ledger.close_before(there);
                    state.ledger.renew();
                }
                Occasion::End => {
                    state.ledger.close();
                    state.ledger.renew();
                }
            }
            let points = device.device_type.points.iter().map(|point| point.name.as_str());
            state.ledger.write(&device.id, points, &mut page);
        }
        if page::is_begun(&page) {
            self.batch.kept.push(Kept::Statistics { at: now, page });
        }
    }

    /// A detector on a device counts: what it said and says is put aside.
    pub(super) fn begin_window(&mut self, index: DeviceIndex, now: Timestamp) {
        let has_room = self.windows.len() < MOST_WINDOWS || self.windows.contains(&index);
        if self.settings.is_live && has_room {
            self.windows.insert(index);
            let state = &mut self.devices[index.0];
            state.around.begin(state.there(now));
        }
    }

    /// Ends the window of a device when it is time.
    pub(super) fn follow_window(&mut self, index: DeviceIndex, now: Timestamp) {
        if !self.windows.contains(&index) {
            return;
        }
        let is_speaking = self.speaking.contains(&index);
        let state = &mut self.devices[index.0];
        let there = state.there(now);
        if is_speaking {
            state.around.go_on(there);
        }
        if state.around.is_over(there) {
            self.close_window(index);
        }
    }

    /// The same for all: who is silent ends no window of its own.
    pub(super) fn follow_windows(&mut self, now: Timestamp) {
        for index in self.windows.clone() {
            self.follow_window(index, now);
        }
    }

    pub(super) fn close_windows(&mut self) {
        for index in self.windows.clone() {
            self.close_window(index);
        }
    }

    fn close_window(&mut self, index: DeviceIndex) {
        self.windows.remove(&index);
        let device = self.community.device(index);
        let points = device.device_type.points.iter().map(|point| point.name.as_str());
        let closed = self.devices[index.0].around.close(&device.id, points);
        if let Some((at, bytes)) = closed {
            let device = device.id.clone();
            self.batch.kept.push(Kept::Window { at, device, bytes });
        }
    }
}
