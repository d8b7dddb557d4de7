//! Precision and recall of ranges, and the volume under the precision-recall surface.
//!
//! Beside the benchmark's own score, because its windows are disputed: these two ask how much of what
//! was labelled was found and how much of what was found was labelled, without a reward for being early.
//! Range-based precision and recall after Tatbul et al. (2018) with a flat bias and without a penalty
//! for several predictions of one range. VUS-PR after Paparrizos et al. (2022).

use std::cmp::Ordering;
use std::ops::Range;

/// The runs of true.
pub(super) fn runs(flags: &[bool]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for row in (0..flags.len()).filter(|row| flags[*row]) {
        match runs.last_mut() {
            Some(run) if run.end == row => run.end += 1,
            Some(_) | None => runs.push(row..row + 1),
        }
    }
    runs
}

/// Share of `range` that the others cover.
fn covered(range: &Range<usize>, others: &[Range<usize>]) -> f64 {
    let rows: usize = others
        .iter()
        .map(|other| other.end.min(range.end).saturating_sub(other.start.max(range.start)))
        .sum();
    rows as f64 / range.len() as f64
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len() as f64;
    (count > 0.0).then(|| values.sum::<f64>() / count)
}

/// How much of the labelled ranges was found; none when nothing is labelled.
///
/// `existence` (Tatbul's alpha, 0..1) is the share that a range gets for being touched at all; the rest
/// is by how much of it is covered.
pub(super) fn recall(
    labelled: &[Range<usize>],
    predicted: &[Range<usize>],
    existence: f64,
) -> Option<f64> {
    mean(labelled.iter().map(|range| {
        let covered = covered(range, predicted);
        let is_touched = f64::from(u8::from(covered > 0.0));
        existence * is_touched + (1.0 - existence) * covered
    }))
}

/// How much of the predicted ranges was labelled; none when nothing is predicted.
pub(super) fn precision(labelled: &[Range<usize>], predicted: &[Range<usize>]) -> Option<f64> {
    mean(predicted.iter().map(|range| covered(range, labelled)))
}

/// Mean area under the precision-recall curve over buffers of each given length; none when nothing is
/// labelled.
pub(super) fn vus_pr(labelled: &[Range<usize>], scores: &[f64], buffers: &[usize]) -> Option<f64> {
    let is_labelled = !labelled.is_empty() && !scores.is_empty();
    is_labelled.then(|| mean(buffers.iter().map(|b| range_pr(labelled, scores, *b))))?
}

/// Area under the precision-recall curve with labels that fade out over `buffer / 2` rows on both sides.
///
/// Inside a range a row counts 1, at distance d outside of it `sqrt(1 - d / buffer)`. What is found of
/// the fading part enters what there was to find by half, as in the authors' published measure, so that
/// finding exactly what is labelled gives 1. Recall is multiplied by the share of ranges touched.
fn range_pr(labelled: &[Range<usize>], scores: &[f64], buffer: usize) -> f64 {
    let reach = buffer / 2;
    let mut weights = vec![0.0_f64; scores.len()];
    let mut highest = Vec::with_capacity(labelled.len());
    for range in labelled {
        let around = range.start.saturating_sub(reach)..(range.end + reach).min(scores.len());
        highest.push(scores[around.clone()].iter().copied().fold(f64::NEG_INFINITY, f64::max));
        for row in around {
            let distance = range.start.saturating_sub(row).max((row + 1).saturating_sub(range.end));
            let weight =
                if distance == 0 { 1.0 } else { (1.0 - distance as f64 / buffer as f64).sqrt() };
            weights[row] = weights[row].max(weight);
        }
    }
    let inside: usize = labelled.iter().map(ExactSizeIterator::len).sum();
    highest.sort_by(|one, other| descending(*one, *other));
    let mut rows: Vec<usize> = (0..scores.len()).collect();
    rows.sort_by(|one, other| descending(scores[*one], scores[*other]));

    let (mut core, mut fading, mut touched) = (0.0, 0.0, 0);
    let (mut area, mut recall) = (0.0, 0.0);
    for (position, row) in rows.iter().enumerate() {
        let weight = weights[*row];
        if weight >= 1.0 {
            core += weight;
        } else {
            fading += weight;
        }
        let is_last_of_its_score =
            rows.get(position + 1).is_none_or(|next| scores[*next] < scores[*row]);
        if is_last_of_its_score {
            while highest.get(touched).is_some_and(|highest| *highest >= scores[*row]) {
                touched += 1;
            }
            let found: f64 = core + fading;
            let share: f64 = (found / (inside as f64 + fading / 2.0)).min(1.0);
            let next = share * touched as f64 / labelled.len() as f64;
            area += (next - recall) * found / (position + 1) as f64;
            recall = next;
        }
    }
    area
}

fn descending(one: f64, other: f64) -> Ordering {
    other.partial_cmp(&one).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
mod tests {
    use super::*;

    fn close(one: Option<f64>, other: f64) -> bool {
        one.is_some_and(|one| (one - other).abs() < 1e-9)
    }

    #[test]
    fn runs_are_what_lies_together() {
        let flags = [true, false, true, true, false, true];

        assert_eq!(runs(&flags), [0..1, 2..4, 5..6]);
    }

    #[test]
    fn recall_is_for_touching_a_range_and_for_covering_it() {
        let labelled = [10..20, 30..40];
        let predicted = [18..25];

        assert!(close(recall(&labelled, &predicted, 1.0), 0.5));
        assert!(close(recall(&labelled, &predicted, 0.0), 0.1), "2 of 10, 0 of 10");
        assert!(close(recall(&labelled, &predicted, 0.5), 0.3));
        assert_eq!(recall(&[], &predicted, 1.0), None);
    }

    #[test]
    fn precision_is_by_range_and_not_by_row() {
        let labelled = [10..20];

        // A hundred rows of which a tenth is right, and a single right one.
        assert!(close(precision(&labelled, &[10..110, 15..16]), 0.55));
        assert_eq!(precision(&labelled, &[]), None);
    }

    #[test]
    fn the_area_is_one_when_exactly_what_is_labelled_scores_high() {
        let mut scores = [0.0; 40];
        scores[10..15].fill(1.0);

        assert!(close(vus_pr(&[10..15], &scores, &[0, 4, 10]), 1.0));
    }

    #[test]
    fn a_flat_score_is_worth_the_share_of_labelled_rows() {
        assert!(close(vus_pr(&[10..15], &[0.5; 50], &[0]), 0.1));
        assert_eq!(vus_pr(&[], &[0.5; 50], &[0]), None);
    }

    #[test]
    fn a_hand_made_curve_has_the_area_that_hand_counting_gives() {
        // Best first: right, wrong, right, and the rest. Recall 1/2 at precision 1, then 1 at 2/3.
        let scores = [0.9, 0.7, 0.8, 0.1];

        assert!(close(vus_pr(&[0..2], &scores, &[0]), 0.5 + 0.5 * 2.0 / 3.0));
    }

    #[test]
    fn a_range_that_nobody_touches_takes_its_share_of_the_recall() {
        // Three rows of four found, but one range of two: recall 3/8 at precision 1, then the rest
        // with all twenty rows.
        let mut scores = [0.0; 20];
        scores[0..3].fill(1.0);

        assert!(close(vus_pr(&[0..3, 10..11], &scores, &[0]), 0.375 + 0.625 * 0.2));
    }

    #[test]
    fn a_near_miss_counts_for_the_more_the_wider_the_buffer() {
        let mut scores = [0.0; 60];
        scores[28] = 1.0;
        let at = |buffer| vus_pr(&[30..35], &scores, &[buffer]).unwrap();

        assert!(at(0) < at(4) && at(4) < at(10), "{} {} {}", at(0), at(4), at(10));
    }

    #[test]
    fn the_fading_part_is_counted_as_written_down() {
        // One row labelled, the highest score one row before it, buffer 2: weight sqrt(1/2).
        // First 0.7071 found of 1 + 0.3536 at precision 0.7071; then all of it at 1.7071 of 2.
        let half = 0.5_f64.sqrt();
        let first = half / (1.0 + half / 2.0);
        let expected = first * half + (1.0 - first) * f64::midpoint(1.0, half);

        assert!(close(vus_pr(&[1..2], &[0.9, 0.8, 0.0, 0.0], &[2]), expected));
    }
}
