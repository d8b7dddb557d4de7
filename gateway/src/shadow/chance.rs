//! How many events chance gives: the exact upper end of a Poisson count.

/// A count above the bound is this unlikely.
const TAIL: f64 = 0.025;

/// The largest count that is still likely where `expected` are expected: the smallest k with
/// P(X <= k) >= 0.975 for a Poisson X.
///
/// It holds for one look. Who looks after each event sees a count above it more often by chance
/// alone, which is why nothing is judged before [`super::account::FEWEST`].
pub fn likely(expected: f64) -> u64 {
    if !(expected > 0.0 && expected.is_finite()) {
        return 0;
    }
    // By logarithms: the first terms of a large mean are smaller than any number.
    let (mut term, mut sum, mut count) = (-expected, 0.0, 0.0);
    // Only rounding could keep the sum below 1 - TAIL as far out as this.
    let end = expected + 20.0 * expected.sqrt() + 50.0;
    loop {
        sum += f64::exp(term);
        if sum >= 1.0 - TAIL || count >= end {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counted up from 0"
            )]
            return count as u64;
        }
        count += 1.0;
        term += expected.ln() - f64::ln(count);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bound_is_that_of_the_tables() {
        // Summed with 60 digits.
        for (mean, bound) in [
            (0.0, 0),
            (0.02, 0),
            (0.03, 1),
            (0.5, 2),
            (1.0, 3),
            (2.0, 5),
            (5.0, 10),
            (10.0, 17),
            (52.0, 67),
            (1_000.0, 1_062),
        ] {
            assert_eq!(likely(mean), bound, "{mean}");
        }
        assert_eq!((likely(f64::NAN), likely(-1.0), likely(f64::INFINITY)), (0, 0, 0));
    }

    proptest! {
        #[test]
        fn more_time_never_allows_less(mean in 0.0..5_000.0f64, more in 0.0..100.0f64) {
            let (now, later) = (likely(mean), likely(mean + more));
            prop_assert!(now <= later);
            prop_assert!(now as f64 >= mean.floor() - 1.0);
        }
    }
}
