//! Finds ONVIF cameras on the network: WS-Discovery 1.0 (April 2005), a probe by multicast.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use roxmltree::Node;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::soap::{all, answer, escaped, text};
use super::trouble::shortened;

/// Where devices listen.
const GROUP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 3702);
/// A datagram may get lost.
const PROBES: u32 = 2;
/// Of a network full of liars, so many are told.
const MOST_FOUND: usize = 1_000;

/// A camera that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Who answered.
    pub from: IpAddr,
    /// For `url` of a `[[camera]]`.
    pub url: String,
    /// What it says of itself: its services' addresses, as it sees them.
    pub services: Vec<String>,
    /// By its maker, where it tells; what it is called and what it is.
    pub name: Option<String>,
    pub hardware: Option<String>,
}

/// Asks, and listens for so long. `from` is our own address on the cameras' network; left out, the
/// system chooses.
///
/// # Errors
/// There is no network, or no right to ask on it.
pub async fn discover(from: Option<IpAddr>, wait: Duration) -> std::io::Result<Vec<Found>> {
    // On Linux the address that a socket is bound to also says on which network a multicast goes out.
    let ours = from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let socket = UdpSocket::bind((ours, 0)).await?;
    let mut found = BTreeMap::new();
    let mut buffer = vec![0; 64 * 1024];
    let begun = Instant::now();
    for round in 1..=PROBES {
        socket.send_to(probe()?.as_bytes(), GROUP).await?;
        let until = begun + wait * round / PROBES;
        while let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await {
            let (length, who) = received?;
            if found.len() < MOST_FOUND {
                let told = String::from_utf8_lossy(&buffer[..length]);
                found
                    .extend(matches(&told, who.ip()).into_iter().map(|one| (one.url.clone(), one)));
            }
        }
    }
    Ok(found.into_values().collect())
}

fn probe() -> std::io::Result<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|_| std::io::Error::other("there is no chance"))?;
    // RFC 9562, section 5.4: a random UUID.
    bits[6] = bits[6] & 0x0f | 0x40;
    bits[8] = bits[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bits));
    let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
         xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" \
         xmlns:n=\"http://www.onvif.org/ver10/network/wsdl\"><s:Header>\
         <a:MessageID>uuid:{id}</a:MessageID>\
         <a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>\
         <a:Action>{}</a:Action></s:Header>\
         <s:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>",
        escaped("http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe")
    ))
}

/// What an answer tells; nothing when it is none.
fn matches(told: &str, from: IpAddr) -> Vec<Found> {
    let Ok(document) = answer(told) else { return Vec::new() };
    all(document.root(), "ProbeMatch").filter_map(|one| found(one, from)).collect()
}

fn found(one: Node<'_, '_>, from: IpAddr) -> Option<Found> {
    let services: Vec<String> = text(one, "XAddrs")?.split_whitespace().map(shortened).collect();
    let scopes = text(one, "Scopes").unwrap_or_default();
    let scope = |kind: &str| {
        let kind = format!("onvif://www.onvif.org/{kind}/");
        let (_, value) = scopes.split_once(&kind)?;
        // Scopes are parted by spaces, but there are cameras that write one into their name as it is.
        let words = value.split_whitespace().enumerate();
        let own = words.take_while(|(place, word)| *place == 0 || !word.contains("://"));
        let value = own.map(|(_, word)| word).collect::<Vec<_>>().join(" ");
        Some(shortened(&plain(&value)))
    };
    // Its own idea of its address may be an old one; the port is worth keeping.
    let port = services.iter().find_map(|service| url::Url::parse(service).ok()?.port());
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let host = match from {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let url = format!("onvif://{host}{port}");
    Some(Found { from, url, services, name: scope("name"), hardware: scope("hardware") })
}

/// Without percent signs (RFC 3986, section 2.1).
fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (byte, left) = match (first, value) {
            (b'%', Some(value)) => (value, &after[2..]),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 8));

    #[test]
    fn an_answer_tells_who_and_what_it_is() {
        let told = "<e:Envelope xmlns:e='e' xmlns:d='d'><e:Body><d:ProbeMatches><d:ProbeMatch>\
            <d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/type/video_encoder \
            onvif://www.onvif.org/hardware/IPC-1 onvif://www.onvif.org/name/East%20gate%e9%97%a8</d:Scopes>\
            <d:XAddrs>http://192.168.1.1:8000/onvif/device_service http://[fe80::1]/x</d:XAddrs>\
            </d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>";

        let found = matches(told, FROM);

        assert_eq!(found.len(), 1);
        assert_eq!(found[0].url, "onvif://10.0.0.8:8000");
        assert_eq!(found[0].name.as_deref(), Some("East gate\u{95e8}"));
        assert_eq!(found[0].hardware.as_deref(), Some("IPC-1"));
        assert_eq!(found[0].services.len(), 2);
    }

    #[test]
    fn a_name_may_have_spaces_that_nobody_wrote_as_they_must_be() {
        let told = "<ProbeMatches xmlns='d'><ProbeMatch><Scopes>onvif://www.onvif.org/name/East gate 2 \
            onvif://www.onvif.org/hardware/A</Scopes><XAddrs>http://10.0.0.8/</XAddrs></ProbeMatch></ProbeMatches>";
        let found = matches(told, FROM);
        assert_eq!(found[0].name.as_deref(), Some("East gate 2"));
        assert_eq!(found[0].hardware.as_deref(), Some("A"));
    }

    #[test]
    fn anything_else_is_nobody() {
        for told in ["", "hello", "<a/>", "<d:ProbeMatch xmlns:d='d'/>", "<!DOCTYPE x><x/>"] {
            assert_eq!(matches(told, FROM), [], "{told}");
        }
        assert_eq!(plain("%"), "%");
        assert_eq!(plain("a%2"), "a%2");
        assert_eq!(plain("%zz%41"), "%zzA");
    }

    #[test]
    fn a_probe_has_an_id_of_its_own() {
        assert_ne!(probe().unwrap(), probe().unwrap());
        assert!(roxmltree::Document::parse(&probe().unwrap()).is_ok());
    }
}
