//! Gets the events of a month and makes its paper: for the console, one at a time and beside its thread,
//! and for `gatehouse report`.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::event::message::Message;
use gatehouse_core::event::summary::Summary;
use gatehouse_core::event::verdict::Raised;
use gatehouse_core::reading::Timestamp;
use gatehouse_core::report::handling::Limits;
use gatehouse_core::report::month::{FIRST_YEAR, Month};
use gatehouse_core::report::{Grounds, Report, Stretch};
use tokio::sync::Mutex;

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
    /// What was raised lately, by scenes on trial too.
    pub raised: Vec<Raised>,
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
        raised: journal.raised()?,
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
            raised: &self.raised,
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

/// A report that is not older is shown again: who leafs through pages, prints and comes back waits once.
/// It says when it was made.
const FRESH: Duration = Duration::from_mins(1);

/// Reports that are remembered.
const SHELF: usize = 4;

/// Makes reports, one after the other: each holds the events of two months.
#[derive(Clone)]
pub struct Maker {
    journal: Journal,
    shelf: Arc<Mutex<Shelf>>,
}

/// The last ones that were made, newest last.
#[derive(Default)]
struct Shelf(Vec<Made>);

struct Made {
    wanted: Wanted,
    paper: Arc<Paper>,
    pdf: Option<Arc<[u8]>>,
}

impl Made {
    fn is_for(&self, wanted: &Wanted) -> bool {
        let made = &self.wanted;
        (made.month, made.language) == (wanted.month, wanted.language)
            && Arc::ptr_eq(&made.community, &wanted.community)
            && (made.now..made.now + FRESH).contains(&wanted.now)
    }
}

impl Shelf {
    fn made(&mut self, journal: &Journal, wanted: Wanted) -> Result<&mut Made, NoReport> {
        if let Some(at) = self.0.iter().position(|made| made.is_for(&wanted)) {
            return Ok(&mut self.0[at]);
        }
        let past = past(journal, &wanted.community, wanted.month)?;
        let report = past.report(&wanted.community, wanted.month, wanted.now);
        let paper = Arc::new(super::paper(&report, wanted.language, wanted.now));
        if self.0.len() == SHELF {
            self.0.remove(0);
        }
        self.0.push(Made { wanted, paper, pdf: None });
        self.0.last_mut().ok_or(NoReport::BrokeDown)
    }
}

impl Maker {
    pub fn new(journal: Journal) -> Self {
        Self { journal, shelf: Arc::default() }
    }

    /// The oldest that there can be a report of.
    pub async fn known_since(&self) -> Result<Option<Timestamp>, NoReport> {
        self.work(|journal, _| Ok(known_since(journal)?)).await
    }

    pub async fn paper(&self, wanted: Wanted) -> Result<Arc<Paper>, NoReport> {
        self.work(|journal, shelf| Ok(Arc::clone(&shelf.made(journal, wanted)?.paper))).await
    }

    pub async fn pdf(&self, wanted: Wanted) -> Result<Arc<[u8]>, NoReport> {
        self.work(|journal, shelf| {
            let made = shelf.made(journal, wanted)?;
            if let Some(pdf) = &made.pdf {
                return Ok(Arc::clone(pdf));
            }
            let pdf: Arc<[u8]> = pdf::render(&made.paper)?.into();
            made.pdf = Some(Arc::clone(&pdf));
            Ok(pdf)
        })
        .await
    }

    /// Beside the console's thread; who has left does not make room before it is done.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal, &mut Shelf) -> Result<T, NoReport> + Send + 'static,
    ) -> Result<T, NoReport> {
        let mut made = Arc::clone(&self.shelf).lock_owned().await;
        let journal = self.journal.clone();
        let work = move || work(&journal, &mut made);
        tokio::task::spawn_blocking(work).await.map_err(|_| NoReport::BrokeDown)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::sample::{NOW, community};

    #[test]
    fn a_report_is_shown_again_for_a_minute_and_for_the_same_question_alone() {
        let month: Month = "2026-11".parse().unwrap();
        let wanted =
            Wanted { community: Arc::new(community()), month, language: Language::En, now: NOW };
        let paper = Arc::new(super::super::tests::written(&[], Language::En));
        let made = Made { wanted: wanted.clone(), paper, pdf: None };

        let at = |now: Timestamp| Wanted { now, ..wanted.clone() };
        assert!(made.is_for(&at(NOW)) && made.is_for(&at(NOW + Duration::from_secs(59))));
        assert!(!made.is_for(&at(NOW + FRESH)), "too old");
        assert!(!made.is_for(&at(NOW - Duration::from_secs(1))), "the clock was set back");
        let earlier = month.before().unwrap();
        assert!(!made.is_for(&Wanted { month: earlier, ..wanted.clone() }));
        assert!(!made.is_for(&Wanted { language: Language::Zh, ..wanted.clone() }));
        let anew = Arc::new(community());
        assert!(!made.is_for(&Wanted { community: anew, ..wanted.clone() }), "a new configuration");
    }
}
