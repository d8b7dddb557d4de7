//! The golden recording, written by `models/limit-forecast/golden.py`, and gaps.

use std::time::Duration;

use super::*;

#[derive(serde::Deserialize)]
struct Golden {
    /// In 64ths.
    values: Vec<i32>,
    rows: Vec<Row>,
}

/// What the reference says after sample `at`, for the limit `limit` on the side `sign`.
#[derive(serde::Deserialize)]
struct Row {
    at: usize,
    sign: f64,
    limit: f64,
    hour: Option<f64>,
    /// Inputs 0, 15 and 30, and the seven after the window.
    inputs: Vec<f64>,
    probabilities: Vec<f64>,
}

/// A plain formula stands in for the network, as in `golden.py`; not in order, as a network's are.
fn network(x: &[f32; INPUTS]) -> Vec<f32> {
    let quantile =
        |group: f32, k: f32| 0.3 * (x[30] + x[34]) + (0.5 * group + 0.2) * k - 0.1 * x[15];
    let steps = [-4.0, -5.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0, 4.0];
    [1.0, 2.0, 3.0, 6.0].into_iter().flat_map(|g| steps.map(|k| quantile(g, k))).collect()
}

fn is_near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-4
}

fn hourly() -> Outlook {
    Outlook::new(Duration::from_hours(1))
}

fn at(hour: usize) -> Timestamp {
    Timestamp(1_700_000_000_000) + Duration::from_hours(hour as u64)
}

#[test]
fn inputs_and_probabilities_are_those_of_the_reference() {
    let golden: Golden = serde_json::from_str(include_str!("golden.json")).unwrap();
    let mut outlook = hourly();
    let mut rows = golden.rows.iter().peekable();
    let mut compared = 0;
    for (i, value) in golden.values.iter().enumerate() {
        assert!(outlook.take(at(i), f64::from(*value) / 64.0));
        while let Some(row) = rows.next_if(|row| row.at == i) {
            let side = if row.sign > 0.0 { Side::Above } else { Side::Below };
            let inputs = outlook.inputs(side, row.hour).unwrap();
            let shown = [0, 15, 30].into_iter().chain(WINDOW..INPUTS).map(|k| f64::from(inputs[k]));
            for (k, (found, expected)) in shown.zip(&row.inputs).enumerate() {
                assert!(is_near(found, *expected), "sample {i}, {k}: {found}, {expected}");
            }
            for (ahead, expected) in crossing::HORIZONS.iter().zip(&row.probabilities) {
                let outputs = network(&inputs);
                assert!(outlook.answer(outlook.samples(), &outputs, side, row.limit, *ahead));
                let found = outlook.forecast.unwrap().probability;
                assert!(is_near(found, *expected), "sample {i}: {found}, {expected}");
            }
            compared += 1;
        }
    }
    assert!(rows.next().is_none() && compared >= 300, "{compared}");
}

#[test]
fn nothing_is_asked_while_the_window_is_not_full() {
    let mut outlook = hourly();
    for i in 0..31 {
        outlook.take(at(i), 1.0);
        assert_eq!(outlook.inputs(Side::Above, None), None);
    }
    outlook.take(at(31), 1.0);
    assert!(outlook.inputs(Side::Above, None).is_some());
}

#[test]
fn three_missing_samples_stand_in_as_the_one_before_and_more_begin_anew() {
    let mut outlook = hourly();
    (0..32).for_each(|i| assert!(outlook.take(at(i), i as f64)));
    outlook.take(at(35), 40.0);
    assert_eq!(
        outlook.window.iter().rev().take(5).copied().collect::<Vec<_>>(),
        [40.0, 31.0, 31.0, 31.0, 31.0]
    );
    outlook.take(at(40), 41.0);
    assert_eq!(outlook.window, [41.0]);
    assert_eq!(outlook.inputs(Side::Above, None), None);
}

#[test]
fn an_answer_to_an_earlier_sample_says_nothing_any_more() {
    let mut outlook = hourly();
    (0..33).for_each(|i| assert!(outlook.take(at(i), i as f64)));
    let outputs = vec![0.0; OUTPUTS];
    assert!(!outlook.answer(outlook.samples() - 1, &outputs, Side::Above, 50.0, 3.0));
    assert!(outlook.answer(outlook.samples(), &outputs, Side::Above, 50.0, 3.0));
}

#[test]
fn a_lower_limit_is_an_upper_limit_of_the_mirrored_values() {
    let (mut up, mut down) = (hourly(), hourly());
    for i in 0..40 {
        let value = (i as f64 * 0.7).sin() * 3.0 + i as f64;
        up.take(at(i), value);
        down.take(at(i), -value);
    }
    let inputs = up.inputs(Side::Above, Some(3.0)).unwrap();
    assert_eq!(Some(inputs), down.inputs(Side::Below, Some(3.0)));
    let outputs = network(&inputs);
    up.answer(40, &outputs, Side::Above, 45.0, 3.0);
    down.answer(40, &outputs, Side::Below, -45.0, 3.0);
    let (up, down) = (up.forecast.unwrap(), down.forecast.unwrap());
    assert!(is_near(up.probability, down.probability));
    assert!(is_near(up.band.1, -down.band.0) && up.band.0 <= up.band.1);
}

/// A point that wanders around 40 by some 2 an hour.
fn wander(hours: usize, change: impl Fn(usize, f64) -> f64) -> Outlook {
    let mut outlook = hourly();
    let mut value = 0.0;
    for i in 0..hours {
        value = 0.9 * value + ((i * 7919 % 101) as f64 / 25.0 - 2.0);
        outlook.take(at(i), change(i, 40.0 + value));
    }
    outlook
}

#[test]
fn one_glitch_changes_nothing_that_is_expected() {
    let clean = wander(700, |_, value| value);
    let hurt = wander(700, |i, value| if i == 600 { 65_000.0 } else { value });

    for (hurt, clean) in
        [(hurt.step, clean.step), (hurt.deviation, clean.deviation), (hurt.mean, clean.mean)]
    {
        assert!((hurt / clean - 1.0).abs() < 0.22, "{hurt} instead of {clean}");
    }
    // While it is in the window, the point moves hardly more than usual.
    let (during, before) =
        (wander(610, |i, v| if i == 600 { 65_000.0 } else { v }), wander(600, |_, v| v));
    let scale = |outlook: &Outlook| outlook.scale().unwrap().1;
    assert!(scale(&during) < 12.0 * scale(&before), "{} {}", scale(&during), scale(&before));
}

#[test]
fn what_changes_for_good_is_followed() {
    let higher = wander(1_500, |i, value| if i >= 700 { value + 400.0 } else { value });
    assert!((higher.mean - 310.0).abs() < 60.0, "{}", higher.mean);

    let livelier = wander(1_500, |i, v| if i >= 700 { 40.0 + 30.0 * (v - 40.0) } else { v });
    assert!(livelier.step > 15.0 * wander(700, |_, v| v).step, "{}", livelier.step);

    let woken = wander(800, |i, value| if i >= 700 { value } else { 40.0 });
    assert!(woken.step > 0.05, "{}", woken.step);
}
