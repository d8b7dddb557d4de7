//! The last day of a point as a drawing: the band from the smallest to the largest reading of each quarter
//! of an hour, and the line of their means.

use std::collections::BTreeMap;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::reading::Timestamp;
use gatehouse_core::statistics::quarter::{Quarter, Statistic};
use maud::{Markup, html};

/// How far back.
pub(super) const SPAN: Duration = Duration::from_hours(24);

/// A drawing's units; about as many as it has points on a phone.
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 92.0;
/// Below the band, for the hours.
const FOOT: f64 = 16.0;
/// Between two hours that are written.
const HOURS: i64 = 6;
const HOUR_MS: i64 = 3_600_000;

/// A point's quarters of an hour.
pub(super) type Day = BTreeMap<Quarter, Statistic>;

/// What a day came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub least: f64,
    pub most: f64,
    pub mean: f64,
}

/// `None` when nothing good was read.
pub(super) fn range(day: &Day) -> Option<Range> {
    let good = || day.values().filter(|quarter| quarter.good > 0);
    let count: f64 = good().map(|quarter| f64::from(quarter.good)).sum();
    let sum: f64 = good().map(|quarter| quarter.mean() * f64::from(quarter.good)).sum();
    (count > 0.0).then(|| Range {
        least: good().map(|quarter| quarter.min).fold(f64::MAX, f64::min),
        most: good().map(|quarter| quarter.max).fold(f64::MIN, f64::max),
        mean: sum / count,
    })
}

/// The drawing; `label` says in words what it shows.
pub(super) fn draw(community: &Community, day: &Day, now: Timestamp, label: &str) -> Markup {
    let Some(Range { least, most, .. }) = range(day) else { return html! {} };
    let height = HEIGHT - FOOT;
    // A value that never moves is a line in the middle.
    let room = if most > least { most - least } else { 1.0 };
    let base = if most > least { least } else { least - 0.5 };
    let y = |value: f64| 4.0 + (height - 8.0) * (1.0 - (value - base) / room);
    let from = now - SPAN;
    let x = |at: Timestamp| {
        let share = (at.0 - from.0) as f64 / SPAN.as_millis() as f64;
        (share * WIDTH).clamp(0.0, WIDTH)
    };
    let runs = runs(day);
    html! {
        svg .day viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            @for (at, hour) in hours(community, from, now) {
                @let x = format!("{:.1}", x(at));
                line .grid x1=(x) y1="0" x2=(x) y2=(height) {}
                text .hour x=(x) y=(HEIGHT - 4.0) { (format!("{hour:02}:00")) }
            }
            @for run in &runs {
                polygon .band points=(strip(run, &x, &y)) {}
                polyline .mean points=(means(run, &x, &y)) {}
            }
            line .axis x1="0" y1=(height) x2=(WIDTH) y2=(height) {}
        }
    }
}

/// Quarters that follow each other.
pub(super) fn runs(day: &Day) -> Vec<Vec<(Quarter, Statistic)>> {
    let mut runs: Vec<Vec<(Quarter, Statistic)>> = Vec::new();
    for (quarter, statistic) in day.iter().filter(|(_, statistic)| statistic.good > 0) {
        let goes_on = runs.last().and_then(|run| run.last()).map(|(last, _)| last.next());
        match runs.last_mut() {
            Some(run) if goes_on == Some(*quarter) => run.push((*quarter, *statistic)),
            Some(_) | None => runs.push(vec![(*quarter, *statistic)]),
        }
    }
    runs
}

/// Forth along the largest, back along the smallest.
pub(super) fn strip(
    run: &[(Quarter, Statistic)],
    x: &impl Fn(Timestamp) -> f64,
    y: &impl Fn(f64) -> f64,
) -> String {
    let corner = |at: Timestamp, value: f64| format!("{:.1},{:.1}", x(at), y(value));
    let above = run.iter().flat_map(|(q, s)| [corner(q.start(), s.max), corner(q.end(), s.max)]);
    let below =
        run.iter().rev().flat_map(|(q, s)| [corner(q.end(), s.min), corner(q.start(), s.min)]);
    above.chain(below).collect::<Vec<_>>().join(" ")
}

pub(super) fn means(
    run: &[(Quarter, Statistic)],
    x: &impl Fn(Timestamp) -> f64,
    y: &impl Fn(f64) -> f64,
) -> String {
    let corner = |at: Timestamp, value: f64| format!("{:.1},{:.1}", x(at), y(value));
    let line =
        run.iter().flat_map(|(q, s)| [corner(q.start(), s.mean()), corner(q.end(), s.mean())]);
    line.collect::<Vec<_>>().join(" ")
}

/// Every sixth hour of the community's day (of UTC's, without a calendar), where its number has room.
fn hours(community: &Community, from: Timestamp, now: Timestamp) -> Vec<(Timestamp, i64)> {
    let zone = community.calendar.as_ref().map(|calendar| calendar.time_zone);
    let local = |at: Timestamp| {
        let local = zone.and_then(|zone| zone.local(at)).map(|local| i64::from(local.hour()));
        local.unwrap_or_else(|| at.0.div_euclid(HOUR_MS).rem_euclid(24))
    };
    let first = from.0.div_euclid(HOUR_MS) + 1;
    let last = now.0.div_euclid(HOUR_MS);
    let whole = (first..=last).map(|hour| Timestamp(hour * HOUR_MS));
    let room = HOUR_MS;
    whole
        .filter(|at| at.0 - from.0 >= room && now.0 - at.0 >= room)
        .map(|at| (at, local(at)))
        .filter(|(_, hour)| hour % HOURS == 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn day(values: &[(i64, f64, f64)]) -> Day {
        let quarter = |(number, low, high): &(i64, f64, f64)| {
            let mut statistic = Statistic::default();
            statistic.push(*low);
            statistic.push(*high);
            (Quarter(*number), statistic)
        };
        values.iter().map(quarter).collect()
    }

    #[test]
    fn a_gap_is_drawn_as_a_gap_and_a_flat_line_in_the_middle() {
        let now = Quarter(200).start();
        let gap = day(&[(190, 1.0, 2.0), (191, 1.5, 3.0), (195, 0.0, 1.0)]);

        let drawn = draw(&sample::community(), &gap, now, "a <day>").0;
        let flat = draw(&sample::community(), &day(&[(190, 5.0, 5.0)]), now, "flat").0;

        assert_eq!(drawn.matches("class=\"band\"").count(), 2);
        assert!(drawn.contains("aria-label=\"a &lt;day&gt;\""), "{drawn}");
        assert!(flat.contains(",38.0 "), "{flat}");
        assert_eq!(draw(&sample::community(), &Day::new(), now, "").0, "");
        let range = range(&gap).unwrap();
        assert_eq!(format!("{} {}", range.least, range.most), "0 3");
    }

    #[test]
    fn the_hours_are_those_of_utc_without_a_calendar() {
        let now = Timestamp(30 * HOUR_MS + 5);

        let hours = hours(&sample::community(), now - SPAN, now);

        assert_eq!(hours.iter().map(|(_, hour)| *hour).collect::<Vec<_>>(), [12, 18, 0]);
    }
}
