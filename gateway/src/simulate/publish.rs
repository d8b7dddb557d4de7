//! Messages onto the wire at `QoS` 1, each remembered until the broker has confirmed it.
//!
//! The client library keeps nothing that matters: after any error it is thrown away, and what was
//! not confirmed goes out again, in order, through a new one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::{mpsc, watch};

use super::connect;
use super::play::Tally;

/// Frames handed over and not yet confirmed; smaller than the client's own window.
const WINDOW: usize = 64;
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// One message of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
}

/// How the devices stand with their broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    Up,
    /// Why there is no connection, as far as that is known.
    Down(Option<String>),
}

/// Publishes until `made` is closed and everything is confirmed.
pub(super) async fn publish(
    options: &MqttOptions,
    mut made: mpsc::Receiver<Message>,
    tally: &Tally,
    link: &watch::Sender<Link>,
) {
    let mut again = VecDeque::new();
    let mut pause = RETRY_MIN;
    loop {
        let confirmed = tally.read().confirmed;
        let Err(error) = session(options, &mut made, &mut again, tally, link).await else {
            return;
        };
        if tally.read().confirmed > confirmed {
            pause = RETRY_MIN;
        }
        let (host, port) = options.broker_address();
        let broker = format!("{host}:{port}");
        tracing::warn!(broker, error, ?pause, again = again.len(), "the devices have no broker");
        link.send_replace(Link::Down(Some(error)));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// What a connection reports.
enum Told {
    Connected,
    /// The oldest message that had none has this packet id.
    Handed(u16),
    Confirmed(u16),
    Lost(String),
}

/// One connection, from its first byte to its last. `again` holds what must go out first, and, after
/// an error, everything that was not confirmed.
async fn session(
    options: &MqttOptions,
    made: &mut mpsc::Receiver<Message>,
    again: &mut VecDeque<Message>,
    tally: &Tally,
    link: &watch::Sender<Link>,
) -> Result<(), String> {
    let (client, wire) = connect::client(options.clone(), WINDOW);
    let (tell, mut told) = mpsc::channel(WINDOW);
    let polling = tokio::spawn(poll(wire, tell));
    let mut flight = Flight::default();
    let (mut is_connected, mut is_over) = (false, false);

    let lost = loop {
        let has_room = is_connected && flight.len() < WINDOW;
        if has_room && let Some(message) = again.pop_front() {
            tally.repeated();
            flight.publish(&client, message);
            continue;
        }
        if is_over && again.is_empty() && flight.len() == 0 {
            break None;
        }
        // Cancel-safe: both are receptions from a channel.
        tokio::select! {
            news = told.recv() => match news {
                Some(Told::Connected) => {
                    is_connected = true;
                    link.send_replace(Link::Up);
                }
                Some(Told::Handed(id)) => flight.handed(id),
                Some(Told::Confirmed(id)) => if flight.confirmed(id) {
                    tally.confirmed();
                },
                Some(Told::Lost(error)) => break Some(error),
                None => break Some("the connection's task ended".to_owned()),
            },
            message = made.recv(), if has_room && !is_over => match message {
                Some(message) => flight.publish(&client, message),
                None => is_over = true,
            },
        }
    };

    if let Some(error) = lost {
        polling.abort();
        flight.into_messages().for_each(|message| again.push_front(message));
        return Err(error);
    }
    // Everything is confirmed; a goodbye that does not arrive costs nothing.
    drop(client.try_disconnect());
    drop(told);
    drop(tokio::time::timeout(RETRY_MAX, polling).await);
    Ok(())
}

/// Polls and does nothing else, as the library demands.
async fn poll(mut wire: EventLoop, tell: mpsc::Sender<Told>) {
    loop {
        let news = match wire.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Told::Connected,
            Ok(Event::Incoming(Packet::PubAck(ack))) => Told::Confirmed(ack.pkid),
            Ok(Event::Outgoing(Outgoing::Publish(id))) => Told::Handed(id),
            Ok(Event::Outgoing(Outgoing::AwaitAck(_))) => {
                Told::Lost("the broker confirms out of order".to_owned())
            }
            Ok(Event::Incoming(_) | Event::Outgoing(_)) => continue,
            Err(error) => Told::Lost(error.to_string()),
        };
        let is_last = matches!(news, Told::Lost(_));
        if tell.send(news).await.is_err() || is_last {
            return;
        }
    }
}

/// What one connection has been given and has not confirmed. Packet ids come in the order of
/// publishing, so the n-th id belongs to the n-th message.
#[derive(Default)]
struct Flight {
    published: u64,
    unnamed: VecDeque<(u64, Message)>,
    named: BTreeMap<u16, (u64, Message)>,
}

impl Flight {
    fn len(&self) -> usize {
        self.unnamed.len() + self.named.len()
    }

    fn publish(&mut self, client: &AsyncClient, message: Message) {
        let (topic, payload) = (message.topic.clone(), message.payload.clone());
        self.unnamed.push_back((self.published, message));
        self.published += 1;
        // The client's queue has room for a whole window; should it refuse, the message stays
        // unconfirmed and goes out again with the next connection.
        if let Err(error) = client.try_publish(topic, QoS::AtLeastOnce, false, payload) {
            tracing::warn!(%error, "the client refused a message");
        }
    }

    fn handed(&mut self, id: u16) {
        if let Some(message) = self.unnamed.pop_front() {
            self.named.insert(id, message);
        }
    }

    fn confirmed(&mut self, id: u16) -> bool {
        self.named.remove(&id).is_some()
    }

    /// Youngest first.
    fn into_messages(self) -> impl Iterator<Item = Message> {
        let mut all: Vec<_> = self.named.into_values().chain(self.unnamed).collect();
        all.sort_by_key(|(number, _)| Reverse(*number));
        all.into_iter().map(|(_, message)| message)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::simulate::broker;

    #[tokio::test]
    async fn what_a_lost_connection_swallowed_goes_out_again() {
        const COUNT: usize = 300;
        let broker = broker::start("devices").unwrap();
        let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = relay.local_addr().unwrap().port();
        tokio::spawn(relay_that_breaks(relay, broker, 4_000));
        let mut heard = listen(broker.port()).await;
        let (out, made) = mpsc::channel(COUNT);
        for n in 0..COUNT {
            let payload = n.to_string().into_bytes();
            out.try_send(Message { topic: "sense/a".into(), payload }).unwrap();
        }
        drop(out);

        let tally = Tally::default();
        publish(
            &MqttOptions::new("devices", "127.0.0.1", port),
            made,
            &tally,
            &watch::channel(Link::Down(None)).0,
        )
        .await;

        let mut numbers = BTreeSet::new();
        while numbers.len() < COUNT {
            numbers.insert(heard.recv().await.unwrap());
        }
        assert_eq!(tally.read().confirmed, COUNT as u64);
        assert!(tally.read().repeated > 0, "the relay never broke");
    }

    /// Passes everything on, but cuts its first connections after so many bytes.
    async fn relay_that_breaks(relay: TcpListener, broker: std::net::SocketAddr, bytes: u64) {
        for turn in 0.. {
            let (mut near, _) = relay.accept().await.unwrap();
            let mut far = TcpStream::connect(broker).await.unwrap();
            tokio::spawn(async move {
                let (near_reads, mut near_writes) = near.split();
                let (mut far_reads, mut far_writes) = far.split();
                let most = if turn < 2 { bytes } else { u64::MAX };
                let mut limited = near_reads.take(most);
                tokio::select! {
                    _ = tokio::io::copy(&mut limited, &mut far_writes) => {}
                    _ = tokio::io::copy(&mut far_reads, &mut near_writes) => {}
                }
                near_writes.shutdown().await.ok();
            });
        }
    }

    async fn listen(port: u16) -> mpsc::Receiver<Vec<u8>> {
        let (client, mut wire) =
            AsyncClient::new(MqttOptions::new("listener", "127.0.0.1", port), 8);
        client.subscribe("sense/#", QoS::AtLeastOnce).await.unwrap();
        let (hear, heard) = mpsc::channel(8);
        while !matches!(wire.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
        tokio::spawn(async move {
            let _client = client;
            while let Ok(event) = wire.poll().await {
                if let Event::Incoming(Packet::Publish(message)) = event {
                    hear.send(message.payload.to_vec()).await.ok();
                }
            }
        });
        heard
    }
}
