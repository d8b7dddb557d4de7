//! When people rest, work and are at school: what rules may ask of a reading's time.
//!
//! `[calendar]` of `community.toml` comes in; [`crate::detect::rule`] asks it for the [`Moment`] of a
//! reading, and no clock is looked at. The offset from UTC is fixed, as it is all year round in China;
//! where clocks change twice a year, the file is changed with them.

pub mod dates;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;
use dates::{Days, Hours, Offset};

/// `[calendar]`: the community's own time, and its days that are not like others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Calendar {
    /// What its clocks show ahead of UTC: `"+08:00"` in China. It does not change with the seasons.
    pub time_zone: Offset,
    /// Public holidays: days, or first and last as in `"2026-10-01/2026-10-07"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Days>,
    /// Saturdays and Sundays on which people work, as China's calendar has them around holidays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub working_days: Vec<Days>,
    /// Days without school.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub school_holidays: Vec<Days>,
    /// When it must be quiet, every night: `"22:00-06:00"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<Hours>,
}

impl Calendar {
    /// What the calendar says of a moment; `None` when it lies outside of the years 1 to 9999.
    pub fn at(&self, at: Timestamp) -> Option<Moment> {
        let local = self.time_zone.local(at)?;
        let (date, time) = (local.date(), local.time());
        let is_in = |days: &[Days]| days.iter().any(|days| days.contains(date));
        let weekday = date.weekday().to_monday_one_offset();
        let holiday = is_in(&self.holidays);
        Some(Moment {
            hour: f64::from(time.hour())
                + f64::from(time.minute()) / 60.0
                + f64::from(time.second()) / 3_600.0,
            weekday: f64::from(weekday),
            holiday,
            business_day: is_in(&self.working_days) || (weekday <= 5 && !holiday),
            school_holiday: is_in(&self.school_holidays),
            quiet_hours: self.quiet_hours.is_some_and(|hours| hours.contains(time)),
        })
    }
}

/// What the calendar says of one moment.
#[expect(clippy::struct_excessive_bools, reason = "each is an answer of its own")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// 0 to below 24; half past ten in the evening is 22.5.
    pub hour: f64,
    /// 1 Monday to 7 Sunday (ISO 8601).
    pub weekday: f64,
    pub holiday: bool,
    pub business_day: bool,
    pub school_holiday: bool,
    pub quiet_hours: bool,
}

impl Moment {
    pub fn is_in(&self, spell: Spell) -> bool {
        match spell {
            Spell::QuietHours => self.quiet_hours,
            Spell::BusinessDays => self.business_day,
            Spell::Holidays => self.holiday,
            Spell::SchoolHolidays => self.school_holiday,
        }
    }
}

/// A stretch of time that a detector can be kept to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spell {
    QuietHours,
    /// Monday to Friday without public holidays, and the weekends that are worked.
    BusinessDays,
    Holidays,
    SchoolHolidays,
}

impl Spell {
    /// The key of `[calendar]` without which it never comes.
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::QuietHours => Some("quiet-hours"),
            Self::BusinessDays => None,
            Self::Holidays => Some("holidays"),
            Self::SchoolHolidays => Some("school-holidays"),
        }
    }
}

/// The stretches of time that a detector is kept to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spells {
    pub during: Option<Spell>,
    pub not_during: Option<Spell>,
}

impl Spells {
    /// Whether it is time to look; `None` when nobody knows what time it is.
    pub fn admit(self, moment: Option<&Moment>) -> Option<bool> {
        let is_in = |spell: Option<Spell>, otherwise: bool| match spell {
            Some(spell) => moment.map(|moment| moment.is_in(spell)),
            None => Some(otherwise),
        };
        Some(is_in(self.during, true)? && !is_in(self.not_during, false)?)
    }
}

/// The words of the calendar in rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    BusinessDay,
    Holiday,
    SchoolHoliday,
    QuietHours,
    Hour,
    Weekday,
}

/// [`Word`]s as rules write them.
pub const WORDS: [(&str, Word); 6] = [
    ("business_day", Word::BusinessDay),
    ("holiday", Word::Holiday),
    ("school_holiday", Word::SchoolHoliday),
    ("quiet_hours", Word::QuietHours),
    ("hour", Word::Hour),
    ("weekday", Word::Weekday),
];

impl Word {
    pub fn from_name(name: &str) -> Option<Self> {
        WORDS.iter().find(|(word, _)| *word == name).map(|(_, word)| *word)
    }

    pub fn name(self) -> &'static str {
        WORDS.iter().find(|(_, word)| *word == self).map_or("", |(name, _)| name)
    }

    pub fn of(self, moment: &Moment) -> Told {
        match self {
            Self::BusinessDay => Told::Is(moment.business_day),
            Self::Holiday => Told::Is(moment.holiday),
            Self::SchoolHoliday => Told::Is(moment.school_holiday),
            Self::QuietHours => Told::Is(moment.quiet_hours),
            Self::Hour => Told::Number(moment.hour),
            Self::Weekday => Told::Number(moment.weekday),
        }
    }

    /// The numbers that it can be, the second one excluded; `None` for what is true or false.
    pub fn range(self) -> Option<(f64, f64)> {
        match self {
            Self::Hour => Some((0.0, 24.0)),
            Self::Weekday => Some((1.0, 8.0)),
            Self::BusinessDay | Self::Holiday | Self::SchoolHoliday | Self::QuietHours => None,
        }
    }

    /// The key of `[calendar]` without which it never holds.
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::Holiday => Spell::Holidays.key(),
            Self::SchoolHoliday => Spell::SchoolHolidays.key(),
            Self::QuietHours => Spell::QuietHours.key(),
            Self::BusinessDay | Self::Hour | Self::Weekday => None,
        }
    }
}

/// What a [`Word`] is at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told {
    Is(bool),
    Number(f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The days around China's National Day in 2026, as the State Council might set them.
    const YEAR: &str = r#"
        time-zone = "+08:00"
        holidays = ["2026-01-01/2026-01-03", "2026-10-01/2026-10-07"]
        working-days = ["2026-01-04", "2026-10-10"]
        school-holidays = ["2026-01-26/2026-02-28"]
        quiet-hours = "22:00-06:00"
    "#;

    fn moment(at: &str) -> Moment {
        let calendar: Calendar = toml::from_str(YEAR).unwrap();
        calendar.at(at.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_business_day_is_a_weekday_without_a_holiday_or_a_weekend_that_is_worked() {
        let cases = [
            ("an ordinary Monday", "2026-03-02T12:00:00+08:00", true),
            ("an ordinary Friday", "2026-03-06T12:00:00+08:00", true),
            ("an ordinary Saturday", "2026-03-07T12:00:00+08:00", false),
            ("National Day, a Thursday", "2026-10-01T12:00:00+08:00", false),
            ("the last day of it, a Wednesday", "2026-10-07T23:59:59+08:00", false),
            ("the day after", "2026-10-08T00:00:00+08:00", true),
            ("the Saturday that makes up for it", "2026-10-10T12:00:00+08:00", true),
            ("the Sunday after", "2026-10-11T12:00:00+08:00", false),
            ("New Year's Eve, a Thursday", "2025-12-31T23:59:59+08:00", true),
            ("New Year's Day", "2026-01-01T00:00:00+08:00", false),
            ("a Sunday that is worked", "2026-01-04T12:00:00+08:00", true),
            ("the next year, which nobody has written down", "2027-10-01T12:00:00+08:00", true),
        ];
        for (why, at, expected) in cases {
            assert_eq!(moment(at).business_day, expected, "{why}");
        }
    }

    #[test]
    fn a_night_goes_on_past_midnight_and_ends_on_the_minute() {
        let cases = [
            ("2026-03-02T21:59:59.999+08:00", false),
            ("2026-03-02T22:00:00+08:00", true),
            ("2026-03-02T23:59:59+08:00", true),
            ("2026-03-03T00:00:00+08:00", true),
            ("2026-03-03T05:59:59.999+08:00", true),
            ("2026-03-03T06:00:00+08:00", false),
            ("2025-12-31T23:59:59+08:00", true),
            ("2026-01-01T00:00:00+08:00", true),
        ];
        for (at, expected) in cases {
            assert_eq!(moment(at).quiet_hours, expected, "{at}");
        }
    }

    #[test]
    fn the_day_is_the_communitys_own_and_not_that_of_utc() {
        let new_year = moment("2025-12-31T16:00:00Z");

        let is = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(new_year.holiday && is(new_year.weekday, 4.0) && is(new_year.hour, 0.0));
        let monday = moment("2026-03-01T23:30:00Z");
        assert!(is(monday.hour, 7.5) && is(monday.weekday, 1.0), "{monday:?}");
        assert!(is(moment("2026-03-08T12:00:00+08:00").weekday, 7.0), "Sunday");
    }

    #[test]
    fn school_holidays_have_nothing_to_do_with_business_days() {
        let monday = moment("2026-02-02T12:00:00+08:00");

        assert!(monday.school_holiday && monday.business_day && !monday.holiday);
        assert!(monday.is_in(Spell::SchoolHolidays) && monday.is_in(Spell::BusinessDays));
        assert!(!monday.is_in(Spell::Holidays) && !monday.is_in(Spell::QuietHours));
    }

    #[test]
    fn a_time_that_no_calendar_has_is_no_moment() {
        let calendar: Calendar = toml::from_str(YEAR).unwrap();

        assert_eq!(calendar.at(Timestamp(i64::MAX)), None);
        assert_eq!(calendar.at(Timestamp(i64::MIN)), None);
    }
}
