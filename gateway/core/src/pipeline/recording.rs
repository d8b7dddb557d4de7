//! What is kept of readings, to try other rules on (`gatehouse backtest`).
//!
//! Each device has a [`Ledger`](crate::statistics::ledger::Ledger) of quarters of an hour. What is
//! closed in them is written for all devices at once, as one page: with every third checkpoint
//! ([`super::remembering`]), at a stop, and before the configuration is replaced.

use super::Pipeline;
use super::boundary::Kept;
use crate::reading::Timestamp;
use crate::statistics::page;

impl Pipeline {
    /// Writes the quarters that are over; with `all`, those that are not as well.
    pub(super) fn write_statistics(&mut self, now: Timestamp, all: bool) {
        let mut page = page::begin();
        for (state, device) in self.devices.iter_mut().zip(&self.community.devices) {
            let there = state.there(now);
            if all {
                state.ledger.close();
            } else {
                state.ledger.close_before(there);
            }
            let points = device.device_type.points.iter().map(|point| point.name.as_str());
            state.ledger.write(&device.id, points, &mut page);
        }
        if page::is_begun(&page) {
            self.batch.kept.push(Kept::Statistics { at: now, page });
        }
    }
}
