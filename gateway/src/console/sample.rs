//! A made-up community for the console's tests: a few devices of each kind, and trouble on request.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::people::Duties;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::{Category, Tier};
use gatehouse_core::community::site::Area;
use gatehouse_core::community::{Address, Community, Device};
use gatehouse_core::event::message::{
    Cause, Certainty, Contribution, EventData, Grading, Handling, Review, State, Urgency,
};
use gatehouse_core::reading::{Quality, SourceIndex, TimeQuality, Timestamp};
use gatehouse_core::view::{BudgetView, Counts, DeviceView, EventView, SourceView, View};

const AIR: &str = r#"
device-type = { id = "air-z2m", title = { zh = "空气站", en = "Air station" }, via = "mqtt" }
[[point]]
name = "temperature"
title = { zh = "温度", en = "Temperature" }
at = { json = "/temperature" }
unit = "degC"
[[point]]
name = "pm2_5"
title = { zh = "PM2.5", en = "PM2.5" }
at = { json = "/pm25" }
unit = "ug/m3"
"#;

const LANE: &str = r#"
device-type = { id = "lane", title = { zh = "地磁", en = "Geomagnetic sensor" }, via = "mqtt" }
[[point]]
name = "occupied"
title = { zh = "占用", en = "Occupied" }
at = { json = "/occupied" }
unit = "1"
"#;

/// When the samples are made.
pub(crate) const NOW: Timestamp = Timestamp(1_767_225_600_000);

const AREAS: [(&str, &str, &str); 4] = [
    ("east", "东区", "East"),
    ("west", "西区", "West"),
    ("north", "北区", "North"),
    ("south", "南区", "South"),
];

/// Four areas with two air stations and a fire lane each.
pub(crate) fn community() -> Community {
    let air: Arc<DeviceType> = Arc::new(toml::from_str(AIR).unwrap());
    let lane: Arc<DeviceType> = Arc::new(toml::from_str(LANE).unwrap());
    let mut devices = Vec::new();
    for (area, (id, zh, en)) in AREAS.iter().enumerate() {
        for (name, kind, title) in [
            ("air-1", &air, Text::new(format!("{zh}1号空气站"), format!("{en} air station 1"))),
            ("air-2", &air, Text::new(format!("{zh}2号空气站"), format!("{en} air station 2"))),
            ("lane", &lane, Text::new(format!("{zh}消防通道"), format!("{en} fire lane"))),
        ] {
            devices.push(Device {
                id: format!("{id}-{name}"),
                title,
                device_type: Arc::clone(kind),
                area,
                location: Some(Text::new("3号楼北侧", "north of block 3")),
                at: None,
                feeder: None,
                source: SourceIndex(0),
                address: Address::Topic(format!("sense/{id}/{name}")),
            });
        }
    }
    Community {
        id: "sunny-garden".into(),
        title: Text::new("阳光花园", "Sunny Garden"),
        township: "demo-town".into(),
        calendar: None,
        plan_size: None,
        interlocks: Vec::new(),
        duties: Duties::default(),
        gateway: "gw-demo".into(),
        areas: AREAS
            .iter()
            .map(|(id, zh, en)| Area {
                id: (*id).into(),
                title: Text::new(*zh, *en),
                people: 800,
                ..Area::default()
            })
            .collect(),
        feeders: vec![],
        sources: vec![],
        device_types: vec![air, lane],
        devices,
        scenes: vec![],
        models: vec![],
    }
}

/// All is well.
pub(crate) fn quiet() -> View {
    let devices = community().devices.into_iter().enumerate().map(|(index, device)| DeviceView {
        id: device.id,
        index,
        last_frame: Some(Timestamp(NOW.0 - 3_000)),
        silent: false,
        frames: 400,
        points: match device.device_type.points.len() {
            1 => vec![(Some(0.0), Quality::Good)],
            _ => vec![(Some(21.5), Quality::Good), (Some(38.2), Quality::Good)],
        },
        learning: Vec::new(),
        refused: BTreeMap::new(),
    });
    View {
        at: NOW,
        time_quality: TimeQuality::Synced,
        events: vec![],
        returned: vec![],
        closed: vec![],
        scenes: vec![],
        devices: devices.collect(),
        sources: ["sensors", "pump-room", "meters"]
            .map(|id| SourceView {
                id: id.into(),
                down: None,
                has_been_up: true,
                dropped: BTreeMap::new(),
            })
            .into(),
        budgets: vec![BudgetView {
            scene: "odd-air".into(),
            rate: 0.000_005,
            correction: 0.25,
            used: 1,
            held_back: 2,
        }],
        counts: Counts { frames: 9_600, readings: 18_240, ..Counts::default() },
    }
}

/// Three events, a dead line, a silent device and some refusals.
pub(super) fn troubled() -> View {
    let mut view = quiet();
    view.events = vec![
        event(1, "east-lane", ("消防通道被占", "Fire lane blocked"), State::Open, 7),
        event(3, "west-air-1", ("空气质量差", "Poor air"), State::Unknown, 95),
        event(4, "north-air-2", ("垃圾桶将满", "Bin nearly full"), State::Open, 3_000),
    ];
    view.sources[1].down = Some(Text::alike("no answer within 500 ms"));
    view.sources[0].dropped = BTreeMap::from([("queue-full", 12)]);
    view.devices[3].silent = true;
    view.devices[3].points[1] = (Some(88.0), Quality::Stale);
    view.devices[4].points[1] = (None, Quality::NoData);
    view.devices[4].learning = vec![0];
    view.devices[4].refused = BTreeMap::from([("out-of-range", 3), ("not-json", 14)]);
    view.devices[5].last_frame = None;
    view.devices[5].silent = true;
    view.counts.refused = BTreeMap::from([("out-of-range", 3), ("not-json", 14)]);
    view.counts.records = BTreeMap::from([("opened", 3), ("escalated", 1)]);
    view
}

/// An open event of a device, begun some minutes ago.
pub(super) fn event(
    level: u8,
    device: &str,
    (zh, en): (&str, &str),
    state: State,
    minutes: i64,
) -> EventView {
    let started = Timestamp(NOW.0 - minutes * 60_000);
    let area = device.split('-').next().unwrap_or_default().to_owned();
    let cause = Cause {
        detector: "pm-high".into(),
        model: "rule".into(),
        score: 0.34,
        threshold: 75.0,
        false_alarms_per_week: None,
        why: Text::new(
            "PM2.5 为 100.5 µg/m³,已超过 75 µg/m³ 达 5 分钟",
            "PM2.5 is 100.5 µg/m³, above 75 µg/m³ for 5 min",
        ),
        contributions: vec![Contribution {
            device: device.into(),
            point: "pm2_5".into(),
            observed: Some(100.5),
            expected: (None, Some(75.0)),
            unit: "ug/m3".into(),
            share: 1.0,
        }],
        grading: Grading { over: 0.34, lasted: 300.0, people: 800, certainty: 0.9, devices: 1 },
        quality: 0.97,
    };
    let data = EventData {
        event: format!("01JGD5Y{level}00{}", device.to_uppercase()),
        scene: "air-quality".into(),
        category: Category::Environment,
        title: Text::new(zh, en),
        level,
        urgency: Urgency::Expected,
        certainty: Certainty::Observed,
        state,
        tier: Tier::Grid,
        area,
        device: device.into(),
        location: Text::new("3号楼北侧", "north of block 3"),
        started: started.rfc3339(),
        detected: started.rfc3339(),
        cause,
        affected: vec![device.into()],
        advice: Text::new(
            "请关窗,并到现场查看附近是否有露天焚烧或施工扬尘。",
            "Keep windows shut; look for open burning or building dust nearby.",
        ),
        evidence: vec![],
        review: Review::default(),
        drill: false,
        handling: Handling::default(),
        reports: Vec::new(),
        echo: BTreeMap::new(),
    };
    EventView { started, data, is_pilot: false, needs_review: false }
}
