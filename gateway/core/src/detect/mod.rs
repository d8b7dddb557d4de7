//! Rules and models turn readings into findings.
//!
//! Readings with quality `good` come in; [`Finding`]s go to [`crate::event`]. The rooms:
//!
//! 1. [`condition`]: delays: when does "true now" become "it is so",
//! 2. [`rule`]: CEL expressions over a device's points, and the grading table,
//! 3. [`anomaly`] and [`score`]: how unlike its own past a point is, with a model's help,
//! 4. [`silence`]: who has fallen silent, alone or with its whole wire,
//! 5. [`joint`] and [`together`]: whether a device's points fit each other,
//! 6. [`warning`]: and [`soon`]: how sure it is that a point passes its limit soon,
//! 7. [`bound`]: a scene's detectors fastened to one device, with their state; `explain`: what they say,
//! 8. [`coarse`]: what they tell from a quarter of an hour; `bytes`: numbers for the disk.

pub mod anomaly;
pub mod bound;
mod bytes;
pub mod coarse;
pub mod condition;
mod explain;
pub mod joint;
pub mod rule;
pub mod score;
pub mod silence;
pub mod soon;
pub mod together;
pub mod warning;

use crate::community::quantity::Text;
use crate::event::message::Contribution;

/// What a detector has to show for itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Evidence {
    /// The detector's id within its scene.
    pub detector: String,
    /// `rule`, or the model as `name@version`.
    pub model: String,
    /// 0..1 for a model; for a limit, the value that passed it.
    pub score: f64,
    /// The score or limit from which it counts.
    pub threshold: f64,
    /// How far past the limit, as a share of it; for a model, its score.
    pub over: f64,
    /// 0..1.
    pub certainty: f64,
    /// One sentence.
    pub why: Text,
    pub contributions: Vec<Contribution>,
    /// Share of good readings in the window that was judged, 0..1.
    pub quality: f64,
}
