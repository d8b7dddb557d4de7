//! What the devices' page says of the flash below the store: how much is written to it a day, and how long it
//! lasts at that pace.

use gatehouse_core::community::quantity::{Language, Text};
use maud::{Markup, html};

use super::Snapshot;
use super::figures::value;
use crate::wear::{Endurance, Wear};

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

/// The section, with one box for each thing that can be told.
pub(super) fn section(snapshot: &Snapshot, language: Language) -> Markup {
    let store = &snapshot.store;
    let title = Text::new("存储写入", "Written to the flash");
    let is_worn = store.wear.finding(store.endurance).is_some();
    html! {
        section .sources aria-labelledby="flash" {
            h2 #flash { (title.get(language)) }
            ul role="list" {
                @for text in told(store.wear, store.endurance) {
                    li .odd[is_worn] { (text.get(language)) }
                }
            }
        }
    }
}

fn told(wear: Wear, endurance: Option<Endurance>) -> Vec<Text> {
    let pace = wear.a_day().map_or_else(
        || Text::new("统计满一小时后显示每天写入量", "How much a day is known after an hour"),
        |bytes| {
            let bytes = amount(bytes);
            Text::new(format!("每天 {bytes}"), format!("{bytes} a day"))
        },
    );
    let Some(endurance) = endurance else {
        let hint = Text::new(
            "在 gateway.toml 的 [store] 中填写 endurance，即可显示剩余寿命",
            "With endurance in [store] of gateway.toml, how long it lasts is shown here",
        );
        return vec![pace, hint];
    };
    let (share, all) = (value(wear.share(endurance) * 100.0), String::from(endurance));
    let used = Text::new(
        format!("已用标称寿命 {all} 的 {share}\u{202f}%"),
        format!("{share}\u{202f}% of {all} used"),
    );
    let left = wear.left(endurance).map_or_else(
        || Text::new("统计满一天后显示剩余寿命", "How long it lasts is known after a day"),
        |left| {
            let span = span(left);
            Text::new(
                format!("按此速度还能用{}", span.zh),
                format!("Lasts {} at this pace", span.en),
            )
        },
    );
    vec![pace, used, left]
}

fn amount(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e9 => format!("{}\u{202f}MB", value(bytes / 1e6)),
        bytes => format!("{}\u{202f}GB", value(bytes / 1e9)),
    }
}

/// As roughly as it is known.
fn span(seconds: u64) -> Text {
    let (days, months, years) = (seconds / DAY, seconds / (YEAR / 12), seconds / YEAR);
    match years {
        100.. => Text::new("一百年以上", "more than a hundred years"),
        2.. => Text::new(format!("约 {years} 年"), format!("about {years} years")),
        _ if months >= 2 => {
            Text::new(format!("约 {months} 个月"), format!("about {months} months"))
        }
        _ => Text::new(format!("约 {days} 天"), format!("about {days} days")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(days: u64, a_day: u64) -> Wear {
        let mut wear = Wear::default();
        wear.note(days * a_day, Duration::from_hours(24 * days));
        wear
    }

    #[test]
    fn what_is_told_is_what_is_known() {
        let tera = 1_000_000_000_000;
        let cases = [
            (
                "nothing yet",
                Wear::default(),
                Some(Endurance(tera)),
                ["an hour", "0\u{202f}% of 1 TB used", "after a day"],
            ),
            (
                "years",
                after(10, 200_000_000),
                Some(Endurance(tera)),
                ["200\u{202f}MB a day", "0.2\u{202f}% of 1 TB used", "about 13 years"],
            ),
            (
                "months",
                after(10, 2_000_000_000),
                Some(Endurance(tera)),
                ["2\u{202f}GB a day", "2\u{202f}% of 1 TB used", "about 16 months"],
            ),
            (
                "weeks",
                after(10, 20_000_000_000),
                Some(Endurance(tera)),
                ["20\u{202f}GB a day", "20\u{202f}% of 1 TB used", "about 40 days"],
            ),
            (
                "no end",
                after(10, 1_000_000),
                Some(Endurance(tera)),
                ["1\u{202f}MB a day", "0.001\u{202f}% of 1 TB used", "a hundred years"],
            ),
            (
                "not declared",
                after(10, 1_000_000),
                None,
                ["1\u{202f}MB a day", "endurance in [store]", ""],
            ),
        ];
        for (why, wear, endurance, expected) in cases {
            let told = told(wear, endurance);
            for (at, part) in expected.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
                assert!(told[at].en.contains(part), "{why}: {:?}", told[at].en);
                assert!(!told[at].zh.is_empty() && told[at].zh != told[at].en, "{why}");
            }
        }
    }
}
