//! Stories: devices speak, time passes, and a transcript tells what the world hears.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::boundary::{Answer, Batch, Input, Output, Question, Restored};
use super::{Pipeline, Settings, WriteOrder};
use crate::command::Refusal;
use crate::community::quantity::Text;
use crate::community::scene::Scene;
use crate::community::{Community, ModelSpec, tests::community};
use crate::event::action::Acted;
use crate::event::message::Message;
use crate::reading::{Body, DeviceIndex, Frame, SourceIndex, Ticket, Timestamp};

const HEAT: &str = r#"
[scene]
id = "heat"
title = { zh = "高温", en = "too hot" }
category = "environment"
reopen-within = "5 min"
advice = { zh = "去看看", en = "go and look" }
[[detector]]
id = "hot"
point = "temperature"
limit-high = "40 degC"
deadband = "2 degC"
on-delay = "1 min"
off-delay = "30 s"
[[detector]]
id = "rising"
when = "rate.temperature > 10.0"
[[grade]]
level = 2
when = "over > 0.5"
[[grade]]
level = 3
when = "people > 100.0"
"#;

/// 1 March 2026, midnight.
const START: Timestamp = Timestamp(1_772_323_200_000);

struct Night {
    pipeline: Pipeline,
    now: Timestamp,
    transcript: String,
    batches: Vec<Batch>,
    questions: Vec<Question>,
    settled: Vec<u64>,
    acted: Vec<Acted>,
    orders: Vec<WriteOrder>,
    written: Vec<(u64, Result<f64, Refusal>)>,
    stores: bool,
    tells_closed: bool,
}

impl Night {
    fn new(community: Community) -> Self {
        Self::resumed(community, Restored { boot: 1, ..Restored::default() }, START)
    }

    fn resumed(community: Community, restored: Restored, now: Timestamp) -> Self {
        let pipeline =
            Pipeline::new(Arc::new(community), Settings::default(), restored, now).unwrap();
        let mut night = Self {
            pipeline,
            now,
            transcript: String::new(),
            batches: Vec::new(),
            questions: Vec::new(),
            settled: Vec::new(),
            acted: Vec::new(),
            orders: Vec::new(),
            written: Vec::new(),
            stores: true,
            tells_closed: false,
        };
        night.drain();
        night
    }

    fn with_scenes(scenes: &[&str]) -> Community {
        let parse = |text: &&str| Arc::new(toml::from_str::<Scene>(text).unwrap());
        Community { scenes: scenes.iter().map(parse).collect(), ..community() }
    }

    fn drain(&mut self) {
        while let Some(output) = self.pipeline.poll_output() {
            match output {
                Output::Store(batch) => {
                    for record in &batch.records {
                        let message: Message = serde_json::from_slice(&record.json).unwrap();
                        let data = &message.data;
                        // Every event ends so; the stories of what people do tell of it.
                        if message.kind.ends_with(".closed") && !self.tells_closed {
                            continue;
                        }
                        writeln!(
                            self.transcript,
                            "{}  {} {} {}: {}",
                            &message.time[11..19],
                            message.kind.trim_start_matches("gatehouse.event."),
                            data.level,
                            data.title.en,
                            data.cause.why.en,
                        )
                        .unwrap();
                    }
                    let through = batch.number;
                    self.batches.push(batch);
                    if self.stores {
                        self.pipeline.handle(Input::Stored { through }, self.now);
                    }
                }
                Output::Ask(question) => self.questions.push(question),
                Output::Settle(ticket) => self.settled.push(ticket.id),
                Output::Ruling(ruling) => writeln!(self.transcript, "{}", ruling.told.en).unwrap(),
                Output::Acted { acted, .. } => self.acted.push(acted),
                Output::Write { order, .. } => self.orders.push(order),
                Output::Written { ticket, result } => self.written.push((ticket, result)),
            }
        }
    }

    fn handle(&mut self, input: Input) -> &mut Self {
        self.pipeline.handle(input, self.now);
        self.drain();
        self
    }

    fn frame(&mut self, device: usize, payload: &str) -> &mut Self {
        self.ticketed(device, payload, None)
    }

    fn ticketed(&mut self, device: usize, payload: &str, id: Option<u64>) -> &mut Self {
        self.handle(Input::Frame(Frame {
            device: DeviceIndex(device),
            ticket: id.map(|id| Ticket { source: SourceIndex(0), id }),
            body: Body::Payload(payload.as_bytes().to_vec()),
        }))
    }

    /// Lets time pass, from timer to timer.
    fn wait(&mut self, seconds: u64) -> &mut Self {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.pipeline.poll_timeout()
            && due <= end
        {
            self.now = self.now.max(due);
            self.pipeline.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self
    }

    /// Every device speaks every ten seconds; the first with `value`.
    fn talk(&mut self, seconds: u64, value: f64) -> &mut Self {
        for _ in 0..seconds / 10 {
            for device in 0..3 {
                let t = if device == 0 { value } else { 21.0 };
                self.frame(device, &format!(r#"{{"t": {t}}}"#));
            }
            self.wait(10);
        }
        self
    }

    fn restored(&self) -> Restored {
        let mut states = std::collections::BTreeMap::new();
        let mut sequence = 0;
        for batch in &self.batches {
            sequence = batch.records.last().map_or(sequence, |r| r.sequence);
            for (key, value) in &batch.states {
                match value {
                    Some(value) => states.insert(key.clone(), value.clone()),
                    None => states.remove(key),
                };
            }
        }
        Restored { sequence, boot: 2, states: states.into_iter().collect(), damage: None }
    }

    fn messages(&self) -> Vec<Message> {
        self.batches
            .iter()
            .flat_map(|b| &b.records)
            .map(|r| serde_json::from_slice(&r.json).unwrap())
            .collect()
    }
}

#[test]
fn a_hot_hour_is_one_event_that_grows_and_clears() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));

    night.talk(60, 20.0).talk(120, 45.0).talk(60, 39.0).talk(60, 37.0).talk(60, 20.0);

    assert_eq!(
        night.transcript,
        "\
00:01:00  opened 3 too hot: rule `rate.temperature > 10.0` holds: temperature 45 °C
00:02:00  updated 3 too hot: temperature 45 °C, above 40 °C
00:04:30  cleared 3 too hot: temperature 45 °C, above 40 °C
"
    );
}

#[test]
fn the_event_says_where_why_and_what_to_do() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));

    night.frame(0, r#"{"t": 20, "seq": 41}"#).wait(30).frame(0, r#"{"t": 62, "seq": 42}"#);
    let message = night.messages().remove(0);
    let data = &message.data;

    assert_eq!(message.sequence, "00000000000000000001");
    assert_eq!(message.source, "/townships/town/gateways/gw");
    assert_eq!((data.device.as_str(), data.area.as_str()), ("t1", "east"));
    assert_eq!(data.echo["seq"], 42);
    assert_eq!(data.cause.contributions[0].observed, Some(62.0));
    assert_eq!(data.cause.grading.people, 120);
    assert_eq!(data.advice.en, "go and look");
    assert_eq!(message.subject, data.event);
    assert_ne!(message.id, data.event);
}

#[test]
fn after_a_restart_an_open_event_neither_opens_again_nor_hangs() {
    let mut before = Night::new(Night::with_scenes(&[HEAT]));
    before.talk(60, 20.0).talk(120, 45.0);
    let opened = before.messages().remove(0).data.event;

    let now = before.now + Duration::from_secs(30);
    let mut after = Night::resumed(Night::with_scenes(&[HEAT]), before.restored(), now);
    after.talk(120, 45.0).talk(120, 20.0);

    assert_eq!(after.transcript, "00:06:00  cleared 3 too hot: temperature 45 °C, above 40 °C\n");
    let cleared = after.messages().remove(0);
    assert_eq!(cleared.data.event, opened);
    assert_eq!(cleared.sequence, "00000000000000000003");
    assert_eq!(cleared.bootid, "0000000002");
}

#[test]
fn a_delay_that_runs_when_the_power_fails_goes_on() {
    let scene = HEAT.replace("> 10.0", "> 1000.0");
    let mut before = Night::new(Night::with_scenes(&[&scene]));
    before.frame(0, r#"{"t": 45}"#).wait(20);

    let mut after = Night::resumed(Night::with_scenes(&[&scene]), before.restored(), before.now);
    after.wait(41);

    assert_eq!(after.transcript, "00:01:00  opened 3 too hot: temperature 45 °C, above 40 °C\n");
}

#[test]
fn a_silent_sensor_is_a_finding_and_its_event_becomes_unknown() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(30, 20.0).talk(70, 45.0);
    night.transcript.clear();

    for _ in 0..30 {
        night.frame(1, r#"{"t": 21}"#).frame(2, r#"{"t": 21}"#).wait(10);
    }
    night.talk(60, 20.0);

    assert_eq!(
        night.transcript,
        "\
00:02:30  opened 4 Device silent: thermometer 1 has said nothing for 1 min
00:02:30  unknown 3 too hot: temperature 45 °C, above 40 °C
00:06:40  updated 3 too hot: temperature 45 °C, above 40 °C
00:06:40  cleared 4 Device silent: thermometer 1 has said nothing for 1 min
00:07:10  cleared 3 too hot: temperature 45 °C, above 40 °C
"
    );
}

#[test]
fn a_dead_broker_is_one_event_that_names_its_devices() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(60, 20.0);

    let down = Some(Text::new("连接被拒绝", "connection refused"));
    night.handle(Input::Source { source: SourceIndex(0), down }).wait(3_600);
    night.handle(Input::Source { source: SourceIndex(0), down: None }).talk(120, 20.0);

    assert_eq!(
        night.transcript,
        "\
00:01:30  opened 3 Whole line or broker silent: `sensors` is silent (connection refused), with 3 devices: t1, t2, t3
01:01:00  cleared 3 Whole line or broker silent: `sensors` is silent (connection refused), with 3 devices: t1, t2, t3
"
    );
}

#[test]
fn a_source_has_been_up_once_it_said_so_or_a_device_on_it_spoke() {
    let seen = |night: &Night| night.pipeline.view(night.now).sources[0].has_been_up;
    let start = || Night::new(Night::with_scenes(&[HEAT]));
    let (mut told, mut spoke, mut failed) = (start(), start(), start());
    assert!(!seen(&told));

    told.handle(Input::Source { source: SourceIndex(0), down: None });
    spoke.frame(0, r#"{"t": 20}"#);
    let down = Some(Text::alike("connection refused"));
    failed.handle(Input::Source { source: SourceIndex(0), down });

    assert_eq!([&told, &spoke, &failed].map(seen), [true, true, false]);
    let nobody = Community { devices: vec![], ..Night::with_scenes(&[]) };
    assert!(seen(&Night::new(nobody)), "nobody is expected to speak on it");
}

#[test]
fn a_thousand_bad_payloads_make_one_event_and_intake_goes_on() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    for i in 0..1_000 {
        night.frame(0, if i % 2 == 0 { "{nonsense" } else { r#"{"t": 900}"# });
    }
    night.frame(0, r#"{"t": 21}"#);
    let view = night.pipeline.view(night.now);

    assert_eq!(
        night.transcript,
        "00:00:00  opened 4 Device sends bad data: 5 frames or readings were refused: not JSON 3, \
         out of range 2\n"
    );
    assert_eq!(view.devices[0].refused["not-json"], 500);
    assert_eq!(view.devices[0].refused["out-of-range"], 500);
    assert_eq!(view.devices[0].points[0].0, Some(21.0));
    night.talk(1_200, 21.0);
    assert!(night.transcript.ends_with("cleared 4 Device sends bad data: 1000 frames or readings were refused: not JSON 500, out of range 500\n"), "{}", night.transcript);
}

#[test]
fn a_frame_is_settled_when_what_it_led_to_is_on_disk() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.stores = false;

    night.ticketed(0, r#"{"t": 20}"#, Some(1)).wait(30);
    night.ticketed(0, r#"{"t": 70}"#, Some(2)).ticketed(1, r#"{"t": 21}"#, Some(3));
    assert_eq!(night.settled, [1]);
    let through = night.batches.last().unwrap().number;
    night.handle(Input::Stored { through });

    assert_eq!(night.settled, [1, 2, 3]);
}

#[test]
fn a_disk_that_fails_is_a_level_one_event() {
    let mut night = Night::new(Night::with_scenes(&[]));
    night.stores = false;

    night.handle(Input::StoreFailed { why: "no space left on device".into() });
    night.handle(Input::StoreFailed { why: "no space left on device".into() });
    night.handle(Input::Stored { through: 1 });

    assert_eq!(
        night.transcript,
        "\
00:00:00  opened 1 Gateway storage failed: writing failed: no space left on device
00:00:00  cleared 1 Gateway storage failed: writing failed: no space left on device
"
    );
}

#[test]
fn a_model_is_asked_in_batches_and_its_answer_raises() {
    let scene = r#"
        [scene]
        id = "odd"
        title = { zh = "异常", en = "unusual" }
        category = "environment"
        advice = { zh = "看", en = "look" }
        [[detector]]
        id = "forecast"
        model = "forecast"
        points = ["temperature"]
    "#;
    let spec = ModelSpec { name: "forecast".into(), version: "1".into(), window: 35, outputs: 9 };
    let community = Community { models: vec![spec], ..Night::with_scenes(&[scene]) };
    let mut night = Night::new(community);
    let mut answered = 0;
    for i in 0..400_u32 {
        let value = if i == 399 { 60.0 } else { 20.0 + f64::from(i * 7919 % 101) / 100.0 };
        for device in 0..3 {
            night.frame(device, &format!(r#"{{"t": {value}}}"#));
        }
        night.wait(10);
        for question in std::mem::take(&mut night.questions) {
            assert_eq!((question.rows, question.features.len()), (3, 3 * 35));
            answered += question.rows;
            let outputs =
                Ok([-1.6, -1.1, -0.9, -0.5, 0.0, 0.5, 0.9, 1.1, 1.6].repeat(question.rows));
            night.handle(Input::Answer(Answer { question: question.id, outputs }));
        }
    }

    assert_eq!(answered, (400 - 31) * 3);
    assert_eq!(
        night
            .transcript
            .matches("opened 4 unusual: not as usual: temperature 60 °C, expected")
            .count(),
        3,
        "{}",
        night.transcript
    );
    assert!(night.pipeline.score(DeviceIndex(0)).unwrap() > 0.5);
}

#[test]
fn an_unanswered_question_expires_and_the_next_is_asked() {
    let scene = "[scene]\nid='odd'\ntitle={zh='',en=''}\ncategory='waste'\nadvice={zh='',en=''}\n\
                 [[detector]]\nid='f'\nmodel='m'\npoints=['temperature']";
    let spec = ModelSpec { name: "m".into(), version: "1".into(), window: 35, outputs: 9 };
    let mut night = Night::new(Community { models: vec![spec], ..Night::with_scenes(&[scene]) });

    night.talk(390, 20.0);

    let view = night.pipeline.view(night.now);
    assert_eq!(night.questions.len(), 2);
    assert_eq!((view.counts.asked, view.counts.unanswered), (6, 6));
}

mod calendar;
mod clocks;
mod coarse;
mod escalation;
mod grounds;
mod handling;
mod lapses;
mod learning;
mod places;
mod reloads;
mod reporting;
mod restarts;
mod statistics;
mod together;
mod trials;
mod verdicts;
mod warning;
mod withdrawn;
mod writing;

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_bytes_are_taken_without_a_panic(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..30)) {
            let mut night = Night::new(Night::with_scenes(&[HEAT]));
            for payload in payloads {
                night.handle(Input::Frame(Frame {
                    device: DeviceIndex(0),
                    ticket: None,
                    body: Body::Payload(payload),
                }));
            }
        }

        #[test]
        fn the_same_night_has_the_same_transcript(values in prop::collection::vec(-50.0..120.0_f64, 1..200)) {
            let tell = || {
                let mut night = Night::new(Night::with_scenes(&[HEAT]));
                for value in &values {
                    night.frame(0, &format!(r#"{{"t": {value}}}"#)).wait(7);
                }
                (night.transcript.clone(), night.messages())
            };

            prop_assert_eq!(tell(), tell());
        }

        #[test]
        fn sequences_have_no_gap_and_an_event_is_opened_once_before_it_is_over(values in prop::collection::vec(prop_oneof![Just(20.0), Just(45.0), Just(70.0)], 1..100), waits in prop::collection::vec(1_u64..400, 100)) {
            let mut night = Night::new(Night::with_scenes(&[HEAT]));
            for (value, wait) in values.iter().zip(&waits) {
                night.frame(0, &format!(r#"{{"t": {value}}}"#)).wait(*wait);
            }
            let mut opened = std::collections::BTreeSet::new();
            for (i, message) in (1_u64..).zip(night.messages()) {
                prop_assert_eq!(&message.sequence, &format!("{i:020}"));
                if message.kind.ends_with("opened") && !message.kind.ends_with("reopened") {
                    prop_assert!(opened.insert(message.data.event));
                }
            }
        }
    }
}
