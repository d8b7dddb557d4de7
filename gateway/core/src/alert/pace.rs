//! How often a channel may be used: so many in so long, whatever the slice of time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::reading::Timestamp;

/// At most `many` messages in any stretch of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub many: usize,
    pub within: Duration,
}

/// What went out by one channel lately.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    limits: Vec<Limit>,
    sent: VecDeque<Timestamp>,
    /// The other side said that it is too much.
    not_before: Option<Timestamp>,
}

impl Pace {
    pub fn new(limits: Vec<Limit>) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Other limits for the same channel; what went out stays known.
    pub fn set_limits(&mut self, limits: Vec<Limit>) {
        self.limits = limits;
    }

    /// When the next message may go, `now` at the earliest.
    pub fn next(&self, now: Timestamp) -> Timestamp {
        let by_limit = self.limits.iter().filter_map(|limit| {
            let oldest = self.sent.len().checked_sub(limit.many)?;
            Some(*self.sent.get(oldest)? + limit.within)
        });
        by_limit.chain(self.not_before).chain([now]).max().unwrap_or(now)
    }

    /// Until when the other side wants to be left alone, if it ever did.
    pub fn held(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// A message goes out.
    pub fn sent(&mut self, now: Timestamp) {
        self.sent.push_back(now);
        let most = self.limits.iter().map(|limit| limit.many).max().unwrap_or(0);
        while self.sent.len() > most {
            self.sent.pop_front();
        }
    }

    /// Nothing goes out before then.
    pub fn hold(&mut self, until: Timestamp) {
        self.not_before = self.not_before.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    #[test]
    fn no_stretch_of_a_minute_holds_more_than_the_limit() {
        let limit = |many, seconds| Limit { many, within: Duration::from_secs(seconds) };
        let mut pace = Pace::new(vec![limit(20, 60), limit(5, 1)]);
        let (mut now, mut sent) = (at(0), Vec::new());
        for _ in 0..200 {
            now = pace.next(now);
            pace.sent(now);
            sent.push(now);
        }

        for (first, last) in sent.iter().zip(&sent[20..]) {
            assert!(last.since(*first) >= Duration::from_mins(1));
        }
        for (first, last) in sent.iter().zip(&sent[5..]) {
            assert!(last.since(*first) >= Duration::from_secs(1));
        }
        assert_eq!(sent[199], at(60 * 9 + 3), "and no more patience than that");
    }

    #[test]
    fn a_channel_that_asked_for_a_pause_gets_it() {
        let mut pace = Pace::new(Vec::new());
        assert_eq!(pace.next(at(5)), at(5));
        pace.hold(at(600));
        assert_eq!(pace.next(at(5)), at(600));
        assert_eq!(pace.next(at(700)), at(700));
    }
}
