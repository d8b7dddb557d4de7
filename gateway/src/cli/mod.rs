//! One file per command. Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.

pub mod check;
pub mod demo;
pub mod events;
pub mod replay;
pub mod run;
pub mod schema;
pub mod simulate;
