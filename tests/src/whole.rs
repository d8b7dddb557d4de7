//! `gatehouse run` with real parts on every wire: the shipped mosquitto configuration with passwords
//! and TLS for the sensors, a second mosquitto that wants client certificates for the platform,
//! pymodbus behind TCP and behind a pair of serial ports.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use serde_json::{Value, json};

use crate::peers::certificates::Authority;
use crate::peers::modbus::{Kind, Slaves};
use crate::peers::mosquitto::Mosquitto;
use crate::peers::{PATIENCE, gatehouse};
use crate::platform::{mutual_tls, reader};

const MQTT_TYPE: &str = r#"
[device-type]
id = "thermometer"
title = { zh = "温度计", en = "thermometer" }
via = "mqtt"
echo = ["seq"]
[[point]]
name = "temperature"
at = { json = "/t" }
unit = "degC"
range = [-40, 85]
[[example]]
payload = '{"t": 21.5}'
expect = { temperature = 21.5 }
"#;

const TCP_TYPE: &str = r#"
[device-type]
id = "pump"
title = { zh = "水泵", en = "pump" }
via = "modbus"
[modbus]
function = "holding"
start = 10
every = "500 ms"
[[point]]
name = "pressure"
at = { word = 0, type = "f32", order = "big-swapped" }
unit = "kPa"
range = [0, 2000]
[[example]]
words = [0, 17096]
expect = { pressure = 100.0 }
"#;

const RTU_TYPE: &str = r#"
[device-type]
id = "probe"
title = { zh = "液位计", en = "level probe" }
via = "modbus"
[modbus]
function = "input"
every = "500 ms"
[[point]]
name = "level"
at = { word = 2, type = "i16" }
scale = 0.001
unit = "m"
range = [-1, 5]
[[example]]
words = [0, 0, 1500]
expect = { level = 1.5 }
"#;

fn scene(id: &str, point: &str, limit: &str) -> String {
    format!(
        "[scene]\nid = \"{id}\"\ntitle = {{ zh = \"{id}\", en = \"{id}\" }}\ncategory = \"facility\"\n\
         advice = {{ zh = \"去看\", en = \"go and look\" }}\n\
         [[detector]]\nid = \"high\"\npoint = \"{point}\"\nlimit-high = \"{limit}\"\n"
    )
}

/// A configuration folder whose wires are the test's.
fn configure(
    folder: &Path,
    sensors: (&Mosquitto, &Authority),
    platform: (&Mosquitto, &Authority),
    lines: [&Slaves; 2],
) {
    let (certificate, key) = platform.1.sign("gw", &["gw"]);
    fs::write(folder.join("sensors.password"), "of the gateway\n").unwrap();
    let line = |id: &str, slaves: &Slaves| {
        let wire = if slaves.key() == "serial" { "baud = 115200\nparity = \"none\"\n" } else { "" };
        format!("[[line]]\nid = \"{id}\"\n{} = \"{}\"\n{wire}", slaves.key(), slaves.place)
    };
    let gateway = format!(
        "[gateway]\nid = \"gw\"\ntownship = \"town\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtts://localhost:{}\"\n\
         [broker.access]\nuser = \"gatehouse\"\npassword-file = \"sensors.password\"\nca-file = \"{}\"\n\
         {}{}[store]\npath = \"{}\"\n\
         [uplink]\nurl = \"mqtts://localhost:{}\"\n\
         [uplink.access]\nca-file = \"{}\"\ncert-file = \"{}\"\nkey-file = \"{}\"\n\
         [console]\nenabled = false\n",
        sensors.0.port(),
        sensors.1.file.display(),
        line("tcp", lines[0]),
        line("rtu", lines[1]),
        folder.join("data").display(),
        platform.0.port(),
        platform.1.file.display(),
        certificate.display(),
        key.display()
    );
    let community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
         [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n\
         [[device]]\nid = \"th-1\"\ntype = \"thermometer\"\narea = \"east\"\n\
         [[device]]\nid = \"pump-1\"\ntype = \"pump\"\narea = \"east\"\nline = \"tcp\"\nunit = 5\n\
         [[device]]\nid = \"probe-1\"\ntype = \"probe\"\narea = \"east\"\nline = \"rtu\"\nunit = 7\n";
    for (name, text) in [
        ("gateway.toml", gateway.as_str()),
        ("community.toml", community),
        ("device-types/thermometer.toml", MQTT_TYPE),
        ("device-types/pump.toml", TCP_TYPE),
        ("device-types/probe.toml", RTU_TYPE),
        ("scenes/heat.toml", &scene("heat", "temperature", "40 degC")),
        ("scenes/pressure.toml", &scene("pressure", "pressure", "800 kPa")),
        ("scenes/level.toml", &scene("level", "level", "2 m")),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// A sensor that logs in under its own name and says one thing.
async fn publish(broker: &Mosquitto, authority: &Authority, payload: &str) {
    let mut options = MqttOptions::new("th-1", "localhost", broker.port());
    options.set_credentials("th-1", "of the sensor");
    options.set_transport(Transport::Tls(TlsConfiguration::Simple {
        ca: fs::read(&authority.file).unwrap(),
        alpn: None,
        client_auth: None,
    }));
    let (client, mut events) = AsyncClient::new(options, 8);
    client.publish("sense/c/th-1", QoS::AtLeastOnce, false, payload).await.unwrap();
    let confirmed = async {
        while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
    };
    tokio::time::timeout(PATIENCE, confirmed).await.unwrap();
}

fn cli(folder: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::new(gatehouse()).args(args).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn sensors_on_three_wires_become_events_at_a_platform_that_asks_who_we_are() {
    gatehouse::tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ours = Authority::new(folder, "property authority");
    let theirs = Authority::new(folder, "township authority");
    let (certificate, key) = ours.sign("broker", &["localhost"]);
    let users = [("gatehouse", "of the gateway"), ("th-1", "of the sensor")];
    let sensors = Mosquitto::shipped((&certificate, &key), &users);
    let platform = mutual_tls(&theirs);
    let pumps = json!({"5": {"holding": [[10, "f32", "big-swapped", 900.5]]}});
    let pumps = Slaves::start(Kind::Tcp, &pumps).await;
    let probes = json!({"7": {"input": [[0, "u16", "big", 0], [1, "u16", "big", 0], [2, "i16", "big", 2345]]}});
    let probes = Slaves::start(Kind::Serial, &probes).await;
    let mut township = reader(&theirs, &platform).await;
    configure(folder, (&sensors, &ours), (&platform, &theirs), [&pumps, &probes]);
    let (holds, told) = cli(folder, &["check", "--config", "."]);
    assert!(holds, "{told}");

    let log = fs::File::create(folder.join("log")).unwrap();
    let mut gateway = Command::new(gatehouse())
        .args(["run", "--config", "."])
        .current_dir(folder)
        .stderr(Stdio::from(log))
        .spawn()
        .unwrap();
    publish(&sensors, &ours, r#"{"t": 61.5, "seq": 4711}"#).await;

    let mut opened: BTreeMap<String, Value> = BTreeMap::new();
    while opened.len() < 3 {
        let Some(payload) = township.soon().await else {
            let log = fs::read_to_string(folder.join("log")).unwrap();
            panic!("only {:?} came; the gateway says\n{log}", opened.keys());
        };
        let message: Value = serde_json::from_slice(&payload).unwrap();
        if message["type"] == "gatehouse.event.opened" {
            let device = message["data"]["device"].as_str().unwrap().to_owned();
            assert!(opened.insert(device, message).is_none(), "opened twice");
        }
        if opened.len() == 2 && !opened.contains_key("th-1") {
            // The first word may have come before the gateway's session.
            publish(&sensors, &ours, r#"{"t": 61.5, "seq": 4711}"#).await;
        }
    }
    let event = opened["th-1"]["subject"].as_str().unwrap();
    let said = ["events", "verdict", event, "false-alarm", "--by", "Li", "--note", "the sun"];
    let (holds, told) = cli(folder, &[&said[..], &["--config", "."]].concat());
    assert!(holds && told.contains("a declared limit is not moved"), "{told}");
    let judged = loop {
        let message = township.soon().await.expect("the platform hears the verdict");
        let message: Value = serde_json::from_slice(&message).unwrap();
        if !message["data"]["review"]["verdict"].is_null() {
            break message;
        }
    };
    assert_eq!(judged["subject"], event);
    assert_eq!(judged["data"]["review"]["by"], "Li");
    let (_, right) = cli(folder, &["events", "precision", "--config", ".", "--json"]);
    assert!(right.contains(r#""false_alarms":1"#), "{right}");
    // The journal of a gateway that runs, and below of one that has ended.
    let (holds, told) = cli(folder, &["events", "verify", "--config", "."]);
    assert!(holds && told.starts_with("whole: "), "{told}");
    let (_, asked) = cli(folder, &["events", "list", "--config", ".", "--json"]);
    let terminated = Command::new("kill").arg(gateway.id().to_string()).status().unwrap();
    assert!(terminated.success());
    let ended = tokio::task::spawn_blocking(move || gateway.wait()).await.unwrap().unwrap();

    let log = fs::read_to_string(folder.join("log")).unwrap();
    assert!(ended.success(), "{log}");
    let observed = |device: &str| &opened[device]["data"]["cause"]["contributions"][0]["observed"];
    assert_eq!(observed("th-1"), &json!(61.5));
    assert_eq!(observed("pump-1"), &json!(900.5));
    assert_eq!(observed("probe-1"), &json!(2.345));
    assert_eq!(opened["th-1"]["data"]["echo"]["seq"], 4711);
    let (holds, told) = cli(folder, &["events", "verify", "--config", "."]);
    assert!(holds, "{told}");
    let (_, listed) = cli(folder, &["events", "list", "--config", ".", "--json"]);
    assert_eq!(listed.lines().filter(|line| line.contains("\"scene\"")).count(), 3, "{listed}");
    assert_eq!(asked, listed);
    let (holds, told) = cli(folder, &[&said[..], &["--config", "."]].concat());
    assert!(!holds && told.contains("no gateway runs on this store"), "{told}");
    let quiet = township.until_quiet(Duration::from_millis(200)).await;
    assert!(quiet.len() <= 3, "nothing is sent again and again");
}
