//! The shipped configuration is whole, and what is wrong in a folder is told in full.

use std::path::{Path, PathBuf};

use miette::GraphicalTheme;

use super::*;

const GATEWAY: &str = r#"[gateway]
id = "gw"
township = "town"
[[broker]]
id = "sensors"
url = "mqtt://127.0.0.1:1883"
[[line]]
id = "pumps"
tcp = "127.0.0.1:5020"
[uplink]
url = "mqtt://127.0.0.1:1884"
"#;

#[test]
fn the_shipped_configuration_has_no_faults() {
    let loaded = load(&shipped()).unwrap();

    let told = found(&loaded);
    let community = &loaded.built.community;
    let ids: Vec<_> = community.scenes.iter().map(|scene| scene.head.id.as_str()).collect();
    let scenes = [
        "air-quality",
        "bin-fire",
        "bin-overflow",
        "fire-lane-blocked",
        "general",
        "pump-room",
        "water-level",
    ];
    assert_eq!(ids, scenes);
    assert!(community.devices.len() >= 64, "{told}");
    assert_eq!(community.areas.len(), 4);
    assert!(told.starts_with("9 device types ("), "{told}");
    assert!(told.ends_with("1 broker, 2 lines"), "{told}");
}

#[test]
fn every_contradiction_in_gateway_toml_is_told_with_its_place() {
    let cases = [
        (
            "id = \"gw\"",
            "id = \"g/w\"",
            "2:6 `g/w` is not a name; expected letters, digits, dashes and dots",
        ),
        (
            "mqtt://127.0.0.1:1883",
            "tcp://box:1883",
            "6:7 `tcp://box:1883` is not a broker; expected `mqtt://host:1883` or `mqtts://host:8883` (did you mean `mqtt://box:1883`?)",
        ),
        (
            "mqtt://127.0.0.1:1883",
            "mqtt://box:99999",
            "6:7 `mqtt://box:99999` has no host, or no port that exists",
        ),
        (
            "[[line]]",
            "[broker.access]\nuser = \"u\"\n[[line]]",
            "8:1 `user` needs `password-file` too",
        ),
        (
            "[[line]]",
            "[broker.access]\nca-file = \"none.pem\"\n[[line]]",
            "8:1 `ca-file` is for TLS, but the broker's `url` begins with `mqtt://` (did you mean `mqtts://`?)",
        ),
        ("id = \"pumps\"", "id = \"sensors\"", "8:6 `sensors` is taken already, in line 5"),
        (
            "tcp = \"127.0.0.1:5020\"",
            "",
            "7:1 a line has one of `tcp`, `rtu-over-tcp` and `serial`, found none",
        ),
        (
            "tcp = ",
            "serial = \"/dev/x\"\ntcp = ",
            "9:1 a line has one of `tcp`, `rtu-over-tcp` and `serial`, found `tcp` and `serial`",
        ),
        ("127.0.0.1:5020", "127.0.0.1", "9:7 `127.0.0.1` is not an address; expected `host:502`"),
        ("[uplink]", "baud = 9600\n[uplink]", "10:1 `baud` is for `serial` lines"),
        (
            "tcp = \"127.0.0.1:5020\"",
            "serial = \"/dev/x\"\nbaud = 9060",
            "10:8 serial ports do not run at 9060 baud (did you mean 9600?)",
        ),
        (
            "tcp = \"127.0.0.1:5020\"",
            "serial = \"/dev/x\"\ngap = \"2 ms\"",
            "10:7 `gap` is at least 3.5 characters, 4.01 ms at this speed",
        ),
        (
            "[uplink]",
            "[[line]]\nid = \"b\"\nrtu-over-tcp = \"127.0.0.1:5020\"\n[uplink]",
            "12:16 `pumps` is at this end already (one connection serves all devices behind it)",
        ),
        (
            "[uplink]",
            "[uplink]\nretry-min = \"2 min\"",
            "11:13 `retry-min`, 2m, is longer than `retry-max`, 1m",
        ),
        (
            "[uplink]",
            "[store]\nmax-waiting = 0\n[uplink]",
            "11:15 `max-waiting` is 0, so no event could ever be delivered",
        ),
        ("[uplink]", "[uplnk]", "10:2 unknown key `uplnk` (did you mean `uplink`?)"),
        (
            "[uplink]",
            "[console]\nlisten = \"8080\"\n[uplink]",
            "11:10 `listen`: invalid socket address syntax",
        ),
    ];
    for (found, replaced, expected) in cases {
        let text = GATEWAY.replacen(found, replaced, 1);
        let (mut document, config) = Document::read::<GatewayConfig>("gateway.toml", &text);
        if let Some(config) = config {
            gateway::check(&mut document, &config);
        }
        let faults = Faults::new(
            document.faults().to_vec(),
            BTreeMap::from([("gateway.toml".to_owned(), text)]),
        );
        let told = told(&faults);
        assert!(told.iter().any(|fault| fault == expected), "{replaced}: {told:#?}");
    }
}

#[test]
fn faults_of_several_files_are_told_together_and_drawn_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    copy(&shipped(), folder.path());
    change(folder.path(), "gateway.toml", "url = \"mqtt://127.0.0.1:1884\"", "ulr = \"x\"");
    let models = shipped().join("../models");
    change(folder.path(), "gateway.toml", "../models", &models.display().to_string());
    change(folder.path(), "scenes/bin-fire.toml", "[\"bin-sensor\"]", "[\"bin-senser\"]");
    change(folder.path(), "device-types/level-4851.toml", "scale = 0.001", "scale = 0.01");

    let faults = load(folder.path()).unwrap_err();

    let text = faults.text(GraphicalTheme::unicode_nocolor());
    for part in [
        "scenes/bin-fire.toml:7:17]",
        "there is no device type `bin-senser`",
        "did you mean `bin-sensor`?",
        "example 1: `level` is 12.34 m, outside its range [-0.05, 5], expected 1.234 m",
        "is `scale` right?",
        "unknown key `ulr`",
        "missing key `url`",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(text.ends_with(" in 3 files\n"), "{text}");
    let lines = faults.json();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let shipped = std::fs::read_to_string(folder.path().join("gateway.toml")).unwrap();
    let uplink = shipped.lines().position(|line| line == "[uplink]").unwrap() + 1;
    assert_eq!((&first["line"], &first["column"]), (&uplink.into(), &1.into()), "{first}");
    assert_eq!(lines.lines().count(), faults.faults().len());
}

#[test]
fn a_folder_that_is_not_there_is_one_fault() {
    let faults = load(Path::new("no/such/folder")).unwrap_err();

    assert_eq!(told(&faults), [format!("1:1 there is no such folder ({LAYOUT})")]);
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

/// `line:column message (help)` for every fault.
fn told(faults: &Faults) -> Vec<String> {
    let told = |line: &str| {
        let fault: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
        let help = fault["help"].as_str().map_or(String::new(), |help| format!(" ({help})"));
        format!("{}:{} {}{help}", fault["line"], fault["column"], word("message"))
    };
    faults.json().lines().map(told).collect()
}

fn change(folder: &Path, file: &str, found: &str, replaced: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(found), "{file}: {found}");
    std::fs::write(&path, text.replace(found, replaced)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
