//! What the changed scene would have raised, beside what the live one did; and what nobody can know.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use gatehouse_core::community::quantity::Text;
use gatehouse_core::community::scene::Per;
use gatehouse_core::detect::coarse::NeedsMore;
use gatehouse_core::reading::{DeviceIndex, Timestamp};
use gatehouse_core::statistics::quarter::{LENGTH, Quarter};
use serde::Serialize;

use super::limits;
use super::past::Past;
use super::play::Raised;
use super::span::Span;
use super::trial::{Finding, Trial, time};

/// What is told one by one to people.
const LINES: usize = 20;

/// What came of a backtest.
#[derive(Debug, Serialize)]
pub struct Report {
    pub scene: String,
    #[serde(serialize_with = "time")]
    pub from: Timestamp,
    #[serde(serialize_with = "time")]
    pub to: Timestamp,
    pub summary: Counts,
    pub rows: Vec<Row>,
    live: Vec<Live>,
    changed: Vec<Found>,
    /// What nobody can know; scripts get it in English.
    #[serde(serialize_with = "in_english")]
    pub cannot_show: Vec<Text>,
}

fn in_english<S: serde::Serializer>(lines: &[Text], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(lines.iter().map(|line| &line.en))
}

/// How much of what.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Events that the live scene raised.
    pub live: usize,
    /// What the changed scene would surely have raised.
    pub changed: usize,
    /// Of these, at a time when the live one had an event.
    pub same: usize,
    /// Of these, when it had none.
    pub new: usize,
    /// What it would perhaps have raised.
    pub perhaps: usize,
    /// Events of the live scene that it would not have raised.
    pub gone: usize,
    /// Events of the live scene of which nothing can be said.
    pub unknown: usize,
    /// Minutes without readings, of all devices together.
    pub missing_minutes: u64,
}

/// One device, or area, on one day.
#[derive(Debug, Serialize)]
pub struct Row {
    pub subject: String,
    pub day: String,
    #[serde(flatten)]
    pub counts: Counts,
}

#[derive(Debug, Serialize)]
struct Live {
    event: String,
    subject: String,
    #[serde(serialize_with = "time")]
    opened: Timestamp,
    would_be: Fate,
}

/// What became of an event of the live scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Fate {
    Same,
    Perhaps,
    Gone,
    Unknown,
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(flatten)]
    finding: Finding,
    /// The live event at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_as: Option<String>,
}

impl Report {
    pub(super) fn new(
        trial: &Trial<'_>,
        past: &Past,
        live: &[Raised],
        found: Vec<Finding>,
        span: Span,
    ) -> Self {
        let gaps = gaps(trial, past, span);
        let subject = |event: &Raised| match trial.scene.head.per {
            Per::Device => event.device.clone(),
            Per::Area => event.area.clone(),
        };
        let is_at = |event: &Raised, finding: &Finding| {
            subject(event) == finding.subject
                && event.started < finding.until
                && event.cleared.is_none_or(|cleared| cleared >= finding.from)
        };
        let changed: Vec<Found> = found
            .into_iter()
            .map(|finding| {
                let same = live.iter().find(|event| is_at(event, &finding));
                Found { same_as: same.map(|event| event.event.clone()), finding }
            })
            .collect();
        let is_blind = trial.blind().any(|(_, needs)| needs == NeedsMore::Minutes);
        // What a model does not find in means it may find in readings.
        let has_model = trial.blind().any(|(_, needs)| needs == NeedsMore::Samples);
        let told: Vec<Live> = live
            .iter()
            .filter(|event| span.contains(event.opened))
            .map(|event| {
                let at = || changed.iter().filter(|found| is_at(event, &found.finding));
                let is_unseen = || {
                    let device = trial.community.find_device(&event.device);
                    let quarter = Quarter::of(event.opened);
                    device.is_none_or(|device| {
                        let is_known = past.is_covered(device, event.opened, event.opened);
                        has_model || !is_known && (is_blind || gaps.contains(&(device, quarter)))
                    })
                };
                let would_be = match (at().any(|found| found.finding.is_sure), at().next()) {
                    (true, _) => Fate::Same,
                    (false, Some(_)) => Fate::Perhaps,
                    (false, None) if is_unseen() => Fate::Unknown,
                    (false, None) => Fate::Gone,
                };
                let (event, subject, opened) = (event.event.clone(), subject(event), event.opened);
                Live { event, subject, opened, would_be }
            })
            .collect();
        let cannot_show = limits::cannot_show(trial, past, &gaps, span);
        let rows = rows(trial, &told, &changed, &gaps);
        let mut summary = Counts::default();
        for row in &rows {
            summary.add(&row.counts);
        }
        let (scene, Span { from, to }) = (trial.scene.head.id.clone(), span);
        Self { scene, from, to, summary, rows, live: told, changed, cannot_show }
    }

    /// Lines for a person.
    pub fn text(&self) -> String {
        let mut text = format!("{}, {} to {}\n", self.scene, minute(self.from), minute(self.to));
        let widths = self.rows.iter().map(|row| row.subject.len());
        let width = widths.max().unwrap_or(0).max(7);
        let is_worth = |row: &&Row| {
            row.counts
                != Counts { missing_minutes: row.counts.missing_minutes, ..Counts::default() }
        };
        let rows: Vec<&Row> = self.rows.iter().filter(is_worth).collect();
        // Writing into a String cannot fail.
        if !rows.is_empty() {
            let head = ["live", "changed", "same", "new", "perhaps", "gone", "unknown"].join("  ");
            writeln!(text, "{:width$}  day         {head}  no data", "subject").ok();
        }
        for Row { subject, day, counts } in rows {
            let Counts { live, changed, same, new, perhaps, gone, unknown, missing_minutes } =
                counts;
            let missing = hours(*missing_minutes);
            writeln!(
                text,
                "{subject:width$}  {day}  {live:>4}  {changed:>7}  {same:>4}  {new:>3}  {perhaps:>7}  {gone:>4}  {unknown:>7}  {missing:>7}"
            )
            .ok();
        }
        for Found { finding, same_as } in self.changed.iter().take(LINES) {
            let Finding { subject, from, until, how: _, is_sure, detectors } = finding;
            let sure = if *is_sure { "surely" } else { "perhaps" };
            let new = if same_as.is_some() { "the same" } else { "new" };
            let by = detectors.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let (from, until) = (minute(*from), minute(*until));
            writeln!(text, "{from} to {until}  {subject:width$}  {sure}, {new}, by {by}").ok();
        }
        if self.changed.len() > LINES {
            writeln!(text, "and {} more; --json has all", self.changed.len() - LINES).ok();
        }
        let Counts { live, changed, same, new, perhaps, gone, unknown, missing_minutes } =
            self.summary;
        writeln!(
            text,
            "live raised {live}, the changed scene would have raised {changed}: {same} of the same, {new} new; \
             {perhaps} perhaps; of the live ones {gone} gone, {unknown} unknown; cannot say for {} of missing data",
            hours(missing_minutes)
        )
        .ok();
        text += "what this cannot show:\n";
        for line in &self.cannot_show {
            writeln!(text, "- {}", line.en).ok();
        }
        text
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.live += other.live;
        self.changed += other.changed;
        self.same += other.same;
        self.new += other.new;
        self.perhaps += other.perhaps;
        self.gone += other.gone;
        self.unknown += other.unknown;
        self.missing_minutes += other.missing_minutes;
    }
}

/// Quarters in which nothing good was heard of what the scene looks at.
fn gaps(trial: &Trial<'_>, past: &Past, span: Span) -> BTreeSet<(DeviceIndex, Quarter)> {
    let mut gaps = BTreeSet::new();
    for (device, points) in &trial.devices {
        for quarter in span.quarters() {
            let kept = past.quarter(*device, quarter).unwrap_or(&[]);
            if !points.iter().any(|at| kept.get(*at).is_some_and(|point| point.good > 0)) {
                gaps.insert((*device, quarter));
            }
        }
    }
    gaps
}

fn rows(
    trial: &Trial<'_>,
    live: &[Live],
    changed: &[Found],
    gaps: &BTreeSet<(DeviceIndex, Quarter)>,
) -> Vec<Row> {
    let mut rows: BTreeMap<(String, String), Counts> = BTreeMap::new();
    let mut row = |subject: &str, at: Timestamp, add: Counts| {
        rows.entry((subject.to_owned(), day(at))).or_default().add(&add);
    };
    for Live { subject, opened, would_be, .. } in live {
        let (gone, unknown) = match would_be {
            Fate::Gone => (1, 0),
            Fate::Unknown => (0, 1),
            Fate::Same | Fate::Perhaps => (0, 0),
        };
        row(subject, *opened, Counts { live: 1, gone, unknown, ..Counts::default() });
    }
    for Found { finding, same_as } in changed {
        let counts = match (finding.is_sure, same_as) {
            (true, Some(_)) => Counts { changed: 1, same: 1, ..Counts::default() },
            (true, None) => Counts { changed: 1, new: 1, ..Counts::default() },
            (false, _) => Counts { perhaps: 1, ..Counts::default() },
        };
        row(&finding.subject, finding.from, counts);
    }
    for (device, quarter) in gaps {
        let subject = trial.subject(trial.community.device(*device));
        let missing_minutes = LENGTH.as_secs() / 60;
        row(&subject, quarter.start(), Counts { missing_minutes, ..Counts::default() });
    }
    rows.into_iter().map(|((subject, day), counts)| Row { subject, day, counts }).collect()
}

fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

fn minute(at: Timestamp) -> String {
    at.rfc3339().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn hours(minutes: u64) -> String {
    format!("{}:{:02} h", minutes / 60, minutes % 60)
}
