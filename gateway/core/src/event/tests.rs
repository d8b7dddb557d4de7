//! One night of one event, second by second.

use super::*;
use crate::community::quantity::Text;
use crate::community::scene::{Category, Tier};
use crate::event::message::{Cause, Certainty, Grading, Handling, Review, Urgency};

fn at(seconds: u64) -> Timestamp {
    Timestamp(0) + Duration::from_secs(seconds)
}

fn key() -> Key {
    Key { scene: "gas".into(), subject: "kitchen".into() }
}

fn finding(device: &str, detector: &str, over: f64, since: Timestamp) -> Finding {
    Finding {
        device: device.into(),
        since,
        evidence: Evidence {
            detector: detector.into(),
            model: "rule".into(),
            score: over,
            threshold: 20.0,
            over,
            certainty: 0.9,
            why: Text::new("燃气", "gas"),
            contributions: Vec::new(),
            quality: 1.0,
        },
        affected: Vec::new(),
        is_silent: false,
    }
}

fn concern() -> Concern {
    Concern {
        data: EventData {
            event: "e".into(),
            scene: "gas".into(),
            category: Category::Safety,
            title: Text::new("燃气泄漏", "gas leak"),
            level: 4,
            urgency: Urgency::Expected,
            certainty: Certainty::Possible,
            state: State::Open,
            tier: Tier::Grid,
            area: "east".into(),
            device: "g1".into(),
            location: Text::default(),
            started: String::new(),
            detected: String::new(),
            cause: Cause {
                detector: String::new(),
                model: String::new(),
                score: 0.0,
                threshold: 0.0,
                false_alarms_per_week: None,
                why: Text::default(),
                contributions: Vec::new(),
                grading: Grading::default(),
                quality: 0.0,
            },
            affected: Vec::new(),
            advice: Text::default(),
            evidence: Vec::new(),
            review: Review::default(),
            drill: false,
            handling: Handling::default(),
            reports: Vec::new(),
            echo: BTreeMap::new(),
        },
        people: 100,
        reopen_within: Duration::from_mins(1),
    }
}

/// Level 2 once it is twice over the limit, or has lasted five minutes; 3 else.
fn grade(_: &str, question: &GradeQuestion) -> u8 {
    if question.over >= 2.0 || question.lasted >= 300.0 { 2 } else { 3 }
}

#[derive(Default)]
struct Night {
    book: Book,
}

impl Night {
    fn raise(&mut self, device: &str, detector: &str, over: f64, when: u64) {
        self.book.raise(key(), finding(device, detector, over, at(when)), BTreeMap::new(), concern);
    }

    fn changes(&mut self, over: &mut Vec<Key>, now: Timestamp) -> Vec<Change> {
        let world = World { grade: &grade, place: &|_| None, times: &|_| None };
        self.book.poll_changes(&world, over, now)
    }

    /// What is told at that second: transition and level.
    fn told(&mut self, when: u64) -> Vec<String> {
        let mut over = Vec::new();
        let changes = self.changes(&mut over, at(when));
        changes
            .iter()
            .flat_map(|change| &change.news)
            .map(|(transition, data)| format!("{} {}", transition.word(), data.level))
            .chain(over.iter().map(|key| format!("over {}", key.scene)))
            .collect()
    }
}

#[test]
fn a_repeated_finding_stays_one_event_until_it_is_gone() {
    let mut night = Night::default();

    night.raise("g1", "lel", 0.5, 0);
    assert_eq!(night.told(0), ["opened 3"]);
    night.raise("g1", "lel", 0.6, 30);
    assert_eq!(night.told(30), Vec::<String>::new());
    night.book.drop_finding(&key(), "g1", "lel");
    assert_eq!(night.told(90), ["cleared 3"]);
    assert_eq!(night.told(149), Vec::<String>::new());
    assert_eq!(night.told(150), ["closed 3", "over gas"]);
    assert_eq!(night.book.all().count(), 0);
}

#[test]
fn two_triggers_two_milliseconds_apart_are_one_event() {
    let mut night = Night::default();

    night.raise("g1", "lel", 0.5, 0);
    night.raise("g1", "rise", 0.5, 0);
    assert_eq!(night.told(0), ["opened 3"]);
    night.raise("g2", "lel", 0.5, 0);
    let mut over = Vec::new();
    let soon = night.changes(&mut over, Timestamp(2));
    assert!(
        soon.iter().all(|change| change.news.is_empty()),
        "no second event, and not yet another message"
    );
    assert_eq!(soon.len(), 1, "but what is known is kept");
    assert_eq!(night.told(10), ["updated 3"], "ten seconds later its new device is told");
    assert_eq!(night.book.open().count(), 1);
}

#[test]
fn what_grows_worse_is_told_at_once_and_what_lasts_is_graded_anew() {
    let mut night = Night::default();
    night.raise("g1", "lel", 0.5, 0);
    night.told(0);

    night.book.refresh(&key(), "g1", finding("g1", "lel", 2.5, at(0)).evidence);
    assert_eq!(night.told(1), ["updated 2"]);
    night.book.refresh(&key(), "g1", finding("g1", "lel", 0.1, at(0)).evidence);
    assert_eq!(night.told(2), Vec::<String>::new(), "it keeps the worst level while it lasts");

    let mut lasting = Night::default();
    lasting.raise("g1", "lel", 0.5, 0);
    lasting.told(0);
    assert_eq!(lasting.book.due(), Some(at(60)));
    assert_eq!(lasting.told(300), ["updated 2"]);
}

#[test]
fn what_returns_soon_is_reopened_with_the_same_id_and_graded_anew() {
    let mut night = Night::default();
    night.raise("g1", "lel", 3.0, 0);
    assert_eq!(night.told(0), ["opened 2"]);
    night.book.drop_finding(&key(), "g1", "lel");
    assert_eq!(night.told(10), ["cleared 2"]);

    night.raise("g1", "lel", 0.5, 30);

    assert_eq!(night.told(30), ["reopened 3"]);
    assert_eq!(night.book.open().count(), 1);
}

#[test]
fn a_silent_sensor_makes_its_event_unknown_and_not_cleared() {
    let mut night = Night::default();
    night.raise("g1", "lel", 0.5, 0);
    night.told(0);

    night.book.set_silent(&key(), "g1", "lel", true);
    assert_eq!(night.told(60), ["unknown 3"]);
    assert_eq!(night.told(3_000), ["updated 2"], "it has lasted long; still nobody can tell");
    night.book.set_silent(&key(), "g1", "lel", false);
    assert_eq!(night.told(3_060), ["updated 2"]);
    night.book.drop_finding(&key(), "g1", "lel");
    assert_eq!(night.told(3_070), ["cleared 2"]);
}

#[test]
fn what_comes_and_goes_within_one_step_is_not_told() {
    let mut night = Night::default();

    night.raise("g1", "lel", 0.5, 0);
    night.book.drop_finding(&key(), "g1", "lel");

    assert_eq!(night.told(0), Vec::<String>::new());
    assert_eq!(night.told(60), ["over gas"]);
}
