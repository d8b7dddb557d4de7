//! Questions that wait for the inference thread: few, and the newest of each kind.
//!
//! When eight wait, a further question takes the place of the oldest to the same model, because a
//! window that is newer says more; with none to the same model it is turned away itself. Whichever
//! lost is handed to the thread as [`Turn::Refuse`], never forgotten.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use gatehouse_core::pipeline::Question;

/// Questions that may wait.
const CAPACITY: usize = 8;
/// Refusals that may wait; beyond, the pipeline's own expiry answers in their stead.
const REFUSALS: usize = 1_024;

/// What the thread does next.
#[derive(Debug, PartialEq)]
pub(super) enum Turn {
    /// Ask the model.
    Answer(Question),
    /// Say that the question of this id will not be asked.
    Refuse(u64),
}

#[derive(Debug, Default)]
pub(super) struct Questions {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Question>,
    refused: VecDeque<u64>,
    replaced: u64,
    is_closed: bool,
}

impl Questions {
    pub(super) fn put(&self, question: Question) {
        self.lock().put(question);
        self.changed.notify_one();
    }

    /// Waits for the next turn; `None` once closed, whatever still waits.
    pub(super) fn take(&self) -> Option<Turn> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(turn) = state.take() {
                return Some(turn);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn replaced(&self) -> u64 {
        self.lock().replaced
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, question: Question) {
        let loser = if self.waiting.len() < CAPACITY {
            None
        } else if let Some(oldest) = self.waiting.iter().position(|q| q.model == question.model) {
            self.waiting.remove(oldest)
        } else {
            return self.refuse(question.id);
        };
        if let Some(loser) = loser {
            self.refuse(loser.id);
        }
        self.waiting.push_back(question);
    }

    fn refuse(&mut self, id: u64) {
        self.replaced += 1;
        if self.refused.len() == REFUSALS {
            self.refused.pop_front();
        }
        self.refused.push_back(id);
    }

    fn take(&mut self) -> Option<Turn> {
        let refused = self.refused.pop_front().map(Turn::Refuse);
        refused.or_else(|| self.waiting.pop_front().map(Turn::Answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ninth_question_takes_the_place_of_the_oldest_to_the_same_model() {
        let questions = Questions::default();
        for id in 1..=8 {
            questions.put(to(if id == 1 { "other" } else { "forecast" }, id));
        }

        questions.put(to("forecast", 9));

        assert_eq!(questions.replaced(), 1);
        assert_eq!(questions.take(), Some(Turn::Refuse(2)));
        assert_eq!(questions.take(), Some(Turn::Answer(to("other", 1))));
        for id in 3..=9 {
            assert_eq!(questions.take(), Some(Turn::Answer(to("forecast", id))));
        }
    }

    #[test]
    fn a_question_with_none_of_its_kind_to_replace_is_turned_away_itself() {
        let questions = Questions::default();
        for id in 1..=8 {
            questions.put(to("forecast", id));
        }

        questions.put(to("other", 9));

        assert_eq!(questions.take(), Some(Turn::Refuse(9)));
        assert_eq!(questions.take(), Some(Turn::Answer(to("forecast", 1))));
    }

    #[test]
    fn nothing_is_handed_out_once_closed() {
        let questions = Questions::default();
        questions.put(to("forecast", 1));

        questions.close();

        assert_eq!(questions.take(), None);
    }

    fn to(model: &str, id: u64) -> Question {
        Question { id, model: model.into(), features: Vec::new(), rows: 0 }
    }
}
