//! Mains fails, and the power goes a second later: the platform has the event, and the box knows after it what it
//! knew when mains failed.
//!
//! Real parts: pymodbus as the module that the supply's contact hangs on, mosquitto as the sensors' broker and as
//! the platform's, and the shipped device type and scene.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::peers::gateway::{Running, is_up, run};
use crate::peers::http::ask;
use crate::peers::learning::{has_learnt, unusual};
use crate::peers::modbus::{Kind, Slaves};
use crate::peers::mosquitto::{Mosquitto, free_port, subscriber};
use crate::peers::{PATIENCE, workspace};
use crate::reload::Sensor;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// What the battery is good for at least.
const BATTERY: Duration = Duration::from_secs(1);

const ROOM: &str = r#"
[device-type]
id = "room"
title = { zh = "房间", en = "room" }
via = "mqtt"
[[point]]
name = "temperature"
at = { json = "/t" }
unit = "degC"
range = [-40, 200]
max-rate = 0.01
[[example]]
payload = '{"t": 20.5}'
expect = { temperature = 20.5 }
"#;

fn configure(folder: &Path, [sensors, platform, console]: [u16; 3], ups: &str, has_key: bool) {
    let shipped = |file: &str| fs::read_to_string(workspace().join("config").join(file)).unwrap();
    let gateway = format!(
        "[gateway]\nid = \"gw\"\ntownship = \"town\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{sensors}\"\n\
         [[line]]\nid = \"ups\"\ntcp = \"{ups}\"\n\
         [store]\npath = \"{}\"\n[models]\npath = \"{}\"\n\
         [uplink]\nurl = \"mqtt://127.0.0.1:{platform}\"\n\
         [console]\nlisten = \"127.0.0.1:{console}\"\ntoken-file = \"token\"\n",
        folder.join("data").display(),
        workspace().join("models").display(),
    );
    let community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
         [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n\
         [[device]]\nid = \"mains\"\ntype = \"mains-contact-modbus\"\narea = \"east\"\nline = \"ups\"\nunit = 1\n\
         [[device]]\nid = \"room-1\"\ntype = \"room\"\narea = \"east\"\n";
    let mut scene = shipped("scenes/mains-fails.toml");
    if !has_key {
        assert!(scene.contains("checkpoint = true\n"));
        scene = scene.replace("checkpoint = true\n", "");
    }
    for (name, text) in [
        ("gateway.toml", gateway.as_str()),
        ("community.toml", community),
        ("device-types/room.toml", ROOM),
        ("device-types/modbus.toml", &shipped("device-types/mains-contact-modbus.toml")),
        ("device-types/pin.toml", &shipped("device-types/mains-contact-pin.toml")),
        ("scenes/unusual.toml", &unusual("room")),
        ("scenes/mains-fails.toml", &scene),
        ("token", TOKEN),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::set_permissions(folder.join("token"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// The room says how warm it is; returns once the gateway's page knows.
async fn say(broker: u16, console: &str, celsius: f64) {
    Sensor::connect(broker, "room").say("room-1", celsius).await;
    let said = async {
        while !metrics(console).await.contains("gatehouse_devices{state=\"heard\"} 2\n") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, said).await.expect("the room is heard");
}

async fn metrics(console: &str) -> String {
    ask(console, "GET", "/metrics", &format!("Authorization: Bearer {TOKEN}\r\n")).await.text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_known_when_mains_failed_is_known_after_the_power_has_gone() {
    for has_key in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let (sensors, platform) = (Mosquitto::plain(), Mosquitto::plain());
        let mut slaves =
            Slaves::start(Kind::Tcp, &json!({ "1": { "discrete": [[0, "bit", "big", 0]] } })).await;
        let ports = [sensors.port(), platform.port(), free_port()];
        configure(folder.path(), ports, &slaves.place, has_key);
        let console = format!("127.0.0.1:{}", ports[2]);
        let mut events = subscriber(platform.port(), "gatehouse/v1/town/gw/events").await;
        let mut gateway = Running(run(folder.path()));
        is_up(&console).await;
        say(sensors.port(), &console, 20.0).await;
        assert!(!has_learnt(&folder.path().join("data"), "room-1"), "it is not yet time");

        slaves.tell("set 1 discrete 0 1").await;
        let message: Value = serde_json::from_slice(&events.next().await).unwrap();
        assert_eq!(message["type"], "gatehouse.event.opened");
        assert_eq!(
            (&message["data"]["scene"], &message["data"]["level"]),
            (&json!("mains-fails"), &json!(2))
        );
        for text in ["title", "advice"] {
            let text = &message["data"][text];
            assert!(text["zh"].is_string() && text["en"].is_string() && text["zh"] != text["en"]);
        }
        tokio::time::sleep(BATTERY).await;
        gateway.kill();

        assert_eq!(has_learnt(&folder.path().join("data"), "room-1"), has_key);
        let mut gateway = Running(run(folder.path()));
        is_up(&console).await;
        say(sensors.port(), &console, 60.0).await;
        let jumped = "gatehouse_device_refused_total{device=\"room-1\",reason=\"jumped\"} 1\n";
        assert_eq!(metrics(&console).await.contains(jumped), has_key, "it was 20 degrees");

        gateway.kill();
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(!log.contains("panicked"), "{log}");
    }
}
