//! The pure logic of a sensor node: measurements in, Modbus answers out.
//!
//! Nothing here knows a chip, a pin or a clock. A board hands in bytes and measurements together with
//! the time and carries out what it is asked for, so thirty days of a node pass in a second of a test.
//! Time is microseconds since the start, in 64 bits, and never runs backwards.
//!
//! The modules, in the order the data takes:
//!
//! 1. [`sense`] is what can be measured, [`plan`] says when,
//! 2. [`filter`] makes a value of measurements: median, failures, debounce,
//! 3. [`air`], [`parking`] and [`bin`] are the jobs of the three nodes,
//! 4. [`bank`] holds the words that the gateway reads,
//! 5. [`line`] makes frames of bytes, [`slave`] answers them,
//! 6. [`settings`] survive a brown-out in two slots,
//! 7. [`watch`] says whether the watchdog may be petted,
//! 8. [`node`] ties them together, and is what a board sees, as a [`station`] where it shares one.
#![cfg_attr(not(test), no_std)]

pub mod air;
pub mod bank;
pub mod bin;
pub mod filter;
pub mod line;
pub mod node;
pub mod parking;
pub mod plan;
pub mod sense;
pub mod settings;
pub mod slave;
pub mod station;
pub mod watch;

pub use gatehouse_contract as contract;
pub use node::{Errand, Made, Node};
pub use sense::{Quantity, Sense};
pub use station::Station;

/// A second.
pub const SECOND: u64 = 1_000_000;
