//! Tests: channels that do not deliver, and the next way to the same person.

use std::collections::BTreeMap;
use std::time::Duration;

use super::board::Board;
use super::standing::Trouble;
use super::tests::{NOON, data};
use super::*;
use crate::event::message::Transition;
use crate::reading::Timestamp;

fn way(channel: &str, way: usize, levels: &[u8]) -> Recipient {
    Recipient {
        id: format!("li@{channel}#{way}"),
        name: "li".into(),
        language: Language::En,
        channel: channel.into(),
        address: String::new(),
        levels: levels.to_vec(),
        hours: None,
        budget: None,
        way: Some(way),
    }
}

fn group() -> Recipient {
    Recipient { id: "group".into(), name: "group".into(), way: None, ..way("group", 0, &ALL) }
}

const ALL: [u8; 4] = [1, 2, 3, 4];

/// A board with these, what their channels answer, and what went out: seconds after noon, channel, event.
struct Evening {
    board: Board,
    all: Vec<Recipient>,
    rows: BTreeMap<String, Vec<u8>>,
    answers: BTreeMap<&'static str, Outcome>,
    now: Timestamp,
    sequence: u64,
    sent: Vec<(u64, String, String)>,
}

impl Evening {
    fn new(all: &[Recipient]) -> Self {
        let mut evening = Self {
            board: Board::default(),
            all: all.to_vec(),
            rows: BTreeMap::new(),
            answers: BTreeMap::new(),
            now: NOON,
            sequence: 0,
            sent: Vec::new(),
        };
        evening.restart();
        evening
    }

    fn restart(&mut self) {
        self.board = Board::restore("gw", self.rows.clone(), self.now);
        let limits = self.all.iter().map(|to| (to.channel.clone(), Vec::new())).collect();
        self.board.set_directory(self.all.clone(), limits, Zone(None));
        self.write();
    }

    fn write(&mut self) {
        for (key, value) in self.board.take_changes() {
            match value {
                Some(value) => _ = self.rows.insert(key, value),
                None => _ = self.rows.remove(&key),
            }
        }
    }

    fn opened(&mut self, data: &EventData) {
        self.sequence += 1;
        let wants = |to: &&Recipient| to.levels.contains(&data.level);
        let to: Vec<String> = self.all.iter().filter(wants).map(|to| to.id.clone()).collect();
        self.board.handle_record(self.sequence, Transition::Opened, data, &to, self.now);
        self.write();
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            while let Some(parcel) = self.board.poll_send(self.now) {
                let to = &parcel.recipient;
                let answer = self.answers.get(&*to.channel).cloned().unwrap_or(Outcome::Sent);
                if answer == Outcome::Sent {
                    let at = self.now.since(NOON).as_secs();
                    let events = parcel.load.items().iter().map(|item| item.event.clone());
                    self.sent.extend(events.map(|event| (at, to.channel.clone(), event)));
                }
                self.board.handle_outcome(to, &answer, self.now);
                self.write();
            }
            match self.board.poll_timeout(self.now) {
                Some(due) if due <= end => self.now = due.max(self.now + Duration::from_millis(1)),
                _ => break,
            }
        }
        self.now = end;
    }

    fn troubles(&self) -> Vec<(&str, Option<Trouble>)> {
        self.board.standings().iter().map(|(id, standing)| (&**id, standing.trouble())).collect()
    }
}

fn later() -> Outcome {
    Outcome::Later { why: "no line".into(), after: None }
}

fn told(at: u64, channel: &str, event: &str) -> (u64, String, String) {
    (at, channel.to_owned(), event.to_owned())
}

#[test]
fn who_cannot_be_reached_one_way_is_told_by_the_next_whatever_its_levels_and_only_once() {
    let ways = [way("mail", 0, &ALL), way("sms", 1, &[1]), way("call", 2, &[1])];
    let mut evening = Evening::new(&ways);
    evening.answers.insert("mail", later());
    evening.opened(&data("e1", 2, "open"));
    evening.pass(Duration::from_mins(9));

    // Tried after 5, 10, 20, 40 and 80 s; the next pause would end after the two minutes.
    assert_eq!(evening.sent, [told(85, "sms", "e1")]);
    assert_eq!(evening.troubles(), [("mail", None), ("sms", None)], "not down yet");
    evening.pass(Duration::from_mins(50));
    assert_eq!(evening.sent.len(), 1, "{:?}", evening.sent);
    assert_eq!(evening.troubles()[0], ("mail", Some(Trouble::Unreachable)));

    evening.answers.clear();
    evening.pass(Duration::from_mins(10));
    assert_eq!(evening.sent[1].1, "mail", "it is not given up for that");
    assert_eq!(evening.troubles()[0], ("mail", None));
    let standing = &evening.board.standings()["mail"];
    assert!(standing.delivered > standing.failed && standing.why == "no line");
}

#[test]
fn a_refused_or_misconfigured_way_is_passed_on_at_once_from_way_to_way() {
    let ways = [way("mail", 0, &ALL), way("sms", 1, &[1]), way("call", 2, &[1])];
    let mut evening = Evening::new(&ways);
    evening.answers.insert("mail", Outcome::Unfit { why: "no such mailbox".into() });
    evening.answers.insert("sms", Outcome::Misconfigured { why: "bad key".into() });
    evening.opened(&data("e1", 2, "open"));
    evening.pass(Duration::from_mins(1));

    assert_eq!(evening.sent, [told(15, "call", "e1")]);
    let troubles =
        [("call", None), ("mail", Some(Trouble::Refused)), ("sms", Some(Trouble::Misconfigured))];
    assert_eq!(evening.troubles(), troubles);
    assert_eq!(evening.board.standings()["mail"].given_up, 1);
    evening.restart();
    assert_eq!(evening.troubles(), troubles, "a restart mends nothing");
    evening.all.remove(0);
    evening.restart();
    assert_eq!(evening.troubles().len(), 2, "a channel that is gone is not down");
}

#[test]
fn a_channel_that_takes_mail_for_others_stays_in_trouble_for_the_one_that_it_refuses() {
    let others =
        Recipient { id: "zhao@mail#0".into(), name: "zhao".into(), ..way("mail", 0, &[4]) };
    let mut evening = Evening::new(&[way("mail", 0, &[2]), others]);
    evening.answers.insert("mail", Outcome::Unfit { why: "no such mailbox".into() });
    evening.opened(&data("e1", 2, "open"));
    evening.pass(Duration::from_mins(1));
    evening.answers.clear();
    evening.opened(&data("e2", 4, "open"));
    evening.pass(Duration::from_mins(1));
    assert_eq!(evening.troubles(), [("mail", Some(Trouble::Refused))]);
    evening.opened(&data("e3", 2, "open"));
    evening.pass(Duration::from_mins(1));
    assert_eq!(evening.troubles(), [("mail", None)]);
}

#[test]
fn that_a_channel_is_down_is_told_by_all_others_and_never_by_itself() {
    let mut evening = Evening::new(&[way("mail", 0, &ALL), way("sms", 1, &[1]), group()]);
    evening.answers.insert("group", Outcome::Misconfigured { why: "robot is gone".into() });
    let mut down = data("e1", 2, "open");
    (down.scene, down.affected) = (standing::SCENE.into(), vec!["bin-1".into(), "mail".into()]);
    evening.opened(&down);
    evening.pass(Duration::from_mins(1));
    assert_eq!(evening.sent, [], "the only other one is down itself");

    (down.event, down.affected) = ("e2".into(), vec!["bin-1".into(), "group".into()]);
    evening.opened(&down);
    evening.answers.insert("mail", later());
    evening.pass(Duration::from_mins(5));
    assert_eq!(evening.sent.len(), 1);
    assert_eq!((&*evening.sent[0].1, &*evening.sent[0].2), ("sms", "e2"), "passed on from mail");
    evening.answers.clear();
    evening.pass(Duration::from_hours(1));
    let circle = |(_, channel, event): &&(u64, String, String)| {
        (&**channel, &**event) == ("mail", "e1") || (&**channel, &**event) == ("group", "e2")
    };
    assert_eq!(evening.sent.iter().filter(circle).count(), 0, "{:?}", evening.sent);
    assert!(evening.sent.iter().any(|(_, channel, event)| channel == "group" && event == "e1"));
}

#[test]
fn what_comes_during_an_outage_goes_the_next_way_too_line_by_line_and_once() {
    let mut evening = Evening::new(&[way("mail", 0, &ALL), way("sms", 1, &[1])]);
    evening.answers.insert("mail", later());
    for event in ["e1", "e2", "e3"] {
        evening.opened(&data(event, 2, "open"));
    }
    evening.pass(Duration::from_hours(1));
    assert_eq!(evening.sent, ["e1", "e2", "e3"].map(|event| told(85, "sms", event)), "all parcels");

    evening.sent.clear();
    evening.opened(&data("e4", 3, "open"));
    evening.pass(Duration::from_secs(1));
    evening.restart();
    evening.pass(Duration::from_mins(3));
    let (at, way, event) = evening.sent[0].clone();
    assert_eq!((&*way, &*event), ("sms", "e4"));
    assert!(at <= 3_600 + 120 + 5, "{at}");
    evening.pass(Duration::from_hours(2));
    assert_eq!(evening.sent.len(), 1, "{:?}", evening.sent);

    evening.answers.clear();
    evening.pass(Duration::from_hours(1));
    let by_mail: Vec<&str> = evening.sent[1..].iter().map(|(_, _, event)| &**event).collect();
    assert_eq!(by_mail, ["e1", "e2", "e3", "e4"], "nothing is dropped for being passed on");
}

#[test]
fn a_channel_that_must_rest_for_one_is_no_reason_for_another_to_hear_nothing() {
    let zhao = Recipient { id: "zhao@mail#0".into(), name: "zhao".into(), ..way("mail", 0, &[4]) };
    let mut evening =
        Evening::new(&[zhao, way("mail", 0, &[2]), way("sms", 1, &[1]), way("call", 2, &[1])]);
    let endless = Outcome::Later { why: "429".into(), after: Some(Duration::MAX) };
    evening.answers.insert("mail", endless);
    evening.answers.insert("sms", Outcome::Misconfigured { why: "bad key".into() });
    evening.opened(&data("e1", 4, "open"));
    evening.pass(Duration::from_mins(1));
    evening.opened(&data("e2", 2, "open"));
    evening.pass(Duration::from_mins(2));
    assert_eq!(evening.sent, [told(70, "call", "e2")], "mail rests, sms wants a key");
    evening.pass(Duration::from_mins(8));
    assert_eq!(
        evening.troubles()[1],
        ("mail", Some(Trouble::Unreachable)),
        "tried again after ten minutes, whatever it asked for"
    );
}

#[test]
fn what_waits_for_somebodys_hours_is_not_late() {
    let hours = Some("03:00-05:00".parse().unwrap());
    let mail = Recipient { hours, ..way("mail", 0, &ALL) };
    let mut evening = Evening::new(&[mail, way("sms", 1, &[])]);
    evening.answers.insert("mail", later());
    evening.opened(&data("e1", 3, "open"));
    evening.pass(Duration::from_hours(3));
    evening.opened(&data("e2", 3, "open"));
    evening.opened(&data("fire", 2, "open"));
    evening.opened(&data("smoke", 1, "open"));
    evening.pass(Duration::from_hours(19));
    let events: Vec<&str> = evening.sent.iter().map(|(_, _, event)| &**event).collect();
    assert_eq!(events, ["e1", "smoke"], "only level I at night");
    evening.pass(Duration::from_hours(2));
    assert_eq!(evening.sent.len(), 4, "{:?}", evening.sent);
}

#[test]
fn a_channel_whose_unread_mail_went_with_its_reader_is_not_down_for_the_next_slip() {
    let zhao = Recipient { id: "zhao@mail#0".into(), name: "zhao".into(), ..way("mail", 0, &[4]) };
    let mut evening = Evening::new(&[way("mail", 0, &[2]), zhao]);
    evening.answers.insert("mail", later());
    evening.opened(&data("e1", 2, "open"));
    evening.pass(Duration::from_hours(1));
    evening.restart();
    assert_eq!(evening.troubles(), [("mail", Some(Trouble::Unreachable))]);
    evening.all.remove(0);
    evening.restart();
    assert_eq!(evening.troubles(), [("mail", None)], "nobody is left to say so");
    evening.opened(&data("e2", 4, "open"));
    evening.pass(Duration::from_mins(5));
    assert_eq!(evening.troubles(), [("mail", None)]);
    evening.pass(Duration::from_mins(10));
    assert_eq!(evening.troubles(), [("mail", Some(Trouble::Unreachable))]);
}
