//! Questions to models: collected over the devices that are due, asked as one, and given up when
//! nobody answers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::boundary::Question;
use crate::reading::{DeviceIndex, Timestamp};

/// Windows in one question at most.
const MOST_ROWS: usize = 64;

/// A question without an answer is given up after this.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whose window a row of a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) device: DeviceIndex,
    /// Position among the device's detectors.
    pub(super) bound: usize,
    /// Position among the detector's series.
    pub(super) series: usize,
    /// The series' newest sample when it was asked.
    pub(super) sample: u64,
}

/// Windows that wait for company, and questions that wait for an answer.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    /// How long a window waits for company.
    gather: Duration,
    gathered: BTreeMap<String, Gathered>,
    open: BTreeMap<u64, (Vec<Row>, Timestamp)>,
    last_id: u64,
}

#[derive(Debug, Clone, Default)]
struct Gathered {
    rows: Vec<Row>,
    features: Vec<f32>,
    since: Timestamp,
}

impl Asking {
    pub(super) fn new(gather: Duration) -> Self {
        Self { gather, gathered: BTreeMap::new(), open: BTreeMap::new(), last_id: 0 }
    }

    /// Adds windows for a model; `features` are theirs, one after the other.
    pub(super) fn add(&mut self, model: &str, rows: &[Row], features: &[f32], now: Timestamp) {
        if !self.gathered.contains_key(model) {
            self.gathered.insert(model.to_owned(), Gathered::default());
        }
        let Some(gathered) = self.gathered.get_mut(model) else { return };
        if gathered.rows.is_empty() {
            gathered.since = now;
        }
        gathered.rows.extend_from_slice(rows);
        gathered.features.extend_from_slice(features);
    }

    /// Questions that are due.
    pub(super) fn poll_questions(&mut self, now: Timestamp) -> Vec<Question> {
        let mut questions = Vec::new();
        for (model, gathered) in &mut self.gathered {
            let is_due = gathered.rows.len() >= MOST_ROWS || now >= gathered.since + self.gather;
            if gathered.rows.is_empty() || !is_due {
                continue;
            }
            let Gathered { rows, features, .. } = std::mem::take(gathered);
            self.last_id += 1;
            questions.push(Question {
                id: self.last_id,
                model: model.clone(),
                features,
                rows: rows.len(),
            });
            self.open.insert(self.last_id, (rows, now));
        }
        questions
    }

    /// The rows that an answer is about; `None` when it comes too late.
    pub(super) fn take(&mut self, question: u64) -> Option<Vec<Row>> {
        self.open.remove(&question).map(|(rows, _)| rows)
    }

    /// Rows that nobody will answer any more.
    pub(super) fn poll_given_up(&mut self, now: Timestamp) -> Vec<Row> {
        let mut given_up = Vec::new();
        while let Some(entry) = self.open.first_entry()
            && now >= entry.get().1 + PATIENCE
        {
            given_up.extend(entry.remove().0);
        }
        given_up
    }

    /// When something is due, if nothing else happens.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let gathered =
            self.gathered.values().filter(|g| !g.rows.is_empty()).map(|g| g.since + self.gather);
        let open = self.open.first_key_value().map(|(_, (_, asked))| *asked + PATIENCE);
        gathered.chain(open).min()
    }

    /// Forgets everything: positions mean something else from here on.
    pub(super) fn clear(&mut self) {
        self.gathered.clear();
        self.open.clear();
    }
}
