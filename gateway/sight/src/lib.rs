//! Pictures in, numbers out: what a camera sees, without keeping it.
//!
//! The pure half of the camera path: no file, no wire, no clock, no inference engine. A picture comes in
//! as it was sent ([`picture`]), is made into what a model wants, and what the model answers is made into
//! boxes, a class or a mask ([`seen`]). Nothing here writes a picture anywhere.
//!
//! In the order in which a picture passes:

pub mod boxes;
pub mod classes;
pub mod grid;
pub mod input;
pub mod jpeg;
pub mod load;
pub mod manifest;
pub mod mask;
pub mod motion;
pub mod picture;
mod resize;
pub mod seen;
pub mod thumb;
pub mod tiles;
pub mod track;
pub mod view;
pub mod watch;
pub mod zone;
