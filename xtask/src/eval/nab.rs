//! The score of the Numenta Anomaly Benchmark, after its published formula (Lavin & Ahmad 2015).
//!
//! A window around each labelled anomaly gives credit to the first detection in it, more for an early
//! one; a detection outside costs, less when it follows a window closely; a window without a detection
//! costs. The first rows of a series are probation and do not count. Everything here is arithmetic on
//! row numbers: who detects, and how, is none of its business.

use std::cmp::Ordering;

/// Share of a series that is probation, and the most rows that it takes.
const PROBATION: (f64, usize) = (0.15, 750);

/// What a hit, a false detection and a miss are worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Profile {
    pub(super) name: &'static str,
    pub(super) hit: f64,
    pub(super) false_detection: f64,
    pub(super) miss: f64,
}

/// The benchmark's three: for everybody, for who hates false alarms, for who hates misses.
pub(super) const PROFILES: [Profile; 3] = [
    Profile { name: "standard", hit: 1.0, false_detection: 0.11, miss: 1.0 },
    Profile { name: "low FP", hit: 1.0, false_detection: 0.22, miss: 1.0 },
    Profile { name: "low FN", hit: 1.0, false_detection: 0.11, miss: 2.0 },
];

/// A series and its windows, by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) rows: usize,
    /// First and last row of each, in order.
    pub(super) windows: Vec<(usize, usize)>,
}

/// What a detection at one row is worth, before the profile's weights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Worth {
    /// Within that window: above 0, at most 1.
    Hit(usize, f64),
    /// Outside of all: -1 to 0.
    False(f64),
}

/// What came of one series.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Tally {
    /// Windows with a detection.
    pub(super) hits: usize,
    /// Windows without.
    pub(super) misses: usize,
    /// Detections outside of every window.
    pub(super) false_detections: usize,
    /// The score before it is brought to 0..100.
    pub(super) raw: f64,
}

impl Labels {
    /// Rows at the start that do not count.
    pub(super) fn probation(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..rows")]
        let share = (self.rows as f64 * PROBATION.0).floor() as usize;
        share.min(PROBATION.1)
    }

    fn worths(&self) -> Vec<Worth> {
        let mut next = 0;
        (0..self.rows)
            .map(|row| {
                while self.windows.get(next).is_some_and(|(_, last)| *last < row) {
                    next += 1;
                }
                match self.windows.get(next) {
                    Some((first, last)) if *first <= row => {
                        let width = (last - first + 1) as f64;
                        Worth::Hit(next, sigma(-((last - row + 1) as f64) / width) / sigma(-1.0))
                    }
                    Some(_) | None => Worth::False(match next.checked_sub(1) {
                        Some(before) => {
                            let (first, last) = self.windows[before];
                            sigma((row - last) as f64 / (last - first) as f64)
                        }
                        None => -1.0,
                    }),
                }
            })
            .collect()
    }
}

/// From 1 long before a window's end through 0 at it to -1 after it.
fn sigma(position: f64) -> f64 {
    if position > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * position).exp()) - 1.0 }
}

/// Counts detections, given by row.
pub(super) fn tally(labels: &Labels, detected: &[bool], profile: &Profile) -> Tally {
    let mut best = vec![None::<f64>; labels.windows.len()];
    let mut tally = Tally::default();
    let worths = labels.worths().into_iter().zip(detected).skip(labels.probation());
    for (worth, _) in worths.filter(|(_, detected)| **detected) {
        match worth {
            Worth::Hit(window, weight) => {
                best[window] = Some(best[window].map_or(weight, |best| best.max(weight)));
            }
            Worth::False(weight) => {
                tally.false_detections += 1;
                tally.raw += weight * profile.false_detection;
            }
        }
    }
    for weight in best {
        if let Some(weight) = weight {
            tally.hits += 1;
            tally.raw += weight * profile.hit;
        } else {
            tally.misses += 1;
            tally.raw -= profile.miss;
        }
    }
    tally
}

/// 0 for a detector that never speaks, 100 for one that speaks at once in every window and nowhere else.
/// Where nothing is labelled there is nothing to win: 0.
pub(super) fn normalised(raw: f64, windows: usize, profile: &Profile) -> f64 {
    if windows == 0 {
        return 0.0;
    }
    let windows = windows as f64;
    let null = -profile.miss * windows;
    100.0 * (raw - null) / (windows * profile.hit - null)
}

/// The one threshold for all series that makes the profile's score highest, and that score.
///
/// Every value that occurs is tried: a row is a detection when its score is at least the threshold.
pub(super) fn best(series: &[(&Labels, &[f64])], profile: &Profile) -> (f64, f64) {
    let mut rows: Vec<(f64, Worth)> = Vec::new();
    let mut windows = 0;
    for (labels, scores) in series {
        let counted = labels.worths().into_iter().zip(*scores).skip(labels.probation());
        rows.extend(counted.map(|(worth, score)| match worth {
            Worth::Hit(window, weight) => (*score, Worth::Hit(windows + window, weight)),
            Worth::False(weight) => (*score, Worth::False(weight)),
        }));
        windows += labels.windows.len();
    }
    rows.sort_by(|one, other| other.0.partial_cmp(&one.0).unwrap_or(Ordering::Equal));
    let mut raw = -profile.miss * windows as f64;
    let mut found = vec![None::<f64>; windows];
    let mut best = (f64::INFINITY, raw);
    for (position, (score, worth)) in rows.iter().enumerate() {
        match *worth {
            Worth::Hit(window, weight) => {
                let before = found[window].map_or(-profile.miss, |weight| weight * profile.hit);
                let weight = found[window].map_or(weight, |best| best.max(weight));
                raw += weight * profile.hit - before;
                found[window] = Some(weight);
            }
            Worth::False(weight) => raw += weight * profile.false_detection,
        }
        let is_last_of_its_score = rows.get(position + 1).is_none_or(|(next, _)| next < score);
        if is_last_of_its_score && raw > best.1 {
            best = (*score, raw);
        }
    }
    (best.0, normalised(best.1, windows, profile))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: Profile = PROFILES[0];

    /// 100 rows, 15 of them probation, one window of ten rows.
    fn labels() -> Labels {
        Labels { rows: 100, windows: vec![(40, 49)] }
    }

    fn at(rows: &[usize]) -> Vec<bool> {
        (0..100).map(|row| rows.contains(&row)).collect()
    }

    /// The formula again, written down another way: tanh.
    fn expected(position: f64) -> f64 {
        -(2.5 * position).tanh()
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn the_first_row_of_a_window_is_worth_one_and_later_ones_less() {
        for (row, worth) in [
            (40, 1.0),
            (45, expected(-0.5) / expected(-1.0)),
            (49, expected(-0.1) / expected(-1.0)),
        ] {
            let tally = tally(&labels(), &at(&[row]), &STANDARD);
            assert!(close(tally.raw, worth), "row {row}: {} and not {worth}", tally.raw);
        }
    }

    #[test]
    fn only_the_best_detection_of_a_window_counts() {
        let tally = tally(&labels(), &at(&[42, 44, 48]), &STANDARD);

        assert_eq!((tally.hits, tally.misses, tally.false_detections), (1, 0, 0));
        assert!(close(tally.raw, expected(-0.8) / expected(-1.0)), "{}", tally.raw);
    }

    #[test]
    fn a_false_detection_costs_least_right_after_a_window() {
        // Nine rows from the window's first to its last: row 51 is two ninths behind, row 80 beyond 3.
        let cases = [(20, -1.0), (51, expected(2.0 / 9.0)), (80, -1.0)];
        for (row, worth) in cases {
            let tally = tally(&labels(), &at(&[row]), &STANDARD);
            assert_eq!((tally.hits, tally.misses, tally.false_detections), (0, 1, 1));
            assert!(close(tally.raw, 0.11 * worth - 1.0), "row {row}: {}", tally.raw);
        }
    }

    #[test]
    fn probation_is_neither_rewarded_nor_punished() {
        assert_eq!(labels().probation(), 15);
        assert_eq!(Labels { rows: 20_000, windows: vec![] }.probation(), 750);
        assert!(close(tally(&labels(), &at(&[0, 14]), &STANDARD).raw, -1.0));
        assert!(close(tally(&labels(), &at(&[15]), &STANDARD).raw, -1.11));
    }

    #[test]
    fn nothing_detected_is_zero_and_all_at_once_is_a_hundred_in_every_profile() {
        for profile in PROFILES {
            let silent = tally(&labels(), &at(&[]), &profile).raw;
            let perfect = tally(&labels(), &at(&[40]), &profile).raw;
            assert!(close(normalised(silent, 1, &profile), 0.0), "{}", profile.name);
            assert!(close(normalised(perfect, 1, &profile), 100.0), "{}", profile.name);
        }
    }

    #[test]
    fn the_best_threshold_is_the_one_that_counting_finds() {
        let labels = labels();
        let scores: Vec<f64> = (0..100).map(|row| f64::from((row * 37 + 11) % 23) / 23.0).collect();
        for profile in PROFILES {
            let by_counting = (0..=23)
                .map(|step| {
                    let threshold = f64::from(step) / 23.0;
                    let detected: Vec<bool> = scores.iter().map(|s| *s >= threshold).collect();
                    normalised(tally(&labels, &detected, &profile).raw, 1, &profile)
                })
                .fold(f64::NEG_INFINITY, f64::max);

            let (threshold, score) = best(&[(&labels, &scores)], &profile);

            assert!(close(score, by_counting), "{score} and not {by_counting}");
            let detected: Vec<bool> = scores.iter().map(|s| *s >= threshold).collect();
            let there = normalised(tally(&labels, &detected, &profile).raw, 1, &profile);
            assert!(close(there, score), "{there} and not {score}");
        }
    }
}
