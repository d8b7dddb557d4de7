//! A gateway's past in a real store, and what is made of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gatehouse_core::pipeline::{Input, Output, Pipeline, Settings};
use gatehouse_core::reading::{Body, DeviceIndex, Frame, TimeQuality};
use proptest::prelude::*;
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::backtest::play;
use crate::stage;
use crate::store::Store;

const AIR: &str = r#"
[device-type]
id = "air"
title = { zh = "空气", en = "air" }
via = "mqtt"
[[point]]
name = "pm"
at = { json = "/pm" }
unit = "ug/m3"
range = [0, 2000]
[[example]]
payload = '{"pm": 20.5}'
expect = { pm = 20.5 }
"#;

const SCENE: &str = r#"
[scene]
id = "dust"
title = { zh = "扬尘", en = "dust" }
category = "environment"
reopen-within = "0 s"
advice = { zh = "看", en = "look" }
[[detector]]
id = "high"
point = "pm"
limit-high = "150 ug/m3"
deadband = "10 ug/m3"
on-delay = "20 min"
off-delay = "5 min"
"#;

/// 2026-03-01, midnight.
const START: Timestamp = Timestamp(1_772_323_200_000);

/// A configuration of two stations, and its store.
struct Home {
    folder: tempfile::TempDir,
    now: Timestamp,
    /// Every reading.
    said: Vec<(Timestamp, f64)>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for name in ["device-types", "scenes"] {
            fs::create_dir(at.join(name)).unwrap();
        }
        let gateway = format!(
            "[gateway]\nid = \"g\"\ntownship = \"t\"\n[[broker]]\nid = \"b\"\nurl = \"mqtt://127.0.0.1\"\n\
             [store]\npath = \"{}\"\n[models]\npath = \"{}\"\n",
            at.join("data").display(),
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").display()
        );
        let community = "[community]\nid = \"c\"\ntitle = { zh = \"社区\", en = \"community\" }\n\
             [[area]]\nid = \"east\"\ntitle = { zh = \"东区\", en = \"east\" }\npeople = 50\n\
             [[device]]\nid = \"air-1\"\ntype = \"air\"\narea = \"east\"\n\
             [[device]]\nid = \"air-2\"\ntype = \"air\"\narea = \"east\"\n";
        let files = [
            ("gateway.toml", gateway.as_str()),
            ("community.toml", community),
            ("device-types/air.toml", AIR),
            ("scenes/dust.toml", SCENE),
        ];
        for (name, text) in files {
            fs::write(at.join(name), text).unwrap();
        }
        Self { folder, now: START, said: Vec::new() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Lets the gateway run while the first station says these values, each for so many minutes; `None`
    /// is silence. With `cut`, the power fails at the end.
    fn run(&mut self, says: &[(Option<f64>, u64)], cut: bool) -> &mut Self {
        let setup = check::load(self.path()).unwrap().into_setup();
        let (store, restored) = Store::open(&setup.config.store).unwrap();
        let (inputs, mut reports) = mpsc::channel(1_000);
        let (batches, writer) = store.spawn_writer(inputs.downgrade()).unwrap();
        let mut pipeline =
            Pipeline::new(setup.community, Settings::default(), restored, self.now).unwrap();
        let mut drain = |pipeline: &mut Pipeline, now| {
            while let Some(output) = pipeline.poll_output() {
                if let Output::Store(batch) = output {
                    let sent = batch.number;
                    batches.send(batch);
                    // The disk takes its own time, and not the story's.
                    let is_stored =
                        |report| matches!(report, Input::Stored { through } if through == sent);
                    while !is_stored(reports.blocking_recv().unwrap()) {}
                    pipeline.handle(Input::Stored { through: sent }, now);
                }
            }
        };
        pipeline.handle(Input::Clock(TimeQuality::Synced), self.now);
        for (value, minutes) in says {
            for _ in 0..*minutes {
                while let Some(due) = pipeline.poll_timeout().filter(|due| *due <= self.now) {
                    pipeline.handle_timeout(due);
                    drain(&mut pipeline, due);
                }
                if let Some(value) = value {
                    self.said.push((self.now, *value));
                    let body = Body::Payload(format!("{{\"pm\": {value}}}").into_bytes());
                    let frame = Frame { device: DeviceIndex(0), ticket: None, body };
                    pipeline.handle(Input::Frame(frame), self.now);
                    drain(&mut pipeline, self.now);
                }
                self.now = self.now + Duration::from_mins(1);
            }
        }
        if !cut {
            pipeline.handle_stop(self.now);
            drain(&mut pipeline, self.now);
        }
        drop(batches);
        writer.join().unwrap();
        self
    }

    fn report(&self, scene: &str) -> Value {
        let file = self.path().join("changed.toml");
        fs::write(&file, scene).unwrap();
        let args = Args {
            config: self.path().to_owned(),
            scene: file,
            from: Moment::At(START),
            to: Moment::Ago(Duration::ZERO),
            json: true,
        };
        serde_json::to_value(look(&args, self.now).unwrap().unwrap()).unwrap()
    }
}

fn limit(limit: u32) -> String {
    SCENE.replace("150 ug", &format!("{limit} ug"))
}

fn counts(report: &Value) -> [u64; 6] {
    let of = |name: &str| report["summary"][name].as_u64().unwrap();
    ["live", "changed", "same", "new", "perhaps", "gone"].map(of)
}

#[test]
fn a_lower_limit_finds_what_the_live_one_found_and_more() {
    let mut home = Home::new();
    home.run(
        &[
            (Some(40.0), 120),
            (Some(160.5), 120),
            (Some(40.0), 120),
            (Some(120.0), 120),
            (Some(40.0), 120),
            (Some(120.0), 15),
            (Some(40.0), 105),
            (None, 180),
            (Some(40.0), 60),
        ],
        false,
    );

    let report = home.report(&limit(100));
    assert_eq!(counts(&report), [1, 2, 1, 1, 1, 0], "{report:#}");
    let missing = report["summary"]["missing_minutes"].as_u64().unwrap();
    assert_eq!(missing, 180 + 960, "three hours of one, all of the other");
    assert_eq!(report["changed"][1]["from"], "2026-03-01T06:00:00.000Z");
    let told = report["cannot_show"].to_string();
    assert!(told.contains("nothing was kept of air-2"), "{told}");

    let report = home.report(&limit(200));
    assert_eq!(counts(&report), [1, 0, 0, 0, 0, 1], "{report:#}");
    let guessing = format!("{}[[detector]]\nid = \"odd\"\nmodel = \"forecast\"\n", limit(200));
    assert_eq!(home.report(&guessing)["summary"]["unknown"], 1, "a model may have found it");
    let report = home.report(&limit(150));
    assert_eq!(counts(&report), [1, 1, 1, 0, 0, 0], "{report:#}");
    let patient = limit(100).replace("20 min", "35 min");
    assert_eq!(counts(&home.report(&patient)), [1, 2, 1, 1, 0, 0], "a quarter is too short");
}

#[test]
fn what_is_kept_survives_a_restart_and_a_power_cut_costs_an_hour_at_most() {
    let mut home = Home::new();
    home.run(&[(Some(40.0), 200)], false).run(&[(Some(120.0), 250)], true);
    let before = home.report(&limit(100));
    home.run(&[(Some(40.0), 30)], false);

    for report in [before, home.report(&limit(100))] {
        assert_eq!(counts(&report), [0, 1, 0, 1, 0, 0], "{report:#}");
        let rows = report["rows"].as_array().unwrap();
        let missing = rows[0]["missing_minutes"].as_u64().unwrap();
        assert!(rows[0]["subject"] == "air-1" && missing <= 60 + 15, "{report:#}");
    }
}

#[test]
fn a_scene_with_a_fault_is_refused_and_a_time_that_is_none_as_well() {
    let home = Home::new();
    let file = home.path().join("changed.toml");
    fs::write(&file, SCENE.replace("\"pm\"", "\"dust\"")).unwrap();
    let at = |from: &str, to: &str| Args {
        config: home.path().to_owned(),
        scene: file.clone(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        json: false,
    };

    assert!(look(&at("2026-03-01", "2026-03-02"), home.now).unwrap().is_none());
    assert!(look(&at("-1d", "-2d"), home.now).unwrap().is_none());
    let faults = check::load_changed(home.path(), &file).err().unwrap().plain();
    assert!(faults.contains("changed.toml:10:9: no device type of this scene has"), "{faults}");
    assert!("yesterday".parse::<Moment>().is_err());
    assert!("-yesterday".parse::<Moment>().is_err());
}

#[test]
fn around_an_event_every_reading_is_known_and_short_delays_can_be_tried() {
    let mut home = Home::new();
    let minutes = [(40.0, 120), (120.1, 3), (40.0, 20), (160.5, 40), (40.0, 60)];
    home.run(&minutes.map(|(value, minutes)| (Some(value), minutes)), false);

    let report = home.report(&limit(120).replace("20 min", "2 min"));
    assert_eq!(counts(&report), [1, 2, 1, 1, 0, 0], "{report:#}");
    let opened: Vec<&str> =
        (0..2).map(|i| report["changed"][i]["from"].as_str().unwrap()).collect();
    assert_eq!(opened, ["2026-03-01T02:02:00.000Z", "2026-03-01T02:25:00.000Z"]);
    assert_eq!(report["changed"][0]["how"], "readings");

    let rising = SCENE
        .replace("limit-high = \"150 ug/m3\"\ndeadband = \"10 ug/m3\"", "when = \"rate.pm > 30.0\"")
        .replace("point = \"pm\"\n", "")
        .replace("20 min", "0 s");
    let report = home.report(&rising);
    assert_eq!(
        counts(&report),
        [1, 1, 1, 0, 0, 0],
        "the rise to 160, and not that to 120: {report:#}"
    );
    let told = report["cannot_show"].to_string();
    assert!(told.contains("looks at the minutes before a reading"), "{told}");
}

#[test]
fn a_disk_without_room_for_the_next_start_keeps_no_readings_and_all_events() {
    let mut home = Home::new();
    // Where the room would be kept stands something that is in the way.
    fs::create_dir_all(home.path().join("data/reserve")).unwrap();
    home.run(&[(Some(40.0), 60), (Some(160.0), 60)], false);

    let report = home.report(&limit(100));

    assert_eq!(counts(&report), [1, 0, 0, 0, 0, 0], "{report:#}");
    assert_eq!(report["summary"]["unknown"], 1);
    assert!(!home.path().join("data/kept").exists());
}

#[test]
fn a_model_is_shown_the_means_of_quarters_and_what_it_finds_is_perhaps() {
    let mut home = Home::new();
    let noise = |i: u32| Some(40.0 + f64::from(i.wrapping_mul(2_654_435_769) >> 22) / 1024.0);
    let days: Vec<_> = (0..600).map(|i| (noise(i), 15)).chain([(Some(140.0), 60)]).collect();
    home.run(&days, false);
    let model = "[[detector]]\nid = \"unusual\"\nmodel = \"forecast\"\n";

    let report = home.report(&format!("{SCENE}{model}"));

    let found = report["changed"].as_array().unwrap();
    let jump = found.last().unwrap();
    assert!(found.len() <= 3, "{report:#}");
    assert_eq!((&jump["how"], &jump["is_sure"]), (&"means".into(), &false.into()), "{report:#}");
    assert_eq!(jump["from"], "2026-03-07T06:00:00.000Z");
    let told = report["cannot_show"].to_string();
    assert!(told.contains("`unusual` is a model: it was shown the means"), "{told}");
}

/// What the scene raises when it is run on every reading.
fn truth(home: &Home, scene: &str) -> Vec<play::Raised> {
    let file = home.path().join("changed.toml");
    fs::write(&file, scene).unwrap();
    let community = check::load_changed(home.path(), &file).unwrap().loaded.into_setup().community;
    let device_type = &community.devices[0].device_type;
    let one = stage::one_device(device_type, community.scenes.clone(), &community);
    let mut play = play::Play::new(one, None, START).unwrap();
    for (at, value) in &home.said {
        play.frame(DeviceIndex(0), *at, vec![*value]);
    }
    play.finish(home.now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_it_says_is_sure_happens_and_what_happens_it_says(
        says in prop::collection::vec(
            (prop_oneof![Just(Some(40.0)), Just(Some(99.9)), Just(Some(120.5)), Just(Some(160.0)), Just(None)], 1..70_u64),
            4..20,
        ),
        on in prop_oneof![Just(0_u64), 1..60_u64],
        cut in any::<bool>(),
    ) {
        let mut home = Home::new();
        let (before, after) = says.split_at(says.len() / 2);
        home.run(before, false).run(after, false);
        let scene = limit(100).replace("20 min", &format!("{on} min"));
        let scene = if cut { scene.replace("reopen-within = \"0 s\"", "") } else { scene };

        let (events, report) = (truth(&home, &scene), home.report(&scene));

        let at = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
        let found = report["changed"].as_array().unwrap();
        let is_at = |event: &play::Raised, finding: &Value| {
            event.opened <= at(&finding["until"])
                && event.cleared.is_none_or(|cleared| cleared >= at(&finding["from"]))
        };
        for finding in found.iter().filter(|finding| finding["is_sure"] == true) {
            prop_assert!(events.iter().any(|event| is_at(event, finding)), "{finding} {events:?}");
        }
        for event in &events {
            prop_assert!(found.iter().any(|finding| is_at(event, finding)), "{event:?} {report:#}");
        }
    }
}
