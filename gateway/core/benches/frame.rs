//! What one frame costs in the core, from payload to a settled ticket.
//!
//! Budget: under 5 microseconds for a JSON frame of four points with one limit on it, so that a flood
//! of 20 000 frames a second takes a tenth of one core here; wire and acknowledgement come on top.
//! `window push` stands beside it as the yardstick: figures are worth quoting as ratios to it.

use std::sync::Arc;
use std::time::Duration;

use divan::black_box;
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::people::Duties;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::Scene;
use gatehouse_core::community::{Address, Community, Device, Source, SourceKind, site};
use gatehouse_core::pipeline::{Input, Pipeline, Restored, Settings};
use gatehouse_core::reading::{Body, DeviceIndex, Frame, SourceIndex, Ticket, Timestamp};
use gatehouse_core::window::Recent;

fn main() {
    divan::main();
}

const ENV: &str = include_str!("env.toml");
const LIMIT: &str = include_str!("heat.toml");
const RULE: &str = "[scene]\nid='hot'\ntitle={zh='',en=''}\ncategory='environment'\n\
    advice={zh='',en=''}\n[[detector]]\nid='hot'\nwhen='temp > 40.0 && hum < 20.0'";

fn pipeline(scene: &str) -> Pipeline {
    let parse = |text| toml::from_str::<Scene>(text).expect("a constant of this file");
    let device_type: DeviceType = toml::from_str(ENV).expect("a constant of this file");
    let device_type = Arc::new(device_type);
    let device = |i: usize| Device {
        id: format!("dev{i:04}"),
        title: Text::default(),
        device_type: Arc::clone(&device_type),
        area: 0,
        location: None,
        at: None,
        feeder: None,
        source: SourceIndex(0),
        address: Address::Topic(String::new()),
    };
    let community = Community {
        id: "c".into(),
        title: Text::default(),
        township: "t".into(),
        gateway: "g".into(),
        calendar: None,
        plan_size: None,
        interlocks: Vec::new(),
        areas: vec![site::Area {
            id: "a".into(),
            title: Text::default(),
            people: 10,
            ..site::Area::default()
        }],
        duties: Duties::default(),
        feeders: Vec::new(),
        sources: vec![Source { id: "s".into(), kind: SourceKind::Broker }],
        device_types: vec![Arc::clone(&device_type)],
        devices: (0..100).map(device).collect(),
        scenes: vec![Arc::new(parse(scene))],
        models: Vec::new(),
    };
    Pipeline::new(Arc::new(community), Settings::default(), Restored::default(), Timestamp(0))
        .expect("the scenes of this file work")
}

fn frame(bencher: divan::Bencher, scene: &str) {
    let mut pipeline = pipeline(scene);
    let payload = br#"{"ts":1767225600000,"seq":4711,"temp":21.5,"hum":47.3,"pm25":31,"co2":612}"#;
    let mut id = 0;
    bencher.bench_local(move || {
        id += 1;
        let at = Timestamp(1_767_225_600_000 + i64::try_from(id).unwrap_or(0));
        let device = DeviceIndex(usize::try_from(id % 100).unwrap_or(0));
        let ticket = Some(Ticket { source: SourceIndex(0), id });
        let body = Body::Payload(payload.to_vec());
        pipeline.handle(Input::Frame(Frame { device, ticket, body }), at);
        while let Some(output) = pipeline.poll_output() {
            black_box(output);
        }
    });
}

#[divan::bench]
fn json_frame_with_a_limit(bencher: divan::Bencher) {
    frame(bencher, LIMIT);
}

#[divan::bench]
fn json_frame_with_a_cel_rule(bencher: divan::Bencher) {
    frame(bencher, RULE);
}

#[divan::bench]
fn window_push(bencher: divan::Bencher) {
    let mut recent = Recent::default();
    let mut at = Timestamp(0);
    bencher.bench_local(move || {
        at = at + Duration::from_secs(3);
        recent.push(at, black_box(21.5));
    });
}
