//! A month of the calendar, by the community's own clock.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{self, Date};

use crate::community::calendar::dates::Offset;
use crate::community::quantity::Text;
use crate::reading::Timestamp;

/// Before this year no gateway ran: an earlier date is that of a clock that nobody had set.
pub const FIRST_YEAR: i16 = 2020;
const LAST_YEAR: i16 = 2999;

const NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A month, as in `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i16,
    /// 1 to 12.
    month: i8,
}

/// The text is no month that there can be a report of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a month; expected year and month, as in `2026-11`, from {FIRST_YEAR} to {LAST_YEAR}"
)]
pub struct NotAMonth(pub String);

impl Month {
    /// The month that a clock shows at a moment; `None` when it shows none that can be reported.
    pub fn at(at: Timestamp, offset: Offset) -> Option<Self> {
        let local = offset.local(at)?;
        Self::checked(local.year(), local.month())
    }

    fn checked(year: i16, month: i8) -> Option<Self> {
        let is_month = (FIRST_YEAR..=LAST_YEAR).contains(&year) && (1..=12).contains(&month);
        is_month.then_some(Self { year, month })
    }

    /// The month before; `None` before the first one.
    pub fn before(self) -> Option<Self> {
        match self.month {
            1 => Self::checked(self.year - 1, 12),
            month => Self::checked(self.year, month - 1),
        }
    }

    /// The month after; `None` after the last one.
    pub fn after(self) -> Option<Self> {
        match self.month {
            12 => Self::checked(self.year + 1, 1),
            month => Self::checked(self.year, month + 1),
        }
    }

    /// Its first moment.
    pub fn begins(self, offset: Offset) -> Timestamp {
        offset.midnight(self.first())
    }

    /// The first moment of the next month.
    pub fn ends(self, offset: Offset) -> Timestamp {
        self.begins(offset) + std::time::Duration::from_hours(24) * u32::from(self.days())
    }

    /// How many days it has.
    pub fn days(self) -> u8 {
        self.first().days_in_month().unsigned_abs()
    }

    /// 1 Monday to 7 Sunday.
    pub fn weekday(self, day: u8) -> i8 {
        let weekday = self.first().weekday().to_monday_zero_offset();
        (weekday + day.saturating_sub(1).cast_signed()).rem_euclid(7) + 1
    }

    /// As people write it.
    pub fn title(self) -> Text {
        let name = NAMES[usize::from(self.month.unsigned_abs()) - 1];
        Text::new(format!("{}年{}月", self.year, self.month), format!("{name} {}", self.year))
    }

    fn first(self) -> Date {
        civil::date(self.year, self.month, 1)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let parsed = || {
            let (year, month) = text.split_once('-')?;
            let is_plain =
                |part: &str, long| part.len() == long && part.bytes().all(|b| b.is_ascii_digit());
            if !is_plain(year, 4) || !is_plain(month, 2) {
                return None;
            }
            Self::checked(year.parse().ok()?, month.parse().ok()?)
        };
        parsed().ok_or_else(|| NotAMonth(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_written_in_one_way_only() {
        assert_eq!("2026-11".parse::<Month>().unwrap().to_string(), "2026-11");
        for wrong in
            ["2026-13", "2026-00", "2026-1", "26-11", "1970-01", "2026-11-01", "", "2026-+1"]
        {
            assert_eq!(wrong.parse::<Month>(), Err(NotAMonth(wrong.into())), "{wrong}");
        }
    }

    #[test]
    fn a_month_begins_at_midnight_of_the_communitys_own_clock() {
        let month: Month = "2026-11".parse().unwrap();
        let china: Offset = "+08:00".parse().unwrap();

        assert_eq!(month.begins(china).rfc3339(), "2026-10-31T16:00:00.000Z");
        assert_eq!(month.ends(china).rfc3339(), "2026-11-30T16:00:00.000Z");
        assert_eq!(Month::at(month.begins(china), china), Some(month));
        assert_eq!(Month::at(month.begins(china), Offset::default()), month.before());
        assert_eq!(Month::at(Timestamp(0), china), None);
        assert_eq!((month.days(), month.weekday(1), month.weekday(30)), (30, 7, 1));
    }

    #[test]
    fn months_follow_each_other_over_new_year() {
        let january: Month = "2027-01".parse().unwrap();
        let december: Month = "2026-12".parse().unwrap();

        assert_eq!((january.before(), december.after()), (Some(december), Some(january)));
        assert_eq!("2020-01".parse::<Month>().unwrap().before(), None);
        assert_eq!(january.title(), Text::new("2027年1月", "January 2027"));
    }
}
