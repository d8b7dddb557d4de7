//! The watchdog: chapter 9. It interrupts when its time is over, and resets when it is over again.

use crate::clock::HERTZ;
use crate::register::{read, write};

const LOAD: usize = 0x4000_0000;
const CONTROL: usize = 0x4000_0008;
const CLEAR: usize = 0x4000_000C;
const INTERRUPT_AND_RESET: u32 = 0b11;
/// Clock gate 0 of the system control, and the watchdog's bit in it.
const GATE: usize = 0x400F_E100;
const GATE_DOG: u32 = 1 << 3;
/// Interrupts 0 to 31 of the NVIC, and the watchdog's bit.
const ENABLE: usize = 0xE000_E100;
const DOG: u32 = 1 << 18;

/// Two seconds until it barks, two until it bites.
pub(crate) fn start() {
    write(GATE, read(GATE) | GATE_DOG);
    pet();
    write(CONTROL, INTERRUPT_AND_RESET);
    write(ENABLE, DOG);
}

pub(crate) fn pet() {
    write(LOAD, 2 * HERTZ);
    write(CLEAR, 0);
}
