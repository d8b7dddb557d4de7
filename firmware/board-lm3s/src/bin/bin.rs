//! The bin node.
#![no_std]
#![no_main]

use board_lm3s::{Played, made, run};
use cortex_m_rt::entry;
use gatehouse_node::Node;
use gatehouse_node::bin::Bin;

#[entry]
fn main() -> ! {
    let (made, slots) = made();
    let node = cortex_m::singleton!(: Node<Bin> = Node::new(slots, &made, 0));
    let node = node.expect("main is called once");
    run(node, &mut Played::default())
}
