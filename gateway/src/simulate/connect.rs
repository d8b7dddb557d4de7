//! How simulated devices and the stand-in platform reach a broker.

use std::path::PathBuf;
use std::time::Duration;

use rumqttc::{AsyncClient, EventLoop, MqttOptions, NetworkOptions, TlsConfiguration, Transport};

use crate::config::Access;

/// Longest packet either way; a simulated device may well send what a gateway must refuse.
const MAX_PACKET: usize = 16 * 1024 * 1024;
/// More than anybody here has in flight, so that a packet id never meets its predecessor.
const INFLIGHT: u16 = 100;

/// A broker that cannot be reached as it is written.
#[derive(Debug, thiserror::Error)]
pub enum NotABroker {
    #[error("`{0}` is not a broker; expected `mqtt://host:1883` or `mqtts://host:8883`")]
    BadUrl(String),
    #[error("`{0}` is encrypted; say with --ca-file which authority to believe")]
    NoAuthority(String),
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// A client's settings for a broker. Reads the files that `access` names.
pub(super) fn options(
    url: &str,
    access: &Access,
    client_id: &str,
) -> Result<MqttOptions, NotABroker> {
    let bad = || NotABroker::BadUrl(url.to_owned());
    let (scheme, place) = url.split_once("://").ok_or_else(bad)?;
    let (encrypted, usual_port) = match scheme {
        "mqtt" => (false, 1883),
        "mqtts" => (true, 8883),
        _ => return Err(bad()),
    };
    let (host, port) = match place.trim_end_matches('/').rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
        None => (place.trim_end_matches('/'), usual_port),
    };
    if host.is_empty() {
        return Err(bad());
    }

    let mut options = MqttOptions::new(client_id, host, port);
    options
        .set_keep_alive(Duration::from_secs(15))
        .set_inflight(INFLIGHT)
        .set_max_packet_size(MAX_PACKET, MAX_PACKET);
    if let Some(user) = &access.user {
        let password = access.password_file.as_ref().map(read).transpose()?.unwrap_or_default();
        let password = String::from_utf8_lossy(&password).trim_end().to_owned();
        options.set_credentials(user, password);
    }
    if encrypted {
        let ca = access.ca_file.as_ref().map(read).transpose()?;
        let ca = ca.ok_or_else(|| NotABroker::NoAuthority(url.to_owned()))?;
        let files = access.cert_file.as_ref().zip(access.key_file.as_ref());
        let client_auth =
            files.map(|(cert, key)| Ok::<_, NotABroker>((read(cert)?, read(key)?))).transpose()?;
        // Where it is installed already, that is what is wanted.
        drop(rustls::crypto::ring::default_provider().install_default());
        let tls = TlsConfiguration::Simple { ca, alpn: None, client_auth };
        options.set_transport(Transport::Tls(tls));
    }
    Ok(options)
}

/// A client that sends what it has at once: devices are small, and their time may run fast.
pub(super) fn client(options: MqttOptions, queue: usize) -> (AsyncClient, EventLoop) {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    let (client, mut wire) = AsyncClient::new(options, queue);
    wire.set_network_options(network);
    (client, wire)
}

fn read(path: &PathBuf) -> Result<Vec<u8>, NotABroker> {
    std::fs::read(path).map_err(|source| NotABroker::Unreadable { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_a_scheme_a_host_and_perhaps_a_port() {
        let address = |url| {
            let options = options(url, &Access::default(), "me");
            options.map(|o| o.broker_address()).map_err(|e| e.to_string())
        };

        assert_eq!(address("mqtt://box:2883"), Ok(("box".into(), 2883)));
        assert_eq!(address("mqtt://127.0.0.1/"), Ok(("127.0.0.1".into(), 1883)));
        for wrong in ["box:1883", "http://box", "mqtt://", "mqtt://box:many"] {
            let error = address(wrong).unwrap_err();
            assert!(error.starts_with(&format!("`{wrong}` is not a broker")), "{error}");
        }
        assert!(address("mqtts://box").unwrap_err().contains("--ca-file"));
    }
}
