//! The LM3S6965 as a node: a line on UART0, a clock, a watchdog, and sensors that are played.
//!
//! It is the board that QEMU emulates (`-M lm3s6965evb`), so the very program that answers on a pair of
//! wires answers a gateway in a test. What QEMU has not: flash that can be written (settings live in RAM
//! that a reset leaves alone), the driver of an RS-485 line, and the silence between characters.
//! Register addresses are from the LM3S6965 data sheet (DS-LM3S6965, chapters 6, 9 and 11).
#![no_std]

mod clock;
mod dog;
mod kept;
mod played;
mod register;
mod uart;

use core::cell::RefCell;
use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::exception;
use critical_section::Mutex;
use gatehouse_node::contract::common::ResetCause;
use gatehouse_node::{Errand, Made, Sense, Station};
pub use played::Played;

/// Set by the first start, for the serial number of an emulated chip.
const SERIAL: u32 = 6_965;
const FIRMWARE: u16 = 0x0001;

/// What the interrupt and the main loop share.
static STATION: Mutex<RefCell<Option<&'static mut dyn Station>>> = Mutex::new(RefCell::new(None));

/// What a node is told at its start, and its settings slots.
pub fn made() -> (Made, [&'static [u8]; 2]) {
    let made = Made { serial: SERIAL, firmware: FIRMWARE, cause: kept::cause(), switches: 0 };
    (made, kept::slots())
}

/// Serves the line from the clock's interrupt, and measures here.
pub fn run(station: &'static mut dyn Station, sense: &mut dyn Sense) -> ! {
    uart::open(station.wire());
    critical_section::with(|token| STATION.borrow_ref_mut(token).replace(station));
    clock::start();
    dog::start();
    loop {
        if let Some(Some(what)) = locked(|station, now| station.due(now)) {
            let measured = sense.measure(what);
            locked(|station, now| station.take(what, measured, now));
        }
        match locked(|station, now| station.errand(now)).flatten() {
            Some(Errand::Save { slot, record }) => {
                let is_written = kept::write(slot, &record);
                locked(|station, _| station.saved(is_written));
                uart::flush();
                locked(|station, _| {
                    uart::open(station.wire());
                    station.wired();
                });
            }
            Some(Errand::AskWho) => sense.ask_who(),
            Some(Errand::CalibrateCo2(ppm)) => {
                let is_done = sense.calibrate_co2(ppm).is_ok();
                locked(|station, _| station.calibrated(is_done));
            }
            Some(Errand::Restart) => {
                uart::flush();
                kept::mark(ResetCause::Command);
                SCB::sys_reset();
            }
            None => {}
        }
        if locked(|station, now| station.may_pet(now)) == Some(true) {
            dog::pet();
        }
        cortex_m::asm::wfi();
    }
}

fn locked<T>(call: impl FnOnce(&mut dyn Station, u64) -> T) -> Option<T> {
    critical_section::with(|token| {
        let now = clock::now(token);
        STATION.borrow_ref_mut(token).as_deref_mut().map(|station| call(station, now))
    })
}

/// Every half millisecond.
#[exception]
fn SysTick() {
    clock::tick();
    locked(|station, now| {
        while let Some(heard) = uart::heard() {
            match heard {
                Ok(byte) => station.byte(byte, now),
                Err(uart::Damaged) => station.damaged(now),
            }
        }
        if let Some(answer) = station.answer(now) {
            uart::say(answer);
        }
        uart::push();
    });
}

/// The watchdog barks once before it bites: the next start says why.
#[exception]
unsafe fn DefaultHandler(_irq: i16) {
    kept::mark(ResetCause::Watchdog);
    hang()
}

#[panic_handler]
fn panicked(_why: &PanicInfo) -> ! {
    hang()
}

/// The watchdog ends it.
fn hang() -> ! {
    cortex_m::interrupt::disable();
    loop {
        cortex_m::asm::nop();
    }
}
