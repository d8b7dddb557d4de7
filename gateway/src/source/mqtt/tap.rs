//! What passes a broker while somebody listens: a connection of its own, without a session, at QoS 0.
//!
//! The broker keeps nothing for it, neither in memory nor on its disk, and the devices' connection does not
//! notice. Cameras that publish their pictures are heard so, since nobody may keep those; and what no device
//! claims ([`super::listen`]).

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, Publish, QoS, StateError,
    SubscribeReasonCode,
};
use tokio::time::{Instant, timeout};

use super::{network, options};
use crate::config::{BrokerConfig, Identity};
use crate::source::{Message, Passing, Published, Unheard};
use crate::tls::{AccessError, Credentials, explain};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Nothing heard or sent for so long: the connection is dead, whatever the kernel says.
const DEAD: Duration = Duration::from_secs(40);
/// A broker that does not answer a subscription by then is asked on a new connection.
const SUBSCRIBED: Duration = Duration::from_secs(10);
/// What a packet may have beside its payload: the longest topic there can be, and a few bytes.
const BESIDE: usize = 64 * 1024 + 16;

/// Why nothing is heard.
#[derive(Debug, thiserror::Error)]
pub enum NotHeard {
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("no connection to the broker: {0}")]
    Broker(String),
    #[error("the broker refuses the topic filter")]
    Refused,
    #[error("the broker sent a message of more than {0} bytes")]
    TooLong(usize),
}

/// Where to listen, and to what.
#[derive(Debug, Clone)]
pub struct Tap {
    credentials: Credentials,
    /// The beginning of our name there.
    name: String,
    filter: String,
    most_bytes: usize,
}

impl Tap {
    /// Reads what is needed to listen to a filter. A payload of more than `most_bytes` ends the connection.
    ///
    /// # Errors
    /// The broker's address is none, or a file that it names cannot be used.
    pub fn new(
        config: &BrokerConfig,
        identity: &Identity,
        filter: &str,
        most_bytes: usize,
    ) -> Result<Self, AccessError> {
        let credentials = Credentials::read(&config.url, &config.access)?;
        let name = config.client_id.clone().unwrap_or_else(|| format!("gatehouse-{}", identity.id));
        Ok(Self { credentials, name, filter: filter.to_owned(), most_bytes })
    }

    /// A connection, which is made when it is first asked for a message.
    pub(super) fn stream(&self) -> Stream {
        // Of one's own each time: two clients of one name would throw each other out.
        let id = format!("{}-look-{:08x}", self.name, getrandom::u32().unwrap_or(0));
        let mut options: MqttOptions = options(&self.credentials, &id);
        let most = self.most_bytes.saturating_add(BESIDE);
        options.set_keep_alive(KEEP_ALIVE).set_clean_session(true).set_max_packet_size(most, most);
        let (client, mut events) = AsyncClient::new(options, 4);
        events.set_network_options(network());
        let (filter, most_bytes) = (self.filter.clone(), self.most_bytes);
        Stream { client, events, filter, most_bytes, asked: None }
    }
}

/// What comes, until the first error.
pub(super) struct Stream {
    client: AsyncClient,
    events: EventLoop,
    filter: String,
    most_bytes: usize,
    /// When the filter was asked for, until the broker has granted it.
    asked: Option<Instant>,
}

/// One message.
pub(super) struct Passed(Publish);

impl Passed {
    pub(super) fn topic(&self) -> &str {
        &self.0.topic
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0.payload
    }
}

impl Stream {
    /// The next message. To be dropped in the middle, or after an error, only with the connection itself.
    pub(super) async fn next(&mut self) -> Result<Passed, NotHeard> {
        loop {
            let Ok(event) = timeout(DEAD, self.events.poll()).await else {
                return Err(NotHeard::Broker("it has gone quiet".to_owned()));
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    self.asked = Some(Instant::now());
                    let asked = self.client.try_subscribe(&self.filter, QoS::AtMostOnce);
                    asked.map_err(|_full| NotHeard::Refused)?;
                }
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    self.asked = None;
                    if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                        return Err(NotHeard::Refused);
                    }
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    if publish.payload.len() > self.most_bytes {
                        return Err(NotHeard::TooLong(self.most_bytes));
                    }
                    return Ok(Passed(publish));
                }
                Ok(_) => {}
                Err(ConnectionError::MqttState(StateError::Deserialization(
                    rumqttc::Error::PayloadSizeLimitExceeded(_),
                ))) => return Err(NotHeard::TooLong(self.most_bytes)),
                Err(error) => return Err(NotHeard::Broker(explain(&error.to_string()))),
            }
            if self.asked.is_some_and(|asked| asked.elapsed() >= SUBSCRIBED) {
                return Err(NotHeard::Broker("it does not answer a subscription".to_owned()));
            }
        }
    }
}

impl Published for Tap {
    fn open(&self) -> Box<dyn Passing> {
        Box::new(self.stream())
    }
}

impl Passing for Stream {
    fn next(&mut self) -> BoxFuture<'_, Result<Message, Unheard>> {
        let next = async {
            match Self::next(self).await {
                Ok(Passed(it)) => {
                    Ok(Message { is_retained: it.retain, payload: it.payload.into() })
                }
                Err(NotHeard::TooLong(most)) => Err(Unheard::TooLong(most)),
                Err(NotHeard::Refused) => {
                    let why = "the broker refuses its `topic`; check the broker's access list";
                    Err(Unheard::Lost(why.to_owned()))
                }
                Err(error @ (NotHeard::Access(_) | NotHeard::Broker(_))) => {
                    Err(Unheard::Lost(error.to_string()))
                }
            }
        };
        next.boxed()
    }
}
