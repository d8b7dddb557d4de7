//! An RTSP camera that makes no sense: its pictures are noise, or what it sends has no end.

use std::io::Error;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{JoinHandle, JoinSet};

/// What a connection would bring if nobody ended it.
const MANY: usize = 512 << 20;
/// Of a packet that is no end of a picture.
const FRAGMENT: usize = 1400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Noise,
    /// To the first question.
    EndlessHead,
    EndlessBody,
    /// In the middle of a session.
    EndlessHeadBetween,
    /// Of one picture.
    Fragments,
}

/// A camera, until it is dropped.
pub(super) struct Flood(JoinHandle<()>);

impl Flood {
    pub(super) async fn start(port: u16, sent: Sent) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        Self(tokio::spawn(async move {
            let mut served = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                served.spawn(async move { drop(serve(stream, sent).await) });
            }
        }))
    }

    pub(super) async fn end(mut self) {
        self.0.abort();
        drop((&mut self.0).await);
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where packets go.
enum Way {
    Tcp,
    Udp(UdpSocket),
}

async fn serve(stream: TcpStream, sent: Sent) -> std::io::Result<()> {
    const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=noise\r\nt=0 0\r\n\
        m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n\
        a=control:track1\r\n";
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut method, mut number) = (String::new(), String::new());
    let mut way = Way::Tcp;
    while let Some(line) = lines.next_line().await? {
        if let Some(told) = line.strip_prefix("CSeq: ") {
            told.clone_into(&mut number);
        } else if let Some((word, _)) = line.split_once(" rtsp://") {
            word.clone_into(&mut method);
        } else if let Some((_, ports)) = line.split_once("client_port=") {
            let port: u16 = ports.split('-').next().unwrap().parse().unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").await?;
            socket.connect(("127.0.0.1", port)).await?;
            way = Way::Udp(socket);
        } else if line.is_empty() {
            let begin = format!("RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 7\r\n");
            match (method.as_str(), sent) {
                ("DESCRIBE", Sent::EndlessHead) => {
                    return repeat(&mut write, &begin, "X: y\r\n").await;
                }
                ("DESCRIBE", Sent::EndlessBody) => {
                    let begin = format!("{begin}Content-Length: 5000000000\r\n\r\n");
                    return repeat(&mut write, &begin, "a=x:y\r\n").await;
                }
                ("DESCRIBE", _) => {
                    let length = SDP.len();
                    let kind = "Content-Type: application/sdp";
                    let answer = format!("{begin}{kind}\r\nContent-Length: {length}\r\n\r\n{SDP}");
                    write.write_all(answer.as_bytes()).await?;
                }
                ("SETUP", _) => {
                    let answer = format!("{begin}Transport: {}\r\n\r\n", way.answer()?);
                    write.write_all(answer.as_bytes()).await?;
                }
                (asked, _) => {
                    write.write_all(format!("{begin}\r\n").as_bytes()).await?;
                    if asked == "PLAY" {
                        break;
                    }
                }
            }
        }
    }
    match sent {
        Sent::EndlessHeadBetween => {
            send(&mut write, &way, &packet(0, 0, true, &[0x65, 1])).await?;
            repeat(&mut write, "ANNOUNCE rtsp://x RTSP/1.0\r\n", "X: y\r\n").await
        }
        Sent::Fragments => fragments(lines.into_inner(), &mut write, &way).await,
        _ => noise(&mut write, &way).await,
    }
}

impl Way {
    fn answer(&self) -> std::io::Result<String> {
        Ok(match self {
            Self::Tcp => "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000007".to_owned(),
            Self::Udp(socket) => {
                let port = socket.local_addr()?.port();
                format!("RTP/AVP/UDP;unicast;server_port={port}-{}", port + 1)
            }
        })
    }
}

async fn repeat(write: &mut OwnedWriteHalf, begin: &str, again: &str) -> std::io::Result<()> {
    write.write_all(begin.as_bytes()).await?;
    let again = again.repeat(10_000);
    for _ in 0..MANY / again.len() {
        write.write_all(again.as_bytes()).await?;
    }
    Ok(())
}

/// One picture in pieces, none of which is the last (RFC 6184, section 5.8), until the other side hangs up.
async fn fragments(
    mut read: impl AsyncRead + Unpin,
    write: &mut OwnedWriteHalf,
    way: &Way,
) -> std::io::Result<()> {
    use tokio::io::AsyncReadExt as _;
    let mut payload = vec![7; FRAGMENT];
    payload[0] = 0x7c;
    let flood = async {
        for number in 0..MANY / FRAGMENT {
            payload[1] = if number == 0 { 0x85 } else { 0x05 };
            let number = u16::try_from(number % 0x1_0000).unwrap();
            send(write, way, &packet(number, 0, false, &payload)).await?;
            // Over UDP nobody is asked whether there is room.
            if matches!(way, Way::Udp(_)) && number % 16 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Ok::<_, Error>(())
    };
    let mut told = [0; 1024];
    let gone = async { while read.read(&mut told).await.is_ok_and(|many| many > 0) {} };
    tokio::select! {
        end = flood => end,
        () = gone => Ok(()),
    }
}

async fn noise(write: &mut OwnedWriteHalf, way: &Way) -> std::io::Result<()> {
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    for number in 0_u16.. {
        pace.tick().await;
        // It says of itself that it is a key frame.
        let mut payload = vec![0x65];
        payload.extend((0..900_u32).map(|at| (at * at + u32::from(number)).to_be_bytes()[3] | 1));
        send(write, way, &packet(number, u32::from(number) * 4500, true, &payload)).await?;
    }
    Ok(())
}

/// RFC 3550, section 5.1: payload type 96, marked where it is the end of a picture.
fn packet(number: u16, time: u32, is_end: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, if is_end { 0x80 | 0x60 } else { 0x60 }];
    packet.extend(number.to_be_bytes());
    packet.extend(time.to_be_bytes());
    packet.extend(7_u32.to_be_bytes());
    packet.extend(payload);
    packet
}

async fn send(write: &mut OwnedWriteHalf, way: &Way, packet: &[u8]) -> std::io::Result<()> {
    match way {
        Way::Tcp => {
            let length = u16::try_from(packet.len()).unwrap();
            write.write_all(&[&[b'$', 0], &length.to_be_bytes()[..], packet].concat()).await
        }
        Way::Udp(socket) => {
            // Nobody may listen any more.
            drop(socket.send(packet).await);
            Ok(())
        }
    }
}
