//! Stories of power cuts: what was ending ends, what was beginning begins, and nothing counts twice.

use super::*;
use crate::community::device_type::Point;
use crate::community::quantity::Period;

fn slow() -> String {
    HEAT.replace("> 10.0", "> 1000.0")
}

/// The gateway is without power for that long; what was not written is lost.
fn after_a_power_cut(before: &Night, scene: &str, seconds: u64) -> Night {
    let now = before.now + Duration::from_secs(seconds);
    let mut after = Night::resumed(Night::with_scenes(&[scene]), before.restored(), now);
    after.wait(0);
    after
}

#[test]
fn an_event_that_was_ending_ends_at_its_time_though_the_sensor_is_quiet_after_a_restart() {
    let scene = slow().replace("30 s", "5 min");
    let mut before = Night::new(Night::with_scenes(&[&scene]));
    before.frame(0, r#"{"t": 45}"#).wait(90).frame(0, r#"{"t": 20}"#).wait(20);

    let mut after = after_a_power_cut(&before, &scene, 10);
    before.wait(400);
    after.wait(400);

    let cleared = "00:06:30  cleared 3 too hot: temperature 45 °C, above 40 °C\n";
    assert!(before.transcript.contains(cleared), "{}", before.transcript);
    assert!(after.transcript.contains(cleared), "{}", after.transcript);
}

#[test]
fn an_event_whose_off_delay_passed_without_power_ends_at_the_start() {
    let scene = slow();
    let mut before = Night::new(Night::with_scenes(&[&scene]));
    before.frame(0, r#"{"t": 45}"#).wait(90).frame(0, r#"{"t": 20}"#).wait(20);

    let after = after_a_power_cut(&before, &scene, 600);

    assert_eq!(after.transcript, "00:11:50  cleared 3 too hot: temperature 45 °C, above 40 °C\n");
}

#[test]
fn an_event_that_came_back_before_the_power_failed_does_not_end() {
    let scene = slow();
    let mut before = Night::new(Night::with_scenes(&[&scene]));
    before.frame(0, r#"{"t": 45}"#).wait(90);
    before.frame(0, r#"{"t": 20}"#).wait(10).frame(0, r#"{"t": 45}"#);

    let mut after = after_a_power_cut(&before, &scene, 40);
    after.wait(30);

    assert!(!after.transcript.contains("cleared"), "{}", after.transcript);
}

#[test]
fn a_delay_that_began_right_after_another_is_kept_a_little_later() {
    let scene = slow().replace("1 min", "4 min");
    let mut before = Night::new(Night::with_scenes(&[&scene]));
    // The first car leaves again, the second stays.
    before.frame(0, r#"{"t": 45}"#).wait(10).frame(0, r#"{"t": 20}"#).wait(10);
    before.frame(0, r#"{"t": 45}"#).wait(60);

    let mut after = after_a_power_cut(&before, &scene, 10);
    after.wait(250);

    assert!(after.transcript.contains("00:04:20  opened 3 too hot"), "{}", after.transcript);
}

#[test]
fn a_long_delay_is_written_once_a_part_of_it_has_passed_or_at_a_stop() {
    let scene = slow().replace("1 min", "2 h");
    let written = |night: &Night| {
        let states = night.batches.iter().flat_map(|batch| &batch.states);
        states.filter(|(key, _)| key.starts_with("armed/")).count()
    };
    let mut before = Night::new(Night::with_scenes(&[&scene]));
    before.frame(0, r#"{"t": 45}"#).wait(890).frame(0, r#"{"t": 20}"#).wait(600);
    assert_eq!(written(&before), 0, "it left again");

    before.frame(0, r#"{"t": 45}"#).wait(890);
    assert_eq!(written(&before), 0);
    before.wait(20);
    assert_eq!(written(&before), 1);
    let mut after = after_a_power_cut(&before, &scene, 10);
    after.talk(7_200, 45.0);
    assert!(after.transcript.contains("02:24:50  opened 3 too hot"), "{}", after.transcript);

    let mut stopped = Night::new(Night::with_scenes(&[&scene]));
    stopped.frame(0, r#"{"t": 45}"#).wait(10);
    stopped.pipeline.handle_stop(stopped.now);
    stopped.drain();
    assert_eq!(written(&stopped), 1);
}

#[test]
fn a_short_delay_of_a_value_that_comes_again_at_once_is_not_written() {
    let night = |stale: u64, scene: &str| {
        let mut community = Night::with_scenes(&[scene]);
        for device in &mut community.devices {
            let device_type = Arc::make_mut(&mut device.device_type);
            device_type.points[0].stale = Some(Period(Duration::from_secs(stale)));
        }
        Night::new(community)
    };
    let written = |night: &Night| {
        let mut states = night.batches.iter().flat_map(|batch| &batch.states);
        states.any(|(key, _)| key.starts_with("armed/"))
    };
    let begins = |stale: u64, on_delay: &str, seconds: u64| {
        let mut night = night(stale, &slow().replace("1 min", on_delay));
        night.frame(0, r#"{"t": 45}"#).wait(seconds);
        written(&night)
    };
    assert!(!begins(60, "15 s", 5), "a camera");
    assert!(begins(300, "15 s", 5), "a parking sensor speaks once");
    assert!(!begins(60, "80 s", 9) && begins(60, "80 s", 11), "long enough to be missed");
    assert!(!begins(300, "16 min", 110) && begins(300, "16 min", 130), "a meter");
    assert!(begins(3_600, "16 min", 5), "it may say no more until then");
    assert!(!begins(10_800, "2 h", 290) && begins(10_800, "2 h", 310), "nor for two hours");

    let ends = |stale: u64, off_delay: &str| {
        let scene = slow().replace("30 s", off_delay).replace("1 min", "5 s");
        let mut night = night(stale, &scene);
        night.frame(0, r#"{"t": 45}"#).wait(10).frame(0, r#"{"t": 20}"#).wait(5);
        assert!(night.transcript.contains("opened"), "{}", night.transcript);
        written(&night)
    };
    assert!(!ends(60, "2 min"), "somebody passes a fence");
    assert!(ends(60, "10 min"));
    assert!(ends(300, "2 min"));
}

/// The thermometers change by no more than a tenth of a degree a second.
fn hurried(scenes: &[&str]) -> Community {
    let mut community = Night::with_scenes(scenes);
    let mut device_type = (*community.devices[0].device_type).clone();
    device_type.points[0].max_rate = Some(0.1);
    let device_type = Arc::new(device_type);
    for device in &mut community.devices {
        device.device_type = Arc::clone(&device_type);
    }
    community
}

fn jumps(night: &Night, device: usize) -> u64 {
    let view = night.pipeline.view(night.now);
    view.devices[device].refused.get("jumped").copied().unwrap_or(0)
}

#[test]
fn a_value_is_compared_with_the_one_before_the_restart() {
    let mut before = Night::new(hurried(&[]));
    before.frame(0, r#"{"t": 20}"#).wait(10);
    before.pipeline.handle_stop(before.now);
    before.drain();

    let mut after = Night::resumed(hurried(&[]), before.restored(), before.now);
    after.frame(0, r#"{"t": 45}"#);

    assert_eq!(jumps(&after, 0), 1);
}

#[test]
fn of_what_was_written_with_a_decision_and_of_what_was_noted_the_later_counts() {
    let mut before = Night::new(Night::with_scenes(&[HEAT]));
    before.talk(10_800, 20.0);
    let noted = before.batches.iter().flat_map(|b| &b.states).filter(|(k, _)| k == "noted/t1");
    assert_eq!(noted.count(), 1);
    before.frame(0, r#"{"t": 45}"#);

    let mut after = Night::resumed(hurried(&[]), before.restored(), before.now);
    after.wait(10).frame(0, r#"{"t": 45}"#);
    assert_eq!(jumps(&after, 0), 0, "it was 45 already");

    before.frame(0, r#"{"t": 20}"#).wait(10).talk(10_800, 20.0);
    let mut after = Night::resumed(hurried(&[]), before.restored(), before.now);
    after.wait(10).frame(0, r#"{"t": 45}"#);
    assert_eq!(jumps(&after, 0), 1, "it was 20 again");
}

/// A contact: above 40 degrees the power may go.
const LAST_CHANCE: &str = r#"
[scene]
id = "mains"
title = { zh = "市电", en = "mains" }
category = "facility"
checkpoint = true
reopen-within = "0 s"
advice = { zh = "看", en = "look" }
[[detector]]
id = "gone"
when = "temperature > 40.0"
[[grade]]
level = 2
when = "true"
"#;

#[test]
fn a_scene_after_which_the_power_may_go_has_everything_written_with_its_event() {
    let without = LAST_CHANCE.replace("checkpoint = true", "");
    for (scene, expected) in [(LAST_CHANCE, 1_u64), (&without, 0)] {
        let mut before = Night::new(Night::with_scenes(&[scene]));
        before.talk(600, 20.0).frame(0, r#"{"t": 80}"#);
        assert_eq!(before.transcript.matches("opened 2 mains").count(), 1);
        let batch = before.batches.last().unwrap();
        assert_eq!((batch.records.len(), batch.kept.is_empty()), (1, expected == 0), "one batch");

        let mut after = Night::resumed(hurried(&[]), before.restored(), before.now);
        after.wait(10).frame(1, r#"{"t": 45}"#);
        assert_eq!(jumps(&after, 1), expected, "what calm devices said is known");
    }
}

#[test]
fn a_contact_that_chatters_does_not_wear_out_the_flash() {
    let mut night = Night::new(Night::with_scenes(&[LAST_CHANCE]));

    for _ in 0..10 {
        night.talk(30, 20.0).talk(30, 80.0);
    }

    assert_eq!(night.transcript.matches("opened 2").count(), 10, "{}", night.transcript);
    let checkpoints = night.batches.iter().filter(|b| !b.kept.is_empty());
    assert_eq!(checkpoints.count(), 2, "one in five minutes");
}

#[test]
fn in_three_calm_hours_every_device_writes_once() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));

    night.talk(10_830, 20.0);

    let many = night.batches.iter().filter(|batch| !batch.states.is_empty()).count();
    assert_eq!(many, 3, "in turn");
    let mut keys: Vec<_> =
        night.batches.iter().flat_map(|b| &b.states).map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["noted/t1", "noted/t2", "noted/t3"]);
}

#[test]
fn a_device_that_is_no_longer_configured_leaves_no_memory_behind() {
    let mut night = Night::new(Night::with_scenes(&[]));
    night.talk(60, 20.0);
    night.pipeline.handle_stop(night.now);
    night.drain();
    let mut less = Night::with_scenes(&[]);
    less.devices.remove(0);

    let after = Night::resumed(less, night.restored(), night.now);

    assert_eq!(after.batches[0].states, [("noted/t1".to_owned(), None)]);
}

#[test]
fn a_disk_that_is_full_at_the_start_is_told_until_it_has_room() {
    let mut night = Night::new(Night::with_scenes(&[]));

    night.handle(Input::DiskFull { why: Some("the disk is full".into()) });
    night.talk(60, 20.0).handle(Input::StoreFailed { why: "no space left".into() });
    assert_eq!(
        night.transcript,
        "00:00:00  opened 1 Gateway storage failed: writing failed: the disk is full\n"
    );
    night.handle(Input::DiskFull { why: None });

    assert!(night.transcript.contains("cleared 1 Gateway storage failed"), "{}", night.transcript);
}

#[test]
fn a_store_that_was_set_aside_is_an_event_for_a_day_and_over_restarts() {
    let damage = super::super::Damage::SetAside {
        to: "/data/quarantine-1".into(),
        why: "the database holds something that is none of ours".into(),
    };
    let restored =
        Restored { sequence: 10_041, boot: 9, damage: Some(damage), ..Restored::default() };
    let mut night = Night::resumed(Night::with_scenes(&[]), restored, START);
    let opened = night.messages().remove(0);

    assert_eq!((opened.sequence.as_str(), opened.data.level), ("00000000000000010042", 2));
    assert_eq!(opened.data.device, "gw");
    assert_eq!(opened.data.title.zh, "网关存储曾损坏");
    assert!(opened.data.cause.why.en.contains("set aside as /data/quarantine-1"));
    assert!(opened.data.cause.why.zh.contains("/data/quarantine-1"));
    night.talk(3_600, 20.0);
    let mut after = Night::resumed(Night::with_scenes(&[]), night.restored(), night.now);
    after.talk(23 * 3_600 - 60, 20.0);
    assert_eq!(after.transcript, "", "it stays");
    after.talk(120, 20.0);
    assert!(after.transcript.contains("cleared 2 Gateway storage was damaged"));
}

mod replacing {
    use super::*;

    fn two_brokers(order: [&str; 2]) -> Community {
        let mut community = Night::with_scenes(&[]);
        community.sources = order
            .map(|id| crate::community::Source {
                id: id.into(),
                kind: crate::community::SourceKind::Broker,
            })
            .into();
        let sensors = order.iter().position(|id| *id == "sensors").unwrap();
        for device in &mut community.devices {
            device.source = SourceIndex(sensors);
            device.feeder = None;
        }
        community
    }

    #[test]
    fn a_broker_that_is_down_stays_down_under_its_new_position() {
        let mut night = Night::new(two_brokers(["sensors", "cameras"]));
        night.talk(60, 20.0);
        let down = Some(Text::alike("connection refused"));
        night.handle(Input::Source { source: SourceIndex(0), down }).wait(10);

        night.handle(Input::Config(Arc::new(two_brokers(["cameras", "sensors"])))).wait(25);

        let view = night.pipeline.view(night.now);
        assert_eq!((view.sources[0].id.as_str(), &view.sources[0].down), ("cameras", &None));
        assert_eq!(view.sources[1].down, Some(Text::alike("connection refused")));
        assert_eq!(
            night.transcript,
            "00:01:30  opened 3 Whole line or broker silent: `sensors` is silent (connection \
             refused), with 3 devices: t1, t2, t3\n"
        );
    }

    #[test]
    fn a_frame_that_waits_is_settled_with_its_broker_under_its_new_position() {
        let mut night = Night::new(Community {
            scenes: Night::with_scenes(&[HEAT]).scenes,
            ..two_brokers(["sensors", "cameras"])
        });
        night.stores = false;
        night.frame(0, r#"{"t": 20}"#).wait(30).ticketed(0, r#"{"t": 70}"#, Some(7));

        night
            .pipeline
            .handle(Input::Config(Arc::new(two_brokers(["cameras", "sensors"]))), night.now);
        night.pipeline.handle(Input::Stored { through: 9 }, night.now);

        let settled = std::iter::from_fn(|| night.pipeline.poll_output())
            .find_map(|o| if let Output::Settle(ticket) = o { Some(ticket) } else { None });
        assert_eq!(settled, Some(Ticket { source: SourceIndex(1), id: 7 }));
    }

    #[test]
    fn a_disk_that_fails_is_not_mended_by_a_new_configuration() {
        let mut night = Night::new(Night::with_scenes(&[]));
        night.stores = false;
        night.handle(Input::StoreFailed { why: "no space left on device".into() });

        night.handle(Input::Config(Arc::new(Night::with_scenes(&[]))));

        assert!(!night.transcript.contains("cleared"), "{}", night.transcript);
    }

    #[test]
    fn a_change_of_one_scene_leaves_the_delays_of_another_alone() {
        let mut night = Night::new(Night::with_scenes(&[&slow()]));
        night.frame(0, r#"{"t": 45}"#).wait(30);
        let other = HEAT.replace("\"heat\"", "\"other\"").replace("40 degC", "80 degC");

        night.handle(Input::Config(Arc::new(Night::with_scenes(&[&other, &slow()])))).wait(31);

        assert!(night.transcript.contains("00:01:00  opened 3 too hot"), "{}", night.transcript);
    }

    #[test]
    fn an_event_that_was_ending_ends_at_its_time_under_a_new_configuration() {
        let mut night = Night::new(Night::with_scenes(&[&slow()]));
        night.frame(0, r#"{"t": 45}"#).wait(90).frame(0, r#"{"t": 20}"#).wait(10);

        night.handle(Input::Config(Arc::new(Night::with_scenes(&[&slow()])))).wait(25);

        assert!(night.transcript.contains("00:02:00  cleared 3 too hot"), "{}", night.transcript);
    }
}

#[test]
fn bad_data_before_a_restart_is_told_with_its_reasons_to_its_end() {
    let mut before = Night::new(Night::with_scenes(&[]));
    for _ in 0..5 {
        before.frame(0, "{nonsense").wait(1);
    }
    let opened = before.messages().remove(0).data.cause.why;
    assert_eq!(opened.zh, "拒收 5 条数据：不是 JSON 5");
    assert_eq!(opened.en, "5 frames or readings were refused: not JSON 5");

    let mut after = Night::resumed(Night::with_scenes(&[]), before.restored(), before.now);
    after.talk(700, 20.0);

    let told: Vec<_> = after.messages().into_iter().map(|message| message.data.cause.why).collect();
    assert_eq!(told, [opened]);
}

#[test]
fn one_frame_of_many_bad_points_is_one_thing_that_is_wrong() {
    let mut community = Night::with_scenes(&[]);
    let mut device_type = (*community.devices[0].device_type).clone();
    device_type.points =
        (0..6).map(|i| Point { name: format!("t{i}"), ..device_type.points[0].clone() }).collect();
    let device_type = Arc::new(device_type);
    for device in &mut community.devices {
        device.device_type = Arc::clone(&device_type);
    }
    let mut night = Night::new(Community { device_types: vec![device_type], ..community });

    for _ in 0..4 {
        night.frame(0, r#"{"t": 900}"#).wait(1);
    }
    assert_eq!(night.transcript, "");
    assert_eq!(night.pipeline.view(night.now).devices[0].refused["out-of-range"], 24);
    night.frame(0, r#"{"t": 900}"#);

    assert!(night.transcript.contains("5 frames or readings were refused"), "{}", night.transcript);
}
