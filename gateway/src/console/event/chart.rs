//! The readings around an event as a drawing: one point over time, with what would have been normal as a
//! band and the moment from which it counted as a line. Where the readings are gone, the mean of each
//! quarter of an hour is drawn, on a strip from its least to its greatest reading, and told as a table.
//!
//! SVG made here: no script is needed, and no style stands in it. The numbers at its sides are text beside
//! the drawing, so that it may be stretched to any width.

use std::fmt::Write as _;

use gatehouse_core::community::quantity::{Language, printed_unit};
use gatehouse_core::event::message::{Contribution, EventData};
use gatehouse_core::reading::Timestamp;
use maud::{Markup, html};

use crate::console::Snapshot;
use crate::console::chart::{Day, means, runs, strip};
use crate::console::figures::{quantity, range, value};
use crate::console::inbox::row::local;
use crate::console::page::translated;
use crate::console::words::event::EventWords;
use crate::lookout::Around;

const WIDE: f64 = 1_000.0;
const HIGH: f64 = 240.0;
/// Of the values' span, above and below.
const MARGIN: f64 = 0.08;
/// Strips of the drawing; in each the lowest and the highest reading are drawn.
const STRIPS: usize = 250;

type Reading = (Timestamp, f64);

/// Where things stand in the drawing.
struct Axes {
    from: Timestamp,
    to: Timestamp,
    low: f64,
    high: f64,
}

impl Axes {
    fn x(&self, at: Timestamp) -> f64 {
        let whole = (self.to.0 - self.from.0).max(1) as f64;
        ((at.0 - self.from.0) as f64 / whole * WIDE).clamp(0.0, WIDE)
    }

    fn y(&self, value: f64) -> f64 {
        ((self.high - value) / (self.high - self.low) * HIGH).clamp(0.0, HIGH)
    }
}

/// `None` when there is nothing to draw.
pub(super) fn draw(
    snapshot: &Snapshot,
    around: &Around,
    part: &Contribution,
    data: &EventData,
    language: Language,
) -> Option<Markup> {
    let words = EventWords::of(language);
    let measured = Measured::of(around, &part.point)?;
    let readings = measured.readings();
    let axes = axes(&readings, part.expected)?;
    let unit = printed_unit(&part.unit);
    let title = point_title(snapshot, part, language);
    let since: Option<Timestamp> = data.started.parse().ok();
    let since = since.filter(|at| (axes.from..=axes.to).contains(at));
    let (lowest, highest) = span(&readings)?;
    let [from, to, between] = words.from_to;
    let label = format!(
        "{title}: {from} {} {to} {}, {between} {} – {}; {}: {} {unit}",
        local(snapshot, axes.from),
        local(snapshot, axes.to),
        quantity(lowest, &part.unit),
        quantity(highest, &part.unit),
        words.normal,
        range(part.expected.0, part.expected.1),
    );
    let has_band = part.expected != (None, None);
    Some(html! {
        figure .chart {
            figcaption {
                b { (title) } @if !unit.is_empty() { " " small { (unit) } }
                @if has_band {
                    span .key.band { (words.normal) " " (range(part.expected.0, part.expected.1)) }
                }
                @if since.is_some() { span .key.mark-line { (words.opened_mark) } }
            }
            div .plot {
                div .scale aria-hidden="true" {
                    span { (value(axes.high)) }
                    span { (value(f64::midpoint(axes.high, axes.low))) }
                    span { (value(axes.low)) }
                }
                svg viewBox="0 0 1000 240" preserveAspectRatio="none" role="img" aria-label=(label) {
                    @if has_band { (band(&axes, part.expected)) }
                    @for y in [0.0, HIGH / 2.0, HIGH] {
                        line .grid x1="0" x2="1000" y1=(y) y2=(y) {}
                    }
                    @if let Some(since) = since {
                        @let x = format!("{:.1}", axes.x(since));
                        line .since x1=(x) x2=(x) y1="0" y2="240" {}
                    }
                    (run(&measured, &axes))
                }
            }
            div .times aria-hidden="true" {
                span { (local(snapshot, axes.from)) }
                span { (local(snapshot, axes.to)) }
            }
            @if let Measured::Quarters(quarters) = &measured {
                p .soft { (words.only_quarters) }
                (table(snapshot, quarters, &title, words))
            }
        }
    })
}

/// What is known of one point.
enum Measured<'a> {
    Readings(Vec<Reading>),
    Quarters(&'a Day),
}

impl<'a> Measured<'a> {
    fn of(around: &'a Around, point: &str) -> Option<Self> {
        match around {
            Around::Readings(window) => {
                let point = window.points.iter().position(|name| name == point)?;
                let rows = window.rows.iter();
                let readings = rows.filter_map(|(at, values)| Some((*at, *values.get(point)?)));
                Some(Self::Readings(readings.collect()))
            }
            Around::Quarters { points, .. } => Some(Self::Quarters(points.get(point)?)),
        }
    }

    /// What the axes must hold.
    fn readings(&self) -> Vec<Reading> {
        match self {
            Self::Readings(readings) => readings.clone(),
            Self::Quarters(quarters) => {
                let good = quarters.iter().filter(|(_, quarter)| quarter.good > 0);
                good.flat_map(|(at, of)| [(at.start(), of.min), (at.end(), of.max)]).collect()
            }
        }
    }
}

fn run(measured: &Measured<'_>, axes: &Axes) -> Markup {
    match measured {
        Measured::Readings(readings) => html! { path .run d=(path(readings, axes)) {} },
        Measured::Quarters(quarters) => {
            let (x, y) = (|at| axes.x(at), |value| axes.y(value));
            html! {
                @for run in runs(quarters) {
                    polygon .strip points=(strip(&run, &x, &y)) {}
                    polyline .run points=(means(&run, &x, &y)) {}
                }
            }
        }
    }
}

/// The quarters for those who do not see the drawing.
fn table(snapshot: &Snapshot, quarters: &Day, title: &str, words: &EventWords) -> Markup {
    let name = format!("{title}: {}", words.quarters);
    html! {
        details {
            summary { (words.quarters) }
            div .scroll tabindex="0" role="group" aria-label=(name) {
                table .figures {
                    thead { tr { @for head in words.quarter { th scope="col" { (head) } } } }
                    tbody {
                        @for (at, of) in quarters.iter().filter(|(_, of)| of.good > 0) {
                            tr {
                                th scope="row" { (local(snapshot, at.start())) }
                                @for number in [of.mean(), of.min, of.max] {
                                    td .number { (value(number)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn point_title(snapshot: &Snapshot, part: &Contribution, language: Language) -> String {
    let device = snapshot.community.devices.iter().find(|d| d.id == part.device);
    let points = device.map(|d| d.device_type.points.as_slice()).unwrap_or_default();
    let point = points.iter().find(|point| point.name == part.point);
    let title = point.and_then(|p| p.title.as_ref()).map(|t| translated(t, language));
    title.filter(|t| !t.is_empty()).unwrap_or(&part.point).to_owned()
}

fn span(readings: &[Reading]) -> Option<(f64, f64)> {
    let values = readings.iter().map(|(_, value)| *value).filter(|value| value.is_finite());
    values.fold(None, |span, value| match span {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

fn axes(readings: &[Reading], expected: (Option<f64>, Option<f64>)) -> Option<Axes> {
    let (mut low, mut high) = span(readings)?;
    for limit in [expected.0, expected.1].into_iter().flatten().filter(|limit| limit.is_finite()) {
        (low, high) = (low.min(limit), high.max(limit));
    }
    let room = match (high - low) * MARGIN {
        room if room > 0.0 => room,
        _ => high.abs().max(1.0) * MARGIN,
    };
    let good = || readings.iter().filter(|(_, value)| value.is_finite());
    let (from, to) = (good().next()?.0, good().next_back()?.0);
    (from < to).then_some(Axes { from, to, low: low - room, high: high + room })
}

fn band(axes: &Axes, (from, to): (Option<f64>, Option<f64>)) -> Markup {
    let top = to.map_or(0.0, |to| axes.y(to));
    let bottom = from.map_or(HIGH, |from| axes.y(from));
    html! {
        rect .normal x="0" width="1000" y=(format!("{top:.1}"))
            height=(format!("{:.1}", (bottom - top).max(0.0))) {}
    }
}

/// A line through the readings; where none was good it is broken.
fn path(readings: &[Reading], axes: &Axes) -> String {
    let mut path = String::new();
    let mut is_down = false;
    for (at, value) in thinned(readings, axes) {
        if !value.is_finite() {
            is_down = false;
            continue;
        }
        let letter = if is_down { 'L' } else { 'M' };
        write!(path, "{letter}{:.1} {:.1}", axes.x(at), axes.y(value))
            .expect("a String takes all that is written to it");
        is_down = true;
    }
    path
}

/// No more than can be seen, and no peak lost.
fn thinned(readings: &[Reading], axes: &Axes) -> Vec<Reading> {
    if readings.len() <= STRIPS * 2 {
        return readings.to_vec();
    }
    let strip = |at: Timestamp| (axes.x(at) / WIDE * STRIPS as f64).floor();
    let mut thin: Vec<Reading> = Vec::with_capacity(STRIPS * 2);
    for readings in readings.chunk_by(|a, b| strip(a.0).total_cmp(&strip(b.0)).is_eq()) {
        let by_value = |a: &&Reading, b: &&Reading| a.1.total_cmp(&b.1);
        let ends = [readings.iter().min_by(by_value), readings.iter().max_by(by_value)];
        let mut ends: Vec<Reading> = ends.into_iter().flatten().copied().collect();
        ends.sort_by_key(|(at, _)| *at);
        ends.dedup_by_key(|(at, _)| *at);
        thin.extend(ends);
    }
    thin
}

#[cfg(test)]
mod tests {
    use gatehouse_core::statistics::quarter::{Quarter, Statistic};

    use super::*;

    fn readings(values: &[f64]) -> Vec<Reading> {
        (0..).map(|s| Timestamp(s * 1_000)).zip(values.iter().copied()).collect()
    }

    #[test]
    fn a_line_breaks_where_nothing_good_was_heard() {
        let readings = readings(&[0.0, 1.0, f64::NAN, 1.0]);
        let axes = axes(&readings, (None, None)).unwrap();

        assert_eq!(path(&readings, &axes), "M0.0 223.4L333.3 16.6M1000.0 16.6");
    }

    #[test]
    fn a_peak_is_seen_however_many_readings_there_are() {
        let mut values = vec![1.0; 20_000];
        values[7_777] = 90.0;
        let readings = readings(&values);
        let axes = axes(&readings, (None, Some(75.0))).unwrap();

        let thin = thinned(&readings, &axes);

        assert!(thin.len() <= STRIPS * 2 + 2, "{}", thin.len());
        assert!(thin.iter().any(|(_, value)| *value > 89.0));
    }

    #[test]
    fn nothing_is_drawn_of_one_reading_or_of_none() {
        for values in [&[][..], &[1.0], &[f64::NAN, f64::NAN]] {
            assert!(axes(&readings(values), (None, None)).is_none(), "{values:?}");
        }
        let flat = axes(&readings(&[5.0, 5.0]), (None, None)).unwrap();
        assert!(flat.low < 5.0 && flat.high > 5.0);
    }

    #[test]
    fn where_readings_are_gone_the_quarters_are_drawn_from_their_least_to_their_greatest() {
        let mut quarter = Statistic::default();
        for value in [2.0, 4.0, 9.0] {
            quarter.push(value);
        }
        let (first, gap) = (Quarter(100), Quarter(103));
        let mut silent = Statistic::default();
        silent.push_bad();
        let quarters = [(first, quarter), (Quarter(101), silent), (gap, quarter)].into();
        let points = [("pm2_5".to_owned(), quarters)].into();
        let around = Around::Quarters { device: "d".into(), points };

        let measured = Measured::of(&around, "pm2_5").unwrap();
        let readings = measured.readings();
        let axes = axes(&readings, (None, None)).unwrap();
        let drawn = run(&measured, &axes).0;

        assert_eq!((axes.from, axes.to), (first.start(), gap.end()));
        assert_eq!(span(&readings), Some((2.0, 9.0)));
        assert_eq!(drawn.matches("class=\"strip\"").count(), 2, "a gap is a gap: {drawn}");
        assert!(Measured::of(&around, "noise").is_none());
    }
}
