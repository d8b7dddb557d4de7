//! `gatehouse backtest` on the store of a real gateway: beside it while it runs, after it was stopped,
//! and after it was killed.
//!
//! Real parts: mosquitto as the sensors' broker, the `gatehouse` binary, and `gatehouse simulate` as the
//! sensors. The kept quarters are written every 45 minutes and at a stop, so that it is a stop here.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::peers::gateway::{BIN, FIRE, run, write};
use crate::peers::mosquitto::Mosquitto;
use crate::peers::{PATIENCE, gatehouse};

const COMMUNITY: &str = r#"
[community]
id = "c"
title = { zh = "社区", en = "community" }
[[area]]
id = "east"
title = { zh = "东区", en = "east" }
people = 50
[[device]]
id = "bin-1"
type = "bin"
area = "east"
[simulation]
every = { bin = "100 ms" }
[[simulation.behaviour]]
device-type = "bin"
point = "temperature"
mean = 20.0
noise = 1.0
[[simulation.anomaly]]
device = "bin-1"
starts = "1s"
lasts = "2s"
set = { temperature = 90.0 }
scene = "fire"
"#;

/// A bin that says when it measured, and a fire that lasts half a second; the first lines stay where they are.
fn files() -> (String, String) {
    let bin = BIN
        .replace(
            "via = \"mqtt\"",
            "via = \"mqtt\"\ntime = { json = \"/ts\", format = \"unix-ms\" }",
        )
        .replace("{\"t\": 20.5}", "{\"ts\": 1772323200000, \"t\": 20.5}");
    let delays = "\non-delay = \"500 ms\"\noff-delay = \"500 ms\"";
    (bin, FIRE.replace("\"60 degC\"", &format!("\"60 degC\"{delays}")))
}

fn configure(folder: &Path, broker: u16) {
    let gateway = format!(
        "[gateway]\nid = \"gw\"\ntownship = \"town\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{broker}\"\n\
         [store]\npath = \"{}\"\n[models]\npath = \"models\"\n[console]\nenabled = false\n",
        folder.join("data").display()
    );
    let (bin, fire) = files();
    write(folder, &gateway, COMMUNITY, &bin, &fire);
}

fn stop(mut gateway: Child) {
    let id = gateway.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(gateway.wait().unwrap().success());
}

fn backtest(folder: &Path, scene: &str, more: &[&str]) -> Output {
    let file = folder.join("changed.toml");
    fs::write(&file, scene).unwrap();
    let mut command = Command::new(gatehouse());
    command.args(["backtest", "--from", "-1h", "--config"]).arg(folder).arg("--scene").arg(file);
    command.args(more).output().unwrap()
}

fn counts(output: &Output) -> [u64; 5] {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    ["live", "changed", "same", "new", "gone"].map(|name| report["summary"][name].as_u64().unwrap())
}

/// How often a gateway has said that it runs.
fn starts(folder: &Path) -> usize {
    fs::read_to_string(folder.join("log")).unwrap_or_default().matches(": running").count()
}

fn until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn limit(limit: u32) -> String {
    files().1.replace("60 degC", &format!("{limit} degC"))
}

#[tokio::test]
async fn a_changed_scene_is_tried_on_what_a_real_gateway_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let broker = Mosquitto::plain();
    configure(folder, broker.port());
    let gateway = run(folder);
    let simulated = Command::new(gatehouse())
        .args(["simulate", "--for", "6", "--seed", "7", "--community"])
        .arg(folder.join("community.toml"))
        .args(["--broker", &format!("mqtt://127.0.0.1:{}", broker.port())])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(simulated.success());
    until(|| counts(&backtest(folder, &files().1, &["--json"]))[0] > 0);
    stop(gateway);

    // Twice: what is kept outlives a gateway that is killed.
    for _ in 0..2 {
        assert_eq!(counts(&backtest(folder, &limit(80), &["--json"])), [1, 1, 1, 0, 0]);
        assert_eq!(counts(&backtest(folder, &limit(120), &["--json"])), [1, 0, 0, 0, 1]);
        let before = starts(folder);
        let mut gateway = run(folder);
        until(|| starts(folder) > before);
        gateway.kill().unwrap();
        gateway.wait().unwrap();
    }
    let text = String::from_utf8(backtest(folder, &limit(80), &[]).stdout).unwrap();
    assert!(
        text.contains("live raised 1, the changed scene would have raised 1: 1 of the same"),
        "{text}"
    );
    assert!(text.contains("what this cannot show:"), "{text}");
    assert_eq!(backtest(folder, &limit(80).replace("point", "pnt"), &[]).status.code(), Some(2));
    assert_eq!(backtest(folder, &files().1, &["--to", "-2h"]).status.code(), Some(2));
    let told =
        String::from_utf8(backtest(folder, &limit(80).replace("\"hot\"", "hot"), &[]).stderr);
    assert!(told.unwrap().contains("changed.toml:8:6: "));
}
