//! A township's system as small as it can be: it reads events and drops what it has. What it takes in
//! is told to a person by [`super::telling`].
//!
//! It does what `contract.md` asks of a platform: a message id that it knows is a retry and is
//! dropped; a sequence number that it has not seen is a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gatehouse_core::event::message::Message;
use rumqttc::{Event, Packet, QoS};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connect::{self, NotABroker};
use super::plan::Seen;
use crate::config::Access;

const RETRY: Duration = Duration::from_millis(500);
/// Messages that arrived and nobody has looked at yet. When full, the broker waits.
const QUEUE: usize = 256;

/// What the platform knows.
#[derive(Debug, Default)]
pub struct Platform {
    ids: BTreeSet<String>,
    sequences: BTreeSet<u64>,
    /// Every message that opened, changed or ended an event, once.
    pub seen: Vec<Seen>,
    /// The most urgent level of each event, by its id.
    pub levels: BTreeMap<String, u8>,
    /// Messages received, repeated ones too.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages whose id was known.
    pub repeated: u64,
    /// Messages that are no event.
    pub unreadable: u64,
}

impl Platform {
    /// Takes a message in; gives it back when it is new.
    pub fn receive(&mut self, payload: &[u8]) -> Option<Message> {
        self.messages += 1;
        self.bytes += payload.len() as u64;
        let Ok(message) = serde_json::from_slice::<Message>(payload) else {
            self.unreadable += 1;
            return None;
        };
        if !self.ids.insert(message.id.clone()) {
            self.repeated += 1;
            return None;
        }
        if let Ok(sequence) = message.sequence.parse() {
            self.sequences.insert(sequence);
        }
        match Seen::of(&message) {
            Some(seen) => self.seen.push(seen),
            None => self.unreadable += 1,
        }
        let level = self.levels.entry(message.data.event.clone()).or_insert(message.data.level);
        *level = message.data.level.min(*level);
        Some(message)
    }

    /// Sequence numbers between the first and the last that never came, as `(from, to)`.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let pairs = self.sequences.iter().zip(self.sequences.iter().skip(1));
        pairs
            .filter(|(one, next)| **one + 1 < **next)
            .map(|(one, next)| (one + 1, next - 1))
            .collect()
    }
}

/// Reads a topic until `stop`, through lost connections too. The first message can be sent once
/// `ready` has been told.
pub fn listen(
    url: &str,
    topic: String,
    ready: tokio::sync::oneshot::Sender<()>,
    stop: CancellationToken,
) -> Result<mpsc::Receiver<Vec<u8>>, NotABroker> {
    let options = connect::options(url, &Access::default(), "stand-in-platform")?;
    let (deliver, delivered) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let (client, mut wire) = connect::client(options, QUEUE);
        let mut ready = Some(ready);
        loop {
            // Cancel-safe where it matters: after `stop` nothing is polled any more.
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = wire.poll() => event,
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    if let Err(error) = client.try_subscribe(&topic, QoS::AtLeastOnce) {
                        tracing::warn!(%error, "the platform cannot subscribe");
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => {
                    ready.take().map(|ready| ready.send(()));
                }
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    if deliver.send(message.payload.to_vec()).await.is_err() {
                        return;
                    }
                }
                Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, "the platform lost its broker");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    });
    Ok(delivered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_retry_is_dropped_a_gap_is_kept_and_rubbish_is_counted() {
        let mut platform = Platform::default();
        let first = bytes("m-1", 7, "gatehouse.event.opened");

        assert!(platform.receive(&first).is_some());
        assert!(platform.receive(&first).is_none());
        assert!(platform.receive(&bytes("m-2", 10, "gatehouse.event.cleared")).is_some());
        assert!(platform.receive(b"{").is_none());

        let counts = (platform.messages, platform.repeated, platform.unreadable);
        assert_eq!(counts, (4, 1, 1));
        assert_eq!(platform.gaps(), [(8, 9)]);
        assert_eq!(platform.levels, BTreeMap::from([("e-1".into(), 3)]));
        assert_eq!(platform.seen.iter().map(|s| s.opens).collect::<Vec<_>>(), [true, false]);
    }

    fn bytes(id: &str, sequence: u64, kind: &str) -> Vec<u8> {
        let (id, kind, sequence) = (id.into(), kind.into(), sequence.to_string());
        serde_json::to_vec(&Message { id, kind, sequence, ..sample::message() }).unwrap()
    }
}
