//! What a community cares about, as one file: inputs, detectors, grading, advice.
//!
//! These types *are* the file format of `config/scenes/*.toml`; their doc comments are its
//! reference (`gatehouse schema scene`). Alarm terms are those of ISA-18.2.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calendar::dates::LocalTime;
use super::calendar::{Calendar, Spell};
use super::frequency::Frequency;
use super::quantity::{Period, Quantity, Text};

/// One file in `config/scenes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scene {
    #[serde(rename = "scene")]
    pub head: SceneHead,
    /// What looks at the readings; at least one.
    #[serde(rename = "detector", default)]
    pub detectors: Vec<Detector>,
    /// How bad it is; the first line whose condition holds. Level IV when none does.
    #[serde(rename = "grade", default)]
    pub grades: Vec<Grade>,
    /// Worked examples of the whole scene; `gatehouse check` plays them all.
    #[serde(rename = "story", default, skip_serializing_if = "Vec::is_empty")]
    pub stories: Vec<Story>,
}

/// `[scene]`: what it is about and whom it concerns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SceneHead {
    /// Lower case, digits and dashes.
    pub id: String,
    /// The title of its events.
    pub title: Text,
    pub category: Category,
    #[serde(default)]
    pub status: Status,
    /// What one event is about: a device, or all devices of an area together.
    #[serde(default)]
    pub per: Per,
    /// Only devices of these types; every device that has the points when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub device_types: Vec<String>,
    /// Who handles it first.
    #[serde(default)]
    pub tier: Tier,
    /// It touches a person's rights: nothing is sent on before a person has said yes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
    /// When one of its events opens, what a restart should know is written to disk right behind it, as at a stop,
    /// five minutes after the last time at the earliest. For events after which the power may go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checkpoint: bool,
    /// A condition that returns within this time after it cleared reopens its event.
    #[serde(default = "reopen_within")]
    pub reopen_within: Period,
    /// How many false alarms its `model` detectors may raise, all devices and points together; its part
    /// of the community's `false-alarms` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_alarms: Option<Frequency>,
    /// What to do about it.
    pub advice: Text,
}

fn reopen_within() -> Period {
    Period(std::time::Duration::from_mins(10))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    Environment,
    Parking,
    Waste,
    Camera,
    Facility,
    Safety,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its events go to people and to the platform.
    #[default]
    Live,
    /// On trial: counted and shown, sent to nobody.
    Pilot,
    Off,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    #[default]
    Device,
    Area,
}

/// Who handles an event.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    #[default]
    Grid,
    Community,
    Township,
}

/// `[[detector]]`: one way to tell that something is wrong. Exactly one of `limit-high`,
/// `limit-low`, `when` and `model`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Detector {
    /// Unique within the scene.
    pub id: String,
    /// What it says, in the event's explanation; made from the limit or rule when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// The point that `limit-high` or `limit-low` judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<String>,
    /// Abnormal above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_high: Option<Quantity>,
    /// Abnormal below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_low: Option<Quantity>,
    /// How far back inside the limit the value must come before it counts as normal again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadband: Option<Quantity>,
    /// A CEL expression over the device's points by name, `rate.<point>` (change a minute over the
    /// last five), `mean.<point>` and `held.<point>` (seconds at this very value). Of the calendar it
    /// sees, at the reading's time, `business_day`, `holiday`, `school_holiday` and `quiet_hours`
    /// (true or false), `hour` (0 to below 24; 22.5 is half past ten) and `weekday` (1 Monday to 7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// A CEL expression that ends it; when left out, `when` being false does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear_when: Option<String>,
    /// Looks only then, by the community's `[calendar]` and the reading's time; for limits and `when`.
    /// What it has found is over when that time is, unless `clear-when` says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<Spell>,
    /// Looks at all times but then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_during: Option<Spell>,
    /// A model in `models/`, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The points that the model looks at; every point when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<String>,
    /// The model's score (0..1) from which it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Warn when the limit is expected to be passed within this time: an event of its own, by the
    /// model `limit-forecast`, with the id `<id>-soon`. At most six times `every`; needs 32 samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_within: Option<Period>,
    /// How sure the model must be to warn, 0..1; 0.5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_sure: Option<f64>,
    /// Distance of the samples that the model sees; each reading when left out, but `warn-within`
    /// needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// How long it must hold before it counts.
    #[serde(default)]
    pub on_delay: Period,
    /// How long it must be gone before it is over.
    #[serde(default)]
    pub off_delay: Period,
    /// How sure this detector is when it speaks, 0..1; 0.9 for rules, the score for models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certainty: Option<f64>,
}

impl Detector {
    /// The models that it asks, by name.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let warns = self.warn_within.map(|_| crate::detect::warning::MODEL);
        self.model.as_deref().into_iter().chain(warns)
    }
}

/// `[[grade]]`: one line of the grading table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grade {
    /// 1 extraordinary (red) .. 4 general (blue).
    #[schemars(range(min = 1, max = 4))]
    pub level: u8,
    /// A CEL expression over `over` (how far past the limit, as a share of it), `lasted` (seconds),
    /// `people` (living in the area), `certainty` (0..1), `devices` (how many are concerned) and
    /// `detector` (a list of the ids that speak).
    pub when: String,
}

/// `[[story]]`: what is seen, and what must come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Story {
    /// One sentence.
    pub title: String,
    pub device_type: String,
    /// When it begins, by the community's clock; for scenes that ask for the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<LocalTime>,
    /// The calendar that it goes by; the community's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Calendar>,
    /// In the order of time; a value stays until another step changes it, sent anew every `every`.
    pub steps: Vec<Step>,
    /// Distance of the frames.
    pub every: Period,
    /// How long to watch.
    pub lasts: Period,
    /// Lines such as `2m opened 3`, the time counted from the start; nothing else may happen.
    pub expect: Vec<String>,
}

/// One change of what the story's device measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    pub at: Period,
    /// Values by point; `"silent"` stands in for a device that stops talking.
    #[serde(default)]
    pub set: std::collections::BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
}
