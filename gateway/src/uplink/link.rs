//! One connection to the platform's broker, and the task that does nothing but keep it going.

use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, NetworkOptions, Outgoing, Packet, QoS,
    TlsConfiguration, Transport,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{KEEP_ALIVE, MAX_RECORD, WINDOW};
use crate::tls::{Credentials, explain};

/// Packet ids before they are used again; far beyond the window, so that an acknowledgement that is
/// late holds nothing up.
const PACKET_IDS: u16 = 100;
const CONNECT: u64 = 10;
/// What the owner of a connection may lag behind. More than a window can cause.
const SIGNS: usize = 4 * WINDOW;

/// What a connection tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sign {
    Connected,
    /// The next publish that was handed over has this packet id.
    WentOut(u16),
    Confirmed(u16),
    /// The broker said something.
    Alive,
    /// It is over. Nothing comes after this.
    Lost(String),
}

/// Lives as long as its connection; dropping it drops everything that the client held.
pub(super) struct Link {
    client: AsyncClient,
    task: JoinHandle<()>,
    signs: mpsc::Receiver<Sign>,
}

impl Link {
    /// Begins to connect.
    pub(super) fn open(
        credentials: &Credentials,
        client_id: &str,
        status_topic: &str,
        last_will: Vec<u8>,
    ) -> Self {
        let endpoint = &credentials.endpoint;
        let mut options = MqttOptions::new(client_id, &endpoint.host, endpoint.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(true)
            .set_inflight(PACKET_IDS)
            .set_max_packet_size(MAX_RECORD * 2, MAX_RECORD * 2)
            .set_last_will(LastWill::new(status_topic, last_will, QoS::AtLeastOnce, true));
        if let Some((user, password)) = &credentials.login {
            options.set_credentials(user, password);
        }
        if let Some(tls) = &credentials.tls {
            let tls = TlsConfiguration::Rustls(tls.clone());
            options.set_transport(Transport::tls_with_config(tls));
        }
        let (client, mut eventloop) = AsyncClient::new(options, 2 * WINDOW);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        network.set_connection_timeout(CONNECT);
        eventloop.set_network_options(network);
        let (sender, signs) = mpsc::channel(SIGNS);
        Self { client, task: tokio::spawn(keep_going(eventloop, sender)), signs }
    }

    /// Hands a message to the client; false when it has no room.
    pub(super) fn publish(&self, topic: &str, payload: Vec<u8>, is_retained: bool) -> bool {
        self.client.try_publish(topic, QoS::AtLeastOnce, is_retained, payload).is_ok()
    }

    /// What happens next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Sign {
        let gone = || Sign::Lost("the client broke down on what the broker sent".to_owned());
        self.signs.recv().await.unwrap_or_else(gone)
    }

    /// Says goodbye, so that the broker keeps the last will to itself.
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

/// Awaits nothing but the event loop.
async fn keep_going(mut eventloop: EventLoop, signs: mpsc::Sender<Sign>) {
    loop {
        let sign = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Sign::Connected,
            Ok(Event::Incoming(Packet::PubAck(ack))) => Sign::Confirmed(ack.pkid),
            Ok(Event::Incoming(_)) => Sign::Alive,
            Ok(Event::Outgoing(Outgoing::Publish(packet))) => Sign::WentOut(packet),
            Ok(Event::Outgoing(Outgoing::AwaitAck(_))) => {
                Sign::Lost("the broker leaves an old message unconfirmed".to_owned())
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(Event::Outgoing(_)) => continue,
            Err(error) => Sign::Lost(explain(&error.to_string())),
        };
        let is_over = matches!(sign, Sign::Lost(_));
        // No room means that the owner is stuck; without a sign missing it could not go on.
        if signs.try_send(sign).is_err() || is_over {
            return;
        }
    }
}
