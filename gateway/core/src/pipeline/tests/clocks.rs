//! Stories of devices with a clock of their own: set back, far ahead, and delivered twice.

use super::*;
use crate::community::device_type::{TimeField, TimeFormat};
use crate::reading::TimeQuality;

/// The first thermometer tells the time.
fn with_clock(scenes: &[&str]) -> Community {
    let mut community = Night::with_scenes(scenes);
    let mut device_type = (*community.devices[0].device_type).clone();
    device_type.head.id = "thermometer-with-clock".into();
    device_type.head.time = Some(TimeField {
        json: "/ts".into(),
        format: TimeFormat::UnixMs,
        max_ahead: None,
        max_age: None,
    });
    community.devices[0].device_type = Arc::new(device_type);
    community
}

fn payload(at: Timestamp, t: f64) -> String {
    format!(r#"{{"ts": {}, "t": {t}}}"#, at.0)
}

/// Speaks every ten seconds, with a clock that is behind ours by `behind` seconds.
fn tick(night: &mut Night, frames: u32, behind: i64, t: f64) {
    for _ in 0..frames {
        let at = Timestamp(night.now.0 - behind * 1_000);
        night.frame(0, &payload(at, t)).frame(1, r#"{"t": 21}"#).frame(2, r#"{"t": 21}"#).wait(10);
    }
}

fn refused(night: &Night, word: &str) -> u64 {
    night.pipeline.view(night.now).devices[0].refused.get(word).copied().unwrap_or(0)
}

#[test]
fn a_clock_that_is_set_back_is_told_and_its_device_goes_on_counting() {
    let mut night = Night::new(with_clock(&[&HEAT.replace("> 10.0", "> 1000.0")]));
    tick(&mut night, 6, 0, 20.0);

    tick(&mut night, 6, 10_800, 20.0);
    tick(&mut night, 12, 10_800, 45.0);
    tick(&mut night, 80, 10_800, 20.0);

    assert_eq!(
        night.transcript,
        "\
00:01:20  opened 4 Device clock went back: the clock of thermometer 1 went back by about 2 h; until it is right, its readings are dated by the gateway's clock
00:03:00  opened 3 too hot: temperature 45 °C, above 40 °C
00:04:30  cleared 3 too hot: temperature 45 °C, above 40 °C
00:11:20  cleared 4 Device clock went back: the clock of thermometer 1 went back by about 2 h; until it is right, its readings are dated by the gateway's clock
"
    );
    assert_eq!(refused(&night, "not-newer"), 2);
    let started = &night.messages()[1].data.started;
    assert_eq!(started, "2026-03-01T00:02:00.000Z", "by our clock");
}

#[test]
fn a_clock_that_is_put_right_again_dates_the_readings_again() {
    let mut night = Night::new(with_clock(&[&HEAT.replace("> 10.0", "> 1000.0")]));
    tick(&mut night, 6, 30, 20.0);
    tick(&mut night, 6, 10_800, 20.0);
    tick(&mut night, 3, 30, 20.0);
    night.transcript.clear();

    tick(&mut night, 12, 30, 45.0);

    let started = &night.messages()[1].data.started;
    assert!(night.transcript.contains("opened 3 too hot"), "{}", night.transcript);
    assert_eq!(started, "2026-03-01T00:02:00.000Z", "by its own");
}

#[test]
fn a_delay_lasts_as_long_as_it_should_while_the_clock_is_set_back() {
    let mut night = Night::new(with_clock(&[&HEAT.replace("> 10.0", "> 1000.0")]));
    tick(&mut night, 6, 0, 20.0);
    tick(&mut night, 2, 0, 45.0);

    tick(&mut night, 12, 120, 45.0);

    assert!(night.transcript.contains("00:02:00  opened 3 too hot"), "{}", night.transcript);
}

#[test]
fn a_clock_that_lost_its_battery_does_not_mute_its_device() {
    let mut night = Night::new(with_clock(&[]));
    tick(&mut night, 6, 0, 20.0);

    // 1 January 2000.
    tick(&mut night, 12, (START.0 - 946_684_800_000) / 1_000, 22.0);

    let view = night.pipeline.view(night.now);
    assert_eq!(view.devices[0].points[0].0, Some(22.0));
    assert_eq!(refused(&night, "too-old"), 2);
    assert!(night.transcript.contains("opened 4 Device clock went back"), "{}", night.transcript);
}

#[test]
fn a_clock_that_was_far_ahead_for_a_while_does_not_mute_its_device() {
    let mut night = Night::new(with_clock(&[]));
    tick(&mut night, 3, 0, 20.0);
    tick(&mut night, 3, -86_400, 21.0);
    tick(&mut night, 3, -240, 22.0);

    tick(&mut night, 4, 0, 23.0);

    let view = night.pipeline.view(night.now);
    assert_eq!(refused(&night, "from-the-future"), 3);
    assert_eq!(view.devices[0].points[0].0, Some(23.0));
    assert!(!night.transcript.contains("dated by the gateway"), "{}", night.transcript);
}

#[test]
fn a_clock_that_was_believed_while_ours_was_unknown_does_not_mute_its_device() {
    let mut night = Night::new(with_clock(&[]));
    night.now = Timestamp(0);
    tick(&mut night, 3, -2_000_000_000, 21.0);

    tick(&mut night, 4, -1_772_323_200, 22.0);

    assert_eq!(night.pipeline.view(night.now).devices[0].points[0].0, Some(22.0));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_delivered_again_after_a_stop_is_never_counted_twice(
            values in prop::collection::vec(prop_oneof![Just(20.0), Just(45.0)], 1..60),
            paces in prop::collection::vec(1_u64..90, 60),
            from in 0_usize..60,
            resends in prop::collection::vec(0_u64..1_000, 1..4),
        ) {
            let mut before = Night::new(with_clock(&[HEAT]));
            let mut sent = Vec::new();
            for (value, pace) in values.iter().zip(&paces) {
                sent.push(payload(before.now, *value));
                before.frame(0, sent.last().unwrap()).wait(*pace);
            }
            before.pipeline.handle_stop(before.now);
            before.drain();

            let mut after = Night::resumed(with_clock(&[HEAT]), before.restored(), before.now);
            for _ in &resends {
                for frame in sent.iter().skip(from.min(sent.len() - 1)) {
                    after.frame(0, frame);
                }
            }

            prop_assert_eq!(after.pipeline.view(after.now).counts.readings, 0);
        }

        #[test]
        fn what_is_delivered_again_after_a_power_cut_changes_no_decision(
            values in prop::collection::vec(prop_oneof![Just(20.0), Just(45.0)], 1..60),
            paces in prop::collection::vec(1_u64..90, 60),
            back in 0_usize..60,
        ) {
            let scene = HEAT.replace("> 10.0", "> 1000.0");
            let mut before = Night::new(with_clock(&[&scene]));
            // Frames up to this one have left a trace on disk.
            let mut traced = 0;
            let mut sent = Vec::new();
            for (value, pace) in values.iter().zip(&paces) {
                sent.push((sent.len() + 1, payload(before.now, *value)));
                let written = before.batches.len();
                before.frame(0, &sent.last().unwrap().1);
                let by_frame = before.batches.len();
                before.wait(*pace);
                let keys = |batches: &[Batch], prefix: &str| {
                    batches.iter().flat_map(|b| &b.states).any(|(key, _)| key.starts_with(prefix))
                };
                if keys(&before.batches[written..], "armed/t1")
                    || keys(&before.batches[written..by_frame], "event/heat/t1")
                {
                    traced = sent.len();
                }
            }
            let is_new = |(number, _): &&(usize, String)| *number > traced;
            let again = &sent[sent.len().saturating_sub(back)..];
            let hear = |frames: Vec<&(usize, String)>| {
                let mut night =
                    Night::resumed(with_clock(&[&scene]), before.restored(), before.now);
                for (_, frame) in frames {
                    night.frame(0, frame);
                }
                night.wait(45);
                let readings = night.pipeline.view(night.now).counts.readings;
                // Silence is told by when a device is heard, and is not of its readings.
                let told = |line: &&str| {
                    line.contains("too hot") && !line.contains("unknown") && !line.contains("updated")
                };
                (night.transcript.lines().filter(told).collect::<Vec<_>>().join("\n"), readings)
            };

            prop_assert_eq!(
                hear(again.iter().collect()),
                hear(again.iter().filter(is_new).collect())
            );
        }
    }
}

#[test]
fn a_clock_that_jumps_a_day_ahead_raises_nothing_by_itself() {
    let mut night = Night::new(Night::with_scenes(&[&HEAT.replace("> 10.0", "> 1000.0")]));
    night.talk(60, 20.0).frame(0, r#"{"t": 45}"#);

    night.now = night.now + Duration::from_hours(24);
    night.handle(Input::ClockStepped { by_ms: 86_400_000 });
    night.wait(5).talk(60, 20.0);

    assert_eq!(night.transcript, "");
}

#[test]
fn an_event_that_was_dated_by_a_wrong_clock_is_told_again_with_the_right_times() {
    let community = Night::with_scenes(&[&HEAT.replace("> 10.0", "> 1000.0")]);
    let fresh = Night::new(community.clone()).restored();
    let mut night = Night::resumed(community, fresh, Timestamp(86_400_000));
    night.talk(30, 20.0).talk(120, 45.0);
    let wrong = night.messages().pop().unwrap();
    assert_eq!(wrong.data.started, "1970-01-02T00:00:30.000Z");
    assert_eq!(wrong.timequality, TimeQuality::Unknown);

    let by_ms = START.0 - night.now.0;
    night.now = START;
    night.handle(Input::Clock(TimeQuality::Synced)).handle(Input::ClockStepped { by_ms });

    let right = night.messages().pop().unwrap();
    assert_eq!((right.kind.as_str(), &right.subject), ("gatehouse.event.updated", &wrong.subject));
    assert_eq!(right.timequality, TimeQuality::Synced);
    let ago = |time: &str| START.since(time.parse().unwrap());
    assert_eq!(ago(&right.data.started), Duration::from_mins(2));
    assert!(ago(&right.data.detected) < ago(&right.data.started));
    let many = night.messages().len();
    night.handle(Input::ClockStepped { by_ms: 2_000 }).wait(5);
    assert_eq!(night.messages().len(), many, "once, and not for two seconds");
}
