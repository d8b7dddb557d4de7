//! The anomalies unrolled over time, and what the platform saw judged against them.
//!
//! The plan is the truth of a simulated night: a line of `simulate --truth` per anomaly says which
//! device goes wrong when, and which scene must notice. An anomaly counts as missed only when it
//! has run its course, so a run that is cut short is not blamed for what it could not see.

use std::collections::BTreeSet;
use std::time::Duration;

use gatehouse_core::community::calendar::Calendar;
use gatehouse_core::community::site::Anomaly;
use gatehouse_core::event::message::{Message, Transition};
use gatehouse_core::reading::Timestamp;
use serde::Serialize;

/// After the end of an anomaly its event may still be on its way, or open on its last reading.
pub const GRACE: Duration = Duration::from_mins(2);

/// One occurrence of one anomaly.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Position in the file and occurrence, both from 1: `3.2`.
    pub id: String,
    pub device: String,
    /// The scene that must raise an event.
    pub scene: Option<String>,
    pub starts: Timestamp,
    pub ends: Timestamp,
}

/// A line of the truth.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    device: &'a str,
    scene: Option<&'a str>,
    starts: String,
    ends: String,
}

impl Planned {
    /// One JSON object, without the line's end.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Line {
            id: &self.id,
            device: &self.device,
            scene: self.scene.as_deref(),
            starts: self.starts.rfc3339(),
            ends: self.ends.rfc3339(),
        })
    }
}

/// Every occurrence that begins before `until`, in the order of time.
pub fn unroll(
    anomalies: &[Anomaly],
    calendar: Option<&Calendar>,
    start: Timestamp,
    until: Timestamp,
) -> Vec<Planned> {
    let mut planned = Vec::new();
    for (position, anomaly) in anomalies.iter().enumerate() {
        let mut starts = anomaly.first(calendar, start);
        let mut turn = 1;
        while starts < until {
            planned.push(Planned {
                id: format!("{}.{turn}", position + 1),
                device: anomaly.device.clone(),
                scene: anomaly.scene.clone(),
                starts,
                ends: starts + anomaly.lasts.0,
            });
            match anomaly.again() {
                Some(again) => starts = starts + again,
                None => break,
            }
            turn += 1;
        }
    }
    planned.sort_by_key(|p| p.starts);
    planned
}

/// What matters here of an event message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The message's id.
    pub message: String,
    pub opens: bool,
    pub scene: String,
    /// The event's own device.
    pub device: String,
    /// All that are concerned.
    pub affected: Vec<String>,
    pub at: Timestamp,
}

impl Seen {
    /// Nothing for a message whose time cannot be read.
    pub fn of(message: &Message) -> Option<Self> {
        let transition = message.kind.rsplit('.').next();
        let opens = [Transition::Opened, Transition::Reopened]
            .iter()
            .any(|opening| transition == Some(opening.word()));
        Some(Self {
            message: message.id.clone(),
            opens,
            scene: message.data.scene.clone(),
            device: message.data.device.clone(),
            affected: message.data.affected.clone(),
            at: message.time.parse().ok()?,
        })
    }
}

/// How a night went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Ids of anomalies that their scene noticed.
    pub found: Vec<String>,
    /// Anomalies that ran their course unnoticed, by id, scene and device.
    pub missed: Vec<String>,
    /// Ids of anomalies that may yet be noticed.
    pub not_due: Vec<String>,
    /// Ids of anomalies for which more than one event was opened.
    pub opened_twice: Vec<String>,
    /// Openings that no anomaly explains, by message, scene and device.
    pub false_events: Vec<String>,
}

/// Judges what was seen until `now`; `seen` holds no message twice.
///
/// An anomaly is found when an event of its scene that names its device was opened, or grew to name
/// it, between its start and its end, give or take [`GRACE`]. An anomaly without a scene explains
/// what the gateway says of the device itself (that it is silent, that it sends rubbish), but no
/// event of a scene that other anomalies are planned for.
pub fn judge(planned: &[Planned], seen: &[Seen], now: Timestamp) -> Verdict {
    let scenes: BTreeSet<&str> = planned.iter().filter_map(|p| p.scene.as_deref()).collect();
    let mut verdict = Verdict::default();

    for anomaly in planned.iter().filter(|p| p.scene.is_some()) {
        let noticed = || seen.iter().filter(|event| explains(anomaly, event, &scenes));
        let openings = noticed().filter(|event| event.opens).count();
        if openings > 0 || noticed().next().is_some() {
            verdict.found.push(anomaly.id.clone());
        } else if now >= anomaly.ends + GRACE {
            let scene = anomaly.scene.as_deref().unwrap_or_default();
            verdict.missed.push(format!("{} ({scene} at {})", anomaly.id, anomaly.device));
        } else {
            verdict.not_due.push(anomaly.id.clone());
        }
        if openings > 1 {
            verdict.opened_twice.push(anomaly.id.clone());
        }
    }
    verdict.false_events = seen
        .iter()
        .filter(|event| event.opens && !planned.iter().any(|p| explains(p, event, &scenes)))
        .map(|event| format!("{} ({} at {})", event.message, event.scene, event.device))
        .collect();
    verdict
}

fn explains(anomaly: &Planned, event: &Seen, scenes: &BTreeSet<&str>) -> bool {
    let is_of_scene = match &anomaly.scene {
        Some(scene) => *scene == event.scene,
        None => !scenes.contains(event.scene.as_str()),
    };
    is_of_scene
        && (event.device == anomaly.device || event.affected.contains(&anomaly.device))
        && (anomaly.starts..=anomaly.ends + GRACE).contains(&event.at)
}

#[cfg(test)]
mod tests {
    use gatehouse_core::community::quantity::Period;

    use super::*;

    #[test]
    fn an_anomaly_that_repeats_is_planned_until_the_end() {
        let anomalies = [
            anomaly("bin-1", 10, 5, Some(30), Some("bin-fire")),
            anomaly("air-1", 20, 1, None, None),
            anomaly("air-2", 90, 1, None, None),
        ];

        let planned = unroll(&anomalies, None, minute(0), minute(71));

        let expected = [("1.1", 10, 15), ("2.1", 20, 21), ("1.2", 40, 45), ("1.3", 70, 75)];
        let found: Vec<_> = planned.iter().map(|p| (p.id.as_str(), p.starts, p.ends)).collect();
        assert_eq!(found, expected.map(|(id, from, to)| (id, minute(from), minute(to))));
    }

    #[test]
    fn an_anomaly_of_the_night_comes_each_night_by_the_clock_on_the_wall() {
        let calendar: Calendar = toml::from_str("time-zone = \"+08:00\"").unwrap();
        let nightly = Anomaly {
            starts: None,
            at: Some("22:30".parse().unwrap()),
            ..anomaly("noise-1", 0, 25, None, Some("noise"))
        };
        let start: Timestamp = "2026-03-02T22:45:00+08:00".parse().unwrap();
        let until = start + Duration::from_hours(48);

        let planned = unroll(&[nightly], Some(&calendar), start, until);

        let starts: Vec<_> = planned.iter().map(|p| p.starts.rfc3339()).collect();
        assert_eq!(starts, ["2026-03-03T14:30:00.000Z", "2026-03-04T14:30:00.000Z"]);
    }

    #[test]
    fn a_line_of_the_truth_can_be_read_by_anything() {
        let planned = unroll(
            &[anomaly("bin-1", 10, 5, None, Some("bin-fire"))],
            None,
            Timestamp(1_767_225_600_000),
            Timestamp(i64::MAX),
        );

        assert_eq!(
            planned[0].json().unwrap(),
            r#"{"id":"1.1","device":"bin-1","scene":"bin-fire","starts":"2026-01-01T00:10:00.000Z","ends":"2026-01-01T00:15:00.000Z"}"#
        );
    }

    #[test]
    fn events_are_judged_against_the_plan() {
        let one = Verdict { found: vec!["1.1".into()], ..Verdict::default() };
        let missed = Verdict { missed: vec!["1.1 (fire at bin-1)".into()], ..Verdict::default() };
        let not_due = Verdict { not_due: vec!["1.1".into()], ..Verdict::default() };
        let twice = Verdict { opened_twice: vec!["1.1".into()], ..one.clone() };
        let with_false = |verdict: &Verdict, ids: &[&str]| Verdict {
            false_events: ids.iter().map(ToString::to_string).collect(),
            ..verdict.clone()
        };
        let grown = || Seen { opens: false, ..opened("b", "fire", &["bin-2", "bin-1"], 13) };
        let cases = [
            ("opened in time", vec![opened("a", "fire", &["bin-1"], 11)], 20, one.clone()),
            ("within the grace", vec![opened("a", "fire", &["bin-1"], 17)], 20, one.clone()),
            (
                "an area's event",
                vec![opened("a", "fire", &["bin-9", "bin-1"], 11)],
                20,
                one.clone(),
            ),
            ("nothing came", vec![], 20, missed.clone()),
            ("still going on", vec![], 14, not_due.clone()),
            ("over, but the event may be on its way", vec![], 16, not_due.clone()),
            (
                "noticed before it is over",
                vec![opened("a", "fire", &["bin-1"], 11)],
                12,
                one.clone(),
            ),
            (
                "opened twice",
                vec![opened("a", "fire", &["bin-1"], 11), opened("b", "fire", &["bin-1"], 12)],
                20,
                twice,
            ),
            (
                "an update is no second opening",
                vec![
                    opened("a", "fire", &["bin-1"], 11),
                    Seen { opens: false, ..opened("b", "fire", &["bin-1"], 12) },
                ],
                20,
                one.clone(),
            ),
            (
                "an older event of the area grew to hold it",
                vec![opened("a", "fire", &["bin-2"], 9), grown()],
                20,
                with_false(&one, &["a (fire at bin-2)"]),
            ),
            (
                "another scene",
                vec![opened("a", "air", &["bin-1"], 11)],
                20,
                with_false(&missed, &["a (air at bin-1)"]),
            ),
            (
                "another device",
                vec![opened("a", "fire", &["bin-2"], 11)],
                20,
                with_false(&missed, &["a (fire at bin-2)"]),
            ),
            (
                "too early",
                vec![opened("a", "fire", &["bin-1"], 9)],
                14,
                with_false(&not_due, &["a (fire at bin-1)"]),
            ),
            (
                "too late",
                vec![opened("a", "fire", &["bin-1"], 18)],
                20,
                with_false(&missed, &["a (fire at bin-1)"]),
            ),
        ];

        for (why, seen, now, expected) in cases {
            let plan =
                unroll(&[anomaly("bin-1", 10, 5, None, Some("fire"))], None, minute(0), minute(60));
            assert_eq!(judge(&plan, &seen, minute(now)), expected, "{why}");
        }
    }

    #[test]
    fn a_silent_device_explains_what_is_said_of_itself_and_no_scene() {
        let plan = unroll(
            &[anomaly("air-1", 10, 5, None, None), anomaly("bin-1", 40, 5, None, Some("fire"))],
            None,
            minute(0),
            minute(60),
        );
        let seen =
            [opened("a", "device-silent", &["air-1"], 12), opened("b", "fire", &["air-1"], 12)];

        let expected = Verdict {
            not_due: vec!["2.1".into()],
            false_events: vec!["b (fire at air-1)".into()],
            ..Verdict::default()
        };
        assert_eq!(judge(&plan, &seen, minute(20)), expected);
    }

    fn minute(number: i64) -> Timestamp {
        Timestamp(number * 60_000)
    }

    fn anomaly(
        device: &str,
        starts: u64,
        lasts: u64,
        repeats: Option<u64>,
        scene: Option<&str>,
    ) -> Anomaly {
        let minutes = |n| Period(Duration::from_mins(n));
        Anomaly {
            device: device.into(),
            starts: Some(minutes(starts)),
            at: None,
            lasts: minutes(lasts),
            repeats: repeats.map(minutes),
            set: std::collections::BTreeMap::new(),
            silent: scene.is_none(),
            payload: None,
            scene: scene.map(Into::into),
        }
    }

    fn opened(message: &str, scene: &str, devices: &[&str], at: i64) -> Seen {
        Seen {
            message: message.into(),
            opens: true,
            scene: scene.into(),
            device: devices[0].into(),
            affected: devices.iter().map(ToString::to_string).collect(),
            at: minute(at),
        }
    }
}
