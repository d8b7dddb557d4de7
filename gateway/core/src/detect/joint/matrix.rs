//! Small symmetric matrices, as rows one after the other.

/// The inverse of a symmetric positive definite matrix of `n` rows, by Cholesky. One that is not quite
/// positive definite is treated as the nearest that is by a pivot of 1e-9.
pub(super) fn invert(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| lower[i * n + k] * lower[j * n + k]).sum();
            let rest = matrix[i * n + j] - known;
            lower[i * n + j] = if i == j { rest.max(1e-9).sqrt() } else { rest / lower[j * n + j] };
        }
    }
    let mut inverse = vec![0.0; n * n];
    let mut column = vec![0.0; n];
    for c in 0..n {
        for i in 0..n {
            let known: f64 = (0..i).map(|k| lower[i * n + k] * column[k]).sum();
            let unit = if i == c { 1.0 } else { 0.0 };
            column[i] = (unit - known) / lower[i * n + i];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| lower[k * n + i] * column[k]).sum();
            column[i] = (column[i] - known) / lower[i * n + i];
        }
        for i in 0..n {
            inverse[i * n + c] = column[i];
        }
    }
    inverse
}

/// A matrix times a vector.
pub(super) fn times(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(vector.len().max(1))
        .map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_changes_nothing() {
        let matrix = [1.0, 0.6, 0.1, 0.6, 1.0, -0.3, 0.1, -0.3, 1.0];
        let inverse = invert(&matrix, 3);

        for column in 0..3 {
            let unit: Vec<f64> = (0..3).map(|i| inverse[i * 3 + column]).collect();
            for (row, value) in times(&matrix, &unit).iter().enumerate() {
                let expected = if row == column { 1.0 } else { 0.0 };
                assert!((value - expected).abs() < 1e-12, "{row} {column}: {value}");
            }
        }
    }

    #[test]
    fn two_points_that_are_one_have_an_inverse_of_numbers() {
        assert!(invert(&[1.0; 4], 2).iter().all(|value| value.is_finite()));
    }
}
