//! The detector as a whole: as the reference says, and calm where it should be.

use super::*;

/// The reference on a made-up recording of 900 quarters of an hour: a daily wave, half as high at
/// weekends, with noise; a spike at 400, a stuck sensor from 520, a shift that stays at 650, a drop at
/// 800. Values in 64ths. Written by `models/forecast/golden.py`.
#[derive(serde::Deserialize)]
struct Golden {
    first: i64,
    every: i64,
    values: Vec<f64>,
    abnormality: Vec<f64>,
    /// Where events open; the reference begins before it has learnt.
    opened: Vec<i64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden.json")).unwrap()
}

/// Stands in for the network, here and in the reference: the last sample and the daily step.
fn network(inputs: &[f32]) -> Vec<f32> {
    let middle = inputs[31] + inputs[33];
    [-3.0, -2.0, -1.5, -0.75, 0.0, 0.75, 1.5, 2.0, 3.0].map(|k: f32| middle + 0.4 * k).to_vec()
}

/// One sample, and the network's answer to what is asked about the next.
fn step(detector: &mut Detector, at: Timestamp, value: f64) -> Judgement {
    let mut features = Vec::new();
    let (judgement, asks) = detector.take(at, value, abnormality_of(0.5), None, &mut features);
    if asks {
        assert!(detector.answer(detector.samples(), &network(&features)));
    }
    judgement
}

#[test]
fn the_abnormality_is_that_of_the_reference() {
    let golden = golden();
    let mut detector = Detector::default();
    let mut opened = Vec::new();
    for (i, (value, expected)) in (0..).zip(golden.values.iter().zip(&golden.abnormality)) {
        let at = Timestamp((golden.first + i * golden.every) * 1000);
        let judgement = step(&mut detector, at, value / 64.0);
        if judgement.is_learning {
            assert_eq!(judgement.reported().to_bits(), 0.0_f64.to_bits());
        } else {
            let off = (judgement.abnormality - expected).abs();
            assert!(off < 1e-4, "sample {i}: {} instead of {expected}", judgement.abnormality);
        }
        if judgement.opens {
            opened.push(i);
        }
    }

    let after_learning = opened[0];
    let expected: Vec<i64> = golden.opened.into_iter().filter(|i| *i >= after_learning).collect();
    assert_eq!(opened, expected);
    assert!(after_learning > 200 && opened.len() >= 3, "{opened:?}");
}

fn noise(i: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below a hundred")]
    let part = (i * 7919 % 101) as f64;
    20.0 + part / 50.0
}

#[test]
fn a_glitch_opens_once_and_leaves_the_detector_as_keen_as_it_was() {
    for glitch in [1e30, -1e30, f64::MAX] {
        let mut detector = Detector::default();
        let mut opened = Vec::new();
        for i in 0..2_000 {
            let value = match i {
                1_000 => glitch,
                1_800 => 29.0,
                _ => noise(i),
            };
            if step(&mut detector, Timestamp(i * 60_000), value).opens {
                opened.push(i);
            }
        }

        let late: Vec<i64> = opened.into_iter().filter(|i| *i >= 500).collect();
        assert_eq!(late, [1_000, 1_800], "{glitch}");
    }
}

#[test]
fn a_reading_that_comes_twice_blinds_nobody() {
    let mut detector = Detector::default();
    let mut seen = 0.0;
    for i in 0..1_041 {
        let at = Timestamp(i * 300_000);
        let value = noise(i) + if i == 1_040 { 25.0 } else { 0.0 };
        seen = step(&mut detector, at, value).abnormality;
        // A broker hands out what it had kept.
        let extra = if i == 1_000 { 30 } else { 0 };
        for k in 1..=extra {
            step(&mut detector, Timestamp(at.0 + k * 2), noise(i + k));
        }
    }

    assert!(seen > abnormality_of(0.6), "{seen}");
    assert!(detector.interval() > 100.0, "{}", detector.interval());
}

#[test]
fn a_sensor_that_speaks_up_is_followed() {
    let mut detector = Detector::default();
    let mut at = Timestamp(0);
    for i in 0..1_000 {
        at = Timestamp(at.0 + if i < 300 { 300_000 } else { 1_000 });
        step(&mut detector, at, noise(i));
    }

    assert!(detector.interval() < 11.0, "{}", detector.interval());
}

#[test]
fn a_score_is_a_share_of_one() {
    for score in [0.0, 0.3, 0.5, 0.9, 1.0] {
        assert!((score_of(abnormality_of(score)) - score).abs() < 1e-9, "{score}");
    }
}

#[test]
fn an_answer_that_comes_too_late_leaves_the_forecaster_silent_and_the_others_speak() {
    let mut detector = Detector::default();
    let mut last = None;
    for i in 0..600 {
        let mut features = Vec::new();
        let asked_at = detector.samples();
        last = Some(detector.take(Timestamp(i * 60_000), noise(i), 9.0, None, &mut features).0);
        assert!(!detector.answer(asked_at, &[0.0; OUTPUTS]), "that was the sample before");
    }
    let judgement = step(&mut detector, Timestamp(600 * 60_000), 90.0);

    assert_eq!(last.unwrap().expected, None);
    assert!(judgement.opens && judgement.abnormality > 4.0, "{judgement:?}");
}
