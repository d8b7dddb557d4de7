//! Writes the paper: figures in, titles, sentences, tables and charts out.

use gatehouse_core::community::calendar::dates::Offset;
use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::reading::Timestamp;
use gatehouse_core::report::Report;
use gatehouse_core::report::counting::Row;
use gatehouse_core::report::handling::{Pace, Spans};

use super::paper::{
    Block, Cell, Column, Day, Days, Finding, Heat, Kind, Paper, Section, Table, Tile,
};
use super::sentences;
use super::words::{Words, category, change, percent, span_or};

/// The paper of a report, made at that time.
pub fn paper(report: &Report, language: Language, now: Timestamp) -> Paper {
    let words = Words::of(language);
    let stretch = &report.stretch;
    Paper {
        language,
        community: pick(&report.community, language),
        kind: words.kind.to_owned(),
        month: pick(&report.month.title(), language),
        stretch: format!(
            "{} {} {} ({})",
            clock(stretch.from, stretch.offset),
            words.to,
            clock(stretch.to, stretch.offset),
            zone(stretch.offset, stretch.is_utc),
        ),
        made: format!(
            "{} {}{}Gatehouse {}",
            words.made,
            clock(now, stretch.offset),
            words.comma,
            env!("CARGO_PKG_VERSION")
        ),
        page: words.page.map(str::to_owned),
        lead: sentences::lead(report, language),
        remarks: sentences::remarks(report, language),
        tiles: tiles(report, language),
        sections: sections(report, language),
    }
}

fn sections(report: &Report, language: Language) -> Vec<Section> {
    let words = Words::of(language);
    let section = |id, title: &str, blocks| Section { id, title: title.to_owned(), blocks };
    let mut sections = vec![section("change", words.change, changes(report, language))];
    if report.total.events == 0 {
        let nothing = vec![Block::Text(words.no_events.to_owned())];
        sections.push(section("happened", words.happened, nothing));
    } else {
        let happened = vec![
            Block::Days(days(report, language)),
            Block::Heat(heat(report, language)),
            Block::Table(by_category(report, language)),
        ];
        let causes = vec![
            Block::Text(words.causes_told.to_owned()),
            Block::Table(causes(report, language)),
            Block::Table(sources(report, language)),
        ];
        sections.push(section("happened", words.happened, happened));
        sections.push(section("speed", words.speed, speed(report, language)));
        sections.push(section("areas", words.by_area, vec![Block::Table(areas(report, language))]));
        sections.push(section(
            "scenes",
            words.by_scene,
            vec![Block::Table(scenes(report, language))],
        ));
        sections.push(section("causes", words.causes, causes));
        sections.push(section("silent", words.silent, silent(report, language)));
    }
    let how = words.how_told.iter().map(|line| Block::Text((*line).to_owned())).collect();
    sections.push(section("how", words.how, how));
    sections
}

fn tiles(report: &Report, language: Language) -> Vec<Tile> {
    let words = Words::of(language);
    let (total, pace) = (&report.total, &report.pace);
    let before = report.before.as_ref();
    let tile = |name: &str, value: String, beside: String, is_odd| Tile {
        name: name.to_owned(),
        value,
        beside,
        is_odd,
    };
    let than_before = |now: u32, then: Option<u32>| {
        then.map_or_else(String::new, |then| {
            format!("{} {then}{}{}", words.before, words.comma, change(now, then))
        })
    };
    let ninth = |spans: &Spans| {
        spans.ninth.map_or_else(String::new, |_| {
            format!("{} {}", words.ninth, span_or(spans.ninth, language))
        })
    };
    let timely = pace.acknowledge.timely;
    let judged = total.real + total.false_alarms;
    vec![
        tile(
            words.events,
            total.events.to_string(),
            than_before(total.events, before.map(|b| b.events)),
            false,
        ),
        tile(
            words.in_time,
            percent(timely.in_time, timely.of),
            if timely.of == 0 {
                words.no_limit.to_owned()
            } else {
                format!("{} / {}", timely.in_time, timely.of)
            },
            timely.share().is_some_and(|share| share < 0.8),
        ),
        tile(
            words.median_ack,
            span_or(pace.acknowledge.median, language),
            ninth(&pace.acknowledge),
            false,
        ),
        tile(
            words.median_handle,
            span_or(pace.handle.median, language),
            ninth(&pace.handle),
            false,
        ),
        tile(
            words.precision,
            percent(total.real, judged),
            if judged == 0 {
                words.unjudged.to_owned()
            } else {
                format!("{} / {judged}", total.real)
            },
            total.precision().is_some_and(|precision| precision < 0.5),
        ),
        tile(
            words.false_alarms,
            total.false_alarms.to_string(),
            than_before(total.false_alarms, before.map(|b| b.false_alarms)),
            false,
        ),
        tile(
            words.escalated,
            total.escalated.to_string(),
            than_before(total.escalated, before.map(|b| b.escalated)),
            false,
        ),
        tile(
            words.open,
            total.open.to_string(),
            if report.carried == 0 {
                String::new()
            } else {
                format!("{} +{}", words.before, report.carried)
            },
            total.open + report.carried > 0,
        ),
    ]
}

fn changes(report: &Report, language: Language) -> Vec<Block> {
    if report.advice.is_empty() {
        return vec![Block::Text(Words::of(language).nothing_to_change.to_owned())];
    }
    let finding = |advice: &gatehouse_core::report::advice::Advice| Finding {
        what: pick(&advice.what(), language),
        because: pick(&advice.because(), language),
    };
    vec![Block::Findings(report.advice.iter().map(finding).collect())]
}

fn days(report: &Report, language: Language) -> Days {
    let words = Words::of(language);
    let day = |(number, levels): (u8, &[u32; 4])| Day {
        number,
        is_weekend: report.month.weekday(number) > 5,
        levels: *levels,
    };
    let days: Vec<Day> = (1..).zip(&report.days).map(day).collect();
    Days {
        title: words.by_day.to_owned(),
        told: sentences::busiest_day(report, language),
        days,
        legend: words.levels.map(str::to_owned),
        head: [words.day, words.events].map(str::to_owned),
    }
}

fn heat(report: &Report, language: Language) -> Heat {
    let words = Words::of(language);
    Heat {
        title: words.by_hour.to_owned(),
        told: sentences::busiest_hour(report, language),
        weekdays: words.weekdays.map(str::to_owned),
        hours: report.hours,
    }
}

fn by_category(report: &Report, language: Language) -> Table {
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

/// A table for each step: acknowledged, handled, closed.
fn speed(report: &Report, language: Language) -> Vec<Block> {
    let words = Words::of(language);
    let steps: [(&str, fn(&Pace) -> &Spans); 3] = [
        (words.acknowledged, |pace| &pace.acknowledge),
        (words.handled, |pace| &pace.handle),
        (words.closed, |pace| &pace.close),
    ];
    let table = |(title, of): (&str, fn(&Pace) -> &Spans)| {
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

fn areas(report: &Report, language: Language) -> Table {
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

fn scenes(report: &Report, language: Language) -> Table {
    let words = Words::of(language);
    let most = longest(&report.scenes);
    let row = |row: &Row| {
        let counts = &row.counts;
        vec![
            text(&pick(&row.title, language)),
            number(counts.events),
            bar(&counts.levels, most),
            than(report, row),
            number(counts.real),
            number(counts.false_alarms),
            number(counts.planned),
            text(&percent(counts.real, counts.real + counts.false_alarms)),
        ]
    };
    Table {
        title: words.by_scene.to_owned(),
        head: vec![
            column(words.scene, Kind::Words),
            column(words.events, Kind::Number),
            column("", Kind::Bar),
            column(words.before, Kind::Number),
            column(words.real, Kind::Number),
            column(words.false_alarms, Kind::Number),
            column(words.planned, Kind::Number),
            column(words.precision, Kind::Number),
        ],
        rows: report.scenes.iter().map(row).collect(),
    }
}

fn causes(report: &Report, language: Language) -> Table {
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

fn sources(report: &Report, language: Language) -> Table {
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

fn silent(report: &Report, language: Language) -> Vec<Block> {
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

/// What stands in that language, or in the other one.
pub(super) fn pick(text: &Text, language: Language) -> String {
    let (wanted, other) = match language {
        Language::Zh => (&text.zh, &text.en),
        Language::En => (&text.en, &text.zh),
    };
    if wanted.is_empty() { other.clone() } else { wanted.clone() }
}

/// Date and time as the community's clock shows them.
pub(super) fn clock(at: Timestamp, offset: Offset) -> String {
    let local = offset.local(at);
    local.map_or_else(|| at.rfc3339(), |local| local.strftime("%Y-%m-%d %H:%M").to_string())
}

fn zone(offset: Offset, is_utc: bool) -> String {
    if is_utc { "UTC".to_owned() } else { format!("UTC{offset}") }
}
