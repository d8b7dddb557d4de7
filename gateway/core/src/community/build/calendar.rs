//! Does the calendar agree with itself, and does it have what scenes ask it for.

use std::collections::BTreeSet;

use super::super::calendar::Calendar;
use super::super::calendar::dates::Days;
use super::super::document::Document;
use super::super::rule::calendar_words;
use super::super::scene::{Detector, Scene, Story};
use super::super::site::Site;

/// Reports days that are two things at once, and a working weekend that is none.
pub(super) fn check(document: &mut Document, calendar: &Calendar) {
    for (key, list) in [
        ("holidays", &calendar.holidays),
        ("working-days", &calendar.working_days),
        ("school-holidays", &calendar.school_holidays),
    ] {
        for (position, days) in list.iter().enumerate() {
            let path = format!("calendar.{key}.{position}");
            if let Some(day) = list[..position].iter().find_map(|before| before.common(days)) {
                document.fault(&path, format!("{day} is in `{key}` already"), None);
            }
        }
    }
    for (position, days) in calendar.working_days.iter().enumerate() {
        let path = format!("calendar.working-days.{position}");
        let holiday = calendar.holidays.iter().find_map(|holiday| holiday.common(days));
        if let Some(day) = holiday {
            let message = format!("{day} is in `holidays`, so it cannot be worked");
            document.fault(&path, message, None);
        } else if !days.has_weekend() {
            let message = format!("{} is worked anyway: no weekend is in it", shown(*days));
            let help = "`working-days` are the Saturdays and Sundays on which people work";
            document.fault(&path, message, Some(help.to_owned()));
        }
    }
}

fn shown(days: Days) -> String {
    days.to_string().replace('/', " to ")
}

/// Which parts of the calendar there are, for scenes that ask for them.
pub(super) struct Almanac {
    /// The community's file cannot be read, or its calendar is told as wrong already.
    is_vague: bool,
    has_calendar: bool,
    keys: BTreeSet<&'static str>,
}

impl Almanac {
    pub(super) fn of(document: &Document, site: Option<&Site>) -> Self {
        let keys = ["holidays", "school-holidays", "quiet-hours"];
        Self {
            is_vague: site.is_none() || is_in_doubt(document),
            has_calendar: site.is_some_and(|site| site.calendar.is_some()),
            keys: keys.into_iter().filter(|key| document.has(&format!("calendar.{key}"))).collect(),
        }
    }

    /// Reports what a detector asks of a calendar that does not have it.
    pub(super) fn check(&self, document: &mut Document, path: &str, detector: &Detector) {
        let spells = [("during", detector.during), ("not-during", detector.not_during)];
        for (key, spell) in spells {
            let Some(spell) = spell else { continue };
            let missing = self.missing(spell.key());
            if let Some((message, help)) = missing {
                document.fault(&format!("{path}.{key}"), message, Some(help));
            }
        }
        if detector.during.is_some() && detector.during == detector.not_during {
            let message = "`during` and `not-during` are the same, so it never looks";
            document.fault(&format!("{path}.not-during"), message, None);
        }
        for (key, rule) in [("when", &detector.when), ("clear-when", &detector.clear_when)] {
            let Some(rule) = rule else { continue };
            for (word, inside) in calendar_words(rule) {
                if let Some((message, help)) = self.missing(word.key()) {
                    let path = format!("{path}.{key}");
                    document.fault_inside(&path, inside, message, Some(help));
                    break;
                }
            }
        }
    }

    fn missing(&self, key: Option<&'static str>) -> Option<(String, String)> {
        if self.is_vague {
            return None;
        }
        if !self.has_calendar {
            let message = "the community has no `[calendar]`, so nobody can tell when that is";
            let help = "write `[calendar]` with `time-zone = \"+08:00\"` into community.toml";
            return Some((message.to_owned(), help.to_owned()));
        }
        let key = key.filter(|key| !self.keys.contains(key))?;
        let message = format!("the community's `[calendar]` has no `{key}`, so this never holds");
        let help = match key {
            "quiet-hours" => "write `quiet-hours = \"22:00-06:00\"` there".to_owned(),
            other => format!("write `{other} = [\"2026-10-01/2026-10-07\"]` there; `[]` for none"),
        };
        Some((message, help))
    }

    /// A story that depends on the time says when it begins.
    pub(super) fn check_story(
        &self,
        document: &mut Document,
        path: &str,
        story: &Story,
        scene: &Scene,
    ) {
        let asks = scene.detectors.iter().any(asks_time);
        if asks && story.starts.is_none() {
            let message = "the scene asks for the time, but the story does not say when it begins";
            let help = "write `starts = \"2026-03-02T21:50\"`, by the community's clock";
            document.fault(path, message, Some(help.to_owned()));
        }
        let has_calendar = story.calendar.is_some() || self.has_calendar || self.is_vague;
        if story.starts.is_some() && !has_calendar {
            let message = "`starts` is by the community's clock, but there is no `[calendar]`";
            let help = "give the story one: `calendar = { time-zone = \"+08:00\" }`";
            document.fault(&format!("{path}.starts"), message, Some(help.to_owned()));
        }
    }
}

/// Whether there is a calendar that is told as wrong already, be it only put in the wrong place.
pub(super) fn is_in_doubt(document: &Document) -> bool {
    document.is_doubtful("calendar") || document.is_doubtful("community.calendar")
}

/// Whether a detector depends on the calendar.
fn asks_time(detector: &Detector) -> bool {
    let mut rules = detector.when.iter().chain(&detector.clear_when);
    detector.during.is_some()
        || detector.not_during.is_some()
        || rules.any(|rule| !calendar_words(rule).is_empty())
}
