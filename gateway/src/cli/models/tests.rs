//! The commands on the shipped model and on one that was changed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;

const NAME: &str = "forecast";

#[test]
fn the_list_says_what_is_installed_and_what_runs_it() {
    let told = list(&config(), &shipped(), &Ok(None)).unwrap();

    assert!(told.holds);
    let model = of(&told, NAME);
    assert_eq!(model["licence"], json!("Apache-2.0"));
    assert_eq!(model["inputs"][0]["shape"], json!(["N", "35"]));
    assert!(told.text.contains("forecast 1.0.0: "), "{}", told.text);
    assert!(["tract", "onnxruntime"].map(|e| json!(e)).contains(&told.json["engine"]));
}

#[test]
fn a_network_that_was_changed_is_refused_at_its_checksum_and_the_others_hold() {
    let folder = tempfile::tempdir().unwrap();
    for name in [NAME, "other"] {
        let (from, to) = (shipped_folder().join(NAME), folder.path().join(name));
        fs::create_dir(&to).unwrap();
        fs::copy(from.join("model.onnx"), to.join("model.onnx")).unwrap();
        let manifest = fs::read_to_string(from.join("model.toml")).unwrap();
        fs::write(to.join("model.toml"), manifest.replacen(NAME, name, 1)).unwrap();
    }
    let network = folder.path().join("other/model.onnx");
    let mut bytes = fs::read(&network).unwrap();
    bytes[5_000] ^= 1;
    fs::write(&network, bytes).unwrap();

    let told = verify(&config(), &folder.path().into(), &Ok(None)).unwrap();

    assert!(!told.holds);
    let [fine, refused] = [&told.json["models"][0], &told.json["models"][1]];
    assert_eq!((&refused["holds"], &fine["holds"]), (&json!(false), &json!(true)));
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.contains("model.toml:6:10: ") && reason.contains("SHA-256"), "{reason}");
    assert!(told.text.contains("other: REFUSED") && told.text.contains("forecast 1.0.0: holds"));
}

#[test]
fn a_bench_asks_as_often_as_it_was_told() {
    let rows = NonZeroUsize::new(2_000);

    let told = bench::bench(&config(), &shipped(), rows, None).unwrap();

    let figures = of(&told, NAME);
    assert!(figures["rows"].as_u64().unwrap() >= 2_000);
    assert!(figures["us-per-row"]["64"].as_f64().unwrap() > 0.0);
}

fn of<'a>(told: &'a Told, name: &str) -> &'a Value {
    let models = told.json["models"].as_array().unwrap();
    models.iter().find(|model| model["name"] == name).unwrap()
}

fn config() -> GatewayConfig {
    toml::from_str("[gateway]\nid = \"gw\"\ntownship = \"t\"").unwrap()
}

fn shipped_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

fn shipped() -> Shelves {
    (&shipped_folder()).into()
}
