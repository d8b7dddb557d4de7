//! How often the gateway's thread looks at its wires.
//!
//! A thread that sleeps and is woken costs more than what it is woken for: some 40 us, against 10
//! for a frame. When frames come thick (hundreds a second), the thread takes a nap of some
//! milliseconds before it looks again and finds several at once, as a network card does with its
//! interrupts. It takes none when frames are rare (nothing to gain), when they come in floods (more
//! is waiting), or while a device on a wire has been asked and is about to answer.
//!
//! The engine says what came in ([`Pace::heard`]), the runtime asks before it sleeps ([`Pace::nap`]).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A frame may come this much later for it, at most.
const LONGEST: Duration = Duration::from_millis(24);
/// So many frames should have come by the end of a nap.
const SOME: u32 = 12;
/// So many frames at once: a broker may soon reach its limit of unacknowledged ones (20 when nobody
/// told it otherwise), and wait.
const MANY: u32 = 16;
/// The rate is taken over this long.
const WINDOW: Duration = Duration::from_millis(100);
/// Frames in a window that are worth a nap: 200 to 1,500 a second.
const THICK: std::ops::RangeInclusive<u32> = 20..=150;

/// Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Pace(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Frames since the last look.
    frames: AtomicU32,
    /// Questions on wires.
    questions: AtomicU32,
    rate: Mutex<Rate>,
}

#[derive(Debug, Default)]
struct Rate {
    began: Option<Instant>,
    frames: u32,
    /// How long to nap at the rate of the last window; zero when it is not worth it.
    nap: Duration,
}

/// A device is being asked; over when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Question(Pace);

impl Pace {
    /// Frames came in.
    pub fn heard(&self, frames: usize) {
        self.0.frames.fetch_add(u32::try_from(frames).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// No naps until the answer is here.
    pub fn question(&self) -> Question {
        self.0.questions.fetch_add(1, Ordering::Relaxed);
        Question(self.clone())
    }

    /// How long the thread may sleep before it looks again; zero: until it is woken.
    pub fn nap(&self, now: Instant) -> Duration {
        let frames = self.0.frames.swap(0, Ordering::Relaxed);
        let mut rate = self.0.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.count(frames, now);
        let is_awaiting = self.0.questions.load(Ordering::Relaxed) > 0;
        if frames < MANY && !is_awaiting { rate.nap } else { Duration::ZERO }
    }
}

impl Rate {
    fn count(&mut self, frames: u32, now: Instant) {
        self.frames = self.frames.saturating_add(frames);
        let began = *self.began.get_or_insert(now);
        let passed = now.saturating_duration_since(began);
        if passed >= WINDOW {
            let is_thick = passed < WINDOW * 2 && THICK.contains(&self.frames);
            let nap = if is_thick { passed * SOME / self.frames } else { Duration::ZERO };
            self.nap = nap.min(LONGEST);
            (self.began, self.frames) = (Some(now), 0);
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.0.0.questions.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every `look` ms at what came at this rate; how many of 1,000 looks led to a nap.
    fn naps(frames_a_look: usize, look: u64) -> usize {
        let pace = Pace::default();
        let start = Instant::now();
        let look_at = |at: u64| {
            pace.heard(frames_a_look);
            !pace.nap(start + Duration::from_millis(at * look)).is_zero()
        };
        (0..1_000).filter(|at| look_at(*at)).count()
    }

    #[test]
    fn it_naps_when_frames_come_thick_and_neither_when_they_are_rare_nor_in_a_flood() {
        assert!(naps(1, 2) > 900, "500 a second");
        assert_eq!(naps(1, 20), 0, "50 a second");
        assert_eq!(naps(100, 2), 0, "50,000 a second");
    }

    #[test]
    fn a_broker_that_waits_for_acknowledgements_is_not_kept_waiting() {
        assert_eq!(naps(16, 16), 0);
    }

    #[test]
    fn it_does_not_nap_while_a_device_is_about_to_answer() {
        let pace = Pace::default();
        let start = Instant::now();
        let look = |from: u64| {
            let at = (from..from + 100).filter(|at| {
                pace.heard(1);
                !pace.nap(start + Duration::from_millis(at * 2)).is_zero()
            });
            at.count()
        };
        assert!(look(0) > 0);
        let question = pace.question();
        assert_eq!(look(100), 0);
        drop(question);
        assert!(look(200) > 0);
    }
}
