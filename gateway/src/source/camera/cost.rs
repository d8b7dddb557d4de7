//! What a camera may cost before anybody looks at its pictures: bytes off the wire, and time to decode.
//!
//! What is more than that stays on the wire, or is not decoded. A camera is held back by itself, so one
//! that sends without measure takes no time from another.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes within [`SPAN`]; a 4K camera that sends JPEGs makes a third of it.
const MOST_BYTES: usize = 16 << 20;
const SPAN: Duration = Duration::from_millis(250);
/// Part of a new figure in a mean.
const NEW: f64 = 1.0 / 16.0;
/// Figures before a mean tells anything.
const LEARNING: u32 = 32;

/// Bytes as they come.
#[derive(Debug)]
pub(super) struct Flow {
    since: Instant,
    bytes: usize,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), bytes: 0 }
    }

    /// Notes what came at a time; how long to leave the rest on the wire, if that was too much.
    pub(super) fn came(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.since);
        if passed >= SPAN {
            *self = Self { since: now, bytes: 0 };
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes < MOST_BYTES {
            return None;
        }
        let rest = SPAN.saturating_sub(now.saturating_duration_since(self.since));
        *self = Self { since: now + rest, bytes: 0 };
        Some(rest)
    }
}

/// A mean that follows what is new.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mean {
    mean: f64,
    figures: u32,
}

impl Mean {
    pub(super) fn note(&mut self, span: Duration) {
        self.figures = self.figures.saturating_add(1);
        let part = NEW.max(1.0 / f64::from(self.figures));
        self.mean += part * (span.as_secs_f64() - self.mean);
    }

    /// In seconds; `None` before it tells anything.
    pub(super) fn seconds(self) -> Option<f64> {
        (self.figures >= LEARNING).then_some(self.mean)
    }
}

/// Time to decode a stream, against the share of a core that it may take.
#[derive(Debug)]
pub(super) struct Cost {
    share: f64,
    came: Option<Instant>,
    apart: Mean,
    /// When the last one was decoded.
    decoded: Option<Instant>,
}

impl Cost {
    /// `share` of one core, 0..1.
    pub(super) fn new(share: f64) -> Self {
        Self { share, came: None, apart: Mean::default(), decoded: None }
    }

    /// A picture of the stream comes.
    pub(super) fn came(&mut self, now: Instant) {
        if let Some(came) = self.came.replace(now) {
            self.apart.note(now.saturating_duration_since(came));
        }
    }

    pub(super) fn decoded(&mut self, now: Instant) {
        self.decoded = Some(now);
    }

    /// Whether decoding all of it takes more than its share, when one picture takes so long.
    pub(super) fn is_too_much(&self, each: Mean) -> bool {
        let seconds = each.seconds().zip(self.apart.seconds());
        seconds.is_some_and(|(each, apart)| each > self.share * apart)
    }

    /// Whether another single picture is within the share.
    pub(super) fn is_within(&self, now: Instant, each: Mean) -> bool {
        let Some((decoded, each)) = self.decoded.zip(each.seconds()) else { return true };
        now.saturating_duration_since(decoded).as_secs_f64() * self.share >= each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_without_measure_is_left_on_the_wire_for_the_rest_of_the_span() {
        let (mut flow, start) = (Flow::new(), Instant::now());
        flow.since = start;
        let at = |ms| start + Duration::from_millis(ms);

        assert_eq!(flow.came(MOST_BYTES - 1, at(10)), None);
        assert_eq!(flow.came(1, at(50)), Some(Duration::from_millis(200)));
        assert_eq!(flow.came(MOST_BYTES - 1, at(250)), None);
        assert_eq!(flow.came(MOST_BYTES - 1, at(510)), None, "in the next span");
    }

    #[test]
    fn a_stream_is_too_much_when_its_pictures_come_faster_than_its_share_allows() {
        let (mut cost, start) = (Cost::new(0.5), Instant::now());
        let mut each = Mean::default();
        for n in 0..LEARNING {
            assert!(!cost.is_too_much(each), "nothing is known yet");
            each.note(Duration::from_millis(10));
            cost.came(start + Duration::from_millis(16) * n);
        }
        cost.came(start + Duration::from_millis(16) * LEARNING);
        assert!(cost.is_too_much(each), "10 ms of every 16");
        cost.share = 0.7;
        assert!(!cost.is_too_much(each));

        cost.decoded(start);
        assert!(!cost.is_within(start + Duration::from_millis(12), each));
        assert!(cost.is_within(start + Duration::from_millis(15), each));
    }
}
