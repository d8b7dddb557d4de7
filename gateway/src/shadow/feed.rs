//! What the engine lets the watch see. It never waits: what does not fit is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Frame, Timestamp};

/// Inputs that may wait for the candidate, some 1 MB: a candidate that begins takes seconds to load.
const ROOM: usize = 4_096;

/// What is seen, with the live one's time.
pub(super) struct Seen {
    pub(super) now: Timestamp,
    pub(super) what: What,
}

pub(super) enum What {
    Input(Box<Input>),
    /// What the live one told.
    Records(Vec<Record>),
}

/// The engine's end.
#[derive(Debug)]
pub struct Feed {
    sender: SyncSender<Seen>,
    gauge: Arc<Gauge>,
}

/// What both ends know.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    /// A candidate runs and wants to see what the live one sees.
    wants_inputs: AtomicBool,
    /// Somebody counts what the live one tells.
    wants_records: AtomicBool,
    dropped: AtomicU64,
}

impl Gauge {
    pub(super) fn want(&self, inputs: bool, records: bool) {
        self.wants_inputs.store(inputs, Ordering::Relaxed);
        self.wants_records.store(records, Ordering::Relaxed);
    }

    /// What did not fit since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }
}

pub(super) fn open() -> (Feed, Receiver<Seen>, Arc<Gauge>) {
    let (sender, seen) = sync_channel(ROOM);
    let gauge = Arc::new(Gauge::default());
    (Feed { sender, gauge: Arc::clone(&gauge) }, seen, gauge)
}

impl Feed {
    /// Shows what a source said. A candidate's answers and its disk are its own, and so are tickets
    /// those of the live one.
    pub fn input(&self, input: &Input, now: Timestamp) {
        if !self.gauge.wants_inputs.load(Ordering::Relaxed) {
            return;
        }
        let input = match input {
            Input::Frame(frame) => Input::Frame(Frame { ticket: None, ..frame.clone() }),
            Input::Source { .. }
            | Input::Dropped { .. }
            | Input::Clock(_)
            | Input::ClockStepped { .. } => input.clone(),
            // A verdict or an action names an event of the live one; what it taught is taken over at the next start.
            Input::Verdict { .. }
            | Input::Act { .. }
            | Input::Report { .. }
            | Input::Evidence { .. }
            | Input::Drill { .. }
            | Input::Write { .. }
            | Input::Written { .. }
            | Input::Answer(_)
            | Input::Stored { .. }
            | Input::StoreFailed { .. }
            | Input::DiskFull { .. }
            | Input::ModelsMissing { .. }
            | Input::FlashWears { .. }
            | Input::Channels { .. }
            | Input::Withdrawn(_)
            | Input::SettingsSetAside { .. }
            | Input::Config(_) => return,
        };
        self.send(Seen { now, what: What::Input(Box::new(input)) });
    }

    /// Shows what the live one told.
    pub fn records(&self, records: &[Record], now: Timestamp) {
        if !records.is_empty() && self.gauge.wants_records.load(Ordering::Relaxed) {
            self.send(Seen { now, what: What::Records(records.to_vec()) });
        }
    }

    fn send(&self, seen: Seen) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(seen) {
            self.gauge.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::reading::{Body, DeviceIndex, SourceIndex, Ticket};

    use super::*;

    fn frame() -> Input {
        let ticket = Some(Ticket { source: SourceIndex(0), id: 7 });
        Input::Frame(Frame { device: DeviceIndex(0), ticket, body: Body::Payload(b"{}".to_vec()) })
    }

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let (feed, _seen, gauge) = open();
        gauge.want(true, true);
        for _ in 0..ROOM + 3 {
            feed.input(&frame(), Timestamp(0));
        }
        assert_eq!(gauge.take_dropped(), 3);
        assert_eq!(gauge.take_dropped(), 0);
    }

    #[test]
    fn frames_are_shown_without_their_tickets_and_only_when_somebody_wants_them() {
        let (feed, seen, gauge) = open();
        feed.input(&frame(), Timestamp(0));
        assert!(seen.try_recv().is_err());

        gauge.want(true, true);
        feed.input(&Input::Stored { through: 1 }, Timestamp(0));
        feed.input(&frame(), Timestamp(0));

        let Ok(Seen { what: What::Input(input), .. }) = seen.try_recv() else { panic!("nothing") };
        assert!(matches!(*input, Input::Frame(Frame { ticket: None, .. })));
        assert!(seen.try_recv().is_err());
    }
}
