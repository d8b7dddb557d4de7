//! Models that do not load and bundles that broke their budget are told as the gateway's own events.

use super::*;
use crate::alert::standing::Trouble;
use crate::community::quantity::Text;
use crate::pipeline::Withdrawn;

fn withdrawn(was_live: bool) -> Input {
    let why = Text::new("空气 2 报了 9 起", "air 2 raised 9 events");
    Input::Withdrawn(Withdrawn { was_live, why })
}

#[test]
fn a_candidate_that_was_stopped_and_a_bundle_that_was_taken_back_are_told_for_a_day() {
    let mut night = Night::new(Night::with_scenes(&[]));
    night.talk(60, 20.0).handle(withdrawn(false)).handle(withdrawn(true));
    let told = night.messages();
    let told: Vec<_> = told
        .iter()
        .map(|m| (m.data.scene.as_str(), m.data.level, m.data.device.as_str()))
        .collect();
    assert_eq!(told, [("candidate-stopped", 4, "gw"), ("bundle-withdrawn", 3, "gw")]);

    night.talk(3_600, 20.0);
    let mut after = Night::resumed(Night::with_scenes(&[]), night.restored(), night.now);
    after.talk(22 * 3_600, 20.0);
    assert_eq!(after.transcript, "", "they stay over a restart");
    after.handle(Input::Config(Arc::new(Night::with_scenes(&[]))));
    assert_eq!(after.transcript, "", "and over another configuration");
    after.talk(2 * 3_600, 20.0);
    assert!(after.transcript.contains("cleared 4 Candidate models were stopped"));
    assert!(after.transcript.contains("cleared 3 A bundle was rolled back"));
}

#[test]
fn a_second_bundle_that_is_taken_back_within_a_day_is_told_with_its_own_reason() {
    let mut night = Night::new(Night::with_scenes(&[]));
    night.talk(60, 20.0).handle(withdrawn(true)).talk(600, 20.0);
    let why = Text::new("空气 3 崩溃", "air 3 crashed");
    night.handle(Input::Withdrawn(Withdrawn { was_live: true, why }));
    let told = night.messages();
    let last = told.last().unwrap();
    assert_eq!(last.data.cause.why.en, "air 3 crashed", "{}", night.transcript);
    assert!(last.kind.ends_with("opened"), "{}", last.kind);
}

#[test]
fn settings_that_were_set_aside_are_told_for_a_day() {
    let mut night = Night::new(Night::with_scenes(&[]));
    let why = Text::new("第 3 行", "line 3");
    night.talk(60, 20.0).handle(Input::SettingsSetAside { why });
    let told = night.messages();
    let told: Vec<_> = told.iter().map(|m| (m.data.scene.as_str(), m.data.level)).collect();
    assert_eq!(told, [("settings-set-aside", 3)]);

    night.talk(25 * 3_600, 20.0);

    assert!(night.transcript.contains("cleared 3 Settings of the console were set aside"));
}

#[test]
fn models_that_did_not_load_are_told_over_restarts_until_they_do() {
    let missing = |why: Option<&str>| Input::ModelsMissing { why: why.map(|w| Text::new(w, w)) };
    let mut night = Night::new(Night::with_scenes(&[]));
    night.talk(60, 20.0).handle(missing(Some("forecast did not load")));
    let told = night.messages();
    assert_eq!(
        (told[0].data.scene.as_str(), told[0].data.device.as_str()),
        ("models-missing", "gw")
    );

    night.talk(3_600, 20.0);
    let mut after = Night::resumed(Night::with_scenes(&[]), night.restored(), night.now);
    after.talk(25 * 3_600, 20.0);
    assert_eq!(after.transcript, "");
    after.handle(missing(None)).talk(60, 20.0);
    assert!(after.transcript.contains("cleared 2 Models did not load"), "{}", after.transcript);
}

#[test]
fn each_channel_that_is_down_is_one_event_over_restarts_until_it_delivers() {
    let channels = |down: &[(&str, Trouble)]| Input::Channels {
        down: down.iter().map(|(id, trouble)| ((*id).to_owned(), *trouble)).collect(),
    };
    let mut night = Night::new(Night::with_scenes(&[]));
    night.talk(60, 20.0).handle(channels(&[("sms", Trouble::Unreachable)])).talk(60, 20.0);
    let both = [("mail", Trouble::Refused), ("sms", Trouble::Unreachable)];
    night.handle(channels(&both)).talk(60, 20.0).handle(channels(&both)).talk(3_600, 20.0);
    let told = night.messages();
    let heads: Vec<_> = told
        .iter()
        .map(|m| (m.data.scene.as_str(), m.data.level, m.data.affected.as_slice()))
        .collect();
    let of = |channel: &str| vec!["gw".to_owned(), channel.to_owned()];
    let (sms, mail) = (of("sms"), of("mail"));
    assert_eq!(heads, [("channel-down", 2, &*sms), ("channel-down", 2, &*mail)]);
    assert!(told[0].data.cause.why.en.contains("`sms` has delivered nothing"));

    let mut after = Night::resumed(Night::with_scenes(&[]), night.restored(), night.now);
    after.handle(channels(&both)).talk(3_600, 20.0);
    assert_eq!(after.transcript, "", "told before");
    after.handle(channels(&both[..1])).talk(60, 20.0);
    assert_eq!(after.transcript.matches("cleared 2 Alert channel down").count(), 1);
    after.handle(channels(&[])).talk(60, 20.0);
    assert_eq!(after.transcript.matches("cleared 2 Alert channel down").count(), 2);
}
