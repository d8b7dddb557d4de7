//! What a sensor node and the gateway have agreed on, and nothing else.
//!
//! A node writes its measurements with [`Register::encode`], whoever reads them uses
//! [`Register::decode`]; neither has a number of its own. The gateway's device types
//! `config/device-types/node-*.toml` and the tables in `docs/nodes.md` are written from here, and a
//! test compares them.
//!
//! The modules, in the order a newcomer wants them:
//!
//! 1. [`register`] is one value on the wire: its words, its scale, its codes for "no data",
//! 2. [`map`] is all registers of a node,
//! 3. [`common`] is what every node has: who it is, how it fares, its address, its commands,
//! 4. [`air`], [`parking`] and [`bin`] are the three nodes.
#![no_std]

pub mod air;
pub mod bin;
pub mod common;
pub mod map;
pub mod parking;
pub mod register;

pub use map::{Map, Table};
pub use register::{Access, Coding, NoData, Register, Words};

/// Every map there is, by kind.
pub const MAPS: [&Map; 3] = [&air::MAP, &parking::MAP, &bin::MAP];

/// The map of that kind and version; a node with another one must not be guessed at.
pub fn known(kind: u16, version: u16) -> Option<&'static Map> {
    MAPS.into_iter().find(|map| map.kind == kind && map.version == version)
}
