//! The shipped models on both engines, each in a process of its own since a process has one engine: the
//! same answers, and no memory that stays behind.
//!
//! ONNX Runtime is the one that `cargo xtask test` has installed beside the tests' Python, or that
//! `ORT_DYLIB_PATH` names; where there is neither, the test says that it compared nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::peers::{gatehouse, python, workspace};

/// How far the engines may be apart.
const TOLERANCE: f64 = 1e-4;
const ROWS: usize = 2_000;

#[test]
fn both_engines_give_the_same_answers() {
    let Some(library) = onnxruntime() else {
        eprintln!("skipped: there is no library of ONNX Runtime here");
        return;
    };
    for model in installed() {
        let rows = ROWS.to_string();
        let args = ["answers", model.as_str(), "--rows", &rows, "--seed", "20260101"];
        let ours = run(Path::new("/nonexistent"), &args);
        let theirs = run(&library, &args);

        assert_eq!((&ours["engine"], &theirs["engine"]), (&"tract".into(), &"onnxruntime".into()));
        let (ours, theirs) = (numbers(&ours), numbers(&theirs));
        assert!(ours.len() >= ROWS && ours.len() == theirs.len(), "{model}");
        let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart <= TOLERANCE, "{model}: the engines are {apart} apart");
    }
}

#[test]
fn a_million_windows_leave_no_memory_behind() {
    for library in [Some(PathBuf::from("/nonexistent")), onnxruntime()].into_iter().flatten() {
        let told = run(&library, &["bench", "--rows", "1000000"]);
        for model in told["models"].as_array().unwrap() {
            let [loaded, warm, after] =
                ["loaded", "warm", "after"].map(|at| model["resident-bytes"][at].as_u64().unwrap());
            // What a process has given back since it loaded the model, it may take again.
            let grown = after.saturating_sub(warm.max(loaded));

            // Nine looks or more lie between: less than a quarter of a megabyte for each.
            let most = if model["pictures"].is_null() { 1 << 20 } else { 2 << 20 };
            assert!(grown < most, "{model} on {}: {grown} bytes", told["engine"]);
        }
    }
}

pub(crate) fn onnxruntime() -> Option<PathBuf> {
    let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let lib = python().parent()?.parent()?.join("lib");
    let installed = std::fs::read_dir(lib).into_iter().flatten().flatten().filter_map(|version| {
        let folder = version.path().join("site-packages/onnxruntime/capi");
        let mut files = std::fs::read_dir(folder).ok()?.flatten();
        files.find(|f| f.file_name().to_string_lossy().starts_with("libonnxruntime.so"))
    });
    named.into_iter().chain(installed.map(|file| file.path())).find(|path| path.is_file())
}

/// The models of series.
fn installed() -> Vec<String> {
    let listed = run(Path::new("/nonexistent"), &["list"]);
    let models = listed["models"].as_array().unwrap();
    // A model of pictures has labels; sight.rs compares those.
    let series = models.iter().filter(|model| model["labels"].is_null());
    series.map(|model| model["name"].as_str().unwrap().to_owned()).collect()
}

/// What a command says, with this library or, where there is none, with the built-in engine.
fn run(library: &Path, args: &[&str]) -> Value {
    let output = Command::new(gatehouse())
        .args(["models", "--json", "--config"])
        .arg(workspace().join("config"))
        .args(args)
        .env("ORT_DYLIB_PATH", library)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn numbers(told: &Value) -> Vec<f64> {
    let rows = told["answers"].as_array().unwrap();
    rows.iter().flat_map(|row| row.as_array().unwrap()).map(|n| n.as_f64().unwrap()).collect()
}
