//! USART1 and the direction of the RS-485 driver.

use gatehouse_node::contract::common::parity;
use gatehouse_node::node::Wire;
use stm32f1xx_hal::gpio::{Output, PA8, PushPull};
use stm32f1xx_hal::pac::USART1;
use stm32f1xx_hal::prelude::*;
use stm32f1xx_hal::rcc::Clocks;
use stm32f1xx_hal::serial::{Config, Rx, Serial, StopBits, Tx};

/// A byte came damaged, or one was lost.
pub(crate) struct Damaged;

pub(crate) struct Line {
    out: Tx<USART1>,
    into: Rx<USART1>,
    /// High while we speak.
    driver: PA8<Output<PushPull>>,
    clocks: Clocks,
    saying: [u8; 256],
    many: usize,
    said: usize,
}

/// On this chip the parity is one of 9 bits: RM0008, section 27.3.7.
pub(crate) fn config(wire: Wire) -> Config {
    let config = Config::default().baudrate(wire.baud.bps());
    match i32::from(wire.parity) {
        parity::EVEN => config.wordlength_9bits().parity_even(),
        parity::ODD => config.wordlength_9bits().parity_odd(),
        _ => config.stopbits(StopBits::STOP2),
    }
}

impl Line {
    pub(crate) fn new<O, P>(
        serial: Serial<USART1, O, P>,
        driver: PA8<Output<PushPull>>,
        clocks: Clocks,
    ) -> Self
    where
        O: Sized,
        P: stm32f1xx_hal::gpio::UpMode,
        USART1: stm32f1xx_hal::serial::SerialExt,
    {
        let (out, mut into) = serial.split();
        into.listen();
        Self { out, into, driver, clocks, saying: [0; 256], many: 0, said: 0 }
    }

    /// Sets the line anew. The answer has left: the caller has waited for it.
    pub(crate) fn set(&mut self, wire: Wire) {
        let config = config(wire);
        let Self { out, into, clocks, .. } = self;
        // It can only say that something is still being sent, and nothing is.
        let _ = stm32f1xx_hal::serial::reconfigure(out, into, config, clocks);
    }

    pub(crate) fn heard(&mut self) -> Option<Result<u8, Damaged>> {
        match self.into.read() {
            Ok(byte) => Some(Ok(byte)),
            Err(nb::Error::WouldBlock) => None,
            Err(nb::Error::Other(_)) => Some(Err(Damaged)),
        }
    }

    /// Takes up an answer and begins to send it.
    pub(crate) fn say(&mut self, answer: &[u8]) {
        self.many = answer.len().min(self.saying.len());
        self.said = 0;
        self.saying[..self.many].copy_from_slice(&answer[..self.many]);
        self.driver.set_high();
        self.out.listen();
    }

    /// The next byte, when there is room for it.
    pub(crate) fn push(&mut self) {
        if self.said < self.many && self.out.write_u8(self.saying[self.said]).is_ok() {
            self.said += 1;
        }
        if self.said == self.many {
            self.out.unlisten();
        }
    }

    pub(crate) fn is_sending(&self) -> bool {
        self.many > 0
    }

    /// Leaves the line to others when the last bit is out.
    pub(crate) fn release(&mut self) {
        if self.many > 0 && self.said == self.many && self.out.is_tx_complete() {
            self.driver.set_low();
            (self.many, self.said) = (0, 0);
        }
    }
}
