//! A made-up event message, for the tests of everything that reads messages.

use gatehouse_core::event::message::Message;
use serde_json::json;

/// The fire lane in the east is blocked: level III, opened on the first of January 2026 at 00:05 UTC.
pub(crate) fn message() -> Message {
    let message = json!({
        "specversion": "1.0",
        "id": "m-1",
        "source": "/townships/t/gateways/g",
        "type": "gatehouse.event.opened",
        "subject": "e-1",
        "time": "2026-01-01T00:05:00.000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:s",
        "sequence": "00000000000000000007",
        "bootid": "1",
        "timequality": "synced",
        "data": {
            "event": "e-1",
            "scene": "fire-lane-blocked",
            "category": "safety",
            "title": { "zh": "消防通道占用", "en": "Fire lane blocked" },
            "level": 3,
            "urgency": "Expected",
            "certainty": "Observed",
            "state": "open",
            "tier": "grid",
            "area": "east",
            "device": "lane-03",
            "location": { "zh": "", "en": "" },
            "started": "2026-01-01T00:00:00.000Z",
            "detected": "2026-01-01T00:05:00.000Z",
            "cause": {
                "detector": "held",
                "model": "rule",
                "score": 1.0,
                "threshold": 1.0,
                "why": { "zh": "有车辆停留：占用 1", "en": "Something stands there: occupied 1" },
                "contributions": [{
                    "device": "lane-03", "point": "occupied", "observed": 1.0,
                    "expected": [null, null], "unit": "1", "share": 1.0
                }],
                "grading": {
                    "over": 0.0, "lasted": 300.0, "people": 100, "certainty": 0.9, "devices": 1
                },
                "quality": 1.0
            },
            "affected": ["lane-03"],
            "advice": { "zh": "", "en": "" },
            "evidence": [],
            "review": { "required": false },
            "drill": false
        }
    });
    serde_json::from_value(message).unwrap()
}
