//! Stories of limits that warn before they are passed.

use super::*;
use crate::event::verdict::Opinion;

const HEAT_SOON: &str = r#"
    [scene]
    id = "heat"
    title = { zh = "高温", en = "too hot" }
    category = "environment"
    reopen-within = "5 min"
    advice = { zh = "去看看", en = "go and look" }
    [[detector]]
    id = "hot"
    point = "temperature"
    limit-high = "40 degC"
    warn-within = "3 h"
    warn-sure = 0.5
    every = "1 h"
    [[grade]]
    level = 2
    when = "people > 100.0"
"#;

fn warned() -> Community {
    let spec =
        ModelSpec { name: "limit-forecast".into(), version: "1".into(), window: 39, outputs: 44 };
    let mut community = Community { models: vec![spec], ..Night::with_scenes(&[HEAT_SOON]) };
    community.devices.truncate(1);
    community.devices[0].feeder = None;
    let mut device_type = (*community.devices[0].device_type).clone();
    device_type.head.silent_after = Some("30 days".parse().unwrap());
    device_type.points[0].stale = Some("30 days".parse().unwrap());
    community.devices[0].device_type = Arc::new(device_type);
    community
}

impl Night {
    /// Readings an hour apart; the network says that the largest will be `rise` scales up, or nothing.
    fn hours(&mut self, values: &[f64], rise: Option<f32>) -> &mut Self {
        for value in values {
            self.frame(0, &format!(r#"{{"t": {value}}}"#));
            self.wait(1);
            for question in std::mem::take(&mut self.questions) {
                assert_eq!(
                    (question.model.as_str(), question.features.len()),
                    ("limit-forecast", 39)
                );
                let steps = [-5.0_f32, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
                let Some(rise) = rise else { continue };
                let outputs = Ok(steps.map(|k| rise + 0.1 * k).repeat(4));
                self.handle(Input::Answer(Answer { question: question.id, outputs }));
            }
            self.wait(3599);
        }
        self
    }

    /// A full window between 20 and 21 degrees: a scale is about one and a half.
    fn filled(&mut self) -> &mut Self {
        let calm: Vec<f64> = (0..32).map(|i| 20.0 + f64::from(i % 2)).collect();
        self.hours(&calm, Some(0.0))
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.transcript).lines().map(|line| line[10..].to_owned()).collect()
    }
}

#[test]
fn a_warning_comes_once_before_the_limit_and_is_over_when_it_is_passed() {
    let mut night = Night::new(warned());

    night.filled();
    assert_eq!(night.told(), [""; 0]);
    night.hours(&[30.0, 36.0], Some(9.0));
    let told = night.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let why = "passes 40 °C within 3 h, 89 % sure; now 30 °C";
    assert_eq!(
        told[0],
        format!("opened 3 temperature expected to pass the limit: temperature {why}")
    );
    night.hours(&[41.0], Some(9.0));

    let told = night.told();
    assert!(told.iter().any(|line| line.starts_with("opened 2 too hot")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("cleared 3 temperature expected")), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn a_warning_is_taken_back_when_nobody_is_sure_any_more() {
    let mut night = Night::new(warned());
    night.filled().hours(&[30.0], Some(9.0)).told();

    night.hours(&[29.0], Some(0.0));

    let told = night.told();
    assert!(told.len() == 1 && told[0].starts_with("cleared 3 temperature expected"), "{told:?}");
}

#[test]
fn a_warning_that_no_answer_holds_up_is_taken_back() {
    let mut night = Night::new(warned());
    night.filled().hours(&[30.0], Some(9.0)).told();

    night.hours(&[31.0], None);
    assert_eq!(night.told(), [""; 0]);
    night.hours(&[31.0], None);

    let told = night.told();
    assert!(told.len() == 1 && told[0].starts_with("cleared 3 temperature expected"), "{told:?}");
}

#[test]
fn nothing_is_said_while_the_window_is_not_full() {
    let mut night = Night::new(warned());
    let rising: Vec<f64> = (0..31).map(f64::from).collect();

    night.hours(&rising, Some(9.0));

    assert_eq!((night.told(), night.pipeline.asked()), (Vec::new(), 0));
}

#[test]
fn a_lower_limit_warns_of_values_that_fall() {
    let scene = HEAT_SOON.replace("limit-high = \"40 degC\"", "limit-low = \"5 degC\"");
    let mut community = warned();
    community.scenes = vec![Arc::new(toml::from_str(&scene).unwrap())];
    let mut night = Night::new(community);
    night.filled();

    night.hours(&[12.0], Some(9.0));

    let told = night.told();
    assert!(told.len() == 1 && told[0].contains("falls below 5 °C within 3 h"), "{told:?}");
}

#[test]
fn a_warning_goes_on_over_a_restart_with_what_it_had_seen() {
    let mut night = Night::new(warned());
    night.filled().hours(&[30.0], Some(9.0)).told();
    night.pipeline.handle_stop(night.now);
    night.drain();

    let (restored, now) = (night.restored(), night.now);
    let mut night = Night::resumed(warned(), restored, now);
    night.hours(&[31.0], Some(9.0));
    assert_eq!(night.told(), [""; 0]);
    assert_eq!(night.pipeline.asked(), 1, "the window was kept");
    night.hours(&[29.0], Some(0.0));

    let told = night.told();
    assert!(told.len() == 1 && told[0].starts_with("cleared 3 temperature expected"), "{told:?}");
}

#[test]
fn a_false_warning_makes_the_next_one_wait_until_it_is_surer() {
    let mut night = Night::new(warned());
    night.filled().hours(&[30.0], Some(9.0));
    let event = night.messages()[0].subject.clone();
    night.hours(&[21.0], Some(0.0));
    let verdict = Some(crate::event::verdict::Verdict::FalseAlarm);
    let opinion = Opinion { event, verdict, by: "Li".into(), note: String::new() };

    night.handle(Input::Verdict { opinion, journal: None });
    night.filled().hours(&[30.0], Some(9.0));

    let cause = night.messages().last().unwrap().data.cause.clone();
    assert!((cause.threshold - 0.64).abs() < 0.01, "odds of 1 become odds of 1.78: {cause:?}");
    let taught =
        "now 30 °C; threshold raised by 0.25 after 1 false alarm, last on 2026-03-02 by Li";
    assert!(cause.why.en.ends_with(taught), "{}", cause.why.en);
    let bounds = &night.pipeline.devices[0].bounds;
    assert!(bounds.iter().filter(|bound| bound.lesson.is_some()).count() == 1, "not the limit's");
}
