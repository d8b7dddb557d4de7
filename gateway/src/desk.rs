//! Where people say what an event was worth: a false alarm, real, planned work.
//!
//! The console and the journal's socket hand in an [`Opinion`]; the engine gets it as an input with what
//! the journal knows of the event, and its [`Ruling`] goes back once it is on disk. One opinion is heard
//! at a time: people are slow, and the answer is never somebody else's.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::event::message::EventData;
use gatehouse_core::event::verdict::{NoOpinion, Opinion};
use gatehouse_core::pipeline::{Input, Ruling};
use tokio::sync::{Mutex, mpsc};

/// What the disk may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers that nobody has fetched yet; those whose asker has gone are skipped.
pub const ANSWERS: usize = 16;

/// The newest that is known of an event; may touch the disk.
pub type Recall = Arc<dyn Fn(&str) -> Option<EventData> + Send + Sync>;

/// Takes opinions to the engine.
pub struct Desk {
    inputs: mpsc::WeakSender<Input>,
    rulings: Mutex<mpsc::Receiver<Ruling>>,
    recall: Recall,
}

/// Why an opinion came to nothing.
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
        Self { inputs, rulings: Mutex::new(rulings), recall }
    }

    /// Takes an opinion to the engine, and comes back with what it did.
    ///
    /// # Errors
    /// It is none, is about no event, or nobody is there to hear it.
    pub async fn say(&self, opinion: Opinion) -> Result<Ruling, NoRuling> {
        let opinion = opinion.checked()?;
        let mut rulings = self.rulings.lock().await;
        let (recall, event) = (Arc::clone(&self.recall), opinion.event.clone());
        let journal = tokio::task::spawn_blocking(move || recall(&event)).await.ok().flatten();
        let input = Input::Verdict { opinion: opinion.clone(), journal: journal.map(Box::new) };
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
