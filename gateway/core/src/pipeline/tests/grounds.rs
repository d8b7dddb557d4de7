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
