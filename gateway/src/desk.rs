//! Where people say what an event was worth, and do something about it.
//!
//! The console and the journal's socket hand in an [`Opinion`], an [`Action`], a [`Report`] or a [`Drill`];
//! the engine gets it as an input with what the journal knows of the event, and what came of it goes back
//! once it is on disk. One opinion is heard at a time, and an answer is never somebody else's; actions
//! carry a ticket, so that many can be on their way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gatehouse_core::event::action::{Acted, Action, Drill, Report};
use gatehouse_core::event::message::EventData;
use gatehouse_core::event::verdict::{NoOpinion, Opinion};
use gatehouse_core::pipeline::{Input, Ruling};
use tokio::sync::{Mutex, mpsc, oneshot};

/// What the disk may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers that nobody has fetched yet; those whose asker has gone are skipped.
pub const ANSWERS: usize = 16;

/// The newest that is known of an event; may touch the disk.
pub type Recall = Arc<dyn Fn(&str) -> Option<EventData> + Send + Sync>;

/// Takes opinions and actions to the engine.
pub struct Desk {
    inputs: mpsc::WeakSender<Input>,
    rulings: Mutex<mpsc::Receiver<Ruling>>,
    recall: Recall,
    ticket: AtomicU64,
    waiting: Arc<Waiting>,
}

/// Those who wait to hear what came of their actions, by ticket.
#[derive(Debug, Default)]
pub struct Waiting(std::sync::Mutex<BTreeMap<u64, oneshot::Sender<Acted>>>);

impl Waiting {
    /// Tells who waits; nobody, when the one who asked has gone.
    pub fn tell(&self, ticket: u64, acted: Acted) {
        if let Some(sender) = self.lock().remove(&ticket) {
            drop(sender.send(acted));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Acted>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why an opinion or an action came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoRuling {
    /// Fill it in.
    #[error(transparent)]
    Opinion(#[from] NoOpinion),
    /// See `gatehouse events list`.
    #[error("there is no event `{0}`; `gatehouse events list` shows those that there are")]
    Unknown(String),
    /// Say it again when it runs.
    #[error("the gateway is about to end; say it again when it runs")]
    Ending,
    /// See the log; the store may be full.
    #[error("the gateway could not write it down in time; see its log, and say it again")]
    Late,
}

impl Desk {
    pub fn new(
        inputs: mpsc::WeakSender<Input>,
        rulings: mpsc::Receiver<Ruling>,
        recall: Recall,
    ) -> Self {
        let rulings = Mutex::new(rulings);
        Self { inputs, rulings, recall, ticket: AtomicU64::new(1), waiting: Arc::default() }
    }

    /// Where the engine leaves what came of actions.
    pub fn waiting(&self) -> Arc<Waiting> {
        Arc::clone(&self.waiting)
    }

    /// Does something about an event; who calls it has checked the person's rights. What the event does
    /// not allow stands in the answer.
    ///
    /// # Errors
    /// Nobody is there to do it.
    pub async fn act(&self, action: Action) -> Result<Acted, NoRuling> {
        let journal = self.remember(&action.event).await;
        self.hand_in(|ticket| Input::Act { action, ticket, journal }).await
    }

    /// Takes down what a person saw.
    ///
    /// # Errors
    /// Nobody is there to do it.
    pub async fn report(&self, report: Report) -> Result<Acted, NoRuling> {
        self.hand_in(|ticket| Input::Report { report, ticket }).await
    }

    /// Begins an exercise.
    ///
    /// # Errors
    /// Nobody is there to do it.
    pub async fn drill(&self, drill: Drill) -> Result<Acted, NoRuling> {
        self.hand_in(|ticket| Input::Drill { drill, ticket }).await
    }

    /// Notes that a still of an event is kept; false when the engine has gone.
    pub async fn attach(&self, event: &str, reference: String) -> bool {
        let input = Input::Evidence { event: event.to_owned(), reference };
        match self.inputs.upgrade() {
            Some(inputs) => inputs.send(input).await.is_ok(),
            None => false,
        }
    }

    async fn hand_in(&self, input: impl FnOnce(u64) -> Input) -> Result<Acted, NoRuling> {
        let ticket = self.ticket.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().insert(ticket, sender);
        let answered = async {
            self.inputs.upgrade()?.send(input(ticket)).await.ok()?;
            answer.await.ok()
        };
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        self.waiting.lock().remove(&ticket);
        match answered {
            Ok(Some(acted)) => Ok(acted),
            Ok(None) => Err(NoRuling::Ending),
            Err(_) => Err(NoRuling::Late),
        }
    }

    async fn remember(&self, event: &str) -> Option<Box<EventData>> {
        let (recall, event) = (Arc::clone(&self.recall), event.to_owned());
        tokio::task::spawn_blocking(move || recall(&event)).await.ok().flatten().map(Box::new)
    }

    /// Takes an opinion to the engine, and comes back with what it did.
    ///
    /// # Errors
    /// It is none, is about no event, or nobody is there to hear it.
    pub async fn say(&self, opinion: Opinion) -> Result<Ruling, NoRuling> {
        let opinion = opinion.checked()?;
        let mut rulings = self.rulings.lock().await;
        let journal = self.remember(&opinion.event).await;
        let input = Input::Verdict { opinion: opinion.clone(), journal };
        let answered = async {
            self.inputs.upgrade()?.send(input).await.ok()?;
            loop {
                let ruling = rulings.recv().await?;
                if (&ruling.event, ruling.verdict) == (&opinion.event, opinion.verdict) {
                    return Some(ruling);
                }
            }
        };
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Some(ruling)) if ruling.is_known => Ok(ruling),
            Ok(Some(ruling)) => Err(NoRuling::Unknown(ruling.event)),
            Ok(None) => Err(NoRuling::Ending),
            Err(_) => Err(NoRuling::Late),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::event::action::{Actor, Deed, NotDone, Side};

    use crate::sample::desk;

    use super::*;

    fn action(event: &str) -> Action {
        let actor = Actor { name: "Li".into(), side: Side::Box };
        Action { event: event.into(), deed: Deed::Acknowledge, actor, note: String::new() }
    }

    #[tokio::test]
    async fn two_who_act_at_once_hear_each_what_came_of_their_own() {
        let desk = desk();

        let (known, unknown) = tokio::join!(desk.act(action("e-1")), desk.act(action("e-9")));

        let known = known.unwrap();
        assert_eq!((known.event.as_str(), known.result.is_ok()), ("e-1", true));
        assert_eq!(unknown.unwrap().result, Err(NotDone::Unknown));
        assert!(desk.waiting.lock().is_empty());
    }

    #[tokio::test]
    async fn an_engine_that_has_gone_is_told_as_ending() {
        let (inputs, _) = mpsc::channel(1);
        let (_, rulings) = mpsc::channel(1);
        let desk = Desk::new(inputs.downgrade(), rulings, Arc::new(|_| None));
        drop(inputs);

        assert!(matches!(desk.act(action("e-1")).await, Err(NoRuling::Ending)));
    }
}
