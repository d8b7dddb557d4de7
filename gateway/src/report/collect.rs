//! Gets the events of a month and makes its paper: for the console, one at a time and beside its thread,
//! and for `gatehouse report`.

use std::sync::Arc;

use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::Message;
use gatehouse_core::event::summary::Summary;
use gatehouse_core::reading::Timestamp;
use gatehouse_core::report::handling::Limits;
use gatehouse_core::report::month::{FIRST_YEAR, Month};
use gatehouse_core::report::{Grounds, Report, Stretch};
use tokio::sync::Semaphore;

use super::paper::Paper;
use super::pdf::{self, NoPdf};
use crate::journal::ask::{Journal, NoJournal};

/// What a report is made from, as the journal holds it.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Events of the month and of the one before.
    pub events: Vec<Summary>,
    /// Events that opened before the clock was set.
    pub undated: Vec<Summary>,
    /// The oldest that the journal holds.
    pub known_since: Option<Timestamp>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum NoReport {
    /// Ask again, or look after the store.
    #[error(transparent)]
    Journal(#[from] NoJournal),
    #[error(transparent)]
    Pdf(#[from] NoPdf),
    /// The gateway is ending, or a fault of ours.
    #[error("the report broke down while it was made")]
    BrokeDown,
}

/// Reads from a journal what a month's report needs.
pub fn past(journal: &Journal, community: &Community, month: Month) -> Result<Past, NoJournal> {
    let stretch = Stretch::of(month, community, None, Timestamp(i64::MAX));
    let begins = month.before().unwrap_or(month).begins(stretch.offset);
    Ok(Past {
        events: journal.summaries(begins, stretch.to)?,
        undated: journal.summaries(Timestamp(0), first_date())?,
        known_since: known_since(journal)?,
    })
}

/// When the oldest message was written; one of a clock that nobody had set tells nothing.
fn known_since(journal: &Journal) -> Result<Option<Timestamp>, NoJournal> {
    let mut times = journal.lines()?.filter_map(|line| match line {
        Ok(line) => {
            Some(Ok(serde_json::from_str::<Message>(&line.json).ok()?.time.parse().ok()?))
        }
        Err(error) => Some(Err(error)),
    });
    match times.find(|at| at.as_ref().map_or(true, |at| *at >= first_date())) {
        Some(at) => at.map(Some),
        None => Ok(None),
    }
}

fn first_date() -> Timestamp {
    format!("{FIRST_YEAR}-01-01T00:00:00Z").parse().unwrap_or_default()
}

impl Past {
    pub fn report(&self, community: &Community, month: Month, now: Timestamp) -> Report {
        let grounds = Grounds {
            community,
            limits: Limits::of(&community.duties),
            events: &self.events,
            undated: &self.undated,
            known_since: self.known_since,
        };
        Report::of(month, &grounds, now)
    }
}

/// Which report, and for whom.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub community: Arc<Community>,
    pub month: Month,
    pub language: Language,
    pub now: Timestamp,
}

/// Makes reports, one after the other: each holds the events of two months.
#[derive(Clone)]
pub struct Maker {
    journal: Journal,
    turn: Arc<Semaphore>,
}

impl Maker {
    pub fn new(journal: Journal) -> Self {
        Self { journal, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The oldest that there can be a report of.
    pub async fn known_since(&self) -> Result<Option<Timestamp>, NoReport> {
        self.work(|journal| Ok(known_since(journal)?)).await
    }

    pub async fn paper(&self, wanted: Wanted) -> Result<Paper, NoReport> {
        self.make(wanted, Ok).await
    }

    pub async fn pdf(&self, wanted: Wanted) -> Result<Vec<u8>, NoReport> {
        self.make(wanted, |paper| Ok(pdf::render(&paper)?)).await
    }

    async fn make<T: Send + 'static>(
        &self,
        wanted: Wanted,
        then: impl FnOnce(Paper) -> Result<T, NoReport> + Send + 'static,
    ) -> Result<T, NoReport> {
        self.work(move |journal| {
            let Wanted { community, month, language, now } = wanted;
            let past = past(journal, &community, month)?;
            then(super::paper(&past.report(&community, month, now), language, now))
        })
        .await
    }

    /// Beside the console's thread; who has left does not make room before it is done.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal) -> Result<T, NoReport> + Send + 'static,
    ) -> Result<T, NoReport> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|_| NoReport::BrokeDown)?;
        let journal = self.journal.clone();
        let work = move || {
            let made = work(&journal);
            drop(turn);
            made
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| NoReport::BrokeDown)?
    }
}
