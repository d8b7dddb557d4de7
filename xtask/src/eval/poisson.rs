//! What a count says about a budget: events that come independently of each other are Poisson.

/// Probability of at most `count` events when `mean` are expected. By summing, in logarithms, so that
/// a mean of many thousands does not underflow.
fn at_most(count: u64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 1.0;
    }
    let mut log_term = -mean;
    let mut sum = log_term.exp();
    for k in 1..=count {
        log_term += (mean / k as f64).ln();
        sum += log_term.exp();
    }
    sum.min(1.0)
}

/// Between which counts 95 % lie when `mean` events are expected: the 2.5 % and the 97.5 % quantile.
pub(super) fn counts_for(mean: f64) -> (u64, u64) {
    let quantile = |share: f64| {
        let (mut below, mut above) = (0, 16);
        while at_most(above, mean) < share {
            above *= 2;
        }
        while below < above {
            let middle = u64::midpoint(below, above);
            if at_most(middle, mean) < share {
                below = middle + 1;
            } else {
                above = middle;
            }
        }
        below
    };
    (quantile(0.025), quantile(0.975))
}

/// Between which means `count` events are no surprise, at 95 % (Garwood 1936).
pub(super) fn means_for(count: u64) -> (f64, f64) {
    let solve = |count: u64, share: f64| {
        let (mut below, mut above) = (0.0, 10.0 + 4.0 * count as f64);
        for _ in 0..100 {
            let middle = f64::midpoint(below, above);
            // The more are expected, the less likely are few.
            if at_most(count, middle) > share {
                below = middle;
            } else {
                above = middle;
            }
        }
        below
    };
    (count.checked_sub(1).map_or(0.0, |less| solve(less, 0.975)), solve(count, 0.025))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_table() {
        let table = [(0, 1.0, 0.3679), (2, 1.0, 0.9197), (3, 5.0, 0.2650), (10, 10.0, 0.5830)];
        for (count, mean, share) in table {
            let ours = at_most(count, mean);
            assert!((ours - share).abs() < 5e-5, "{count} of {mean}: {ours} and not {share}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_table() {
        for (mean, counts) in [(1.0, (0, 3)), (5.0, (1, 10)), (10.0, (4, 17)), (100.0, (81, 120))] {
            assert_eq!(counts_for(mean), counts, "of {mean}");
        }
    }

    #[test]
    fn the_exact_interval_is_that_of_the_table() {
        // Garwood's limits, as printed in tables of the chi-square distribution.
        let table = [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390)];
        for (count, low, high) in table {
            let ours = means_for(count);
            assert!(
                (ours.0 - low).abs() < 1e-3 && (ours.1 - high).abs() < 1e-3,
                "{count}: {ours:?} and not {low} to {high}"
            );
        }
    }

    #[test]
    fn a_mean_of_thousands_does_not_underflow() {
        let (low, high) = counts_for(5_000.0);

        assert!((4_855..4_870).contains(&low) && (5_130..5_145).contains(&high), "{low} {high}");
    }
}
