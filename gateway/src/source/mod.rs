//! Where frames come from: one file per kind of wire. A source knows its wire and the pipeline's
//! inputs, and nothing else of the program. [`Wires`] is where an integrator may ask something.

pub mod camera;
pub mod localbus;
pub mod modbus;
pub mod mqtt;

use std::collections::BTreeMap;

use crate::config::{BrokerConfig, Identity};

/// What an integrator may look at: the lines and brokers of the configuration that is in effect.
#[derive(Debug, Clone, Default)]
pub struct Wires {
    /// By the lines' ids.
    pub lines: BTreeMap<String, modbus::Prober>,
    pub brokers: Vec<BrokerConfig>,
    /// Who we are to a broker.
    pub identity: Option<Identity>,
}

/// What a broker's source hands to a camera that publishes its pictures: neither knows the other.
pub struct Pictures {
    /// The topic filter.
    pub topic: String,
    /// A longer payload is refused and counted.
    pub most_bytes: usize,
    /// Takes a payload at once; must not wait.
    pub take: Box<dyn Fn(Vec<u8>) + Send + Sync>,
}
