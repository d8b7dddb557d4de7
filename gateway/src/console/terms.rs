//! What the core's own words mean to a person: states, qualities, the numbers of a grade.

use std::time::Duration;

use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::{Grading, State};
use gatehouse_core::reading::{Quality, TimeQuality};

use super::figures::{count, percent};
use super::words::Words;
use gatehouse_core::reasons;

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
    reasons::told(language, quality.word())
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
    fn a_quality_is_told_like_the_reason_that_it_is() {
        assert_eq!(quality(Language::En, Quality::OutOfRange), "out of range");
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
