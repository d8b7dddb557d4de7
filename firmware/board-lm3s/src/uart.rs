//! UART0: chapter 11. Polled every half millisecond, for which its 16 places are enough at 115200 baud.

use core::cell::RefCell;

use critical_section::Mutex;
use gatehouse_node::contract::common::parity;
use gatehouse_node::node::Wire;

use crate::clock::HERTZ;
use crate::register::{read, write};

const DATA: usize = 0x4000_C000;
const FLAGS: usize = 0x4000_C018;
const DIVISOR: usize = 0x4000_C024;
const FRACTION: usize = 0x4000_C028;
const FORMAT: usize = 0x4000_C02C;
const CONTROL: usize = 0x4000_C030;
/// Clock gate 1 of the system control, and the bit of UART0 in it.
const GATE: usize = 0x400F_E104;
const GATE_UART0: u32 = 1;

const IS_SENDING: u32 = 1 << 3;
const IS_EMPTY: u32 = 1 << 4;
const IS_FULL: u32 = 1 << 5;
/// Overrun, break, parity, framing.
const ERRORS: u32 = 0xF << 8;
const ON: u32 = 1 | 1 << 8 | 1 << 9;
const EIGHT_BITS_QUEUED: u32 = 0b11 << 5 | 1 << 4;
const TWO_STOP_BITS: u32 = 1 << 3;
const PARITY: u32 = 1 << 1;
const EVEN: u32 = 1 << 2;

/// A byte came damaged.
pub(crate) struct Damaged;

/// What is being said: bytes, how many, how many are out.
static SAYING: Mutex<RefCell<([u8; 256], usize, usize)>> =
    Mutex::new(RefCell::new(([0; 256], 0, 0)));

pub(crate) fn open(wire: Wire) {
    write(GATE, read(GATE) | GATE_UART0);
    write(CONTROL, 0);
    // In 64ths of a sixteenth of a bit, rounded.
    let divisor = (HERTZ * 4 + wire.baud / 2) / wire.baud;
    write(DIVISOR, divisor / 64);
    write(FRACTION, divisor % 64);
    let format = match i32::from(wire.parity) {
        parity::EVEN => PARITY | EVEN,
        parity::ODD => PARITY,
        _ => TWO_STOP_BITS,
    };
    write(FORMAT, EIGHT_BITS_QUEUED | format);
    write(CONTROL, ON);
}

pub(crate) fn heard() -> Option<Result<u8, Damaged>> {
    if read(FLAGS) & IS_EMPTY != 0 {
        return None;
    }
    let word = read(DATA);
    let [byte, ..] = word.to_le_bytes();
    Some(if word & ERRORS == 0 { Ok(byte) } else { Err(Damaged) })
}

/// Takes up an answer; [`push`] sends it.
pub(crate) fn say(answer: &[u8]) {
    critical_section::with(|token| {
        let (bytes, many, out) = &mut *SAYING.borrow_ref_mut(token);
        (*many, *out) = (answer.len().min(bytes.len()), 0);
        bytes[..*many].copy_from_slice(&answer[..*many]);
    });
}

/// Sends as much as there is room for. Says whether something is left.
pub(crate) fn push() -> bool {
    critical_section::with(|token| {
        let (bytes, many, out) = &mut *SAYING.borrow_ref_mut(token);
        while *out < *many && read(FLAGS) & IS_FULL == 0 {
            write(DATA, bytes[*out].into());
            *out += 1;
        }
        *out < *many
    })
}

/// Waits until the last bit has left.
pub(crate) fn flush() {
    while push() || read(FLAGS) & IS_SENDING != 0 {
        cortex_m::asm::nop();
    }
}
