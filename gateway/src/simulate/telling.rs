//! What reached the platform, told to a person: a line per message.
//!
//! A message carries the whole event as it stands; what is new about it shows only beside the one
//! before. So the teller keeps the last message of each event that is not over, and says what has
//! changed: a higher level, a new peak, another device. What is over is told in the past.

use std::collections::BTreeMap;
use std::time::Duration;

use gatehouse_core::community::quantity::{Language, Text};
use gatehouse_core::community::scene::Tier;
use gatehouse_core::event::message::{EventData, Message, State};
use gatehouse_core::reading::Timestamp;

/// Tells messages in the order in which they come.
#[derive(Debug)]
pub struct Teller {
    language: Language,
    /// Colours, for a terminal.
    is_coloured: bool,
    /// Titles of areas by id; the id where there is none.
    areas: BTreeMap<String, Text>,
    /// Events that are not over, as they were last told.
    told: BTreeMap<String, EventData>,
}

impl Teller {
    pub fn new(language: Language, is_coloured: bool, areas: BTreeMap<String, Text>) -> Self {
        Self { language, is_coloured, areas, told: BTreeMap::new() }
    }

    /// What stands above the lines: whose clock they go by.
    pub fn heading(&self) -> &'static str {
        match self.language {
            Language::Zh => "以下时间为社区当地时间（北京时间，UTC+08:00）",
            Language::En => "times are the community's own, China Standard Time (UTC+08:00)",
        }
    }

    /// One message as a line: when, how bad, what happened, what it is, where, and why.
    pub fn line(&mut self, message: &Message) -> String {
        let data = &message.data;
        let before = match data.state {
            State::Cleared => self.told.remove(&data.event),
            State::Open | State::Unknown => self.told.insert(data.event.clone(), data.clone()),
        };
        let area = self.areas.get(&data.area).map_or(data.area.as_str(), |t| t.get(self.language));
        let line = format!(
            "{}  {}  {}  {}  {}  {}  {}",
            local_time(&message.time),
            self.level(data),
            pad(transition(&message.kind, self.language), 10),
            pad(data.title.get(self.language), 22),
            pad(area, 10),
            pad(&data.device, 14),
            self.why(message, before.as_ref()),
        );
        // What is over steps back behind what is not.
        if self.is_coloured && data.state == State::Cleared {
            return format!("\x1b[2m{line}\x1b[0m");
        }
        line
    }

    /// I to IV in the colours of the four levels of response.
    fn level(&self, data: &EventData) -> String {
        let colour = match data.level {
            1 => "1;97;41",
            2 => "1;38;5;208",
            3 => "1;33",
            _ => "1;34",
        };
        let word = pad(roman(data.level), 3);
        if self.is_coloured && data.state != State::Cleared {
            format!("\x1b[{colour}m{word}\x1b[0m")
        } else {
            word
        }
    }

    /// The cause, and before it what the message adds to the one before.
    fn why(&self, message: &Message, before: Option<&EventData>) -> String {
        let data = &message.data;
        let why = data.cause.why.get(self.language);
        if let Some(by) = data.review.by.as_deref()
            && before.is_none_or(|before| before.review != data.review)
        {
            return format!("[{by}: {}] {why}", verdict(data, self.language));
        }
        if let Some(done) = self.done(message) {
            return format!("[{done}] {why}");
        }
        match (data.state, self.language) {
            (State::Cleared, Language::Zh) => {
                format!("持续 {}后解除；此前：{why}", span(lasted(message), self.language))
            }
            (State::Cleared, Language::En) => {
                format!("over after {}; it was: {why}", span(lasted(message), self.language))
            }
            (State::Unknown, Language::Zh) => {
                format!("传感器失联，是否仍在持续不明；最后所见：{why}")
            }
            (State::Unknown, Language::En) => {
                format!(
                    "its sensor fell silent, nobody can tell whether it lasts; last seen: {why}"
                )
            }
            (State::Open, _) => {
                let news = before.map_or_else(Vec::new, |before| self.news(before, data));
                if news.is_empty() {
                    why.to_owned()
                } else {
                    format!("[{}] {why}", news.join("; "))
                }
            }
        }
    }

    /// What people did, or who is called now; `None` for what the sensors say.
    fn done(&self, message: &Message) -> Option<String> {
        let (handling, tier) = (&message.data.handling, message.data.tier);
        let to = handling.assignee.as_deref().unwrap_or_default();
        let by = handling.by.as_deref().unwrap_or_default();
        match (message.kind.rsplit('.').next()?, self.language) {
            ("opened" | "updated" | "cleared" | "unknown" | "reopened", _) => None,
            ("escalated", Language::Zh) => Some(match tier {
                Tier::Grid | Tier::Community => "通知社区".to_owned(),
                Tier::Township => "通知街道".to_owned(),
            }),
            ("escalated", Language::En) => Some(match tier {
                Tier::Grid | Tier::Community => "the community is called".to_owned(),
                Tier::Township => "the township is called".to_owned(),
            }),
            ("dispatched", _) => Some(format!("{by} → {to}")),
            (_, Language::Zh) if by == "sensor" => Some("由传感器确认".to_owned()),
            (_, Language::En) => Some(format!("by {by}")),
            (_, Language::Zh) => Some(by.to_owned()),
        }
    }

    /// What is worse or otherwise new, the most important first.
    fn news(&self, before: &EventData, data: &EventData) -> Vec<String> {
        let say = |zh: String, en: String| match self.language {
            Language::Zh => zh,
            Language::En => en,
        };
        let mut news = Vec::new();
        if data.level < before.level {
            let (from, to) = (roman(before.level), roman(data.level));
            news.push(say(
                format!("{from} 级升为 {to} 级"),
                format!("up from level {from} to {to}"),
            ));
        }
        if before.state == State::Unknown {
            news.push(say("传感器恢复上报".into(), "its sensor speaks again".into()));
        }
        let more = data.affected.iter().filter(|device| !before.affected.contains(device));
        let more: Vec<&str> = more.map(String::as_str).collect();
        if !more.is_empty() {
            let more = more.join(", ");
            news.push(say(format!("新增设备 {more}"), format!("now also {more}")));
        }
        if data.cause.detector != before.cause.detector {
            news.push(say("原因有变".into(), "another cause leads".into()));
        } else if data.cause.grading.over > before.cause.grading.over {
            news.push(say("出现新高".into(), "new peak".into()));
        }
        let parts = |data: &EventData| data.cause.contributions.len();
        if data.affected == before.affected && parts(data) > parts(before) {
            news.push(say("另一检测项也已触发".into(), "another detector agrees".into()));
        }
        news
    }
}

/// How long the condition has been there.
fn lasted(message: &Message) -> Duration {
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let times = at(&message.time).zip(at(&message.data.started));
    times.map_or(Duration::ZERO, |(now, started)| now.since(started))
}

/// The language of a person whose environment says `LANG=zh_CN.UTF-8`, or anything else.
pub fn language_of(lang: &str) -> Language {
    if lang.starts_with("zh") { Language::Zh } else { Language::En }
}

pub(super) fn roman(level: u8) -> &'static str {
    match level {
        1 => "I",
        2 => "II",
        3 => "III",
        _ => "IV",
    }
}

/// Hours, minutes and seconds, without those that are zero: `30 min 7 s`.
pub(super) fn span(span: Duration, language: Language) -> String {
    let seconds = span.as_secs();
    let units = match language {
        Language::Zh => ["小时", "分钟", "秒"],
        Language::En => ["h", "min", "s"],
    };
    let numbers = [seconds / 3_600, seconds / 60 % 60, seconds % 60];
    let parts: Vec<_> = std::iter::zip(numbers, units)
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    if parts.is_empty() { format!("0 {}", units[2]) } else { parts.join(" ") }
}

/// `HH:MM:SS` by the clock of China; the text itself when it is not a time.
fn local_time(rfc3339: &str) -> String {
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return rfc3339.to_owned() };
    let of_day = (at.0 + super::LOCAL_AHEAD_MS).rem_euclid(86_400_000) / 1_000;
    format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// The last word of `gatehouse.event.<transition>`, in the reader's language.
fn transition(kind: &str, language: Language) -> &str {
    let word = kind.rsplit('.').next().unwrap_or(kind);
    match (language, word) {
        (Language::Zh, "opened") => "发生",
        (Language::Zh, "updated") => "更新",
        (Language::Zh, "escalated") => "升级",
        (Language::Zh, "acknowledged") => "已确认",
        (Language::Zh, "dispatched") => "已派单",
        (Language::Zh, "handled") => "已处置",
        (Language::Zh, "cleared") => "已解除",
        (Language::Zh, "unknown") => "状态不明",
        (Language::Zh, "reopened") => "再次发生",
        (Language::Zh, "verified") => "已核实",
        (Language::Zh, "shelved") => "搁置",
        (Language::Zh, "unshelved") => "恢复",
        (Language::Zh, "dismissed") => "已排除",
        (Language::Zh, "closed") => "关闭",
        (Language::Zh | Language::En, _) => word,
    }
}

/// What somebody said of it.
fn verdict(data: &EventData, language: Language) -> &str {
    match (language, data.review.verdict.as_deref()) {
        (Language::Zh, Some("false-alarm")) => "误报",
        (Language::Zh, Some("real")) => "属实",
        (Language::Zh, Some("planned-work")) => "计划内作业",
        (Language::Zh, None) => "撤回判断",
        (Language::En, None) => "takes it back",
        (Language::Zh | Language::En, Some(word)) => word,
    }
}

/// Fills up to a width in columns; a Chinese character takes two.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let width: usize = text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum();
    format!("{text}{}", " ".repeat(columns.saturating_sub(width)))
}

#[cfg(test)]
mod tests;
