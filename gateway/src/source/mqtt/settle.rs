//! Which publishes are still unacknowledged, and how the engine says that one may go.
//!
//! MQTT wants acknowledgements in the order of the publishes, and frames do not get ready in that
//! order: one that led to a record waits for the disk, the next one does not. So the ledger keeps
//! the order and lets go of its settled front.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_core::reading::Ticket;
use rumqttc::{AsyncClient, Publish, QoS};

/// Bits of a ticket's id that count publishes; the others tell connections apart.
const COUNT_BITS: u32 = 40;

/// So many acknowledgements are not kept waiting. Well below the 20 publishes that a broker lets be
/// unacknowledged when nobody told it otherwise.
const ENOUGH: usize = 8;
/// So many go along when the connection has just read something.
const ALONG: usize = 4;

/// Says that nothing of a frame can be lost any more. Held by the engine; never waits.
#[derive(Debug)]
pub struct Settler(Shared);

impl Settler {
    pub(super) fn new(ledger: &Shared) -> Self {
        Self(ledger.clone())
    }

    /// Acknowledges the publish that this frame came with, once all before it are settled too. A
    /// ticket of a connection that is gone is nobody's: the broker sends its publish again.
    pub fn settle(&mut self, ticket: Ticket) {
        self.0.lock().settle(ticket.id);
    }
}

/// What is owed to a broker, over all connections to it and all configurations: a ticket that was given
/// out before the configuration was replaced is not taken for one of those that follow.
#[derive(Debug, Clone, Default)]
pub struct Session(pub(super) Shared);

impl Session {
    pub fn settler(&self) -> Settler {
        Settler::new(&self.0)
    }
}

/// The ledger, shared by the settler and the connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Ledger>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unacknowledged publishes of the present connection, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    generation: u64,
    client: Option<AsyncClient>,
    /// Counts the publishes of this connection that have left `slots`.
    gone: u64,
    slots: VecDeque<Slot>,
    /// Packet ids to acknowledge.
    ready: VecDeque<u16>,
    /// An acknowledgement is on its way through the client's channel. Until the connection has
    /// seen it, no other may overtake it.
    is_waking: bool,
    /// The while is over and nothing was settled: the next one that is goes out at once.
    is_awaited: bool,
    /// A write is on its way to the socket anyway, so all that is ready may go with it.
    has_woken: bool,
}

#[derive(Debug)]
struct Slot {
    packet: u16,
    /// Frames of this publish that are not settled.
    open: usize,
}

impl Ledger {
    /// Begins anew with a connection.
    pub(super) fn connected(&mut self, client: AsyncClient) {
        *self = Self { generation: self.generation + 1, client: Some(client), ..Self::default() };
    }

    /// Forgets the connection; what it owed comes again.
    pub(super) fn lost(&mut self) {
        *self = Self { generation: self.generation + 1, ..Self::default() };
    }

    /// Enters a publish that is handed in as this many frames; returns the id of their tickets.
    pub(super) fn enter(&mut self, packet: u16, frames: usize) -> u64 {
        let count = self.gone + self.slots.len() as u64;
        self.slots.push_back(Slot { packet, open: frames });
        if frames == 0 {
            self.advance();
        }
        self.generation << COUNT_BITS | count
    }

    fn settle(&mut self, id: u64) {
        let count = id & ((1 << COUNT_BITS) - 1);
        if id >> COUNT_BITS != self.generation {
            return;
        }
        let at = count.checked_sub(self.gone).and_then(|at| usize::try_from(at).ok());
        let Some(slot) = at.and_then(|at| self.slots.get_mut(at)) else { return };
        slot.open = slot.open.saturating_sub(1);
        self.advance();
        let is_worth_it = self.is_awaited || self.ready.len() >= ENOUGH;
        if is_worth_it && !self.ready.is_empty() {
            self.wake();
        }
    }

    fn advance(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.open == 0) {
            self.gone += 1;
            self.ready.extend(self.slots.pop_front().map(|slot| slot.packet));
        }
    }

    /// Sends the first acknowledgement through the client, which wakes the connection; it writes
    /// the others itself, many at once.
    fn wake(&mut self) {
        if self.is_waking {
            return;
        }
        self.is_awaited = false;
        if let (Some(packet), Some(client)) = (self.ready.front(), &self.client) {
            let mut publish = Publish::new("", QoS::AtLeastOnce, Vec::new());
            publish.pkid = *packet;
            if client.try_ack(&publish).is_ok() {
                self.is_waking = true;
                self.ready.pop_front();
            }
        }
    }

    /// The while is over: what is ready goes out, or else what is ready next.
    pub(super) fn overdue(&mut self) {
        self.wake();
        self.is_awaited = !self.is_waking && !self.slots.is_empty();
    }

    /// The connection has seen the acknowledgement that went through the client.
    pub(super) fn woken(&mut self) {
        self.is_waking = false;
        self.has_woken = true;
    }

    /// What the connection may acknowledge, in order; nothing while it is not worth a write.
    pub(super) fn take_ready(&mut self) -> VecDeque<u16> {
        let is_worth_it = self.has_woken || self.ready.len() >= ALONG;
        if self.is_waking || !is_worth_it {
            return VecDeque::new();
        }
        self.has_woken = false;
        std::mem::take(&mut self.ready)
    }

    /// Whether an acknowledgement is owed that nothing is under way for.
    pub(super) fn is_owing(&self) -> bool {
        let is_under_way = self.is_awaited || self.is_waking;
        !is_under_way && (!self.slots.is_empty() || !self.ready.is_empty())
    }

    /// Whether nothing is owed to the broker.
    pub(super) fn is_clear(&self) -> bool {
        self.slots.is_empty() && self.ready.is_empty() && !self.is_waking
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::reading::SourceIndex;
    use rumqttc::{AsyncClient, EventLoop, MqttOptions};

    use super::*;

    fn connected() -> (Shared, EventLoop) {
        let ledger = Shared::default();
        let (client, eventloop) = AsyncClient::new(MqttOptions::new("test", "localhost", 1), 4);
        ledger.lock().connected(client);
        (ledger, eventloop)
    }

    fn ticket(id: u64) -> Ticket {
        Ticket { source: SourceIndex(0), id }
    }

    #[test]
    fn acknowledgements_go_out_in_the_order_of_the_publishes() {
        let (ledger, _eventloop) = connected();
        let mut settler = Settler::new(&ledger);
        let [a, b, c] = [7, 8, 9].map(|packet| ledger.lock().enter(packet, 1));

        settler.settle(ticket(c));
        settler.settle(ticket(b));
        assert!(ledger.lock().take_ready().is_empty(), "the first one is still open");

        settler.settle(ticket(a));
        ledger.lock().overdue();
        assert!(ledger.lock().take_ready().is_empty(), "7 is on its way through the client");
        ledger.lock().woken();
        assert_eq!(ledger.lock().take_ready(), [8, 9]);
        assert!(ledger.lock().is_clear());
    }

    #[test]
    fn a_publish_for_two_devices_is_acknowledged_when_both_are_settled() {
        let (ledger, _eventloop) = connected();
        let mut settler = Settler::new(&ledger);
        let id = ledger.lock().enter(7, 2);

        ledger.lock().overdue();
        settler.settle(ticket(id));
        assert!(!ledger.lock().is_waking);
        settler.settle(ticket(id));

        assert!(ledger.lock().is_waking);
    }

    #[test]
    fn a_publish_that_is_nobodys_is_acknowledged_in_its_turn() {
        let (ledger, _eventloop) = connected();
        let mut settler = Settler::new(&ledger);
        let first = ledger.lock().enter(1, 1);
        ledger.lock().enter(2, 0);
        assert!(ledger.lock().take_ready().is_empty());

        settler.settle(ticket(first));
        ledger.lock().overdue();
        ledger.lock().woken();

        assert_eq!(ledger.lock().take_ready(), [2]);
    }

    #[test]
    fn acknowledgements_gather_until_there_are_enough_or_the_while_is_over() {
        let (ledger, _eventloop) = connected();
        let mut settler = Settler::new(&ledger);
        let ids = (1..=20).map(|packet| ledger.lock().enter(packet, 1)).collect::<Vec<_>>();
        let mut settle = |which: std::ops::Range<usize>| {
            ids[which].iter().for_each(|id| settler.settle(ticket(*id)));
        };

        settle(0..3);
        assert!(!ledger.lock().is_waking && ledger.lock().take_ready().is_empty());
        assert!(ledger.lock().is_owing(), "the timer is wanted");

        settle(3..ENOUGH);
        assert!(ledger.lock().is_waking, "enough: they go without the timer");
        ledger.lock().woken();
        assert_eq!(ledger.lock().take_ready().len(), ENOUGH - 1);

        ledger.lock().overdue();
        assert!(!ledger.lock().is_owing(), "nothing is ready: the next one rings by itself");
        settle(ENOUGH..ENOUGH + 1);
        assert!(ledger.lock().is_waking);
    }

    #[test]
    fn a_ticket_of_an_older_connection_acknowledges_nothing() {
        let (ledger, _eventloop) = connected();
        let mut settler = Settler::new(&ledger);
        let old = ledger.lock().enter(7, 1);
        let (client, _eventloop) = AsyncClient::new(MqttOptions::new("test", "localhost", 1), 4);
        ledger.lock().lost();
        ledger.lock().connected(client);
        ledger.lock().enter(7, 1);

        settler.settle(ticket(old));
        settler.settle(ticket(u64::MAX));

        assert!(ledger.lock().ready.is_empty() && !ledger.lock().is_waking);
        assert!(!ledger.lock().is_clear());
    }
}
