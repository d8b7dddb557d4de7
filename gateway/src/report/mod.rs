//! The monthly report: what happened, how it was handled, and what to change.
//!
//! [`gatehouse_core::report`] counts. Here the figures become a paper in one language (`compose`,
//! `sentences`, `tables`, `words`), which the console shows as a page and [`pdf`] prints; and here they are
//! asked of the journal, for the console and for `gatehouse report` ([`collect`]). Nothing comes from
//! elsewhere: the fonts lie in the program.

pub mod collect;
mod compose;
mod figures;
pub mod paper;
pub mod pdf;
#[cfg(test)]
pub(crate) mod sample;
mod sentences;
mod tables;
#[cfg(test)]
mod tests;
mod words;

pub use compose::paper;
pub use figures::figures;
