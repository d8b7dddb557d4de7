//! What a new event is about: scene, place, people, advice; and how urgent it is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::health::Health;
use super::reporting::DANGEROUS;
use crate::community::Community;
use crate::community::quantity::Text;
use crate::community::scene::{Category, Tier};
use crate::detect::rule::{GradeQuestion, Grades};
use crate::detect::soon::SUFFIX;
use crate::event::message::{Cause, Certainty, EventData, Handling, Review, State, Urgency};
use crate::event::{Concern, Place, REPORT};
use crate::reading::{DeviceIndex, Timestamp};

/// The level of a scene's event, by its grading table.
pub(super) fn level_of(
    community: &Community,
    grades: &[Option<Grades>],
    scene: &str,
    question: &GradeQuestion,
) -> u8 {
    if let Some(health) = Health::from_id(scene) {
        return health.level();
    }
    if scene == REPORT {
        return if question.over >= DANGEROUS { 3 } else { 4 };
    }
    let position = community.scenes.iter().position(|s| s.head.id == scene);
    let level = position.and_then(|p| grades.get(p)?.as_ref()).map_or(4, |g| g.level(question));
    // What may come is never more urgent than level III.
    let warns =
        !question.detectors.is_empty() && question.detectors.iter().all(|id| id.ends_with(SUFFIX));
    if warns { level.max(3) } else { level }
}

/// What an event of a configured scene on that device is about.
pub(super) fn scene_concern(
    community: &Community,
    index: DeviceIndex,
    scene: usize,
    now: Timestamp,
) -> Concern {
    let head = &community.scenes[scene].head;
    let mut concern = empty_concern(Own::of(community, index), now);
    concern.reopen_within = head.reopen_within.0;
    concern.data.scene.clone_from(&head.id);
    concern.data.category = head.category;
    concern.data.title = head.title.clone();
    concern.data.tier = head.tier;
    concern.data.advice = head.advice.clone();
    concern.data.review.required = head.review;
    concern
}

/// What an event of the gateway's own is about.
pub(super) fn health_concern(
    community: &Community,
    index: DeviceIndex,
    health: Health,
    now: Timestamp,
) -> Concern {
    let mut concern = empty_concern(Own::of(community, index), now);
    health.id().clone_into(&mut concern.data.scene);
    concern.data.title = health.title();
    concern.data.tier = health.tier();
    concern.data.advice = health.advice();
    concern
}

/// Where something is, and who lives there.
pub(super) struct Own {
    pub(super) device: String,
    pub(super) area: String,
    pub(super) location: Text,
    pub(super) people: u32,
}

impl Own {
    fn of(community: &Community, index: DeviceIndex) -> Self {
        let Place { area, location } = place_of(community, index);
        let device = community.device(index);
        let people = community.areas[device.area].people;
        Self { device: device.id.clone(), area, location, people }
    }
}

/// An event that is about nothing yet.
pub(super) fn empty_concern(at: Own, now: Timestamp) -> Concern {
    let Own { device, area, location, people } = at;
    let data = EventData {
        event: String::new(),
        scene: String::new(),
        category: Category::Facility,
        title: Text::default(),
        level: 4,
        urgency: Urgency::Expected,
        certainty: Certainty::Possible,
        state: State::Open,
        tier: Tier::Grid,
        area,
        device,
        location,
        started: String::new(),
        detected: now.rfc3339(),
        cause: Cause::default(),
        affected: Vec::new(),
        advice: Text::default(),
        evidence: Vec::new(),
        review: Review::default(),
        drill: false,
        handling: Handling::default(),
        reports: Vec::new(),
        echo: BTreeMap::new(),
    };
    Concern { data, people, reopen_within: Duration::from_mins(10) }
}

/// Where a device stands: where its file says, else in its area.
pub(super) fn place_of(community: &Community, index: DeviceIndex) -> Place {
    let device = community.device(index);
    let area = &community.areas[device.area];
    let location = device.location.clone().unwrap_or_else(|| area.title.clone());
    Place { area: area.id.clone(), location }
}
