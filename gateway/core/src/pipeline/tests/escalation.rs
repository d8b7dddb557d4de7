//! Stories of events that nobody sees to: who is called next, and when; and of those that may not be sent
//! on before somebody has said yes.

use super::handling::manned;
use super::*;
use crate::community::scene::Tier;
use crate::event::action::{Deed, NotDone, NotNow};
use crate::event::message::Stage;

fn heat() -> String {
    HEAT.replace("> 10.0", "> 1000.0")
}

fn reviewed() -> String {
    heat().replace("category", "review = true\ncategory")
}

/// An event of level III that began a minute and a half ago: ten minutes to acknowledge it, an hour to
/// handle it.
fn begun() -> Night {
    let mut night = Night::new(manned(&heat()));
    night.talk(90, 45.0);
    night
}

impl Night {
    fn tiers(&self) -> Vec<Tier> {
        let escalated = self.messages().into_iter().filter(|m| m.kind.ends_with("escalated"));
        escalated.map(|message| message.data.tier).collect()
    }
}

#[test]
fn who_does_not_acknowledge_in_time_has_the_next_tier_called_until_there_is_none() {
    let mut night = begun();
    let opened = night.messages().remove(0);
    let due: Timestamp = opened.data.handling.due.unwrap().parse().unwrap();
    assert_eq!(due.since(opened.time.parse().unwrap()), Duration::from_mins(10));

    night.talk(10 * 60, 45.0);
    assert_eq!(night.tiers(), [Tier::Community]);
    night.talk(10 * 60, 45.0);
    assert_eq!(night.tiers(), [Tier::Community, Tier::Township]);
    night.talk(3_600, 45.0);
    assert_eq!(night.tiers().len(), 2);
    let newest = night.messages().pop().unwrap().data.handling;
    assert_eq!((newest.stage, newest.due), (Stage::Raised, None));
}

#[test]
fn who_acknowledges_has_the_time_to_handle_it_and_a_fix_that_fixes_nothing_is_escalated() {
    let mut night = begun();
    night.act(Deed::Acknowledge).unwrap();
    night.talk(50 * 60, 45.0).act(Deed::Dispatch { to: "li".into() }).unwrap();
    assert_eq!(night.tiers(), []);
    night.talk(11 * 60, 45.0);
    assert_eq!(night.tiers(), [Tier::Community], "the hour began when it was acknowledged");

    night.act(Deed::Handle).unwrap();
    night.talk(59 * 60, 45.0);
    assert_eq!(night.tiers().len(), 1);
    night.talk(2 * 60, 45.0);
    assert_eq!(night.tiers(), [Tier::Community, Tier::Township], "its sensor still sees it");
}

#[test]
fn timers_run_over_a_restart_and_are_not_moved_by_a_clock_that_jumps() {
    let mut night = begun();
    let mut later =
        Night::resumed(manned(&heat()), night.restored(), night.now + Duration::from_mins(9));
    later.talk(60, 45.0);
    assert_eq!(later.tiers(), [Tier::Community]);

    night.now = night.now + Duration::from_hours(24);
    night.handle(Input::ClockStepped { by_ms: 24 * 3_600 * 1_000 });
    night.talk(60, 45.0);
    assert_eq!(night.tiers(), [], "a day of the clock is no day");
    night.talk(9 * 60, 45.0);
    assert_eq!(night.tiers(), [Tier::Community]);
}

#[test]
fn nobody_is_called_about_what_is_put_aside_gone_or_on_trial() {
    let mut night = begun();
    night.act(Deed::Shelve { until: night.now + Duration::from_hours(2) }).unwrap();
    night.talk(3_600, 45.0);
    assert_eq!(night.tiers(), []);

    let mut night = begun();
    night.talk(60, 20.0).talk(3_600, 20.0);
    assert_eq!(night.tiers(), []);

    let mut night = Night::new(manned(&heat().replace("category", "status = \"pilot\"\ncategory")));
    night.talk(3_600, 45.0);
    assert_eq!(night.transcript, "");
    let view = night.pipeline.view(night.now);
    assert!(view.events[0].is_pilot && view.events[0].data.tier == Tier::Grid);
    assert_eq!(view.scenes[0].tally.events, 1, "what it would have raised is counted");
}

#[test]
fn what_needs_a_yes_is_sent_to_nobody_before_it_whatever_happens() {
    let mut night = Night::new(manned(&reviewed()));
    night.talk(90, 45.0);
    let view = night.pipeline.view(night.now);
    assert!(view.events[0].needs_review && !view.events[0].is_pilot);
    assert_eq!(view.events[0].data.tier, Tier::Grid);

    // Its own timer calls the next one here.
    night.talk(5 * 60, 45.0);
    assert_eq!(night.pipeline.view(night.now).events[0].data.tier, Tier::Community);
    let refused = NotDone::NotNow { stage: Stage::Raised, why: NotNow::Unreviewed };
    assert_eq!(night.act(Deed::Dispatch { to: "li".into() }), Err(refused));
    night.talk(60, 20.0).talk(600, 20.0);
    assert_eq!(night.transcript, "");

    let mut later = Night::resumed(manned(&reviewed()), night.restored(), night.now);
    assert_eq!(later.pipeline.view(later.now).returned.len(), 1, "it waits over a restart");
    assert_eq!(later.act(Deed::Approve), Ok(Stage::Raised));
    assert_eq!(later.words()[0], "opened");
    let data = later.messages().remove(0).data;
    assert_eq!((data.review.by.as_deref(), data.review.required), (Some("Li"), true));

    assert_eq!(night.act(Deed::Refuse), Ok(Stage::Dismissed));
    night.talk(3_600, 20.0);
    assert_eq!(night.transcript, "");
    assert_eq!(night.pipeline.book.all().count(), 0);
}

#[test]
fn what_was_approved_is_told_to_its_end() {
    let mut night = Night::new(manned(&reviewed()));
    night.talk(90, 45.0).act(Deed::Approve).unwrap();
    assert_eq!(night.act(Deed::Approve), Ok(Stage::Raised), "two who say yes");
    night.act(Deed::Acknowledge).unwrap();
    night.talk(60, 20.0).talk(600, 20.0);

    assert_eq!(night.words(), ["opened", "acknowledged", "cleared", "closed"]);
}
