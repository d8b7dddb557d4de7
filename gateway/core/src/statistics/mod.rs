//! What is kept of a point's past: a few numbers for each quarter of an hour, and all around events.
//!
//! Readings come from the pipeline ([`crate::pipeline`]), which hands the written form to the store
//! once in a while; `gatehouse backtest` reads it back and asks [`crate::detect::coarse`] what a rule
//! would have made of it.
//!
//! 1. [`quarter`]: which quarter of an hour, and what a point was in it,
//! 2. [`ledger`]: the quarters of one device as they pass,
//! 3. [`page`]: many devices and quarters as bytes, and back,
//! 4. [`episode`]: what a detector would have raised in them,
//! 5. [`window`]: the readings around an event, one by one.
//!
//! Quarters are those of UTC, by the time that the reading has for detectors: the device's own, where
//! it is believed. A reading that is not of the open quarter closes that and opens its own, whether it
//! is later or earlier; two pieces of one quarter are put together when they are read. So a restart, a
//! backlog and a clock that was set need nothing of their own.

pub mod episode;
pub mod ledger;
pub mod page;
pub mod quarter;
pub mod window;
