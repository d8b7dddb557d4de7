//! A candidate bundle beside the live one, and a promoted one on probation.
//!
//! While there is a candidate, a second pipeline sees all that the live one sees and tells nobody
//! ([`beside`]); [`account`] holds what the two raised against each other and against the budgets of
//! false alarms. Who breaks a budget is stopped, or, when it was promoted not long ago, taken back. In
//! the order the data takes:
//!
//! 1. [`feed`]: what the engine lets be seen, without ever waiting,
//! 2. [`watch`]: the thread that runs the candidate and counts,
//! 3. [`account`] and [`chance`]: what was raised by whom, and how many events are likely,
//! 4. [`kept`]: the accounts on disk.
//!
//! The candidate begins with what the live one had kept on disk when this start or reload came: open
//! events, what points have learnt, what was used of budgets. It keeps nothing of its own but the
//! account, so the next start begins from the live one's again. Only events that are told count:
//! scenes on `pilot` and those that wait for a person's yes do not.

pub mod account;
mod beside;
pub mod chance;
pub mod feed;
pub mod kept;
pub mod watch;

use std::time::Duration;

use gatehouse_core::community::quantity::Text;

use account::Broke;
pub use beside::misfit;
use kept::Kept;

/// A promoted bundle is watched for so long; only the time counts in which the gateway ran.
pub const PROBATION: Duration = Duration::from_hours(7 * 24);

/// A candidate runs at least so long before it is promoted without further words.
pub const TRIAL: Duration = Duration::from_hours(24);

/// What the watch shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Watched {
    pub kept: Kept,
    /// Why the candidate does not run.
    pub fault: Option<String>,
}

/// A bundle that broke a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// It was promoted and stands; else it runs beside, and has been stopped.
    pub was_live: bool,
    /// Its folder's name.
    pub bundle: String,
    /// Its name and version.
    pub title: String,
    pub broke: Broke,
}

impl Verdict {
    /// In one sentence.
    pub fn why(&self) -> Text {
        let Self { title, broke: Broke { title: scene, raised, likely, per_week, .. }, .. } = self;
        Text::new(
            format!(
                "{title} 在“{}”中由模型报了 {raised} 起，按每周 {per_week:.2} 起误报的预算至多 {likely} 起",
                scene.zh
            ),
            format!(
                "the models of {title} raised {raised} events in the scene {}, where its budget of \
                 {per_week:.2} a week makes at most {likely} likely",
                scene.en
            ),
        )
    }
}
