//! One clock for the whole program, which never runs backwards.
//!
//! Time is the monotonic clock plus an offset taken at start, so that a wall clock that is set by a
//! time server (or a person) moves nothing in the middle of a night. [`Clock::check`] notices such a
//! step; the engine tells the pipeline. A box without a battery may believe in 1970: no time is shown that is
//! before the program was built, or before the last time that was known to be right ([`keep`]). For `demo` the clock can run faster than the world.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatehouse_core::reading::{TimeQuality, Timestamp};
use tokio::time::Instant;

use crate::replace;

/// Wall-clock steps below this are drift, not steps.
const STEP_MS: i64 = 1_000;

/// A fast clock stands still when nobody has looked after it for this long in the world.
const LEAP: Duration = Duration::from_millis(100);

/// When the program was built, in seconds since the epoch.
const BUILT: &str = env!("GATEHOUSE_BUILT");

/// systemd-timesyncd touches it whenever it has synchronised, every half hour or so (systemd-timesyncd.service(8)).
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// A quartz that is off by a second a day is a bad one: later it goes by itself.
const HOLDS: Duration = Duration::from_hours(24);

/// In the store's folder: the last time that was known to be right, RFC 3339.
const KEPT: &str = "clock";

/// The last time that was known to be right, in ms since the epoch. One for the process, as the wall clock is.
static KNOWN_MS: AtomicI64 = AtomicI64::new(0);

/// Cheap to clone; all clones share one offset.
#[derive(Debug, Clone)]
pub struct Clock {
    zero: Instant,
    /// Time at `zero`, in ms since the epoch.
    start_ms: Arc<AtomicI64>,
    speed: f64,
    /// Of a fast clock: until when, in ms after `zero`, it has been looked after, and how many of those
    /// it stood still.
    kept: Option<Arc<Mutex<(Duration, Duration)>>>,
}

impl Clock {
    /// A clock that starts at the wall clock's time and runs `speed` times as fast.
    pub fn new(speed: f64) -> Self {
        Self {
            zero: Instant::now(),
            start_ms: Arc::new(AtomicI64::new(wall_ms())),
            speed: speed.max(f64::MIN_POSITIVE),
            kept: None,
        }
    }

    /// A clock for a play: while the machine is too busy to let anybody play, it stands still, so that
    /// nobody seems to have been silent. Wants [`Clock::keep`] to run beside the players.
    pub fn for_a_play(speed: f64) -> Self {
        Self { kept: Some(Arc::default()), ..Self::new(speed) }
    }

    /// Looks after a clock made by [`Clock::for_a_play`], for ever.
    pub async fn keep(&self) {
        loop {
            tokio::time::sleep(LEAP / 4).await;
            let Some(kept) = &self.kept else { return };
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let passed = self.zero.elapsed();
            let (until, stood) = *kept;
            *kept = (passed, stood + passed.saturating_sub(until + LEAP));
        }
    }

    pub fn now(&self) -> Timestamp {
        let mut passed = self.zero.elapsed();
        if let Some(kept) = &self.kept {
            let (until, stood) = *kept.lock().unwrap_or_else(PoisonError::into_inner);
            passed = passed.min(until + LEAP).saturating_sub(stood);
        }
        Timestamp(self.start_ms.load(Ordering::Relaxed)) + passed.mul_f64(self.speed)
    }

    /// When this clock will show `due`; now, if it has.
    pub fn instant(&self, due: Timestamp) -> Instant {
        Instant::now() + self.real(due.since(self.now()))
    }

    /// How long a span of this clock's time takes in the world.
    pub fn real(&self, span: Duration) -> Duration {
        span.div_f64(self.speed)
    }

    /// How far this clock moves on while a span of the world's time passes.
    pub fn shown(&self, span: Duration) -> Duration {
        span.mul_f64(self.speed)
    }

    /// How far the wall clock has been set forward since start or the last [`Clock::advance`].
    ///
    /// After a backward step this clock goes on from where it is, ahead of the wall clock.
    pub fn check(&self) -> Option<i64> {
        Some(self.behind_ms()?).filter(|step| *step >= STEP_MS)
    }

    /// Takes a forward step over. Only the engine does, in step with what it tells the pipeline:
    /// nothing may be stamped with the new time before that has heard of it.
    pub fn advance(&self, by_ms: i64) {
        self.start_ms.fetch_add(by_ms.max(0), Ordering::Relaxed);
    }

    /// How far this clock is behind the wall clock; `None` for one that does not follow it.
    fn behind_ms(&self) -> Option<i64> {
        let follows = self.kept.is_none() && (self.speed - 1.0).abs() <= f64::EPSILON;
        follows.then(|| wall_ms() - self.now().0)
    }

    /// What the machine says of its own clock.
    pub fn quality(&self) -> TimeQuality {
        let is_ahead = self.behind_ms().is_some_and(|step| step <= -STEP_MS);
        if is_ahead || shown_ms() < floor_ms() {
            return TimeQuality::Unknown;
        }
        let touched = std::fs::metadata(SYNCHRONISED).and_then(|file| file.modified());
        // A time before the file's is no age.
        touched.map_or(TimeQuality::Unknown, |at| since(at.elapsed().unwrap_or_default()))
    }
}

/// How good a clock is so long after it was set right.
fn since(age: Duration) -> TimeQuality {
    if age < HOLDS { TimeQuality::Synced } else { TimeQuality::Holdover }
}

/// What the box's wall clock shows, right or wrong, but never what cannot be; for commands that are done in
/// a moment, and to judge certificates by.
pub fn wall() -> Timestamp {
    Timestamp(wall_ms())
}

/// From now on it is no earlier than what [`keep`] wrote into that store's folder.
pub fn recall(store: &Path) {
    let kept = kept(store).map_or(0, |at| at.0);
    KNOWN_MS.fetch_max(kept, Ordering::Relaxed);
    if shown_ms() < floor_ms() {
        tracing::warn!(
            since = Timestamp(floor_ms()).rfc3339(),
            "the clock of this box is wrong; until it is set, time goes on from when it was last right"
        );
    }
}

fn kept(store: &Path) -> Option<Timestamp> {
    std::fs::read_to_string(store.join(KEPT)).ok()?.trim().parse().ok()
}

/// Writes down, durably, that it is known to be `now`.
pub fn keep(store: &Path, now: Timestamp) -> io::Result<()> {
    replace::file(&store.join(KEPT), now.rfc3339().as_bytes())
}

/// It cannot be earlier.
fn floor_ms() -> i64 {
    let built = BUILT.parse::<i64>().unwrap_or(0).saturating_mul(1_000);
    KNOWN_MS.load(Ordering::Relaxed).max(built)
}

fn wall_ms() -> i64 {
    shown_ms().max(floor_ms())
}

fn shown_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_time_is_read_back_and_a_torn_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kept(folder.path()), None);
        keep(folder.path(), Timestamp(1_772_366_400_000)).unwrap();
        assert_eq!(kept(folder.path()), Some(Timestamp(1_772_366_400_000)));
        std::fs::write(folder.path().join(KEPT), "2026-03-").unwrap();
        assert_eq!(kept(folder.path()), None);
    }

    #[test]
    fn a_clock_that_nobody_has_set_for_a_day_goes_by_itself() {
        assert_eq!(since(Duration::from_mins(34)), TimeQuality::Synced);
        assert_eq!(since(Duration::from_hours(25)), TimeQuality::Holdover);
    }

    #[test]
    fn it_is_never_before_the_program_was_built() {
        assert!(floor_ms() >= 1_700_000_000_000 && wall_ms() >= floor_ms());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_passes_an_hour_in_a_minute() {
        let clock = Clock::new(60.0);
        let before = clock.now();

        tokio::time::sleep(Duration::from_mins(1)).await;

        assert_eq!(clock.now().since(before), Duration::from_hours(1));
        assert_eq!(clock.real(Duration::from_hours(1)), Duration::from_mins(1));
        assert_eq!(clock.shown(Duration::from_mins(1)), Duration::from_hours(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_play_s_clock_stands_still_while_nobody_may_play_and_never_runs_back() {
        let clock = Clock::for_a_play(60.0);
        let keeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.keep().await }
        });
        let before = clock.now();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(clock.now().since(before), Duration::from_mins(1), "a second, 60 times as fast");

        // Nobody runs for two seconds, then all at once.
        tokio::time::advance(Duration::from_secs(2)).await;
        let frozen = clock.now().since(before);
        assert!(frozen <= Duration::from_mins(1) + LEAP * 60, "{frozen:?}");
        let mut last = clock.now();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(clock.now() >= last);
            last = clock.now();
        }
        assert!(last.since(before) > frozen, "it goes on");
        keeper.abort();
    }
}
