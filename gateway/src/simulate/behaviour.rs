//! What a point shows on an ordinary day.
//!
//! Everything is a function of a seed and the time, without memory: the same moment can be asked
//! twice (two Modbus requests of one poll) or out of order (a frame sent again), and two runs with
//! one seed agree to the last bit.

use std::f64::consts::TAU;
use std::time::Duration;

use gatehouse_core::community::site::Behaviour;
use gatehouse_core::reading::Timestamp;

/// Chance that can be asked again: a number of 64 bits that others are drawn from.
///
/// The mixing is `SplitMix64` (Steele, Lea and Flood, 2014): an odd constant is added, then the bits
/// are folded twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The chance of something within this one, by name. Names, not positions: a device that is
    /// added to a file leaves the others as they were.
    #[must_use]
    pub fn of(self, name: &str) -> Self {
        name.bytes().fold(self.at(0), |chance, byte| chance.at(u64::from(byte) + 1))
    }

    /// The chance of a moment or a turn within this one.
    #[must_use]
    pub fn at(self, number: u64) -> Self {
        let mut bits = (self.0 ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(bits ^ (bits >> 31))
    }

    /// Evenly spread over 0..1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a f64 holds exactly")]
    pub fn share(self) -> f64 {
        (self.at(1).0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normally distributed with mean 0 and deviation 1, cut off at three deviations, so that
    /// ordinary noise has a bound that limits can be set beyond.
    pub fn noise(self) -> f64 {
        let radius = (-2.0 * (1.0 - self.at(2).share()).ln()).sqrt();
        (radius * (TAU * self.at(3).share()).cos()).clamp(-3.0, 3.0)
    }
}

/// When a value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time of day matters: days have a wave.
    pub at: Timestamp,
    /// Time since the simulation began.
    pub since: Duration,
}

/// The value of a point at a moment of an ordinary day, without its noise.
///
/// `max_rate` bounds how fast a bin is emptied, in units a second. All points of a device share its
/// chance here, so that a bin that is emptied is light at the same moment.
pub fn ordinary(
    behaviour: &Behaviour,
    max_rate: Option<f64>,
    chance: Chance,
    moment: Moment,
) -> f64 {
    if let Some(period) = behaviour.toggles {
        return if is_on(period.0, chance, moment.since) { 1.0 } else { 0.0 };
    }

    behaviour.mean
        + behaviour.swing * wave(moment.at)
        + filled(behaviour, max_rate, chance, moment.since)
}

/// What noise adds at that moment.
pub fn noise(behaviour: &Behaviour, chance: Chance, moment: Moment) -> f64 {
    let millis = u64::try_from(moment.since.as_millis()).unwrap_or(u64::MAX);
    behaviour.noise * chance.at(millis).noise()
}

/// -1 at three at night, 1 at three in the afternoon, by the clock of China.
#[expect(clippy::cast_precision_loss, reason = "a time of day is small")]
fn wave(at: Timestamp) -> f64 {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let of_day = (at.0 + super::LOCAL_AHEAD_MS).rem_euclid(DAY_MS) as f64 / DAY_MS as f64;
    -(TAU * (of_day - 0.125)).cos()
}

/// How far a rising value has come above its mean. Past `until` it goes back as fast as it may.
fn filled(behaviour: &Behaviour, max_rate: Option<f64>, chance: Chance, since: Duration) -> f64 {
    let risen = behaviour.rise * since.as_secs_f64() / 3_600.0;
    let Some(until) = behaviour.until else { return risen };
    let height = until - behaviour.mean;
    if height * behaviour.rise <= 0.0 {
        return 0.0;
    }

    let turns = risen / height + chance.at(4).share();
    let height_now = turns.fract() * height;
    let emptying = match max_rate {
        Some(rate) if turns >= 1.0 => {
            let seconds = height_now / behaviour.rise * 3_600.0;
            height.abs() - rate * seconds
        }
        _ => 0.0,
    };
    height.signum() * height_now.abs().max(emptying)
}

/// Whether a point that switches is on. The n-th switch comes somewhere in the middle of the n-th
/// period, so each state lasts between 0.4 and 1.6 periods.
fn is_on(period: Duration, chance: Chance, since: Duration) -> bool {
    let turns = since.as_secs_f64() / period.as_secs_f64().max(0.001) + chance.at(5).share();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
    let turn = turns as u64;
    let has_switched = turns.fract() >= 0.2 + 0.6 * chance.at(6).at(turn).share();
    (turn + u64::from(has_switched) + (chance.at(7).0 & 1)) % 2 == 1
}

#[cfg(test)]
mod tests {
    use gatehouse_core::community::quantity::Period;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_day_and_another_seed_another() {
        let behaviour = Behaviour { swing: 4.0, noise: 1.0, ..steady(20.0) };
        let day = |seed| {
            (0..48)
                .map(|n| shown(&behaviour, seed, Duration::from_mins(30 * n)))
                .collect::<Vec<_>>()
        };

        assert_eq!(day(1), day(1));
        assert_ne!(day(1), day(2));
    }

    #[test]
    fn the_afternoon_is_warmer_than_the_night() {
        let behaviour = Behaviour { swing: 5.0, ..steady(20.0) };
        let at = |text: &str| {
            let moment = Moment { at: text.parse().unwrap(), since: Duration::ZERO };
            ordinary(&behaviour, None, Chance::new(1), moment)
        };

        assert!((at("2026-01-01T15:00:00+08:00") - 25.0).abs() < 1e-9);
        assert!((at("2026-01-01T03:00:00+08:00") - 15.0).abs() < 1e-9);
    }

    #[test]
    fn noise_is_centred_and_bounded() {
        let drawn: Vec<f64> = (0..20_000).map(|n| Chance::new(7).at(n).noise()).collect();
        let count = f64::from(u32::try_from(drawn.len()).unwrap());
        let mean = drawn.iter().sum::<f64>() / count;
        let deviation = (drawn.iter().map(|v| v * v).sum::<f64>() / count).sqrt();

        assert!(mean.abs() < 0.03, "{mean}");
        assert!((deviation - 1.0).abs() < 0.05, "{deviation}");
        assert!(drawn.iter().all(|v| v.abs() <= 3.0));
    }

    #[test]
    fn a_bin_fills_up_is_emptied_and_never_changes_faster_than_it_may() {
        let bin = Behaviour { rise: 30.0, until: Some(80.0), ..steady(5.0) };
        let step = Duration::from_secs(10);
        let mut emptied = 0;

        for n in 0..20_000_u32 {
            let now = level(&bin, step * n);
            let next = level(&bin, step * (n + 1));
            assert!((5.0..=80.0 + 1e-9).contains(&now), "{now} after {n} steps");
            assert!((next - now).abs() <= 0.5 * 10.0 + 1e-6, "{now} to {next} after {n} steps");
            emptied += u32::from(next < now && now > 79.0);
        }

        assert!(emptied > 15, "emptied {emptied} times");
    }

    #[test]
    fn a_meter_only_counts_up() {
        let meter = Behaviour { rise: 6.0, ..steady(1_000.0) };

        assert!((shown(&meter, 1, Duration::from_hours(2)) - 1_012.0).abs() < 1e-9);
    }

    #[test]
    fn a_bay_switches_and_no_state_lasts_much_longer_than_declared() {
        let bay = Behaviour { toggles: Some(Period(Duration::from_mins(2))), ..steady(0.0) };
        let (mut held, mut longest, mut shortest, mut switches) = (0, 0, u32::MAX, 0);

        for n in 1..100_000_u32 {
            let since = |n| shown(&bay, 3, Duration::from_secs(n));
            held += 1;
            if (since(u64::from(n)) - since(u64::from(n - 1))).abs() > 0.5 {
                longest = longest.max(held);
                if switches > 0 {
                    shortest = shortest.min(held);
                }
                held = 0;
                switches += 1;
            }
        }

        assert!(longest <= 193 && shortest >= 46, "{shortest} s to {longest} s");
        assert!((700..=900).contains(&switches), "{switches}");
    }

    fn steady(mean: f64) -> Behaviour {
        Behaviour {
            device_type: "any".into(),
            point: "any".into(),
            mean,
            swing: 0.0,
            noise: 0.0,
            rise: 0.0,
            until: None,
            toggles: None,
        }
    }

    fn shown(behaviour: &Behaviour, seed: u64, since: Duration) -> f64 {
        let moment = Moment { at: Timestamp(0) + since, since };
        let chance = Chance::new(seed).of("device").of("point");
        ordinary(behaviour, None, chance, moment) + noise(behaviour, chance, moment)
    }

    fn level(bin: &Behaviour, since: Duration) -> f64 {
        let moment = Moment { at: Timestamp(0) + since, since };
        ordinary(bin, Some(0.5), Chance::new(11), moment)
    }
}
