//! Whether the watchdog may be petted: only while every part of the program comes round.
//!
//! A board whose line still answers while its sampling hangs would look healthy for ever, with the last
//! values it had. So each part shows up by itself, and the oldest sight of any of them counts.

use crate::SECOND;

/// What has to come round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The line is looked at.
    Line,
    /// Measurements end.
    Sampling,
    /// Errands are fetched.
    Errands,
}

impl Part {
    const ALL: [Self; 3] = [Self::Line, Self::Sampling, Self::Errands];

    /// How long it may be out of sight, in microseconds.
    const fn patience(self) -> u64 {
        match self {
            Self::Line => SECOND,
            // An SCD4x takes 5 s for a single shot; an errand may be the erasing of a page.
            Self::Sampling | Self::Errands => 10 * SECOND,
        }
    }
}

/// When each part was last seen.
#[derive(Debug, Clone)]
pub struct Watch {
    seen: [u64; Part::ALL.len()],
}

impl Watch {
    pub fn new(now: u64) -> Self {
        Self { seen: [now; Part::ALL.len()] }
    }

    pub fn saw(&mut self, part: Part, now: u64) {
        self.seen[part as usize] = now;
    }

    /// Whether every part was seen lately.
    pub fn all_alive(&self, now: u64) -> bool {
        let is_alive = |part: &Part| now - self.seen[*part as usize].min(now) <= part.patience();
        Part::ALL.iter().all(is_alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_that_hangs_is_enough() {
        for hung in Part::ALL {
            let mut watch = Watch::new(0);
            let mut now = 0;
            while now <= 20 * SECOND {
                for part in Part::ALL.into_iter().filter(|part| *part != hung) {
                    watch.saw(part, now);
                }
                assert_eq!(watch.all_alive(now), now <= hung.patience(), "{hung:?} at {now}");
                now += SECOND / 2;
            }
        }
    }
}
