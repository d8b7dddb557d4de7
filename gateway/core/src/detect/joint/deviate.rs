//! From one yardstick to another: every deviation becomes that of a normal variable with the same chance,
//! so that points, scales and sums can be compared.

/// A Student-t deviate with `freedom` degrees of freedom.
///
/// Wallace, *Bounds on normal approximations to Student's and the chi-square distributions*, 1959.
pub(super) fn from_student(t: f64, freedom: f64) -> f64 {
    let size = (freedom * (t * t / freedom).ln_1p()).sqrt() * shrink(freedom);
    size.copysign(t)
}

/// The inverse of [`from_student`].
pub(super) fn to_student(u: f64, freedom: f64) -> f64 {
    let size = u.abs() / shrink(freedom);
    (freedom * (size * size / freedom).min(50.0).exp_m1()).sqrt().copysign(u)
}

fn shrink(freedom: f64) -> f64 {
    (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0)
}

/// A sum of `count` squared normal deviates.
///
/// Wilson and Hilferty, *The distribution of chi-square*, 1931.
pub(super) fn from_chi_square(sum: f64, count: f64) -> f64 {
    let v = 2.0 / (9.0 * count);
    ((sum.max(0.0) / count).cbrt() - (1.0 - v)) / v.sqrt()
}

/// The largest of `count` normal deviates' sizes, by Bonferroni. In logarithms, so that nothing
/// underflows; the tail is `exp(-z^2 / 2) / (z sqrt(2 pi))`, solved for `z` by iteration.
pub(super) fn from_largest(largest: f64, count: f64) -> f64 {
    let root_half_pi = std::f64::consts::FRAC_PI_2.sqrt();
    let root_two_pi = (2.0 * std::f64::consts::PI).sqrt();
    let chance =
        (largest * largest / 2.0 + (largest.max(0.5) * root_half_pi).ln() - count.ln()).max(1e-3);
    let mut z = (2.0 * chance).sqrt();
    for _ in 0..3 {
        z = (2.0 * (chance - (z.max(0.5) * root_two_pi).ln())).max(1e-6).sqrt();
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(is: f64, expected: f64, by: f64) {
        assert!((is - expected).abs() < by, "{is} is not {expected}");
    }

    #[test]
    fn a_student_deviate_has_the_chance_that_tables_give_it() {
        // t = 2.228 with 10 degrees has 5 % in both tails, as 1.960 has in a normal distribution.
        near(from_student(2.228, 10.0), 1.960, 0.01);
        near(from_student(-2.571, 5.0), -1.960, 0.02);
        near(from_student(1.5, 1e9), 1.5, 1e-3);
        for freedom in [1.0, 4.0, 100.0] {
            near(to_student(from_student(3.3, freedom), freedom), 3.3, 1e-9);
        }
    }

    #[test]
    fn a_sum_of_squares_has_the_chance_that_tables_give_it() {
        // 15.507 with 8 degrees has 5 % above it, as 1.645 has.
        near(from_chi_square(15.507, 8.0), 1.645, 0.01);
        near(from_chi_square(3.841, 1.0), 1.645, 0.06);
    }

    #[test]
    fn the_largest_of_many_is_worth_less_than_the_same_alone() {
        assert!(from_largest(4.0, 16.0) < from_largest(4.0, 2.0));
        // One of one, both tails: 3.0 has 0.0027, as 2.78 has in one tail.
        near(from_largest(3.0, 1.0), 2.78, 0.06);
        assert!(from_largest(1e6, 8.0).is_finite() && from_largest(0.0, 8.0) >= 0.0);
    }
}
