//! Holds the rules of who may know whom. A breach names the file, and the rule says why it stands.
//!
//! The rules look at production code: comments, literals and test modules are cut out first. Each rule
//! is shown to be able to fail on a made-up file beside it.

mod code;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file: as written, and as production code.
struct Source {
    /// From the root of the repository.
    path: String,
    text: String,
    /// Without comments, literals and test modules.
    code: String,
    paths: Vec<String>,
    /// Files that only tests compile.
    is_test: bool,
}

/// What is wrong with a file, or nothing.
type Rule = fn(&Source) -> Option<String>;

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let (code, _) = code::without_tests(&code::without_prose(text));
        let paths = code::paths(&code);
        Self { path: path.into(), text: text.into(), code, paths, is_test: false }
    }

    /// The gateway's own code, not its tests and not the project's chores.
    fn is_production(&self) -> bool {
        self.path.starts_with("gateway/") && self.path.contains("/src/") && !self.is_test
    }

    fn is_core(&self) -> bool {
        self.path.starts_with("gateway/core/") && self.is_production()
    }

    /// Whether the file is `gateway/src/<module>.rs`, or lies in `gateway/src/<module>/` or in a crate
    /// `gateway/<module>/`.
    fn is_in(&self, module: &str) -> bool {
        if self.path.starts_with(&format!("gateway/{module}/src/")) {
            return true;
        }
        // A room of another crate than the gateway: `sight/mask`.
        let other = module.split_once('/').map(|(name, room)| format!("gateway/{name}/src/{room}"));
        let other = other.and_then(|other| self.path.strip_prefix(&other));
        if other.is_some_and(|rest| rest == ".rs" || rest.starts_with('/')) {
            return true;
        }
        let inside = self.path.strip_prefix("gateway/src/").and_then(|p| p.strip_prefix(module));
        inside.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// Whether the code names this path, or something in it.
    fn names(&self, path: &str) -> bool {
        let wanted: Vec<&str> = path.split("::").collect();
        self.paths.iter().any(|p| p.split("::").take(wanted.len()).eq(wanted.iter().copied()))
    }

    /// Whether the code has this word anywhere.
    fn says(&self, word: &str) -> bool {
        self.paths.iter().any(|p| p.split("::").any(|segment| segment == word))
    }

    /// The modules of the gateway that the code names, such as `source::mqtt`.
    fn modules(&self) -> BTreeSet<String> {
        let here: Vec<&str> = self
            .path
            .trim_start_matches("gateway/src/")
            .trim_end_matches(".rs")
            .split('/')
            .filter(|part| !matches!(*part, "mod" | "lib" | "main"))
            .collect();
        let absolute = |path: &String| {
            let rest = path.trim_start_matches("super::");
            let up = (path.len() - rest.len()) / "super::".len();
            if let Some(inside) = path.strip_prefix("crate::").or(path.strip_prefix("gatehouse::"))
            {
                Some(inside.to_owned())
            } else if up > 0 {
                let base = &here[..here.len().saturating_sub(up)];
                Some([base, &[rest]].concat().join("::"))
            } else {
                None
            }
        };
        self.paths.iter().filter_map(absolute).collect()
    }
}

/// What the core may not name, because time, chance and the world are arguments there.
const OUTSIDE_THE_CORE: [&str; 16] = [
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::mpsc",
    "thread::spawn",
    "SystemTime::now",
    "Instant::now",
    "std::time::SystemTime",
    "std::time::Instant",
    "Mutex",
    "tokio",
    "tracing",
];

/// Crates that the core may not depend on.
const NOT_FOR_THE_CORE: [&str; 13] = [
    "tokio",
    "sled",
    "ort",
    "ort-tract",
    "tract-onnx",
    "rumqttc",
    "rumqttd",
    "tokio-modbus",
    "tokio-serial",
    "tracing",
    "rand",
    "getrandom",
    "anyhow",
];

/// A crate, and the only modules of the gateway that may name it.
const OWNERS: [(&str, &[&str]); 20] = [
    ("sled", &["store"]),
    ("ort", &["infer"]),
    ("ort_tract", &["infer"]),
    ("tract_onnx", &["infer"]),
    ("rumqttc", &["source/mqtt", "uplink", "downlink", "simulate"]),
    ("rumqttd", &["simulate"]),
    ("tokio_modbus", &["source/modbus", "simulate"]),
    ("tokio_serial", &["source/modbus", "source/localbus/wires"]),
    ("linux_embedded_hal", &["source/localbus/wires"]),
    ("krilla", &["report"]),
    ("skrifa", &["report"]),
    ("retina", &["source/camera/rtsp"]),
    ("openh264", &["source/camera/h264"]),
    ("roxmltree", &["source/camera"]),
    ("http_auth", &["source/camera/http"]),
    ("zune_jpeg", &["sight"]),
    ("zune_core", &["sight"]),
    ("fast_image_resize", &["sight"]),
    ("jpeg_encoder", &["sight/mask"]),
    ("multiversion", &["sight"]),
];

/// Every source, and what no source may name.
const SOURCES: [&str; 4] = ["mqtt", "modbus", "localbus", "camera"];
const DOWNSTREAM: [&str; 4] = ["store", "uplink", "alert", "console"];

fn the_core_has_no_outside(source: &Source) -> Option<String> {
    let named = OUTSIDE_THE_CORE.into_iter().find(|outside| source.names(outside));
    let awaits = ["async", "await"].into_iter().find(|word| source.says(word));
    let what = named.or(awaits).filter(|_| source.is_core())?;
    Some(format!("names `{what}`; the core is told what happened and what time it is"))
}

fn a_crate_stays_with_its_owner(source: &Source) -> Option<String> {
    let (name, owners) = OWNERS.into_iter().find(|(name, owners)| {
        source.names(name) && !owners.iter().any(|owner| source.is_in(owner))
    })?;
    source.is_production().then(|| format!("names `{name}`, which only {owners:?} may"))
}

fn a_source_knows_no_other_and_nothing_downstream(source: &Source) -> Option<String> {
    let own = SOURCES.into_iter().find(|own| source.is_in(&format!("source/{own}")))?;
    let forbidden: Vec<String> = SOURCES
        .into_iter()
        .filter(|other| *other != own)
        .map(|other| format!("source::{other}"))
        .chain(DOWNSTREAM.map(String::from))
        .collect();
    let named = source.modules().into_iter().find(|module| {
        forbidden.iter().any(|f| module == f || module.starts_with(&format!("{f}::")))
    })?;
    Some(format!("names `{named}`; a source hands frames to the engine and knows nobody else"))
}

fn readings_stay_in_the_box(source: &Source) -> Option<String> {
    let leaves = ["uplink", "alert"].into_iter().any(|module| source.is_in(module));
    (leaves && source.says("Reading"))
        .then(|| "names `Reading`; only records of events leave the box".into())
}

fn the_console_only_looks(source: &Source) -> Option<String> {
    (source.is_in("console") && source.says("Pipeline"))
        .then(|| "names `Pipeline`; the console reads a snapshot and sends inputs".into())
}

fn production_has_no_test_branches(source: &Source) -> Option<String> {
    let squeezed: String = source.code.split_whitespace().collect();
    let branch = ["cfg(test", "cfg(not(test", "cfg(all(test", "cfg(any(test", "cfg_attr(test"]
        .into_iter()
        .chain(["cfg_attr(not(test", "cfg!(test", "cfg!(not(test"])
        .find(|branch| squeezed.contains(branch))?;
    source.is_production().then(|| format!("has `{branch}`; tests use the same doors as everyone"))
}

fn lints_are_expected_and_not_allowed(source: &Source) -> Option<String> {
    let squeezed: String = code::without_prose(&source.text).split_whitespace().collect();
    (squeezed.contains("#[allow(") || squeezed.contains("#![allow("))
        .then(|| "has `allow`; write `expect` with a reason".into())
}

fn channels_are_bounded(source: &Source) -> Option<String> {
    let unbounded = ["unbounded_channel", "UnboundedSender", "unbounded"];
    let word = unbounded.into_iter().find(|word| source.says(word))?;
    source.is_production().then(|| format!("names `{word}`; every queue has a bound and a policy"))
}

fn files_are_short(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (lines > 500).then(|| format!("has {lines} lines; 500 at most, and 300 is better"))
}

fn a_file_says_what_it_is_for(source: &Source) -> Option<String> {
    let begins = source.text.starts_with("//! ");
    (!begins).then(|| "does not begin with `//!` and what it is for".into())
}

const RULES: [Rule; 10] = [
    the_core_has_no_outside,
    a_crate_stays_with_its_owner,
    a_source_knows_no_other_and_nothing_downstream,
    readings_stay_in_the_box,
    the_console_only_looks,
    production_has_no_test_branches,
    lints_are_expected_and_not_allowed,
    channels_are_bounded,
    files_are_short,
    a_file_says_what_it_is_for,
];

#[test]
fn nobody_knows_more_than_they_may() {
    let sources = every_source();

    let breaches: Vec<String> = sources
        .iter()
        .flat_map(|source| RULES.iter().filter_map(move |rule| Some((source, rule(source)?))))
        .map(|(source, breach)| format!("{} {breach}", source.path))
        .collect();

    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
    for expected in ["gateway/core/src/pipeline", "gateway/src/store", "gateway/src/source/mqtt"] {
        assert!(
            sources.iter().any(|s| s.path.starts_with(expected)),
            "{expected} was not looked at"
        );
    }
}

#[test]
fn the_core_depends_on_nothing_that_touches_the_world() {
    let manifest = fs::read_to_string(root().join("gateway/core/Cargo.toml")).unwrap();

    assert_eq!(worldly_dependencies(&manifest), BTreeSet::new());
}

#[test]
fn a_worldly_dependency_of_the_core_would_be_seen() {
    let manifest = "[dependencies]\nserde = '1'\ntokio.workspace = true\n\
                    [target.'cfg(unix)'.dependencies]\nrand = '0.9'\n[dev-dependencies]\nsled = '1'";

    let expected = BTreeSet::from(["rand".to_owned(), "tokio".to_owned()]);
    assert_eq!(worldly_dependencies(manifest), expected);
}

#[test]
fn every_rule_can_fail() {
    let long = format!("//! Long.\n{}", "\n".repeat(500));
    let cases: [(Rule, &str, &str); 22] = [
        (the_core_has_no_outside, "gateway/core/src/a.rs", "use std::{fmt, fs::File};"),
        (the_core_has_no_outside, "gateway/core/src/a.rs", "let now = Instant::now();"),
        (the_core_has_no_outside, "gateway/core/src/a.rs", "async fn f() {}"),
        (the_core_has_no_outside, "gateway/core/src/a/b.rs", "state: Mutex<u8>,"),
        (a_crate_stays_with_its_owner, "gateway/src/uplink.rs", "let db = sled::open(path);"),
        (a_crate_stays_with_its_owner, "gateway/src/engine.rs", "use ort::session::Session;"),
        (a_crate_stays_with_its_owner, "gateway/src/source/modbus/poll.rs", "use rumqttc::Event;"),
        (a_crate_stays_with_its_owner, "gateway/src/storeroom.rs", "use sled::Db;"),
        (a_crate_stays_with_its_owner, "gateway/src/infer.rs", "use zune_jpeg::JpegDecoder;"),
        (a_crate_stays_with_its_owner, "gateway/src/cli/check.rs", "use tokio_modbus::Slave;"),
        (
            a_source_knows_no_other_and_nothing_downstream,
            "gateway/src/source/mqtt.rs",
            "use super::modbus::Line;",
        ),
        (
            a_source_knows_no_other_and_nothing_downstream,
            "gateway/src/source/modbus/poll.rs",
            "use crate::store::Store;",
        ),
        (
            a_source_knows_no_other_and_nothing_downstream,
            "gateway/src/source/modbus/mod.rs",
            "use crate::source::mqtt;",
        ),
        (
            readings_stay_in_the_box,
            "gateway/src/uplink.rs",
            "use gatehouse_core::reading::Reading;",
        ),
        (readings_stay_in_the_box, "gateway/src/alert/sms.rs", "fn send(r: &Reading) {}"),
        (the_console_only_looks, "gateway/src/console/page.rs", "pipeline: &Pipeline,"),
        (production_has_no_test_branches, "gateway/src/engine.rs", "#[cfg(test)]\nfn now() {}"),
        (production_has_no_test_branches, "gateway/src/engine.rs", "if cfg!(test) { return; }"),
        (lints_are_expected_and_not_allowed, "xtask/src/main.rs", "#[allow(dead_code)]\nfn f() {}"),
        (channels_are_bounded, "gateway/src/engine.rs", "let (a, b) = mpsc::unbounded_channel();"),
        (files_are_short, "tests/src/a.rs", &long),
        (a_file_says_what_it_is_for, "tests/src/a.rs", "fn f() {}"),
    ];

    for (rule, path, text) in cases {
        assert!(rule(&Source::new(path, text)).is_some(), "{path} passes with: {text}");
    }
}

#[test]
fn what_is_allowed_passes() {
    let cases = [
        (
            "gateway/core/src/a.rs",
            "//! Not std::fs.\nlet a = \"Mutex\"; // Instant::now\nuse std::time::Duration;",
        ),
        (
            "gateway/core/src/a.rs",
            "//! A.\n#[cfg(test)]\nmod tests { use std::fs; use rumqttc::Event; }",
        ),
        ("gateway/src/store/disk.rs", "//! A.\nuse sled::Db;"),
        ("gateway/src/store.rs", "//! A.\nuse sled::Db;"),
        ("gateway/sight/src/jpeg.rs", "//! A.\nuse zune_jpeg::JpegDecoder;"),
        ("gateway/src/infer/engine.rs", "//! A.\nuse ort::session::Session;"),
        (
            "gateway/src/source/modbus/poll.rs",
            "//! A.\nuse super::line::Line;\nuse crate::source::Inbox;",
        ),
        ("gateway/src/simulate/meter.rs", "//! A.\nuse tokio_modbus::server::Service;"),
        ("gateway/src/console/page.rs", "//! A.\nuse gatehouse_core::pipeline::Input;"),
        ("tests/src/peers.rs", "//! A.\nuse rumqttc::Client;"),
    ];

    for (path, text) in cases {
        let source = Source::new(path, text);
        let breaches: Vec<String> = RULES.iter().filter_map(|rule| rule(&source)).collect();
        assert_eq!(breaches, Vec::<String>::new(), "{path}: {text}");
    }
}

/// Forbidden crates among a manifest's dependencies; what only tests use is free.
fn worldly_dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = toml::from_str(manifest).unwrap();
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    std::iter::once(&manifest)
        .chain(targets.filter_map(|(_, target)| target.as_table()))
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .flatten()
        .filter_map(toml::Value::as_table)
        .flat_map(toml::Table::keys)
        .filter(|name| NOT_FOR_THE_CORE.contains(&name.as_str()))
        .cloned()
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file of the workspace; those that are declared as test modules are marked.
fn every_source() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["gateway", "tests", "xtask"] {
        collect(&root().join(folder), folder, &mut files);
    }
    let tests: BTreeSet<String> = files.iter().flat_map(test_files).collect();
    for file in &mut files {
        file.is_test = tests.iter().any(|test| {
            file.path == format!("{test}.rs") || file.path.starts_with(&format!("{test}/"))
        });
    }
    files
}

/// The files, without `.rs`, that this one declares as `#[cfg(test)] mod name;`.
fn test_files(source: &Source) -> Vec<String> {
    let (_, names) = code::without_tests(&code::without_prose(&source.text));
    let folder = match source.path.trim_end_matches(".rs").rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        _ => source.path.trim_end_matches(".rs"),
    };
    names.iter().map(|name| format!("{folder}/{name}")).collect()
}

fn collect(folder: &Path, name: &str, found: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let file_name = entry.file_name().unwrap().to_string_lossy().into_owned();
        let path = format!("{name}/{file_name}");
        if entry.is_dir() && file_name != "target" {
            collect(&entry, &path, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(Source::new(&path, &fs::read_to_string(&entry).unwrap()));
        }
    }
}
