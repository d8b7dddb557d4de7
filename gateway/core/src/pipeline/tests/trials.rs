//! Stories of scenes that go on trial, or off, or live, while an event of theirs is open: the platform
//! hears the end of what it heard the beginning of, and of nothing else.

use super::*;

fn slow() -> String {
    HEAT.replace("> 10.0", "> 1000.0")
}

fn on_trial() -> String {
    slow().replace("category", "status = \"pilot\"\ncategory")
}

/// An event that began under that scene a minute and a half ago.
fn begun(scene: &str) -> Night {
    let mut night = Night::new(Night::with_scenes(&[scene]));
    night.talk(90, 45.0);
    night
}

impl Night {
    fn now_by(&mut self, scene: &str) -> &mut Self {
        self.handle(Input::Config(Arc::new(Night::with_scenes(&[scene]))))
    }

    /// What became of the first event, and whether it was always the same one.
    fn life(&self) -> Vec<String> {
        let messages = self.messages();
        assert!(messages.iter().all(|message| message.subject == messages[0].subject));
        let word = |m: &Message| m.kind.trim_start_matches("gatehouse.event.").to_owned();
        messages.iter().map(word).filter(|word| word != "closed").collect()
    }
}

#[test]
fn a_scene_that_is_put_off_ends_its_event() {
    let mut night = begun(&slow());

    night.now_by(&slow().replace("category", "status = \"off\"\ncategory")).talk(60, 45.0);

    assert_eq!(night.life(), ["opened", "cleared"]);
}

#[test]
fn an_event_of_a_scene_that_goes_on_trial_or_needs_a_yes_is_told_to_its_end() {
    for after in [on_trial(), slow().replace("category", "review = true\ncategory")] {
        let mut night = begun(&slow());

        night.now_by(&after).talk(60, 45.0);
        let mut restarted =
            Night::resumed(Night::with_scenes(&[&after]), night.restored(), night.now);
        night.talk(600, 20.0).talk(600, 45.0);
        restarted.talk(60, 20.0);

        assert_eq!(night.life(), ["opened", "cleared"], "and no other");
        assert_eq!(restarted.life(), ["cleared"]);
    }
}

#[test]
fn a_trial_that_becomes_live_opens_what_lasts() {
    let mut night = begun(&on_trial());
    assert_eq!(night.transcript, "");

    night.now_by(&slow());
    assert_eq!(night.life(), ["opened"]);
    let mut after = Night::resumed(Night::with_scenes(&[&slow()]), night.restored(), night.now);
    night.talk(60, 20.0);

    assert_eq!(night.life(), ["opened", "cleared"]);
    after.talk(60, 20.0);
    assert_eq!(after.life(), ["cleared"], "a restart knows it");
}

#[test]
fn a_trial_that_becomes_live_after_its_event_says_nothing_of_it_unless_it_comes_back() {
    let mut night = begun(&on_trial());
    night.talk(60, 20.0).now_by(&slow()).talk(30, 20.0);
    assert_eq!(night.transcript, "");

    night.talk(90, 45.0).talk(60, 20.0);

    assert_eq!(night.life(), ["opened", "cleared"]);
}

#[test]
fn a_trial_that_is_taken_away_ends_in_silence() {
    let mut night = begun(&on_trial());

    night.handle(Input::Config(Arc::new(Night::with_scenes(&[])))).wait(10);

    assert_eq!(night.transcript, "");
}
