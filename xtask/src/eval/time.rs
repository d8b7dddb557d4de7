//! Times as they stand in recordings, to seconds of Unix time and back. All are taken as UTC.

const DAY: i64 = 86_400;

/// Seconds of Unix time of `YYYY-MM-DD HH:MM:SS`, with `T` for the space, a fraction or a `Z` behind it.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let rest = rest.strip_prefix([' ', 'T'])?.trim_end_matches('Z');
    let clock = rest.split('.').next()?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut clock = clock.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute, second) = (clock.next()?.ok()?, clock.next()?.ok()?, clock.next()?.ok()?);
    Some(of(year, month, day) + hour * 3600 + minute * 60 + second)
}

/// Seconds of Unix time at the start of a day of the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year.
pub(super) fn of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    (days - 719_468) * DAY
}

/// Year and month, day, and seconds of the day.
fn civil(seconds: i64) -> (i64, i64, i64, i64) {
    let days = seconds.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day, seconds.rem_euclid(DAY))
}

/// `YYYY-MM-DD HH:MM:SS`, as `gatehouse replay` takes it.
pub(super) fn format(seconds: i64) -> String {
    let (year, month, day, clock) = civil(seconds);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// `YYYY-MM`.
pub(super) fn month(seconds: i64) -> String {
    let (year, month, ..) = civil(seconds);
    format!("{year:04}-{month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_way_there_and_back() {
        let cases = [
            ("1970-01-01 00:00:00", 0),
            ("2000-02-29 23:59:59", 951_868_799),
            ("2014-12-31 12:00:00", 1_420_027_200),
            ("1969-12-31 23:59:59", -1),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse(text), Some(seconds), "{text}");
            assert_eq!(format(seconds), text);
        }
    }

    #[test]
    fn fractions_and_zones_of_utc_are_read_over() {
        assert_eq!(parse("1970-01-01 00:01:00.000000"), Some(60));
        assert_eq!(parse("1970-01-01T00:01:00.000Z"), Some(60));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(month(951_868_799), "2000-02");
    }
}
