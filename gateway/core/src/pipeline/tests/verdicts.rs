//! Stories of people who judge events, and of what their word does to the detectors.

use super::*;
use crate::detect::bound::Bound;
use crate::event::message::{Review, State};
use crate::event::verdict::{Opinion, Verdict};

const ODD: &str = r#"
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

/// Two thermometers under a model's eyes, and a limit.
fn watched(scenes: &[&str]) -> Community {
    let spec = ModelSpec { name: "forecast".into(), version: "1".into(), window: 35, outputs: 9 };
    let mut community = Community { models: vec![spec], ..Night::with_scenes(scenes) };
    community.devices.truncate(2);
    let mut device_type = (*community.devices[0].device_type).clone();
    device_type.head.silent_after = Some("900 days".parse().unwrap());
    let device_type = Arc::new(device_type);
    for device in &mut community.devices {
        device.feeder = None;
        device.device_type = Arc::clone(&device_type);
    }
    community
}

/// Degrees at a step of a calm day: a daily wave and a last digit that flickers.
fn calm(step: i64) -> f64 {
    let flicker = (step * 7919 + step / 101 * 31) % 101;
    let day = i32::try_from(step % 288).unwrap();
    20.0 + 4.0 * (f64::from(day) / 288.0 * std::f64::consts::TAU).sin()
        + f64::from(i32::try_from(flicker).unwrap()) / 100.0
}

impl Night {
    /// Both thermometers see the same every five minutes; now and then they jump.
    fn both(&mut self, steps: std::ops::Range<i64>, jumps: &[i64]) -> &mut Self {
        for step in steps {
            let value = calm(step) + if jumps.contains(&step) { 40.0 } else { 0.0 };
            for device in 0..2 {
                self.frame(device, &format!(r#"{{"t": {value}}}"#));
            }
            self.wait(300);
            for question in std::mem::take(&mut self.questions) {
                let outputs = Err("no network here".to_owned());
                self.handle(Input::Answer(Answer { question: question.id, outputs }));
            }
        }
        self
    }

    fn say(&mut self, event: &str, verdict: Option<Verdict>) -> String {
        let opinion =
            Opinion { event: event.into(), verdict, by: "Li".into(), note: String::new() };
        let told = self.transcript.len();
        self.handle(Input::Verdict { opinion, journal: None });
        self.transcript[told..].lines().last().unwrap_or_default().to_owned()
    }

    /// The ids of the events that a device has had, oldest first.
    fn events_of(&self, device: &str) -> Vec<String> {
        let opened = self.messages().into_iter().filter(|message| {
            message.kind == "gatehouse.event.opened" && message.data.device == device
        });
        opened.map(|message| message.subject).collect()
    }

    fn shift(&self, device: usize) -> f64 {
        self.pipeline.devices[device].bounds[0].shift()
    }

    fn newest(&self, device: &str) -> Message {
        let mut messages = self.messages().into_iter();
        messages.rfind(|message| message.data.device == device).unwrap()
    }
}

#[test]
fn a_false_alarm_raises_the_threshold_of_that_device_and_not_of_its_neighbour() {
    let mut night = Night::new(watched(&[ODD]));
    night.both(0..700, &[600]);
    let event = night.events_of("t1")[0].clone();
    let before = night.newest("t1").data.cause.threshold;

    let told = night.say(&event, Some(Verdict::FalseAlarm));

    assert_eq!(told, "Noted as a false alarm. thermometer 1 (forecast): threshold raised by 0.25.");
    assert_eq!((night.shift(0), night.shift(1)), (0.25, 0.0));
    night.both(700..1_400, &[1_300]);
    let (judged, neighbour) = (night.newest("t1").data.cause, night.newest("t2").data.cause);
    assert!(judged.threshold > before, "{} was {before}", judged.threshold);
    assert!((neighbour.threshold - before).abs() < 1e-9);
    let why = "; threshold raised by 0.25 after 1 false alarm, last on 2026-03-03 by Li";
    assert!(judged.why.en.ends_with(why), "{}", judged.why.en);
    assert!(!neighbour.why.en.contains("threshold"), "{}", neighbour.why.en);
}

#[test]
fn a_verdict_that_is_taken_back_or_changed_leaves_no_trace() {
    let mut night = Night::new(watched(&[ODD]));
    night.both(0..1_400, &[600, 1_300]);
    let events = night.events_of("t1");
    night.say(&events[0], Some(Verdict::FalseAlarm));
    night.both(1_400..1_500, &[]);
    let before = night.shift(0);

    night.say(&events[1], Some(Verdict::FalseAlarm));
    assert!(night.shift(0) > before);
    let told = night.say(&events[1], None);
    assert_eq!(told, "Taken back. thermometer 1 (forecast): threshold raised by 0.25.");
    assert!((night.shift(0) - before).abs() < 1e-3);
    let once = night.shift(0);
    night.say(&events[1], Some(Verdict::Real));
    night.say(&events[1], Some(Verdict::PlannedWork));
    assert_eq!(night.shift(0).to_bits(), once.to_bits(), "to the last bit");
    night.say(&events[0], None);
    assert_eq!(night.shift(0).to_bits(), 0.0_f64.to_bits());
}

#[test]
fn the_platform_hears_each_verdict_and_the_condition_goes_on() {
    let mut night = Night::new(watched(&[ODD]));
    night.both(0..603, &[600, 601, 602]);
    let event = night.events_of("t1")[0].clone();
    let opened = night.newest("t1");
    assert_eq!(opened.data.state, State::Open);

    night.say(&event, Some(Verdict::FalseAlarm));

    let told = night.newest("t1");
    assert_eq!((told.kind.as_str(), &told.subject), ("gatehouse.event.updated", &event));
    assert_eq!(told.data.state, State::Open);
    let review = Review {
        required: false,
        verdict: Some("false-alarm".into()),
        by: Some("Li".into()),
        at: Some(told.time.clone()),
    };
    assert_eq!(told.data.review, review);
    night.both(603..700, &[]);
    assert_eq!(night.newest("t1").data.review, review, "it stays with the event");
    assert_eq!(night.events_of("t1").len(), 1);
}

#[test]
fn an_event_that_only_the_journal_knows_can_be_judged_and_is_passed_on() {
    let mut night = Night::new(watched(&[ODD]));
    night.both(0..700, &[600]);
    let data = night.newest("t1").data;
    assert_eq!(data.state, State::Cleared);
    let event = data.event.clone();
    let mut later = Night::new(watched(&[ODD]));

    assert_eq!(
        later.say(&event, Some(Verdict::Real)),
        format!("There is no event `{event}`; nothing was done.")
    );
    let verdict = Some(Verdict::Real);
    let opinion = Opinion { event: event.clone(), verdict, by: "Li".into(), note: String::new() };
    later.handle(Input::Verdict { opinion, journal: Some(Box::new(data.clone())) });

    assert!((later.shift(0) + 0.1).abs() < 1e-9);
    let told = later.newest("t1").data;
    assert_eq!(told.review.verdict.as_deref(), Some("real"));
    assert_eq!((told.state, told.started), (data.state, data.started));
}

#[test]
fn a_restart_and_another_configuration_forget_no_verdict() {
    let mut night = Night::new(watched(&[ODD]));
    night.both(0..700, &[600]);
    let event = night.events_of("t1")[0].clone();
    night.say(&event, Some(Verdict::FalseAlarm));

    let mut after = Night::resumed(watched(&[ODD]), night.restored(), night.now);
    assert_eq!(after.shift(0).to_bits(), night.shift(0).to_bits());
    let view = after.pipeline.view(after.now);
    assert_eq!(view.scenes.len(), 1);
    assert_eq!((view.scenes[0].tally.events, view.scenes[0].tally.false_alarms), (2, 1));
    let closed = view.closed.iter().find(|raised| raised.event == event).unwrap();
    assert_eq!(closed.verdict(), Some(Verdict::FalseAlarm));

    let strict = ODD.replace("points", "threshold = 0.6\n points");
    after.handle(Input::Config(Arc::new(watched(&[HEAT, &strict]))));
    let bounds = &after.pipeline.devices[0].bounds;
    let shifts: Vec<f64> = bounds.iter().map(Bound::shift).collect();
    assert_eq!(shifts, [0.0, 0.0, 0.25], "limits stay where they are");
    after.say(&event, None);
    assert_eq!(after.pipeline.devices[0].bounds[2].shift().to_bits(), 0.0_f64.to_bits());
}

#[test]
fn what_was_said_fades_while_the_gateway_runs() {
    let mut night = Night::new(watched(&[ODD]));
    night.both(0..700, &[600]);
    let event = night.events_of("t1")[0].clone();
    night.say(&event, Some(Verdict::FalseAlarm));

    night.wait(90 * 86_400);
    night.frame(0, r#"{"t": 20}"#).wait(2_000);

    assert!((night.shift(0) - 0.125).abs() < 1e-3, "{}", night.shift(0));
}

#[test]
fn a_declared_limit_stays_and_its_verdict_counts() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(60, 20.0).talk(200, 45.0);
    let event = night.messages()[0].subject.clone();

    let told = night.say(&event, Some(Verdict::FalseAlarm));

    assert_eq!(
        told,
        "Noted as a false alarm. It counts; a declared limit is not moved: change it in the file of \
         the scene `heat`."
    );
    assert!(night.pipeline.devices[0].bounds.iter().all(|bound| bound.lesson.is_none()));
    let scene = night.pipeline.view(night.now).scenes[0].clone();
    assert_eq!((scene.title.en.as_str(), scene.tally.precision()), ("too hot", Some(0.0)));
}

#[test]
fn the_gateways_own_events_have_no_threshold() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(60, 20.0).wait(400);
    let event = night.messages()[0].subject.clone();

    let told = night.say(&event, Some(Verdict::PlannedWork));

    assert_eq!(
        told,
        "Noted as planned work, which moves no threshold. It counts; there is no threshold to move."
    );
}

#[test]
fn nobody_is_answered_before_the_word_is_on_disk() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(60, 20.0).talk(200, 45.0);
    let event = night.messages()[0].subject.clone();
    night.stores = false;

    assert_eq!(night.say(&event, Some(Verdict::Real)).matches("Noted").count(), 0);
    let through = night.batches.last().unwrap().number;
    night.handle(Input::Stored { through });

    assert!(night.transcript.lines().last().unwrap().starts_with("Noted as real."));
}

#[test]
fn a_scene_on_trial_learns_and_nobody_outside_hears_of_it() {
    let trial = ODD.replace("id = \"odd\"", "id = \"odd\"\n status = \"pilot\"");
    let mut night = Night::new(watched(&[&trial]));
    night.both(0..700, &[600]);
    let view = night.pipeline.view(night.now);
    let event = view.closed.iter().find(|raised| raised.device == "t1").unwrap().event.clone();

    night.say(&event, Some(Verdict::FalseAlarm));

    assert_eq!((night.shift(0), night.shift(1)), (0.25, 0.0));
    assert_eq!(night.messages(), []);
    assert_eq!(night.pipeline.view(night.now).scenes[0].tally.precision(), Some(0.0));
}

#[test]
fn what_was_raised_on_trial_is_no_event_of_the_scene_that_became_live() {
    let trial = ODD.replace("id = \"odd\"", "id = \"odd\"\n status = \"pilot\"");
    let mut night = Night::new(watched(&[&trial]));
    night.both(0..700, &[600]);
    let tally = |night: &Night| {
        let view = night.pipeline.view(night.now);
        view.scenes.first().map_or(0, |scene| scene.tally.events)
    };
    assert_eq!(tally(&night), 2, "would-be alerts count");

    night.handle(Input::Config(Arc::new(watched(&[ODD]))));
    let mut restarted = Night::resumed(watched(&[ODD]), night.restored(), night.now);

    assert_eq!((tally(&night), tally(&restarted)), (0, 0));
    restarted.handle(Input::Config(Arc::new(watched(&[&trial]))));
    assert_eq!(tally(&restarted), 2, "and they are remembered");
}

#[test]
fn a_clock_that_is_set_forward_makes_no_verdict_older() {
    let mut night = Night::new(watched(&[ODD]));
    night.both(0..700, &[600]);
    let event = night.events_of("t1")[0].clone();
    night.say(&event, Some(Verdict::FalseAlarm));

    night.now = night.now + Duration::from_hours(24 * 400);
    night.handle(Input::ClockStepped { by_ms: 400 * 86_400_000 });
    let after = Night::resumed(watched(&[ODD]), night.restored(), night.now);

    assert_eq!(after.shift(0).to_bits(), 0.25_f64.to_bits());
    assert_eq!(after.pipeline.view(after.now).scenes[0].tally.false_alarms, 1);
}
