//! A month that nobody lived, counted.

use std::time::Duration;

use super::handling::Timely;
use super::*;
use crate::community::scene::Tier;
use crate::community::tests::community;
use crate::event::message::{Stage, State};
use crate::event::verdict::{MOST, Said, Verdict};

const NOVEMBER: &str = "2026-11";
/// Long after it.
const LATER: &str = "2027-01-05T00:00:00+08:00";
const NOON: &str = "2026-11-01T12:00:00+08:00";

/// The core's test community, on China's clock.
fn place() -> Community {
    let mut place = community();
    place.calendar = Some(std::sync::Arc::new(toml::from_str("time-zone = \"+08:00\"").unwrap()));
    place
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An event of the first thermometer that was over by itself within a minute.
fn event(opened: &str) -> Summary {
    let opened = at(opened);
    Summary {
        event: format!("e{}", opened.0),
        scene: "heat".into(),
        category: Category::Environment,
        area: "east".into(),
        device: "t1".into(),
        title: Text::new("过热", "Too hot"),
        level: 3,
        tier: Tier::Grid,
        state: State::Cleared,
        stage: Stage::Raised,
        assignee: None,
        drill: false,
        verdict: None,
        started: opened,
        opened,
        acknowledged: None,
        dispatched: None,
        handled: None,
        cleared: Some(opened + Duration::from_mins(1)),
        verified: None,
        closed: None,
        escalated: 0,
        reopened: 0,
        shelved: 0,
        shelved_ms: 0,
        shelved_since: None,
        detector: "high".into(),
    }
}

fn limits() -> Limits {
    Limits {
        acknowledge: [Some(Duration::from_mins(15)); 4],
        handle: [Some(Duration::from_hours(4)); 4],
    }
}

fn report(events: &[Summary]) -> Report {
    report_at(events, LATER)
}

fn report_at(events: &[Summary], now: &str) -> Report {
    let place = place();
    let grounds = Grounds {
        community: &place,
        limits: limits(),
        events,
        undated: &[],
        raised: &[],
        known_since: None,
    };
    Report::of(NOVEMBER.parse().unwrap(), &grounds, at(now))
}

#[test]
fn the_month_is_the_communitys_own() {
    let events = [
        event("2026-10-31T23:59:59+08:00"),
        event("2026-11-01T00:00:00+08:00"),
        event("2026-11-30T23:59:59+08:00"),
        event("2026-12-01T00:00:00+08:00"),
    ];

    let report = report(&events);

    assert_eq!(report.total.events, 2);
    assert_eq!(report.before.map(|before| before.events), Some(1));
    assert_eq!((report.days[0], report.days[29]), ([0, 0, 1, 0], [0, 0, 1, 0]));
    assert_eq!((report.hours[6][0], report.hours[0][23]), (1, 1), "a Sunday and a Monday");
}

#[test]
fn a_month_without_events_has_figures_and_nothing_to_change() {
    let report = report(&[]);

    assert_eq!(report.total, Counts::default());
    assert_eq!(report.pace, Pace::default());
    assert_eq!(report.areas.len(), 1, "the area is named all the same");
    assert_eq!((report.scenes.len(), report.causes.len(), report.advice), (0, 0, vec![]));
}

/// The core's place with a scene on trial, `trial`.
fn place_with_trial() -> Community {
    let mut place = place();
    let trial = r#"
        [scene]
        id = "trial"
        title = { zh = "试", en = "Trial" }
        category = "safety"
        status = "pilot"
        advice = { zh = "看", en = "look" }
    "#;
    place.scenes.push(std::sync::Arc::new(toml::from_str(trial).unwrap()));
    place
}

/// What a scene would have raised, or raised.
fn raised(scene: &str, opened: &str, is_pilot: bool, verdict: Option<Verdict>) -> Raised {
    let opened = at(opened);
    let said = |verdict| Said { verdict, by: "Li".into(), note: String::new(), at: opened };
    Raised {
        event: format!("r{}", opened.0),
        scene: scene.into(),
        title: Text::new("旧名", "Old name"),
        why: Text::default(),
        area: "east".into(),
        device: "t1".into(),
        level: 3,
        opened,
        over: None,
        speakers: std::collections::BTreeSet::new(),
        said: verdict.map(said),
        is_pilot,
    }
}

#[test]
fn drills_and_pilots_are_counted_apart() {
    let place = place_with_trial();
    let drill = Summary { drill: true, ..event("2026-11-02T10:00:00+08:00") };
    let drill_before = Summary { drill: true, ..event("2026-10-02T10:00:00+08:00") };
    // It was live then: people were told of it and saw to it.
    let told = Summary { scene: "trial".into(), ..event("2026-11-03T10:00:00+08:00") };
    let events = [drill, drill_before, told, event("2026-11-04T10:00:00+08:00")];
    let undated = [
        Summary { handled: Some(at("2026-11-05T10:00:00+08:00")), ..event("1970-01-01T00:01:00Z") },
        event("1970-01-01T00:02:00Z"),
    ];
    let raised = [
        raised("trial", "2026-11-06T10:00:00+08:00", true, Some(Verdict::Real)),
        raised("trial", "2026-11-07T10:00:00+08:00", true, Some(Verdict::FalseAlarm)),
        raised("trial", "2026-10-07T10:00:00+08:00", true, None),
        raised("trial", "2026-11-03T10:00:00+08:00", false, None),
    ];
    let grounds = Grounds {
        community: &place,
        limits: limits(),
        events: &events,
        undated: &undated,
        raised: &raised,
        known_since: None,
    };

    let report = Report::of(NOVEMBER.parse().unwrap(), &grounds, at(LATER));

    assert_eq!(report.left_out, LeftOut { drills: 1, pilots: 2, undated: 1 });
    let tally = Tally { events: 2, real: 1, false_alarms: 1, planned: 0 };
    assert_eq!(report.trials, [Trial { title: Text::new("试", "Trial"), tally }]);
    assert_eq!(report.trials_since, None, "all of it is remembered");
    assert_eq!((report.total.events, report.pace.events, report.carried), (2, 2, 0));
    let of = |rows: &[Row]| rows.iter().map(|row| row.counts.events).sum::<u32>();
    assert_eq!((of(&report.areas), of(&report.scenes)), (2, 2));
    assert_eq!(report.days.iter().flatten().sum::<u32>(), 2);
    assert_eq!(report.before.map(|before| before.events), Some(0));
}

#[test]
fn what_is_not_remembered_of_trials_is_said_by_when_they_are_counted_from() {
    let place = place_with_trial();
    let first = at("2026-11-05T10:00:00+08:00");
    let mut all: Vec<Raised> = (0..MOST)
        .map(|n| first + Duration::from_hours(1) * u32::try_from(n).unwrap())
        .map(|opened| raised("trial", &opened.rfc3339(), true, None))
        .collect();
    // Judged ones are kept longer, and say nothing of the others of their day.
    all[0] = raised("trial", "2026-11-02T10:00:00+08:00", true, Some(Verdict::Real));
    let since = |raised: &[Raised], now: &str| {
        let (limits, known_since) = (limits(), None);
        let (events, undated) = (&[], &[]);
        let grounds = Grounds { community: &place, limits, events, undated, raised, known_since };
        Report::of(NOVEMBER.parse().unwrap(), &grounds, at(now)).trials_since
    };

    assert_eq!(since(&all[1..], LATER), None, "there was room for more");
    assert_eq!(since(&all, LATER), Some(first + Duration::from_hours(1)));
    let much_later = "2027-04-01T00:00:00+08:00";
    assert_eq!(since(&all[1..], much_later), Some(at("2027-01-01T00:00:00+08:00")), "90 days");
}

#[test]
fn what_was_put_aside_is_counted_with_its_time() {
    let opened = "2026-11-29T10:00:00+08:00";
    let hour = 3_600_000;
    let once = Summary { shelved: 1, shelved_ms: hour, ..event(opened) };
    let again = Summary {
        shelved: 2,
        shelved_ms: hour,
        shelved_since: Some(at("2026-11-30T22:00:00+08:00")),
        ..event(opened)
    };

    let total = report(&[once, again, event(opened)]).total;

    assert_eq!((total.shelved, total.shelved_for), (2, Duration::from_hours(4)), "to its end");
}

#[test]
fn a_month_that_runs_is_held_against_the_same_stretch_of_the_month_before() {
    let events = [
        event("2026-10-05T10:00:00+08:00"),
        event("2026-10-25T10:00:00+08:00"),
        event("2026-11-05T10:00:00+08:00"),
    ];

    let report = report_at(&events, "2026-11-11T00:00:00+08:00");

    assert!(!report.stretch.is_over);
    assert_eq!(report.before.map(|before| before.events), Some(1));
}

#[test]
fn without_records_of_the_month_before_nothing_is_compared() {
    let place = place();
    let since = at("2026-11-12T08:00:00+08:00");
    let events = [event("2026-11-13T10:00:00+08:00")];
    let grounds = Grounds {
        community: &place,
        limits: limits(),
        events: &events,
        undated: &[],
        raised: &[],
        known_since: Some(since),
    };

    let report = Report::of(NOVEMBER.parse().unwrap(), &grounds, at(LATER));

    assert_eq!((report.before, report.stretch.known_since), (None, Some(since)));
}

#[test]
fn what_was_over_before_its_limit_asked_nothing_of_anybody() {
    let opened = "2026-11-03T10:00:00+08:00";
    let acknowledged = |minutes: u64| Summary {
        acknowledged: Some(at(opened) + Duration::from_mins(minutes)),
        cleared: Some(at(opened) + Duration::from_hours(9)),
        ..event(opened)
    };
    let unseen = Summary { cleared: Some(at(opened) + Duration::from_hours(9)), ..event(opened) };
    let set_back = Summary { acknowledged: Some(at("2026-11-03T09:00:00+08:00")), ..event(opened) };
    let dismissed = Summary { stage: Stage::Dismissed, ..unseen.clone() };
    let events = [event(opened), acknowledged(5), acknowledged(30), unseen, set_back, dismissed];

    let spans = report(&events).pace.acknowledge;

    assert_eq!((spans.timely.in_time, spans.timely.of), (1, 3), "one late, one never");
    assert_eq!(spans.reached, 2, "a span below zero is none");
    assert_eq!(spans.median, Some(Duration::from_mins(5)));
    assert_eq!(spans.ninth, Some(Duration::from_mins(30)));
}

#[test]
fn an_event_is_open_until_it_clears_is_closed_or_dismissed() {
    let opened = "2026-11-29T10:00:00+08:00";
    let open = Summary { state: State::Open, cleared: None, ..event(opened) };
    let next_month = Summary { cleared: Some(at("2026-12-02T10:00:00+08:00")), ..event(opened) };
    let closed = Summary { closed: Some(at("2026-11-30T10:00:00+08:00")), ..open.clone() };
    let dismissed = Summary { stage: Stage::Dismissed, ..open.clone() };
    let carried =
        Summary { state: State::Unknown, cleared: None, ..event("2026-10-10T10:00:00+08:00") };

    let report = report(&[open, next_month, closed, dismissed, carried]);

    assert_eq!((report.total.open, report.total.dismissed, report.carried), (2, 1, 1));
    assert_eq!(report.advice, [Advice::LeftOpen { events: 2, carried: 1 }]);
}

#[test]
fn verdicts_make_precision_and_planned_work_is_neither() {
    let said = |verdict| Summary { verdict: Some(verdict), ..event("2026-11-03T10:00:00+08:00") };
    let mut events = vec![said(Verdict::Real), said(Verdict::Real), said(Verdict::PlannedWork)];
    events.extend((0..5).map(|_| said(Verdict::FalseAlarm)));

    let report = report(&events);

    assert_eq!(report.total.precision(), Some(2.0 / 7.0));
    let device = Text::new("1号温度计", "thermometer 1");
    assert_eq!(
        report.advice,
        [
            Advice::Imprecise { scene: Text::new("过热", "Too hot"), real: 2, false_alarms: 5 },
            Advice::FalseAlarms { device, false_alarms: 5, events: 8 },
        ]
    );
    assert_eq!(report.advice[1].because().en, "5 of its 8 events were false alarms.");
}

#[test]
fn slow_hours_are_named_when_the_others_do_clearly_better() {
    let look = |hour: u32, day: u32, minutes: u64| {
        let opened = at(&format!("2026-11-{day:02}T{hour:02}:30:00+08:00"));
        Summary { opened, acknowledged: Some(opened + Duration::from_mins(minutes)), ..event(NOON) }
    };
    let events: Vec<Summary> =
        (1..=6).flat_map(|day| [look(2, day, 40), look(10, day, 3), look(15, day, 4)]).collect();

    let report = report(&events);

    let then = Timely { in_time: 0, of: 6 };
    let otherwise = Timely { in_time: 12, of: 12 };
    let slow = Advice::SlowHours { from: 0, to: 4, then, otherwise };
    assert!(report.advice.contains(&slow), "{:?}", report.advice);
    assert_eq!(
        slow.because().en,
        "6 of 6 events then were not acknowledged in time; at other hours 0 of 12."
    );
}

#[test]
fn what_comes_back_what_is_common_and_what_nobody_judges_is_told() {
    let events: Vec<Summary> = (1..=20)
        .map(|day| Summary {
            reopened: u8::from(day <= 3),
            escalated: u8::from(day <= 5),
            ..event(&format!("2026-11-{day:02}T10:00:00+08:00"))
        })
        .collect();

    let report = report(&events);

    let (title, device) = (Text::new("过热", "Too hot"), Text::new("1号温度计", "thermometer 1"));
    assert_eq!(
        report.advice,
        [
            Advice::Escalated { events: 5, of: 20 },
            Advice::Returns { title: title.clone(), device: device.clone(), times: 3 },
            Advice::Common { title, device, events: 20, of: 20 },
            Advice::Unjudged { judged: 0, events: 20 },
        ]
    );
}

#[test]
fn a_device_that_falls_silent_often_is_no_cause_but_is_told() {
    let silence = |day: u32| Summary {
        scene: "device-silent".into(),
        title: Text::new("设备失联", "Device silent"),
        device: "t2".into(),
        ..event(&format!("2026-11-{day:02}T10:00:00+08:00"))
    };

    let report = report(&[silence(1), silence(2), silence(3)]);

    let device = Text::new("2号温度计", "thermometer 2");
    let silent = Silent {
        title: Text::new("设备失联", "Device silent"),
        device: device.clone(),
        times: 3,
        total: Duration::from_mins(3),
        is_over: true,
    };
    assert_eq!((report.causes.len(), report.silent), (0, vec![silent]));
    assert_eq!(report.advice, [Advice::Silent { device, times: 3 }]);
}

#[test]
fn no_summary_whatever_breaks_a_report() {
    let wild = [i64::MIN, -1, 0, 1_793_462_400_000, i64::MAX];
    let mut events = Vec::new();
    for opened in wild {
        for other in wild {
            let other = Some(Timestamp(other));
            events.push(Summary {
                opened: Timestamp(opened),
                started: Timestamp(opened),
                acknowledged: other,
                handled: other,
                closed: other,
                cleared: other,
                level: 9,
                reopened: 255,
                scene: "device-silent".into(),
                ..event("2026-11-01T12:00:00+08:00")
            });
        }
    }

    for now in wild {
        let place = place();
        let grounds = Grounds {
            community: &place,
            limits: limits(),
            events: &events,
            undated: &events,
            raised: &[],
            known_since: Some(Timestamp(now)),
        };
        let report = Report::of(NOVEMBER.parse().unwrap(), &grounds, Timestamp(now));
        assert!(report.total.events <= 25);
    }
}
