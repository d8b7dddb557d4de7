//! Stories of detectors that look at the clock on the wall.

use super::*;
use crate::community::calendar::Calendar;
use crate::reading::TimeQuality;

/// Too warm for a night, and warm enough for a day.
const NIGHT: &str = r#"
[scene]
id = "night"
title = { zh = "夜间", en = "night" }
category = "environment"
reopen-within = "0 s"
advice = { zh = "去看看", en = "go and look" }
[[detector]]
id = "warm"
point = "temperature"
limit-high = "25 degC"
during = "quiet-hours"
on-delay = "1 min"
"#;

fn with_calendar(scene: &str, calendar: &str) -> Community {
    let calendar: Calendar = toml::from_str(calendar).unwrap();
    Community { calendar: Some(Arc::new(calendar)), ..Night::with_scenes(&[scene]) }
}

fn lines(night: &Night) -> Vec<&str> {
    night.transcript.lines().filter_map(|line| Some(line.split_once(" night")?.0)).collect()
}

/// Five minutes behind UTC, so that the night that goes over midnight begins soon.
const CALENDAR: &str = "time-zone = \"-00:05\"\nquiet-hours = \"23:58-00:03\"";

#[test]
fn a_limit_of_the_night_counts_from_its_first_to_its_last_minute_and_over_midnight() {
    let mut night = Night::new(with_calendar(NIGHT, CALENDAR));

    night.talk(900, 30.0);

    // 23:58 there is 00:03 by UTC.
    assert_eq!(lines(&night), ["00:04:00  opened 4", "00:08:00  cleared 4"]);
}

#[test]
fn outside_of_the_night_is_its_opposite() {
    let day = NIGHT.replace("during", "not-during");
    let mut night = Night::new(with_calendar(&day, CALENDAR));

    night.talk(900, 30.0);

    let expected = ["00:01:00  opened 4", "00:03:00  cleared 4", "00:09:00  opened 4"];
    assert_eq!(lines(&night), expected);
}

#[test]
fn a_rule_sees_the_hour_of_the_reading() {
    let rule = NIGHT.replace(
        "point = \"temperature\"\nlimit-high = \"25 degC\"\nduring = \"quiet-hours\"",
        "when = \"temperature > 25.0 && hour >= 23.9\"\nclear-when = \"temperature < 10.0\"",
    );
    let mut night = Night::new(with_calendar(&rule, CALENDAR));

    night.talk(900, 30.0).talk(60, 5.0);

    // 23:54 there is 23:59 by UTC: true from the first reading on, until it is cool and not until
    // midnight.
    assert_eq!(lines(&night), ["00:01:00  opened 4", "00:15:00  cleared 4"]);
}

#[test]
fn a_delay_that_ends_after_the_night_proves_nothing_about_it() {
    let rule = NIGHT.replace(
        "point = \"temperature\"\nlimit-high = \"25 degC\"\nduring = \"quiet-hours\"",
        "when = \"temperature > 25.0 && quiet_hours\"",
    );
    for scene in [NIGHT, &rule] {
        let mut night = Night::new(with_calendar(scene, CALENDAR));
        night.talk(440, 20.0).wait(10).frame(0, r#"{"t": 30}"#).wait(100);
        assert_eq!(lines(&night), [""; 0], "half a minute of night, and half a minute of morning");

        let mut night = Night::new(with_calendar(scene, CALENDAR));
        night.talk(400, 20.0).frame(0, r#"{"t": 30}"#).wait(70);
        assert_eq!(lines(&night), ["00:07:40  opened 4"], "a minute of night");
    }
}

#[test]
fn while_nobody_knows_what_time_it_is_nothing_begins_and_nothing_ends() {
    let unset = Timestamp(START.0 - 10_000 * 86_400_000);
    let community =
        || with_calendar(NIGHT, "time-zone = \"+00:00\"\nquiet-hours = \"00:00-23:59\"");
    let mut night = Night::resumed(community(), Restored::default(), unset);
    night.talk(600, 30.0);
    assert_eq!(night.transcript, "", "a clock that was never set");

    night.handle(Input::Clock(TimeQuality::Synced)).talk(120, 30.0);
    assert_eq!(lines(&night), ["00:11:00  opened 4"], "the same time, but believed");

    night.handle(Input::Clock(TimeQuality::Unknown)).talk(300, 30.0);
    assert_eq!(lines(&night).len(), 1, "it goes on");
    let mut replay = Night::resumed(community(), Restored::default(), unset);
    replay.pipeline.settings.is_live = false;
    replay.talk(120, 30.0);
    assert_eq!(lines(&replay), ["00:01:00  opened 4"], "what was recorded is as old as it is");
}
