//! When to measure what. A turn that is late is made up for once, not as often as it was missed, and the
//! turns after it come at their old times: a plan does not drift.

use crate::sense::Quantity;

/// Most turns of a plan.
pub const MOST: usize = 8;

/// One quantity and its period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub quantity: Quantity,
    /// In microseconds.
    pub every: u64,
}

/// The times of the turns that come next.
#[derive(Debug, Clone)]
pub struct Plan {
    turns: &'static [Turn],
    due: [u64; MOST],
}

impl Plan {
    /// Every turn is due at once. Turns beyond [`MOST`] are left out.
    pub fn new(turns: &'static [Turn], now: u64) -> Self {
        Self { turns: &turns[..turns.len().min(MOST)], due: [now; MOST] }
    }

    /// What waits longest of what is due; its turn is taken with that.
    pub fn next(&mut self, now: u64) -> Option<Quantity> {
        let waiting = self.turns.iter().zip(&mut self.due).filter(|(_, due)| **due <= now);
        let (turn, due) = waiting.min_by_key(|(_, due)| **due)?;
        let every = turn.every.max(1);
        *due += every * ((now - *due) / every + 1);
        Some(turn.quantity)
    }

    /// Everything is due again, as for a self-test.
    pub fn all_at_once(&mut self, now: u64) {
        for due in &mut self.due {
            *due = (*due).min(now);
        }
    }

    pub fn turns(&self) -> &'static [Turn] {
        self.turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNS: [Turn; 2] = [
        Turn { quantity: Quantity::Field, every: 100 },
        Turn { quantity: Quantity::Supply, every: 1_000 },
    ];

    #[test]
    fn turns_come_at_their_times_however_late_they_are_asked_for() {
        let mut plan = Plan::new(&TURNS, 0);
        let mut taken = [0_u32; 2];

        // A loop that comes round every 70 us, and hangs for 500 once.
        let mut now = 0;
        while now < 100_000 {
            while let Some(quantity) = plan.next(now) {
                taken[usize::from(quantity == Quantity::Supply)] += 1;
            }
            now += if now == 35_000 { 500 } else { 70 };
        }

        assert_eq!(taken, [1_000 - 4, 100], "four of the hang's turns are not made up for");
    }

    #[test]
    fn who_waits_longest_comes_first() {
        let mut plan = Plan::new(&TURNS, 0);
        while plan.next(0).is_some() {}

        assert_eq!(plan.next(1_050), Some(Quantity::Field));
        assert_eq!(plan.next(1_050), Some(Quantity::Supply));
        assert_eq!(plan.next(1_050), None);
    }
}
