//! The line per event that the store keeps beside the journal.

use gatehouse_core::event::message::{Handling, Message, Stage, State};
use gatehouse_core::event::summary::Summary;
use gatehouse_core::event::verdict::Verdict;
use gatehouse_core::reading::Timestamp;

use super::*;
use crate::sample::message;

const MINUTE: i64 = 60_000;

/// The record of one transition of an event in an area.
fn told(
    sequence: u64,
    event: &str,
    word: &str,
    minute: i64,
    change: impl FnOnce(&mut Message),
) -> Record {
    let mut message = message();
    message.kind = format!("gatehouse.event.{word}");
    message.time = at(minute).rfc3339();
    message.sequence = format!("{sequence:020}");
    message.subject = event.into();
    message.data.event = event.into();
    change(&mut message);
    let level = message.data.level;
    Record { sequence, level, event: event.into(), json: serde_json::to_vec(&message).unwrap() }
}

/// So many minutes after the first of January 2026.
fn at(minute: i64) -> Timestamp {
    Timestamp(1_767_225_600_000 + minute * MINUTE)
}

fn staged(stage: Stage) -> impl FnOnce(&mut Message) {
    move |message| message.data.handling = Handling { stage, ..Handling::default() }
}

fn ids(past: &Past) -> Vec<&str> {
    past.events.iter().map(|summary| summary.event.as_str()).collect()
}

/// One event's whole life, another that lasts, and a third that is a false alarm.
fn lives() -> Vec<Record> {
    vec![
        told(1, "a", "opened", 5, |_| {}),
        told(2, "b", "opened", 6, |m| m.data.area = "west".into()),
        told(3, "a", "escalated", 8, |m| m.data.level = 2),
        told(4, "a", "acknowledged", 9, staged(Stage::Acknowledged)),
        told(5, "a", "cleared", 20, |m| {
            m.data.state = State::Cleared;
            m.data.handling.stage = Stage::Acknowledged;
        }),
        told(6, "a", "closed", 21, |m| {
            m.data.state = State::Cleared;
            m.data.handling.stage = Stage::Closed;
            m.data.review.verdict = Some(Verdict::Real.word().into());
        }),
        told(7, "c", "opened", 7, |m| m.data.drill = true),
    ]
}

#[test]
fn an_event_has_one_line_that_tells_its_whole_life() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());

    bench.put(lives()[..4].to_vec());
    bench.put(lives()[4..].to_vec());

    let all = bench.store.summaries(at(0), at(60)).unwrap();
    let names: Vec<_> = all.iter().map(|summary| &*summary.event).collect();
    assert_eq!(names, ["a", "b", "c"], "in the order in which they opened");
    let Summary { level, stage, verdict, opened, started, .. } = all[0].clone();
    assert_eq!((level, stage, verdict), (2, Stage::Closed, Some(Verdict::Real)));
    assert_eq!((started, opened), (at(0), at(5)));
    assert_eq!(
        (all[0].acknowledged, all[0].dispatched, all[0].cleared, all[0].closed),
        (Some(at(9)), None, Some(at(20)), Some(at(21)))
    );
    assert_eq!(all[0].escalated, 1);
    assert_eq!(bench.store.summaries(at(6), at(7)).unwrap().len(), 1, "from, and before");
    let sequences: Vec<_> = bench
        .store
        .history("a")
        .unwrap()
        .into_iter()
        .map(|m| m.sequence.parse::<u64>().unwrap())
        .collect();
    assert_eq!(sequences, [1, 3, 4, 5, 6]);
}

#[test]
fn an_event_that_is_put_aside_counts_how_often_and_how_long_whatever_takes_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    let until = |minute: Option<i64>| {
        move |m: &mut Message| {
            m.data.handling.shelved_until = minute.map(|minute| at(minute).rfc3339());
        }
    };
    bench.put(vec![
        told(1, "a", "opened", 5, |_| {}),
        told(2, "a", "shelved", 10, until(Some(60))),
        told(3, "a", "shelved", 20, until(Some(90))),
        told(4, "a", "unshelved", 40, until(None)),
        told(5, "a", "shelved", 50, until(Some(90))),
        told(6, "a", "closed", 55, until(None)),
        told(7, "b", "opened", 6, |_| {}),
        told(8, "b", "shelved", 10, until(Some(60))),
    ]);

    let all = bench.store.summaries(at(0), at(60)).unwrap();

    let minutes = |minutes| Some(std::time::Duration::from_mins(minutes));
    assert_eq!((all[0].shelved, all[0].shelved_for(at(999))), (2, minutes(35)));
    assert_eq!((all[1].shelved, all[1].shelved_for(at(30))), (1, minutes(20)), "and it lasts");
}

#[test]
fn a_list_goes_back_in_time_page_by_page_and_shows_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    bench.put(lives());
    let past = |filter: &Filter| bench.store.past(filter, None, 10).unwrap();

    let first = bench.store.past(&Filter::default(), None, 2).unwrap();
    let second = bench.store.past(&Filter::default(), first.next.as_ref(), 2).unwrap();
    assert_eq!((ids(&first), ids(&second), &second.next), (vec!["c", "b"], vec!["a"], &None));

    let west = Filter { area: Some("west".into()), ..Filter::default() };
    assert_eq!(ids(&past(&west)), ["b"]);
    let real = Filter { drill: Some(false), ..Filter::default() };
    assert_eq!(ids(&past(&real)), ["b", "a"]);
    let closed = Filter { stage: Some(Stage::Closed), level: Some(2), ..Filter::default() };
    assert_eq!(ids(&past(&closed)), ["a"]);
    let text = |text: &str| Filter { text: text.into(), ..Filter::default() };
    assert_eq!(ids(&past(&text("消防 "))), ["c", "b", "a"]);
    assert_eq!(ids(&past(&text("WEST"))), ["b"]);
    assert_eq!(ids(&past(&text("lift"))), Vec::<&str>::new());
    let named = Filter { named: ["west".to_owned()].into(), ..text("夕阳") };
    assert_eq!(ids(&past(&named)), ["b"]);
    let hidden = Filter { not_events: ["b".to_owned()].into(), ..Filter::default() };
    assert_eq!(ids(&past(&hidden)), ["c", "a"]);
}

#[test]
fn a_line_goes_with_the_last_of_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    bench.put(lives());

    // Eight more leave fifteen: nothing goes. Then "b" loses its only one, and "a" its first.
    bench.put((8..=15).map(|s| told(s, "d", "updated", 30, |_| {})).collect());
    assert_eq!(ids(&bench.store.past(&Filter::default(), None, 9).unwrap()), ["c", "b", "d", "a"]);
    bench.put((16..=17).map(|s| told(s, "d", "updated", 31, |_| {})).collect());

    assert_eq!(ids(&bench.store.past(&Filter::default(), None, 9).unwrap()), ["c", "d", "a"]);
    assert_eq!(bench.store.summary("b").unwrap(), None);
    assert_eq!(bench.store.summary("a").unwrap().unwrap().opened, at(5), "as it was first told");
}

#[test]
fn an_index_that_is_missing_or_behind_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(folder.path());
    bench.put(lives());
    let before = bench.store.summaries(at(0), at(60)).unwrap();
    let db = bench.store.0.db().unwrap();
    db.remove(layout::META_INDEX).unwrap();
    db.remove(layout::place_key("a")).unwrap();
    db.insert(layout::index_key(at(3), "ghost"), b"x").unwrap();
    db.flush().unwrap();
    drop((bench, db));

    let bench = Bench::open(folder.path());
    assert_eq!(bench.store.summaries(at(0), at(60)).unwrap(), before);
    drop(bench);

    let looking = Store::open_to_read(folder.path()).unwrap();
    assert_eq!(looking.summaries(at(0), at(60)).unwrap(), before);
}
