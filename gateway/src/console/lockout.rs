//! How often somebody may be wrong: per account, and per address that it comes from.
//!
//! Five wrong tries from one address within a minute lock that address for a minute, and each further
//! one doubles that, up to 16 minutes. Twenty wrong tries for one account within ten minutes, from
//! wherever, lock the account likewise. So one who guesses locks himself out first, and the owner of
//! the account comes in from another address, unless many guess together.
//!
//! A try counts when it begins and is forgiven when it was right, so that a hundred at once are not
//! judged before the first one is counted. Nothing here reads a clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

const LONGEST_LOCK: Duration = Duration::from_mins(16);
const FIRST_LOCK: Duration = Duration::from_mins(1);
/// Accounts and addresses that are watched at most.
const MOST: usize = 4_096;

/// How many wrong tries within how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    tries: usize,
    within: Duration,
}

/// Of one address.
pub(super) const BY_ADDRESS: Limit = Limit { tries: 5, within: Duration::from_mins(1) };
/// Of one account, from anywhere.
pub(super) const BY_ACCOUNT: Limit = Limit { tries: 20, within: Duration::from_mins(10) };

/// The wrong tries of many.
#[derive(Debug)]
pub(super) struct Locks<K> {
    limit: Limit,
    of: BTreeMap<K, LockOut>,
}

impl<K: Ord + Clone> Locks<K> {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, of: BTreeMap::new() }
    }

    /// How long he has to wait yet.
    pub(super) fn locked_for(&self, who: &K, now: Instant) -> Option<Duration> {
        self.of.get(who)?.locked_for(now)
    }

    /// Counts a try as a wrong one; the lock that it leads to.
    pub(super) fn count(&mut self, who: K, now: Instant) -> Option<Duration> {
        if self.of.len() >= MOST && !self.of.contains_key(&who) {
            let over = |(_, lock): &(&K, &LockOut)| lock.locked_for(now);
            let least = self.of.iter().min_by_key(over).map(|(who, _)| who.clone());
            least.and_then(|who| self.of.remove(&who));
        }
        self.of.entry(who).or_default().count(self.limit, now)
    }

    /// It was right.
    pub(super) fn forgive(&mut self, who: &K) {
        self.of.remove(who);
    }
}

#[derive(Debug, Default)]
struct LockOut {
    wrong: VecDeque<Instant>,
    until: Option<Instant>,
    /// The length of the last lock; the next one is twice as long.
    last: Option<Duration>,
}

impl LockOut {
    fn locked_for(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn count(&mut self, limit: Limit, now: Instant) -> Option<Duration> {
        // A lock is forgiven once twice its length has passed without another wrong try.
        if let (Some(until), Some(last)) = (self.until, self.last)
            && now.saturating_duration_since(until) > last * 2
        {
            *self = Self::default();
        }
        self.wrong.retain(|at| now.saturating_duration_since(*at) < limit.within);
        self.wrong.push_back(now);
        if self.last.is_none() && self.wrong.len() < limit.tries {
            return None;
        }
        let lock = self.last.map_or(FIRST_LOCK, |last| (last * 2).min(LONGEST_LOCK));
        self.wrong.clear();
        self.last = Some(lock);
        self.until = Some(now + lock);
        Some(lock)
    }
}

/// What one visitor can easily come from: an IPv4 address, or an IPv6 network of 64 bits.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn five_wrong_tries_lock_and_each_further_one_doubles_it() {
        let (mut locks, now) = (Locks::new(BY_ADDRESS), Instant::now());
        for _ in 0..4 {
            assert_eq!(locks.count("a", now), None);
        }

        assert_eq!(locks.count("a", now), Some(secs(60)));
        assert_eq!(locks.locked_for(&"a", now + secs(20)), Some(secs(40)));
        assert_eq!(locks.locked_for(&"b", now), None, "another one is not concerned");
        let later = now + secs(60);
        assert_eq!(locks.locked_for(&"a", later), None);
        assert_eq!(locks.count("a", later), Some(secs(120)));
        assert_eq!(locks.count("a", later + secs(120)), Some(secs(240)));
        locks.forgive(&"a");
        assert_eq!(locks.count("a", later + secs(361)), None, "all is forgiven");
    }

    #[test]
    fn tries_far_apart_and_old_locks_are_forgotten() {
        let (mut locks, now) = (Locks::new(BY_ADDRESS), Instant::now());

        for n in 0..20 {
            assert_eq!(locks.count("a", now + secs(16 * n)), None);
        }
        let mut at = now + secs(1_000);
        for _ in 0..5 {
            locks.count("a", at);
        }
        at += secs(60 + 121);
        assert_eq!(locks.count("a", at), None);
    }

    #[test]
    fn who_is_watched_is_bounded_and_a_locked_one_stays_locked() {
        let (mut locks, now) = (Locks::new(BY_ADDRESS), Instant::now());
        for _ in 0..5 {
            locks.count(0, now);
        }

        for who in 1..10_000 {
            locks.count(who, now);
        }

        assert_eq!(locks.of.len(), MOST);
        assert!(locks.locked_for(&0, now).is_some());
    }

    #[test]
    fn a_visitor_with_many_ipv6_addresses_is_one_visitor() {
        let of = |text: &str| network(text.parse().unwrap());

        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
