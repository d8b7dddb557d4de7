//! A node whose kind a board need not know, so that interrupt and main loop can share one.

use crate::node::{Errand, Job, Node, Wire};
use crate::sense::{Measured, Quantity};

/// The calls of [`Node`]; see there.
pub trait Station: Send {
    fn wire(&self) -> Wire;
    fn wired(&mut self);
    fn byte(&mut self, byte: u8, now: u64);
    fn damaged(&mut self, now: u64);
    fn answer(&mut self, now: u64) -> Option<&[u8]>;
    fn due(&mut self, now: u64) -> Option<Quantity>;
    fn take(&mut self, what: Quantity, measured: Measured, now: u64);
    fn errand(&mut self, now: u64) -> Option<Errand>;
    fn saved(&mut self, is_written: bool);
    fn calibrated(&mut self, is_done: bool);
    fn may_pet(&self, now: u64) -> bool;
}

impl<J: Job + Send> Station for Node<J> {
    fn wire(&self) -> Wire {
        Node::wire(self)
    }

    fn wired(&mut self) {
        Node::wired(self);
    }

    fn byte(&mut self, byte: u8, now: u64) {
        Node::byte(self, byte, now);
    }

    fn damaged(&mut self, now: u64) {
        Node::damaged(self, now);
    }

    fn answer(&mut self, now: u64) -> Option<&[u8]> {
        Node::answer(self, now)
    }

    fn due(&mut self, now: u64) -> Option<Quantity> {
        Node::due(self, now)
    }

    fn take(&mut self, what: Quantity, measured: Measured, now: u64) {
        Node::take(self, what, measured, now);
    }

    fn errand(&mut self, now: u64) -> Option<Errand> {
        Node::errand(self, now)
    }

    fn saved(&mut self, is_written: bool) {
        Node::saved(self, is_written);
    }

    fn calibrated(&mut self, is_done: bool) {
        Node::calibrated(self, is_done);
    }

    fn may_pet(&self, now: u64) -> bool {
        Node::may_pet(self, now)
    }
}
