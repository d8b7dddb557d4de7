//! Snapshots from Apache, streams from ffmpeg, and what no honest server sends.

use std::path::PathBuf;

use gatehouse::config::camera::CameraConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Site, camera, local, with_login};
use crate::peers::cameras::{Apache, jpegs, mjpeg};
use crate::peers::certificates::Authority;
use crate::peers::http::Listener;
use crate::peers::mosquitto::free_port;

const PASSWORD: &str = "let me in";

fn street() -> Vec<u8> {
    std::fs::read(&jpegs()[0]).unwrap()
}

#[tokio::test]
async fn a_snapshot_comes_through_every_kind_of_door() {
    let port = free_port();
    let _apache = Apache::start(port, &[], "").await;
    let folder = tempfile::tempdir().unwrap();
    for door in ["still.jpg", "basic.jpg", "digest.jpg", "moved"] {
        let config =
            with_login(&format!("http://127.0.0.1:{port}/{door}"), folder.path(), PASSWORD);
        local(async {
            let mut site = Site::start(&[config]);
            for _ in 0..3 {
                assert_eq!(site.jpeg().await, street(), "{door}");
            }
            site.is_up().await;
            site.stop().await;
        })
        .await;
    }
}

#[tokio::test]
async fn whatever_is_wrong_is_told_as_what_it_is() {
    let port = free_port();
    let _apache = Apache::start(port, &[], "").await;
    let folder = tempfile::tempdir().unwrap();
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let wrong = |path: &str| with_login(&url(path), folder.path(), "let me out");
    let cases = [
        (wrong("basic.jpg"), "refuses our name or password"),
        (wrong("digest.jpg"), "refuses our name or password"),
        (camera(&url("digest.jpg")), "asks for a name and a password"),
        (camera(&url("round")), "in circles"),
        (camera(&url("nowhere")), "nothing at this address"),
        (camera(&url("page.html")), "sends text/html"),
        (camera(&format!("http://127.0.0.1:{}/", free_port())), "cannot be reached"),
    ];
    for (config, expected) in cases {
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
async fn a_camera_with_a_certificate_is_believed_by_its_authority_alone() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let (certificate, key) = authority.sign("camera", &["localhost"]);
    let (plain, port) = (free_port(), free_port());
    let more = format!(
        "Listen 127.0.0.1:{port}\nSSLSessionCache none\n<VirtualHost *:{port}>\nSSLEngine on\n\
         SSLCertificateFile {}\nSSLCertificateKeyFile {}\n</VirtualHost>",
        certificate.display(),
        key.display()
    );
    let _apache = Apache::start(plain, &["ssl"], &more).await;
    let believing = |file: Option<PathBuf>| {
        let mut config = camera(&format!("https://localhost:{port}/still.jpg"));
        config.access.ca_file = file;
        config
    };
    local(async {
        let site = Site::start(&[believing(Some(authority.file.clone()))]);
        assert_eq!(site.jpeg().await, street());
        site.stop().await;

        let stranger = Authority::new(folder.path(), "stranger");
        for file in [Some(stranger.file), None] {
            let mut site = Site::start(&[believing(file)]);
            let why = site.is_down().await;
            assert!(why.contains("certificate cannot be believed"), "{why}");
            site.stop().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_password_never_goes_to_another_host() {
    let mut other = Listener::start(401).await;
    let port = free_port();
    let more = format!("Redirect /away http://{}/still.jpg", other.address);
    let _apache = Apache::start(port, &[], &more).await;
    let folder = tempfile::tempdir().unwrap();
    let config = with_login(&format!("http://127.0.0.1:{port}/away"), folder.path(), PASSWORD);
    local(async {
        let mut site = Site::start(&[config]);
        let why = site.is_down().await;
        assert!(why.contains("asks for a name and a password"), "{why}");
        site.stop().await;
    })
    .await;
    let (_, heard) = other.next().await;
    assert!(!heard.headers.contains_key("authorization"), "{heard:?}");
}

#[tokio::test]
async fn a_stream_of_jpegs_is_read_and_found_again_after_its_end() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    local(async {
        let mut site = Site::start(&[camera(&url)]);
        for _ in 0..2 {
            let mut server = mjpeg(port, &jpegs()[0]);
            for _ in 0..3 {
                assert_eq!(site.jpeg().await, street());
            }
            site.is_up().await;
            server.kill().await.unwrap();
            let why = site.is_down().await;
            assert!(why.contains("hung up") || why.contains("reached"), "{why}");
        }
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_picture_that_is_none_is_told_and_the_next_one_seen() {
    let port = free_port();
    let apache = Apache::start(port, &[], "").await;
    apache.show(b"");
    local(async {
        let mut site = Site::start(&[camera(&format!("http://127.0.0.1:{port}/still.jpg"))]);
        let why = site.is_down().await;
        assert!(why.contains("sends nothing"), "{why}");
        apache.show(&street());
        assert_eq!(site.jpeg().await, street());
        site.is_up().await;
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_never_ends_is_ended_and_a_stop_does_not_wait_for_it() {
    const STREAM: &str =
        "HTTP/1.1 200 .\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n";
    let cases = [
        ("HTTP/1.1 200 .\r\n", "X: y\r\n", "headers of its answer do not end"),
        (STREAM, "X: y\r\n", "headers of its answer do not end"),
        (&format!("{STREAM}\r\n"), "all work and no picture\n", "of more than"),
        ("HTTP/1.1 200 .\r\nContent-Type: image/jpeg\r\n\r\n", "endless", "of more than"),
    ];
    for (begin, again, expected) in cases {
        local(async {
            let mut site = Site::start(&[endless(begin, again).await]);
            let why = site.is_down().await;
            assert!(why.contains(expected), "{why}");
            site.stop().await;
        })
        .await;
    }
    local(async {
        let silent = endless(STREAM, "").await;
        Site::start(&[silent]).stop().await;
    })
    .await;
}

/// A server that sends the same for ever.
pub(super) async fn endless(begin: &str, again: &str) -> CameraConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (begin, again) = (begin.to_owned(), again.repeat(10_000));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (begin, again) = (begin.clone(), again.clone());
            tokio::spawn(async move {
                let mut asked = [0; 1024];
                drop(stream.read(&mut asked).await);
                drop(stream.write_all(begin.as_bytes()).await);
                while !again.is_empty() && stream.write_all(again.as_bytes()).await.is_ok() {}
                drop(stream.read(&mut asked).await);
            });
        }
    });
    camera(&format!("http://{address}/"))
}
