//! Nights of one guard's telephone, in simulated time.

use std::collections::BTreeMap;

use serde_json::json;

use super::board::Board;
use super::letter::Letter;
use super::pace::Limit;
use super::*;
use crate::event::message::Transition;
use crate::reading::Timestamp;

/// Noon in the community.
pub(super) const NOON: Timestamp = Timestamp(1_772_337_600_000);
const ZONE: &str = "+08:00";

pub(super) fn data(event: &str, level: u8, state: &str) -> EventData {
    serde_json::from_value(json!({
        "event": event, "scene": "fire", "category": "safety",
        "title": { "zh": "垃圾桶起火", "en": "bin on fire" }, "level": level,
        "urgency": "Immediate", "certainty": "Likely", "state": state, "tier": "grid",
        "area": "east", "device": "bin-1", "location": { "zh": "东区3号楼", "en": "east, house 3" },
        "started": NOON.rfc3339(), "detected": NOON.rfc3339(),
        "cause": {
            "detector": "hot", "model": "rule", "score": 90.0, "threshold": 60.0,
            "why": { "zh": "温度 90 °C，高于 60 °C", "en": "90 °C, above 60 °C" },
            "contributions": [], "quality": 1.0,
            "grading": { "over": 0.5, "lasted": 1.0, "people": 50, "certainty": 0.9, "devices": 1 },
        },
        "affected": ["bin-1"], "advice": { "zh": "带灭火器去", "en": "take an extinguisher" },
        "evidence": [], "review": { "required": false }, "drill": false,
        "handling": { "stage": "raised" },
    }))
    .unwrap()
}

fn guard() -> Recipient {
    Recipient {
        id: "guard/phone".into(),
        name: "guard".into(),
        language: Language::En,
        channel: "sms".into(),
        address: "13800000000".into(),
        levels: vec![1, 2, 3, 4],
        hours: None,
        budget: None,
        way: None,
    }
}

/// A board, its rows, and what went out.
struct Night {
    board: Board,
    rows: BTreeMap<String, Vec<u8>>,
    to: Recipient,
    now: Timestamp,
    sequence: u64,
    sent: Vec<(Timestamp, Parcel)>,
    answer: Outcome,
}

impl Night {
    fn new(to: Recipient) -> Self {
        let mut night = Self {
            board: Board::restore("gw", [], NOON),
            rows: BTreeMap::new(),
            to,
            now: NOON,
            sequence: 0,
            sent: Vec::new(),
            answer: Outcome::Sent,
        };
        night.configure();
        night
    }

    fn configure(&mut self) {
        let limits = [("sms".into(), vec![Limit { many: 20, within: Duration::from_mins(1) }])];
        let zone = Zone(Some(ZONE.parse().unwrap()));
        self.board.set_directory(vec![self.to.clone()], limits.into(), zone);
    }

    fn tell(&mut self, transition: Transition, data: &EventData) {
        self.sequence += 1;
        let to = [self.to.id.clone()];
        self.board.handle_record(self.sequence, transition, data, &to, self.now);
        self.write();
    }

    fn opened(&mut self, event: &str, level: u8) {
        self.tell(Transition::Opened, &data(event, level, "open"));
    }

    fn cleared(&mut self, event: &str, level: u8) {
        self.tell(Transition::Cleared, &data(event, level, "cleared"));
    }

    fn write(&mut self) {
        for (key, value) in self.board.take_changes() {
            match value {
                Some(value) => _ = self.rows.insert(key, value),
                None => _ = self.rows.remove(&key),
            }
        }
    }

    /// Power off and on again: what is on disk is what is known.
    fn kill(&mut self) {
        self.board = Board::restore("gw", self.rows.clone(), self.now);
        self.configure();
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            while let Some(parcel) = self.board.poll_send(self.now) {
                self.write();
                self.sent.push((self.now, parcel.clone()));
                let answer = self.answer.clone();
                self.board.handle_outcome(&parcel.recipient, &answer, self.now);
                self.write();
            }
            match self.board.poll_timeout(self.now) {
                Some(due) if due <= end => self.now = due.max(self.now + Duration::from_millis(1)),
                _ => break,
            }
        }
        self.now = end;
    }

    /// When, in seconds after noon, and what.
    fn transcript(&self) -> Vec<(u64, String)> {
        let zone = Zone(Some(ZONE.parse().unwrap()));
        let told = |parcel: &Parcel| Letter::of(parcel, None, zone).headline;
        self.sent.iter().map(|(at, parcel)| (at.since(NOON).as_secs(), told(parcel))).collect()
    }
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

#[test]
fn one_event_is_one_message_and_its_end_another_one() {
    let mut night = Night::new(guard());
    night.opened("e1", 2);
    night.pass(minutes(10));
    night.tell(Transition::Updated, &data("e1", 2, "open"));
    night.tell(Transition::Acknowledged, &data("e1", 2, "open"));
    night.pass(minutes(10));
    night.cleared("e1", 2);
    night.tell(Transition::Closed, &data("e1", 2, "cleared"));
    night.pass(minutes(10));

    let expected = [
        (5, "[Level II, major, orange] bin on fire | east, house 3".to_owned()),
        (1_205, "[Level II, major, orange] bin on fire (over) | east, house 3".to_owned()),
    ];
    assert_eq!(night.transcript(), expected);
}

#[test]
fn level_one_does_not_wait_and_becoming_worse_is_told_to_those_who_knew() {
    let mut night = Night::new(guard());
    night.opened("e1", 3);
    night.pass(minutes(10));
    night.tell(Transition::Escalated, &data("e1", 1, "open"));
    night.pass(minutes(1));

    let told = night.transcript();
    assert_eq!((told[0].0, told[1].0), (5, 601));
    assert_eq!(told[1].1, "[Level I, extraordinary, red] bin on fire (raised) | east, house 3");
}

#[test]
fn a_hundred_events_in_a_minute_are_one_summary_and_nothing_is_lost() {
    let mut night = Night::new(guard());
    for event in 0..100 {
        night.opened(&format!("e{event}"), 2 + event % 3);
        night.pass(Duration::from_millis(590));
    }
    night.pass(minutes(30));

    assert_eq!(night.transcript().len(), 1, "{:#?}", night.transcript());
    let Load::Many { items, more, is_digest } = &night.sent[0].1.load else { panic!() };
    assert_eq!((items.len(), more, is_digest), (100, &[0; 4], &false));
    let letter = Letter::of(&night.sent[0].1, None, Zone(None));
    assert_eq!(letter.headline, "[Many at once] 100 events in a short time");
    assert_eq!(letter.fields[0].1, "II 34 · III 33 · IV 33");
    assert_eq!(letter.list.last().unwrap(), "and 90 more; see the console");
}

#[test]
fn four_hundred_at_once_are_one_summary_that_counts_them_all() {
    let mut night = Night::new(guard());
    for (event, level) in (0..400).zip([1, 2, 3, 4].into_iter().cycle()) {
        night.opened(&format!("e{event}"), level);
    }
    night.pass(minutes(30));

    assert_eq!(night.sent.len(), 1);
    let letter = Letter::of(&night.sent[0].1, None, Zone(None));
    assert_eq!(letter.headline, "[Many at once] 400 events in a short time");
    assert_eq!(letter.fields[0].1, "I 100 · II 100 · III 100 · IV 100");
}

#[test]
fn over_the_budget_of_a_day_all_but_level_one_comes_as_one_digest_in_the_morning() {
    let mut night = Night::new(Recipient { budget: Some(20), ..guard() });
    for event in 0..30 {
        night.opened(&format!("e{event}"), 3);
        night.pass(minutes(10));
    }
    assert_eq!(night.sent.len(), 20);
    night.opened("fire", 1);
    night.pass(minutes(1));
    assert_eq!(night.sent.len(), 21, "level I goes out all the same");

    night.pass(minutes(36 * 60));

    assert_eq!(night.sent.len(), 22, "{:#?}", night.transcript());
    let (at, told) = night.transcript().pop().unwrap();
    assert_eq!((at, told.as_str()), (20 * 3_600, "[Digest] 10 events"), "at eight");
}

#[test]
fn outside_of_the_hours_only_level_one_wakes_and_the_rest_waits_for_the_morning() {
    let hours = Some("07:00-23:00".parse().unwrap());
    let mut night = Night::new(Recipient { hours, ..guard() });
    night.pass(minutes(11 * 60 + 30));
    for event in 0..5 {
        night.opened(&format!("e{event}"), 2);
        night.pass(minutes(5));
    }
    night.cleared("e0", 2);
    night.opened("fire", 1);
    night.pass(minutes(12 * 60));

    let told = night.transcript();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[0].0, 11 * 3_600 + 55 * 60 + 1, "the fire at once");
    assert_eq!(told[1], (19 * 3_600, "[Digest] 5 events".to_owned()), "the others at seven");
}

#[test]
fn after_a_power_cut_a_message_goes_out_again_under_the_same_number_and_none_is_lost() {
    let mut night = Night::new(guard());
    night.opened("e1", 2);
    night.kill();
    night.now = night.now + minutes(1);
    let parcel = night.board.poll_send(night.now).unwrap();
    night.write();
    night.kill();
    let again = night.board.poll_send(night.now).unwrap();
    assert_eq!((&again.id, &again.load), (&parcel.id, &parcel.load));
    assert_eq!(night.board.poll_send(night.now), None, "it is out");

    night.board.handle_outcome(&again.recipient, &Outcome::Sent, night.now);
    night.write();
    night.kill();
    night.board.handle_record(
        1,
        Transition::Opened,
        &data("e1", 2, "open"),
        &[guard().id],
        night.now,
    );
    night.pass(minutes(60));
    assert_eq!(night.sent, [], "and not once more, whatever the journal shows again");
    night.cleared("e2", 2);
    night.cleared("e1", 2);
    night.pass(minutes(60));
    assert_eq!(night.sent.len(), 1, "who was told is still known");
}

#[test]
fn what_fails_is_tried_ever_later_and_given_up_after_a_day() {
    let mut night = Night::new(guard());
    night.answer = Outcome::Later { why: "no line".into(), after: None };
    night.opened("e1", 2);
    night.pass(minutes(3));
    let at: Vec<u64> = night.transcript().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [5, 10, 20, 40, 80, 160]);
    night.pass(minutes(26 * 60));
    let (last, parcel) = night.sent.last().unwrap().clone();
    assert!(last.since(NOON) < Duration::from_hours(25), "{last}");
    assert!((140..170).contains(&parcel.attempts), "{}", parcel.attempts);

    night.answer = Outcome::Sent;
    night.opened("e2", 2);
    night.pass(minutes(1));
    assert_ne!(night.sent.last().unwrap().1.id, parcel.id, "the next one has its way");
}

#[test]
fn a_channel_that_says_too_much_rests_and_one_bad_message_blocks_nobody() {
    let mut night = Night::new(guard());
    night.answer = Outcome::Later { why: "45009".into(), after: Some(minutes(10)) };
    night.opened("e1", 1);
    night.pass(minutes(1));
    night.answer = Outcome::Unfit { why: "no such telephone".into() };
    night.pass(minutes(20));
    night.opened("e2", 2);
    night.answer = Outcome::Sent;
    night.pass(minutes(1));

    let at: Vec<u64> = night.transcript().iter().map(|(at, _)| *at).collect();
    assert_eq!(at, [1, 601, 1_265]);
}

#[test]
fn what_waits_for_a_persons_yes_is_told_after_it_and_only_then() {
    let mut night = Night::new(guard());
    let mut held = data("e1", 2, "open");
    held.review.required = true;
    night.tell(Transition::Opened, &held);
    night.pass(minutes(60));
    assert_eq!(night.sent.len(), 0);

    held.review.by = Some("wang".into());
    night.tell(Transition::Updated, &held);
    night.pass(minutes(60));

    assert_eq!(night.sent.len(), 1);
}

#[test]
fn levels_that_nobody_wants_to_hear_of_are_not_told_nor_is_their_end() {
    let mut night = Night::new(Recipient { levels: vec![1], ..guard() });
    night.opened("e1", 2);
    night.cleared("e1", 2);
    night.pass(minutes(60));
    assert_eq!(night.sent, []);
}

#[test]
fn a_letter_says_what_where_since_when_why_and_what_to_do_in_both_languages() {
    for (language, expected) in [
        (
            Language::Zh,
            "【I级 特别重大·红】垃圾桶起火 | 东区3号楼\n地点：东区3号楼\n开始时间：03-01 12:00\n\
             原因：温度 90 °C，高于 60 °C\n处置建议：带灭火器去\n编号：gw-1",
        ),
        (
            Language::En,
            "[Level I, extraordinary, red] bin on fire | east, house 3\nWhere: east, house 3\n\
             Since: 03-01 12:00\nWhy: 90 °C, above 60 °C\nWhat to do: take an extinguisher\nNo.: gw-1",
        ),
    ] {
        let mut night = Night::new(Recipient { language, ..guard() });
        night.opened("e1", 1);
        night.pass(minutes(1));
        let zone = Zone(Some(ZONE.parse().unwrap()));
        let letter = Letter::of(&night.sent[0].1, Some(&data("e1", 1, "open")), zone);
        assert_eq!(letter.plain(), expected);
    }
}

#[test]
fn a_box_that_starts_in_the_past_tells_what_waits_at_once() {
    let mut night = Night::new(guard());
    night.opened("e1", 2);
    night.pass(minutes(1));
    night.opened("e2", 1);
    night.now = Timestamp(1_000);
    night.kill();
    night.opened("e3", 1);
    night.pass(minutes(1));

    let told: Vec<&Load> = night.sent[1..].iter().map(|(_, parcel)| &parcel.load).collect();
    assert_eq!(told.iter().map(|load| load.items().len()).sum::<usize>(), 2, "{told:#?}");
}

#[test]
fn a_flood_of_level_one_at_night_is_counted_to_the_last() {
    let hours = Some("07:00-23:00".parse().unwrap());
    let mut night = Night::new(Recipient { hours, ..guard() });
    night.pass(minutes(12 * 60));
    for (event, level) in (0..230).zip([1, 1, 1, 1, 1, 1, 1, 1, 1, 4].into_iter().cycle()) {
        night.opened(&format!("e{event}"), level);
    }
    night.pass(minutes(60));
    let Load::Many { items, more, .. } = &night.sent[0].1.load else { panic!() };
    assert_eq!(items.len() + more.iter().sum::<u32>() as usize, 230, "{more:?}");
}
