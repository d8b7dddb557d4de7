//! Drivers for the sensors of the nodes and of the box: bytes on a bus in, numbers with units out.
//!
//! One file per chip, generic over embedded-hal 1.0 and embedded-io; no chip family, no pin and no
//! RTOS is named here, so the same file runs on a microcontroller, on the box and on a desk. Each
//! has a pure part that needs no bus (what to send, what an answer means) under a thin blocking one,
//! and with the feature `async` a twin that waits without blocking.
//!
//! - air: [`sht4x`], [`sht3x`] (temperature, humidity), [`scd4x`] (CO2), [`pms5003`] (particles),
//! - distance: [`a02yyuw`] (ultrasonic), [`tf_luna`] (time of flight),
//! - parking: [`lis3mdl`] (magnetic field); bins: [`hx711`] (weight),
//! - analog: [`ads1115`] and [`mcp3208`] read volts, [`gas`] and [`current_loop`] say what they mean.
//!
//! Nothing here waits for ever: who does not answer in time is [`Error::Silent`].
#![no_std]

#[cfg(test)]
extern crate std;

pub mod a02yyuw;
pub mod ads1115;
pub mod crc;
pub mod current_loop;
pub mod error;
pub mod gas;
pub mod hx711;
pub mod lis3mdl;
pub mod mcp3208;
pub mod pms5003;
pub mod scd4x;
pub mod sht3x;
pub mod sht4x;
#[cfg(test)]
mod stand_in;
pub mod tf_luna;
pub mod uart;

pub use error::Error;
