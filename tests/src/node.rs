//! The firmware of a node, run by QEMU, polled by `gatehouse run` as Modbus RTU over TCP.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gatehouse_contract::common::ResetCause;
use gatehouse_contract::{Access, MAPS};
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::decode::{Decoder, Undecodable};
use gatehouse_core::reading::{Block, Body};
use serde_json::Value;

use crate::peers::emulator::{Emulated, Wires};
use crate::peers::gateway::{Running, is_up, run};
use crate::peers::http::ask;
use crate::peers::mosquitto::free_port;
use crate::peers::{PATIENCE, token, workspace};

const SCENE: &str = "[scene]\nid = \"warm\"\ntitle = { zh = \"热\", en = \"warm\" }\ncategory = \"facility\"\n\
    advice = { zh = \"去看\", en = \"go and look\" }\n\
    [[detector]]\nid = \"high\"\npoint = \"temperature\"\nlimit-high = \"40 degC\"\n";

fn shipped(map: &str) -> String {
    let file = format!("config/device-types/node-{map}.toml");
    fs::read_to_string(workspace().join(file)).unwrap()
}

/// A gateway with one node on its line, asked twice a second.
fn configure(folder: &Path, place: &str, console: &str) {
    let gateway = format!(
        "[gateway]\nid = \"gw\"\ntownship = \"town\"\n\
         [[line]]\nid = \"bus\"\nrtu-over-tcp = \"{place}\"\ntimeout = \"300 ms\"\n\
         [store]\npath = \"{}\"\n[console]\nlisten = \"{console}\"\n",
        folder.join("data").display()
    );
    let community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
         [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n\
         [[device]]\nid = \"air-1\"\ntype = \"node-air\"\narea = \"east\"\nline = \"bus\"\nunit = 1\n";
    for name in ["device-types", "scenes", "models"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    fs::write(folder.join("gateway.toml"), gateway).unwrap();
    fs::write(folder.join("community.toml"), community).unwrap();
    let quick = shipped("air").replace("every = \"10 s\"", "every = \"500 ms\"");
    fs::write(folder.join("device-types/node-air.toml"), quick).unwrap();
    fs::write(folder.join("scenes/warm.toml"), SCENE).unwrap();
}

/// A gateway that polls a node, and what it knows of it.
struct Seen {
    console: String,
    bearer: String,
    _gateway: Running,
    _folder: tempfile::TempDir,
}

impl Seen {
    async fn start(place: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let console = format!("127.0.0.1:{}", free_port());
        configure(folder.path(), place, &console);
        let bearer = format!("Authorization: Bearer {}\r\n", token(folder.path(), "read"));
        let gateway = Running(run(folder.path()));
        is_up(&console).await;
        Self { console, bearer, _gateway: gateway, _folder: folder }
    }

    async fn points(&self) -> Vec<Value> {
        let devices = ask(&self.console, "GET", "/api/v1/devices", &self.bearer).await.json();
        devices[0]["points"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until a point is so.
    async fn until(&self, point: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let seen = async {
            loop {
                let points = self.points().await;
                let found = points.into_iter().find(|found| found["point"] == point);
                if let Some(found) = found.filter(|found| is_so(found)) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let late = format!("`{point}` never becomes what it should");
        tokio::time::timeout(PATIENCE, seen).await.expect(&late)
    }

    async fn good(&self, point: &str) -> f64 {
        let found = self.until(point, |found| found["quality"] == "good").await;
        found["value"].as_f64().unwrap()
    }

    /// Waits until the node does not come through any more.
    async fn bad(&self, point: &str) -> String {
        let found = self.until(point, |found| found["quality"] != "good").await;
        found["quality"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_node_is_polled_through_noise_a_hang_and_a_reset_in_mid_frame() {
    let Some(mut node) = Emulated::start("air").await else { return };
    let seen = Seen::start(&node.place).await;

    // Exactly what the board's sensors play, through scaling and back.
    for (point, value) in [("temperature", 21.5), ("humidity", 56.25), ("co2", 640.0)] {
        assert!((seen.good(point).await - value).abs() < 1e-9, "{point}");
    }
    assert!((seen.good("pm2_5").await - 38.5).abs() < 1e-9);
    let gas = seen.until("gas", |gas| gas["quality"] == "no-data").await;
    assert_eq!(gas["value"], Value::Null, "the element is not fitted");

    node.wires(Wires::Garbled);
    let quality = seen.bad("temperature").await;
    assert!(["garbled", "timeout"].contains(&quality.as_str()), "{quality}");
    node.wires(Wires::Sound);
    assert!((seen.good("temperature").await - 21.5).abs() < 1e-9);

    node.hang().await;
    assert_eq!(seen.bad("temperature").await, "timeout");
    node.go_on().await;
    assert!((seen.good("temperature").await - 21.5).abs() < 1e-9, "no late answer is taken");

    // Half a question is in the node when it starts anew.
    node.wires(Wires::Cut);
    seen.bad("temperature").await;
    node.reset().await;
    node.wires(Wires::Sound);
    let cause = seen.until("reset_cause", |cause| cause["value"] == 3.0).await;
    assert_eq!(cause["quality"], "good", "the button, says the node");
    assert!(seen.good("uptime").await < 30.0, "it has started anew");
    assert!((seen.good("temperature").await - 21.5).abs() < 1e-9);
}

/// Half of the room that `cargo xtask firmware` leaves for it.
const STACK: usize = 2 * 1_024;

#[tokio::test]
async fn a_node_whose_main_loop_hangs_is_bitten_by_its_watchdog_and_its_stack_stays_small() {
    let Some(mut node) = Emulated::start("air").await else { return };
    let seen = Seen::start(&node.place).await;
    seen.good("temperature").await;
    seen.good("pm2_5").await;
    let stack = node.stack().await;
    eprintln!("board-lm3s/air: at most {stack} bytes of stack");
    assert!((1..=STACK).contains(&stack), "{stack}");

    node.jam().await;

    let watchdog = f64::from(ResetCause::Watchdog as u16);
    let cause = seen.until("reset_cause", |cause| cause["value"] == watchdog).await;
    assert_eq!(cause["quality"], "good");
    assert!((seen.good("temperature").await - 21.5).abs() < 1e-9, "it measures again");
}

#[test]
fn what_a_node_encodes_the_gateway_decodes_and_another_version_it_refuses_by_name() {
    for map in MAPS {
        let device_type: DeviceType = toml::from_str(&shipped(map.name)).unwrap();
        let decoder = Decoder::new(&device_type);
        let lowest = map.table(Access::Input).flat_map(|register| {
            let counts = match register.name {
                "node_kind" => i32::from(map.kind),
                "map_version" => i32::from(map.version),
                _ => register.range.0,
            };
            register.encode_counts(Ok(counts)).as_slice().to_vec()
        });
        let mut words: Vec<u16> = lowest.collect();

        let values = decoder.decode(&asked(&words)).unwrap().values;

        for (point, value) in device_type.points.iter().zip(values) {
            let register =
                map.table(Access::Input).find(|register| register.name == point.name).unwrap();
            let (numerator, denominator) = register.scale;
            let lowest =
                f64::from(register.range.0) * f64::from(numerator) / f64::from(denominator);
            let is_fixed = point.must_be.is_some();
            assert!(is_fixed || value == Ok(lowest), "{} {}: {value:?}", map.name, point.name);
        }
        words[2] += 1;
        let refused = decoder.decode(&asked(&words));
        assert!(
            matches!(&refused, Err(Undecodable::OtherDevice { point, .. }) if point == "map_version"),
            "{refused:?}"
        );
    }
}

/// The answer to one question for all of a node.
fn asked(words: &[u16]) -> Body {
    Body::Blocks(vec![Block {
        function: gatehouse_core::community::device_type::Function::Input,
        start: 0,
        count: u16::try_from(words.len()).unwrap(),
        words: Ok(words.to_vec()),
    }])
}
