//! A made-up event message, for the tests of everything that reads messages, and an engine that has
//! raised it, for those who hear what people say of it.

use std::sync::Arc;

use gatehouse_core::community::quantity::Text;
use gatehouse_core::event::action::{Acted, NotDone};
use gatehouse_core::event::message::{EventData, Message};
use gatehouse_core::pipeline::{Input, Ruling, Shift};
use serde_json::json;
use tokio::sync::mpsc;

use crate::desk::{ANSWERS, Desk};

/// A desk whose engine knows the event `e-1` and says back what it heard.
pub(crate) fn desk() -> Arc<Desk> {
    let (inputs, mut received) = mpsc::channel(4);
    let (rulings, told) = mpsc::channel(ANSWERS);
    let desk =
        Desk::new(inputs.downgrade(), told, Arc::new(|id| (id == "e-1").then(|| message().data)));
    let waiting = desk.waiting();
    tokio::spawn(async move {
        let _stays = inputs;
        while let Some(input) = received.recv().await {
            let (opinion, journal) = match input {
                Input::Verdict { opinion, journal } => (opinion, journal),
                Input::Act { action, ticket, journal } => {
                    let told = format!("{} {}", action.deed.word(), action.actor.name);
                    waiting.tell(ticket, acted(action.event, journal, &told));
                    continue;
                }
                Input::Report { report, ticket } => {
                    waiting.tell(
                        ticket,
                        acted("e-1".into(), Some(Box::new(message().data)), &report.text),
                    );
                    continue;
                }
                Input::Drill { drill, ticket } => {
                    waiting.tell(
                        ticket,
                        acted("e-1".into(), Some(Box::new(message().data)), &drill.scene),
                    );
                    continue;
                }
                _ => return,
            };
            let said = format!("{} {}", opinion.by, opinion.note);
            let (device, detector) = ("lane-03".into(), "held".into());
            let ruling = Ruling {
                is_known: journal.is_some(),
                shifts: vec![Shift { device, detector, from: 0.0, to: 0.25 }],
                told: Text::new(format!("听到 {said}"), format!("heard {said}")),
                event: opinion.event,
                verdict: opinion.verdict,
            };
            if rulings.send(ruling).await.is_err() {
                return;
            }
        }
    });
    Arc::new(desk)
}

fn acted(event: String, data: Option<Box<EventData>>, told: &str) -> Acted {
    let result = data.ok_or(NotDone::Unknown);
    Acted { event, result, told: Text::new(format!("做了 {told}"), format!("did {told}")) }
}

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
