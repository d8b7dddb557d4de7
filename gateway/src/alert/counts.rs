//! How many messages each channel sent, and how many not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// By channel and outcome, since start. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<(String, &'static str), u64>>>);

impl Counts {
    pub(super) fn note(&self, channel: &str, outcome: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((channel.to_owned(), outcome)).or_default() += 1;
    }

    /// All of them, in order.
    pub fn all(&self) -> Vec<(String, &'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((channel, outcome), n)| (channel.clone(), *outcome, *n)).collect()
    }
}
