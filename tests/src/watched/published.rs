//! A camera that publishes its pictures at the broker that is shipped: none is kept there for the gateway, on
//! the disk or off it, and an old one is never taken for what is to be seen now.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use tokio::time::{sleep, timeout};

use super::has;
use crate::peers::PATIENCE;
use crate::peers::cameras::{VIEW, jpegs};
use crate::peers::certificates::Authority;
use crate::peers::gateway::{BIN, FIRE, Running, is_there, is_up, run, write};
use crate::peers::http::ask;
use crate::peers::mosquitto::{Mosquitto, free_port};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const USERS: [(&str, &str); 3] =
    [("gatehouse", "of the gateway"), ("bin-0", "of the sensor"), ("yard", "of the camera")];
const CAMERA: &str = "cameras/yard";
/// What the broker must not write. Pictures begin with it, and so does little else.
const JPEG: &[u8] = b"\xFF\xD8\xFF";

/// The shipped broker, and a gateway with a bin and a camera at it.
struct Yard {
    folder: tempfile::TempDir,
    authority: Authority,
    broker: Mosquitto,
    console: String,
    gateway: Option<Running>,
}

impl Yard {
    fn new() -> Self {
        gatehouse::tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let (certificate, key) = authority.sign("broker", &["localhost"]);
        let broker = Mosquitto::shipped((&certificate, &key), &USERS);
        let console = format!("127.0.0.1:{}", free_port());
        configure(folder.path(), broker.port(), &console);
        Self { folder, authority, broker, console, gateway: None }
    }

    async fn start(&mut self) {
        self.gateway = Some(Running(run(self.folder.path())));
        is_there(&self.console).await;
    }

    /// As a system ends it.
    async fn stop(&mut self) {
        let mut gateway = self.gateway.take().unwrap();
        let told = Command::new("kill").arg(gateway.0.id().to_string()).status();
        assert!(told.unwrap().success());
        let ended = tokio::task::spawn_blocking(move || gateway.0.wait()).await;
        assert!(ended.unwrap().unwrap().success());
    }

    async fn metric(&self, name: &str) -> f64 {
        let token = format!("Authorization: Bearer {TOKEN}\r\n");
        let told = ask(&self.console, "GET", "/metrics", &token).await.text();
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.trim().parse().unwrap())
    }

    async fn looks(&self) -> f64 {
        self.metric("gatehouse_camera_looks_total{camera=\"yard\"}").await
    }

    /// Waits for a message of the bin, which the broker has kept, and then for what else it might have kept.
    async fn is_told_what_was_kept(&self) {
        let taken = async {
            while self.metric("gatehouse_frames_total").await < 1.0 {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, taken).await.unwrap_or_else(|_| panic!("{}", self.log()));
        sleep(Duration::from_secs(2)).await;
    }

    /// Publishes a picture again and again until somebody looks.
    async fn is_looked_at(&self, picture: &[u8]) {
        let before = self.looks().await;
        let seen = async {
            while self.looks().await <= before {
                self.publish("yard", CAMERA, QoS::AtMostOnce, picture).await;
                sleep(Duration::from_millis(300)).await;
            }
        };
        timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("{}", self.log()));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn options(&self, id: &str, user: &str) -> MqttOptions {
        let mut options = MqttOptions::new(id, "localhost", self.broker.port());
        let (_, password) = USERS.iter().find(|(name, _)| *name == user).unwrap();
        options.set_credentials(user, *password).set_max_packet_size(8 << 20, 8 << 20);
        options.set_transport(Transport::Tls(TlsConfiguration::Simple {
            ca: fs::read(&self.authority.file).unwrap(),
            alpn: None,
            client_auth: None,
        }));
        options
    }

    /// Publishes as a device does that logs in for it; returns when the broker has it.
    async fn publish(&self, user: &str, topic: &str, qos: QoS, payload: &[u8]) {
        let (client, mut events) = AsyncClient::new(self.options(user, user), 8);
        client.publish(topic, qos, false, payload).await.unwrap();
        // Its answer to this one comes after all that it was told before.
        client.subscribe("nothing", QoS::AtMostOnce).await.unwrap();
        let said = async {
            while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
            client.disconnect().await.unwrap();
            while events.poll().await.is_ok() {}
        };
        timeout(PATIENCE, said).await.unwrap();
    }

    /// Leaves behind at the broker what a gateway did that heard cameras through its session.
    async fn leave_an_older_session(&self) {
        let mut options = self.options("gatehouse-gw", "gatehouse");
        options.set_clean_session(false);
        let (client, mut events) = AsyncClient::new(options, 8);
        client.subscribe("sense/c/bin-0", QoS::AtLeastOnce).await.unwrap();
        client.subscribe(CAMERA, QoS::AtLeastOnce).await.unwrap();
        let mut granted = 0;
        let left = async {
            while granted < 2 {
                let event = events.poll().await.unwrap();
                granted += i32::from(matches!(event, Event::Incoming(Packet::SubAck(_))));
            }
            client.disconnect().await.unwrap();
            while events.poll().await.is_ok() {}
        };
        timeout(PATIENCE, left).await.unwrap();
    }

    /// All that a camera and a sensor may say while the gateway is away.
    async fn everybody_publishes(&self) {
        let picture = fs::read(&jpegs()[0]).unwrap();
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::AtMostOnce, QoS::AtLeastOnce] {
            self.publish("yard", CAMERA, qos, &picture).await;
        }
        self.publish("bin-0", "sense/c/bin-0", QoS::AtMostOnce, b"{\"t\": 21.125}").await;
    }
}

fn configure(folder: &Path, port: u16, console: &str) {
    let gateway = format!(
        "[gateway]\nid = \"gw\"\ntownship = \"town\"\nlanguage = \"en\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtts://localhost:{port}\"\n\
         [broker.access]\nuser = \"gatehouse\"\npassword-file = \"password\"\nca-file = \"authority.pem\"\n\
         [[camera]]\nid = \"yard\"\nbroker = \"sensors\"\ntopic = \"{CAMERA}\"\nevery = \"100 ms\"\n\
         [store]\npath = \"{}\"\n\
         [console]\nlisten = \"{console}\"\ntoken-file = \"token\"\n",
        folder.join("data").display()
    );
    let community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
         [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n\
         [[device]]\nid = \"bin-0\"\ntype = \"bin\"\narea = \"east\"\n\
         [[device]]\nid = \"view-1\"\ntype = \"view\"\narea = \"east\"\ncamera = \"yard\"\n";
    write(folder, &gateway, community, BIN, FIRE);
    fs::write(folder.join("device-types/view.toml"), VIEW).unwrap();
    for (name, text) in [("token", TOKEN), ("password", "of the gateway")] {
        fs::write(folder.join(name), text).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(folder.join(name), private).unwrap();
    }
}

/// A picture, and after its end what nobody looks at.
fn padded(bytes: usize) -> Vec<u8> {
    let mut picture = fs::read(&jpegs()[0]).unwrap();
    picture.resize(bytes.max(picture.len()), 0);
    picture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_picture_waits_at_the_broker_for_a_gateway_that_is_away() {
    let mut yard = Yard::new();
    yard.start().await;
    yard.is_looked_at(&padded(0)).await;
    let kept = yard.broker.save();
    assert!(!has(&kept, JPEG), "nor for one that is there");
    yard.stop().await;

    yard.everybody_publishes().await;
    let kept = yard.broker.save();
    yard.broker.stop();
    assert!(has(&kept, b"21.125"), "sensors' messages wait");
    assert!(!has(&kept, JPEG), "{} bytes are kept", kept.len());
    yard.broker.restart();
    yard.start().await;
    yard.is_told_what_was_kept().await;
    assert!(yard.looks().await < 1.0, "an old picture is taken for a new one");

    yard.is_looked_at(&padded(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_gateway_has_left_at_the_broker_is_not_looked_at_and_ends() {
    let mut yard = Yard::new();
    yard.leave_an_older_session().await;
    yard.everybody_publishes().await;
    assert!(has(&yard.broker.save(), JPEG), "as it was");

    yard.start().await;
    yard.is_told_what_was_kept().await;
    assert!(yard.looks().await < 1.0, "an old picture is taken for a new one");
    yard.stop().await;
    yard.everybody_publishes().await;
    let kept = yard.broker.save();
    assert!(has(&kept, b"21.125") && !has(&kept, JPEG), "{} bytes are kept", kept.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_broker_lets_a_picture_of_four_megabytes_through() {
    let picture = padded(4 << 20);
    let mut yard = Yard::new();
    yard.start().await;

    yard.is_looked_at(&picture).await;
    is_up(&yard.console).await;
}
