//! Writes the paper: figures in, titles, sentences, tables and charts out.

use gatehouse_core::community::calendar::dates::Offset;
use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::reading::Timestamp;
use gatehouse_core::report::Report;
use gatehouse_core::report::handling::Spans;

use super::paper::{Block, Day, Days, Finding, Heat, Paper, Section, Tile};
use super::words::{Words, change, percent, span_or};
use super::{sentences, tables};

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
            Block::Heat(Box::new(heat(report, language))),
            Block::Table(tables::by_category(report, language)),
            Block::Table(tables::outcome(report, language)),
        ];
        let causes = vec![
            Block::Text(words.causes_told.to_owned()),
            Block::Table(tables::causes(report, language)),
            Block::Table(tables::sources(report, language)),
        ];
        sections.push(section("happened", words.happened, happened));
        sections.push(section("speed", words.speed, tables::speed(report, language)));
        sections.push(section(
            "areas",
            words.by_area,
            vec![Block::Table(tables::areas(report, language))],
        ));
        let scenes = Block::Table(tables::scenes(report, language));
        let scenes = std::iter::once(scenes).chain(tables::trials(report, language)).collect();
        sections.push(section("scenes", words.by_scene, scenes));
        sections.push(section("causes", words.causes, causes));
        sections.push(section("silent", words.silent, tables::silent(report, language)));
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
