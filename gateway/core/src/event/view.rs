//! Two views of one event: the platform gets the whole of it ([`EventData`]), who goes there gets the place
//! and what to do ([`Errand`]), without anybody's name or words.

use serde::{Deserialize, Serialize};

use super::message::{EventData, Stage, State};
use crate::community::quantity::Text;
use crate::community::scene::{Category, Tier};

/// What a grid worker needs of an event: where it is and what to do. No names, no notes, no texts of
/// people, nothing that a device sent along (`echo`), and no readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    pub event: String,
    pub category: Category,
    pub title: Text,
    pub level: u8,
    pub state: State,
    pub stage: Stage,
    pub tier: Tier,
    pub area: String,
    pub location: Text,
    pub advice: Text,
    pub started: String,
    pub drill: bool,
    /// When the next tier is called if nothing happens (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
}

/// What the one who goes there gets.
pub fn errand(data: &EventData) -> Errand {
    Errand {
        event: data.event.clone(),
        category: data.category,
        title: data.title.clone(),
        level: data.level,
        state: data.state,
        stage: data.handling.stage,
        tier: data.tier,
        area: data.area.clone(),
        location: data.location.clone(),
        advice: data.advice.clone(),
        started: data.started.clone(),
        drill: data.drill,
        due: data.handling.due.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::message::{
        Cause, Certainty, Contribution, Handling, Reported, Review, Urgency,
    };

    #[test]
    fn who_goes_there_gets_the_place_and_the_action_and_nobodys_name_or_words() {
        let secret = "SECRET".to_owned();
        let text = |text: &str| Text::new(text, text);
        let contribution = Contribution {
            device: secret.clone(),
            point: secret.clone(),
            observed: None,
            expected: (None, None),
            unit: String::new(),
            share: 1.0,
        };
        let data = EventData {
            event: "e-1".into(),
            scene: "report".into(),
            category: Category::Safety,
            title: text("a gap in the fence"),
            level: 3,
            urgency: Urgency::Expected,
            certainty: Certainty::Possible,
            state: State::Open,
            tier: Tier::Grid,
            area: "east".into(),
            device: "gw".into(),
            location: text("at the gate"),
            started: "2026-03-01T00:00:00.000Z".into(),
            detected: String::new(),
            cause: Cause {
                why: text("SECRET"),
                contributions: vec![contribution],
                ..Cause::default()
            },
            affected: vec![secret.clone()],
            advice: text("go and look"),
            evidence: vec![secret.clone()],
            review: Review { by: Some(secret.clone()), ..Review::default() },
            drill: false,
            handling: Handling {
                stage: Stage::Dispatched,
                assignee: Some(secret.clone()),
                by: Some(secret.clone()),
                note: Some(secret.clone()),
                ..Handling::default()
            },
            reports: vec![Reported { by: secret.clone(), at: String::new(), text: secret.clone() }],
            echo: BTreeMap::from([("who".to_owned(), secret.clone().into())]),
        };

        let errand = serde_json::to_string(&errand(&data)).unwrap();

        assert!(!errand.contains("SECRET"), "{errand}");
        for needed in ["at the gate", "go and look", "a gap in the fence", "dispatched", "east"] {
            assert!(errand.contains(needed), "{needed}: {errand}");
        }
        assert!(
            serde_json::to_string(&data).unwrap().contains("SECRET"),
            "the platform gets it all"
        );
    }
}
