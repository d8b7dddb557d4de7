//! One connection to the platform's broker for commands, and the task that keeps it going.
//!
//! The session is persistent and acknowledgement is ours: a command leaves the broker when its answer
//! is on disk. So the broker holds back what is too much, and hands out anew what was cut off. What it
//! does not hold for us (QoS 0) is dropped when there is no room.

use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, NetworkOptions, Packet, Publish,
    QoS, StateError, SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;

use crate::tls::{Credentials, explain};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CONNECT: u64 = 10;
/// Larger packets end the connection; what is below and too long for a command is answered.
const MAX_PACKET: usize = 16 << 20;
/// Commands that may wait. Brokers hand out fewer (mosquitto 20) without an acknowledgement.
const COMMANDS: usize = 64;
/// A subscription, and one answer at a time.
const SIGNS: usize = 16;

/// What a connection tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sign {
    Connected,
    /// Whether the broker agrees to the subscription.
    Subscribed(bool),
    /// It has the answer that was published last.
    Confirmed,
    /// It is over. Nothing comes after this.
    Lost(String),
    /// A packet came that nobody can hold, and would come again.
    TooLarge,
}

/// Lives as long as its connection.
pub(super) struct Link {
    client: AsyncClient,
    task: JoinHandle<()>,
    pub(super) signs: mpsc::Receiver<Sign>,
    pub(super) commands: mpsc::Receiver<Publish>,
}

impl Link {
    /// Begins to connect. With `forget` the broker throws away what it holds for us.
    pub(super) fn open(credentials: &Credentials, client_id: &str, forget: bool) -> Self {
        let endpoint = &credentials.endpoint;
        let mut options = MqttOptions::new(client_id, &endpoint.host, endpoint.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(forget)
            .set_manual_acks(true)
            .set_max_packet_size(MAX_PACKET, MAX_PACKET);
        if let Some((user, password)) = &credentials.login {
            options.set_credentials(user, password);
        }
        if let Some(tls) = &credentials.tls {
            let tls = TlsConfiguration::Rustls(tls.clone());
            options.set_transport(Transport::tls_with_config(tls));
        }
        let (client, mut eventloop) = AsyncClient::new(options, SIGNS + COMMANDS);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT);
        eventloop.set_network_options(network);
        let (to_signs, signs) = mpsc::channel(SIGNS);
        let (to_commands, commands) = mpsc::channel(COMMANDS);
        let task = tokio::spawn(keep_going(eventloop, to_signs, to_commands));
        Self { client, task, signs, commands }
    }

    pub(super) fn subscribe(&self, topic: &str) -> bool {
        self.client.try_subscribe(topic, QoS::AtLeastOnce).is_ok()
    }

    /// Hands a message to the client; false when it has no room.
    pub(super) fn publish(&self, topic: &str, payload: Vec<u8>) -> bool {
        self.client.try_publish(topic, QoS::AtLeastOnce, false, payload).is_ok()
    }

    /// The broker may forget this command.
    pub(super) fn acknowledge(&self, publish: &Publish) -> bool {
        publish.qos == QoS::AtMostOnce || self.client.try_ack(publish).is_ok()
    }

    /// What happens next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Sign {
        next(&mut self.signs).await
    }

    /// Says goodbye; the session stays at the broker.
    pub(super) async fn close(mut self, patience: Duration) {
        let _sent = self.client.try_disconnect();
        let _ended = tokio::time::timeout(patience, &mut self.task).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What happens next. Cancel-safe.
pub(super) async fn next(signs: &mut mpsc::Receiver<Sign>) -> Sign {
    let gone = || Sign::Lost("the client broke down on what the broker sent".to_owned());
    signs.recv().await.unwrap_or_else(gone)
}

/// Awaits nothing but the event loop.
async fn keep_going(
    mut eventloop: EventLoop,
    signs: mpsc::Sender<Sign>,
    commands: mpsc::Sender<Publish>,
) {
    let mut dropped = 0_u64;
    loop {
        let sign = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Sign::Connected,
            Ok(Event::Incoming(Packet::SubAck(ack))) => {
                let refused = ack.return_codes.contains(&SubscribeReasonCode::Failure);
                Sign::Subscribed(!refused)
            }
            Ok(Event::Incoming(Packet::PubAck(_))) => Sign::Confirmed,
            Ok(Event::Incoming(Packet::Publish(publish))) => match commands.try_send(publish) {
                Ok(()) => continue,
                Err(TrySendError::Full(publish)) if publish.qos == QoS::AtMostOnce => {
                    dropped += 1;
                    if dropped.is_power_of_two() {
                        tracing::warn!(dropped, "commands without acknowledgement were dropped");
                    }
                    continue;
                }
                // It comes again on the next connection.
                Err(TrySendError::Full(_)) => {
                    Sign::Lost("more commands at once than can be held".to_owned())
                }
                Err(TrySendError::Closed(_)) => return,
            },
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => return,
            Ok(Event::Incoming(_) | Event::Outgoing(_)) => continue,
            Err(ConnectionError::MqttState(StateError::Deserialization(
                rumqttc::Error::PayloadSizeLimitExceeded(_),
            ))) => Sign::TooLarge,
            Err(error) => Sign::Lost(explain(&error.to_string())),
        };
        let is_over = matches!(sign, Sign::Lost(_) | Sign::TooLarge);
        // No room means that the owner is stuck; without a sign missing it could not go on.
        if signs.try_send(sign).is_err() || is_over {
            return;
        }
    }
}
