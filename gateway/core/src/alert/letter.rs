//! A parcel in words: what a person reads on a telephone at two in the morning.
//!
//! Only what the event itself holds is told: what, where, since when, why, what to do. Nothing that a
//! person wrote, and nobody's name.

use std::fmt::Write as _;

use super::{Item, Kind, Load, Parcel, Zone};
use crate::community::quantity::{Language, Text};
use crate::event::message::{EventData, State};
use crate::reading::Timestamp;

/// Events that a summary lists; the others are counted.
const LISTED: usize = 10;
/// Letters of one field; what a scene says of itself is shorter.
const LONGEST: usize = 400;

/// A message before it has the form of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The parcel's number: the same on every retry.
    pub id: String,
    pub language: Language,
    /// Of the most urgent event.
    pub level: u8,
    /// All is over: the colour is green.
    pub is_over: bool,
    pub drill: bool,
    /// The event that it is about, when it is about one.
    pub event: Option<String>,
    /// One line: level, what, where.
    pub headline: String,
    /// Name and text, in the order of reading.
    pub fields: Vec<(&'static str, String)>,
    /// The events of a summary, one a line.
    pub list: Vec<String>,
}

impl Letter {
    /// Writes it; `event` is the event as the record holds it, when it still does.
    pub fn of(parcel: &Parcel, event: Option<&EventData>, zone: Zone) -> Self {
        let language = parcel.recipient.language;
        match &parcel.load {
            Load::One(item) => one(parcel, item, event, language, zone),
            Load::Many { items, more, is_digest } => {
                many(parcel, items, *more, *is_digest, language)
            }
        }
    }

    /// All of it as plain text, links not included.
    pub fn plain(&self) -> String {
        let mut text = self.headline.clone();
        for (name, value) in &self.fields {
            let _ = write!(text, "\n{name}{}{value}", colon(self.language));
        }
        for line in &self.list {
            let _ = write!(text, "\n- {line}");
        }
        text
    }

    /// What is said aloud: the headline and what to do.
    pub fn spoken(&self) -> String {
        let advice = self.fields.iter().find(|(name, _)| *name == words(self.language).todo);
        let end = match self.language {
            Language::Zh => "。",
            Language::En => ". ",
        };
        let advice = advice.map_or("", |(_, text)| text);
        format!("{}{end}{advice}", self.headline.replace(['【', '】', '[', ']', '|'], " "))
    }
}

/// Between a name and its text.
pub fn colon(language: Language) -> &'static str {
    match language {
        Language::Zh => "：",
        Language::En => ": ",
    }
}

fn one(
    parcel: &Parcel,
    item: &Item,
    event: Option<&EventData>,
    language: Language,
    zone: Zone,
) -> Letter {
    let words = words(language);
    let mut fields = Vec::new();
    let mut add = |name, text: &str| {
        if !text.trim().is_empty() {
            fields.push((name, shortened(text)));
        }
    };
    add(words.place, said(&item.place, language));
    if let Some(data) = event {
        let since = data
            .started
            .parse::<Timestamp>()
            .map_or_else(|_| data.started.clone(), |at| zone.shown(at));
        add(words.since, &since);
        add(words.why, said(&data.cause.why, language));
        if item.is_over {
            add(words.state, ending(data, language));
        } else {
            add(words.todo, said(&data.advice, language));
            if data.state == State::Unknown {
                add(words.state, words.unknown);
            }
        }
    }
    add(words.number, &parcel.id);
    Letter {
        id: parcel.id.clone(),
        language,
        level: item.level,
        is_over: item.is_over,
        drill: item.drill,
        event: Some(item.event.clone()),
        headline: headline(item, language),
        fields,
        list: Vec::new(),
    }
}

fn many(
    parcel: &Parcel,
    items: &[Item],
    more: [u32; 4],
    is_digest: bool,
    language: Language,
) -> Letter {
    let words = words(language);
    let mut by_level = more.map(|n| n as usize);
    for item in items {
        by_level[usize::from(item.level.clamp(1, 4)) - 1] += 1;
    }
    let all: usize = by_level.iter().sum();
    let open = items.iter().filter(|item| !item.is_over).count();
    let levels = (1..=4u8).filter(|level| by_level[usize::from(*level) - 1] > 0);
    let levels: Vec<String> = levels
        .map(|level| {
            format!("{} {}", LEVELS[usize::from(level) - 1], by_level[usize::from(level) - 1])
        })
        .collect();
    let drill = items.iter().all(|item| item.drill) && !items.is_empty();
    let exercise = if drill { words.drill } else { "" };
    let headline = match (language, is_digest) {
        (Language::Zh, true) => format!("{exercise}【汇总】{all} 起事件"),
        (Language::Zh, false) => format!("{exercise}【集中告警】短时间内 {all} 起事件"),
        (Language::En, true) => format!("{exercise}[Digest] {all} events"),
        (Language::En, false) => format!("{exercise}[Many at once] {all} events in a short time"),
    };
    let mut fields = vec![(words.levels, levels.join(" · "))];
    fields.push((words.still_open, open.to_string()));
    fields.push((words.number, parcel.id.clone()));
    let mut list: Vec<String> =
        items.iter().take(LISTED).map(|item| line(item, language)).collect();
    if all > list.len() {
        let rest = all - list.len();
        list.push(match language {
            Language::Zh => format!("另有 {rest} 起，请打开控制台查看"),
            Language::En => format!("and {rest} more; see the console"),
        });
    }
    let level = (1..=4).find(|level| by_level[usize::from(*level) - 1] > 0).unwrap_or(4);
    Letter {
        id: parcel.id.clone(),
        language,
        level,
        is_over: open == 0 && more == [0; 4],
        drill,
        event: None,
        headline,
        fields,
        list,
    }
}

fn line(item: &Item, language: Language) -> String {
    let over = if item.is_over { words(language).over } else { "" };
    let place = said(&item.place, language);
    let title = said(&item.title, language);
    let level = LEVELS[usize::from(item.level.clamp(1, 4)) - 1];
    shortened(&format!("{level} {title} · {place}{over}"))
}

fn headline(item: &Item, language: Language) -> String {
    let words = words(language);
    let at = usize::from(item.level.clamp(1, 4)) - 1;
    let what = match (item.is_over, item.kind) {
        (true, _) => words.over,
        (false, Kind::Raised | Kind::Over) => "",
        (false, Kind::Worse) => words.worse,
        (false, Kind::Assigned) => words.assigned,
    };
    let drill = if item.drill { words.drill } else { "" };
    let (title, place) = (said(&item.title, language), said(&item.place, language));
    let level = LEVELS[at];
    let name = words.levels_named[at];
    shortened(&match language {
        Language::Zh => format!("{drill}【{level}级 {name}】{title}{what} | {place}"),
        Language::En => format!("{drill}[Level {level}, {name}] {title}{what} | {place}"),
    })
}

fn ending(data: &EventData, language: Language) -> &'static str {
    let words = words(language);
    match data.review.verdict.as_deref() {
        Some("false-alarm") => words.false_alarm,
        Some("planned-work") => words.planned_work,
        _ => words.gone,
    }
}

/// In the language, or the other one where it says nothing.
fn said(text: &Text, language: Language) -> &str {
    let wanted = text.get(language);
    if !wanted.is_empty() {
        return wanted;
    }
    match language {
        Language::Zh => &text.en,
        Language::En => &text.zh,
    }
}

/// One line, and no longer than a person reads.
fn shortened(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &one_line[..end]),
        None => one_line,
    }
}

const LEVELS: [&str; 4] = ["I", "II", "III", "IV"];

struct Words {
    /// Of the levels, with the colour of the warning signal.
    levels_named: [&'static str; 4],
    place: &'static str,
    since: &'static str,
    why: &'static str,
    todo: &'static str,
    state: &'static str,
    number: &'static str,
    levels: &'static str,
    still_open: &'static str,
    unknown: &'static str,
    gone: &'static str,
    false_alarm: &'static str,
    planned_work: &'static str,
    over: &'static str,
    worse: &'static str,
    assigned: &'static str,
    drill: &'static str,
}

fn words(language: Language) -> &'static Words {
    match language {
        Language::Zh => &ZH,
        Language::En => &EN,
    }
}

static ZH: Words = Words {
    levels_named: ["特别重大·红", "重大·橙", "较大·黄", "一般·蓝"],
    place: "地点",
    since: "开始时间",
    why: "原因",
    todo: "处置建议",
    state: "状态",
    number: "编号",
    levels: "级别",
    still_open: "未解除",
    unknown: "传感器失联，情况不明",
    gone: "已解除：传感器恢复正常",
    false_alarm: "已解除：判为误报",
    planned_work: "已解除：计划作业",
    over: "（已解除）",
    worse: "（已升级）",
    assigned: "（请您处理）",
    drill: "〔演练〕",
};

static EN: Words = Words {
    levels_named: ["extraordinary, red", "major, orange", "larger, yellow", "general, blue"],
    place: "Where",
    since: "Since",
    why: "Why",
    todo: "What to do",
    state: "State",
    number: "No.",
    levels: "Levels",
    still_open: "Still open",
    unknown: "the sensor has fallen silent: nobody can tell",
    gone: "over: the sensor reads normal again",
    false_alarm: "over: a false alarm",
    planned_work: "over: planned work",
    over: " (over)",
    worse: " (raised)",
    assigned: " (yours to handle)",
    drill: "DRILL ",
};
