//! What follows from verdicts, whatever was said before.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::reading::Timestamp;

const DAY: Duration = Duration::from_hours(24);

fn at(days: u32) -> Timestamp {
    Timestamp(1_772_323_200_000) + DAY * days
}

fn raised(id: usize, device: &str, opened: Timestamp) -> Raised {
    Raised {
        event: format!("e{id}"),
        scene: "odd".into(),
        title: Text::default(),
        why: Text::default(),
        area: "east".into(),
        device: device.into(),
        level: 4,
        opened,
        over: None,
        speakers: [(device.to_owned(), "forecast".to_owned())].into(),
        said: None,
        is_pilot: false,
    }
}

/// So many events of one device, all opened on the first day.
fn ledger(events: usize) -> Ledger {
    let mut ledger = Ledger::default();
    (0..events).for_each(|id| ledger.restore(raised(id, "t1", at(0))));
    ledger
}

fn opinion(id: usize, verdict: Option<Verdict>) -> Opinion {
    Opinion { event: format!("e{id}"), verdict, by: "Li".into(), note: String::new() }
}

fn shift(ledger: &Ledger, now: Timestamp) -> f64 {
    ledger.lessons(now).values().map(|lesson| lesson.shift).sum()
}

#[test]
fn a_thousand_false_alarms_move_a_threshold_no_farther_than_the_bound() {
    let mut ledger = Ledger::default();
    for id in 0..1_000 {
        let now = at(0) + Duration::from_mins(id as u64);
        ledger.restore(raised(id, "t1", now));
        ledger.judge(&opinion(id, Some(Verdict::FalseAlarm)), now);
        ledger.forget(now);
        assert!(shift(&ledger, now) <= HIGHEST);
    }
    let now = at(1);

    assert_eq!(ledger.newest().len(), MOST);
    assert!((shift(&ledger, now) - HIGHEST).abs() < 0.02, "{}", shift(&ledger, now));
    let after = ledger.judge(&opinion(999, Some(Verdict::Real)), now).map(|_| ());
    assert_eq!(after, Some(()));
    assert!(shift(&ledger, now) < HIGHEST - 0.05, "one that was real is heard at once");
}

#[test]
fn what_was_said_fades_and_is_told_with_its_name_and_day() {
    let mut ledger = ledger(3);
    ledger.judge(&opinion(0, Some(Verdict::FalseAlarm)), at(1));
    let told = |ledger: &Ledger, days| {
        ledger.lessons(at(days)).into_values().next().and_then(|lesson| lesson.told())
    };

    let one = told(&ledger, 1).unwrap();
    assert_eq!(one.en, "threshold raised by 0.25 after 1 false alarm, last on 2026-03-02 by Li");
    assert_eq!(one.zh, "因误报 1 次，阈值提高 0.25（最近一次 2026-03-02，Li）");
    assert!((shift(&ledger, at(91)) - 0.125).abs() < 1e-9, "half of it after 90 days");
    assert_eq!(told(&ledger, 1_000), None);

    ledger.judge(&opinion(1, Some(Verdict::FalseAlarm)), at(1));
    ledger.judge(&opinion(2, Some(Verdict::Real)), at(2));
    let more = told(&ledger, 2).unwrap().en;
    assert!(
        more.ends_with("after 2 false alarms and 1 real event, last on 2026-03-03 by Li"),
        "{more}"
    );
}

#[test]
fn planned_work_is_neither_false_nor_real() {
    let mut ledger = ledger(4);
    for (id, verdict) in Verdict::ALL.into_iter().enumerate() {
        ledger.judge(&opinion(id, Some(verdict)), at(1));
    }
    let tally = ledger.tallies(at(2), live)["odd"];

    assert_eq!(tally, Tally { events: 4, real: 1, false_alarms: 1, planned: 1 });
    assert_eq!((tally.unjudged(), tally.precision()), (1, Some(0.5)));
    ledger.judge(&opinion(0, None), at(2));
    ledger.judge(&opinion(1, None), at(2));
    assert_eq!(ledger.lessons(at(2)).len(), 0);
    assert_eq!(ledger.tallies(at(2), live)["odd"].precision(), None);
    assert_eq!(ledger.tallies(at(91), live).len(), 0, "it is about the last 90 days");
}

#[test]
fn events_that_nobody_judged_make_room_first_and_old_ones_are_forgotten() {
    let mut ledger = ledger(MOST);
    ledger.judge(&opinion(7, Some(Verdict::FalseAlarm)), at(1));
    (0..3).for_each(|id| ledger.restore(raised(MOST + id, "t2", at(2))));

    let gone = ledger.forget(at(2));

    assert_eq!(gone.len(), 3);
    assert!(ledger.get("e7").is_some());
    ledger.forget(at(91));
    assert_eq!(ledger.newest().len(), 4, "the judged one, and those of the second day");
    ledger.forget(at(362));
    assert_eq!(ledger.newest().len(), 0);
}

#[test]
fn an_opinion_needs_a_name_and_is_plain_text() {
    let of = |by: &str, note: &str| {
        Opinion { by: by.into(), note: note.into(), ..opinion(0, None) }.checked()
    };

    assert_eq!(of(" Li \n", "").unwrap().by, "Li");
    assert_eq!(of("  ", ""), Err(NoOpinion::Nameless));
    assert_eq!(of("Li\u{7}x", ""), Err(NoOpinion::TooLong));
    assert_eq!(of("Li", &"长".repeat(501)), Err(NoOpinion::TooLong));
    assert!(of("李", &"长".repeat(500)).is_ok());
}

fn any_verdict() -> impl Strategy<Value = Option<Verdict>> {
    proptest::option::of(proptest::sample::select(&Verdict::ALL[..]))
}

proptest! {
    #[test]
    fn only_the_last_word_on_each_event_counts(
        words in prop::collection::vec((0_usize..6, any_verdict(), 0_u32..40), 0..40),
    ) {
        let (mut all, mut last) = (ledger(6), ledger(6));
        let mut day = 0;
        let dated: Vec<_> =
            words.into_iter().map(|(id, verdict, days)| { day += days; (id, verdict, day) }).collect();
        for (id, verdict, day) in &dated {
            all.judge(&opinion(*id, *verdict), at(*day));
        }
        for id in 0..6 {
            if let Some((_, verdict, day)) = dated.iter().rev().find(|(of, ..)| *of == id) {
                last.judge(&opinion(id, *verdict), at(*day));
            }
        }

        prop_assert_eq!(all.lessons(at(day)), last.lessons(at(day)));
        prop_assert_eq!(all.tallies(at(day), live), last.tallies(at(day), live));
        for lesson in all.lessons(at(day)).values() {
            prop_assert!((LOWEST..=HIGHEST).contains(&lesson.shift));
        }
    }
}

/// No scene is on trial.
fn live(_: &str) -> bool {
    false
}

#[test]
fn what_a_scene_on_trial_would_have_raised_is_counted_apart() {
    let mut ledger = ledger(3);
    let event = ledger.newest()[0].event.clone();

    assert!(ledger.mark_pilot(&event, true), "that is news");
    assert!(!ledger.mark_pilot(&event, true) && !ledger.mark_pilot("e-none", true));

    assert_eq!(ledger.tallies(at(2), live)["odd"].events, 2);
    assert_eq!(ledger.tallies(at(2), |_| true)["odd"].events, 1);
}
