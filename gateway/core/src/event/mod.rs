//! The book of events.
pub mod message;
