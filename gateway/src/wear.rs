//! How much the flash below the store has taken, and how long it will last at that pace.
//!
//! Linux counts what is written to a disk since it started, whoever wrote it; where the store lies on
//! something without such a count, what this process has had written stands for it. Both begin anew at a
//! start, so the sum is kept in the store's folder (`wear`), an hour's worth of which a power cut may take.

use std::fs;
use std::io;
use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use gatehouse_core::community::quantity::Text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::replace;

/// In the store's folder.
pub(crate) const KEPT: &str = "wear";
/// The pace is that of the last month or so: of a longer time, half is forgotten.
const MONTH: u64 = 30 * DAY;
const DAY: u64 = 86_400;
/// A finding when less time is left: enough to order a card and to send somebody.
const SOON: u64 = 180 * DAY;
/// Nothing is foretold from less.
const ENOUGH: u64 = DAY;

/// Bytes, as `"12 TB"`: what a data sheet calls TBW, or write cycles times size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Endurance(pub u64);

impl TryFrom<String> for Endurance {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no amount of data; expected one such as \"12 TB\"");
        let (number, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let power = ["GB", "TB", "PB"].iter().position(|known| *known == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let scale = [1_000_000_000, 1_000_000_000_000, 1_000_000_000_000_000_u64][power];
        number.checked_mul(scale).filter(|n| *n > 0).map(Self).ok_or_else(wrong)
    }
}

impl From<Endurance> for String {
    fn from(Endurance(bytes): Endurance) -> Self {
        let gigabytes = bytes / 1_000_000_000;
        if gigabytes.is_multiple_of(1_000) {
            format!("{} TB", gigabytes / 1_000)
        } else {
            format!("{gigabytes} GB")
        }
    }
}

/// What is known of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wear {
    /// Since this was first counted.
    pub total: u64,
    /// Of the last month or so: bytes, and the seconds in which they were written.
    bytes: u64,
    seconds: u64,
}

impl Wear {
    /// As it was kept; from nothing when it was not, or was torn.
    pub fn recall(store: &Path) -> Self {
        let kept = fs::read(store.join(KEPT)).ok();
        kept.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    pub fn keep(&self, store: &Path) -> io::Result<()> {
        replace::file(&store.join(KEPT), &serde_json::to_vec(self)?)
    }

    /// Enters what was written in so long a time.
    pub fn note(&mut self, bytes: u64, span: Duration) {
        self.total = self.total.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        self.seconds = self.seconds.saturating_add(span.as_secs());
        if self.seconds > MONTH {
            (self.bytes, self.seconds) = (self.bytes / 2, self.seconds / 2);
        }
    }

    /// Bytes a day at the present pace; `None` before an hour has been seen.
    pub fn a_day(&self) -> Option<u64> {
        let a_day = u128::from(self.bytes) * u128::from(DAY);
        (self.seconds >= DAY / 24)
            .then(|| u64::try_from(a_day / u128::from(self.seconds)).unwrap_or(u64::MAX))
    }

    /// What was taken of it.
    pub fn share(&self, Endurance(all): Endurance) -> f64 {
        self.total as f64 / all as f64
    }

    /// Seconds until it is worn out at the present pace; `None` when that cannot be told.
    pub fn left(&self, Endurance(all): Endurance) -> Option<u64> {
        let rest = u128::from(all.saturating_sub(self.total)) * u128::from(self.seconds);
        (self.seconds >= ENOUGH && self.bytes > 0)
            .then(|| u64::try_from(rest / u128::from(self.bytes)).unwrap_or(u64::MAX))
    }

    /// What should be said about it, if anything.
    pub fn finding(&self, endurance: Option<Endurance>) -> Option<Text> {
        let endurance = endurance?;
        let left = self.left(endurance).filter(|left| *left < SOON)?;
        let (days, taken) = (left / DAY, self.total / 1_000_000_000);
        let a_day = self.a_day().unwrap_or(0) / 1_000_000;
        let all = String::from(endurance);
        Some(Text::new(
            format!("已写入 {taken} GB（标称寿命 {all}），每天 {a_day} MB，约 {days} 天后耗尽"),
            format!(
                "{taken} GB of {all} are written, {a_day} MB a day: worn out in about {days} days"
            ),
        ))
    }
}

/// Bytes that were written to the partition below a folder since the system started; those of this process,
/// since it started, where it has no count.
pub fn written(store: &Path) -> Option<u64> {
    below(store).or_else(own)
}

fn below(store: &Path) -> Option<u64> {
    let device = fs::metadata(store).ok()?.st_dev();
    // As glibc's `gnu_dev_major` and `gnu_dev_minor` take it apart.
    let major = (device >> 8) & 0xfff | (device >> 32) & !0xfff;
    let minor = device & 0xff | (device >> 12) & !0xff;
    let stat = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    // Documentation/block/stat.rst: the seventh is sectors written, of 512 bytes.
    stat.split_whitespace().nth(6)?.parse::<u64>().ok().map(|sectors| sectors * 512)
}

/// What this process has had written to any disk.
pub fn own() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TB: u64 = 1_000_000_000_000;

    fn after(days: u64, a_day: u64) -> Wear {
        let mut wear = Wear::default();
        for _ in 0..days * 24 {
            wear.note(a_day / 24, Duration::from_hours(1));
        }
        wear
    }

    #[test]
    fn an_endurance_is_read_and_written_in_the_words_of_data_sheets() {
        for (text, bytes) in [("12 TB", 12 * TB), ("600 GB", 600_000_000_000)] {
            assert_eq!(Endurance::try_from(text.to_owned()), Ok(Endurance(bytes)));
            assert_eq!(String::from(Endurance(bytes)), text);
        }
        for text in ["12", "TB", "12 MB", "-1 TB", "0 TB", "99999999999 PB"] {
            assert!(Endurance::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_worn_out_in_half_a_year_is_told_and_what_lasts_is_not() {
        let cases = [
            ("years are left", after(30, 1_000_000_000), None),
            ("four months are left", after(250, 8_000_000_000), Some(124)),
            ("nothing is foretold from an hour", after(0, 0), None),
        ];
        for (why, wear, days) in cases {
            let endurance = Some(Endurance(3 * TB));
            let told = wear.finding(endurance).map(|text| text.en);
            assert_eq!(told.is_some(), days.is_some(), "{why}: {told:?}");
            if let (Some(told), Some(days)) = (told, days) {
                assert!(told.ends_with(&format!("about {days} days")), "{told}");
            }
            assert_eq!(wear.finding(None), None, "{why}");
        }
    }

    #[test]
    fn a_pace_that_changes_is_believed_after_a_month() {
        let mut wear = after(60, 40_000_000);
        for _ in 0..60 * 24 {
            wear.note(100_000_000 / 24, Duration::from_hours(1));
        }
        let a_day = wear.a_day().unwrap();
        assert!((80_000_000..=100_000_000).contains(&a_day), "{a_day}");
    }

    #[test]
    fn it_is_kept_and_a_torn_file_counts_from_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let wear = after(3, 5_000_000);
        wear.keep(folder.path()).unwrap();
        assert_eq!(Wear::recall(folder.path()), wear);
        fs::write(folder.path().join(KEPT), "{\"total\":").unwrap();
        assert_eq!(Wear::recall(folder.path()), Wear::default());
    }
}
