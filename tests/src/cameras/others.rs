//! Pictures over MQTT, from a folder, and from a camera that speaks ONVIF.

use std::time::Duration;

use gatehouse::config::camera::CameraConfig;
use gatehouse::config::{Access, BrokerConfig, Identity};
use gatehouse::source::mqtt::{self, Session};
use gatehouse_core::community::quantity::{Language, Period};
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Body, DeviceIndex, SourceIndex};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Site, camera, local, with_login};
use crate::peers::cameras::{Server, jpegs};
use crate::peers::mosquitto::Mosquitto;
use crate::peers::{PATIENCE, command, gatehouse, start};

#[tokio::test]
async fn a_broker_hands_on_pictures_as_they_are_and_in_json_and_readings_beside_them() {
    let broker = Mosquitto::plain();
    let street = std::fs::read(&jpegs()[0]).unwrap();
    local(async {
        let published = |topic: &str, json: Option<&str>| CameraConfig {
            url: None,
            broker: Some("sensors".into()),
            topic: Some(topic.into()),
            json: json.map(str::to_owned),
            every: Period(Duration::from_millis(1)),
            ..camera("")
        };
        let mut site = Site::start(&[
            published("frigate/+/person/snapshot", None),
            published("esp32/lane", Some("/image")),
        ]);
        let (inputs, mut readings) = mpsc::channel(64);
        let config = BrokerConfig {
            id: "sensors".into(),
            url: format!("mqtt://127.0.0.1:{}", broker.port()),
            access: Access::default(),
            client_id: None,
            max_payload_bytes: 1024,
        };
        let identity = Identity { id: "gw".into(), township: "t".into(), language: Language::En };
        let topics = vec![(DeviceIndex(0), "sense/bin".to_owned())];
        let (session, stop) = (Session::default(), CancellationToken::new());
        let source = SourceIndex(9);
        let listener =
            mqtt::prepare(&config, &identity, source, topics, &session, inputs, stop.clone());
        let listener = listener.unwrap().showing(std::mem::take(&mut site.published));
        let task = listener.spawn();
        next(&mut readings, |input| matches!(input, Input::Source { down: None, .. })).await;

        // Larger than a sensor may send.
        publish(&broker, "frigate/yard/person/snapshot", &street).await;
        assert_eq!(site.jpeg().await, street);
        let json = format!("{{\"image\": \"{}\"}}", base64(&street).await);
        publish(&broker, "esp32/lane", json.as_bytes()).await;
        assert_eq!(site.jpeg().await, street);
        publish(&broker, "esp32/lane", b"{\"image\": 7}").await;
        site.counts("no-picture-in-json").await;

        publish(&broker, "frigate/yard/person/snapshot", &vec![0; 5 << 20]).await;
        next(&mut readings, |i| matches!(i, Input::Dropped { reason: "too-long", .. })).await;
        publish(&broker, "sense/bin", b"7").await;
        let frame = next(&mut readings, |input| matches!(input, Input::Frame(_))).await;
        let Input::Frame(frame) = frame else { unreachable!() };
        assert_eq!(frame.body, Body::Payload(b"7".to_vec()));

        site.stop().await;
        stop.cancel();
        timeout(PATIENCE, task).await.unwrap().unwrap();
    })
    .await;
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

async fn next(inputs: &mut mpsc::Receiver<Input>, wanted: impl Fn(&Input) -> bool) -> Input {
    loop {
        let input = timeout(PATIENCE, inputs.recv()).await.unwrap().unwrap();
        if wanted(&input) {
            return input;
        }
    }
}

async fn publish(broker: &Mosquitto, topic: &str, payload: &[u8]) {
    let port = broker.port().to_string();
    let mut sent = start(
        command("mosquitto_pub")
            .args(["-p", &port, "-q", "1", "-t", topic, "-s"])
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
