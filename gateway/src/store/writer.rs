//! The thread that writes: takes what has gathered, writes it as one batch, syncs, and only then
//! says so.
//!
//! The engine hands batches over and never waits: they queue in memory, and it says when it is time
//! to write them. When the disk takes none,
//! later batches are drawn into the last waiting one, and over [`MAX_RECORDS`] the oldest record of
//! the lowest level is given up on record. A batch that could not be written is tried again until it
//! could; when the engine has gone by then, a few more times.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_core::delivery::{Gap, Loss};
use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::{Batch, Input, Kept, is_apart};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::oneshot;

use super::apart::Apart;
use super::book::enter_loss;
use super::disk::{Disk, guarded};
use super::index::Draft;
use super::kept::Shelf;
use super::layout::{Entry, journal_key, mail_key, state_key};
use super::marks::Marks;
use super::{Shared, StoreError, opening, reserve};

/// Batches that wait apart; later ones are drawn into the last.
const MAX_BATCHES: usize = 1_024;
/// While more batches than this wait, the disk is in trouble and nothing is kept of readings.
const FEW_BATCHES: usize = 512;
/// Records in memory that the disk has not taken.
const MAX_RECORDS: usize = 10_000;
/// One group stops growing at this many records or bytes.
const GROUP_RECORDS: usize = 512;
const GROUP_BYTES: usize = 1 << 20;
/// Confirmations gather this long before they are written on their own.
const CLEAR_UP: Duration = Duration::from_secs(1);
/// Pause before a failed batch is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// A failure that goes on as it was is logged this often.
const LOG_AGAIN: Duration = Duration::from_mins(1);
/// How often a full disk is looked at; a look that finds too little room fills it for a moment.
const LOOK_FOR_ROOM: Duration = Duration::from_mins(15);
/// No disk that works takes this long for one group.
const STUCK: Duration = Duration::from_mins(1);
/// Tries after the engine has gone.
const LAST_TRIES: u32 = 3;

/// Hands batches to the store's thread. When it is dropped, the thread writes what it has and ends.
#[derive(Debug)]
pub struct BatchSender(pub(super) Arc<Queue>);

impl BatchSender {
    /// Has the batch written at once, with all that has gathered. Never waits: `Input::Stored`
    /// tells when the batch would survive a power cut.
    pub fn send(&self, batch: Batch) {
        self.gather(batch);
        self.commit();
    }

    /// Leaves the batch to be written with others: with the next [`BatchSender::commit`] or `send`,
    /// or when the thread is at it anyway. A commit costs the same for one record and for ten, in
    /// time and in wear of the flash.
    pub fn gather(&self, batch: Batch) {
        self.0.push(batch);
    }

    /// Has written what has gathered.
    pub fn commit(&self) {
        self.0.wake.notify_one();
    }
}

impl Drop for BatchSender {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.commit();
    }
}

/// The thread does not end before this is dropped.
#[derive(Debug)]
pub struct Hold(Arc<Queue>);

impl Hold {
    pub(super) fn new(queue: &Arc<Queue>) -> Self {
        queue.lock().holders += 1;
        Self(Arc::clone(queue))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.lock().holders -= 1;
        self.0.wake.notify_one();
    }
}

/// What waits for the thread.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[expect(clippy::struct_excessive_bools, reason = "each tells of something else")]
#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    records: usize,
    given_up: Gap,
    mail: Vec<Mail>,
    has_confirmations: bool,
    /// The thread waits for a batch, and for nothing else.
    is_asleep: bool,
    is_closed: bool,
    /// Those who may write after the engine has gone.
    holders: usize,
    /// The thread has gone; nothing more is written.
    is_over: bool,
    /// Since when the thread has been writing without coming back.
    away_since: Option<Instant>,
}

/// Rows of the alerts' room, and who waits for them to be on disk.
#[derive(Debug)]
struct Mail {
    rows: Vec<(String, Option<Vec<u8>>)>,
    done: oneshot::Sender<()>,
}

/// What is written at once.
#[derive(Debug, Default)]
struct Group {
    through: Option<u64>,
    records: Vec<Record>,
    states: BTreeMap<String, Option<Vec<u8>>>,
    kept: Vec<Kept>,
    given_up: Gap,
    mail: Vec<Mail>,
}

impl Group {
    /// Whether somebody was promised that it survives a power cut.
    fn is_durable(&self) -> bool {
        self.through.is_some() || !self.given_up.is_empty() || !self.mail.is_empty()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, mut batch: Batch) {
        let mut waiting = self.lock();
        if waiting.batches.len() > FEW_BATCHES {
            batch.kept.clear();
        }
        waiting.records += batch.records.len();
        let is_full = waiting.batches.len() >= MAX_BATCHES;
        match waiting.batches.back_mut().filter(|_| is_full) {
            Some(last) => join(last, batch),
            None => waiting.batches.push_back(batch),
        }
        while waiting.records > MAX_RECORDS && waiting.give_up_one() {}
    }

    /// Has rows of the alerts' room written; the receiver hears when they would survive a power cut,
    /// and that they will not when its sender is dropped.
    pub(super) fn mail(&self, rows: Vec<(String, Option<Vec<u8>>)>) -> oneshot::Receiver<()> {
        let (done, written) = oneshot::channel();
        let mut waiting = self.lock();
        if !waiting.is_over {
            waiting.mail.push(Mail { rows, done });
            self.wake.notify_one();
        }
        written
    }

    /// The thread has gone.
    fn end(&self) {
        let mut waiting = self.lock();
        waiting.is_over = true;
        waiting.mail.clear();
    }

    pub(super) fn confirmations(&self) {
        let mut waiting = self.lock();
        waiting.has_confirmations = true;
        if waiting.is_asleep {
            self.wake.notify_one();
        }
    }

    /// Waits for something to write; `None` once everything is written and nobody can send more.
    fn take(&self) -> Option<Group> {
        let mut waiting = self.lock();
        waiting.away_since = None;
        loop {
            if !waiting.batches.is_empty()
                || !waiting.given_up.is_empty()
                || !waiting.mail.is_empty()
            {
                waiting.has_confirmations = false;
                waiting.away_since = Some(Instant::now());
                return Some(waiting.group());
            }
            if waiting.is_closed && waiting.holders == 0 {
                return std::mem::take(&mut waiting.has_confirmations).then(Group::default);
            }
            // What was just written is about to be confirmed: watched for without being woken.
            let patience = self.wake.wait_timeout(waiting, CLEAR_UP);
            let (woken, timeout) = patience.unwrap_or_else(PoisonError::into_inner);
            waiting = woken;
            let is_idle = waiting.batches.is_empty() && waiting.mail.is_empty();
            if timeout.timed_out() && is_idle && !waiting.is_closed {
                if std::mem::take(&mut waiting.has_confirmations) {
                    return Some(Group::default());
                }
                waiting.is_asleep = true;
                waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                waiting.is_asleep = false;
            }
        }
    }

    /// Lets a while pass; returns whether the engine has gone.
    fn pause(&self, pause: Duration) -> bool {
        let (mut waiting, _) = self
            .wake
            .wait_timeout_while(self.lock(), pause, |w| !w.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.away_since = Some(Instant::now());
        waiting.is_closed
    }

    /// Whether the thread has been writing for so long that the disk must hang. One that fails does not:
    /// it is tried again, and that is told.
    pub(super) fn is_stuck(&self) -> bool {
        self.lock().away_since.is_some_and(|since| since.elapsed() > STUCK)
    }
}

impl Waiting {
    fn group(&mut self) -> Group {
        let mut group = Group {
            given_up: std::mem::take(&mut self.given_up),
            mail: std::mem::take(&mut self.mail),
            ..Group::default()
        };
        let mut bytes = 0;
        while group.records.len() < GROUP_RECORDS
            && bytes < GROUP_BYTES
            && let Some(batch) = self.batches.pop_front()
        {
            self.records -= batch.records.len();
            bytes += batch.records.iter().map(|r| r.json.len()).sum::<usize>();
            bytes += batch.states.iter().filter_map(|s| s.1.as_ref()).map(Vec::len).sum::<usize>();
            group.through = Some(batch.number);
            group.records.extend(batch.records);
            group.states.extend(batch.states);
            group.kept.extend(batch.kept);
        }
        group
    }

    fn give_up_one(&mut self) -> bool {
        let all = self.batches.iter().flat_map(|b| &b.records);
        let Some(lowest) = all.map(|r| r.level).max() else { return false };
        for batch in &mut self.batches {
            if let Some(at) = batch.records.iter().position(|r| r.level == lowest) {
                let r = batch.records.remove(at);
                self.records -= 1;
                let why = Loss::DiskFailed;
                enter_loss(&mut self.given_up, r.sequence, r.level, why, Some(&r.json));
                return true;
            }
        }
        false
    }
}

/// Whether a failure is to be logged: another cause than the last time, or long ago.
pub(super) fn is_news(logged: &mut Option<(String, Instant)>, why: &str, now: Instant) -> bool {
    let is_known = logged.as_ref().is_some_and(|(w, at)| w == why && now < *at + LOG_AGAIN);
    if !is_known {
        *logged = Some((why.to_owned(), now));
    }
    !is_known
}

/// Draws a batch into the one before.
fn join(last: &mut Batch, batch: Batch) {
    last.number = batch.number;
    last.records.extend(batch.records);
    let mut states: BTreeMap<_, _> = std::mem::take(&mut last.states).into_iter().collect();
    states.extend(batch.states);
    last.states = states.into_iter().collect();
}

/// The thread's own things.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) disk: Option<Disk>,
    pub(super) marks: Marks,
    pub(super) boot: u64,
    pub(super) queue: Arc<Queue>,
    /// When room for the next start was last looked for in vain.
    pub(super) short_since: Option<Instant>,
    pub(super) shelf: Shelf,
    pub(super) apart: Apart,
    pub(super) inputs: WeakSender<Input>,
}

impl Writer {
    /// Writes until nobody can send more and everything is written.
    pub(super) fn run(mut self) {
        self.write_all();
        self.queue.end();
        self.shared.held().disk = self.disk.take();
    }

    fn write_all(&mut self) {
        self.look_for_room();
        let mut logged = None;
        while let Some(group) = self.queue.take() {
            let mut last_tries = 0;
            while let Err(error) = self.write(&group) {
                if is_news(&mut logged, &error.to_string(), Instant::now()) {
                    tracing::error!(%error, "the store could not be written; trying every second");
                }
                self.shared.set_fault(Some(error.to_string()));
                self.tell(Input::StoreFailed { why: error.to_string() });
                self.close();
                if self.queue.pause(RETRY) {
                    last_tries += 1;
                    if last_tries > LAST_TRIES {
                        tracing::error!(records = group.records.len(), "records were not written");
                        return;
                    }
                    std::thread::sleep(RETRY / 5);
                }
            }
            self.shared.set_fault(None);
            self.look_for_room();
            if !group.records.is_empty() || !self.shared.book().gaps.is_empty() {
                self.shared.arrived.notify_one();
            }
            if !group.records.is_empty() {
                self.shared.to_alert.notify_one();
            }
            // The events are on their way.
            self.keep_apart(&group);
            self.keep(&group.kept);
            if let Some(through) = group.through {
                self.tell(Input::Stored { through });
            }
            for mail in group.mail {
                // Who waited may have gone.
                let _ = mail.done.send(());
            }
        }
    }

    /// Writes the states that belong to no decision. What was not written is written when its turn comes again.
    fn keep_apart(&mut self, group: &Group) {
        let rows = group.states.iter().filter(|(key, _)| is_apart(key));
        let rows: Vec<_> = rows.map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        if let Err(error) = self.apart.put(&rows) {
            tracing::warn!(%error, "what was learnt was not written; events are not concerned");
        }
    }

    /// Puts aside what is kept of readings; it is the first that is let go.
    fn keep(&mut self, kept: &[Kept]) {
        if self.short_since.is_some() {
            return;
        }
        for kept in kept {
            if let Err(error) = self.shelf.put(kept) {
                tracing::warn!(%error, "readings of the past were not kept; events are not concerned");
            }
        }
    }

    /// A start on a full disk needs the reserve: while there is none, the disk counts as full. It is
    /// looked for with what is written, but not more often than [`LOOK_FOR_ROOM`].
    fn look_for_room(&mut self) {
        let Some(folder) = self.shared.database.parent() else { return };
        if reserve::is_there(folder) && self.short_since.is_none() {
            return;
        }
        let is_first = self.short_since.is_none();
        if self.short_since.is_none_or(|at| at.elapsed() >= LOOK_FOR_ROOM) {
            reserve::lay_by(folder);
            self.short_since = Some(Instant::now());
        }
        if reserve::is_there(folder) {
            self.short_since = None;
            if !is_first {
                self.shared.set_fault(None);
                self.tell(Input::DiskFull { why: None });
            }
            return;
        }
        let why = format!("the disk that holds {} is full; make room", folder.display());
        self.shared.set_fault(Some(why.clone()));
        if is_first {
            self.tell(Input::DiskFull { why: Some(why) });
        }
    }

    fn write(&mut self, group: &Group) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        if self.disk.is_none() {
            self.reopen()?;
        }
        let Some(disk) = self.disk.as_mut() else { return Err(StoreError::Closed) };
        let mut batch = sled::Batch::default();
        for key in self.apart.moved() {
            batch.remove(state_key(key));
        }
        let states = group.states.iter().filter(|(key, _)| !is_apart(key));
        for (key, value) in states {
            match value {
                Some(value) => batch.insert(state_key(key), value.as_slice()),
                None => batch.remove(state_key(key)),
            }
        }
        for (key, value) in group.mail.iter().flat_map(|mail| &mail.rows) {
            match value {
                Some(value) => batch.insert(mail_key(key), value.as_slice()),
                None => batch.remove(mail_key(key)),
            }
        }
        let (gone, through) = {
            let mut book = shared.book();
            if !group.given_up.is_empty() {
                book.open_gap().merge(group.given_up.clone());
            }
            let mut index = Draft::new(&disk.db);
            book.put(&group.records, shared.limits, &mut batch, &mut index, |sequence| {
                let key = journal_key(sequence);
                let value = guarded(|| disk.db.get(key)).ok().flatten()?;
                Entry::decode(&key, &value)
            });
            index.write(&mut batch)?;
            book.clear_up(&mut batch);
            book.is_gap_changed = false;
            (book.gone.len(), book.last)
        };
        let durable = group.is_durable();
        let _whole = shared.writing();
        disk.commit(batch, durable)?;
        self.apart.forget_moved();
        {
            let mut book = shared.book();
            book.gone.drain(..gone);
            book.visible = book.visible.max(through);
            shared.reached.send_replace(book.visible);
        }
        if durable && let Err(error) = self.marks.set(self.boot, through.max(self.marks.sequence)) {
            tracing::warn!(%error, "the store's marks could not be written");
        }
        Ok(())
    }

    /// sled takes nothing more after an error, so the database is opened anew.
    fn close(&mut self) {
        self.shared.take_db();
        let disk = self.disk.take();
        if let Err(error) = guarded(|| {
            drop(disk);
            Ok(())
        }) {
            tracing::warn!(%error, "the failed database did not close well");
        }
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        let disk = Disk::open(&self.shared.database)?;
        let loaded = opening::load(&disk.db)?;
        self.shared.replace(loaded.book, disk.db.clone());
        self.disk = Some(disk);
        Ok(())
    }

    fn tell(&self, input: Input) {
        if let Some(inputs) = self.inputs.upgrade() {
            // The engine never waits for this thread, so it will make room.
            let _ = inputs.blocking_send(input);
        }
    }
}
