//! From measurements to a value: a median that shrugs off spikes, a reason when a chip fails again and
//! again, and a yes or no that does not flicker.

use gatehouse_contract::NoData;

/// A chip may fail so often in a row before its last value no longer counts.
pub const FORGIVEN: u8 = 2;

/// The median of the last five measurements.
#[derive(Debug, Clone)]
pub struct Filter {
    last: [f32; 5],
    many: usize,
    next: usize,
    failed: u8,
    why: NoData,
}

impl Default for Filter {
    fn default() -> Self {
        Self { last: [0.0; 5], many: 0, next: 0, failed: 0, why: NoData::Absent }
    }
}

impl Filter {
    /// Takes a measurement; no number is a fault of the chip.
    pub fn take(&mut self, measured: Result<f32, NoData>) {
        match measured {
            Ok(value) if value.is_finite() => {
                self.last[self.next] = value;
                self.next = (self.next + 1) % self.last.len();
                self.many = (self.many + 1).min(self.last.len());
                self.failed = 0;
            }
            Ok(_) => self.fail(NoData::Fault),
            Err(why) => self.fail(why),
        }
    }

    /// The value, or why there is none.
    pub fn value(&self) -> Result<f32, NoData> {
        if self.many == 0 {
            return Err(self.why);
        }
        let mut sorted = self.last;
        let sorted = &mut sorted[..self.many];
        sorted.sort_unstable_by(f32::total_cmp);
        Ok(sorted[self.many / 2])
    }

    fn fail(&mut self, why: NoData) {
        self.failed = self.failed.saturating_add(1);
        self.why = why;
        if self.failed > FORGIVEN {
            // What was measured before says nothing about what comes after.
            (self.many, self.next) = (0, 0);
        }
    }
}

/// A yes or no that has to be wished for a while.
#[derive(Debug, Clone, Copy, Default)]
pub struct Debounce {
    pub state: bool,
    wished_since: Option<u64>,
}

impl Debounce {
    /// Says whether the state has just changed.
    pub fn wish(&mut self, wish: bool, hold: u64, now: u64) -> bool {
        if wish == self.state {
            self.wished_since = None;
            return false;
        }
        let since = *self.wished_since.get_or_insert(now);
        let is_changed = now - since >= hold;
        if is_changed {
            *self = Self { state: wish, wished_since: None };
        }
        is_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_does_not_show_and_two_do_not_either() {
        let mut filter = Filter::default();
        for value in [20.0, 20.1, 85.0, 20.2, -40.0] {
            filter.take(Ok(value));
        }

        assert_eq!(filter.value(), Ok(20.1));
    }

    #[test]
    fn a_chip_may_fail_twice_and_not_three_times() {
        let mut filter = Filter::default();
        assert_eq!(filter.value(), Err(NoData::Absent));
        filter.take(Ok(7.0));

        filter.take(Err(NoData::Timeout));
        filter.take(Ok(f32::NAN));
        assert_eq!(filter.value(), Ok(7.0));
        filter.take(Err(NoData::Timeout));
        assert_eq!(filter.value(), Err(NoData::Timeout));

        filter.take(Ok(9.0));
        assert_eq!(filter.value(), Ok(9.0), "and the old ones do not come back");
    }

    #[test]
    fn a_wish_must_last() {
        let mut debounce = Debounce::default();

        assert!(!debounce.wish(true, 30, 0));
        assert!(!debounce.wish(false, 30, 20), "it wavered");
        assert!(!debounce.wish(true, 30, 40));
        assert!(!debounce.wish(true, 30, 69));
        assert!(debounce.wish(true, 30, 70));
        assert!(debounce.state);
    }
}
