//! `[evidence]`: whether stills are made at all, for how long they stay, and by what right.

use std::time::Duration;

use gatehouse_core::community::quantity::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nobody needs a still for longer to see to what it shows.
pub const LONGEST: Duration = Duration::from_hours(30 * 24);
/// Letters of the basis: it stands on pages.
pub const LONGEST_BASIS: usize = 500;

/// `[evidence]`: masked stills of what cameras see, kept on this box. Left out: none is kept, shown or sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EvidenceConfig {
    /// A still of an event is removed after so long; 30 days at most.
    #[serde(default = "keep")]
    pub keep: Period,
    /// By what right cameras look here, in your own words: the law, the decision of the residents. It is
    /// shown wherever a still is.
    #[schemars(length(min = 1, max = 500))]
    pub basis: String,
}

fn keep() -> Period {
    Period(Duration::from_hours(72))
}
