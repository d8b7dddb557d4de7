//! A township with one gateway: both brokers, the slaves, the keys, and the program itself.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rumqttc::{AsyncClient, Event, MqttOptions, QoS, TlsConfiguration, Transport};
use serde_json::{Value, json};

use super::things::{ODD, PLUG, RELAY};
use crate::peers::certificates::Authority;
use crate::peers::commander::Commander;
use crate::peers::modbus::{Kind, Slaves};
use crate::peers::mosquitto::{Mosquitto, Subscriber};
use crate::peers::{PATIENCE, gatehouse};
use crate::platform::mutual_tls;

/// Stands for a time to come.
pub(super) const LATER: &str = "2030-01-01T00:00:00Z";

const BASE: &str = "gatehouse/v1/town/gw";

pub(super) struct Town {
    folder: tempfile::TempDir,
    sensors: Mosquitto,
    pub(super) slaves: Slaves,
    pub(super) events: Subscriber,
    replies: Subscriber,
    speaker: AsyncClient,
    device: AsyncClient,
    commander: Commander,
    pub(super) authority: Authority,
    gateway: Option<Child>,
    counter: u32,
    _platform: Mosquitto,
}

impl Town {
    pub(super) async fn start() -> Self {
        Self::start_on(Kind::Tcp).await
    }

    /// Returns when the gateway hears commands.
    pub(super) async fn start_on(wire: Kind) -> Self {
        gatehouse::tls::install_provider();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let platform = mutual_tls(&authority);
        let sensors = Mosquitto::plain();
        let units = json!({"5": {
            "holding": [
                [10, "u16", "big", 100], [11, "u16", "big", 7], [12, "f32", "big", 0.0],
                [14, "u16", "big", 5], [15, "u16", "big", 0], [16, "u16", "big", 0]
            ],
            "coil": [[13, "bit", "big", 0], [14, "bit", "big", 0]],
        }});
        let slaves = Slaves::start(wire, &units).await;
        let mut commander = Commander::start();
        for name in ["key", "stranger"] {
            commander.make(&folder.path().join(name)).await;
        }
        let (certificate, key) = authority.sign("gw", &["gw"]);
        let serial = if wire == Kind::Serial { "baud = 115200\nparity = \"none\"\n" } else { "" };
        let gateway = format!(
            "[gateway]\nid = \"gw\"\ntownship = \"town\"\n\
             [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{}\"\n\
             [[line]]\nid = \"line\"\n{} = \"{}\"\n{serial}[store]\npath = \"data\"\n\
             [uplink]\nurl = \"mqtts://localhost:{}\"\nconfirm = \"platform\"\nretry-min = \"100 ms\"\n\
             command-keys = [\"key.pub\"]\ntrust-clock = true\n\
             [uplink.access]\nca-file = \"{}\"\ncert-file = \"{}\"\nkey-file = \"{}\"\n\
             [console]\nenabled = false\n\
             [bundles]\ntrusted-keys = [\"vendor.pub\"]\nca-file = \"authority.pem\"\n",
            sensors.port(),
            slaves.key(),
            slaves.place,
            platform.port(),
            authority.file.display(),
            certificate.display(),
            key.display(),
        );
        let community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
             [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\n\
             [[device]]\nid = \"relay-1\"\ntype = \"relay\"\narea = \"east\"\nline = \"line\"\nunit = 5\n\
             [[device]]\nid = \"plug-1\"\ntype = \"plug\"\narea = \"east\"\ntopic = \"tele/plug/STATE\"\n\
             [[device]]\nid = \"plug-2\"\ntype = \"plug\"\narea = \"east\"\ntopic = \"tele/plug-2/STATE\"\n\
             [[team]]\nid = \"guards\"\ntitle = { zh = \"保安\", en = \"guards\" }\ntier = \"grid\"\n";
        for (name, text) in [
            ("gateway.toml", gateway.as_str()),
            ("community.toml", community),
            ("device-types/relay.toml", RELAY),
            ("device-types/plug.toml", PLUG),
            ("scenes/odd.toml", ODD),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let (events, replies) = (format!("{BASE}/events"), format!("{BASE}/replies"));
        let events = Subscriber::start(client(&authority, &platform, "reader"), &events);
        let replies = Subscriber::start(client(&authority, &platform, "hearer"), &replies);
        let mut town = Self {
            events: events.await,
            replies: replies.await,
            speaker: speaker(client(&authority, &platform, "speaker")),
            device: speaker(MqttOptions::new("device", "127.0.0.1", sensors.port())),
            folder,
            sensors,
            slaves,
            commander,
            authority,
            gateway: None,
            counter: 0,
            _platform: platform,
        };
        for name in ["vendor", "forger"] {
            town.program(&["bundle", "keygen", name]);
        }
        town.program(&["check", "--config", "."]);
        town.run();
        // A session that outlives the connection is there from the first one on.
        town.hears().await;
        town
    }

    /// Runs the program to its end in the town's folder; gives what it says.
    pub(super) fn program(&self, args: &[&str]) -> String {
        let ran = Command::new(gatehouse()).args(args).current_dir(self.folder.path()).output();
        let ran = ran.unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{args:?} {said}{}", String::from_utf8_lossy(&ran.stderr));
        said
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn run(&mut self) {
        let mut log = fs::File::options();
        let log = log.create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let gateway = Command::new(gatehouse())
            .args(["run", "--config", "."])
            .current_dir(self.folder.path())
            .stderr(Stdio::from(log))
            .spawn();
        self.gateway = Some(gateway.unwrap());
    }

    /// Asks until the gateway answers, and all of its devices were heard.
    async fn hears(&mut self) {
        let end = tokio::time::Instant::now() + PATIENCE;
        let mut polled = false;
        while !polled {
            assert!(tokio::time::Instant::now() < end, "{}", self.log());
            self.counter += 1;
            let id = format!("hello-{}", self.counter);
            let report = Self::command(&id, "gateway.report", &json!({}));
            let signed = self.sign(&report).await;
            self.publish(&signed).await;
            let heard = self.replies.until_quiet(std::time::Duration::from_millis(400)).await;
            polled = heard.iter().any(|reply| {
                let reply: Value = serde_json::from_slice(reply).unwrap();
                reply["result"]["counts"]["frames"].as_u64() > Some(0)
            });
        }
    }

    /// As a power cut would.
    pub(super) fn kill(&mut self) {
        let mut gateway = self.gateway.take().unwrap();
        gateway.kill().unwrap();
        gateway.wait().unwrap();
    }

    pub(super) async fn stop(mut self) {
        self.end().await;
    }

    /// As systemd would.
    pub(super) async fn end(&mut self) {
        let mut gateway = self.gateway.take().unwrap();
        let told = Command::new("kill").arg(gateway.id().to_string()).status();
        assert!(told.unwrap().success());
        let ended = tokio::task::spawn_blocking(move || gateway.wait()).await.unwrap().unwrap();
        assert!(ended.success(), "{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(super) fn command(id: &str, command: &str, args: &Value) -> Value {
        json!({ "id": id, "expires": in_hours(1), "command": command, "args": args })
    }

    /// With an id of its own.
    pub(super) fn write_command(&mut self, device: &str, point: &str, value: f64) -> Value {
        self.counter += 1;
        let id = format!("write-{}", self.counter);
        let args = json!({ "device": device, "point": point, "value": value });
        Self::command(&id, "device.write", &args)
    }

    pub(super) async fn write(&mut self, device: &str, point: &str, value: f64) -> Value {
        let command = self.write_command(device, point, value);
        let signed = self.sign(&command).await;
        self.ask(&signed).await
    }

    pub(super) async fn sign(&mut self, command: &Value) -> String {
        self.sign_as("key", command).await
    }

    pub(super) async fn sign_as(&mut self, name: &str, command: &Value) -> String {
        let key = self.path(name);
        self.commander.sign(command, &key).await
    }

    pub(super) async fn sign_with(&mut self, command: &Value, header: &Value) -> String {
        let key = self.path("key");
        self.commander.sign_with(command, &key, header).await
    }

    /// Signed with a key that says it is the trusted one.
    pub(super) async fn sign_claiming(&mut self, command: &Value, name: &str) -> String {
        let trusted = Command::new(gatehouse())
            .args(["command", "kid"])
            .arg(self.folder.path().join("key.pub"))
            .output()
            .unwrap();
        let trusted = String::from_utf8(trusted.stdout).unwrap();
        let key = self.path(name);
        self.commander.sign_with(command, &key, &json!({ "kid": trusted.trim() })).await
    }

    pub(super) async fn publish(&mut self, text: &str) {
        let topic = format!("{BASE}/commands");
        self.speaker.publish(topic, QoS::AtLeastOnce, false, text).await.unwrap();
    }

    pub(super) async fn ask(&mut self, text: &str) -> Value {
        self.publish(text).await;
        self.reply().await
    }

    pub(super) async fn reply(&mut self) -> Value {
        self.reply_within(1).await
    }

    /// The answer to this one; others may be said again after a kill.
    pub(super) async fn answer(&mut self, id: &str, times: u32) -> Value {
        loop {
            let reply = self.reply_within(times).await;
            if reply["id"] == id {
                return reply;
            }
        }
    }

    /// The next answer, within so many times what is patient enough for most.
    async fn reply_within(&mut self, times: u32) -> Value {
        let mut left = times;
        while left > 0 {
            let Some(reply) = self.replies.soon().await else {
                left -= 1;
                continue;
            };
            let reply: Value = serde_json::from_slice(&reply).unwrap();
            // Of those who asked first whether anybody is there, one may be answered late.
            if !reply["id"].as_str().is_some_and(|id| id.starts_with("hello-")) {
                return reply;
            }
        }
        panic!("no answer\n{}", self.log())
    }

    /// What a device hears on a topic.
    pub(super) async fn device(&mut self, topic: &str) -> Subscriber {
        self.counter += 1;
        let name = format!("device-{}", self.counter);
        let options = MqttOptions::new(name, "127.0.0.1", self.sensors.port());
        Subscriber::start(options, topic).await
    }

    pub(super) async fn say(&mut self, topic: &str, text: &str) {
        self.device.publish(topic, QoS::AtLeastOnce, false, text).await.unwrap();
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        if let Some(mut gateway) = self.gateway.take() {
            let _ = gateway.kill();
            let _ = gateway.wait();
        }
    }
}

/// A time to come, as commands write it.
pub(super) fn in_hours(hours: i64) -> String {
    let now = gatehouse::clock::wall();
    gatehouse_core::reading::Timestamp(now.0 + hours * 3_600_000).rfc3339()
}

/// The word of a refusal.
pub(super) fn kind(reply: &Value) -> &str {
    assert_eq!(reply["ok"], false, "{reply}");
    reply["error"]["kind"].as_str().unwrap()
}

/// What `gatehouse command sign` makes of it.
pub(super) fn sign_by_program(command: &Value, key: &Path) -> String {
    let mut program = Command::new(gatehouse())
        .args(["command", "sign", "--key"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(command.to_string().as_bytes()).unwrap();
    String::from_utf8(program.wait_with_output().unwrap().stdout).unwrap()
}

fn client(authority: &Authority, broker: &Mosquitto, name: &str) -> MqttOptions {
    let (certificate, key) = authority.sign(name, &[name]);
    let read = |path: &Path| fs::read(path).unwrap();
    let tls = TlsConfiguration::Simple {
        ca: read(&authority.file),
        alpn: None,
        client_auth: Some((read(&certificate), read(&key))),
    };
    let mut options = MqttOptions::new(name, "localhost", broker.port());
    options.set_transport(Transport::Tls(tls));
    options
}

/// A client that only publishes.
fn speaker(mut options: MqttOptions) -> AsyncClient {
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut events) = AsyncClient::new(options, 128);
    tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    });
    client
}
