//! A network of a series that has answered its own test windows.

use std::path::Path;

use super::InferError;
use super::engine::Runner;
use super::manifest::{Kind, Manifest, Series};

pub(super) struct Network {
    manifest: Manifest,
    series: Series,
    runner: Runner,
}

impl Network {
    /// Loads a network and refuses it unless it is exactly what its manifest says.
    pub(super) fn load(manifest: Manifest, library: Option<&Path>) -> Result<Self, InferError> {
        let path = manifest.network();
        let rejected = |reason| InferError::Rejected { path, reason };
        let Kind::Series(series) = manifest.kind.clone() else {
            return Err(rejected(
                "it is a model of pictures; a series cannot be shown to it".into(),
            ));
        };
        let runner = Runner::load(&manifest, None, library)?;
        let mut network = Self { manifest, series, runner };
        network.test().map_err(rejected)?;
        Ok(network)
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Answers `rows` windows, or says why not. Anything that is not a finite number is no answer.
    pub(super) fn run(&mut self, features: &[f32], rows: usize) -> Result<Vec<f32>, String> {
        let (window, outputs) = (self.series.window, self.series.outputs);
        if rows.checked_mul(window) != Some(features.len()) {
            let got = features.len();
            return Err(format!("{got} features for {rows} windows of {window} samples"));
        }
        if rows == 0 {
            return Ok(Vec::new());
        }
        let answers = self.runner.run(features, &[rows, window], &[vec![rows, outputs]])?;
        Ok(answers.into_iter().next().unwrap_or_default())
    }

    fn test(&mut self) -> Result<(), String> {
        let tests = std::mem::take(&mut self.series.tests);
        for test in &tests {
            let why = &test.why;
            let got = self.run(&test.input, 1).map_err(|e| format!("test `{why}`: {e}"))?;
            let expected = &test.output;
            let off = got.iter().zip(expected).any(|(g, e)| (g - e).abs() > test.tolerance);
            if off {
                return Err(format!("test `{why}` gave {got:?}, expected {expected:?}"));
            }
        }
        Ok(())
    }
}
