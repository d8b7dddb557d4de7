//! The textbook's detector for several values at once, to compare with: principal components, Hotelling's
//! T² within them and Q (the squared prediction error) across them.
//!
//! Learned on rows that are said to be normal; the limits are quantiles of these rows themselves.

/// Rotations are repeated until nothing is left beside the diagonal, or this often.
const SWEEPS: usize = 64;

/// Components, in order of variance, and the limits of what is normal.
#[derive(Debug, Clone)]
pub(super) struct Components {
    centre: Vec<f64>,
    scale: Vec<f64>,
    /// Variance and direction of each that is kept.
    kept: Vec<(f64, Vec<f64>)>,
    pub(super) t2_limit: f64,
    pub(super) q_limit: f64,
}

impl Components {
    /// Learns from normal rows: as many components as hold `share` of the variance, and limits that
    /// `quantile` of the rows stay within.
    pub(super) fn fit(rows: &[Vec<f64>], share: f64, quantile: f64) -> Self {
        let points = rows.first().map_or(0, Vec::len);
        let count = rows.len().max(1) as f64;
        let centre: Vec<f64> =
            (0..points).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / count).collect();
        let scale: Vec<f64> = (0..points)
            .map(|i| {
                let squares = rows.iter().map(|row| (row[i] - centre[i]).powi(2)).sum::<f64>();
                (squares / count).sqrt().max(1e-12)
            })
            .collect();
        let mut fitted = Self {
            centre,
            scale,
            kept: Vec::new(),
            t2_limit: f64::INFINITY,
            q_limit: f64::INFINITY,
        };
        let mut correlation = vec![vec![0.0; points]; points];
        for row in rows {
            let row = fitted.standard(row);
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row.iter().enumerate() {
                    correlation[i][j] += a * b / (count - 1.0).max(1.0);
                }
            }
        }
        let all = eigen(correlation);
        let total: f64 = all.iter().map(|(value, _)| value).sum();
        let mut sum = 0.0;
        for (value, vector) in all {
            if sum >= share * total {
                break;
            }
            sum += value;
            fitted.kept.push((value.max(1e-12), vector));
        }
        let judged: Vec<(f64, f64)> = rows.iter().map(|row| fitted.judge(row)).collect();
        fitted.t2_limit = at_quantile(judged.iter().map(|(t2, _)| *t2).collect(), quantile);
        fitted.q_limit = at_quantile(judged.iter().map(|(_, q)| *q).collect(), quantile);
        fitted
    }

    /// How many components were kept.
    pub(super) fn count(&self) -> usize {
        self.kept.len()
    }

    /// T² and Q of one row.
    pub(super) fn judge(&self, row: &[f64]) -> (f64, f64) {
        let mut rest = self.standard(row);
        let mut t2 = 0.0;
        for (variance, direction) in &self.kept {
            let along: f64 = rest.iter().zip(direction).map(|(a, b)| a * b).sum();
            t2 += along * along / variance;
            // Directions are at right angles, so taking one out does not touch the others.
            rest.iter_mut().zip(direction).for_each(|(value, part)| *value -= along * part);
        }
        (t2, rest.iter().map(|value| value * value).sum())
    }

    fn standard(&self, row: &[f64]) -> Vec<f64> {
        let both = self.centre.iter().zip(&self.scale);
        row.iter().zip(both).map(|(value, (centre, scale))| (value - centre) / scale).collect()
    }
}

fn at_quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the list")]
    let position = (values.len().saturating_sub(1) as f64 * share).round() as usize;
    values.get(position).copied().unwrap_or(f64::INFINITY)
}

/// Eigenvalues and vectors of a symmetric matrix, the largest first, by Jacobi's rotations.
pub(super) fn eigen(mut matrix: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let size = matrix.len();
    let mut vectors: Vec<Vec<f64>> =
        (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..SWEEPS {
        let beside: f64 = (0..size)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| matrix[i][j].powi(2))
            .sum();
        if beside < 1e-22 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q] != 0.0 {
                    rotate(&mut matrix, &mut vectors, p, q);
                }
            }
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> =
        (0..size).map(|i| (matrix[i][i], vectors.iter().map(|row| row[i]).collect())).collect();
    pairs.sort_by(|one, other| other.0.total_cmp(&one.0));
    pairs
}

/// Turns the plane of `p` and `q`, the later one, until the two do not go together.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |row: &mut Vec<f64>| {
        let (a, b) = (row[p], row[q]);
        row[p] = cosine * a - sine * b;
        row[q] = sine * a + cosine * b;
    };
    matrix.iter_mut().for_each(turn);
    let (upper, lower) = matrix.split_at_mut(q);
    for (a, b) in upper[p].iter_mut().zip(&mut lower[0]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
    vectors.iter_mut().for_each(turn);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-9
    }

    #[test]
    fn eigenvectors_are_those_of_the_textbook() {
        // Values 3 and 1, directions (1, 1) and (1, -1).
        let pairs = eigen(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);

        assert!(close(pairs[0].0, 3.0) && close(pairs[1].0, 1.0), "{pairs:?}");
        assert!(close(pairs[0].1[0], pairs[0].1[1]), "{pairs:?}");
        assert!(close(pairs[1].1[0], -pairs[1].1[1]), "{pairs:?}");
    }

    #[test]
    fn a_matrix_is_what_its_eigenvectors_make() {
        let matrix: Vec<Vec<f64>> =
            (0..5_i32).map(|i| (0..5_i32).map(|j| 1.0 / f64::from(i + j + 1)).collect()).collect();

        let pairs = eigen(matrix.clone());

        for i in 0..5 {
            for j in 0..5 {
                let made: f64 = pairs.iter().map(|(value, v)| value * v[i] * v[j]).sum();
                assert!(close(made, matrix[i][j]), "{i} {j}: {made}");
            }
        }
    }

    #[test]
    fn t2_sees_what_is_far_out_and_q_what_breaks_the_pattern() {
        // Two points that move together, with a little noise of their own.
        let rows: Vec<Vec<f64>> = (0..400)
            .map(|i| {
                let (common, own) = ((f64::from(i) * 0.37).sin(), (f64::from(i) * 1.91).sin());
                vec![common + 0.05 * own, 2.0 * common - 0.1 * own]
            })
            .collect();

        let components = Components::fit(&rows, 0.95, 0.99);

        assert_eq!(components.count(), 1);
        let usual = components.judge(&[0.5, 1.0]);
        assert!(usual.0 < components.t2_limit && usual.1 < components.q_limit, "{usual:?}");
        let far = components.judge(&[3.0, 6.0]);
        assert!(far.0 > components.t2_limit && far.1 < components.q_limit, "{far:?}");
        let against = components.judge(&[0.5, -1.0]);
        assert!(against.0 < components.t2_limit && against.1 > components.q_limit, "{against:?}");
    }

    #[test]
    fn a_constant_point_does_not_divide_by_zero() {
        let rows: Vec<Vec<f64>> = (0..50).map(|i| vec![f64::from(i), 7.0]).collect();

        let (t2, q) = Components::fit(&rows, 0.95, 0.99).judge(&[25.0, 7.0]);

        assert!(t2.is_finite() && q.is_finite(), "{t2} {q}");
    }
}
