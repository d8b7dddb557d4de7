//! A look at what arrives at a broker on topics that no device claims: for an integrator who wonders what
//! a new sensor sends.
//!
//! A connection of its own, without a session, that lasts as long as somebody waits for it; the devices'
//! connection does not notice. What was heard goes to who asked and is then forgotten.

use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, MqttOptions, Packet, QoS, SubscribeReasonCode, TlsConfiguration, Transport,
};

use super::routes::matches;
use crate::config::{BrokerConfig, Identity};
use crate::tls::{AccessError, Credentials, explain};

/// Bytes of a message that are kept; a longer one cannot be used as a sample.
const MOST_BYTES: usize = 4 * 1024;
/// Larger packets end the connection.
const MAX_PACKET: usize = 1 << 20;
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub topic: String,
    /// Its first 4 kB.
    pub payload: Vec<u8>,
    /// Whether that is all of it.
    pub is_whole: bool,
}

/// Why nothing was heard.
#[derive(Debug, thiserror::Error)]
pub enum NotHeard {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("no connection to the broker: {0}")]
    Broker(String),
    #[error("the broker refuses the topic filter")]
    Refused,
}

/// Listens to a filter until dropped, and tells of each message on a topic that none of `claimed` takes in.
///
/// # Errors
/// The broker cannot be reached any more, or refuses the filter.
pub async fn listen(
    config: &BrokerConfig,
    identity: &Identity,
    filter: &str,
    claimed: &[String],
    mut tell: impl FnMut(Heard),
) -> Result<(), NotHeard> {
    let credentials = Credentials::read(&config.url, &config.access)?;
    let id = format!("gatehouse-{}-look-{:08x}", identity.id, getrandom::u32().unwrap_or(0));
    let mut options = MqttOptions::new(id, &credentials.endpoint.host, credentials.endpoint.port);
    options.set_keep_alive(KEEP_ALIVE).set_clean_session(true);
    options.set_max_packet_size(MAX_PACKET, MAX_PACKET);
    if let Some((user, password)) = &credentials.login {
        options.set_credentials(user, password);
    }
    if let Some(tls) = credentials.tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    let (client, mut events) = AsyncClient::new(options, 4);
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                client.try_subscribe(filter, QoS::AtMostOnce).map_err(|_full| NotHeard::Refused)?;
            }
            Ok(Event::Incoming(Packet::SubAck(answer))) => {
                if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                    return Err(NotHeard::Refused);
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                if !claimed.iter().any(|filter| matches(&publish.topic, filter)) {
                    let kept = publish.payload.iter().copied().take(MOST_BYTES);
                    let payload: Vec<u8> = kept.collect();
                    let is_whole = payload.len() == publish.payload.len();
                    tell(Heard { topic: publish.topic, payload, is_whole });
                }
            }
            Ok(_) => {}
            Err(error) => return Err(NotHeard::Broker(explain(&error.to_string()))),
        }
    }
}
