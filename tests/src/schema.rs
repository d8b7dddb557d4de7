//! What leaves the box is what its published schema says, judged by a validator of other people's.

use std::process::Command as Process;
use std::sync::Arc;

use gatehouse_core::command::Received;
use gatehouse_core::community::build::{File, Files, Surroundings, build};
use gatehouse_core::community::{ModelSpec, Source, SourceKind};
use gatehouse_core::pipeline::{Input, Output, Pipeline, Restored, Settings};
use gatehouse_core::reading::{Body, DeviceIndex, Frame, Timestamp};
use serde_json::{Value, json};

use crate::peers::{gatehouse, workspace};

fn schema(name: &str) -> Value {
    let printed = Process::new(gatehouse()).args(["schema", name]).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    serde_json::from_slice(&printed.stdout).unwrap()
}

fn read(path: &str) -> File {
    let text = std::fs::read_to_string(workspace().join("config").join(path)).unwrap();
    File { name: path.to_owned(), text }
}

fn folder(path: &str) -> Vec<File> {
    let entries = std::fs::read_dir(workspace().join("config").join(path)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.iter().map(|name| read(&format!("{path}/{name}"))).collect()
}

/// Everything that the shipped community says while each of its devices goes wild for an hour.
fn messages() -> Vec<Value> {
    let files = Files {
        community: read("community.toml"),
        device_types: folder("device-types"),
        scenes: folder("scenes"),
    };
    let source = |id: &str, kind| Source { id: id.into(), kind };
    let around = Surroundings {
        township: "town".into(),
        gateway: "gw".into(),
        sources: Some(vec![
            source("sensors", SourceKind::Broker),
            source("pump-room", SourceKind::Line),
            source("meters", SourceKind::Line),
            source("lane-east", SourceKind::Camera),
            source("parking-south", SourceKind::Camera),
            source("lift-west", SourceKind::Camera),
            source("yard-north", SourceKind::Camera),
            source("bins-south", SourceKind::Camera),
        ]),
        models: Some(
            [("forecast", 35, 9), ("limit-forecast", 39, 44)]
                .map(|(name, window, outputs)| ModelSpec {
                    name: name.into(),
                    version: "1".into(),
                    window,
                    outputs,
                })
                .into(),
        ),
        ..Surroundings::default()
    };
    let community = build(&files, &around).unwrap().community;
    let start = Timestamp(1_772_323_200_000);
    let mut pipeline =
        Pipeline::new(Arc::clone(&community), Settings::default(), Restored::default(), start)
            .unwrap();
    let mut messages = Vec::new();
    for minute in 0..90 {
        let now = Timestamp(start.0 + minute * 60_000);
        for (index, device) in community.devices.iter().enumerate() {
            let high = |range: Option<(f64, f64)>| {
                range.map_or(1.0, |(low, high)| low + 0.99 * (high - low))
            };
            let low = |range: Option<(f64, f64)>| {
                range.map_or(0.0, |(low, high)| low + 0.01 * (high - low))
            };
            let values = device
                .device_type
                .points
                .iter()
                .map(|point| if minute < 30 { high(point.range) } else { low(point.range) });
            let body = Body::Values { at: now, values: values.collect() };
            // The last devices fall silent after half an hour.
            if index < 50 || minute < 30 {
                let frame = Frame { device: DeviceIndex(index), ticket: None, body };
                pipeline.handle(Input::Frame(frame), now);
            }
        }
        pipeline.handle_timeout(now);
        while let Some(output) = pipeline.poll_output() {
            if let Output::Store(batch) = output {
                messages.extend(
                    batch.records.iter().map(|r| serde_json::from_slice::<Value>(&r.json).unwrap()),
                );
            }
        }
    }
    messages
}

#[test]
fn every_message_is_what_its_schema_says() {
    let validator = jsonschema::validator_for(&schema("event")).unwrap();
    let messages = messages();

    let kinds: std::collections::BTreeSet<&str> =
        messages.iter().map(|m| m["type"].as_str().unwrap()).collect();
    assert!(messages.len() > 50 && kinds.len() >= 4, "{} {kinds:?}", messages.len());
    for message in &messages {
        let faults: Vec<String> =
            validator.iter_errors(message).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:?} in {message:#}");
    }
}

#[test]
fn a_message_that_lacks_a_reason_does_not_pass() {
    let validator = jsonschema::validator_for(&schema("event")).unwrap();
    let mut message = messages().remove(0);
    assert!(validator.is_valid(&message));

    message["data"]["cause"].as_object_mut().unwrap().remove("why");
    assert!(!validator.is_valid(&message));
    let mut message = messages().remove(0);
    message["data"]["state"] = json!("forgotten");
    assert!(!validator.is_valid(&message));
}

#[test]
fn a_command_that_the_gateway_reads_is_what_the_schema_says_and_its_answer_too() {
    let commands = jsonschema::validator_for(&schema("command")).unwrap();
    let replies = jsonschema::validator_for(&schema("reply")).unwrap();
    let whole = json!({
        "id": "c-1", "expires": "2030-01-01T00:00:00Z", "command": "event.close",
        "args": { "event": "01J" }, "sig": "e30..x",
    });
    assert!(commands.is_valid(&whole) && Received::read(whole.to_string().as_bytes()).is_ok());

    for (key, value) in [("command", json!("event.clos")), ("id", json!("")), ("more", json!(1))] {
        let mut wrong = whole.clone();
        wrong[key] = value;
        assert!(!commands.is_valid(&wrong), "{wrong}");
        let reply = Received::read(wrong.to_string().as_bytes()).unwrap_err();
        let reply = serde_json::to_value(reply).unwrap();
        assert!(replies.is_valid(&reply), "{reply}");
    }
}

#[test]
fn the_shipped_files_are_what_their_schemas_say() {
    for (name, files) in [
        ("device-type", folder("device-types")),
        ("scene", folder("scenes")),
        ("community", vec![read("community.toml")]),
        ("config", vec![read("gateway.toml")]),
    ] {
        let validator = jsonschema::validator_for(&schema(name)).unwrap();
        for File { name, text } in files {
            let value: Value = toml::from_str(&text).unwrap();
            let faults: Vec<String> = validator
                .iter_errors(&value)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{name}: {faults:?}");
        }
    }
}
