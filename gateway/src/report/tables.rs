//! The tables of a report.

use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::verdict::Tally;
use gatehouse_core::report::counting::{Counts, Row};
use gatehouse_core::report::handling::{Pace, Spans};
use gatehouse_core::report::{Report, Trial};

use super::compose::pick;
use super::paper::{Block, Cell, Column, Kind, Table};
use super::words::{Words, category, change, percent, span, span_or};

/// How many got how far, and how many did before.
pub(super) fn outcome(report: &Report, language: Language) -> Table {
    let words = Words::of(language);
    let (now, before) = (&report.total, report.before.as_ref());
    let row = |name: &str, of: fn(&Counts) -> u32| {
        let then = before.map(of);
        vec![
            text(name),
            number(of(now)),
            text(&percent(of(now), now.events)),
            then.map_or_else(|| text("–"), number),
            text(&then.map_or_else(|| "–".to_owned(), |then| change(of(now), then))),
        ]
    };
    Table {
        title: words.outcome.to_owned(),
        head: vec![
            column(words.outcome_of, Kind::Words),
            column(words.events, Kind::Number),
            column(words.share, Kind::Number),
            column(words.before, Kind::Number),
            column(words.change_of, Kind::Number),
        ],
        rows: vec![
            row(words.acknowledged, |counts| counts.acknowledged),
            row(words.handled, |counts| counts.handled),
            row(words.escalated, |counts| counts.escalated),
            row(words.reopened, |counts| counts.reopened),
            row(words.dismissed, |counts| counts.dismissed),
            row(&shelved(now, language), |counts| counts.shelved),
            row(words.real, |counts| counts.real),
            row(words.false_alarms, |counts| counts.false_alarms),
            row(words.planned, |counts| counts.planned),
        ],
    }
}

/// What is said of those that were put aside: for how long, too.
fn shelved(counts: &Counts, language: Language) -> String {
    let [name, from, to] = Words::of(language).shelved;
    match counts.shelved {
        0 => name.to_owned(),
        _ => format!("{name}{from}{}{to}", span(counts.shelved_for, language)),
    }
}

pub(super) fn by_category(report: &Report, language: Language) -> Table {
    let words = Words::of(language);
    let most = report.categories.first().map_or(0, |(_, events)| *events);
    let row = |(of, events): &(_, u32)| {
        vec![
            text(category(*of, language)),
            number(*events),
            text(&percent(*events, report.total.events)),
            plain_bar(*events, most),
        ]
    };
    Table {
        title: words.by_category.to_owned(),
        head: vec![
            column(words.category, Kind::Words),
            column(words.events, Kind::Number),
            column(words.share, Kind::Number),
            column("", Kind::Bar),
        ],
        rows: report.categories.iter().map(row).collect(),
    }
}

/// What a step is called, and how long it took.
type Step = (&'static str, fn(&Pace) -> &Spans);

/// A table for each step: acknowledged, handled, closed.
pub(super) fn speed(report: &Report, language: Language) -> Vec<Block> {
    let words = Words::of(language);
    let steps: [Step; 3] = [
        (words.acknowledged, |pace| &pace.acknowledge),
        (words.handled, |pace| &pace.handle),
        (words.closed, |pace| &pace.close),
    ];
    let table = |(title, of): Step| {
        let row = |name: &str, pace: &Pace| {
            let spans = of(pace);
            let timely = spans.timely;
            vec![
                text(name),
                number(pace.events),
                number(spans.reached),
                text(&span_or(spans.median, language)),
                text(&span_or(spans.ninth, language)),
                text(&percent(timely.in_time, timely.of)),
                text(&if timely.of == 0 { "–".to_owned() } else { timely.late().to_string() }),
            ]
        };
        let levels = words.levels.iter().zip(&report.levels);
        let mut rows: Vec<Vec<Cell>> = levels.map(|(name, pace)| row(name, pace)).collect();
        rows.push(row(words.all, &report.pace));
        let head =
            [words.events, words.reached, words.half, words.nine, words.in_time_short, words.late];
        let numbers = head.map(|title| column(title, Kind::Number));
        let head = std::iter::once(column(words.level, Kind::Words)).chain(numbers).collect();
        Block::Table(Table { title: title.to_owned(), head, rows })
    };
    let told = Block::Text(words.speed_told.to_owned());
    std::iter::once(told).chain(steps.into_iter().map(table)).collect()
}

pub(super) fn areas(report: &Report, language: Language) -> Table {
    let words = Words::of(language);
    let most = longest(&report.areas);
    let row = |row: &Row| {
        vec![
            text(&pick(&row.title, language)),
            number(row.counts.events),
            bar(&row.counts.levels, most),
            than(report, row),
            number(row.counts.open),
            number(row.counts.false_alarms),
            text(&span_or(row.handled_in, language)),
        ]
    };
    Table {
        title: words.by_area.to_owned(),
        head: vec![
            column(words.area, Kind::Words),
            column(words.events, Kind::Number),
            column("", Kind::Bar),
            column(words.before, Kind::Number),
            column(words.open, Kind::Number),
            column(words.false_alarms, Kind::Number),
            column(words.median_handle, Kind::Number),
        ],
        rows: report.areas.iter().map(row).collect(),
    }
}

pub(super) fn scenes(report: &Report, language: Language) -> Table {
    let words = Words::of(language);
    let most = longest(&report.scenes);
    let row = |row: &Row| {
        let Counts { events, real, false_alarms, planned, levels, .. } = &row.counts;
        let first = [number(*events), bar(levels, most), than(report, row)];
        let said = judged(Tally {
            events: *events,
            real: *real,
            false_alarms: *false_alarms,
            planned: *planned,
        });
        let name = std::iter::once(text(&pick(&row.title, language)));
        name.chain(first).chain(said).collect()
    };
    Table {
        title: words.by_live.to_owned(),
        head: [
            column(words.scene, Kind::Words),
            column(words.events, Kind::Number),
            column("", Kind::Bar),
            column(words.before, Kind::Number),
        ]
        .into_iter()
        .chain(judged_head(words))
        .collect(),
        rows: report.scenes.iter().map(row).collect(),
    }
}

/// What scenes on trial would have raised; nothing when none is.
pub(super) fn trials(report: &Report, language: Language) -> Option<Block> {
    let words = Words::of(language);
    let most = report.trials.first()?.tally.events;
    let row = |Trial { title, tally }: &Trial| {
        let (name, events) = (text(&pick(title, language)), number(tally.events));
        let first = [name, events, plain_bar(tally.events, most)];
        first.into_iter().chain(judged(*tally)).collect()
    };
    Some(Block::Table(Table {
        title: words.trials.to_owned(),
        head: [
            column(words.scene, Kind::Words),
            column(words.would_be, Kind::Number),
            column("", Kind::Bar),
        ]
        .into_iter()
        .chain(judged_head(words))
        .collect(),
        rows: report.trials.iter().map(row).collect(),
    }))
}

pub(super) fn causes(report: &Report, language: Language) -> Table {
    let words = Words::of(language);
    let most = report.causes.first().map_or(0, |cause| cause.events);
    let rows = report.causes.iter().map(|cause| {
        vec![
            text(&pick(&cause.title, language)),
            text(&pick(&cause.device, language)),
            text(&cause.detector),
            number(cause.events),
            plain_bar(cause.events, most),
            number(cause.false_alarms),
            number(cause.returns),
        ]
    });
    Table {
        title: words.by_cause.to_owned(),
        head: vec![
            column(words.cause, Kind::Words),
            column(words.device, Kind::Words),
            column(words.detector, Kind::Words),
            column(words.events, Kind::Number),
            column("", Kind::Bar),
            column(words.false_alarms, Kind::Number),
            column(words.reopened, Kind::Number),
        ],
        rows: rows.collect(),
    }
}

pub(super) fn sources(report: &Report, language: Language) -> Table {
    let words = Words::of(language);
    let most = report.sources.first().map_or(0, |source| source.events);
    let rows = report.sources.iter().map(|source| {
        vec![
            text(&pick(&source.device, language)),
            text(&pick(&source.area, language)),
            number(source.events),
            plain_bar(source.events, most),
            number(source.false_alarms),
        ]
    });
    Table {
        title: words.devices.to_owned(),
        head: vec![
            column(words.device, Kind::Words),
            column(words.area, Kind::Words),
            column(words.events, Kind::Number),
            column("", Kind::Bar),
            column(words.false_alarms, Kind::Number),
        ],
        rows: rows.collect(),
    }
}

pub(super) fn silent(report: &Report, language: Language) -> Vec<Block> {
    let words = Words::of(language);
    if report.silent.is_empty() {
        return vec![Block::Text(words.none_silent.to_owned())];
    }
    let rows = report.silent.iter().map(|silent| {
        let more = if silent.is_over { "" } else { " +" };
        vec![
            text(&pick(&silent.device, language)),
            text(&pick(&silent.title, language)),
            number(silent.times),
            text(&format!("{}{more}", span_or(Some(silent.total), language))),
        ]
    });
    vec![Block::Table(Table {
        title: words.silent.to_owned(),
        head: vec![
            column(words.device, Kind::Words),
            column(words.cause, Kind::Words),
            column(words.times, Kind::Number),
            column(words.unheard, Kind::Number),
        ],
        rows: rows.collect(),
    })]
}

/// What people said, and how often it was right.
fn judged(tally: Tally) -> [Cell; 4] {
    let Tally { real, false_alarms, planned, .. } = tally;
    let right = text(&percent(real, real + false_alarms));
    [number(real), number(false_alarms), number(planned), right]
}

fn judged_head(words: &Words) -> [Column; 4] {
    [words.real, words.false_alarms, words.planned, words.precision]
        .map(|title| column(title, Kind::Number))
}

/// What was before, where there are records of it.
fn than(report: &Report, row: &Row) -> Cell {
    if report.before.is_some() { number(row.before) } else { text("–") }
}

fn longest(rows: &[Row]) -> u32 {
    rows.iter().map(|row| row.counts.events).max().unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, reason = "a length on paper")]
fn bar(levels: &[u32; 4], most: u32) -> Cell {
    Cell::Bar(levels.map(|events| (f64::from(events) / f64::from(most.max(1))) as f32))
}

/// A bar that tells no levels.
fn plain_bar(events: u32, most: u32) -> Cell {
    bar(&[0, 0, 0, events], most)
}

fn column(title: &str, kind: Kind) -> Column {
    Column { title: title.to_owned(), kind }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn number(number: u32) -> Cell {
    Cell::Text(number.to_string())
}
