//! Where frames come from: one file per kind of wire. A source knows its wire and the pipeline's
//! inputs, and nothing else of the program.

pub mod modbus;
pub mod mqtt;
