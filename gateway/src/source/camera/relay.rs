//! Stands between the RTSP client and a camera, so that whatever the camera sends, we keep little of it.
//!
//! The client library keeps what comes until a message, or a picture, has come to its end, however long
//! that is. It cannot be told to keep less and opens its connections by itself. So it is given an address
//! of ours, on this machine, behind which the relay passes on whole messages of a sane length, and ends
//! the session when no picture comes to its end. To the client all comes over TCP; over UDP the relay asks
//! for packets by UDP and puts them into the connection ([`super::detour`]).

use std::cell::Cell;
use std::future::pending;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use url::Url;

use super::Transport;
use super::cost::Flow;
use super::detour::Detour;
use super::framing::{Framing, PREFIX, Piece};
use super::h264::MOST_BYTES;
use super::trouble::Why;

/// RFC 2326, section 3.2.
const PORT: u16 = 554;
/// A packet with its prefix.
const MOST_PACKET: usize = PREFIX + u16::MAX as usize;

/// Bytes that were passed on since the last picture.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Cell<usize>);

impl UnderWay {
    /// A picture has come to its end.
    pub(super) fn is_whole(&self) {
        self.0.set(0);
    }

    fn add(&self, bytes: usize) -> Result<(), Why> {
        self.0.set(self.0.get().saturating_add(bytes));
        if self.0.get() > MOST_BYTES { Err(Why::EndlessPicture(MOST_BYTES)) } else { Ok(()) }
    }
}

/// A connection to a camera, and the address at which the client is awaited.
pub(super) struct Relay {
    camera: TcpStream,
    door: TcpListener,
    url: Url,
    detour: Option<Detour>,
}

impl Relay {
    /// Connects to a camera.
    pub(super) async fn open(url: &Url, transport: Transport) -> Result<Self, Why> {
        let failed = |error| Why::unreachable(&error);
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let camera = TcpStream::connect((host, url.port().unwrap_or(PORT))).await;
        let camera = camera.map_err(failed)?;
        let detour = match transport {
            Transport::Tcp => None,
            Transport::Udp => {
                let us = camera.local_addr().map_err(failed)?;
                let them = camera.peer_addr().map_err(failed)?;
                Some(Detour::new(us.ip(), them.ip()))
            }
        };
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = door.local_addr().map_err(failed)?.port();
        let mut ours = url.clone();
        // An address that has a host takes another.
        let is_set = ours.set_host(Some("127.0.0.1")).is_ok() && ours.set_port(Some(port)).is_ok();
        if is_set { Ok(Self { camera, door, url: ours, detour }) } else { Err(Why::BrokeDown) }
    }

    /// Where the client finds the camera. What a camera looks at follows the host.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Passes on what comes, for one connection of the client, until something is wrong with it. Who
    /// hangs up is left for the client to find.
    pub(super) async fn pass(self, under_way: &UnderWay) -> Why {
        let Self { mut camera, door, mut detour, .. } = self;
        let Ok((mut client, _)) = door.accept().await else { return Why::BrokeDown };
        drop(door);
        match exchange(&mut camera, &mut client, detour.as_mut(), under_way).await {
            Err(Cut::Because(why)) => why,
            Ok(()) | Err(Cut::HungUp) => {
                let _gone = client.shutdown().await;
                pending().await
            }
        }
    }
}

/// Why nothing more is passed on.
enum Cut {
    Because(Why),
    HungUp,
}

impl From<Why> for Cut {
    fn from(why: Why) -> Self {
        Self::Because(why)
    }
}

impl From<std::io::Error> for Cut {
    fn from(_: std::io::Error) -> Self {
        Self::HungUp
    }
}

/// Until one of the two hangs up.
async fn exchange(
    camera: &mut TcpStream,
    client: &mut TcpStream,
    mut detour: Option<&mut Detour>,
    under_way: &UnderWay,
) -> Result<(), Cut> {
    let (mut from_camera, mut to_camera) = camera.split();
    let (mut from_client, mut to_client) = client.split();
    let (mut told, mut asked) = (Coming::new(), Coming::new());
    let mut frame = vec![0; if detour.is_some() { MOST_PACKET } else { 0 }];
    let mut flow = Flow::new();
    loop {
        let bytes = tokio::select! {
            came = from_camera.read_buf(&mut told.bytes) => {
                if came? == 0 {
                    return Ok(());
                }
                told.pass(&mut to_client, async |head, body| {
                    conceal_tool(body);
                    match &mut detour {
                        Some(detour) => detour.answered(head).await,
                        None => Ok(None),
                    }
                })
                .await?
            }
            came = packet(detour.as_deref_mut(), &mut frame) => {
                let bytes = came?;
                to_client.write_all(&frame[..bytes]).await?;
                bytes
            }
            came = from_client.read_buf(&mut asked.bytes) => {
                if came? == 0 {
                    return Ok(());
                }
                asked.pass(&mut to_camera, async |head, _| match &mut detour {
                    Some(detour) => detour.asked(head).await,
                    None => Ok(None),
                })
                .await?;
                0
            }
        };
        under_way.add(bytes)?;
        if let Some(rest) = flow.came(bytes, Instant::now()) {
            tokio::time::sleep(rest).await;
        }
        // The client takes it before more comes, so that a picture is known to be whole when it is.
        tokio::task::yield_now().await;
    }
}

async fn packet(detour: Option<&mut Detour>, frame: &mut [u8]) -> Result<usize, Why> {
    match detour {
        Some(detour) => detour.packet(frame).await,
        None => pending().await,
    }
}

/// What came from one side and was not passed on yet.
struct Coming {
    bytes: Vec<u8>,
    framing: Framing,
}

impl Coming {
    fn new() -> Self {
        // What is not whole takes less than the half of it, so there is always room to read into.
        Self { bytes: Vec::with_capacity(2 * MOST_PACKET), framing: Framing::default() }
    }

    /// Passes on what is whole, with other heads where there is a reason; how many bytes that was.
    async fn pass(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        mut change: impl AsyncFnMut(&[u8], &mut [u8]) -> Result<Option<Vec<u8>>, Why>,
    ) -> Result<usize, Cut> {
        let (mut passed, mut whole) = (0, 0);
        while let Some(piece) = self.framing.first(&self.bytes[whole..])? {
            let Piece { head, bytes } = piece;
            if head > 0 {
                let (before, message) = self.bytes.split_at_mut(whole);
                let (head, body) = message[..bytes].split_at_mut(head);
                if let Some(changed) = change(head, body).await? {
                    to.write_all(&before[passed..]).await?;
                    to.write_all(&changed).await?;
                    passed = whole + head.len();
                }
            }
            whole += bytes;
        }
        to.write_all(&self.bytes[passed..whole]).await?;
        self.bytes.drain(..whole);
        Ok(whole)
    }
}

/// To some servers, which it knows by this word, the client would go back by itself for minutes, at an
/// address that they name, to take leave once more.
fn conceal_tool(body: &mut [u8]) {
    const WORD: &[u8] = b"a=tool:";
    for line in body.split_mut(|byte| *byte == b'\n') {
        if line.starts_with(WORD) {
            line[2..6].make_ascii_uppercase();
        }
    }
}
