//! Stories of sensors under a model's eyes: what they are spared, and what a restart keeps.

use super::*;

pub(super) const ODD: &str = r#"
    [scene]
    id = "odd"
    title = { zh = "异常", en = "unusual" }
    category = "environment"
    advice = { zh = "看", en = "look" }
    [[detector]]
    id = "forecast"
    model = "forecast"
    points = ["temperature"]
"#;

pub(super) fn watched(scene: &str) -> Community {
    let spec = ModelSpec { name: "forecast".into(), version: "1".into(), window: 35, outputs: 9 };
    let mut community = Community { models: vec![spec], ..Night::with_scenes(&[scene]) };
    community.devices.truncate(1);
    community.devices[0].feeder = None;
    let mut device_type = (*community.devices[0].device_type).clone();
    device_type.head.silent_after = Some("30 days".parse().unwrap());
    community.devices[0].device_type = Arc::new(device_type);
    community
}

/// Degrees at a step of a calm day: a daily wave and a last digit that flickers.
pub(super) fn calm(step: i64) -> f64 {
    let flicker = (step * 7919 + step / 101 * 31) % 101;
    let day = i32::try_from(step % 288).unwrap();
    20.0 + 4.0 * (f64::from(day) / 288.0 * std::f64::consts::TAU).sin()
        + f64::from(i32::try_from(flicker).unwrap()) / 100.0
}

impl Night {
    /// A reading every five minutes, and the answers of a network that says "as before, give or take".
    fn watch(
        &mut self,
        steps: std::ops::Range<i64>,
        value: impl Fn(i64) -> Option<f64>,
    ) -> &mut Self {
        for step in steps {
            match value(step) {
                Some(value) => self.frame(0, &format!(r#"{{"t": {value}}}"#)),
                None => self.frame(0, r#"{"h": 50}"#),
            };
            self.wait(1);
            for question in std::mem::take(&mut self.questions) {
                let answer = |x: &[f32]| {
                    [-3.0, -2.0, -1.5, -0.7, 0.0, 0.7, 1.5, 2.0, 3.0].map(|k: f32| x[31] + 0.3 * k)
                };
                let outputs = question.features.chunks(35).flat_map(answer).collect();
                self.handle(Input::Answer(Answer { question: question.id, outputs: Ok(outputs) }));
            }
            self.wait(299);
        }
        self
    }

    pub(super) fn opened(&self) -> usize {
        self.transcript.matches("opened 4 unusual").count()
    }
}

#[test]
fn a_new_sensor_is_learnt_before_anything_is_said_of_it() {
    let mut night = Night::new(watched(ODD));

    night.watch(0..150, |step| Some(if step % 40 == 39 { 60.0 } else { calm(step) }));
    let early = night.pipeline.view(night.now).devices[0].learning.clone();
    night.watch(150..300, |step| Some(calm(step)));

    assert_eq!(night.transcript, "");
    assert_eq!(early, [0], "the point, by its position");
    assert!(night.pipeline.view(night.now).devices[0].learning.is_empty());
}

#[test]
fn a_level_that_shifts_for_good_is_told_once_and_then_usual() {
    let mut night = Night::new(watched(ODD));
    night.watch(0..2_000, |step| Some(calm(step)));
    let before = night.opened();

    night.watch(2_000..4_000, |step| Some(calm(step) + 15.0));

    let after = night.opened() - before;
    assert!((1..=2).contains(&after), "{after} events\n{}", night.transcript);
    assert!(before <= 2, "{}", night.transcript);
}

#[test]
fn an_outage_of_a_day_a_clock_step_and_a_point_that_is_missing_for_days_bring_no_flood() {
    let mut night = Night::new(watched(ODD));
    night.watch(0..2_000, |step| Some(calm(step)));
    let before = night.opened();

    night.wait(86_400 + 7 * 3_600);
    night.watch(2_372..3_000, |step| Some(calm(step)));
    night.now = night.now + Duration::from_hours(5);
    night.handle(Input::ClockStepped { by_ms: 5 * 3_600_000 });
    night.watch(3_060..3_500, |step| Some(calm(step)));
    night.watch(3_500..4_500, |_| None);
    night.watch(4_500..5_000, |step| Some(calm(step)));

    let after = night.opened() - before;
    assert!(after <= 2, "{after} events\n{}", night.transcript);
}

#[test]
fn a_change_to_summer_time_and_a_season_that_warms_bring_no_flood() {
    let mut night = Night::new(watched(ODD));
    night.watch(0..2_016, |step| Some(calm(step)));
    let before = night.opened();

    // People get up an hour earlier; then it gets warmer by seven degrees in six weeks.
    night.watch(2_016..4_032, |step| Some(calm(step + 12)));
    let summer_time = night.opened() - before;
    let warmer = |step: i64| f64::from(i32::try_from(step - 4_032).unwrap()) / 2_016.0 * 7.0 / 6.0;
    night.watch(4_032..16_128, |step| Some(calm(step + 12) + warmer(step)));
    let season = night.opened() - before - summer_time;

    assert!(summer_time <= 2, "{summer_time} in the week after\n{}", night.transcript);
    assert!(season <= 5, "{season} in six weeks\n{}", night.transcript);
}

#[test]
fn a_sensor_that_never_moves_is_nobodys_business_until_it_moves() {
    let mut night = Night::new(watched(ODD));

    night.watch(0..1_500, |_| Some(20.0));
    assert_eq!(night.transcript, "");
    night.watch(1_500..1_510, |_| Some(26.0));

    assert_eq!(night.opened(), 1, "{}", night.transcript);
}

#[test]
fn values_out_of_range_are_refused_and_learnt_by_nobody() {
    let values = |step| Some(if step % 7 == 3 { 1e30 } else { calm(step) });
    let mut night = Night::new(watched(ODD));
    night.watch(0..1_500, values);
    let before = night.opened();

    night.watch(1_500..2_500, values).watch(2_500..2_501, |_| Some(60.0));

    assert!(night.opened() - before >= 1, "{}", night.transcript);
    assert!(night.opened() <= 4, "{}", night.transcript);
}

#[test]
fn a_restart_changes_no_decision() {
    let odd = |step| match step {
        600 | 1_211 => Some(55.0),
        2_000 => Some(75.0),
        2_300..2_310 => Some(5.0),
        _ => Some(calm(step)),
    };
    let mut through = Night::new(watched(ODD));
    through.watch(0..1_500, odd);
    let before = through.opened();
    let mut cut = Night::new(watched(ODD));
    cut.watch(0..1_500, odd);
    cut.pipeline.handle_stop(cut.now);
    cut.drain();
    let mut after = Night::resumed(watched(ODD), cut.restored(), cut.now);
    assert!(after.pipeline.view(after.now).devices[0].learning.is_empty());

    let (mut most, mut sum, mut decisions) = (0.0_f64, 0.0, 0);
    for step in 1_500..2_600 {
        let score = |night: &mut Night| {
            night.watch(step..step + 1, odd).pipeline.score(DeviceIndex(0)).unwrap()
        };
        let (a, b) = (score(&mut through), score(&mut after));
        most = most.max((a - b).abs());
        sum += (a - b).abs();
        decisions += usize::from((a >= 0.5) != (b >= 0.5));
    }

    assert!(most < 0.2 && sum / 1_100.0 < 0.02, "{most} at most, {sum} in all");
    // Where a rise takes two samples to be sure of, one of them may be sure of the first.
    assert!(decisions <= 2, "{decisions}\n{}\n{}", through.transcript, after.transcript);
    assert_eq!((through.opened() - before, after.opened()), (2, 2), "{}", after.transcript);
}

#[test]
fn a_scene_with_a_budget_raises_no_more_than_it_may() {
    let scene = ODD.replace("category", "false-alarms = \"1 per week\"\n    category");
    // A burst of another height and length, six times a day.
    let wild = |step: i64| {
        let burst = step % 48 < 1 + step / 48 % 5;
        let height = f64::from(i32::try_from(step / 48 * 37 % 19).unwrap());
        Some(calm(step) + if burst { height } else { 0.0 })
    };
    let count = |scene: &str, weeks: i64| {
        let mut night = Night::new(watched(scene));
        night.watch(0..weeks * 2_016, wild);
        (night.opened(), night.pipeline.view(night.now).budgets)
    };

    let ((free, none), (bounded, budgets)) = (count(ODD, 1), count(&scene, 4));

    assert!(bounded <= 5, "{bounded} in four weeks");
    assert!(4 * free > bounded, "{free} a week without, {bounded} in four with");
    let [budget] = &budgets[..] else { panic!("{budgets:?}") };
    assert!(
        none.is_empty() && budget.scene == "odd" && (budget.rate * 604_800.0 - 1.0).abs() < 1e-9
    );
    assert!(budget.held_back >= 3, "what it held back is not counted: {budget:?}");
}
