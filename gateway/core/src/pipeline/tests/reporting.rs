//! Stories of events that people begin: reports from a phone, and exercises.

use super::handling::manned;
use super::*;
use crate::community::scene::Category;
use crate::event::action::{Acted, Deed, Drill, NotDone, Report, Side};
use crate::event::message::{Stage, State};
use crate::event::verdict::Verdict;

fn heat() -> String {
    HEAT.replace("> 10.0", "> 1000.0")
}

fn report(category: Category, text: &str) -> Report {
    Report { category, area: "east".into(), text: text.into(), by: "Wang".into(), cause: None }
}

impl Night {
    fn report(&mut self, report: Report) -> Acted {
        self.handle(Input::Report { report, ticket: 3 });
        self.acted.pop().expect("it is on disk and answered")
    }

    fn drill(&mut self, place: &str) -> Acted {
        let drill = Drill {
            scene: "heat".into(),
            place: place.into(),
            by: "Zhao".into(),
            text: "autumn exercise".into(),
        };
        self.handle(Input::Drill { drill, ticket: 4 });
        self.acted.pop().expect("it is on disk and answered")
    }
}

#[test]
fn a_report_joins_the_event_that_a_sensor_has_open_there() {
    let mut night = Night::new(manned(&heat()));
    night.talk(90, 45.0);

    let acted = night.report(report(Category::Environment, "it is hot here"));

    assert_eq!(night.words(), ["opened", "updated"]);
    assert_eq!(acted.event, night.messages()[0].subject);
    let data = acted.result.unwrap();
    assert_eq!((data.reports.len(), data.reports[0].text.as_str()), (1, "it is hot here"));
    night.report(report(Category::Waste, "a full bin"));
    assert_eq!(night.words(), ["opened", "updated", "opened"], "another matter");
}

#[test]
fn a_report_of_its_own_goes_on_until_a_person_says_that_it_is_over() {
    let mut night = Night::new(manned(&heat()));
    let opened = night.report(report(Category::Safety, "a gap in the fence")).result.unwrap();
    assert_eq!((opened.scene.as_str(), opened.level), ("report", 3));
    assert_eq!(opened.cause.why.en, "a gap in the fence");
    let event = opened.event.clone();
    let mut night = Night::resumed(manned(&heat()), night.restored(), night.now);
    night.report(report(Category::Safety, "the fence is open"));

    night.act_on(&event, Deed::Acknowledge, Side::Box).unwrap();
    night.act_on(&event, Deed::Handle, Side::Box).unwrap();
    night.wait(3_000);
    assert_eq!(night.pipeline.view(night.now).events[0].data.state, State::Open);
    // The one who reported it says no, then yes.
    assert_eq!(night.act_on(&event, Deed::Reopen, Side::Box), Ok(Stage::Raised));
    night.act_on(&event, Deed::Handle, Side::Box).unwrap();
    assert_eq!(night.act_on(&event, Deed::Verify, Side::Box), Ok(Stage::Verified));
    night.wait(60);
    assert_eq!(night.act_on(&event, Deed::Reopen, Side::Box), Ok(Stage::Raised));
    night.act_on(&event, Deed::Verify, Side::Box).unwrap();
    night.wait(3_600);

    let life = [
        "updated",
        "acknowledged",
        "handled",
        "reopened",
        "handled",
        "verified",
        "cleared",
        "reopened",
        "verified",
        "cleared",
        "closed",
    ];
    let own: Vec<Message> = night.messages().into_iter().filter(|m| m.subject == event).collect();
    let words: Vec<_> = own.iter().map(|m| m.kind.rsplit('.').next().unwrap()).collect();
    assert_eq!(words, life);
    assert_eq!(own[0].data.reports.len(), 2);
}

#[test]
fn a_report_that_cannot_be_taken_down_changes_nothing() {
    let mut night = Night::new(manned(&heat()));
    let long = night.report(report(Category::Waste, &"x".repeat(2_000_000)));
    assert_eq!(long.result, Err(NotDone::TooLong));
    let nowhere = Report { area: "moon".into(), ..report(Category::Waste, "a bin") };
    assert_eq!(night.report(nowhere).result, Err(NotDone::NoSuchPlace("moon".into())));
    let no_scene = Report { cause: Some("bins".into()), ..report(Category::Waste, "a bin") };
    assert_eq!(night.report(no_scene).result, Err(NotDone::NoSuchPlace("bins".into())));
    assert_eq!(night.transcript, "");
}

#[test]
fn an_exercise_goes_through_the_whole_loop_and_counts_nowhere() {
    for scene in [heat(), heat().replace("category", "status = \"pilot\"\nreview = true\ncategory")]
    {
        let mut night = Night::new(manned(&scene));
        let opened = night.drill("east").result.unwrap();
        assert!(opened.drill && opened.title.en == "Drill: too hot");
        assert!(opened.title.zh.starts_with("【演练】"));
        let event = opened.event.clone();
        let mut night = Night::resumed(manned(&scene), night.restored(), night.now);
        night.act_on(&event, Deed::Acknowledge, Side::Box).unwrap();
        night.act_on(&event, Deed::Dispatch { to: "li".into() }, Side::Box).unwrap();
        night.act_on(&event, Deed::Handle, Side::Box).unwrap();
        night.talk(3_600, 20.0);

        let life = ["acknowledged", "dispatched", "handled", "cleared", "verified", "closed"];
        assert_eq!(night.words(), life);
        assert!(night.messages().iter().all(|message| message.data.drill));
        let dismiss = Deed::Dismiss { as_: Verdict::FalseAlarm };
        night.act_on(&event, dismiss, Side::Box).unwrap();
        let view = night.pipeline.view(night.now);
        assert!(view.scenes.is_empty(), "no figures");
        let counted: Vec<_> = view.counts.records.keys().copied().collect();
        assert_eq!(counted, ["drill"]);
    }
}

#[test]
fn an_exercise_stands_beside_the_real_thing_and_ends_by_itself() {
    let mut night = Night::new(manned(&heat()));
    night.drill("t1");
    night.talk(90, 45.0);
    let unknown = night.drill("t9");
    assert_eq!(unknown.result, Err(NotDone::NoSuchPlace("t9".into())));
    assert_eq!(night.words(), ["opened", "opened"]);
    night.talk(60, 20.0).wait(3 * 3_600);

    let drills: Vec<_> = night.messages().into_iter().filter(|m| m.data.drill).collect();
    assert!(drills.iter().any(|m| m.kind.ends_with("cleared")));
    assert_eq!(night.pipeline.view(night.now).scenes[0].tally.events, 1);
}
