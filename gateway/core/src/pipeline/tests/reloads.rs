//! Stories of a configuration that is replaced while something goes on: what the edit does not touch
//! goes on, what it does leaves nothing behind.

use super::learning::{ODD, calm, watched};
use super::*;
use crate::community::device_type::{DeviceType, TimeField, TimeFormat};

fn slow() -> String {
    HEAT.replace("> 10.0", "> 1000.0")
}

/// The same, with other advice.
fn advised(scene: &str) -> String {
    scene.replace("go and look", "go and look twice")
}

/// Thermometers with a clock of their own that may be quiet for long; their type is edited.
fn retyped(scene: &str, edit: impl Fn(&mut DeviceType)) -> Community {
    let mut community = Night::with_scenes(&[scene]);
    let mut device_type = (*community.devices[0].device_type).clone();
    device_type.head.silent_after = Some("900 days".parse().unwrap());
    device_type.head.time = Some(TimeField {
        json: "/ts".into(),
        format: TimeFormat::UnixMs,
        max_ahead: None,
        max_age: None,
    });
    edit(&mut device_type);
    let device_type = Arc::new(device_type);
    for device in &mut community.devices {
        device.device_type = Arc::clone(&device_type);
    }
    Community { device_types: vec![device_type], ..community }
}

fn site(scene: &str) -> Community {
    retyped(scene, |_| ())
}

impl Night {
    fn reload(&mut self, scene: &str) -> &mut Self {
        self.handle(Input::Config(Arc::new(site(scene))))
    }

    fn restarted(&self, scene: &str) -> Self {
        Self::resumed(site(scene), self.restored(), self.now)
    }

    fn kept_delays(&self) -> usize {
        self.restored().states.iter().filter(|(key, _)| key.starts_with("armed/")).count()
    }
}

#[test]
fn a_car_that_stays_is_told_in_time_though_the_advice_was_edited() {
    let mut night = Night::new(site(&slow()));
    night.frame(0, r#"{"t": 45}"#).wait(20);

    night.reload(&advised(&slow())).wait(41);

    assert_eq!(night.transcript, "00:01:00  opened 3 too hot: temperature 45 °C, above 40 °C\n");
}

#[test]
fn a_car_that_left_after_an_edit_is_not_told_after_a_restart() {
    let mut night = Night::new(site(&slow()));
    night.frame(0, r#"{"t": 45}"#).wait(20);

    night.reload(&advised(&slow())).frame(0, r#"{"t": 20}"#);
    let mut after = night.restarted(&advised(&slow()));
    after.wait(600);

    assert!(!after.transcript.contains("too hot"), "{}", after.transcript);
}

#[test]
fn an_event_that_was_ending_ends_in_time_though_the_advice_was_edited() {
    let mut night = Night::new(site(&slow()));
    night.frame(0, r#"{"t": 45}"#).wait(90).frame(0, r#"{"t": 20}"#).wait(10);

    night.reload(&advised(&slow())).wait(30);

    assert!(night.transcript.contains("00:02:00  cleared 3 too hot"), "{}", night.transcript);
}

#[test]
fn a_delay_goes_on_under_the_length_that_it_has_now() {
    let mut night = Night::new(site(&slow()));
    night.frame(0, r#"{"t": 45}"#).wait(20);

    night.reload(&slow().replace("1 min", "2 min")).wait(120);

    assert!(night.transcript.contains("00:02:00  opened 3 too hot"), "{}", night.transcript);
}

#[test]
fn a_delay_of_a_limit_that_was_moved_leaves_nothing_on_disk() {
    let other = slow().replace("40 degC", "50 degC");
    let mut night = Night::new(site(&slow()));
    night.frame(0, r#"{"t": 45}"#).wait(20);
    assert_eq!(night.kept_delays(), 1);

    night.reload(&other);

    assert_eq!(night.kept_delays(), 0);
    let mut after = night.restarted(&other);
    after.wait(120);
    assert!(!after.transcript.contains("too hot"), "{}", after.transcript);
}

#[test]
fn a_delay_of_a_device_that_was_taken_down_leaves_nothing_on_disk() {
    let mut night = Night::new(site(&slow()));
    night.frame(0, r#"{"t": 45}"#).wait(20);

    let mut less = site(&slow());
    less.devices.remove(0);
    night.handle(Input::Config(Arc::new(less)));

    assert_eq!(night.kept_delays(), 0);
}

#[test]
fn another_model_does_not_touch_the_rules() {
    let spec = ModelSpec { name: "forecast".into(), version: "2".into(), window: 35, outputs: 9 };
    let mut night = Night::new(site(&slow()));
    night.frame(0, r#"{"t": 45}"#).wait(20);

    let with_model = Community { models: vec![spec], ..site(&slow()) };
    night.handle(Input::Config(Arc::new(with_model))).wait(41);

    assert!(night.transcript.contains("00:01:00  opened 3 too hot"), "{}", night.transcript);
}

#[test]
fn a_device_type_with_another_title_still_knows_what_it_has_heard() {
    let frame = format!(r#"{{"t": 45, "ts": {}}}"#, START.0);
    let mut night = Night::new(site(&slow()));
    night.frame(0, &frame).wait(20);

    let titled = retyped(&slow(), |device_type| device_type.head.title.en = "probe".into());
    night.handle(Input::Config(Arc::new(titled))).frame(0, &frame).wait(40);

    assert_eq!(night.pipeline.view(night.now).devices[0].refused["repeated"], 1);
    assert!(night.transcript.contains("00:01:00  opened 3 too hot"), "{}", night.transcript);
}

#[test]
fn points_that_moved_in_their_device_type_keep_what_is_known_of_them() {
    let frame = format!(r#"{{"t": 45, "ts": {}}}"#, START.0);
    let mut night = Night::new(site(&slow()));
    night.frame(0, &frame).wait(20);

    let turned = retyped(&slow(), |device_type| device_type.points.rotate_left(1));
    night.handle(Input::Config(Arc::new(turned))).frame(0, &frame).wait(40);

    let view = night.pipeline.view(night.now);
    assert_eq!((view.devices[0].refused["repeated"], view.devices[0].points[1].0), (1, Some(45.0)));
    assert!(night.transcript.contains("00:01:00  opened 3 too hot"), "{}", night.transcript);
}

#[test]
fn a_delay_of_a_point_that_measures_something_else_now_does_not_go_on() {
    let mut night = Night::new(site(&slow()));
    night.frame(0, &format!(r#"{{"t": 45, "ts": {}}}"#, START.0)).wait(20);

    let scaled = retyped(&slow(), |device_type| device_type.points[0].scale = 0.1);
    night.handle(Input::Config(Arc::new(scaled))).wait(100);

    assert!(!night.transcript.contains("too hot"), "{}", night.transcript);
    assert_eq!(night.kept_delays(), 0);
}

#[test]
fn an_event_that_counts_by_area_now_is_told_under_its_new_name() {
    let mut night = Night::new(site(&slow()));
    night.frame(0, r#"{"t": 45}"#).wait(90);
    night.transcript.clear();

    let by_area = slow().replace("reopen-within", "per = \"area\"\nreopen-within");
    night.reload(&by_area).wait(10).frame(0, r#"{"t": 20}"#).wait(60);

    assert_eq!(
        night.transcript,
        "\
00:01:30  opened 3 too hot: temperature 45 °C, above 40 °C
00:01:30  cleared 3 too hot: temperature 45 °C, above 40 °C
00:02:10  cleared 3 too hot: temperature 45 °C, above 40 °C
"
    );
}

#[test]
fn a_model_knows_a_point_though_its_budget_the_model_and_the_points_beside_it_have_changed() {
    let knows = |after: Community| {
        let mut night = Night::new(watched(ODD));
        for step in 0..600 {
            night.frame(0, &format!(r#"{{"t": {:.2}}}"#, calm(step))).wait(300);
        }
        night.handle(Input::Config(Arc::new(after)));
        night.frame(0, &format!(r#"{{"t": {:.2}}}"#, calm(600)));
        night.pipeline.view(night.now).devices[0].learning.is_empty()
    };
    let shared = ODD.replace("advice", "false-alarms = \"1 per week\"\n    advice");
    let mut newer = watched(ODD);
    newer.models[0].version = "2".into();
    let mut turned = watched(ODD);
    let mut device_type = (*turned.devices[0].device_type).clone();
    device_type.points.rotate_left(1);
    turned.devices[0].device_type = Arc::new(device_type);

    for (why, after) in [("budget", watched(&shared)), ("model", newer), ("points", turned)] {
        assert!(knows(after), "{why}");
    }
}

#[test]
fn a_new_configuration_keeps_open_events_and_ends_those_of_removed_devices() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(60, 20.0).talk(120, 45.0);
    night.transcript.clear();

    let mut same = Night::with_scenes(&[HEAT]);
    same.devices.rotate_left(1);
    night.handle(Input::Config(Arc::new(same))).wait(10);
    assert_eq!(night.transcript, "");
    let mut less = Night::with_scenes(&[HEAT]);
    less.devices.remove(0);
    night.handle(Input::Config(Arc::new(less)));

    assert_eq!(night.transcript, "00:03:10  cleared 3 too hot: temperature 45 °C, above 40 °C\n");
}
