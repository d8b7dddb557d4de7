//! Where frames come from: one file per kind of wire. A source knows its wire and the pipeline's
//! inputs, and nothing else of the program. [`Wires`] is where an integrator may ask something.

pub mod camera;
pub mod localbus;
pub mod modbus;
pub mod mqtt;

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

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

/// Where a camera publishes its pictures. It is made by what knows brokers, and asked by what knows cameras.
pub trait Published: Send {
    /// A connection, which is made when it is first asked for a message.
    fn open(&self) -> Box<dyn Passing>;
}

/// A connection on which a camera's messages pass.
pub trait Passing: Send {
    /// The next message. To be dropped in the middle, or after an error, only with the connection itself.
    fn next(&mut self) -> BoxFuture<'_, Result<Message, Unheard>>;
}

/// What a camera has published.
#[derive(Debug)]
pub struct Message {
    pub payload: Vec<u8>,
    /// The broker has kept it for newcomers: nobody knows how old it is.
    pub is_retained: bool,
}

/// Why no message comes.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// The connection is lost or of no use; it is to be opened anew, after a pause.
    #[error("{0}")]
    Lost(String),
    /// It was longer than anybody takes.
    #[error("a message of more than {0} bytes")]
    TooLong(usize),
}
