//! What the general detector costs: one sample of one point, and one row of points judged together.
//!
//! The network is not in it: it runs elsewhere, and its answer here is a constant shape. `ring push` is
//! the yardstick, the least that anything with a memory must do: a value into a ring as long as the
//! detector's. Figures are worth quoting as ratios to it.

use std::collections::VecDeque;

use divan::black_box;
use gatehouse_core::detect::anomaly::Detector;
use gatehouse_core::detect::joint::Joint;
use gatehouse_core::reading::Timestamp;

/// What a point remembers of its samples.
const RING: usize = 512;
/// Samples until everything has its full length and speaks.
const LEARNING: i64 = 4_000;

fn main() {
    divan::main();
}

/// A daily wave with a flickering last digit; a spike now and then.
fn value(step: i64, point: usize) -> f64 {
    let flicker = (step * 7919 + step / 101 * 31) % 101;
    let spike = if step % 1_733 == 0 { 9.0 } else { 0.0 };
    let day = (step % 288) as f64 / 288.0 * std::f64::consts::TAU;
    20.0 + 4.0 * (day + point as f64).sin() + flicker as f64 / 100.0 + spike
}

fn step(detector: &mut Detector, step: i64, features: &mut Vec<f32>) -> f64 {
    features.clear();
    let at = Timestamp(step * 300_000);
    let (judgement, asks) = detector.take(at, value(step, 0), 2.6, None, features);
    if asks {
        let answer =
            [-3.0, -2.0, -1.5, -0.7, 0.0, 0.7, 1.5, 2.0, 3.0].map(|k: f32| features[31] + k);
        detector.answer(detector.samples(), &answer);
    }
    judgement.abnormality
}

#[divan::bench]
fn ring_push(bencher: divan::Bencher) {
    let mut ring: VecDeque<f32> = (0..RING).map(|_| 0.0).collect();
    bencher.bench_local(move || {
        ring.pop_front();
        ring.push_back(black_box(21.5));
        black_box(&mut ring);
    });
}

#[divan::bench]
fn point_sample(bencher: divan::Bencher) {
    let (mut detector, mut features, mut now) = (Detector::default(), Vec::new(), 0);
    while now < LEARNING {
        now += 1;
        step(&mut detector, now, &mut features);
    }
    bencher.bench_local(move || {
        now += 1;
        black_box(step(&mut detector, now, &mut features))
    });
}

#[divan::bench(args = [2, 4, 8])]
fn joint_row(bencher: divan::Bencher, points: usize) {
    let (mut joint, mut now) = (Joint::new(points, None), 0);
    let mut row = vec![None; points];
    let mut step = move || {
        now += 1;
        for (point, slot) in row.iter_mut().enumerate() {
            *slot = Some(value(now, point));
        }
        joint.handle(&row).deviate
    };
    for _ in 0..LEARNING {
        step();
    }
    bencher.bench_local(move || black_box(step()));
}
