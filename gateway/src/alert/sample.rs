//! A message to try channels with.

use gatehouse_core::alert::letter::Letter;
use gatehouse_core::community::quantity::Language;
use gatehouse_core::reading::Timestamp;

use super::channel::{Links, Message};

/// A fire, to a guard who reads English.
pub(super) fn message() -> Message {
    Message {
        letter: Letter {
            id: "gw-7".into(),
            language: Language::En,
            level: 1,
            is_over: false,
            drill: false,
            event: Some("01EVENT".into()),
            headline: "[Level I, extraordinary, red] bin on fire | east, house 3".into(),
            fields: vec![
                ("Where", "east, house 3".into()),
                ("What to do", "take an extinguisher".into()),
                ("No.", "gw-7".into()),
            ],
            list: Vec::new(),
        },
        address: "13800000000".into(),
        links: Links {
            page: Some("https://box/events/01EVENT".into()),
            acknowledge: Some("https://box/a/ACK".into()),
            false_alarm: Some("https://box/a/FALSE".into()),
        },
        event: None,
        items: Vec::new(),
        gateway: "gw".into(),
        now: Timestamp(1_772_337_600_123),
    }
}
