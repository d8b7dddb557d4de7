//! A bin, its lid and its scale, in numbers: what goes together, and what no longer does.

use super::*;

/// A small generator, so that another program can make the same rows.
struct Noise(u64);

impl Noise {
    /// -0.5..0.5.
    fn next(&mut self) -> f64 {
        self.0 = (self.0 * 1_103_515_245 + 12_345) % (1 << 31);
        self.0 as f64 / f64::from(1_u32 << 31) - 0.5
    }
}

/// `b` follows `a`, `c` goes its own way; from row 500, `b` is 1.5 too high.
fn rows(count: usize) -> Vec<[f64; 3]> {
    let mut noise = Noise(1);
    let mut row = |i: usize| {
        let a = 20.0 + (i as f64 / 30.0).sin() + 0.2 * noise.next();
        let b = 2.0 * a + 0.3 * noise.next() + if i >= 500 { 1.5 } else { 0.0 };
        [a, b, 5.0 + 0.1 * noise.next()]
    };
    (0..count).map(&mut row).collect()
}

fn judged(joint: &mut Joint, rows: &[[f64; 3]]) -> Vec<Judgement> {
    rows.iter().map(|row| joint.handle(&row.map(Some))).collect()
}

#[test]
fn its_scores_are_those_of_the_reference_that_was_measured() {
    let judgements = judged(&mut Joint::new(3, None), &rows(530));
    let expected = [
        (260, 0.288_017_266_295_863_9),
        (300, 0.001),
        (400, 0.177_418_178_157_033_9),
        (499, 0.477_656_235_817_759_2),
        (500, 15.058_791_496_108_038),
        (501, 9.643_863_731_003_098),
        (505, 4.327_148_865_935_08),
        (510, 0.737_913_250_135_043_2),
        (529, 2.264_437_285_983_690_5),
    ];
    for (row, deviate) in expected {
        let is = judgements[row].deviate;
        assert!((is - deviate).abs() < 1e-4, "row {row}: {is} is not {deviate}");
    }
    assert!(judgements[..256].iter().all(|j| j.is_learning && j.score == 0.0));
    assert!(judgements[256..500].iter().all(|j| !j.is_open), "all is well until then");
}

#[test]
fn the_point_that_does_not_fit_is_named_with_what_was_expected_of_it() {
    let judgements = judged(&mut Joint::new(3, None), &rows(501));
    let culprit = judgements[500].culprit.as_ref().unwrap();

    assert_eq!(culprit.point, 1);
    assert!((culprit.expected - 38.118).abs() < 0.01, "{culprit:?}");
    assert!((culprit.band.0 - 37.792).abs() < 0.01 && (culprit.band.1 - 38.439).abs() < 0.01);
    assert!(culprit.observed > culprit.band.1);
    assert!((culprit.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

/// Computes the joint score anew without each point, from nothing but the deviates and correlations.
#[test]
fn leaving_the_named_point_out_lowers_the_score_most_and_by_its_share() {
    let mut joint = Joint::new(3, None);
    judged(&mut joint, &rows(500));
    let row = rows(501)[500].map(Some);
    let mut before = joint.clone();
    let culprit = joint.handle(&row).culprit.unwrap();

    let seen = before.learned.look(&row);
    let correlations = before.learned.correlations(0, &seen, &row);
    let sum_of = |kept: &[usize]| {
        let part: Vec<f64> = kept
            .iter()
            .flat_map(|i| kept.iter().map(|j| correlations[i * 3 + j]).collect::<Vec<_>>())
            .collect();
        let deviates: Vec<f64> = kept.iter().map(|i| seen.deviates[0][*i]).collect();
        let pulled = matrix::times(&matrix::invert(&part, kept.len()), &deviates);
        deviates.iter().zip(pulled).map(|(u, q)| u * q).sum::<f64>()
    };
    let whole = sum_of(&[0, 1, 2]);
    let drops = [[1, 2], [0, 2], [0, 1]].map(|kept| whole - sum_of(&kept));

    let total: f64 = drops.iter().sum();
    for (drop, share) in drops.iter().zip(&culprit.shares) {
        assert!((drop / total - share).abs() < 1e-9, "{drops:?} {:?}", culprit.shares);
    }
    assert!(drops.iter().all(|drop| *drop <= drops[culprit.point]));
}

#[test]
fn a_budget_raises_the_threshold_and_never_lowers_it() {
    let mut strict = Joint::new(3, Some(1e-6));
    let mut lenient = Joint::new(3, Some(0.5));
    judged(&mut strict, &rows(490));
    judged(&mut lenient, &rows(490));

    assert!(strict.episodes.threshold > THRESHOLD + 1.0);
    assert!((lenient.episodes.threshold - THRESHOLD).abs() < f64::EPSILON);
}

#[test]
fn a_shift_that_stays_is_told_once_and_then_learned() {
    let mut joint = Joint::new(3, None);
    let mut noise = Noise(7);
    let mut row = |shift: f64| {
        [10.0 + noise.next(), 20.0 + noise.next() + shift, 30.0 + noise.next()].map(Some)
    };
    for _ in 0..600 {
        joint.handle(&row(0.0));
    }
    let mut openings = 0;
    let mut was_open = false;
    let mut settled = 0;
    for _ in 0..3_000 {
        let judgement = joint.handle(&row(25.0));
        openings += usize::from(judgement.is_open && !was_open);
        was_open = judgement.is_open;
        settled += usize::from(judgement.has_settled);
    }
    assert!(settled >= 1 && !was_open, "settled {settled}");
    assert!(openings <= 2, "opened {openings} times");
}

#[test]
fn nonsense_is_not_judged_and_teaches_nothing() {
    let mut joint = Joint::new(3, Some(1e-3));
    judged(&mut joint, &rows(400));
    for row in [
        [None, None, None],
        [Some(f64::NAN), Some(1e30), Some(f64::INFINITY)],
        [Some(-1e300), None, Some(5.0)],
    ] {
        for _ in 0..300 {
            let judgement = joint.handle(&row);
            assert!(judgement.deviate.is_finite() && judgement.score.is_finite());
        }
    }
    joint.handle_gap();
    assert!(!joint.handle(&rows(1)[0].map(Some)).is_open);
}

#[test]
fn one_absurd_value_is_over_when_it_is_over() {
    let mut joint = Joint::new(3, None);
    let rows = rows(480);
    judged(&mut joint, &rows[..400]);
    assert!(joint.handle(&[Some(1e14), Some(rows[400][1]), Some(rows[400][2])]).is_open);

    let after = judged(&mut joint, &rows[401..]);

    assert!(after[60..].iter().all(|j| !j.is_open), "{:?}", after.iter().rposition(|j| j.is_open));
}

#[test]
fn constant_points_and_no_points_at_all_do_no_harm() {
    let mut constant = Joint::new(2, None);
    for _ in 0..1_000 {
        assert!(!constant.handle(&[Some(0.0), Some(7.0)]).is_open);
    }
    assert!(constant.handle(&[Some(0.0), Some(9.0)]).is_open, "it moves for the first time");
    assert!(Joint::new(0, None).handle(&[]).is_learning);
}
