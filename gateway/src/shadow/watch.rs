//! The thread that watches: runs the candidate, counts what it and the live one raise, and says when a
//! budget is broken.
//!
//! Its time is the live one's: each thing that it sees carries it, and in between it goes on by the
//! monotonic clock, so that a step of the wall clock arrives here in its place among the inputs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gatehouse_core::community::Community;
use gatehouse_core::event::message::Record;
use gatehouse_core::reading::Timestamp;
use tokio::sync::{mpsc, watch};

use super::account::{Account, Broke, By, Told};
use super::beside::Beside;
use super::feed::{self, Feed, Gauge, Seen, What};
use super::kept::Kept;
use super::{PROBATION, Verdict, Watched};
use crate::bundle::installed::{Installed, Layer};
use crate::service::Setup;

/// The file is written at most so often, but for a broken budget and at the end.
const KEEP_PACE: Duration = Duration::from_mins(10);
/// What the console sees is at most this old, when something was raised and when nothing was.
const SHOW_PACE: Duration = Duration::from_millis(500);
const IDLE_PACE: Duration = Duration::from_secs(10);

/// What the live one had kept, by key.
pub type States = Vec<(String, Vec<u8>)>;

/// Where the watch reports to.
#[derive(Debug, Clone)]
pub struct Reports {
    pub watched: watch::Sender<Arc<Watched>>,
    pub verdicts: mpsc::Sender<Verdict>,
}

/// Starts to watch what `setup` says is to be watched; ends when the feed is dropped, or at once where
/// there is nothing. The candidate begins with `states`. `before` is the watch of the configuration
/// before; it ends first.
pub fn start(
    setup: &Setup,
    states: States,
    reports: Reports,
    before: Option<JoinHandle<()>>,
    now: Timestamp,
) -> (Feed, Option<JoinHandle<()>>) {
    let (feed, seen, gauge) = feed::open();
    let setup = setup.clone();
    // What comes while it loads waits for it.
    gauge.want(matches!(setup.candidate, Some(Ok(_))), true);
    let thread = thread::Builder::new().name("shadow".into()).spawn(move || {
        if let Some(before) = before {
            // If it broke down, what it had kept is on the disk.
            drop(before.join());
        }
        Watch::new(setup, states, reports, gauge, now).run(&seen);
    });
    let thread = thread.inspect_err(|error| tracing::error!(%error, "nobody watches the models"));
    (feed, thread.ok())
}

struct Watch {
    folder: PathBuf,
    live: Arc<Community>,
    beside: Option<Beside>,
    is_on_probation: bool,
    watched: Watched,
    /// As it was on the disk.
    found: Kept,
    reports: Reports,
    gauge: Arc<Gauge>,
    /// The live one's time when something was last seen, and when that was.
    seen: (Timestamp, Instant),
    /// How far time has gone for the candidate; it never runs backwards.
    done: Timestamp,
    /// Until when time was counted, and when the account was shown and kept.
    counted: Instant,
    shown: Instant,
    kept: Instant,
    is_shown_old: bool,
}

impl Watch {
    fn new(
        setup: Setup,
        states: States,
        reports: Reports,
        gauge: Arc<Gauge>,
        now: Timestamp,
    ) -> Self {
        let installed = Installed::below(&setup.config.store.path);
        let folder = installed.folder().to_owned();
        let kept = Kept::read(&folder).unwrap_or_else(|error| {
            tracing::warn!(%error, folder = %folder.display(), "what was counted before is lost");
            Kept::default()
        });
        let started = Instant::now();
        let mut watch = Self {
            folder,
            live: Arc::clone(&setup.community),
            beside: None,
            is_on_probation: false,
            found: kept.clone(),
            watched: Watched { kept, fault: None },
            reports,
            gauge,
            seen: (now, started),
            done: now,
            counted: started,
            shown: started,
            kept: started,
            is_shown_old: false,
        };
        if let (Some(layer), Some(run)) = (setup.bundle, installed.run_of_promoted())
            && is_of(&run, &layer)
        {
            watch.begin_probation(&layer, run);
        }
        match (setup.candidate, installed.run_of_candidate()) {
            (None, _) | (_, None) => watch.watched.kept.candidate = None,
            (Some(Err(why)), Some(_)) => {
                tracing::error!("the candidate cannot run: {why}");
                watch.watched.fault = Some(why);
            }
            (Some(Ok(setup)), Some(run)) => watch.begin_beside(&setup, run, states),
        }
        // Loading took time in which nothing was counted.
        watch.counted = Instant::now();
        watch.want();
        watch.show();
        watch
    }

    fn begin_probation(&mut self, layer: &Layer, run: String) {
        let account = account_of(&mut self.watched.kept.probation, run, &layer.title, self.seen.0);
        account.promise(By::Live, &self.live);
        self.is_on_probation = account.ran() < PROBATION;
        if let Some(broke) = account.broke.clone() {
            // The power failed before it was taken back.
            self.is_on_probation = false;
            self.judge(true, broke);
        }
    }

    fn begin_beside(&mut self, setup: &Setup, run: String, states: States) {
        let Some(layer) = setup.bundle.as_ref().filter(|layer| is_of(&run, layer)) else { return };
        let account = account_of(&mut self.watched.kept.candidate, run, &layer.title, self.seen.0);
        account.promise(By::Live, &self.live);
        account.promise(By::Candidate, &setup.community);
        if account.broke.is_some() {
            return;
        }
        match Beside::start(setup, &self.live, states, self.seen.0) {
            Ok(beside) => {
                tracing::info!("the candidate {} runs beside the live one", layer.title);
                self.beside = Some(beside);
            }
            Err(error) => {
                tracing::error!("the candidate {} cannot run: {error:#}", layer.title);
                self.watched.fault = Some(format!("{error:#}"));
            }
        }
    }

    fn run(mut self, seen: &Receiver<Seen>) {
        while self.beside.is_some() || self.is_on_probation {
            match seen.recv_timeout(self.patience()) {
                Ok(Seen { now, what }) => {
                    // What was seen while we were busy is a little older than what was done since.
                    self.seen = (now.max(self.done), Instant::now());
                    self.take(what);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = self.now();
            self.done = now;
            let told = self.beside.as_mut().map(|beside| beside.handle_timeout(now));
            self.note_candidate(&told.unwrap_or_default());
            self.show_and_keep();
        }
        self.count_time();
        self.gauge.want(false, false);
        self.show();
        // Where nothing was ever watched there is no folder either.
        if self.watched.kept != self.found {
            self.keep();
        }
    }

    fn want(&self) {
        let is_beside = self.beside.is_some();
        self.gauge.want(is_beside, is_beside || self.is_on_probation);
    }

    fn now(&self) -> Timestamp {
        self.seen.0 + self.seen.1.elapsed()
    }

    fn patience(&self) -> Duration {
        let pace = if self.is_shown_old { SHOW_PACE } else { IDLE_PACE };
        let due = self.beside.as_ref().and_then(Beside::due).map(|due| due.since(self.now()));
        due.map_or(pace, |due| due.min(pace))
    }

    fn take(&mut self, what: What) {
        let now = self.seen.0;
        match what {
            What::Input(input) => {
                let Some(beside) = &mut self.beside else { return };
                let told = beside.handle(*input, now);
                if let Some(account) = &mut self.watched.kept.candidate {
                    account.inputs += 1;
                }
                self.note_candidate(&told);
            }
            What::Records(records) => self.note_live(&records),
        }
    }

    fn note_candidate(&mut self, records: &[Record]) {
        let Some(beside) = &self.beside else { return };
        let told: Vec<Told> =
            records.iter().filter_map(|record| Told::of(record, &beside.community)).collect();
        if told.is_empty() {
            return;
        }
        self.count_time();
        let Some(account) = &mut self.watched.kept.candidate else { return };
        for told in told {
            account.note(By::Candidate, told);
        }
        self.is_shown_old = true;
        if let Some(broke) = account.broken(By::Candidate) {
            account.broke = Some(broke.clone());
            self.beside = None;
            self.want();
            self.keep();
            self.judge(false, broke);
        }
    }

    fn note_live(&mut self, records: &[Record]) {
        let told: Vec<Told> =
            records.iter().filter_map(|record| Told::of(record, &self.live)).collect();
        if told.is_empty() {
            return;
        }
        self.count_time();
        self.is_shown_old = true;
        if self.beside.is_some()
            && let Some(account) = &mut self.watched.kept.candidate
        {
            for told in &told {
                account.note(By::Live, told.clone());
            }
        }
        let Some(account) = &mut self.watched.kept.probation else { return };
        if !self.is_on_probation {
            return;
        }
        for told in told {
            account.note(By::Live, told);
        }
        if let Some(broke) = account.broken(By::Live) {
            account.broke = Some(broke.clone());
            self.is_on_probation = false;
            // Before anything is done about it: a power cut must not forget it.
            self.keep();
            self.judge(true, broke);
        }
    }

    fn judge(&self, was_live: bool, broke: Broke) {
        let Kept { candidate, probation } = &self.watched.kept;
        let Some(account) = (if was_live { probation } else { candidate }) else { return };
        let bundle = account.run.split(' ').next().unwrap_or_default().to_owned();
        let verdict = Verdict { was_live, bundle, title: account.title.clone(), broke };
        tracing::warn!("{}", verdict.why().en);
        // Nobody carries it out in a demo.
        drop(self.reports.verdicts.try_send(verdict));
    }

    /// Counts the time since it was last counted.
    fn count_time(&mut self) {
        let (now, passed) = (self.now(), self.counted.elapsed());
        self.counted = Instant::now();
        let Kept { candidate, probation } = &mut self.watched.kept;
        if let Some(account) = candidate.as_mut().filter(|_| self.beside.is_some()) {
            account.dropped += self.gauge.take_dropped();
            account.pass(passed, now);
        }
        if let Some(account) = probation.as_mut().filter(|_| self.is_on_probation) {
            account.pass(passed, now);
            self.is_on_probation = account.ran() < PROBATION;
            if !self.is_on_probation {
                tracing::info!("{} has stood its probation", account.title);
            }
        }
    }

    fn show_and_keep(&mut self) {
        let pace = if self.is_shown_old { SHOW_PACE } else { IDLE_PACE };
        if self.shown.elapsed() >= pace {
            self.count_time();
            self.show();
        }
        if self.kept.elapsed() >= KEEP_PACE {
            self.keep();
        }
    }

    fn show(&mut self) {
        (self.shown, self.is_shown_old) = (Instant::now(), false);
        self.reports.watched.send_replace(Arc::new(self.watched.clone()));
    }

    fn keep(&mut self) {
        self.kept = Instant::now();
        if let Err(error) = self.watched.kept.write(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "what was counted is not kept");
        }
    }
}

/// Whether it is this bundle that a run is of; another may have been installed since it was read.
fn is_of(run: &str, layer: &Layer) -> bool {
    run.split(' ').next() == Some(layer.id().as_str())
}

/// The account of that run; a new one where another stands.
fn account_of<'a>(
    place: &'a mut Option<Account>,
    run: String,
    title: &str,
    now: Timestamp,
) -> &'a mut Account {
    let kept = place.take().filter(|account| account.run == run);
    place.insert(kept.unwrap_or_else(|| Account::new(run, title.to_owned(), now)))
}
