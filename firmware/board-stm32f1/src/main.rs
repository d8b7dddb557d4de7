//! A parking node on an STM32F103 board with an LIS3MDL magnetometer. Wiring: docs/nodes.md.
//!
//! Two interrupts serve the line: USART1 for each byte, the system timer every half millisecond for
//! silence and for the driver's direction. The main loop measures and runs errands. Data sheet: DS5319;
//! reference manual: RM0008.
#![no_std]
#![no_main]

mod clock;
mod kept;
mod line;
mod sensors;

use core::cell::RefCell;
use core::panic::PanicInfo;

use cortex_m::peripheral::{NVIC, SCB};
use cortex_m_rt::{entry, exception};
use critical_section::Mutex;
use gatehouse_node::contract::common::ResetCause;
use gatehouse_node::parking::Parking;
use gatehouse_node::{Errand, Made, Node, Sense};
use line::Line;
use sensors::Sensors;
use stm32f1xx_hal::pac::{self, interrupt};
use stm32f1xx_hal::prelude::*;
use stm32f1xx_hal::watchdog::IndependentWatchdog;
use stm32f1xx_hal::{adc, i2c, rcc};

const FIRMWARE: u16 = 0x0001;
/// Longer than a page takes to erase (data sheet, table 29: 40 ms) and than a measurement.
const DOG_MS: u32 = 4_000;

/// What the interrupts and the main loop share.
struct Shared {
    node: Node<Parking>,
    line: Line,
}

static SHARED: Mutex<RefCell<Option<Shared>>> = Mutex::new(RefCell::new(None));

#[entry]
fn main() -> ! {
    let (Some(chip), Some(mut core)) = (pac::Peripherals::take(), cortex_m::Peripherals::take())
    else {
        hang()
    };
    let cause = cause(&chip.RCC);
    let mut flash = chip.FLASH.constrain();
    let config = rcc::Config::hsi().sysclk(clock::HERTZ.Hz()).adcclk(8.MHz());
    let mut rcc = chip.RCC.freeze(config, &mut flash.acr);
    let mut a = chip.GPIOA.split(&mut rcc);
    let mut b = chip.GPIOB.split(&mut rcc);

    // DIP switches to ground; all open is 0, "use the register".
    let switches = [
        b.pb12.into_pull_up_input(&mut b.crh).is_low(),
        b.pb13.into_pull_up_input(&mut b.crh).is_low(),
        b.pb14.into_pull_up_input(&mut b.crh).is_low(),
        b.pb15.into_pull_up_input(&mut b.crh).is_low(),
    ];
    let switches = (0..).zip(switches).map(|(bit, is_on)| u8::from(is_on) << bit).sum();
    let made = Made { serial: serial(), firmware: FIRMWARE, cause, switches };
    let node = Node::<Parking>::new(kept::slots(), &made, 0);

    let pins = (a.pa9.into_alternate_push_pull(&mut a.crh), a.pa10);
    let serial = chip.USART1.serial(pins, line::config(node.wire()), &mut rcc);
    let driver = a.pa8.into_push_pull_output(&mut a.crh);
    let line = Line::new(serial, driver, rcc.clocks);

    // The bus measures its patience with it.
    core.DCB.enable_trace();
    core.DWT.enable_cycle_counter();
    let bus = i2c::Mode::standard(100.kHz());
    let bus = i2c::I2c::new(chip.I2C1, (b.pb6, b.pb7), bus, &mut rcc);
    let bus = bus.blocking_default(rcc.clocks);
    let supply = a.pa0.into_analog(&mut a.crl);
    let adc = adc::Adc::new(chip.ADC1, &mut rcc);
    let delay = chip.TIM2.delay_us(&mut rcc);
    let mut sensors = Sensors::new(bus, adc, supply, delay);

    critical_section::with(|token| {
        SHARED.borrow_ref_mut(token).replace(Shared { node, line });
    });
    clock::start(core.SYST);
    // SAFETY: what the interrupt needs stands in SHARED.
    unsafe { NVIC::unmask(pac::Interrupt::USART1) };
    let mut dog = IndependentWatchdog::new(chip.IWDG);
    dog.start(DOG_MS.millis());
    loop {
        turn(&mut sensors, &mut flash);
        if locked(|shared, now| shared.node.may_pet(now)) == Some(true) {
            dog.feed();
        }
        cortex_m::asm::wfi();
    }
}

/// One round of the main loop. Nothing is locked while a chip is waited for.
fn turn(sensors: &mut Sensors, flash: &mut stm32f1xx_hal::flash::Parts) {
    if let Some(Some(what)) = locked(|shared, now| shared.node.due(now)) {
        let measured = sensors.measure(what);
        locked(|shared, now| shared.node.take(what, measured, now));
    }
    match locked(|shared, now| shared.node.errand(now)).flatten() {
        Some(Errand::Save { slot, record }) => {
            flush();
            let is_written = kept::write(flash, slot, &record);
            locked(|shared, _| {
                shared.node.saved(is_written);
                shared.line.set(shared.node.wire());
                shared.node.wired();
            });
        }
        Some(Errand::AskWho) => sensors.ask_who(),
        Some(Errand::CalibrateCo2(ppm)) => {
            let is_done = sensors.calibrate_co2(ppm).is_ok();
            locked(|shared, _| shared.node.calibrated(is_done));
        }
        Some(Errand::Restart) => {
            flush();
            SCB::sys_reset();
        }
        None => {}
    }
}

/// Waits until the answer has left.
fn flush() {
    while locked(|shared, _| shared.line.is_sending()) == Some(true) {
        cortex_m::asm::wfi();
    }
}

fn locked<T>(call: impl FnOnce(&mut Shared, u64) -> T) -> Option<T> {
    critical_section::with(|token| {
        let now = clock::now(token);
        SHARED.borrow_ref_mut(token).as_mut().map(|shared| call(shared, now))
    })
}

/// A byte came, or there is room for one.
#[interrupt]
fn USART1() {
    locked(|shared, now| {
        match shared.line.heard() {
            Some(Ok(byte)) => shared.node.byte(byte, now),
            Some(Err(line::Damaged)) => shared.node.damaged(now),
            None => {}
        }
        shared.line.push();
    });
}

/// Every half millisecond.
#[exception]
fn SysTick() {
    clock::tick();
    locked(|Shared { node, line }, now| {
        if let Some(answer) = node.answer(now) {
            line.say(answer);
        }
        line.release();
    });
}

/// RM0008, section 7.3.10. The power-on flag stands for brown-out as well; the chip cannot tell them apart.
fn cause(rcc: &pac::RCC) -> ResetCause {
    let flags = rcc.csr().read();
    let cause = if flags.iwdgrstf().bit_is_set() {
        ResetCause::Watchdog
    } else if flags.sftrstf().bit_is_set() {
        ResetCause::Command
    } else if flags.porrstf().bit_is_set() {
        ResetCause::PowerOn
    } else if flags.pinrstf().bit_is_set() {
        ResetCause::Pin
    } else {
        ResetCause::Unknown
    };
    rcc.csr().modify(|_, flags| flags.rmvf().set_bit());
    cause
}

/// The chip's own number, folded: RM0008, section 30.2.
fn serial() -> u32 {
    const UNIQUE: *const u32 = 0x1FFF_F7E8 as *const u32;
    // SAFETY: three words of the system memory that are always there.
    let words = [0, 1, 2].map(|nth| unsafe { UNIQUE.add(nth).read_volatile() });
    words[0] ^ words[1] ^ words[2]
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
