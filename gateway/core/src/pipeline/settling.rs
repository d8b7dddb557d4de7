//! Which frames may be acknowledged: those whose consequences are on disk.
//!
//! A frame that led to nothing is settled at once, unless an earlier one of its source still waits:
//! MQTT wants acknowledgements in the order of the messages.

use std::collections::{BTreeMap, VecDeque};

use crate::reading::{SourceIndex, Ticket};

/// Open tickets, per source in the order of arrival.
#[derive(Debug, Clone, Default)]
pub(super) struct Settling {
    waiting: BTreeMap<SourceIndex, VecDeque<(Ticket, u64)>>,
    stored: u64,
}

impl Settling {
    /// Notes a frame whose consequences are in batch `needs` (0: none). True when it may be
    /// acknowledged at once.
    pub(super) fn handle(&mut self, ticket: Ticket, needs: u64) -> bool {
        let waits = self.waiting.get(&ticket.source).is_some_and(|queue| !queue.is_empty());
        if !waits && needs <= self.stored {
            return true;
        }
        self.waiting.entry(ticket.source).or_default().push_back((ticket, needs));
        false
    }

    /// The sources have new positions; a source that has gone wants nothing back.
    pub(super) fn renumber(&mut self, to: impl Fn(SourceIndex) -> Option<SourceIndex>) {
        for (was, queue) in std::mem::take(&mut self.waiting) {
            let Some(source) = to(was) else { continue };
            let moved = queue.into_iter().map(|(t, needs)| (Ticket { source, ..t }, needs));
            self.waiting.insert(source, moved.collect());
        }
    }

    /// Notes that everything up to that batch is on disk; gives the tickets that may go.
    pub(super) fn handle_stored(&mut self, through: u64, mut settle: impl FnMut(Ticket)) {
        self.stored = self.stored.max(through);
        for queue in self.waiting.values_mut() {
            while let Some((ticket, needs)) = queue.front()
                && *needs <= self.stored
            {
                settle(*ticket);
                queue.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_waits_for_its_batch_and_for_those_before_it() {
        let ticket = |id| Ticket { source: SourceIndex(0), id };
        let other = Ticket { source: SourceIndex(1), id: 1 };
        let mut settling = Settling::default();
        let mut settled = Vec::new();

        assert!(settling.handle(ticket(1), 0));
        assert!(!settling.handle(ticket(2), 1));
        assert!(!settling.handle(ticket(3), 0), "must not overtake the second");
        assert!(!settling.handle(ticket(4), 2));
        assert!(settling.handle(other, 0), "another broker does not wait");
        settling.handle_stored(1, |t| settled.push(t.id));

        assert_eq!(settled, [2, 3]);
        settling.handle_stored(2, |t| settled.push(t.id));
        assert_eq!(settled, [2, 3, 4]);
    }
}
