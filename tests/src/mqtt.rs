//! The MQTT source against mosquitto: with the shipped configuration, with files that are wrong, and
//! with everything that a broker's session promises.

use std::path::{Path, PathBuf};

use gatehouse::config::{Access, BrokerConfig, Identity};
use gatehouse::source::mqtt::{self, Settler};
use gatehouse_core::community::quantity::Language;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Body, DeviceIndex, Frame, SourceIndex};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::peers::PATIENCE;
use crate::peers::certificates::Authority;
use crate::peers::mosquitto::Mosquitto;

const USERS: [(&str, &str); 3] = [("gatehouse", "let me in"), ("bin-1", "one"), ("bin-2", "two")];

#[tokio::test]
async fn sensors_speak_over_tls_with_their_own_passwords_and_for_themselves_only() {
    let site = Site::new("localhost");
    let mut gateway = Gateway::start(&site.config(), &["sense/c/bin-1", "sense/c/bin-2"]);
    gateway.is_up().await;

    let bin = Device::with_password(&site, "bin-1", "one");
    bin.publish("sense/c/bin-2", b"forged").await;
    bin.publish("sense/c/bin-1", b"mine").await;

    assert_eq!(gateway.payload().await, (DeviceIndex(0), b"mine".to_vec()));
    gateway.stop().await;
}

#[tokio::test]
async fn a_broker_that_cannot_be_believed_is_refused_and_told() {
    let site = Site::new("localhost");
    let stranger = Authority::new(site.folder.path(), "stranger");
    let right = site.config();
    let other_host =
        BrokerConfig { url: right.url.replace("localhost", "127.0.0.1"), ..right.clone() };
    let mut other_authority = right.clone();
    other_authority.access.ca_file = Some(stranger.file.clone());
    let mut other_password = right.clone();
    other_password.access.password_file = Some(site.write("wrong", "let me out"));
    let cases = [
        (other_host, "for another host name than the one in `url`"),
        (other_authority, "not from the authority in `ca-file`"),
        (other_password, "check `user`"),
    ];
    for (config, expected) in cases {
        let mut gateway = Gateway::start(&config, &["sense/c/bin-1"]);

        let why = gateway.is_down().await;

        assert!(why.contains(expected), "{why}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn what_was_not_settled_comes_again_and_what_was_does_not() {
    let broker = Mosquitto::plain();
    let config = plain_config(&broker);
    let mut gateway = Gateway::start(&config, &["sense/c/bin-1"]);
    gateway.is_up().await;
    let device = Device::plain(&broker);
    for number in 1..=4 {
        device.publish("sense/c/bin-1", number.to_string().as_bytes()).await;
    }
    let frames = [
        gateway.frame().await,
        gateway.frame().await,
        gateway.frame().await,
        gateway.frame().await,
    ];
    // The second one is settled too, but the first stands before it.
    for frame in [&frames[1], &frames[3]] {
        gateway.settler.settle(frame.ticket.unwrap());
    }
    gateway.stop().await;

    let mut gateway = Gateway::start(&config, &["sense/c/bin-1"]);
    for expected in ["1", "2", "3", "4"] {
        let frame = gateway.frame().await;
        assert_eq!(frame.body, Body::Payload(expected.into()));
        gateway.settler.settle(frame.ticket.unwrap());
    }
    gateway.stop().await;

    let mut gateway = Gateway::start(&config, &["sense/c/bin-1"]);
    device.publish("sense/c/bin-1", b"5").await;
    assert_eq!(gateway.payload().await.1, b"5");
    gateway.stop().await;
}

#[tokio::test]
async fn what_comes_while_the_gateway_is_away_waits_at_the_broker() {
    let broker = Mosquitto::plain();
    let config = plain_config(&broker);
    let mut gateway = Gateway::start(&config, &["sense/+/bin-1"]);
    gateway.is_up().await;
    gateway.stop().await;

    let device = Device::plain(&broker);
    device.publish("sense/c/bin-1", b"meanwhile").await;

    let mut gateway = Gateway::start(&config, &["sense/+/bin-1"]);
    assert_eq!(gateway.payload().await.1, b"meanwhile");
    gateway.stop().await;
}

#[tokio::test]
async fn a_broker_that_dies_is_told_and_found_again() {
    let mut broker = Mosquitto::plain();
    let mut gateway = Gateway::start(&plain_config(&broker), &["sense/c/bin-1"]);
    gateway.is_up().await;

    broker.kill();
    gateway.is_down().await;
    broker.restart();
    gateway.is_up().await;

    let device = Device::plain(&broker);
    device.publish("sense/c/bin-1", b"back").await;
    assert_eq!(gateway.payload().await.1, b"back");
    gateway.stop().await;
}

#[tokio::test]
async fn a_payload_of_ten_megabytes_is_refused_and_intake_goes_on() {
    let broker = Mosquitto::plain();
    let mut gateway = Gateway::start(&plain_config(&broker), &["sense/c/bin-1"]);
    gateway.is_up().await;
    let device = Device::plain(&broker);

    device.publish("sense/c/bin-1", &vec![b'x'; 10 << 20]).await;
    device.publish("sense/c/bin-1", b"after").await;

    let refused = Input::Dropped {
        source: SourceIndex(0),
        device: Some(DeviceIndex(0)),
        reason: "too-long",
        count: 1,
    };
    let inputs = [gateway.next().await, gateway.next().await];
    assert!(inputs.iter().any(|i| format!("{i:?}") == format!("{refused:?}")), "{inputs:?}");
    let after = Body::Payload(b"after".to_vec());
    assert!(
        inputs.iter().any(|i| matches!(i, Input::Frame(frame) if frame.body == after)),
        "{inputs:?}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_packet_that_nobody_can_hold_does_not_keep_the_gateway_away() {
    let broker = Mosquitto::plain();
    let mut gateway = Gateway::start(&plain_config(&broker), &["sense/c/bin-1"]);
    gateway.is_up().await;
    let device = Device::plain(&broker);

    device.publish("sense/c/bin-1", &vec![b'x'; 20 << 20]).await;

    // Once for the packet, once more when it came again: then the session is given up.
    let why = gateway.is_down().await;
    assert!(why.contains("a packet of 20971"), "{why}");
    gateway.is_up().await;
    device.publish("sense/c/bin-1", b"after").await;
    assert_eq!(gateway.payload().await.1, b"after");
    gateway.stop().await;
}

#[tokio::test]
async fn a_topic_that_is_nobodys_and_an_old_retained_value_are_counted_and_let_go() {
    let broker = Mosquitto::plain();
    let device = Device::plain(&broker);
    device.retain("sense/c/bin-1", b"yesterday").await;
    // A subscription that outlived its device.
    let config = plain_config(&broker);
    let mut before = Gateway::start(&config, &["sense/#"]);
    before.is_up().await;
    before.stop().await;

    let mut gateway = Gateway::start(&config, &["sense/c/bin-1"]);
    gateway.is_up().await;
    device.publish("sense/c/stranger", b"hello").await;
    device.publish("sense/c/bin-1", b"today").await;

    let mut reasons = Vec::new();
    let mut payloads = Vec::new();
    while reasons.len() < 2 || payloads.is_empty() {
        match gateway.next().await {
            Input::Dropped { reason, .. } => reasons.push(reason),
            Input::Frame(frame) => payloads.push(frame.body),
            other => panic!("{other:?}"),
        }
    }
    reasons.sort_unstable();
    assert_eq!(reasons, ["retained", "unknown-topic"]);
    assert_eq!(payloads, [Body::Payload(b"today".to_vec())]);
    gateway.stop().await;
}

#[test]
fn a_wish_for_tls_without_an_authority_is_a_fault_at_start() {
    let config = BrokerConfig {
        id: "sensors".into(),
        url: "mqtts://localhost:8883".into(),
        access: Access::default(),
        client_id: None,
        max_payload_bytes: 1,
    };
    let (inputs, _keep) = mpsc::channel(1);

    let stop = CancellationToken::new();
    let source = SourceIndex(0);
    let Err(error) = mqtt::start(&config, &identity(), source, Vec::new(), inputs, stop) else {
        panic!("it started");
    };

    assert!(error.to_string().contains("no `ca-file` says whom to believe"), "{error}");
}

/// A sensors' broker as shipped, and the files that the gateway needs for it.
struct Site {
    folder: tempfile::TempDir,
    authority: Authority,
    broker: Mosquitto,
}

impl Site {
    fn new(host: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let (certificate, key) = authority.sign("broker", &[host]);
        let broker = Mosquitto::shipped((&certificate, &key), &USERS);
        Self { folder, authority, broker }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn config(&self) -> BrokerConfig {
        BrokerConfig {
            id: "sensors".into(),
            url: format!("mqtts://localhost:{}", self.broker.port()),
            access: Access {
                user: Some("gatehouse".into()),
                password_file: Some(self.write("password", "let me in\n")),
                ca_file: Some(self.authority.file.clone()),
                ..Access::default()
            },
            client_id: None,
            max_payload_bytes: 64 * 1024,
        }
    }
}

fn plain_config(broker: &Mosquitto) -> BrokerConfig {
    BrokerConfig {
        id: "sensors".into(),
        url: format!("mqtt://127.0.0.1:{}", broker.port()),
        access: Access::default(),
        client_id: None,
        max_payload_bytes: 64 * 1024,
    }
}

fn identity() -> Identity {
    Identity { id: "gw".into(), township: "town".into(), language: Language::En }
}

/// The source, and the end of the channel where the pipeline would be.
struct Gateway {
    inputs: mpsc::Receiver<Input>,
    settler: Settler,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Gateway {
    fn start(config: &BrokerConfig, filters: &[&str]) -> Self {
        let routes = filters.iter().enumerate().map(|(d, f)| (DeviceIndex(d), f.to_string()));
        let (sender, inputs) = mpsc::channel(64);
        let stop = CancellationToken::new();
        let (task, settler) = mqtt::start(
            config,
            &identity(),
            SourceIndex(0),
            routes.collect(),
            sender,
            stop.clone(),
        )
        .unwrap();
        Self { inputs, settler, stop, task }
    }

    async fn next(&mut self) -> Input {
        timeout(PATIENCE, self.inputs.recv()).await.unwrap().unwrap()
    }

    /// Waits until the source says so; what comes before is let go.
    async fn is_up(&mut self) {
        while !matches!(self.next().await, Input::Source { down: None, .. }) {}
    }

    async fn is_down(&mut self) -> String {
        loop {
            if let Input::Source { down: Some(why), .. } = self.next().await {
                return why.en;
            }
        }
    }

    async fn frame(&mut self) -> Frame {
        loop {
            match self.next().await {
                Input::Frame(frame) => return frame,
                Input::Source { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn payload(&mut self) -> (DeviceIndex, Vec<u8>) {
        let frame = self.frame().await;
        self.settler.settle(frame.ticket.unwrap());
        let Body::Payload(payload) = frame.body else { panic!("{:?}", frame.body) };
        (frame.device, payload)
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

/// A sensor that publishes with QoS 1.
struct Device {
    client: AsyncClient,
    confirmed: tokio::sync::Mutex<mpsc::Receiver<()>>,
    task: JoinHandle<()>,
}

impl Device {
    fn plain(broker: &Mosquitto) -> Self {
        Self::connect(MqttOptions::new("device", "127.0.0.1", broker.port()))
    }

    fn with_password(site: &Site, user: &str, password: &str) -> Self {
        let mut options = MqttOptions::new(user, "localhost", site.broker.port());
        let ca = read(&site.authority.file);
        let tls = TlsConfiguration::Simple { ca, alpn: None, client_auth: None };
        options.set_credentials(user, password).set_transport(Transport::Tls(tls));
        Self::connect(options)
    }

    fn connect(mut options: MqttOptions) -> Self {
        options.set_max_packet_size(1 << 20, 32 << 20);
        let (client, mut events) = AsyncClient::new(options, 8);
        let (sender, confirmed) = mpsc::channel(64);
        let task = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::PubAck(_))) => sender.send(()).await.unwrap(),
                    Ok(_) => {}
                    Err(error) => panic!("the device's connection broke: {error}"),
                }
            }
        });
        Self { client, confirmed: confirmed.into(), task }
    }

    async fn publish(&self, topic: &str, payload: &[u8]) {
        self.send(topic, payload, false).await;
    }

    async fn retain(&self, topic: &str, payload: &[u8]) {
        self.send(topic, payload, true).await;
    }

    async fn send(&self, topic: &str, payload: &[u8], is_retained: bool) {
        self.client.publish(topic, QoS::AtLeastOnce, is_retained, payload).await.unwrap();
        timeout(PATIENCE, self.confirmed.lock().await.recv()).await.unwrap().unwrap();
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
