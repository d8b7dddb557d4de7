//! What is kept of readings: every good one is in its quarter of an hour, and little is written.

use std::collections::BTreeMap;

use super::super::boundary::Kept;
use super::super::recording::MOST_WAITING;
use super::*;
use crate::statistics::page;
use crate::statistics::quarter::{Quarter, Statistic};
use crate::statistics::window;

/// What was written, by device and quarter; the first point.
fn kept(batches: &[Batch]) -> BTreeMap<(String, Quarter), Statistic> {
    let mut quarters = BTreeMap::<_, Statistic>::new();
    for kept in batches.iter().flat_map(|batch| &batch.kept) {
        let Kept::Statistics { page, .. } = kept else { continue };
        for device in page::read(page).unwrap() {
            assert_eq!(device.points, ["temperature", "humidity"]);
            for piece in device.pieces {
                let quarter = quarters.entry((device.device.clone(), piece.quarter)).or_default();
                quarter.merge(&piece.points[0]);
            }
        }
    }
    quarters
}

fn pages(night: &Night) -> usize {
    let kept = night.batches.iter().flat_map(|batch| &batch.kept);
    kept.filter(|kept| matches!(kept, Kept::Statistics { .. })).count()
}

#[test]
fn a_night_is_kept_quarter_by_quarter_and_written_every_four() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(60 * 60, 20.0).frame(0, r#"{"t": 500}"#).talk(59 * 60, 30.5);
    assert!((1..=2).contains(&pages(&night)), "{} pages in two hours", pages(&night));
    night.pipeline.handle_stop(night.now);
    night.drain();

    let kept = kept(&night.batches);

    assert_eq!(kept.len(), 3 * 8);
    let at = |quarter: i64| kept[&("t1".to_owned(), Quarter(Quarter::of(START).0 + quarter))];
    assert_eq!((at(0).good, at(0).bad, at(0).min, at(0).max), (90, 0, 20.0, 20.0));
    assert_eq!((at(4).good, at(4).bad, at(4).min, at(4).max), (90, 1, 30.5, 30.5), "one refused");
    assert_eq!(at(7).good, 84);
}

#[test]
fn a_restart_and_a_new_configuration_lose_nothing_and_count_nothing_twice() {
    let mut before = Night::new(Night::with_scenes(&[HEAT]));
    before.talk(400, 20.0);
    let other = Night::with_scenes(&[&HEAT.replace("40 degC", "45 degC")]);
    before.handle(Input::Config(Arc::new(other))).talk(100, 25.0);
    before.pipeline.handle_stop(before.now);
    before.drain();
    let mut after = Night::resumed(Night::with_scenes(&[HEAT]), before.restored(), before.now);
    after.talk(200, 30.0);
    after.pipeline.handle_stop(after.now);
    after.drain();

    let batches = [before.batches, after.batches].concat();
    let quarter = kept(&batches)[&("t1".to_owned(), Quarter::of(START))];

    assert_eq!((quarter.good, quarter.min, quarter.max, quarter.last), (70, 20.0, 30.0, 30.0));
}

#[test]
fn a_backlog_is_written_before_much_of_it_waits() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(1_200, 20.0);
    night.pipeline.note_waiting(MOST_WAITING / 2, night.now);
    night.talk(10, 20.0);
    assert_eq!(pages(&night), 0, "that may still wait");

    night.pipeline.note_waiting(MOST_WAITING / 2, night.now);
    night.talk(10, 20.0);

    assert_eq!(kept(&night.batches).len(), 3, "the first quarter of three devices");
    night.pipeline.note_waiting(MOST_WAITING / 2, night.now);
    night.talk(10, 20.0);
    assert_eq!(pages(&night), 1, "what was written waits no more");
}

#[test]
fn nothing_is_kept_of_a_time_that_nobody_knows() {
    let now = Timestamp(1_000_000);
    let mut night = Night::resumed(Night::with_scenes(&[HEAT]), Restored::default(), now);
    night.talk(7_200, 20.0);

    assert_eq!(pages(&night), 0);
}

#[test]
fn a_power_cut_costs_an_hour_at_most() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    for _ in 0..48 {
        night.talk(600, 20.0);
        let newest = kept(&night.batches).keys().map(|(_, quarter)| quarter.end()).max();
        let lost = night.now.since(newest.unwrap_or(START));
        assert!(lost <= Duration::from_mins(61), "{lost:?}");
    }
}

fn windows(night: &Night) -> Vec<window::Window> {
    let kept = night.batches.iter().flat_map(|batch| &batch.kept);
    kept.filter_map(|kept| match kept {
        Kept::Window { bytes, .. } => window::read(bytes),
        Kept::Statistics { .. } => None,
    })
    .collect()
}

#[test]
fn the_readings_around_an_event_are_put_aside_until_a_while_after_it() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(3_600, 20.0).talk(300, 45.0).talk(600, 20.0);
    assert_eq!(windows(&night).len(), 0, "it is not over yet");
    night.talk(900, 21.0);

    let windows = windows(&night);

    let [window] = windows.as_slice() else { panic!("{}", windows.len()) };
    assert_eq!((window.device.as_str(), window.points[0].as_str()), ("t1", "temperature"));
    let hot = window.rows.iter().filter(|(_, values)| values[0] > 40.0).count();
    let before = window.rows.iter().take_while(|(_, values)| values[0] < 40.0).count();
    assert_eq!(hot, 30, "all that was hot");
    assert!((50..=64).contains(&before), "{before}");
    let (last, _) = window.rows.last().unwrap();
    assert!(*last >= START + Duration::from_mins(65 + 14), "{last}");
}

#[test]
fn an_open_window_is_written_at_a_stop() {
    let mut night = Night::new(Night::with_scenes(&[HEAT]));
    night.talk(600, 20.0).talk(300, 45.0);
    night.pipeline.handle_stop(night.now);
    night.drain();

    assert_eq!(windows(&night)[0].rows.len(), 90 - 30 + 30 - 2, "64 and what followed");
}
