//! What a demonstration came to, in ten lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use gatehouse_core::community::quantity::Language;
use gatehouse_core::view::Counts;

use super::plan::Verdict;
use super::platform::Platform;
use super::play::Sent;
use super::telling::{pad, roman, span};
use gatehouse_core::reasons;

/// What became of the cameras' pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Pictures that were looked at, and that were let go for newer ones.
    pub looks: u64,
    pub shed: u64,
    /// Masked stills that were kept.
    pub stills: usize,
}

/// The numbers from all ends: devices, gateway, platform, plan.
#[derive(Debug)]
pub struct Summary {
    pub real: Duration,
    pub simulated: Duration,
    pub counts: Counts,
    pub sent: Sent,
    pub seen: Seen,
    pub platform: Platform,
    pub verdict: Verdict,
}

impl Summary {
    /// Lines for a person.
    pub fn text(&self, language: Language) -> String {
        let Self { counts, sent, seen, platform, verdict, .. } = self;
        let say = |zh: &'static str, en: &'static str| match language {
            Language::Zh => zh,
            Language::En => en,
        };
        let refused = counts.refused.iter().map(|(word, n)| (reasons::told(language, word), *n));
        let levels = platform.levels.values().map(|level| (roman(*level), 1));
        let gaps: u64 = platform.gaps().iter().map(|(from, to)| to - from + 1).sum();
        let with_parts = |total: u64, parts: &[(&str, u64)]| match parts {
            [] => total.to_string(),
            parts => {
                let parts: Vec<_> = parts.iter().map(|(name, n)| format!("{name} {n}")).collect();
                let parts = parts.join(say("，", ", "));
                let (open, close) = (say("（", " ("), say("）", ")"));
                format!("{total}{open}{parts}{close}")
            }
        };
        let list = |ids: &[String]| match ids {
            [] => "0".to_owned(),
            some => format!("{}{}{}", some.len(), say("：", ": "), some.join(" ")),
        };

        let mut text = "\n".to_owned();
        let mut row = |zh, en, value: String| {
            // Writing into a String cannot fail.
            writeln!(text, "{} {value}", pad(say(zh, en), 20)).ok();
        };
        let spans = [self.real, self.simulated].map(|length| span(length, language));
        row(
            "用时（模拟时间）",
            "time (simulated)",
            match language {
                Language::Zh => format!("{}（{}）", spans[0], spans[1]),
                Language::En => format!("{} ({})", spans[0], spans[1]),
            },
        );
        let frames = (say("帧数", "frames"), counts.frames);
        row("读数", "readings in", with_parts(counts.readings, &[frames]));
        let let_go = (say("未看", "let go"), seen.shed);
        let kept = (say("留存打码图片", "masked stills kept"), seen.stills as u64);
        row("摄像机画面", "pictures looked at", with_parts(seen.looks, &[let_go, kept]));
        let total = counts.refused.values().sum();
        row("隔离", "quarantined", with_parts(total, &added_up(refused)));
        let total = platform.levels.len() as u64;
        row("事件", "events out", with_parts(total, &added_up(levels)));
        row("消息", "messages out", (platform.messages - platform.repeated).to_string());
        let share = reduction(sent.bytes, platform.bytes);
        let bytes = format!("{} / {}{}", sent.bytes, platform.bytes, share);
        row("字节 收 / 发", "bytes in / out", bytes);
        row("计划异常 发现", "anomalies found", verdict.found.len().to_string());
        row("计划异常 漏报", "anomalies missed", list(&verdict.missed));
        row("计划异常 未到期", "anomalies not due", verdict.not_due.len().to_string());
        row("误报", "false events", list(&verdict.false_events));
        row("重复发生", "opened twice", list(&verdict.opened_twice));
        row("重复消息", "repeated by id", platform.repeated.to_string());
        row("序号缺口", "sequence gaps", gaps.to_string());
        text
    }
}

impl Summary {
    /// The same for a program.
    pub fn json(&self) -> serde_json::Value {
        let Self { real, simulated, counts, sent, seen, platform, verdict } = self;
        let gaps: u64 = platform.gaps().iter().map(|(from, to)| to - from + 1).sum();
        let mut levels = BTreeMap::new();
        for level in platform.levels.values() {
            *levels.entry(level).or_insert(0) += 1;
        }
        serde_json::json!({
            "seconds": real.as_secs_f64(),
            "simulated_seconds": simulated.as_secs_f64(),
            "frames": counts.frames,
            "readings": counts.readings,
            "pictures": seen.looks,
            "pictures_shed": seen.shed,
            "stills": seen.stills,
            "refused": counts.refused.values().sum::<u64>(),
            "reasons": counts.refused,
            "events": platform.levels.len(),
            "levels": levels,
            "messages": platform.messages - platform.repeated,
            "repeated": platform.repeated,
            "sequence_gaps": gaps,
            "bytes_in": sent.bytes,
            "bytes_out": platform.bytes,
            "found": verdict.found,
            "missed": verdict.missed,
            "not_due": verdict.not_due,
            "false_events": verdict.false_events,
            "opened_twice": verdict.opened_twice,
        })
    }
}

fn added_up<'a>(parts: impl Iterator<Item = (&'a str, u64)>) -> Vec<(&'a str, u64)> {
    let mut sums = BTreeMap::new();
    for (name, count) in parts {
        *sums.entry(name).or_insert(0) += count;
    }
    sums.into_iter().collect()
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for a person")]
fn reduction(bytes_in: u64, bytes_out: u64) -> String {
    if bytes_out == 0 {
        return String::new();
    }
    format!(" = {:.0} : 1", bytes_in as f64 / bytes_out as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_holds_every_number_that_a_person_would_ask_for() {
        let mut platform = Platform::default();
        platform.levels = (0..6).map(|n| (n.to_string(), if n == 0 { 2 } else { 4 })).collect();
        (platform.messages, platform.repeated, platform.bytes) = (14, 2, 15_000);
        let summary = Summary {
            real: Duration::from_secs(30),
            simulated: Duration::from_secs(30 * 60 + 7),
            counts: Counts {
                frames: 1_000,
                readings: 4_000,
                refused: BTreeMap::from([("not-json", 12), ("out-of-range", 3)]),
                ..Counts::default()
            },
            sent: Sent { made: 1_000, confirmed: 1_000, repeated: 0, bytes: 150_000 },
            seen: Seen { looks: 120, shed: 3, stills: 1 },
            platform,
            verdict: Verdict {
                found: vec!["1.1".into(), "2.1".into()],
                missed: vec!["3.1".into()],
                ..Verdict::default()
            },
        };

        let english = "
time (simulated)     30 s (30 min 7 s)
readings in          4000 (frames 1000)
pictures looked at   120 (let go 3, masked stills kept 1)
quarantined          15 (not JSON 12, out of range 3)
events out           6 (II 1, IV 5)
messages out         12
bytes in / out       150000 / 15000 = 10 : 1
anomalies found      2
anomalies missed     1: 3.1
anomalies not due    0
false events         0
opened twice         0
repeated by id       2
sequence gaps        0
";
        let chinese = "
用时（模拟时间）     30 秒（30 分钟 7 秒）
读数                 4000（帧数 1000）
摄像机画面           120（未看 3，留存打码图片 1）
隔离                 15（不是 JSON 12，超出量程 3）
事件                 6（II 1，IV 5）
消息                 12
字节 收 / 发         150000 / 15000 = 10 : 1
计划异常 发现        2
计划异常 漏报        1：3.1
计划异常 未到期      0
误报                 0
重复发生             0
重复消息             2
序号缺口             0
";
        assert_eq!(summary.text(Language::En), english);
        assert_eq!(summary.text(Language::Zh), chinese);
        let json = summary.json();
        assert_eq!((&json["refused"], &json["levels"]["4"]), (&15.into(), &5.into()), "{json}");
        assert_eq!((&json["messages"], &json["missed"][0]), (&12.into(), &"3.1".into()), "{json}");
    }
}
