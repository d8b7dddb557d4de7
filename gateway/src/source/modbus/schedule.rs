//! Whose turn it is on a line, and when: pure, so that an hour of a bus passes in a millisecond.
//!
//! Every device has its own period, and all share one grid that starts with the line. So devices
//! that are due together are asked one after the other in a bunch, in the same order every time, and
//! the rest of the cycle is free. A poll that comes late does not move the next one, and cycles that
//! were missed are skipped.
//!
//! A device that does not answer costs its full timeout, and nobody else can speak meanwhile. So it
//! is asked ever less often, and only in the free part of a cycle: when the next healthy device is
//! due later than an unanswered question takes. On a line that is never free for so long, one such
//! probe a minute is made all the same, else nobody would notice that a device is back.

use std::time::Duration;

use gatehouse_core::reading::Timestamp;

/// A silent device is asked at least every so many periods ...
const LONGEST_PAUSE_PERIODS: u32 = 32;
/// ... and at least this often.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask the device at this position.
    Poll(usize),
    /// Nothing before this time.
    Wait(Timestamp),
}

/// How the line behaves, in the clock's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// How long a question without an answer holds up the line.
    pub(super) cost: Duration,
    /// How long a silent device that is due may have to wait for a free moment.
    pub(super) patience: Duration,
}

/// The turns of the devices of one line, by their position.
#[derive(Debug)]
pub(super) struct Schedule {
    slots: Vec<Slot>,
    limits: Limits,
    origin: Timestamp,
    last_probe: Timestamp,
}

#[derive(Debug)]
struct Slot {
    period: Duration,
    due: Timestamp,
    /// When its last turn began.
    started: Timestamp,
    /// Polls in a row that nobody answered.
    failures: u32,
}

impl Schedule {
    /// Everyone is due at once, and believed to be healthy.
    pub(super) fn new(
        periods: impl IntoIterator<Item = Duration>,
        limits: Limits,
        now: Timestamp,
    ) -> Self {
        let slots = periods
            .into_iter()
            .map(|period| Slot {
                period: period.max(Duration::from_millis(1)),
                due: now,
                started: now,
                failures: 0,
            })
            .collect();
        Self { slots, limits, origin: now, last_probe: now }
    }

    /// Whose turn it is.
    pub(super) fn next(&self, now: Timestamp) -> Next {
        let healthy = self.first(|slot| slot.failures == 0);
        let silent = self.first(|slot| slot.failures > 0);

        let Some(probe) = silent else {
            return healthy.map_or(Next::Wait(now + LONGEST_PAUSE), |slot| self.turn(slot, now));
        };
        let probe_due = self.slots[probe].due;
        let Some(healthy) = healthy else {
            // Nobody can be disturbed, and the sooner one answers the better for all.
            let at = probe_due.min(self.last_probe + self.limits.patience);
            return if at <= now { Next::Poll(probe) } else { Next::Wait(at) };
        };
        let overdue = probe_due.max(self.last_probe) + self.limits.patience;
        if overdue <= now {
            return Next::Poll(probe);
        }
        let turn = self.turn(healthy, now);
        match turn {
            Next::Poll(_) => turn,
            Next::Wait(free_until) if probe_due <= now => {
                if free_until.since(now) > self.limits.cost {
                    Next::Poll(probe)
                } else {
                    Next::Wait(free_until.min(overdue))
                }
            }
            Next::Wait(free_until) => Next::Wait(free_until.min(probe_due)),
        }
    }

    /// The device answered the poll that began at `started`. True when it had not before.
    pub(super) fn answered(&mut self, position: usize, started: Timestamp) -> bool {
        let was_silent = self.slots[position].failures > 0;
        self.slots[position].failures = 0;
        self.passed(position, started);
        was_silent
    }

    /// The device did not answer the poll that began at `started`. True when it had before.
    pub(super) fn failed(&mut self, position: usize, started: Timestamp) -> bool {
        let grid = self.grid(position, started);
        let slot = &mut self.slots[position];
        if slot.failures > 0 {
            self.last_probe = started;
        }
        slot.started = started;
        slot.failures = slot.failures.saturating_add(1);
        let longest =
            slot.period.saturating_mul(LONGEST_PAUSE_PERIODS).min(LONGEST_PAUSE).max(slot.period);
        let factor = 1 << slot.failures.min(LONGEST_PAUSE_PERIODS.ilog2());
        slot.due = grid + slot.period.saturating_mul(factor).min(longest);
        slot.failures == 1
    }

    /// The device had its turn at `started`, whatever came of it; on to the next cycle.
    pub(super) fn passed(&mut self, position: usize, started: Timestamp) {
        let grid = self.grid(position, started);
        let slot = &mut self.slots[position];
        slot.started = started;
        slot.due = grid + slot.period;
    }

    /// The line is back: everyone's turn is now, and those who were silent may be quick to return.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        for slot in &mut self.slots {
            slot.due = slot.due.min(now);
            slot.failures = slot.failures.min(1);
        }
    }

    /// Whether nobody on the line answers. Of a single device that says nothing about the line.
    pub(super) fn all_silent(&self) -> bool {
        self.slots.len() > 1 && self.slots.iter().all(|slot| slot.failures > 0)
    }

    /// Of those, the one whose turn comes first.
    ///
    /// Of several that are due at once, shorter periods go first, so that their place in the bunch is
    /// the same in every cycle; then who has waited longest, so that a line that cannot keep up is
    /// unfair to nobody.
    fn first(&self, wanted: impl Fn(&Slot) -> bool) -> Option<usize> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| wanted(slot))
            .min_by_key(|(position, slot)| (slot.due, slot.period, slot.started, *position))
            .map(|(position, _)| position)
    }

    fn turn(&self, position: usize, now: Timestamp) -> Next {
        let due = self.slots[position].due;
        if due <= now { Next::Poll(position) } else { Next::Wait(due) }
    }

    /// The last point of the device's grid up to `at`.
    fn grid(&self, position: usize, at: Timestamp) -> Timestamp {
        let period = self.slots[position].period.as_millis();
        let into = at.since(self.origin).as_millis() % period;
        at - Duration::from_millis(u64::try_from(into).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn four_dead_slaves_of_32_cost_the_others_nothing() {
        let mut line = Line::new(32, 15, 200);
        line.dead.extend([3, 9, 17, 30]);

        line.run_until(3_600);

        for slave in line.healthy() {
            let polls = &line.polls[slave];
            let intervals: Vec<i64> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
            // Polls before everyone has had a turn cannot know who is dead.
            for interval in &intervals[2..] {
                assert!((900..=1_100).contains(interval), "slave {slave} after {interval} ms");
            }
            let mean =
                (polls[polls.len() - 1] - polls[0]) / i64::try_from(intervals.len()).unwrap();
            assert!((900..=1_100).contains(&mean), "slave {slave} every {mean} ms");
            assert!(polls.len() >= 3_598, "slave {slave} was asked {} times", polls.len());
        }
        for slave in [3, 9, 17, 30] {
            assert!(line.polls[slave].len() < 120, "{} questions", line.polls[slave].len());
        }
    }

    #[test]
    fn a_silent_device_is_asked_ever_less_often() {
        let mut line = Line::new(2, 15, 200);
        line.dead.push(1);

        line.run_until(160);

        let at: Vec<i64> = line.polls[1].iter().map(|ms| ms / 1_000).collect();
        assert_eq!(at, [0, 2, 6, 14, 30, 62, 94, 126, 158]);
    }

    #[test]
    fn no_pause_is_longer_than_ten_minutes_unless_the_period_is() {
        let cases = [
            ("32 periods", 10, 320),
            ("ten minutes", 60, 600),
            ("the period itself", 3_600, 3_600),
        ];

        for (why, period, pause) in cases {
            let period = Duration::from_secs(period);
            let mut schedule = Schedule::new([period; 2], limits(200), Timestamp(0));
            for _ in 0..40 {
                schedule.failed(0, Timestamp(0));
            }

            assert_eq!(schedule.slots[0].due, Timestamp(pause * 1_000), "{why}");
        }
    }

    #[test]
    fn a_device_that_is_back_is_noticed_within_its_longest_pause() {
        let mut line = Line::new(32, 15, 200);
        line.dead.push(9);
        line.run_until(1_000);

        line.dead.clear();
        let before = line.polls[9].len();
        line.run_until(1_034);

        assert!(line.polls[9].len() > before, "not asked within 33 periods and a bit");
        line.run_until(1_044);
        assert!(line.polls[9].len() > before + 9, "not every period from then on");
    }

    #[test]
    fn a_line_without_a_free_moment_still_probes_once_a_minute() {
        for (why, answer_ms) in [("no room for a timeout", 30), ("overloaded", 60)] {
            let mut line = Line::new(32, answer_ms, 200);
            line.dead.extend([3, 9]);

            line.run_until(1_200);

            let mut probes: Vec<i64> = line.polls[3]
                .iter()
                .chain(&line.polls[9])
                .copied()
                .filter(|ms| *ms > 5_000)
                .collect();
            probes.sort_unstable();
            assert!((15..=20).contains(&probes.len()), "{why}: {} probes", probes.len());
            let turns = || line.healthy().map(|slave| line.polls[slave].len());
            let (rarest, most) = (turns().min().unwrap(), turns().max().unwrap());
            // Two more: nobody knew who was dead in the first cycle.
            assert!(
                most - rarest <= probes.len() + 2,
                "{why}: a probe costs a device more than one turn ({rarest} against {most})"
            );
        }
    }

    #[test]
    fn polls_stay_on_the_grid_and_missed_ones_are_skipped() {
        let mut schedule = Schedule::new([SECOND], limits(200), Timestamp(0));

        for (why, started, next) in [
            ("in time", 0, 1_000),
            ("late within the cycle", 1_700, 2_000),
            ("three cycles late", 5_300, 6_000),
        ] {
            schedule.answered(0, Timestamp(started));

            assert_eq!(schedule.next(Timestamp(started)), Next::Wait(Timestamp(next)), "{why}");
        }
    }

    #[test]
    fn short_periods_keep_their_place_when_longer_ones_join() {
        let schedule = Schedule::new([SECOND * 2, SECOND], limits(200), Timestamp(0));

        assert_eq!(schedule.next(Timestamp(0)), Next::Poll(1));
    }

    #[test]
    fn when_nobody_answers_somebody_is_asked_every_minute() {
        let mut schedule = Schedule::new([SECOND * 60; 2], limits(200), Timestamp(0));
        assert!(!schedule.all_silent());
        let mut now = Timestamp(0);
        let mut asked = Vec::new();

        while now < Timestamp(1_200_000) {
            match schedule.next(now) {
                Next::Poll(position) => {
                    asked.push(now);
                    schedule.failed(position, now);
                    now = now + Duration::from_millis(200);
                }
                Next::Wait(until) => now = until,
            }
        }

        assert!(schedule.all_silent());
        assert!(asked.windows(2).all(|pair| pair[1].since(pair[0]) <= SECOND * 61), "{asked:?}");
    }

    #[test]
    fn a_line_that_is_back_has_everyone_s_turn() {
        let mut schedule = Schedule::new([SECOND * 600; 2], limits(200), Timestamp(0));
        schedule.answered(0, Timestamp(0));
        for _ in 0..9 {
            schedule.failed(1, Timestamp(0));
        }

        schedule.hurry(Timestamp(5_000));

        assert_eq!(schedule.next(Timestamp(5_000)), Next::Poll(0));
        schedule.answered(0, Timestamp(5_000));
        assert_eq!(schedule.next(Timestamp(5_100)), Next::Poll(1));
        assert!(schedule.answered(1, Timestamp(5_100)));
        assert_eq!(schedule.next(Timestamp(5_200)), Next::Wait(Timestamp(600_000)));
    }

    fn limits(cost_ms: u64) -> Limits {
        Limits { cost: Duration::from_millis(cost_ms), patience: Duration::from_mins(1) }
    }

    /// A simulated line: slaves polled every second, each answer takes its time, a dead slave costs
    /// the timeout.
    struct Line {
        schedule: Schedule,
        now: Timestamp,
        answer: Duration,
        timeout: Duration,
        dead: Vec<usize>,
        polls: Vec<Vec<i64>>,
    }

    impl Line {
        fn new(slaves: usize, answer_ms: u64, timeout_ms: u64) -> Self {
            Self {
                schedule: Schedule::new(vec![SECOND; slaves], limits(timeout_ms), Timestamp(0)),
                now: Timestamp(0),
                answer: Duration::from_millis(answer_ms),
                timeout: Duration::from_millis(timeout_ms),
                dead: Vec::new(),
                polls: vec![Vec::new(); slaves],
            }
        }

        fn healthy(&self) -> impl Iterator<Item = usize> {
            (0..self.polls.len()).filter(|slave| !self.dead.contains(slave))
        }

        fn run_until(&mut self, second: i64) {
            while self.now < Timestamp(second * 1_000) {
                let started = self.now;
                match self.schedule.next(started) {
                    Next::Wait(until) => self.now = until,
                    Next::Poll(slave) => {
                        self.polls[slave].push(started.0);
                        if self.dead.contains(&slave) {
                            self.now = started + self.timeout;
                            self.schedule.failed(slave, started);
                        } else {
                            self.now = started + self.answer;
                            self.schedule.answered(slave, started);
                        }
                    }
                }
            }
        }
    }
}
