//! What is under way on one connection, and which acknowledgement means which record.
//!
//! rumqttc does not say which packet id a publish got. It takes publishes in the order in which they
//! were handed over and tells each one's id when it goes out, so the n-th id belongs to the n-th
//! publish of the connection. With a connection that is only ever replaced, that order never breaks.

use std::collections::{HashMap, HashSet, VecDeque};

/// Something that was handed to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// A record, by its sequence.
    Record(u64),
    Gap,
    Status,
}

/// Dropped together with its connection.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Handed over, packet id not known yet.
    queued: VecDeque<Item>,
    /// On the wire.
    sent: HashMap<u16, Item>,
    records: HashSet<u64>,
}

impl InFlight {
    pub(super) fn handed_over(&mut self, item: Item) {
        self.queued.push_back(item);
        if let Item::Record(sequence) = item {
            self.records.insert(sequence);
        }
    }

    /// A publish went out under this packet id. False when nothing was due to: the order is broken.
    pub(super) fn went_out(&mut self, packet: u16) -> bool {
        match self.queued.pop_front() {
            Some(item) => self.sent.insert(packet, item).is_none(),
            None => false,
        }
    }

    /// The broker has what went out under this packet id.
    pub(super) fn confirmed(&mut self, packet: u16) -> Option<Item> {
        let item = self.sent.remove(&packet)?;
        if let Item::Record(sequence) = item {
            self.records.remove(&sequence);
        }
        Some(item)
    }

    /// Records that need not be handed over again.
    pub(super) fn records(&self) -> &HashSet<u64> {
        &self.records
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.sent.is_empty()
    }

    pub(super) fn has(&self, item: Item) -> bool {
        self.queued.contains(&item) || self.sent.values().any(|sent| *sent == item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_acknowledgement_finds_its_own_record_in_any_order() {
        let mut flight = InFlight::default();
        for item in [Item::Status, Item::Record(7), Item::Record(8), Item::Gap] {
            flight.handed_over(item);
        }
        for packet in [1, 2, 3, 4] {
            assert!(flight.went_out(packet));
        }

        assert_eq!(flight.confirmed(3), Some(Item::Record(8)));
        assert_eq!(flight.confirmed(3), None, "twice confirms nothing else");
        assert_eq!(flight.records(), &HashSet::from([7]));
        assert_eq!(flight.confirmed(2), Some(Item::Record(7)));
        assert!(flight.has(Item::Gap));
        assert_eq!(flight.confirmed(4), Some(Item::Gap));
        assert_eq!(flight.confirmed(1), Some(Item::Status));
        assert!(flight.is_empty());
    }

    #[test]
    fn a_broken_order_is_noticed() {
        let mut flight = InFlight::default();
        assert!(!flight.went_out(1), "nothing was handed over");

        flight.handed_over(Item::Record(1));
        flight.handed_over(Item::Record(2));
        assert!(flight.went_out(5));
        assert!(!flight.went_out(5), "the id is in use");
    }
}
