//! Stories of people who see to events: what they do, what the box does by itself, what is told.

use super::*;
use crate::community::people::{Duties, Escalation, Person, Team};
use crate::community::quantity::Text;
use crate::community::scene::Tier;
use crate::event::action::{Action, Actor, Deed, NotDone, NotNow, Side};
use crate::event::message::{Stage, State};
use crate::event::verdict::Verdict;

/// One limit; level III, or II where `grave`.
fn heat(grave: bool) -> String {
    let slow = HEAT.replace("> 10.0", "> 1000.0");
    if grave { slow.replace("people > 100.0", "false").replace("over > 0.5", "true") } else { slow }
}

pub(super) fn duties() -> Duties {
    let team =
        |id: &str, tier| Team { id: id.into(), title: Text::new(id, id), tier, areas: Vec::new() };
    let li = Person {
        id: "li".into(),
        name: "Li".into(),
        teams: vec!["grid".into()],
        language: crate::community::quantity::Language::En,
        account: None,
        alerts: Vec::new(),
    };
    Duties {
        teams: vec![team("grid", Tier::Grid), team("office", Tier::Community)],
        people: vec![li],
        shifts: Vec::new(),
        escalations: vec![Escalation {
            level: 3,
            acknowledge_within: Some("10 min".parse().unwrap()),
            handle_within: Some("1 h".parse().unwrap()),
            review_within: Some("5 min".parse().unwrap()),
        }],
    }
}

pub(super) fn manned(scene: &str) -> Community {
    Community { duties: duties(), ..Night::with_scenes(&[scene]) }
}

/// Only what a community without teams has: no timers.
fn begun(scene: &str) -> Night {
    let mut night = Night::new(Night::with_scenes(&[scene]));
    night.tells_closed = true;
    night.talk(90, 45.0);
    night
}

impl Night {
    pub(super) fn event(&self) -> String {
        let (_, live) = self.pipeline.book.all().next().expect("an event is in the book");
        live.data.event.clone()
    }

    pub(super) fn act(&mut self, deed: Deed) -> Result<Stage, NotDone> {
        let event = self.event();
        self.act_on(&event, deed, Side::Box)
    }

    pub(super) fn act_on(&mut self, event: &str, deed: Deed, side: Side) -> Result<Stage, NotDone> {
        let messages = self.messages();
        let newest = messages.into_iter().rfind(|message| message.subject == event);
        let journal = newest.map(|message| Box::new(message.data));
        let actor = Actor { name: "Li".into(), side };
        let action = Action { event: event.into(), deed, actor, note: String::new() };
        self.handle(Input::Act { action, ticket: 7, journal });
        let acted = self.acted.pop().expect("it is on disk and answered");
        acted.result.map(|data| data.handling.stage)
    }

    /// Each message's transition, in their order.
    pub(super) fn words(&self) -> Vec<String> {
        let word = |m: Message| m.kind.trim_start_matches("gatehouse.event.").to_owned();
        self.messages().into_iter().map(word).collect()
    }

    fn newest_message(&self) -> Message {
        self.messages().pop().expect("something was told")
    }
}

#[test]
fn an_event_goes_from_hand_to_hand_until_its_sensor_finds_it_gone() {
    let mut night = begun(&heat(false));
    night.pipeline.handle(Input::Config(Arc::new(manned(&heat(false)))), night.now);
    night.drain();

    assert_eq!(night.act(Deed::Acknowledge), Ok(Stage::Acknowledged));
    assert_eq!(night.act(Deed::Dispatch { to: "li".into() }), Ok(Stage::Dispatched));
    assert_eq!(night.newest_message().data.handling.assignee.as_deref(), Some("li"));
    assert_eq!(night.act(Deed::Handle), Ok(Stage::Handled));
    let too_soon = NotDone::NotNow { stage: Stage::Handled, why: NotNow::StillSeen };
    assert_eq!(night.act(Deed::Verify), Err(too_soon));
    night.talk(60, 20.0);
    let verified = night.newest_message().data;
    night.talk(600, 20.0);

    let life = ["opened", "acknowledged", "dispatched", "handled", "cleared", "verified", "closed"];
    assert_eq!(night.words(), life);
    assert_eq!((verified.handling.stage, verified.state), (Stage::Verified, State::Cleared));
    assert_eq!(verified.handling.by.as_deref(), Some("sensor"));
    let closed = night.newest_message().data.handling;
    assert_eq!((closed.stage, closed.by.as_deref()), (Stage::Closed, Some("sensor")));
    assert_eq!(night.pipeline.book.all().count(), 0);
}

#[test]
fn what_is_said_twice_is_told_once_and_two_at_once_are_both_answered() {
    let mut night = begun(&heat(false));

    let event = night.event();
    assert_eq!(night.act_on(&event, Deed::Acknowledge, Side::Box), Ok(Stage::Acknowledged));
    assert_eq!(night.act_on(&event, Deed::Acknowledge, Side::Platform), Ok(Stage::Acknowledged));
    let dispatch = Deed::Dispatch { to: "the township's own".into() };
    assert_eq!(night.act_on(&event, dispatch.clone(), Side::Platform), Ok(Stage::Dispatched));
    let nobody = NotDone::NoSuchPerson("the township's own".into());
    assert_eq!(night.act_on(&event, dispatch, Side::Box), Err(nobody));
    assert_eq!(night.act_on(&event, Deed::Acknowledge, Side::Box), Ok(Stage::Dispatched));
    assert_eq!(night.act_on("01J", Deed::Acknowledge, Side::Box), Err(NotDone::Unknown));

    assert_eq!(night.words(), ["opened", "acknowledged", "dispatched"]);
}

#[test]
fn a_grave_event_that_is_gone_waits_for_somebody_over_a_restart_and_a_mild_one_does_not() {
    let mut night = begun(&heat(true));
    let event = night.event();
    night.talk(60, 20.0).talk(600, 20.0);
    assert_eq!(night.words(), ["opened", "cleared"]);
    assert_eq!(night.pipeline.view(night.now).returned.len(), 1);

    // Its place is free: what comes now is another event.
    night.talk(90, 45.0).talk(60, 20.0);
    assert_eq!(night.words(), ["opened", "cleared", "opened", "cleared"]);
    let mut later = Night::resumed(Night::with_scenes(&[&heat(true)]), night.restored(), night.now);
    assert_eq!(later.act_on(&event, Deed::Acknowledge, Side::Box), Ok(Stage::Acknowledged));
    assert_eq!(later.words(), ["acknowledged", "closed"]);

    night.talk(600, 20.0).wait(7 * 24 * 3_600);
    let closed = night.words().into_iter().filter(|word| word == "closed");
    assert_eq!(closed.count(), 2, "nobody came for a week");
    let closed = night.messages().into_iter().rfind(|message| message.subject == event).unwrap();
    assert_eq!(closed.data.handling.by.as_deref(), Some("gateway"));
    assert!(closed.data.handling.note.is_some());
    assert!(night.pipeline.book.find(&event).is_none());
}

#[test]
fn the_oldest_of_too_many_that_wait_is_closed_with_the_reason() {
    let scene = heat(true).replace("reopen-within = \"5 min\"", "reopen-within = \"1 s\"");
    let mut night = Night::new(Night::with_scenes(&[&scene]));
    for _ in 0..=crate::event::handling::MOST_RETURNED {
        night.talk(80, 45.0).talk(50, 20.0);
    }

    let words = night.words();
    assert_eq!(words.iter().filter(|word| *word == "closed").count(), 1);
    let closed = night.messages().into_iter().find(|m| m.kind.ends_with("closed")).unwrap();
    assert_eq!(closed.subject, night.messages()[0].subject, "the oldest");
    assert!(closed.data.handling.note.unwrap().contains("too many waited"));
}

#[test]
fn what_is_put_aside_comes_back_in_time_or_when_it_gets_worse() {
    let mut night = begun(&heat(false));
    let hour = Duration::from_hours(1);
    let past = Deed::Shelve { until: night.now };
    assert_eq!(night.act(past), Err(NotDone::BadTime));
    assert_eq!(night.act(Deed::Shelve { until: night.now + hour * 24 * 8 }), Err(NotDone::BadTime));

    let until = night.now + hour;
    assert_eq!(night.act(Deed::Shelve { until }), Ok(Stage::Raised));
    assert_eq!(night.newest_message().data.handling.shelved_until, Some(until.rfc3339()));
    night.talk(3_590, 45.0);
    assert_eq!(night.words(), ["opened", "shelved"]);
    night.talk(20, 45.0);
    assert_eq!(night.words(), ["opened", "shelved", "unshelved"]);

    night.act(Deed::Shelve { until: night.now + hour }).unwrap();
    night.talk(20, 65.0);
    assert_eq!(night.words()[3..], ["shelved", "updated", "unshelved"]);
    night.act(Deed::Shelve { until: night.now + hour }).unwrap();
    night.act(Deed::Unshelve).unwrap();
    assert_eq!(night.act(Deed::Unshelve), Ok(Stage::Raised), "once more is no fault");
    assert_eq!(night.words()[6..], ["shelved", "unshelved"]);
}

#[test]
fn what_returns_soon_is_the_same_event_and_nobody_has_looked_at_it_yet() {
    let mut night = begun(&heat(false));
    night.act(Deed::Acknowledge).unwrap();
    night.act(Deed::Handle).unwrap();
    night.talk(60, 20.0).talk(90, 45.0);

    let newest = night.newest_message();
    assert_eq!(newest.kind, "gatehouse.event.reopened");
    assert_eq!(newest.data.handling.stage, Stage::Raised);
    assert_eq!(newest.data.event, night.messages()[0].data.event);
}

#[test]
fn a_dismissed_event_is_a_verdict_once_and_comes_back_only_when_it_gets_worse() {
    let mut night = begun(&heat(false));
    let dismiss = Deed::Dismiss { as_: Verdict::FalseAlarm };

    assert_eq!(night.act(dismiss.clone()), Ok(Stage::Dismissed));
    assert_eq!(night.act(dismiss), Ok(Stage::Dismissed));
    night.talk(120, 45.0);
    let dismissed = night.newest_message();
    assert_eq!(night.words(), ["opened", "dismissed"]);
    assert_eq!(dismissed.data.review.verdict.as_deref(), Some("false-alarm"));
    let tally = night.pipeline.view(night.now).scenes[0].tally;
    assert_eq!((tally.events, tally.false_alarms), (1, 1));

    night.talk(20, 65.0);
    assert_eq!(night.words()[2..], ["reopened"]);
    assert_eq!(night.newest_message().data.handling.stage, Stage::Raised);
}

#[test]
fn an_event_that_has_left_the_book_can_still_be_dismissed() {
    let mut night = begun(&heat(false));
    let event = night.event();
    night.talk(60, 20.0).talk(600, 20.0);
    assert_eq!(night.words(), ["opened", "cleared", "closed"]);

    let dismiss = Deed::Dismiss { as_: Verdict::PlannedWork };
    assert_eq!(night.act_on(&event, dismiss, Side::Platform), Ok(Stage::Dismissed));
    let over = NotDone::NotNow { stage: Stage::Dismissed, why: NotNow::Over };
    assert_eq!(night.act_on(&event, Deed::Reopen, Side::Box), Err(over));
    assert_eq!(night.act_on(&event, Deed::Handle, Side::Box), Ok(Stage::Dismissed), "already over");
    assert_eq!(night.words(), ["opened", "cleared", "closed", "dismissed"]);
    assert_eq!(night.pipeline.view(night.now).scenes[0].tally.planned, 1);
}

#[test]
fn an_event_kept_by_an_earlier_version_has_been_looked_at_by_nobody() {
    let night = begun(&heat(false));
    let mut restored = night.restored();
    for (key, value) in &mut restored.states {
        if key.starts_with("event/") {
            let mut live: serde_json::Value = serde_json::from_slice(value).unwrap();
            live.as_object_mut().unwrap().remove("course").unwrap();
            live["data"].as_object_mut().unwrap().remove("handling").unwrap();
            *value = serde_json::to_vec(&live).unwrap();
        }
    }

    let mut later = Night::resumed(manned(&heat(false)), restored, night.now);
    later.talk(300, 45.0);
    assert_eq!(later.transcript, "", "its time begins with this start");
    assert_eq!(later.act(Deed::Acknowledge), Ok(Stage::Acknowledged));
}

#[test]
fn a_still_that_is_kept_is_told_once_and_stays_with_the_event() {
    let mut night = begun(&heat(false));
    let event = night.event();
    let still = Input::Evidence { event: event.clone(), reference: "still/1".into() };
    night.handle(still.clone()).handle(still);
    let unknown =
        Input::Evidence { event: "01ARZ3NDEKTSV4RRFFQ69G5FAV".into(), reference: "x".into() };
    night.handle(unknown);
    night.act(Deed::Acknowledge).unwrap();
    let told: Vec<_> = night
        .messages()
        .iter()
        .map(|message| (message.kind.clone(), message.data.evidence.clone()))
        .collect();
    let kept = vec!["still/1".to_owned()];
    let expected = [("opened", vec![]), ("updated", kept.clone()), ("acknowledged", kept)];
    assert_eq!(told, expected.map(|(word, kept)| (format!("gatehouse.event.{word}"), kept)));
}
