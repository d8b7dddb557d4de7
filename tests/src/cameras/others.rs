//! Pictures over MQTT, from a folder, and from a camera that speaks ONVIF.

use std::time::Duration;

use gatehouse::config::camera::CameraConfig;
use gatehouse::config::{Access, BrokerConfig};
use gatehouse_core::community::quantity::Period;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::{Site, camera, local, with_login};
use crate::peers::cameras::{Server, jpegs};
use crate::peers::mosquitto::Mosquitto;
use crate::peers::{PATIENCE, command, gatehouse, start};

/// A camera that publishes, looked at whenever there is something.
fn published(topic: &str, json: Option<&str>) -> CameraConfig {
    CameraConfig {
        url: None,
        broker: Some("sensors".into()),
        topic: Some(topic.into()),
        json: json.map(str::to_owned),
        every: Period(Duration::from_millis(1)),
        ..camera("")
    }
}

fn at(broker: &Mosquitto) -> BrokerConfig {
    BrokerConfig {
        id: "sensors".into(),
        url: format!("mqtt://127.0.0.1:{}", broker.port()),
        access: Access::default(),
        client_id: None,
        max_payload_bytes: 1024,
    }
}

#[tokio::test]
async fn a_broker_hands_on_pictures_as_they_are_and_in_json() {
    let mut broker = Mosquitto::plain();
    let street = std::fs::read(&jpegs()[0]).unwrap();
    local(async {
        let mut site = Site::start_at(
            &[at(&broker)],
            &[
                published("frigate/+/person/snapshot", None),
                published("esp32/lane", Some("/image")),
            ],
        );

        // Larger than a sensor may send.
        let (snapshot, mut picture) = ("frigate/yard/person/snapshot", street.clone());
        shows(&site, &broker, snapshot, &picture, &picture).await;
        picture.push(1);
        let json = format!("{{\"image\": \"{}\"}}", base64(&picture).await);
        shows(&site, &broker, "esp32/lane", json.as_bytes(), &picture).await;
        publish(&broker, "esp32/lane", b"{\"image\": 7}").await;
        site.counts("no-picture-in-json").await;

        publish(&broker, snapshot, &vec![0; 5 << 20]).await;
        let why = site.is_down().await;
        assert!(why.contains("a picture of more than 4194304 bytes"), "{why}");
        site.counts("too-long").await;
        picture.push(2);
        shows(&site, &broker, snapshot, &picture, &picture).await;

        broker.kill();
        assert!(site.is_down().await.contains("cannot be reached"));
        broker.restart();
        picture.push(3);
        shows(&site, &broker, snapshot, &picture, &picture).await;
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_camera_at_a_broker_may_be_silent_but_not_talk_nonsense() {
    let broker = Mosquitto::plain();
    let street = std::fs::read(&jpegs()[0]).unwrap();
    // As Frigate does.
    retain(&broker, "frigate/yard", &street).await;
    local(async {
        let mut site = Site::start_at(&[at(&broker)], &[published("frigate/yard", None)]);
        site.counts("retained").await;
        let silence = timeout(Duration::from_secs(12), site.change(0)).await;
        assert!(silence.is_err(), "{silence:?}");

        let nonsense = async {
            loop {
                publish(&broker, "frigate/yard", b"no picture").await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            why = site.is_down() => assert!(why.contains("expected a JPEG"), "{why}"),
            () = nonsense => {}
        }

        shows(&site, &broker, "frigate/yard", &street, &street).await;
        site.stop().await;
    })
    .await;
}

/// Publishes until that picture is shown: the camera may not listen yet.
async fn shows(site: &Site, broker: &Mosquitto, topic: &str, payload: &[u8], picture: &[u8]) {
    let again_and_again = async {
        loop {
            publish(broker, topic, payload).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let shown = async { while site.jpeg().await != picture {} };
    tokio::select! {
        () = shown => {}
        () = again_and_again => {}
    }
}

#[tokio::test]
async fn a_folder_is_replayed_in_the_order_of_its_names() {
    let expected: Vec<Vec<u8>> = jpegs().iter().map(|path| std::fs::read(path).unwrap()).collect();
    let folder = jpegs()[0].parent().unwrap().display().to_string();
    local(async {
        let mut site = Site::start(&[camera(&format!("file://{folder}"))]);
        let mut before = None;
        for _ in 0..3 {
            let picture = site.jpeg().await;
            let position = expected.iter().position(|known| *known == picture);
            assert!(position > before, "{position:?} after {before:?}");
            before = position;
        }
        site.is_up().await;
        assert!(site.is_down().await.contains("come to its end"));
        site.stop().await;

        let site = Site::start(&[camera(&format!("file://{folder}/01.jpg?loop"))]);
        for _ in 0..3 {
            assert!(site.jpeg().await == expected[0]);
        }
        site.stop().await;

        let mut site = Site::start(&[camera("file:///nowhere/at/all")]);
        assert!(site.is_down().await.contains("cannot be read"));
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_camera_that_speaks_onvif_tells_where_its_stream_is() {
    let server = Server::rtsp(0, &["cam", "let me in"]).await;
    let onvif = Server::onvif(server.port, "cam", "let me in").await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("onvif://127.0.0.1:{}", onvif.port);
    local(async {
        let site = Site::start(&[with_login(&url, folder.path(), "let me in")]);
        site.shot().await;
        site.stop().await;

        let mut site = Site::start(&[with_login(&url, folder.path(), "let me out")]);
        let why = site.is_down().await;
        assert!(why.contains("refuses our name or password"), "{why}");
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn cameras_on_the_network_are_found() {
    let onvif = Server::onvif(554, "cam", "let me in").await;

    let told = command(gatehouse())
        .args(["cameras", "discover", "--from", "127.0.0.1", "--for", "4s", "--json"])
        .output();
    let told = timeout(PATIENCE, told).await.unwrap().unwrap();

    let text = String::from_utf8(told.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let url = format!("onvif://127.0.0.1:{}", onvif.port);
    let found = lines.into_iter().find(|camera| camera["url"] == *url);
    assert_eq!(found.expect(&text)["name"], "East gate");
}

async fn publish(broker: &Mosquitto, topic: &str, payload: &[u8]) {
    say(broker, &["-t", topic], payload).await;
}

/// So that the broker keeps it for whoever comes.
async fn retain(broker: &Mosquitto, topic: &str, payload: &[u8]) {
    say(broker, &["-r", "-t", topic], payload).await;
}

async fn say(broker: &Mosquitto, how: &[&str], payload: &[u8]) {
    let port = broker.port().to_string();
    let mut sent = start(
        command("mosquitto_pub")
            .args(["-p", &port, "-q", "1", "-s"])
            .args(how)
            .stdin(std::process::Stdio::piped()),
    );
    let mut body = sent.stdin.take().unwrap();
    body.write_all(payload).await.unwrap();
    drop(body);
    assert!(timeout(PATIENCE, sent.wait()).await.unwrap().unwrap().success());
}

/// By coreutils.
async fn base64(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let told = command("base64").args(["-w", "0"]).arg(file.path()).output().await.unwrap();
    String::from_utf8(told.stdout).unwrap()
}
