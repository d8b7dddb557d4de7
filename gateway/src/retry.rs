//! When to try a lost connection again: ever later, and never all at the same time.

use std::time::Duration;

use tokio::time::Instant;

/// A connection that held this long was a good one: the next pause is short again.
const STABLE: Duration = Duration::from_mins(1);
/// This many sessions in a row that ended at once look like a quarrel over a client id.
const QUARREL: u32 = 5;
const SHORT: Duration = Duration::from_secs(10);

/// Exponential pauses between `min` and `max`, with full jitter, so that a hundred gateways do not
/// come back to a restarted platform in the same second.
#[derive(Debug, Clone)]
pub struct Retry {
    min: Duration,
    max: Duration,
    failures: u32,
    short_sessions: u32,
    since: Option<Instant>,
}

impl Retry {
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.max(Duration::from_millis(1));
        Self { min, max: max.max(min), failures: 0, short_sessions: 0, since: None }
    }

    /// The connection stands.
    pub fn connected(&mut self) {
        self.since = Some(Instant::now());
    }

    /// It is lost, or could not be made: how long to wait.
    pub fn pause(&mut self) -> Duration {
        match self.since.take().map(|since| since.elapsed()) {
            Some(held) if held >= STABLE => (self.failures, self.short_sessions) = (0, 0),
            Some(held) if held < SHORT => self.short_sessions += 1,
            Some(_) | None => {}
        }
        let longest = self.min.saturating_mul(1 << self.failures.min(20)).min(self.max);
        self.failures += 1;
        let chance = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        // Not below half of the shortest: zero would be a storm again.
        longest.mul_f64(chance).max(self.min / 2)
    }

    /// Whether connections keep ending right after they were made, as they do when two clients
    /// share an id.
    pub fn is_quarrel(&self) -> bool {
        self.short_sessions >= QUARREL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        Retry::new(Duration::from_secs(1), Duration::from_mins(1))
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_the_limit_and_differ() {
        let mut retry = retry();

        let pauses: Vec<Duration> = (0..200).map(|_| retry.pause()).collect();

        for (n, pause) in pauses.iter().enumerate() {
            let longest = Duration::from_secs(1 << n.min(6)).min(Duration::from_mins(1));
            assert!(*pause <= longest && *pause >= Duration::from_millis(500), "{n}: {pause:?}");
        }
        assert!(pauses[6..].iter().max() > Some(&Duration::from_secs(40)), "{pauses:?}");
        assert!(pauses[6..].iter().min() < Some(&Duration::from_secs(20)), "{pauses:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_held_makes_the_next_pause_short_again() {
        let mut retry = retry();
        for _ in 0..10 {
            retry.pause();
        }

        retry.connected();
        tokio::time::advance(Duration::from_mins(2)).await;

        assert!(retry.pause() <= Duration::from_secs(1));
        assert!(!retry.is_quarrel());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_that_end_at_once_again_and_again_are_a_quarrel() {
        let mut retry = retry();

        for _ in 0..5 {
            assert!(!retry.is_quarrel());
            retry.connected();
            tokio::time::advance(Duration::from_secs(2)).await;
            retry.pause();
        }

        assert!(retry.is_quarrel());
    }
}
