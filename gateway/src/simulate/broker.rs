//! An MQTT broker within the process, on loopback, for `demo` and for trials.
//!
//! It keeps everything in memory and forgets the oldest message of a full filter, so a
//! confirmation from it is no promise; a production gateway stands behind a broker of its own
//! (`deploy/mosquitto.conf`). It has no way to be stopped and ends with the process.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Messages that are longer than this cut the connection of who sent them.
const MAX_PAYLOAD: usize = 256 * 1024;
/// Two segments of this size per filter bound what the broker can hold.
const SEGMENT: usize = 1024 * 1024;
const SEGMENTS: usize = 2;
/// Another program may take the port between finding it and listening on it.
const ATTEMPTS: usize = 3;
const START_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum NoBroker {
    #[error("no free port on loopback")]
    NoPort(#[source] std::io::Error),
    #[error("the broker's thread could not be started")]
    NoThread(#[source] std::io::Error),
    #[error("the broker did not answer on {0} within {START_WITHIN:?}")]
    NoAnswer(SocketAddr),
}

/// Starts a broker and waits until it answers. Blocks for as long; returns its address.
pub fn start(name: &str) -> Result<SocketAddr, NoBroker> {
    let mut attempt = 1;
    loop {
        let address = free_address().map_err(NoBroker::NoPort)?;
        let mut broker = rumqttd::Broker::new(settings(name, address));
        std::thread::Builder::new()
            .name(format!("broker-{name}"))
            .spawn(move || {
                if let Err(error) = broker.start() {
                    tracing::error!(%error, "the embedded broker ended");
                }
            })
            .map_err(NoBroker::NoThread)?;

        if answers(address) {
            return Ok(address);
        }
        if attempt == ATTEMPTS {
            return Err(NoBroker::NoAnswer(address));
        }
        attempt += 1;
    }
}

/// The address of a port that was free a moment ago.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

fn settings(name: &str, listen: SocketAddr) -> rumqttd::Config {
    let server = rumqttd::ServerSettings {
        name: name.to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 1,
        connections: rumqttd::ConnectionSettings {
            connection_timeout_ms: 5_000,
            max_payload_size: MAX_PAYLOAD,
            max_inflight_count: 200,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    rumqttd::Config {
        router: rumqttd::RouterConfig {
            max_connections: 64,
            max_outgoing_packet_count: 200,
            max_segment_size: SEGMENT,
            max_segment_count: SEGMENTS,
            ..Default::default()
        },
        v4: Some(HashMap::from([("1".to_owned(), server)])),
        ..Default::default()
    }
}

/// Says hello as a client until the broker says hello back.
fn answers(address: SocketAddr) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < START_WITHIN {
        if greets(address).unwrap_or(false) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// MQTT 3.1.1, sections 3.1 and 3.2: CONNECT with a clean session, and its CONNACK.
fn greets(address: SocketAddr) -> std::io::Result<bool> {
    const CONNECT: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05probe";
    const ACCEPTED: [u8; 4] = [0x20, 0x02, 0x00, 0x00];
    const DISCONNECT: [u8; 2] = [0xe0, 0x00];

    let mut stream = TcpStream::connect_timeout(&address, START_WITHIN)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(CONNECT)?;
    let mut answer = [0; ACCEPTED.len()];
    stream.read_exact(&mut answer)?;
    stream.write_all(&DISCONNECT)?;
    Ok(answer == ACCEPTED)
}

#[cfg(test)]
mod tests {
    use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

    use super::*;

    #[tokio::test]
    async fn the_embedded_broker_passes_a_message_on() {
        let address = start("test").unwrap();
        let options = MqttOptions::new("both-ends", "127.0.0.1", address.port());
        let (client, mut wire) = AsyncClient::new(options, 8);
        client.subscribe("sense/#", QoS::AtLeastOnce).await.unwrap();
        client.publish("sense/a", QoS::AtLeastOnce, false, "21.5").await.unwrap();

        let arrived = async {
            loop {
                if let Event::Incoming(Packet::Publish(message)) = wire.poll().await.unwrap() {
                    return (message.topic, message.payload);
                }
            }
        };
        let (topic, payload) =
            tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap();

        assert_eq!((topic.as_str(), payload.as_ref()), ("sense/a", b"21.5".as_slice()));
    }
}
