//! Microseconds since the start: ticks of half a millisecond, and how far the present one is.

use core::cell::Cell;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use critical_section::{CriticalSection, Mutex};

/// From the internal oscillator; nothing here needs a crystal: UARTs bear 2 %, it has 1 % at 25 degC and
/// 2.5 % from -40 on (data sheet, table 24).
pub(crate) const HERTZ: u32 = 48_000_000;
const MHZ: u32 = HERTZ / 1_000_000;
/// Microseconds of a tick: see `Node::answer`.
const TICK: u32 = 500;

static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));
/// The last time that was told: a tick that waits to be counted must not turn it back.
static LAST: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

pub(crate) fn start(mut clock: SYST) {
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(MHZ * TICK - 1);
    clock.clear_current();
    clock.enable_counter();
    clock.enable_interrupt();
}

pub(crate) fn tick() {
    critical_section::with(|token| {
        let ticks = TICKS.borrow(token);
        ticks.set(ticks.get() + 1);
    });
}

pub(crate) fn now(token: CriticalSection) -> u64 {
    let within = (MHZ * TICK - 1).saturating_sub(SYST::get_current()) / MHZ;
    let now = TICKS.borrow(token).get() * u64::from(TICK) + u64::from(within);
    let last = LAST.borrow(token);
    last.set(now.max(last.get()));
    last.get()
}
