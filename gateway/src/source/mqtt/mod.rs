//! Frames from the devices of one MQTT broker.
//!
//! The session is persistent and acknowledgement is ours ([`Settler`]): a publish leaves the broker
//! only when nothing that it led to can be lost here. Until then the broker is the buffer.
//!
//! The connection's task awaits its event loop and, for a moment, room in the pipeline's channel:
//! not reading from the socket is the gentlest way to slow a broker down. When there is no room for
//! [`intake::PATIENCE`], a publish of QoS 0 is dropped and counted; for one of QoS 1 the connection is
//! closed, and made again when there is room, so that the broker sends everything unacknowledged
//! anew. A connection is never mended, only replaced.
//!
//! Rooms: [`connection`] (one connection), [`intake`] (into the pipeline), [`routes`] (whose topic it
//! is), [`settle`] (what may be acknowledged). Apart from these, on connections without a session: [`tap`]
//! (cameras that publish their pictures) and [`listen`] (a look at what nobody claims).

mod connection;
mod intake;
mod listen;
mod routes;
mod settle;
mod tap;

#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use gatehouse_core::pipeline::{Input, WriteOrder};
use gatehouse_core::reading::{DeviceIndex, SourceIndex};
use rumqttc::{MqttOptions, NetworkOptions, TlsConfiguration, Transport};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{BrokerConfig, Identity};
use crate::retry::Retry;
use crate::tls::{AccessError, Credentials, warn_if_exposed};
use connection::End;
use intake::Intake;
pub use listen::{Heard, listen};
use routes::Routes;
use settle::Shared;
pub use settle::{Session, Settler};
pub use tap::{NotHeard, Tap};

const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Seconds that a connection may take until it stands.
const CONNECT: u64 = 10;

/// Starts to listen to a broker; the frames' devices are found by topic.
///
/// The task ends after `stop`, when what it handed in is settled or a short grace is over. It lets
/// go of `inputs` at once on `stop`.
pub fn start(
    config: &BrokerConfig,
    identity: &Identity,
    source: SourceIndex,
    routes: Vec<(DeviceIndex, String)>,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
) -> Result<(JoinHandle<()>, Settler), AccessError> {
    let session = Session::default();
    let listener = prepare(config, identity, source, routes, &session, inputs, stop)?;
    Ok((listener.spawn(), session.settler()))
}

/// Reads all that is needed to listen to a broker, so that nothing is left that could keep it from
/// starting. One listener at a time may use a session.
pub fn prepare(
    config: &BrokerConfig,
    identity: &Identity,
    source: SourceIndex,
    routes: Vec<(DeviceIndex, String)>,
    session: &Session,
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
) -> Result<Listener, AccessError> {
    let credentials = Credentials::read(&config.url, &config.access)?;
    warn_if_exposed(&config.access);
    let client_id =
        config.client_id.clone().unwrap_or_else(|| format!("gatehouse-{}", identity.id));
    let ledger = session.0.clone();
    let routes = Routes::new(routes);
    let intake = Intake::new(source, config.max_payload_bytes, routes, ledger.clone(), inputs);
    let broker = config.id.clone();
    let (_, orders) = mpsc::channel(1);
    Ok(Listener { broker, credentials, client_id, stop, ledger, intake, orders, too_large: None })
}

/// The broker over all connections to it.
pub struct Listener {
    /// For the log. A span of its own would cost every message some microseconds.
    broker: String,
    credentials: Credentials,
    client_id: String,
    stop: CancellationToken,
    ledger: Shared,
    intake: Intake,
    /// What is to be written to its devices.
    orders: mpsc::Receiver<WriteOrder>,
    /// When a packet was larger than anybody can hold, last time.
    too_large: Option<Instant>,
}

impl Listener {
    /// See [`start`].
    pub fn spawn(self) -> JoinHandle<()> {
        tokio::spawn(self.run())
    }

    /// With what is to be written to its devices.
    #[must_use]
    pub fn writing(self, orders: mpsc::Receiver<WriteOrder>) -> Self {
        Self { orders, ..self }
    }

    /// Without the pictures that cameras publish there on these topics: they are heard by [`Tap`], since
    /// what a session is subscribed to waits at the broker, and on its disk.
    #[must_use]
    pub fn without(mut self, pictures: Vec<String>) -> Self {
        self.intake.leave(pictures);
        self
    }

    async fn run(mut self) {
        let mut retry = Retry::new(RETRY.0, RETRY.1);
        let mut forget_session = false;
        while !self.stop.is_cancelled() {
            let connection = AssertUnwindSafe(self.connection(forget_session, &mut retry));
            let end = connection.catch_unwind().await;
            self.ledger.lock().lost();
            forget_session = false;
            let why = match end {
                Ok(End::Stopped) => break,
                Ok(End::Stalled) => {
                    let broker = &self.broker;
                    tracing::warn!(
                        broker,
                        "the pipeline has no room; the broker keeps what follows"
                    );
                    if self.intake.wait_for_room(&self.stop).await {
                        continue;
                    }
                    break;
                }
                Ok(End::TooLarge(bytes)) => {
                    forget_session = self.is_again_too_large();
                    self.intake.count("too-long", None);
                    format!("the broker sent a packet of {bytes} bytes")
                }
                Ok(End::Lost(why)) => why,
                Err(_panic) => "the client broke down on what the broker sent".to_owned(),
            };
            let pause = retry.pause();
            let why = if retry.is_quarrel() {
                format!("{why}; is another client using the id `{}`?", self.client_id)
            } else {
                why
            };
            if self.intake.down(why.clone()) {
                tracing::warn!(broker = self.broker, why, ?pause, "not connected");
            } else {
                tracing::debug!(broker = self.broker, why, ?pause, "still not connected");
            }
            let telling = self.intake.tell_while_waiting(pause, &mut self.orders);
            let _stopped = self.stop.run_until_cancelled(telling).await;
        }
        if self.intake.is_up() {
            tracing::info!(broker = self.broker, "stopped");
        }
    }

    fn is_again_too_large(&mut self) -> bool {
        let before = self.too_large.replace(Instant::now());
        before.is_some_and(|before| before.elapsed() < RETRY.1 * 2)
    }
}

/// Who we are to a broker, and how we come to it.
fn options(credentials: &Credentials, client_id: &str) -> MqttOptions {
    let endpoint = &credentials.endpoint;
    let mut options = MqttOptions::new(client_id, &endpoint.host, endpoint.port);
    if let Some((user, password)) = &credentials.login {
        options.set_credentials(user, password);
    }
    if let Some(tls) = &credentials.tls {
        let tls = TlsConfiguration::Rustls(tls.clone());
        options.set_transport(Transport::tls_with_config(tls));
    }
    options
}

fn network() -> NetworkOptions {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT);
    network
}
