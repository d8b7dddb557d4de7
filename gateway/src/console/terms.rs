//! What the core's own words mean to a person: states, qualities, reasons, the numbers of a grade.

use std::time::Duration;

use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::{Grading, State};
use gatehouse_core::reading::{Quality, TimeQuality};

use super::figures::{count, percent};
use super::words::Words;

pub(super) fn state(language: Language, state: State) -> &'static str {
    let (zh, en) = match state {
        State::Open => ("进行中", "Open"),
        State::Unknown => ("不明：传感器失联", "Unknown: sensor silent"),
        State::Cleared => ("已消除", "Cleared"),
    };
    pick(language, zh, en)
}

pub(super) fn clock(language: Language, quality: TimeQuality) -> &'static str {
    let (zh, en) = match quality {
        TimeQuality::Synced => ("已校时", "Synced"),
        TimeQuality::Holdover => ("自行走时", "Holdover"),
        TimeQuality::Unknown => ("未校时", "Not confirmed"),
    };
    pick(language, zh, en)
}

pub(super) fn quality(language: Language, quality: Quality) -> &'static str {
    reason(language, quality.word())
}

/// Why a frame or a reading was turned away. A word that is not listed here is shown as it is: new
/// reasons reach the page before their translation does.
pub(super) fn reason(language: Language, word: &'static str) -> &'static str {
    let (zh, en) = match word {
        "good" => ("正常", "good"),
        "out-of-range" => ("超出量程", "out of range"),
        "jumped" => ("跳变", "jumped"),
        "stuck" => ("数值不变", "stuck"),
        "stale" => ("数据过时", "stale"),
        "no-data" => ("无数据", "no data"),
        "missing" => ("缺字段", "missing"),
        "wrong-type" => ("类型不符", "wrong type"),
        "timeout" => ("无应答", "no answer"),
        "exception" => ("设备报错", "exception"),
        "garbled" => ("报文损坏", "garbled"),
        "empty" => ("空报文", "empty"),
        "not-json" => ("不是 JSON", "not JSON"),
        "too-deep" => ("嵌套过深", "nested too deeply"),
        "not-an-object" => ("不是 JSON 对象", "not a JSON object"),
        "too-short" => ("报文过短", "too short"),
        "too-long" => ("报文过长", "too long"),
        "bad-time" => ("时间无法识别", "unreadable time"),
        "wrong-wire" => ("接口不符", "wrong wire"),
        "from-the-future" => ("时间超前", "dated in the future"),
        "too-old" => ("时间过旧", "dated too long ago"),
        "repeated" => ("重复报文", "repeated"),
        "not-newer" => ("早于上一报文", "older than the last"),
        other => return other,
    };
    pick(language, zh, en)
}

/// What the grading table was given.
pub(super) fn grading(language: Language, grading: &Grading) -> String {
    let over = percent(grading.over);
    let lasted = Duration::try_from_secs_f64(grading.lasted).unwrap_or_default();
    let lasted = Words::of(language).age(lasted);
    let people = count(grading.people.into());
    let sure = percent(grading.certainty);
    let devices = count(grading.devices.into());
    match language {
        Language::Zh => format!(
            "超限 {over}，已持续 {lasted}，区内 {people} 人，把握 {sure}，涉及 {devices} 台设备"
        ),
        Language::En => format!(
            "{over} over, for {lasted}, {people} people in the area, {sure} sure, devices: {devices}"
        ),
    }
}

fn pick(language: Language, zh: &'static str, en: &'static str) -> &'static str {
    match language {
        Language::Zh => zh,
        Language::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_translated_and_an_unknown_one_stays_as_it_is() {
        assert_eq!(reason(Language::Zh, "stuck"), "数值不变");
        assert_eq!(quality(Language::En, Quality::OutOfRange), "out of range");
        assert_eq!(reason(Language::En, "brand-new"), "brand-new");
    }

    #[test]
    fn a_grade_is_explained_by_its_numbers() {
        let numbers =
            Grading { over: 0.34, lasted: 420.0, people: 800, certainty: 0.9, devices: 1 };

        assert_eq!(
            grading(Language::En, &numbers),
            "34\u{202f}% over, for 7 min, 800 people in the area, 90\u{202f}% sure, devices: 1"
        );
        let broken = Grading { lasted: f64::NAN, over: f64::INFINITY, ..numbers };
        assert!(grading(Language::Zh, &broken).starts_with("超限 –"));
    }
}
