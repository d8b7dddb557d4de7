//! What every kind of camera has in common: when a picture is due, where it goes, and what is told
//! about the camera.
//!
//! Shared by the camera's task and its thread. Nothing here waits.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use gatehouse_core::community::camera::CameraIndex;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::SourceIndex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::slots::{Content, Shot, Slots};
use super::trouble::{Trouble, Why};
use crate::clock::Clock;
use crate::retry::Retry;

const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Counts are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// A connection that brings nothing but what cannot be used for so long is given up.
const HOPELESS: Duration = Duration::from_secs(10);
/// So many refused pictures in a row at least are needed for that: who looks seldom has seen little.
const FEW: u32 = 3;
/// One that brings no picture at all, though nothing is wrong with what it brings.
const FRUITLESS: Duration = Duration::from_mins(1);
/// Of one core: what a camera may cost before anybody looks, where nothing else is said.
const SHARE: f64 = 0.5;

/// What whoever looks at the pictures tells those who bring them: whether the box is so busy that key
/// frames have to do, and what came of each JPEG.
#[derive(Debug, Clone, Default)]
pub struct Feedback(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    is_busy: AtomicBool,
    /// By position of the camera. Weak: each of them holds this.
    eyes: Mutex<BTreeMap<usize, Weak<Eye>>>,
}

impl Feedback {
    pub fn set_busy(&self, is_busy: bool) {
        self.0.is_busy.store(is_busy, Ordering::Relaxed);
    }

    pub fn is_busy(&self) -> bool {
        self.0.is_busy.load(Ordering::Relaxed)
    }

    /// A JPEG of a camera was decoded. Never waits.
    pub fn decoded(&self, camera: CameraIndex) {
        if let Some(eye) = self.eye(camera) {
            eye.decoded();
        }
    }

    /// One could not be; `word` is what that is counted by. Never waits.
    pub fn refused(&self, camera: CameraIndex, word: &'static str) {
        if let Some(eye) = self.eye(camera) {
            eye.refused(Why::NotDecoded(word));
        }
    }

    pub(super) fn tell_to(&self, eye: &Arc<Eye>) {
        self.eyes().insert(eye.camera.0, Arc::downgrade(eye));
    }

    fn eye(&self, camera: CameraIndex) -> Option<Arc<Eye>> {
        self.eyes().get(&camera.0).and_then(Weak::upgrade)
    }

    fn eyes(&self) -> MutexGuard<'_, BTreeMap<usize, Weak<Eye>>> {
        self.0.eyes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all cameras share.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub slots: Arc<Slots>,
    pub feedback: Feedback,
    pub clock: Clock,
    /// Weak: the engine ends when the sources have hung up, and a camera's thread may hang on a wire.
    pub inputs: mpsc::WeakSender<Input>,
    pub stop: CancellationToken,
}

/// One camera.
#[derive(Debug)]
pub(super) struct Eye {
    pub(super) name: Arc<str>,
    camera: CameraIndex,
    source: SourceIndex,
    /// In the world's time.
    every: Duration,
    /// Of one core.
    share: f64,
    around: Surroundings,
    runtime: Handle,
    state: Mutex<State>,
}

/// What was told of the camera.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Health {
    Unknown,
    Up,
    Down(Why),
}

#[derive(Debug)]
struct State {
    due: Option<Instant>,
    retry: Retry,
    /// A picture has come since the last connection was lost.
    has_shown: bool,
    /// One of them could be decoded.
    is_proven: bool,
    /// When the last picture came, or the connection began.
    shown: Instant,
    /// What went wrong since, and since when.
    wrong: Option<(Instant, Why)>,
    /// Pictures that could not be decoded, since one could.
    refused: Option<Refused>,
    health: Health,
    /// The last change of it, until there is room to tell it.
    report: Option<Input>,
    counts: BTreeMap<&'static str, u64>,
    told: Option<Instant>,
}

/// Pictures that were looked at and could not be decoded. Time in which nobody looked tells nothing, so
/// it is from one to the other that counts.
#[derive(Debug)]
struct Refused {
    first: Instant,
    last: Instant,
    many: u32,
    why: Why,
}

impl Eye {
    /// Must be called within the runtime.
    pub(super) fn new(
        name: &str,
        camera: CameraIndex,
        source: SourceIndex,
        every: Duration,
        share: Option<f64>,
        around: Surroundings,
    ) -> Self {
        let state = State {
            due: None,
            shown: Instant::now(),
            wrong: None,
            retry: Retry::new(RETRY.0, RETRY.1),
            refused: None,
            has_shown: false,
            is_proven: false,
            health: Health::Unknown,
            report: None,
            counts: BTreeMap::new(),
            told: None,
        };
        let every = around.clock.real(every);
        let (runtime, state) = (Handle::current(), Mutex::new(state));
        let share = share.unwrap_or(SHARE);
        Self { name: name.into(), camera, source, every, share, around, runtime, state }
    }

    pub(super) fn every(&self) -> Duration {
        self.every
    }

    /// What reading and decoding it may take of one core, 0..1.
    pub(super) fn share(&self) -> f64 {
        self.share
    }

    pub(super) fn stop(&self) -> CancellationToken {
        self.around.stop.clone()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.around.feedback.is_busy()
    }

    /// Whether a picture is wanted now.
    pub(super) fn is_due(&self) -> bool {
        self.lock().due.is_none_or(|due| Instant::now() >= due)
    }

    /// Hands a picture on. A JPEG tells nothing of the camera before whoever looks has decoded it.
    pub(super) fn show(&self, content: Content) {
        let now = Instant::now();
        let mut state = self.lock();
        // A tenth early is early enough: a camera that sends at just this rate is not to lose every other.
        let step = self.every.mul_f64(0.9);
        let due = state.due.unwrap_or(now) + step;
        state.due = Some(if due < now { now + step } else { due });
        (state.shown, state.wrong) = (now, None);
        state.has_shown = true;
        if matches!(content, Content::Picture(_)) {
            self.prove(&mut state);
        }
        self.tell(&mut state);
        drop(state);
        let at = self.around.clock.now();
        self.around.slots.put(Shot { camera: self.camera, at, content });
    }

    /// A picture could be decoded: the camera is up.
    fn prove(&self, state: &mut State) {
        state.refused = None;
        if !state.is_proven {
            state.is_proven = true;
            state.retry.connected();
        }
        if state.health != Health::Up {
            state.health = Health::Up;
            state.report = Some(Input::Source { source: self.source, down: None });
            tracing::info!(camera = &*self.name, "pictures come");
        }
    }

    /// One that was shown could be decoded.
    fn decoded(&self) {
        let mut state = self.lock();
        // What was shown before the connection was lost tells nothing of the next.
        if state.has_shown {
            self.prove(&mut state);
            self.tell(&mut state);
        }
    }

    /// One that was shown could not.
    fn refused(&self, why: Why) {
        let mut state = self.lock();
        *state.counts.entry(why.kind()).or_default() += 1;
        if state.has_shown {
            let now = Instant::now();
            let before = state.refused.take();
            let (first, many) = before.map_or((now, 0), |before| (before.first, before.many));
            state.refused = Some(Refused { first, last: now, many: many.saturating_add(1), why });
        }
        self.tell(&mut state);
    }

    /// Notes what is wrong with one picture, or a few.
    pub(super) fn count(&self, why: Why) {
        let trouble = self.trouble(why);
        tracing::debug!(%trouble);
        let mut state = self.lock();
        *state.counts.entry(trouble.why.kind()).or_default() += 1;
        // That there is no time for what it sends is not the camera's doing.
        if trouble.why != Why::TooFast {
            let since = state.wrong.as_ref().map_or_else(Instant::now, |(since, _)| *since);
            state.wrong = Some((since, trouble.why));
        }
        self.tell(&mut state);
    }

    /// A connection begins.
    pub(super) fn begin(&self) {
        let mut state = self.lock();
        (state.shown, state.wrong, state.refused) = (Instant::now(), None, None);
    }

    /// Why a connection that goes on is of no use; nothing while pictures come.
    pub(super) fn hopeless(&self) -> Option<Why> {
        let state = self.lock();
        let is_long = |span: Duration, most: Duration| span >= most + self.every;
        let wrong = state.wrong.as_ref().filter(|(since, _)| is_long(since.elapsed(), HOPELESS));
        let refused = state.refused.as_ref().filter(|refused| {
            refused.many >= FEW && is_long(refused.last - refused.first, HOPELESS)
        });
        let why = wrong.map(|(_, why)| why).or(refused.map(|refused| &refused.why));
        why.cloned().or_else(|| {
            is_long(state.shown.elapsed(), FRUITLESS).then_some(Why::NoPicture(FRUITLESS.as_secs()))
        })
    }

    /// A picture that was wanted is let go, as there is no time for it.
    pub(super) fn pass_over(&self) {
        self.around.slots.pass_over(self.camera);
    }

    /// Notes that no pictures come, and why; how long to wait before the next attempt.
    pub(super) fn lost(&self, why: Why) -> Duration {
        let trouble = self.trouble(why);
        let mut state = self.lock();
        *state.counts.entry(trouble.why.kind()).or_default() += 1;
        (state.has_shown, state.is_proven) = (false, false);
        (state.wrong, state.refused) = (None, None);
        let pause = state.retry.pause();
        let health = Health::Down(trouble.why.clone());
        if state.health == health {
            tracing::debug!(%trouble, ?pause, "still no pictures");
        } else {
            tracing::warn!(%trouble, ?pause, "no pictures");
            state.health = health;
            let down = Some(trouble.why.told());
            state.report = Some(Input::Source { source: self.source, down });
        }
        self.tell(&mut state);
        pause
    }

    pub(super) fn trouble(&self, why: Why) -> Trouble {
        Trouble { camera: Arc::clone(&self.name), why }
    }

    /// Waits on a thread of its own; false when it is time to go.
    pub(super) fn rest(&self, pause: Duration) -> bool {
        let stop = self.stop();
        // A sleep has to be made within the runtime.
        let slept = async { stop.run_until_cancelled(tokio::time::sleep(pause)).await };
        self.runtime.block_on(slept).is_some()
    }

    /// Waits; false when it is time to go.
    pub(super) async fn pause(&self, pause: Duration) -> bool {
        self.stop().run_until_cancelled_owned(tokio::time::sleep(pause)).await.is_some()
    }

    /// Tells what there was no room or no time for, as long as it is polled.
    pub(super) async fn keep_telling(&self) -> Infallible {
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            self.tell(&mut self.lock());
        }
    }

    /// Tells what changed and what was counted, as far as there is room.
    fn tell(&self, state: &mut State) {
        // Another configuration may be in effect, with another source at this place.
        if self.around.stop.is_cancelled() {
            return;
        }
        let is_due = state.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if state.report.is_none() && (state.counts.is_empty() || !is_due) {
            return;
        }
        let Some(inputs) = self.around.inputs.upgrade() else { return };
        if let Some(report) = state.report.take()
            && let Err(mpsc::error::TrySendError::Full(report)) = inputs.try_send(report)
        {
            state.report = Some(report);
        }
        if is_due {
            state.told = Some(Instant::now());
            let source = self.source;
            state.counts.retain(|&reason, &mut count| {
                inputs.try_send(Input::Dropped { source, device: None, reason, count }).is_err()
            });
        }
    }

    /// Whole whatever a panic left: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
