//! Mistakes in the calendar, and scenes that ask for what it does not have.

use super::*;

const CALENDAR: &str = r#"[calendar]
time-zone = "+08:00"
holidays = ["2026-10-01/2026-10-07"]
working-days = ["2026-10-10"]
school-holidays = ["2026-07-11/2026-08-31"]
quiet-hours = "22:00-06:00"
"#;

/// The water is watched at night only.
fn at_night() -> Files {
    let mut files = files();
    let scene = SCENE
        .replace("deadband = \"0.1 m\"\n", "deadband = \"0.1 m\"\nduring = \"quiet-hours\"\n")
        .replace("every = \"5 s\"\nlasts", "every = \"5 s\"\nstarts = \"2026-03-02T22:00\"\nlasts");
    files.scenes[0].text = scene;
    files.community.text = files.community.text.replace("[[area]]", &format!("{CALENDAR}[[area]]"));
    files
}

fn told(files: &Files) -> Vec<String> {
    let Err(faults) = build(files, &around()) else { return Vec::new() };
    let all = [&files.community].into_iter().chain(&files.scenes);
    let text = |name: &str| all.clone().find(|file| file.name == name).map(|file| &file.text);
    faults
        .iter()
        .map(|fault| {
            let (line, column) = line_and_column(text(&fault.file).unwrap(), fault.span.start);
            let help = fault.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{line}:{column} {}{help}", fault.message)
        })
        .collect()
}

#[test]
fn a_calendar_becomes_part_of_the_community() {
    let built = build(&at_night(), &around()).unwrap();

    let calendar = built.community.calendar.as_ref().unwrap();
    assert_eq!(calendar.time_zone.to_string(), "+08:00");
    assert_eq!(calendar.quiet_hours.map(|h| h.to_string()).as_deref(), Some("22:00-06:00"));
}

#[test]
fn a_mistake_in_the_calendar_is_told_once_with_what_to_write() {
    let cases = [
        ("time-zone = \"+08:00\"\n", "", "4:1 missing key `time-zone`"),
        (
            "\"+08:00\"",
            "\"Asia/Shanghai\"",
            "5:13 `time-zone`: `Asia/Shanghai` is not an offset from UTC; expected hours and minutes, as in \"+08:00\" for China",
        ),
        (
            "\"+08:00\"",
            "8",
            "5:13 `time-zone` must be an offset from UTC in quotes, as in \"+08:00\", found the number 8",
        ),
        (
            "[\"2026-10-01/2026-10-07\"]",
            "[2026-10-01]",
            "6:13 `holidays` must be a day, or the first and the last of some days, in quotes, as in \"2026-10-01/2026-10-07\", found a date (write `\"2026-10-01\"`)",
        ),
        (
            "[\"2026-10-01/2026-10-07\"]",
            "\"2026-10-01\"",
            "6:12 `holidays` must be a list, found the text \"2026-10-01\" (write `[\"2026-10-01\"]`)",
        ),
        (
            "2026-10-01/2026-10-07",
            "2026-10-07/2026-10-01",
            "6:13 `holidays`: `2026-10-07/2026-10-01` ends before it begins; expected the first and the last day",
        ),
        ("2026-10-10", "2026-10-05", "7:17 2026-10-05 is in `holidays`, so it cannot be worked"),
        (
            "2026-10-10",
            "2026-10-12",
            "7:17 2026-10-12 is worked anyway: no weekend is in it (`working-days` are the Saturdays and Sundays on which people work)",
        ),
        (
            "\"2026-07-11/2026-08-31\"",
            "\"2026-07-11/2026-08-31\", \"2026-08-31\"",
            "8:45 2026-08-31 is in `school-holidays` already",
        ),
        (
            "\"22:00-06:00\"",
            "22:00:00",
            "9:15 `quiet-hours` must be two times of the day in quotes, as in \"22:00-06:00\", found a time",
        ),
        (
            "22:00-06:00",
            "10pm-6am",
            "9:15 `quiet-hours`: `10pm` is not a time of the day; expected hours and minutes, as in \"22:00\"",
        ),
        (
            "school-holidays",
            "school-holiday",
            "8:1 unknown key `school-holiday` (did you mean `school-holidays`?)",
        ),
        (
            "[calendar]",
            "[[calendar]]",
            "4:1 `calendar` must be a table, found a list (write `[calendar]`)",
        ),
    ];
    for (right, wrong, expected) in cases {
        let mut files = at_night();
        files.community.text = files.community.text.replace(right, wrong);
        assert_eq!(told(&files), [expected], "{wrong}");
    }
}

#[test]
fn a_scene_that_asks_for_what_the_calendar_does_not_have_is_told() {
    let quiet = "quiet-hours = \"22:00-06:00\"\n";
    let cases = [
        (
            CALENDAR,
            "",
            vec![
                "12:10 the community has no `[calendar]`, so nobody can tell when that is (write `[calendar]` with `time-zone = \"+08:00\"` into community.toml)",
                "23:10 `starts` is by the community's clock, but there is no `[calendar]` (give the story one: `calendar = { time-zone = \"+08:00\" }`)",
            ],
        ),
        (
            quiet,
            "",
            vec![
                "12:10 the community's `[calendar]` has no `quiet-hours`, so this never holds (write `quiet-hours = \"22:00-06:00\"` there)",
            ],
        ),
    ];
    for (right, wrong, expected) in cases {
        let mut files = at_night();
        files.community.text = files.community.text.replace(right, wrong);
        assert_eq!(told(&files), expected, "without {right}");
    }
}

#[test]
fn a_mistake_in_a_scene_that_looks_at_the_clock_is_told_once() {
    let cases = [
        (
            "during = \"quiet-hours\"",
            "during = \"night\"",
            "12:10 `during` must be one of `quiet-hours`, `business-days`, `holidays`, `school-holidays`, found the text \"night\"",
        ),
        (
            "during = \"quiet-hours\"",
            "during = \"quiet-hours\"\nnot-during = \"quiet-hours\"",
            "13:14 `during` and `not-during` are the same, so it never looks",
        ),
        (
            "temperature < 30.0",
            "quiet_hours == 1.0",
            "15:29 `quiet_hours` is true or false and no number (write `quiet_hours`, or `!quiet_hours` for the opposite)",
        ),
        (
            "temperature < 30.0",
            "hour == 22.0",
            "15:29 `hour` goes on within the hour, so it is 22 for an instant (write `hour >= 22.0 && hour < 23.0`)",
        ),
        (
            "over > 1.0",
            "over > 1.0 && quiet_hours",
            "18:23 a grade does not know `quiet_hours` (give a detector `during`, and look for its id, as in `'at-night' in detector`)",
        ),
        (
            "starts = \"2026-03-02T22:00\"\n",
            "",
            "19:1 the scene asks for the time, but the story does not say when it begins (write `starts = \"2026-03-02T21:50\"`, by the community's clock)",
        ),
        (
            "\"2026-03-02T22:00\"",
            "\"22:00\"",
            "23:10 `starts`: `22:00` is not a date with a time; expected those of the community's clock, as in \"2026-10-01T21:50\"",
        ),
        (
            "\"2026-03-02T22:00\"",
            "2026-03-02T22:00:00",
            "23:10 `starts` must be date and time of the community's clock in quotes, as in \"2026-10-01T21:50\", found a date (write `\"2026-03-02T22:00\"`)",
        ),
    ];
    for (right, wrong, expected) in cases {
        let mut files = at_night();
        files.scenes[0].text = files.scenes[0].text.replace(right, wrong);
        assert_eq!(told(&files), [expected], "{wrong}");
    }
}

#[test]
fn a_point_cannot_be_called_like_a_word_of_the_calendar() {
    let mut files = at_night();
    for text in [&mut files.device_types[1].text, &mut files.community.text] {
        *text = text.replace("name = \"open\"", "name = \"holiday\"");
    }
    files.device_types[1].text =
        files.device_types[1].text.replace("{ open = 1 }", "{ holiday = 1 }");

    let faults = build(&files, &around()).unwrap_err();

    let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(messages, ["`holiday` has a meaning of its own in rules"]);
}

#[test]
fn an_anomaly_begins_after_the_start_or_at_a_time_of_the_day() {
    let cases = [
        (
            "starts = \"1 min\"\n",
            "",
            "25:1 missing key `starts` or `at` (as in `starts = \"5 min\"` after the start, or `at = \"22:30\"` each day)",
        ),
        (
            "starts = \"1 min\"\n",
            "starts = \"1 min\"\nat = \"22:30\"\n",
            "28:1 an anomaly has one of `starts` and `at`, found both",
        ),
        (
            "starts = \"1 min\"",
            "at = \"22.30\"",
            "27:6 `at`: `22.30` is not a time of the day; expected hours and minutes, as in \"22:00\"",
        ),
        (
            "starts = \"1 min\"",
            "at = 22:30:00",
            "27:6 `at` must be a time of the day in quotes, as in \"22:30\", found a time (write `\"22:30\"`)",
        ),
    ];
    for (right, wrong, expected) in cases {
        let mut files = at_night();
        files.community.text = files.community.text.replace(right, wrong);
        assert_eq!(told(&files), [expected], "{wrong}");
    }

    let mut files = files();
    files.community.text = SITE.replace("starts = \"1 min\"", "at = \"22:30\"");
    let expected = "21:6 `at` is by the community's clock, but there is no `[calendar]` (write `[calendar]` with `time-zone = \"+08:00\"`)";
    assert_eq!(told(&files), [expected]);
}
