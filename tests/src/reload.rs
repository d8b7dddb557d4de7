//! `gatehouse run` gets SIGHUP: another configuration comes into effect, a bad one does not, and what
//! sensors say meanwhile is neither lost nor counted twice.
//!
//! The sensors speak to mosquitto with QoS 1 all the while, through every change, and number what they
//! say; the gateway's own counts say what reached its pipeline.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::peers::mosquitto::{Mosquitto, Subscriber, free_port, subscriber};
use crate::peers::{PATIENCE, gatehouse};

pub(crate) const TYPE: &str = r#"
[device-type]
id = "thermometer"
title = { zh = "温度计", en = "thermometer" }
via = "mqtt"
[[point]]
name = "temperature"
at = { json = "/t" }
unit = "degC"
range = [-40, 200]
[[example]]
payload = '{"t": 21.5}'
expect = { temperature = 21.5 }
"#;

pub(crate) fn heat(limit: &str) -> String {
    format!(
        "[scene]\nid = \"heat\"\ntitle = {{ zh = \"高温\", en = \"heat\" }}\ncategory = \"facility\"\n\
         reopen-within = \"0 s\"\nadvice = {{ zh = \"去看\", en = \"go and look\" }}\n\
         [[detector]]\nid = \"high\"\npoint = \"temperature\"\nlimit-high = \"{limit}\"\n"
    )
}

/// The devices in this order; the positions of all change when one comes first.
pub(crate) fn community(devices: &[&str]) -> String {
    let mut text = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
         [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n"
        .to_owned();
    for device in devices {
        let _ = write!(
            text,
            "[[device]]\nid = \"{device}\"\ntype = \"thermometer\"\narea = \"east\"\n"
        );
    }
    text
}

/// A gateway with its configuration, brokers, and a sensor.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) gateway: Child,
    pub(crate) console: u16,
    platform: Subscriber,
    pub(crate) sensor: Sensor,
    pub(crate) brokers: [Mosquitto; 2],
}

impl Site {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let brokers = [Mosquitto::plain(), Mosquitto::plain()];
        let console = free_port();
        let gateway = format!(
            "[gateway]\nid = \"gw\"\ntownship = \"town\"\n\
             [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{}\"\n\
             [store]\npath = \"{}\"\n[uplink]\nurl = \"mqtt://127.0.0.1:{}\"\n\
             [console]\nlisten = \"127.0.0.1:{console}\"\ntoken-file = \"token\"\n",
            brokers[0].port(),
            folder.path().join("data").display(),
            brokers[1].port()
        );
        let token = folder.path().join("token");
        fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&token, private).unwrap();
        for (name, text) in [
            ("gateway.toml", gateway.as_str()),
            ("community.toml", &community(&["th-1", "th-2"])),
            ("device-types/thermometer.toml", TYPE),
            ("scenes/heat.toml", &heat("60 degC")),
        ] {
            write(folder.path(), name, text);
        }
        let platform = subscriber(brokers[1].port(), "gatehouse/v1/town/gw/events").await;
        let gateway = run(folder.path());
        let sensor = Sensor::connect(brokers[0].port(), "sensor");
        let site = Self { folder, gateway, console, platform, sensor, brokers };
        site.until("gatehouse_source_up{source=\"sensors\"}", 1);
        site
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.console)
    }

    /// Tells the gateway to load its configuration anew, and waits until it has judged it.
    pub(crate) fn reload(&self, judged: &str) {
        let before = self.metric(judged);
        let sent = Command::new("kill").args(["-HUP", &self.gateway.id().to_string()]).status();
        assert!(sent.unwrap().success());
        self.until(judged, before + 1);
    }

    pub(crate) fn until(&self, metric: &str, expected: u64) {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.metric(metric);
            if found == expected {
                return;
            }
            assert!(Instant::now() < end, "{metric} is {found}, not {expected}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A number of `/metrics`; 0 while the gateway does not answer.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.console);
        let header = "Authorization: Bearer 0123456789abcdef0123456789abcdef";
        let answer = Command::new("curl").args(["-s", "-H", header, &url]).output().unwrap();
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |number| number.trim().parse().unwrap())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The next message about an event: its transition and its device.
    async fn told(&mut self) -> (String, String) {
        let message = self.message().await;
        let transition = message["type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        (transition, message["data"]["device"].as_str().unwrap().to_owned())
    }
}

impl Site {
    pub(crate) async fn message(&mut self) -> Value {
        let Some(payload) = self.platform.soon().await else { panic!("silence\n{}", self.log()) };
        serde_json::from_slice(&payload).unwrap()
    }

    /// Ends the gateway, and starts another one with what is in the folder by then.
    pub(crate) fn restart(&mut self, meanwhile: impl FnOnce(&Self)) {
        let ended = Command::new("kill").arg(self.gateway.id().to_string()).status().unwrap();
        assert!(ended.success() && self.gateway.wait().unwrap().success());
        meanwhile(self);
        self.gateway = run(self.folder.path());
        self.until("gatehouse_source_up{source=\"sensors\"}", 1);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

fn run(folder: &Path) -> Child {
    Command::new(gatehouse())
        .args(["run", "--config", "."])
        .current_dir(folder)
        .stderr(Stdio::from(fs::File::create(folder.join("log")).unwrap()))
        .spawn()
        .unwrap()
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// All thermometers on one connection.
pub(crate) struct Sensor {
    client: AsyncClient,
    confirmed: mpsc::Receiver<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Sensor {
    pub(crate) fn connect(port: u16, name: &str) -> Self {
        let (client, mut events) = AsyncClient::new(MqttOptions::new(name, "127.0.0.1", port), 64);
        let (sender, confirmed) = mpsc::channel(1_024);
        let task = tokio::spawn(async move {
            while let Ok(event) = events.poll().await {
                if matches!(event, Event::Incoming(Packet::PubAck(_))) {
                    sender.send(()).await.unwrap();
                }
            }
        });
        Self { client, confirmed, task }
    }

    pub(crate) async fn say(&mut self, device: &str, temperature: f64) {
        self.send(device, format!("{{\"t\": {temperature}}}")).await;
    }

    pub(crate) async fn send(&mut self, device: &str, text: String) {
        let topic = format!("sense/c/{device}");
        self.client.publish(topic, QoS::AtLeastOnce, false, text).await.unwrap();
        tokio::time::timeout(PATIENCE, self.confirmed.recv()).await.unwrap().unwrap();
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) const LOADED: &str = "gatehouse_configuration_loaded_total";
const REFUSED: &str = "gatehouse_configuration_refused_total";
pub(crate) const FRAMES: &str = "gatehouse_frames_total";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_limit_judges_the_next_value_and_an_open_event_stays_open() {
    let mut site = Site::start().await;
    site.sensor.say("th-1", 70.0).await;
    site.sensor.say("th-2", 50.0).await;
    assert_eq!(site.told().await, ("opened".into(), "th-1".into()));

    // A device before the others: every position changes.
    write(site.folder.path(), "community.toml", &community(&["th-0", "th-1", "th-2"]));
    write(site.folder.path(), "scenes/heat.toml", &heat("40 degC"));
    site.reload(LOADED);
    site.sensor.say("th-1", 71.0).await;
    site.sensor.say("th-2", 50.0).await;
    assert_eq!(site.told().await, ("opened".into(), "th-2".into()), "th-1 opened already");
    site.sensor.say("th-0", 51.0).await;
    assert_eq!(site.told().await, ("opened".into(), "th-0".into()));

    site.sensor.say("th-1", 20.0).await;
    assert_eq!(site.told().await, ("cleared".into(), "th-1".into()));
    site.until(FRAMES, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_changes_nothing_and_is_told_as_check_tells_it() {
    let mut site = Site::start().await;
    let wrong = heat("40 degC").replace("limit-high", "limt-high");
    write(site.folder.path(), "scenes/heat.toml", &wrong);

    site.reload(REFUSED);

    let log = site.log();
    assert!(log.contains("heat.toml:") && log.contains("did you mean `limit-high`?"), "{log}");
    assert!(log.contains("the new configuration is refused; the old one goes on"), "{log}");
    site.sensor.say("th-2", 50.0).await;
    site.sensor.say("th-1", 70.0).await;
    assert_eq!(
        site.told().await,
        ("opened".into(), "th-1".into()),
        "50 degC is below the old limit"
    );
    assert_eq!(site.metric(LOADED), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_sensor_says_while_configurations_change_is_lost() {
    const EACH: u64 = 150;
    let mut site = Site::start().await;
    let (port, mut frames) = (site.brokers[0].port(), 0);
    for round in 0..4_u64 {
        let devices: &[&str] =
            if round % 2 == 0 { &["th-0", "th-2", "th-1"] } else { &["th-1", "th-2"] };
        write(site.folder.path(), "community.toml", &community(devices));
        let talk = tokio::spawn(async move {
            let mut sensor = Sensor::connect(port, &format!("talker-{round}"));
            for n in 0..EACH {
                let device = if n % 2 == 0 { "th-1" } else { "th-2" };
                sensor.say(device, 20.0 + n as f64 / 10.0).await;
            }
        });
        site.reload(LOADED);
        site.reload(LOADED);
        talk.await.unwrap();
        frames += EACH;
        site.until(FRAMES, frames);
    }
    site.sensor.say("th-1", 99.0).await;
    assert_eq!(site.told().await, ("opened".into(), "th-1".into()));
    assert_eq!(site.metric(LOADED), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_comes_into_effect_and_one_that_was_changed_on_the_disk_gives_way_to_what_was_before()
 {
    let mut site = Site::start().await;
    let folder = site.folder.path().to_owned();
    let bundle = |args: &[&str]| {
        let args = ["bundle", "--config", "."].iter().chain(args);
        let output = Command::new(gatehouse()).args(args).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    bundle(&["keygen", "vendor"]);
    let gateway = fs::read_to_string(folder.join("gateway.toml")).unwrap();
    let trusting = gateway + "[bundles]\ntrusted-keys = [\"vendor.pub\"]\n";
    write(&folder, "gateway.toml", &trusting);
    write(&folder, "b/bundle.toml", "name = \"summer\"\nversion = \"1\"\n");
    write(&folder, "b/scenes/heat.toml", &heat("40 degC"));
    bundle(&["sign", "--key", "vendor", "b"]);
    bundle(&["install", "summer-1.bundle"]);

    site.reload(LOADED);
    site.sensor.say("th-2", 50.0).await;
    assert_eq!(site.told().await, ("opened".into(), "th-2".into()));

    let installed = fs::read_dir(folder.join("data/bundles")).unwrap().flatten();
    let installed = installed.map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
    write(&installed, "scenes/heat.toml", &heat("10 degC"));
    site.reload(REFUSED);
    let log = site.log();
    assert!(log.contains("`scenes/heat.toml` is not what was signed"), "{log}");
    site.sensor.say("th-1", 39.0).await;

    site.restart(|_| {});
    let log = site.log();
    assert!(log.contains("what was installed before it goes on"), "{log}");
    assert_eq!(site.told().await, ("opened".into(), "gw".into()), "a bundle was rolled back");
    site.sensor.say("th-2", 50.0).await;
    assert_eq!(site.told().await, ("cleared".into(), "th-2".into()), "60 degC, as in the folder");
}
