//! `cargo xtask peers HARNESS`: Gatehouse beside other gateways on one load.
//!
//! The harness (`bench.py`, its load generator and its floor, a C program on libmosquitto) is not part
//! of this repository. It is copied, Gatehouse is added to its subjects, and both run the same cases.
//! What comes out is a table of medians; docs/benchmarks.md holds what it printed last.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::step;

/// Ports of the harness: sensor and platform broker, for the MQTT and for the Modbus cases.
const MQTT: (u16, u16) = (21_883, 21_884);
const MODBUS: (u16, u16) = (21_893, 21_894);
/// The simulated Modbus gateway of the harness.
const SLAVES: u16 = 25_020;

pub(crate) fn run(harness: &str, cases: &[&str]) -> Result<()> {
    let copy = step::target().join("peers");
    let base = copy.join("home");
    fs::create_dir_all(&base)?;
    step::run(Command::new("cp").args(["-rT", harness]).arg(copy.join("harness")))?;
    step::run(Command::new("chmod").args(["-R", "u+w"]).arg(copy.join("harness")))?;
    step::run(&mut step::cargo(&["build", "--release"]))?;
    let program = step::target().join("release/gatehouse");
    floor(&copy, &base)?;
    for (name, text) in configurations(&base) {
        let path = base.join(name);
        fs::create_dir_all(path.parent().context("a file stands in a folder")?)?;
        fs::write(path, text)?;
    }
    let subject = |folder: &str, more: &str| {
        format!(
            "{{\"note\": \"Gatehouse\", \"start\": [\"{}\", \"run\", \"--config\", \"{}\"], \
             \"cwd\": \"{{dir}}\", {more}}}",
            program.display(),
            base.join(folder).display()
        )
    };
    let subjects = copy.join("harness/subjects");
    let mqtt = "\"topic_out\": \"events/#\", \"flood_count\": 200000, \"sweep_from\": 5000";
    fs::write(subjects.join("gatehouse.json"), subject("mqtt", mqtt))?;
    fs::write(
        subjects.join("gatehouse-mb-units.json"),
        subject("modbus", "\"topology\": \"units\""),
    )?;
    let bench = |args: &[&str]| {
        let mut command = Command::new("python3");
        command.arg(copy.join("harness/bench.py")).args(args).env("PEERS_HOME", &base);
        step::run(&mut command)
    };
    if cases.is_empty() || cases.contains(&"mqtt") {
        bench(&["mqtt", "floor,gatehouse", "--cases", "startup,steady,flood1", "--runs", "3"])?;
    }
    if cases.is_empty() || cases.contains(&"modbus") {
        bench(&["modbus", "gatehouse-mb-units", "--cases", "base,dead", "--runs", "3"])?;
    }
    bench(&["table"])
}

/// The harness's own parts that every comparison needs.
fn floor(copy: &Path, base: &Path) -> Result<()> {
    step::run(
        Command::new("gcc")
            .args(["-O2", "-o"])
            .arg(base.join("floor"))
            .arg(copy.join("harness/peers/floor.c"))
            .arg("-lmosquitto"),
    )?;
    // Below our own workspace, but none of it.
    let manifest = copy.join("harness/loadgen/Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, format!("{text}\n[workspace]\n"))?;
    step::run(
        Command::new("cargo")
            .args(["build", "--release"])
            .current_dir(copy.join("harness/loadgen"))
            .env("CARGO_TARGET_DIR", base.join("loadgen")),
    )
}

/// The same job as the others do: above 40 an event, below 38 it is over.
fn configurations(base: &Path) -> Vec<(String, String)> {
    let mut devices = site();
    for number in (0..100).chain([9_999]) {
        let _ = write!(
            devices,
            "[[device]]\nid = \"dev{number:04}\"\ntype = \"env\"\narea = \"all\"\n\
             topic = \"site/dev{number:04}/env\"\n"
        );
    }
    let mut slaves = site();
    for unit in 1..=50 {
        let _ = write!(
            slaves,
            "[[device]]\nid = \"unit{unit}\"\ntype = \"regs\"\narea = \"all\"\nline = \"bus\"\nunit = {unit}\n"
        );
    }
    let broker = format!("[[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{}\"\n", MQTT.0);
    let line =
        format!("[[line]]\nid = \"bus\"\ntcp = \"127.0.0.1:{SLAVES}\"\ntimeout = \"300ms\"\n");
    vec![
        ("mqtt/gateway.toml".into(), gateway(base, "mqtt", MQTT.1, &broker)),
        ("mqtt/community.toml".into(), devices),
        ("mqtt/device-types/env.toml".into(), ENV.into()),
        ("mqtt/scenes/heat.toml".into(), HEAT.into()),
        ("modbus/gateway.toml".into(), gateway(base, "modbus", MODBUS.1, &line)),
        ("modbus/community.toml".into(), slaves),
        ("modbus/device-types/regs.toml".into(), registers()),
        ("modbus/scenes/high.toml".into(), HIGH.into()),
    ]
}

fn gateway(base: &Path, name: &str, platform: u16, wires: &str) -> String {
    format!(
        "[gateway]\nid = \"gw-bench\"\ntownship = \"bench\"\n{wires}\
         [store]\npath = \"{}\"\n\
         [uplink]\nurl = \"mqtt://127.0.0.1:{platform}\"\nevents-topic = \"events/gw-bench\"\n\
         [console]\nenabled = false\n",
        base.join(name).join("data").display()
    )
}

fn site() -> String {
    "[community]\nid = \"bench\"\ntitle = { zh = \"测试\", en = \"bench\" }\n\
     [[area]]\nid = \"all\"\ntitle = { zh = \"全部\", en = \"all\" }\npeople = 100\n"
        .into()
}

const ENV: &str = include_str!("../../gateway/core/benches/env.toml");
const HEAT: &str = include_str!("../../gateway/core/benches/heat.toml");

fn registers() -> String {
    let mut text = String::from(
        "[device-type]\nid = \"regs\"\ntitle = { zh = \"寄存器\", en = \"registers\" }\nvia = \"modbus\"\n\
         [modbus]\nfunction = \"holding\"\nstart = 0\ncount = 20\nevery = \"1 s\"\n",
    );
    for word in 0..20 {
        let _ =
            write!(text, "[[point]]\nname = \"r{word}\"\nat = {{ word = {word} }}\nunit = \"1\"\n");
    }
    let words: Vec<String> = (200..220).map(|w: u32| w.to_string()).collect();
    let _ = write!(text, "[[example]]\nwords = [{}]\nexpect = {{ r0 = 200 }}\n", words.join(", "));
    text
}

const HIGH: &str = r#"[scene]
id = "high"
title = { zh = "过高", en = "too high" }
category = "facility"
advice = { zh = "查看", en = "look" }
[[detector]]
id = "high"
point = "r0"
limit-high = "60000 1"
"#;
