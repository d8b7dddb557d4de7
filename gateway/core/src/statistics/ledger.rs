//! The quarters of one device as they pass.

use super::page::{self, Piece};
use super::quarter::{Quarter, Statistic};
use crate::reading::{Quality, Reading, Timestamp};

/// Pieces from one [`Ledger::renew`] to the next, at most: a backlog of two days. A clock that goes back
/// and forth between two quarters makes no more; what it says after that is noted in the open piece,
/// which is then out of order.
const MOST: usize = 200;

/// What a device said since its pieces were last written.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    open: Option<Open>,
    /// Closed pieces, as they are written.
    closed: Vec<u8>,
    waiting: usize,
    /// Pieces since the last [`Ledger::renew`].
    count: usize,
    newest: Option<Quarter>,
}

#[derive(Debug, Clone)]
struct Open {
    quarter: Quarter,
    is_out_of_order: bool,
    points: Vec<Statistic>,
}

impl Ledger {
    /// Notes the readings of one frame; `points` is how many points the device has. Tells by how many
    /// bytes that made more to write.
    pub fn note(&mut self, points: usize, readings: &[Reading], at: Timestamp) -> usize {
        if readings.is_empty() {
            return 0;
        }
        let before = self.closed.len();
        let quarter = Quarter::of(at);
        if self.open.as_ref().is_some_and(|open| open.quarter != quarter) && self.count < MOST {
            self.close();
        }
        let newest = self.newest.max(Some(quarter));
        let is_back = newest != Some(quarter);
        self.newest = newest;
        let open = self.open.get_or_insert_with(|| Open {
            quarter,
            is_out_of_order: false,
            points: vec![Statistic::default(); points],
        });
        open.is_out_of_order |= is_back || open.quarter != quarter;
        for reading in readings {
            let Some(point) = open.points.get_mut(reading.point) else { continue };
            if reading.quality == Quality::Good {
                point.push(reading.value);
            } else {
                point.push_bad();
            }
        }
        self.closed.len() - before
    }

    /// Closes the open quarter when it is over by the device's time.
    pub fn close_before(&mut self, there: Timestamp) {
        if self.open.as_ref().is_some_and(|open| open.quarter.end() <= there) {
            self.close();
        }
    }

    /// Closes the open quarter.
    pub fn close(&mut self) {
        let Some(Open { quarter, is_out_of_order, points }) = self.open.take() else { return };
        page::write_piece(&Piece { quarter, is_out_of_order, points }, &mut self.closed);
        self.waiting += 1;
        self.count += 1;
    }

    /// An hour has passed: as many pieces as in the last one may come.
    pub fn renew(&mut self) {
        self.count = 0;
    }

    /// Adds what was closed to a page, and forgets it.
    pub fn write<'p>(
        &mut self,
        device: &str,
        points: impl ExactSizeIterator<Item = &'p str>,
        page: &mut Vec<u8>,
    ) {
        if self.waiting > 0 {
            page::write_device(device, points, self.waiting, &self.closed, page);
            self.closed = Vec::new();
            self.waiting = 0;
        }
    }
}
