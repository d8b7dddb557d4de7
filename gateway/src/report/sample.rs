//! A made-up month for tests: the same one for the same seed.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::{Category, Tier};
use gatehouse_core::community::site::Area;
use gatehouse_core::community::{Address, Community, Device};
use gatehouse_core::event::message::{Stage, State};
use gatehouse_core::event::summary::Summary;
use gatehouse_core::event::verdict::{Raised, Said, Verdict};
use gatehouse_core::reading::{SourceIndex, Timestamp};
use gatehouse_core::report::handling::Limits;
use gatehouse_core::report::{Grounds, Report};

const TYPE: &str = r#"
device-type = { id = "any", title = { zh = "传感器", en = "Sensor" }, via = "mqtt" }
[[point]]
name = "value"
at = { json = "/value" }
unit = "1"
"#;

const AREAS: [(&str, &str, &str); 4] = [
    ("east", "东区网格", "East grid"),
    ("west", "西区网格", "West grid"),
    ("north", "北区网格", "North grid"),
    ("center", "中心广场", "Central square"),
];

type Kind = (&'static str, Category, &'static str, &'static str, &'static str, u64);

const SCENES: [Kind; 8] = [
    ("fire-lane-blocked", Category::Parking, "消防通道被占", "Fire lane blocked", "occupied", 22),
    ("bin-overflow", Category::Waste, "垃圾桶满溢", "Bin overflowing", "full", 30),
    ("smoke-heat", Category::Safety, "烟感报警", "Smoke or heat", "smoke", 5),
    ("air-quality", Category::Environment, "空气质量异常", "Bad air", "pm-high", 16),
    ("noise", Category::Environment, "夜间噪声", "Noise at night", "night-noise", 20),
    ("pump-room", Category::Facility, "水泵房异常", "Pump room out of order", "pressure", 8),
    ("water-leak", Category::Facility, "疑似漏水", "Water leak suspected", "night-flow", 9),
    ("device-silent", Category::Facility, "设备失联", "Device silent", "silence", 8),
];

/// Knuth's 64-bit linear congruential generator: enough for a made-up month.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most.max(1)
    }

    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Four areas with a device for each scene, on China's clock.
pub(crate) fn community() -> Community {
    let device_type: Arc<DeviceType> = Arc::new(toml::from_str(TYPE).unwrap());
    let mut devices = Vec::new();
    for (area, (id, zh, en)) in AREAS.iter().enumerate() {
        for (scene, _, scene_zh, scene_en, ..) in SCENES {
            devices.push(Device {
                id: format!("{id}-{scene}"),
                title: Text::new(
                    format!("{zh}{}探测器", &scene_zh[..6]),
                    format!("{en}, {} sensor", scene_en.split(' ').next().unwrap()),
                ),
                device_type: Arc::clone(&device_type),
                area,
                location: None,
                at: None,
                feeder: None,
                source: SourceIndex(0),
                address: Address::Replay,
            });
        }
    }
    Community {
        id: "sunny-garden".into(),
        title: Text::new("阳光花园社区", "Sunny Garden"),
        township: "town".into(),
        gateway: "gw".into(),
        calendar: Some(Arc::new(toml::from_str("time-zone = \"+08:00\"").unwrap())),
        areas: AREAS
            .iter()
            .map(|(id, zh, en)| Area {
                id: (*id).into(),
                title: Text::new(*zh, *en),
                people: 800,
                outline: Vec::new(),
            })
            .collect(),
        feeders: vec![],
        sources: vec![],
        device_types: vec![device_type],
        devices,
        scenes: vec![],
        models: vec![],
        plan_size: None,
        interlocks: Vec::new(),
        duties: gatehouse_core::community::people::Duties::default(),
    }
}

/// That many events of October and November 2026.
pub(crate) fn events(many: u64, seed: u64) -> Vec<Summary> {
    let mut chance = Chance(seed);
    (0..many).map(|number| event(number, &mut chance)).collect()
}

fn event(number: u64, chance: &mut Chance) -> Summary {
    let begins: Timestamp = "2026-10-01T00:00:00+08:00".parse().unwrap();
    let mut draw = chance.below(SCENES.iter().map(|kind| kind.5).sum());
    let kind = SCENES
        .iter()
        .find(|kind| {
            let is_it = draw < kind.5;
            draw = draw.saturating_sub(kind.5);
            is_it
        })
        .unwrap();
    let (scene, category, zh, en, detector, _) = *kind;
    let hour = if scene == "noise" { (22 + chance.below(5)) % 24 } else { 6 + chance.below(17) };
    let opened = begins
        + Duration::from_hours(24 * chance.below(61) + hour)
        + Duration::from_secs(chance.below(3_600));
    let level = [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4][usize::try_from(chance.below(12)).unwrap()];
    let is_night = (hour + 1) % 24 < 7;
    let slow = if is_night { 6 } else { 1 };
    let after = |seconds: u64| Some(opened + Duration::from_secs(seconds));
    let looked = 40 + chance.below(600) * slow;
    let handled = looked + 300 + chance.below(5_000) * slow;
    let (is_seen, is_closed) = (chance.is(92), chance.is(95));
    let verdict = match chance.below(10) {
        0..=3 => Some(Verdict::Real),
        4 if scene == "noise" => Some(Verdict::Real),
        4..=6 if scene == "noise" => Some(Verdict::FalseAlarm),
        5 => Some(Verdict::FalseAlarm),
        6 => Some(Verdict::PlannedWork),
        _ => None,
    };
    let (area, ..) = AREAS[usize::try_from(chance.below(10)).unwrap().min(3)];
    let done = is_seen && is_closed;
    let is_shelved = number.is_multiple_of(29);
    Summary {
        event: format!("E{number:08}"),
        scene: scene.into(),
        category,
        area: area.into(),
        device: format!("{area}-{scene}"),
        title: Text::new(zh, en),
        level,
        tier: Tier::Grid,
        state: if is_closed { State::Cleared } else { State::Open },
        stage: if done { Stage::Closed } else { Stage::Raised },
        assignee: None,
        drill: chance.is(1),
        verdict,
        started: opened,
        opened,
        acknowledged: is_seen.then(|| after(looked)).flatten(),
        dispatched: None,
        handled: done.then(|| after(handled)).flatten(),
        cleared: is_closed.then(|| after(handled + 600)).flatten(),
        verified: None,
        closed: done.then(|| after(handled + 900)).flatten(),
        escalated: u8::from(looked > 3_000),
        reopened: u8::from(chance.is(6)),
        shelved: u8::from(is_shelved),
        shelved_ms: if is_shelved { (number % 7 + 1) * 1_800_000 } else { 0 },
        shelved_since: None,
        detector: detector.into(),
    }
}

/// What a scene on trial would have raised in November.
fn trials() -> Vec<Raised> {
    let begins: Timestamp = "2026-11-03T09:00:00+08:00".parse().unwrap();
    let raised = |number: u32| {
        let opened = begins + Duration::from_hours(31) * number;
        let verdict = if number.is_multiple_of(3) { Verdict::Real } else { Verdict::FalseAlarm };
        let said = Said { verdict, by: "Li".into(), note: String::new(), at: opened };
        Raised {
            event: format!("P{number}"),
            scene: "balcony-smoke".into(),
            title: Text::new("阳台烟雾", "Smoke on a balcony"),
            why: Text::default(),
            area: "east".into(),
            device: "east-smoke-heat".into(),
            level: 2,
            opened,
            over: None,
            speakers: std::collections::BTreeSet::new(),
            said: (number < 6).then_some(said),
            is_pilot: true,
        }
    };
    (0..9).map(raised).collect()
}

/// How soon somebody has to come.
pub(crate) fn limits() -> Limits {
    let minutes = |minutes| Some(Duration::from_mins(minutes));
    Limits {
        acknowledge: [minutes(5), minutes(15), minutes(30), minutes(120)],
        handle: [minutes(60), minutes(240), minutes(480), minutes(1_440)],
    }
}

/// November's report, made on the first of December.
pub(crate) fn report(events: &[Summary]) -> Report {
    let community = community();
    let raised = trials();
    let grounds = Grounds {
        community: &community,
        limits: limits(),
        events,
        undated: &[],
        raised: &raised,
        known_since: None,
    };
    Report::of("2026-11".parse().unwrap(), &grounds, now())
}

pub(crate) fn now() -> Timestamp {
    "2026-12-01T08:00:00+08:00".parse().unwrap()
}
