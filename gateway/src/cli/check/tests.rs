//! The shipped configuration is whole, and what is wrong in a folder is told in full.

use std::path::{Path, PathBuf};

use miette::GraphicalTheme;

use super::*;

mod buses;
mod channels;
mod evidence;

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

    let told = Found::in_folder(&loaded).to_string();
    let community = &loaded.built.community;
    let ids: Vec<_> = community.scenes.iter().map(|scene| scene.head.id.as_str()).collect();
    let scenes = [
        "air-quality",
        "bin-fire",
        "bin-overflow",
        "camera-tampered",
        "crowd",
        "ebike-in-lift",
        "fire-lane-blocked",
        "general",
        "loitering",
        "mains-fails",
        "mis-sorted-waste",
        "noise",
        "parking-full",
        "parking-overstay",
        "pump-room",
        "resident-call",
        "smoke-heat",
        "water-leak",
        "water-level",
    ];
    assert_eq!(ids, scenes);
    assert!(community.devices.len() >= 64, "{told}");
    assert_eq!(community.areas.len(), 4);
    assert!(told.starts_with("37 device types ("), "{told}");
    assert!(told.ends_with("1 broker, 2 lines, 5 cameras"), "{told}");
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
            "[uplink]",
            "[bundles]\ntrusted-keys = [\"/dev/null\"]\n[uplink]",
            "11:17 /dev/null is no Ed25519 public key in PEM form (`gatehouse bundle keygen` writes it beside the private key, as `.pub`)",
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
        (
            "id = \"pumps\"",
            "id = \"sensors\"",
            "8:6 `sensors` is taken already, in line 5 (give each broker, line and camera an id of its own)",
        ),
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
    ];
    for (found, replaced, expected) in cases {
        let told = told_of_gateway(found, replaced);
        assert!(told.iter().any(|fault| fault == expected), "{replaced}: {told:#?}");
    }
}

#[test]
fn what_stands_in_sections_of_gateway_toml_is_told_with_what_was_expected() {
    let cases = [
        (
            "[uplink]",
            "[store]\nmax-waiting = 300000\n[uplink]",
            "11:15 `max-journal`, 200000, is less than `max-waiting`, 300000; waiting records would be lost",
        ),
        (
            "[uplink]",
            "[store]\nstatistics-days = 2000\n[uplink]",
            "11:19 `statistics-days` is 2000, expected at most 1000",
        ),
        (
            "[uplink]",
            "[models]\npath = \"nowhere\"\n[uplink]",
            "11:8 there is no folder `no-folder/nowhere` (the folder that holds one folder per model, from here: `../models`)",
        ),
        (
            "[[line]]",
            "[broker.access]\npassword = \"secret\"\nuser = \"u\"\n[[line]]",
            "8:1 unknown key `password` (did you mean `password-file`?)",
        ),
        (
            "mqtt://127.0.0.1:1884",
            "mqtts://127.0.0.1:1884",
            "11:7 `mqtts://127.0.0.1:1884` wants TLS, but no `ca-file` says whom to believe",
        ),
        (
            "mqtt://127.0.0.1:1884\"",
            "mqtts://127.0.0.1:1884\"\n[uplink.access]\nca-file = \"/dev/null\"",
            "13:11 /dev/null holds no certificate in PEM form",
        ),
        (
            "[uplink]",
            "[console]\nlisten = \"8080\"\n[uplink]",
            "11:10 `listen`: `8080` is not an address and a port; expected one such as \"127.0.0.1:8080\" (numbers, and no host name)",
        ),
        (
            "[uplink]",
            "[console]\nlisten = 8080\n[uplink]",
            "11:10 `listen` must be an address and a port in quotes, as in \"127.0.0.1:8080\", found the number 8080",
        ),
    ];
    for (found, replaced, expected) in cases {
        let told = told_of_gateway(found, replaced);
        assert_eq!(told, [expected], "{replaced}");
    }
}

#[test]
fn faults_of_several_files_are_told_together_and_drawn_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    copy(&shipped(), folder.path());
    change(
        folder.path(),
        "gateway.toml",
        "url = \"mqtt://127.0.0.1:1884\"",
        "ulr = \"mqtt://127.0.0.1:1884\"",
    );
    let models = shipped().join("../models");
    change(folder.path(), "gateway.toml", "../models", &models.display().to_string());
    change(folder.path(), "scenes/bin-fire.toml", "[\"bin-sensor\",", "[\"bin-senser\",");
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
        "did you mean `url`?",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(text.ends_with(" in 3 files\n"), "{text}");
    let told = faults.json();
    let shipped = std::fs::read_to_string(folder.path().join("gateway.toml")).unwrap();
    let wrong = shipped.lines().position(|line| line.starts_with("ulr")).unwrap() + 1;
    assert_eq!((&told[0]["line"], &told[0]["column"]), (&wrong.into(), &1.into()), "{told}");
    assert_eq!(told.as_array().unwrap().len(), faults.faults().len());
}

#[test]
fn a_folder_of_models_that_is_not_there_is_told_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    copy(&shipped(), folder.path());

    let told = told(&load(folder.path()).unwrap_err());

    assert!(told.len() == 1 && told[0].contains(" there is no folder `"), "{told:#?}");
}

#[test]
fn a_copy_of_a_broker_or_a_line_is_one_fault() {
    let whole = std::fs::read_to_string(shipped().join("gateway.toml")).unwrap();
    for (from, to) in [("[[broker]]", "# The controllers"), ("[[line]]", "# Meters")] {
        let folder = tempfile::tempdir().unwrap();
        copy(&shipped(), folder.path());
        let (start, end) = (whole.find(from).unwrap(), whole.find(to).unwrap());
        let models = shipped().join("../models");
        let text = whole.replace("../models", &models.display().to_string());
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, format!("{text}\n{}", &whole[start..end])).unwrap();

        let told = told(&load(folder.path()).unwrap_err());

        assert!(told.len() == 1 && told[0].contains("is taken already, in line "), "{told:#?}");
    }
}

#[test]
fn a_file_that_is_not_utf8_is_told_at_its_first_bad_byte_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    copy(&shipped(), folder.path());
    let models = shipped().join("../models");
    change(folder.path(), "gateway.toml", "../models", &models.display().to_string());
    let path = folder.path().join("device-types/level-4851.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let at = text.find("投入式").unwrap();
    let gbk = [&text.as_bytes()[..at], b"\xB7\xC0", &text.as_bytes()[at..]].concat();
    std::fs::write(&path, gbk).unwrap();

    let told = told(&load(folder.path()).unwrap_err());

    assert_eq!(
        told,
        [
            "6:17 the file is not UTF-8: the byte here is 0xB7 (save it as UTF-8 (it may be in GBK or GB 18030))"
        ]
    );
}

#[test]
fn a_tampered_model_is_told_at_the_checksum_of_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    copy(&shipped(), &folder.path().join("config"));
    copy(&shipped().join("../models"), &folder.path().join("models"));
    let network = folder.path().join("models/forecast/model.onnx");
    let mut bytes = std::fs::read(&network).unwrap();
    bytes.push(0);
    std::fs::write(&network, bytes).unwrap();
    let mut loaded = load(&folder.path().join("config")).unwrap();

    let faults = open_models(&mut loaded);

    let manifest = "models/forecast/model.toml";
    let text = std::fs::read_to_string(folder.path().join(manifest)).unwrap();
    let line = text.lines().position(|line| line.starts_with("sha256")).unwrap() + 1;
    assert!(faults.len() == 1 && faults[0].file.ends_with(manifest), "{faults:?}");
    let told = told(&Faults::new(faults, loaded.texts));
    assert!(told[0].starts_with(&format!("{line}:10 `model.onnx` has the SHA-256 ")), "{told:?}");
}

#[test]
fn what_there_is_can_be_read_by_a_script() {
    let found = serde_json::to_value(Found::in_folder(&load(&shipped()).unwrap())).unwrap();

    assert_eq!((&found["device_types"], &found["areas"]), (&37.into(), &4.into()), "{found}");
}

#[test]
fn a_folder_that_is_not_there_is_one_fault() {
    let faults = load(Path::new("no/such/folder")).unwrap_err();

    assert_eq!(told(&faults), [format!("1:1 there is no such folder ({LAYOUT})")]);
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config")
}

/// What is told of [`GATEWAY`] with one change.
fn told_of_gateway(found: &str, replaced: &str) -> Vec<String> {
    assert!(GATEWAY.contains(found), "{found}");
    let text = GATEWAY.replacen(found, replaced, 1);
    let (mut document, config) = Document::read::<GatewayConfig>("gateway.toml", &text);
    if let Some(config) = config {
        gateway::check(&mut document, &config, Path::new("no-folder"));
    }
    let texts = BTreeMap::from([("gateway.toml".to_owned(), text)]);
    told(&Faults::new(document.faults().to_vec(), texts))
}

/// `line:column message (help)` for every fault.
fn told(faults: &Faults) -> Vec<String> {
    let told = |fault: &serde_json::Value| {
        let word = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
        let help = fault["help"].as_str().map_or(String::new(), |help| format!(" ({help})"));
        format!("{}:{} {}{help}", fault["line"], fault["column"], word("message"))
    };
    faults.json().as_array().unwrap().iter().map(told).collect()
}

fn change(folder: &Path, file: &str, found: &str, replaced: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(found), "{file}: {found}");
    std::fs::write(&path, text.replace(found, replaced)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
