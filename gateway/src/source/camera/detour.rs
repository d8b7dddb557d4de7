//! Packets over UDP for a client that asks for them over TCP: what it asks and is answered about the way
//! that they take is changed (RFC 2326, section 12.39).

use std::future::pending;
use std::net::IpAddr;

use super::datagrams::Datagrams;
use super::framing::{header, with_header};
use super::trouble::Why;

/// The header in which a way is asked for and answered.
const TRANSPORT: &str = "Transport";

/// From the camera's sockets to ours.
pub(super) struct Detour {
    us: IpAddr,
    camera: IpAddr,
    /// Since the client asked for them.
    datagrams: Option<Datagrams>,
    last: Question,
    /// What comes before the client is told to expect it would be lost.
    is_playing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Setup,
    Play,
    Other,
}

impl Detour {
    /// Between the two ends of the connection to the camera.
    pub(super) fn new(us: IpAddr, camera: IpAddr) -> Self {
        Self { us, camera, datagrams: None, last: Question::Other, is_playing: false }
    }

    /// What to ask instead, where something else is to be asked.
    pub(super) async fn asked(&mut self, head: &[u8]) -> Result<Option<Vec<u8>>, Why> {
        let word = head.split(|byte| *byte == b' ').next();
        self.last = match word {
            Some(b"SETUP") => Question::Setup,
            Some(b"PLAY") => Question::Play,
            _ => Question::Other,
        };
        if self.last != Question::Setup {
            return Ok(None);
        }
        let bound = Datagrams::bind(self.us).await;
        let datagrams = bound.map_err(|error| Why::unreachable(&error))?;
        let (first, second) = datagrams.ports();
        self.datagrams = Some(datagrams);
        let ours = format!("RTP/AVP/UDP;unicast;client_port={first}-{second}");
        Ok(Some(with_header(head, TRANSPORT, &ours)))
    }

    /// What to answer instead. A camera that sends over TCP all the same is left to it.
    pub(super) async fn answered(&mut self, head: &[u8]) -> Result<Option<Vec<u8>>, Why> {
        match std::mem::replace(&mut self.last, Question::Other) {
            Question::Other => return Ok(None),
            Question::Play => self.is_playing = true,
            Question::Setup => {}
        }
        let Some(way) = header(head, TRANSPORT) else { return Ok(None) };
        let value_of = |name: &str| {
            let mut parts = way.split(';').filter_map(|part| part.trim().split_once('='));
            parts.find_map(|(found, value)| (found == name).then_some(value))
        };
        let port = value_of("server_port").and_then(|ports| ports.split('-').next()?.parse().ok());
        let (Some(port), Some(datagrams)) = (port, &self.datagrams) else { return Ok(None) };
        // Some send from another address than the one that they listen at.
        let source = value_of("source").and_then(|source| source.parse().ok());
        let source = source.filter(|source: &IpAddr| !source.is_unspecified());
        let connected = datagrams.connect(source.unwrap_or(self.camera), port).await;
        connected.map_err(|error| Why::unreachable(&error))?;
        let mut theirs = "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned();
        if let Some(ssrc) = value_of("ssrc") {
            theirs.push_str(";ssrc=");
            theirs.push_str(ssrc);
        }
        Ok(Some(with_header(head, TRANSPORT, &theirs)))
    }

    /// The next packet, as it would come over TCP; how long it is.
    pub(super) async fn packet(&mut self, frame: &mut [u8]) -> Result<usize, Why> {
        match &mut self.datagrams {
            Some(datagrams) if self.is_playing => {
                datagrams.receive(frame).await.map_err(|error| Why::unreachable(&error))
            }
            _ => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const US: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn text(changed: Option<Vec<u8>>) -> Option<String> {
        changed.map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[tokio::test]
    async fn the_camera_is_asked_for_udp_and_the_client_told_of_tcp() {
        let mut detour = Detour::new(US, US);
        assert_eq!(detour.asked(b"DESCRIBE rtsp://x RTSP/1.0\r\n\r\n").await.unwrap(), None);
        let asked = b"SETUP rtsp://x RTSP/1.0\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n";
        let asked = text(detour.asked(asked).await.unwrap()).unwrap();
        let (first, second) = detour.datagrams.as_ref().unwrap().ports();
        let ours = format!("Transport: RTP/AVP/UDP;unicast;client_port={first}-{second}\r\n");
        assert!(asked.contains(&ours), "{asked}");

        let camera = Datagrams::bind(US).await.unwrap();
        let ports = camera.ports();
        let answer = format!(
            "RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;client_port=1-2;source=0.0.0.0;\
             server_port={}-{};ssrc=0000ABCD\r\nSession: 7\r\n\r\n",
            ports.0, ports.1
        );
        let told = text(detour.answered(answer.as_bytes()).await.unwrap()).unwrap();
        let theirs = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0000ABCD\r\n";
        assert!(told.contains(theirs) && told.ends_with("Session: 7\r\n\r\n"), "{told}");
    }

    #[tokio::test]
    async fn a_camera_that_insists_on_tcp_is_left_to_it() {
        let mut detour = Detour::new(US, US);
        let asked = b"SETUP rtsp://x RTSP/1.0\r\nTransport: RTP/AVP/TCP\r\n\r\n";
        assert!(detour.asked(asked).await.unwrap().is_some());
        let answer = b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP/TCP;interleaved=2-3\r\n\r\n";
        assert_eq!(detour.answered(answer).await.unwrap(), None);
    }
}
