//! Stories of what a detector may believe: values that have grown too old, and points that died.

use super::*;

fn rule(rule: &str) -> String {
    format!(
        "[scene]\nid = \"heat\"\ntitle = {{ zh = \"高温\", en = \"too hot\" }}\n\
         category = \"environment\"\nadvice = {{ zh = \"看\", en = \"look\" }}\n\
         [[detector]]\nid = \"hot\"\n{rule}\n"
    )
}

/// A device that said `first` once, and for 20 min nothing but a harmless temperature.
fn after_twenty_minutes(scene: &str, first: &str) -> Night {
    let mut night = Night::new(Night::with_scenes(&[scene]));
    night.frame(0, first).talk(1_200, 20.0);
    assert_eq!(night.transcript, "");
    night
}

#[test]
fn a_rule_is_not_made_true_by_a_value_that_is_too_old() {
    let both = rule("when = \"temperature > 57.0 && humidity > 50.0\"");

    let mut night = after_twenty_minutes(&both, r#"{"t": 20, "h": 60}"#);
    night.talk(60, 70.0);
    assert_eq!(night.transcript, "");

    night.frame(0, r#"{"t": 70, "h": 60}"#);
    assert_eq!(night.transcript.matches("opened").count(), 1, "{}", night.transcript);
}

#[test]
fn a_dead_point_does_not_blind_a_rule_that_another_point_decides() {
    let either = rule(
        "when = \"humidity > 90.0 || temperature > 57.0\"\non-delay = \"30 s\"\noff-delay = \"20 s\"",
    );
    for first in [r#"{"t": 20, "h": 60}"#, r#"{"t": 20}"#] {
        let mut night = after_twenty_minutes(&either, first);

        night.talk(300, 70.0).talk(60, 20.0);

        let why = "rule `humidity > 90.0 || temperature > 57.0` holds: temperature 70 °C\n";
        let at = |time, told| format!("{time}  {told} 4 too hot: {why}");
        let expected = format!("{}{}", at("00:20:30", "opened"), at("00:25:20", "cleared"));
        assert_eq!(night.transcript, expected, "after {first}");
    }
}

#[test]
fn an_event_whose_rule_nobody_can_tell_any_more_is_unknown_until_it_is_disproved() {
    let both = rule("when = \"temperature > 57.0 && humidity > 50.0\"");
    let mut night = Night::new(Night::with_scenes(&[&both]));
    night.frame(0, r#"{"t": 70, "h": 60}"#);

    night.talk(1_200, 70.0);
    let told: Vec<&str> =
        night.transcript.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(told, ["opened", "unknown"], "{}", night.transcript);

    night.talk(10, 20.0);
    assert!(night.transcript.contains("cleared"), "{}", night.transcript);
}

#[test]
fn an_event_with_an_end_of_its_own_is_explained_by_what_began_it() {
    let scene = rule("when = \"temperature > 60.0\"\nclear-when = \"temperature < 40.0\"");
    let mut night = Night::new(Night::with_scenes(&[&scene]));

    night.talk(60, 70.0).talk(300, 50.0).talk(60, 20.0);

    let last = night.transcript.lines().last().unwrap();
    assert!(last.ends_with("rule `temperature > 60.0` holds: temperature 70 °C"), "{last}");
    assert!(last.contains("cleared"), "{last}");
}

/// One device whose two points a model watches.
fn watched(threshold: &str) -> Night {
    let spec = ModelSpec { name: "forecast".into(), version: "1".into(), window: 35, outputs: 9 };
    let scene = rule(&format!(
        "model = \"forecast\"\npoints = [\"temperature\", \"humidity\"]\n{threshold}"
    ));
    let mut community = Community { models: vec![spec], ..Night::with_scenes(&[&scene]) };
    community.devices.truncate(1);
    community.devices[0].feeder = None;
    let mut device_type = (*community.devices[0].device_type).clone();
    device_type.head.silent_after = Some("30 days".parse().unwrap());
    community.devices[0].device_type = Arc::new(device_type);
    Night::new(community)
}

impl Night {
    /// A frame every five minutes; no network answers.
    fn frames(&mut self, steps: std::ops::Range<i64>, payload: impl Fn(i64) -> String) {
        for step in steps {
            self.frame(0, &payload(step)).wait(300);
            self.questions.clear();
        }
    }
}

/// Noise from -1 to 1.
fn noise(step: i64, seed: i64) -> f64 {
    let mixed = (step + 7 * seed).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9_u64.cast_signed());
    ((mixed >> 20) & 0xFFFF) as f64 / 32_768.0 - 1.0
}

#[test]
fn a_point_that_died_holds_no_event_open_and_hides_no_other() {
    let mut night = watched("");
    let payload = |step| {
        let h = 50.0 + noise(step, 2) + if (1_300..1_340).contains(&step) { 30.0 } else { 0.0 };
        let t = 20.0 + noise(step, 1) + if step >= 900 { 25.0 } else { 0.0 };
        if step < 902 { format!(r#"{{"t": {t}, "h": {h}}}"#) } else { format!(r#"{{"h": {h}}}"#) }
    };
    night.frames(0..880, payload);
    night.transcript.clear();

    night.frames(880..1_299, payload);
    assert!(night.transcript.contains("opened"), "{}", night.transcript);
    assert!(night.transcript.contains("cleared"), "{}", night.transcript);
    night.transcript.clear();
    night.frames(1_299..1_345, payload);

    assert!(night.transcript.contains("opened 4 too hot"), "{}", night.transcript);
    assert!(night.transcript.contains("humidity"), "{}", night.transcript);
    assert!(!night.transcript.contains("temperature"), "{}", night.transcript);
}

#[test]
fn points_that_do_not_fit_each_other_raise_nothing_below_the_threshold_that_was_asked_for() {
    // Humidity goes with temperature, and from row 900 against it.
    let payload = |step| {
        let common = 5.0 * noise(step / 3, 3);
        let sign = if step >= 900 { -2.0 } else { 2.0 };
        let (t, h) = (20.0 + common + 0.1 * noise(step, 1), 50.0 + sign * common);
        format!(r#"{{"t": {t}, "h": {}}}"#, h + 0.1 * noise(step, 2))
    };
    let opened = |threshold| {
        let mut night = watched(threshold);
        night.frames(0..880, payload);
        night.transcript.clear();
        night.frames(880..920, payload);
        night.transcript.matches("do not fit").count() + night.transcript.matches("opened").count()
    };

    assert!(opened("") >= 1);
    assert_eq!(opened("threshold = 0.97"), 0);
}
