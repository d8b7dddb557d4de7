//! Streams that change or make no sense, and what no honest RTSP or ONVIF camera sends.

use std::collections::BTreeSet;
use std::fs;

use gatehouse::source::camera::Content;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::web::endless;
use super::{Site, camera, local};
use crate::peers::cameras::{Server, pattern};
use crate::peers::mosquitto::free_port;

#[tokio::test]
async fn a_stream_that_changes_its_size_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (wide, narrow) = (folder.path().join("wide.h264"), folder.path().join("narrow.h264"));
    pattern(&wide, "640x360", 20, 10).await;
    // Long: a machine with much else to do is shown key frames alone, and not each of them.
    pattern(&narrow, "320x240", 250, 10).await;
    let clip = folder.path().join("clip.h264");
    fs::write(&clip, [fs::read(&wide).unwrap(), fs::read(&narrow).unwrap()].concat()).unwrap();
    let server = Server::showing(&clip).await;
    local(async {
        let mut site = Site::start(&[camera(&format!("rtsp://127.0.0.1:{}/clip", server.port))]);
        let mut sizes = BTreeSet::new();
        while sizes.len() < 2 {
            let Content::Picture(picture) = site.shot().await.content else { panic!("no picture") };
            sizes.insert((picture.width(), picture.height()));
        }
        assert_eq!(sizes, BTreeSet::from([(320, 240), (640, 360)]));
        assert_eq!(site.change(0).await, None, "it has never been down");
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_over_rtsp_or_onvif_that_does_not_end_is_ended() {
    let cases = [
        ("rtsp", "RTSP/1.0 200 OK\r\n", "X: y\r\n", "headers of its answer do not end"),
        ("rtsp", "RTSP/1.0 200 OK\r\nX: ", "yyyyyyyy", "headers of its answer do not end"),
        ("onvif", "HTTP/1.1 200 .\r\n\r\n<e>", "<x/>", "its answer does not end"),
        ("onvif", "HTTP/1.1 200 .\r\n", "X: y\r\n", "headers of its answer do not end"),
    ];
    for (scheme, begin, again, expected) in cases {
        let mut config = endless(begin, again).await;
        config.url = config.url.map(|url| url.replace("http:", &format!("{scheme}:")));
        local(async {
            let mut site = Site::start(&[config]);
            let why = site.is_down().await;
            assert!(why.contains(expected), "{why}");
            site.stop().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_camera_that_sends_nothing_but_noise_is_down_until_it_is_well() {
    let port = free_port();
    let noise = noise(port).await;
    local(async {
        let mut site = Site::start(&[camera(&format!("rtsp://127.0.0.1:{port}/street"))]);
        let why = site.is_down().await;
        assert!(why.contains("cannot be decoded"), "{why}");
        site.counts("corrupt-picture").await;
        assert!(site.counted["corrupt-picture"] > 10, "{:?}", site.counted);

        noise.abort();
        drop(noise.await);
        let _well = Server::rtsp(port, &[]).await;
        site.is_up().await;
        site.shot().await;
        site.stop().await;
    })
    .await;
}

/// An RTSP camera whose pictures are noise, until its task is aborted.
async fn noise(port: u16) -> JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        let mut served = tokio::task::JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            served.spawn(async move { drop(serve(stream).await) });
        }
    })
}

async fn serve(stream: TcpStream) -> std::io::Result<()> {
    const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=noise\r\nt=0 0\r\n\
        m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n\
        a=control:track1\r\n";
    const TRANSPORT: &str = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000007";
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut method = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(number) = line.strip_prefix("CSeq: ") {
            let (more, body) = match method.as_str() {
                "DESCRIBE" => ("Content-Type: application/sdp", SDP),
                "SETUP" => (TRANSPORT, ""),
                _ => ("Server: noise", ""),
            };
            let length = body.len();
            let answer = format!(
                "RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 7\r\n{more}\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            );
            write.write_all(answer.as_bytes()).await?;
            if method == "PLAY" {
                break;
            }
        } else if let Some((word, _)) = line.split_once(" rtsp://") {
            word.clone_into(&mut method);
        }
    }
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(50));
    for number in 0_u16.. {
        pace.tick().await;
        // RFC 3550, section 5.1: payload type 96, marked as the end of a picture; a 90 kHz clock.
        let mut packet = vec![0x80, 0x80 | 0x60];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(number) * 4500).to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        // It says of itself that it is a key frame.
        packet.push(0x65);
        packet.extend((0..900_u32).map(|at| (at * at + u32::from(number)).to_be_bytes()[3] | 1));
        let length = u16::try_from(packet.len()).unwrap();
        write.write_all(&[b'$', 0]).await?;
        write.write_all(&length.to_be_bytes()).await?;
        write.write_all(&packet).await?;
    }
    Ok(())
}
