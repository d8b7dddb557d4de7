//! Typed strings of the calendar: `"+08:00"`, `"2026-10-01/2026-10-07"`, `"22:00-06:00"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::civil;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::community::quantity::Typed;
use crate::reading::Timestamp;

/// Further from UTC than this (Kiribati's fourteen hours) no clock on earth is.
const FURTHEST_MINUTES: i32 = 14 * 60;

/// More days than this in one go are a mistyped year and no holiday.
const MOST_DAYS: i32 = 120;

/// What a clock shows ahead of UTC, as in `+08:00`; UTC itself by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offset {
    minutes: i32,
}

impl Offset {
    /// Minutes ahead of UTC.
    pub fn minutes(self) -> i32 {
        self.minutes
    }

    /// What a clock with this offset shows at a moment.
    pub fn local(self, at: Timestamp) -> Option<civil::DateTime> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(jiff::tz::Offset::from_seconds(self.minutes * 60).ok()?.to_datetime(at))
    }

    /// When a clock with this offset begins that day.
    pub fn midnight(self, day: civil::Date) -> Timestamp {
        self.moment(LocalTime(day.at(0, 0, 0, 0)))
    }

    /// When a clock with this offset shows that date and time.
    pub fn moment(self, local: LocalTime) -> Timestamp {
        let at = local.0.since((jiff::Unit::Millisecond, civil::date(1970, 1, 1).at(0, 0, 0, 0)));
        let millis = at.map_or(0, |span| span.get_milliseconds());
        Timestamp(millis - i64::from(self.minutes) * 60_000)
    }
}

/// First and last of some days; both belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    first: civil::Date,
    last: civil::Date,
}

impl Days {
    pub fn contains(&self, date: civil::Date) -> bool {
        (self.first..=self.last).contains(&date)
    }

    /// The first day that both have.
    pub fn common(&self, other: &Self) -> Option<civil::Date> {
        let first = self.first.max(other.first);
        (first <= self.last.min(other.last)).then_some(first)
    }

    /// Whether a Saturday or Sunday is among them.
    pub fn has_weekend(&self) -> bool {
        let is_weekend = |day: civil::Date| day.weekday().to_monday_one_offset() > 5;
        self.first.series(jiff::Span::new().days(1)).take_while(|d| *d <= self.last).any(is_weekend)
    }
}

/// From one time of the day to another one, past midnight if need be; the second one excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: civil::Time,
    to: civil::Time,
}

impl Hours {
    pub fn contains(&self, time: civil::Time) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        }
    }

    /// Whether these hours go on past midnight, and that time belongs to what is left of them then.
    pub fn is_past_midnight(&self, time: civil::Time) -> bool {
        self.to < self.from && time < self.to
    }
}

/// A time of the day, as in `22:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayTime(civil::Time);

impl DayTime {
    /// The first moment from `from` on at which a clock with this offset shows it.
    pub fn next(self, offset: Offset, from: Timestamp) -> Timestamp {
        const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
        let of_day = i64::from(self.0.hour()) * 60 + i64::from(self.0.minute());
        let ahead = (of_day - i64::from(offset.minutes)) * 60_000;
        Timestamp(from.0.saturating_add((ahead - from.0.rem_euclid(DAY_MS)).rem_euclid(DAY_MS)))
    }
}

/// Date and time as a clock on the wall shows them: `2026-10-01T21:50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime(civil::DateTime);

/// The text is none of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotADate {
    #[error(
        "`{0}` is not an offset from UTC; expected hours and minutes, as in \"+08:00\" for China"
    )]
    Offset(String),
    #[error("`{0}` is not a day; expected year, month and day, as in \"2026-10-01\"")]
    Day(String),
    #[error(
        "`{0}` are no days; expected one as in \"2026-10-01\", or the first and the last with `/` between them"
    )]
    Days(String),
    #[error("there is no day `{0}` in the calendar")]
    NoSuchDay(String),
    #[error("`{0}` ends before it begins; expected the first and the last day")]
    Reversed(String),
    #[error("`{0}` is {1} days long; is the year right?")]
    Long(String, i32),
    #[error("`{0}` is not a time of the day; expected hours and minutes, as in \"22:00\"")]
    Time(String),
    #[error("`{0}` is not a span of hours; expected two times, as in \"22:00-06:00\"")]
    Hours(String),
    #[error("`{0}` is empty; expected two different times, as in \"22:00-06:00\"")]
    Empty(String),
    #[error(
        "`{0}` is not a date with a time; expected those of the community's clock, as in \"2026-10-01T21:50\""
    )]
    LocalTime(String),
}

impl FromStr for Offset {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let wrong = || NotADate::Offset(text.to_owned());
        let (sign, rest) = match text.trim().split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(wrong()),
        };
        let (hours, minutes) = hours_and_minutes(rest).ok_or_else(wrong)?;
        let minutes = sign * (hours * 60 + minutes);
        if minutes.abs() > FURTHEST_MINUTES {
            return Err(wrong());
        }
        Ok(Self { minutes })
    }
}

impl FromStr for Days {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        let day = |part: &str| {
            day(part).map_err(|error| match error {
                NotADate::Day(_) => NotADate::Days(text.to_owned()),
                other => other,
            })
        };
        let (first, last) = (day(first)?, day(last)?);
        if last < first {
            return Err(NotADate::Reversed(text.to_owned()));
        }
        let length = last.since(first).map_or(i32::MAX, |span| span.get_days() + 1);
        if length > MOST_DAYS {
            return Err(NotADate::Long(text.to_owned(), length));
        }
        Ok(Self { first, last })
    }
}

impl FromStr for Hours {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let wrong = || NotADate::Hours(text.to_owned());
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (from.parse::<DayTime>()?.0, to.parse::<DayTime>()?.0);
        if from == to {
            return Err(NotADate::Empty(text.to_owned()));
        }
        Ok(Self { from, to })
    }
}

impl FromStr for DayTime {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let time = || {
            let (hours, minutes) = hours_and_minutes(text.trim())?;
            civil::Time::new(hours.try_into().ok()?, minutes.try_into().ok()?, 0, 0).ok()
        };
        time().map(Self).ok_or_else(|| NotADate::Time(text.trim().to_owned()))
    }
}

impl FromStr for LocalTime {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let wrong = || NotADate::LocalTime(text.to_owned());
        let (date, time) = text.trim().split_once(['T', ' ']).ok_or_else(wrong)?;
        let time = time.parse::<DayTime>().map_err(|_| wrong())?;
        Ok(Self(day(date)?.to_datetime(time.0)))
    }
}

/// Two numbers of two digits each, with a colon between them.
fn hours_and_minutes(text: &str) -> Option<(i32, i32)> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|_| is_plain)
    };
    Some((number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?))
}

fn day(text: &str) -> Result<civil::Date, NotADate> {
    let text = text.trim();
    let wrong = || NotADate::Day(text.to_owned());
    let mut parts = text.split('-');
    let mut number = |length: usize| {
        let part = parts.next().filter(|part| part.len() == length)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<i16>().ok())?
    };
    let (year, month, day) = (number(4), number(2), number(2));
    let (Some(year), Some(month), Some(day)) = (year, month, day) else { return Err(wrong()) };
    if parts.next().is_some() {
        return Err(wrong());
    }
    let date = || civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok();
    date().ok_or_else(|| NotADate::NoSuchDay(text.to_owned()))
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minutes < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", self.minutes.abs() / 60, self.minutes.abs() % 60)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}/{}", self.first, self.last)
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", DayTime(self.from), DayTime(self.to))
    }
}

impl fmt::Display for DayTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{}", self.0.date(), DayTime(self.0.time()))
    }
}

/// A typed string: how it is read, written and described in the schema.
macro_rules! typed_string {
    ($type:ident, $expected:literal, $example:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let expected = concat!($expected, " in quotes, as in \"", $example, "\"");
                deserializer.deserialize_str(Typed::new(expected))
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": concat!("What is meant is ", $expected, "."),
                    "examples": [$example]
                })
            }
        }
    };
}

typed_string!(Offset, "an offset from UTC", "+08:00");
typed_string!(Days, "a day, or the first and the last of some days,", "2026-10-01/2026-10-07");
typed_string!(Hours, "two times of the day", "22:00-06:00");
typed_string!(DayTime, "a time of the day", "22:30");
typed_string!(LocalTime, "date and time of the community's clock", "2026-10-01T21:50");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_in_the_same_way() {
        for text in ["+08:00", "-03:30", "+00:00", "+14:00"] {
            assert_eq!(text.parse::<Offset>().unwrap().to_string(), text);
        }
        for text in ["2026-10-01", "2026-12-30/2027-01-03", "2028-02-29"] {
            assert_eq!(text.parse::<Days>().unwrap().to_string(), text);
        }
        for text in ["22:00-06:00", "12:30-14:00"] {
            assert_eq!(text.parse::<Hours>().unwrap().to_string(), text);
        }
        assert_eq!(
            "2026-10-01T21:50".parse::<LocalTime>().unwrap().to_string(),
            "2026-10-01T21:50"
        );
    }

    #[test]
    fn what_is_no_date_is_refused_with_what_was_expected() {
        let offset = |text: &str| text.parse::<Offset>().unwrap_err().to_string();
        for wrong in
            ["Asia/Shanghai", "8", "+8", "+0800", "UTC+8", "+25:00", "+08:60", "", "＋08:00"]
        {
            assert!(offset(wrong).contains("as in \"+08:00\""), "{wrong}");
        }
        let days = |text: &str| text.parse::<Days>().unwrap_err().to_string();
        let cases = [
            ("1.10.2026", "`1.10.2026` are no days"),
            ("2026-10-1", "`2026-10-1` are no days"),
            ("2026-10", "`2026-10` are no days"),
            ("2026-10-01-02", "`2026-10-01-02` are no days"),
            ("2026/10/01", "`2026/10/01` are no days"),
            ("2026-10-01 - 2026-10-07", "with `/` between them"),
            ("2026-02-29", "there is no day"),
            ("2026-13-01", "there is no day"),
            ("2026-10-07/2026-10-01", "ends before it begins"),
            ("2026-10-01/2027-10-07", "is 372 days long; is the year right?"),
            ("2026-10-01/", "`2026-10-01/` are no days"),
        ];
        for (wrong, expected) in cases {
            assert!(days(wrong).contains(expected), "{wrong}: {}", days(wrong));
        }
        let hours = |text: &str| text.parse::<Hours>().unwrap_err().to_string();
        let cases = [
            ("22-6", "`22` is not a time of the day"),
            ("22:00", "is not a span of hours"),
            ("22:00-24:00", "`24:00` is not a time of the day"),
            ("22:00-22:00", "is empty"),
        ];
        for (wrong, expected) in cases {
            assert!(hours(wrong).contains(expected), "{wrong}: {}", hours(wrong));
        }
        for wrong in ["2026-10-01", "22:00", "2026-10-01T21:50+08:00", "2026-10-01T25:00"] {
            assert!(wrong.parse::<LocalTime>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_next_time_of_the_day_is_today_or_tomorrow() {
        let china: Offset = "+08:00".parse().unwrap();
        let next = |time: &str, from: &str| {
            let from: Timestamp = from.parse().unwrap();
            time.parse::<DayTime>().unwrap().next(china, from).rfc3339()
        };

        assert_eq!(next("22:30", "2026-01-01T22:00:00+08:00"), "2026-01-01T14:30:00.000Z");
        assert_eq!(next("22:30", "2026-01-01T22:30:00+08:00"), "2026-01-01T14:30:00.000Z");
        assert_eq!(next("22:30", "2025-12-31T23:00:00+08:00"), "2026-01-01T14:30:00.000Z");
        assert_eq!(next("02:00", "2025-12-31T23:00:00+08:00"), "2025-12-31T18:00:00.000Z");
    }

    #[test]
    fn a_clock_on_the_wall_and_an_offset_make_a_moment() {
        let china: Offset = "+08:00".parse().unwrap();
        let local: LocalTime = "2026-01-01T00:30".parse().unwrap();

        assert_eq!(china.moment(local).rfc3339(), "2025-12-31T16:30:00.000Z");
        assert_eq!(china.local(china.moment(local)), Some(local.0));
    }
}
