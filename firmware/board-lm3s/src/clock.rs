//! Microseconds since the start, in steps of the tick.

use core::cell::Cell;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use critical_section::{CriticalSection, Mutex};

/// After a reset QEMU runs the chip at 12.5 MHz (RCC as after power-on, divided by 16).
pub(crate) const HERTZ: u32 = 12_500_000;
/// Microseconds of a tick: see `Node::answer`.
const TICK: u32 = 500;

static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

pub(crate) fn start() {
    if let Some(core) = cortex_m::Peripherals::take() {
        let mut clock: SYST = core.SYST;
        clock.set_clock_source(SystClkSource::Core);
        clock.set_reload(HERTZ / 1_000_000 * TICK + HERTZ % 1_000_000 * TICK / 1_000_000 - 1);
        clock.clear_current();
        clock.enable_counter();
        clock.enable_interrupt();
    }
}

pub(crate) fn tick() {
    critical_section::with(|token| {
        let ticks = TICKS.borrow(token);
        ticks.set(ticks.get() + 1);
    });
}

pub(crate) fn now(token: CriticalSection) -> u64 {
    TICKS.borrow(token).get() * u64::from(TICK)
}
