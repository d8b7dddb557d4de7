//! A candidate beside the live one, and a promoted bundle on probation.
//!
//! 1. [`account`]: what the two raised, side by side, and what was used of their budgets,
//! 2. [`chance`]: how many events are likely.

pub mod account;
pub mod chance;
