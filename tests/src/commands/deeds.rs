//! What the platform does to events, and exercises that it starts: answered, and told as the events'
//! own messages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::town::{Town, in_hours, kind};

/// The platform: what it asks for and what it is told.
struct Platform {
    town: Town,
    /// Messages come again until they are confirmed.
    seen: BTreeSet<String>,
    asked: u32,
}

impl Platform {
    async fn start() -> Self {
        Self { town: Town::start().await, seen: BTreeSet::new(), asked: 0 }
    }

    /// The next message that was not there before: what has become of which event, and all of it.
    async fn told(&mut self) -> (String, Value) {
        loop {
            let message: Value = serde_json::from_slice(&self.town.events.next().await).unwrap();
            // On a machine that is busy elsewhere a device may seem silent.
            let is_ours = message["data"]["scene"] == "odd";
            if self.seen.insert(message["id"].as_str().unwrap().to_owned()) && is_ours {
                let kind = message["type"].as_str().unwrap();
                let kind = kind.strip_prefix("gatehouse.event.").unwrap().to_owned();
                assert_eq!(message["subject"], message["data"]["event"], "{message}");
                return (kind, message["data"].clone());
            }
        }
    }

    async fn heats(&mut self, plug: &str, degrees: u32, expected: &str) -> String {
        self.town.say(&format!("tele/{plug}/STATE"), &format!("{{\"t\": {degrees}}}")).await;
        let (kind, data) = self.told().await;
        assert_eq!(kind, expected, "{data}");
        data["event"].as_str().unwrap().to_owned()
    }

    async fn asks(&mut self, command: &str, args: &Value) -> Value {
        self.asked += 1;
        let command = Town::command(&format!("deed-{}", self.asked), command, args);
        let signed = self.town.sign(&command).await;
        self.town.ask(&signed).await
    }

    /// Does it, and hears it told as that; gives the event as it is then.
    async fn does(&mut self, command: &str, args: &Value, expected: &str) -> Value {
        let reply = self.asks(command, args).await;
        assert_eq!(reply["ok"], true, "{command}: {reply}");
        let (kind, data) = self.told().await;
        assert_eq!((kind.as_str(), &data["event"]), (expected, &args["event"]), "{data}");
        assert_eq!(reply["result"]["event"], args["event"]);
        assert_eq!(reply["result"]["stage"], data["handling"]["stage"], "{reply}");
        let by = data["handling"]["by"].as_str().unwrap();
        assert!(by.starts_with("platform:"), "{by}");
        data
    }

    async fn is_refused(&mut self, command: &str, args: &Value, expected: &str) {
        let reply = self.asks(command, args).await;
        assert_eq!(kind(&reply), expected, "{command}: {reply}");
        assert!(!reply["message"].as_str().unwrap().is_empty(), "{reply}");
    }
}

#[tokio::test]
async fn an_event_goes_through_its_life_by_the_platform_s_word_and_the_sensor_s() {
    let mut platform = Platform::start().await;
    let event = platform.heats("plug", 99, "opened").await;

    let data = platform
        .does("event.acknowledge", &json!({ "event": event, "note": "on it" }), "acknowledged")
        .await;
    assert_eq!(data["handling"]["note"], "on it");
    let dispatch = json!({ "event": event, "to": "guards" });
    let data = platform.does("event.dispatch", &dispatch, "dispatched").await;
    assert_eq!(data["handling"]["assignee"], "guards");
    platform.does("event.handle", &json!({ "event": event }), "handled").await;
    // The sensor still sees it.
    platform.is_refused("event.verify", &json!({ "event": event }), "not-now").await;
    platform.is_refused("event.close", &json!({ "event": event }), "not-now").await;

    platform.heats("plug", 20, "cleared").await;
    let (kind, data) = platform.told().await;
    assert_eq!((kind.as_str(), &data["handling"]["by"]), ("verified", &json!("sensor")));
    platform.does("event.close", &json!({ "event": event }), "closed").await;
    let until = in_hours(2);
    let shelve = json!({ "event": event, "until": until });
    platform.is_refused("event.shelve", &shelve, "not-now").await;
    platform.town.stop().await;
}

#[tokio::test]
async fn an_event_is_verified_shelved_and_dismissed_by_the_platform_s_word() {
    let mut platform = Platform::start().await;
    let gone = platform.heats("plug", 99, "opened").await;
    platform.heats("plug", 20, "cleared").await;
    platform.does("event.verify", &json!({ "event": gone }), "verified").await;

    let works = platform.heats("plug-2", 99, "opened").await;
    let until = in_hours(2);
    let shelve = json!({ "event": works, "until": until, "note": "after the works" });
    let data = platform.does("event.shelve", &shelve, "shelved").await;
    assert_eq!(data["handling"]["shelved_until"].as_str(), Some(until.as_str()), "{data}");
    let late = json!({ "event": works, "until": "2026-01-01T00:00:00Z" });
    platform.is_refused("event.shelve", &late, "malformed").await;
    // The platform has people of its own, whom nobody here knows.
    let theirs = json!({ "event": works, "to": "township-crew-7" });
    platform.does("event.dispatch", &theirs, "dispatched").await;
    let dismiss = json!({ "event": works, "as": "planned-work" });
    platform.does("event.dismiss", &dismiss, "dismissed").await;

    let unknown = json!({ "event": "01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    platform.is_refused("event.acknowledge", &unknown, "not-found").await;
    platform.town.stop().await;
}

#[tokio::test]
async fn an_exercise_is_marked_as_one_in_every_message_and_ends() {
    let mut platform = Platform::start().await;
    let drill = json!({ "scene": "odd", "place": "east", "text": "the pump is too hot" });
    let reply = platform.asks("drill.start", &drill).await;
    assert_eq!((&reply["ok"], &reply["result"]["stage"]), (&json!(true), &json!("raised")));
    let event = reply["result"]["event"].clone();
    let of_event = json!({ "event": event });

    let (kind, opened) = platform.told().await;
    assert_eq!((kind.as_str(), &opened["event"]), ("opened", &event), "{opened}");
    let mut all = vec![opened];
    all.push(platform.does("event.acknowledge", &of_event, "acknowledged").await);
    // What no sensor watches is over when it was handled.
    let reply = platform.asks("event.handle", &of_event).await;
    assert_eq!(reply["result"]["stage"], "verified", "{reply}");
    for expected in ["handled", "cleared", "verified"] {
        let (kind, data) = platform.told().await;
        assert_eq!(kind, expected, "{data}");
        all.push(data);
    }
    all.push(platform.does("event.close", &of_event, "closed").await);

    assert!(all.iter().all(|data| data["drill"] == true && data["event"] == event), "{all:#?}");
    let nowhere = json!({ "scene": "odd", "place": "moon" });
    platform.is_refused("drill.start", &nowhere, "not-found").await;
    platform.town.stop().await;
}
