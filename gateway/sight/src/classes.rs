//! Classifiers: one row, a number for each label; and "unsure", which is an answer.

use serde::Deserialize;
use toml::Spanned;

use crate::boxes::likeliest;
use crate::manifest::{Around, Fault, Kind};
use crate::seen::Seen;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Table {
    #[serde(rename = "kind")]
    _kind: Kind,
    output: Option<Spanned<String>>,
    /// The numbers are logits.
    softmax: bool,
    /// What logits are divided by first, so that probabilities are what they say (C. Guo et al., "On
    /// Calibration of Modern Neural Networks").
    temperature: Option<Spanned<f32>>,
    unsure_below: Spanned<f32>,
    pub(crate) labels: Spanned<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Classifier {
    output: usize,
    /// `None`: the numbers are probabilities already.
    temperature: Option<f32>,
    unsure_below: f32,
}

impl Table {
    pub(crate) fn check(&self, around: &Around<'_>) -> Result<Classifier, Fault> {
        let (output, shape) = around.output(self.output.as_ref())?;
        let labels = self.labels.get_ref().len();
        if labels == 0 || shape.iter().product::<usize>() != labels {
            let reason =
                format!("{labels} labels, but the output has the shape {shape:?} after the 1");
            return Err(Fault::new(self.labels.span(), reason));
        }
        if !(0.0..=1.0).contains(self.unsure_below.get_ref()) {
            return Err(Fault::new(self.unsure_below.span(), "expected 0 to 1"));
        }
        let temperature = match (&self.temperature, self.softmax) {
            (Some(t), true) if t.get_ref().is_finite() && *t.get_ref() > 0.0 => Some(*t.get_ref()),
            (Some(t), true) => return Err(Fault::new(t.span(), "expected more than 0")),
            (Some(t), false) => {
                return Err(Fault::new(t.span(), "a temperature needs `softmax = true`"));
            }
            (None, true) => Some(1.0),
            (None, false) => None,
        };
        Ok(Classifier { output, temperature, unsure_below: *self.unsure_below.get_ref() })
    }
}

impl Classifier {
    pub(crate) fn read(&self, outputs: &[Vec<f32>]) -> Seen {
        let mut probabilities = outputs[self.output].clone();
        if let Some(temperature) = self.temperature {
            let (_, most) = likeliest(probabilities.iter().copied());
            for p in &mut probabilities {
                *p = ((*p - most) / temperature).exp();
            }
            let sum: f32 = probabilities.iter().sum();
            for p in &mut probabilities {
                *p /= sum;
            }
        }
        let (label, most) = likeliest(probabilities.iter().copied());
        Seen::Class { sure: (most >= self.unsure_below).then_some(label), probabilities }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_become_calibrated_probabilities_and_a_narrow_lead_is_unsure() {
        let cases = [
            ("sure", Some(1.0), vec![0.0, 3.0_f32.ln()], vec![0.25, 0.75], Some(1)),
            ("cooler", Some(2.0), vec![0.0, 9.0_f32.ln()], vec![0.25, 0.75], Some(1)),
            ("even", Some(1.0), vec![5.0, 5.0], vec![0.5, 0.5], None),
            ("huge", Some(1.0), vec![1e30, -1e30], vec![1.0, 0.0], Some(0)),
            ("already", None, vec![0.3, 0.7], vec![0.3, 0.7], Some(1)),
        ];
        for (why, temperature, numbers, expected, sure) in cases {
            let classifier = Classifier { output: 0, temperature, unsure_below: 0.6 };

            let Seen::Class { probabilities, sure: said } = classifier.read(&[numbers]) else {
                panic!("{why}: no class");
            };

            assert_eq!(said, sure, "{why}");
            let off = probabilities.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 1e-6);
            assert!(!off, "{why}: {probabilities:?}");
        }
    }
}
