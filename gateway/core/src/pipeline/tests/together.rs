//! Stories of two points that go together, over a restart and a new configuration.

use super::learning::{ODD, calm, watched};
use super::*;

fn scene() -> String {
    ODD.replace(r#"["temperature"]"#, r#"["temperature", "humidity"]"#)
}

impl Night {
    /// A row every five minutes: the warmer, the drier, to a tenth, unless `off` says by how much not.
    fn rows(&mut self, steps: std::ops::Range<i64>, off: f64) -> &mut Self {
        for step in steps {
            let (t, flicker) = (calm(step), calm(step * 31 + 7) % 0.1);
            let h = 120.0 - 3.0 * t + flicker + off;
            self.frame(0, &format!(r#"{{"t": {t:.2}, "h": {h:.2}}}"#)).wait(300);
        }
        self
    }

    fn is_learning_the_whole(&self) -> bool {
        let bounds = &self.pipeline.devices[0].bounds;
        let together = bounds.iter().find_map(|bound| bound.together.as_ref()).unwrap();
        together.judgement.as_ref().is_none_or(|judgement| judgement.is_learning)
    }
}

#[test]
fn after_a_restart_points_that_do_not_fit_are_told_without_learning_them_anew() {
    let mut before = Night::new(watched(&scene()));
    before.rows(0..600, 0.0);
    before.pipeline.handle_stop(before.now);
    before.drain();
    let resumed = |is_forgetful: bool| {
        let mut restored = before.restored();
        restored.states.retain(|(key, _)| !(is_forgetful && key.starts_with("together/")));
        let mut night = Night::resumed(watched(&scene()), restored, before.now);
        night.rows(600..610, 0.0).rows(610..620, 8.0);
        night
    };

    let (remembers, forgets) = (resumed(false), resumed(true));

    assert!(!remembers.is_learning_the_whole() && forgets.is_learning_the_whole());
    assert_eq!(remembers.opened(), 1, "{}", remembers.transcript);
    assert_eq!(forgets.opened(), 0, "{}", forgets.transcript);
}

#[test]
fn a_scene_that_says_something_else_keeps_what_was_learnt_of_its_points() {
    let mut night = Night::new(watched(&scene()));
    night.rows(0..600, 0.0);

    let other = scene().replace("看", "再看");
    night.handle(Input::Config(Arc::new(watched(&other))));
    night.rows(600..601, 0.0);

    assert!(!night.is_learning_the_whole());
    assert!(night.pipeline.view(night.now).devices[0].learning.is_empty());
}

#[test]
fn what_was_learnt_of_other_points_is_not_taken_up() {
    let mut before = Night::new(watched(&scene()));
    before.rows(0..600, 0.0);
    before.pipeline.handle_stop(before.now);
    before.drain();

    let swapped = ODD.replace(r#"["temperature"]"#, r#"["humidity", "temperature"]"#);
    let mut after = Night::resumed(watched(&swapped), before.restored(), before.now);
    after.rows(600..601, 0.0);

    assert!(after.is_learning_the_whole());
}
