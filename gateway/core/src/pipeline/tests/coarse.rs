//! What quarters of an hour say of a limit, against what the limit really does on every reading.

use proptest::prelude::*;

use super::*;
use crate::community::scene::Detector;
use crate::detect::bound::Compiled;
use crate::detect::coarse::Known;
use crate::reading::{Quality, Reading};
use crate::statistics::episode::{Episode, Spotter};
use crate::statistics::ledger::Ledger;
use crate::statistics::page;
use crate::statistics::quarter::{Quarter, Statistic};

/// A stretch in which the sensor says about the same.
#[derive(Debug, Clone)]
struct Stretch {
    value: f64,
    noise: f64,
    readings: u32,
    every: u64,
    /// Seconds of silence after it.
    silence: u64,
}

fn stretch() -> impl Strategy<Value = Stretch> {
    let value = prop_oneof![Just(30.0), Just(38.5), Just(40.0), Just(42.0)];
    let noise = prop_oneof![3 => Just(0.0), 1 => Just(3.0)];
    let silence = prop_oneof![Just(0_u64), 0..3_000_u64];
    (value, noise, 1..20_u32, 20..900_u64, silence).prop_map(
        |(value, noise, readings, every, silence)| Stretch {
            value,
            noise,
            readings,
            every,
            silence,
        },
    )
}

fn readings(stretches: &[Stretch]) -> Vec<(Timestamp, f64)> {
    let mut at = START;
    let mut all = Vec::new();
    for Stretch { value, noise, readings, every, silence } in stretches {
        for i in 0..*readings {
            // Up and down, in tenths as sensors have it.
            let swing = f64::from(i * 7 % 5) - 2.0;
            all.push((at, ((value + noise * swing / 2.0) * 10.0).round() / 10.0));
            at = at + Duration::from_secs(*every);
        }
        at = at + Duration::from_secs(*silence);
    }
    all
}

fn detector(limit: &str, on: u64, off: u64) -> String {
    format!(
        "id = \"hot\"\npoint = \"temperature\"\n{limit}\ndeadband = \"2 degC\"\n\
         on-delay = \"{on} min\"\noff-delay = \"{off} min\"\n"
    )
}

/// When something opened and when it was over, judged on every reading.
fn truth(detector: &str, readings: &[(Timestamp, f64)]) -> Vec<(Timestamp, Option<Timestamp>)> {
    let head = HEAT.split("[[detector]]").next().unwrap();
    let scene = format!("{head}[[detector]]\n{detector}");
    let settings = Settings { gather: Duration::ZERO, is_live: false };
    let community = Arc::new(Night::with_scenes(&[&scene]));
    let mut pipeline = Pipeline::new(community, settings, Restored::default(), START).unwrap();
    let mut events = Vec::new();
    let drain = |pipeline: &mut Pipeline, events: &mut Vec<_>, now| {
        while let Some(output) = pipeline.poll_output() {
            let Output::Store(batch) = output else { continue };
            for record in batch.records {
                let message: Message = serde_json::from_slice(&record.json).unwrap();
                if message.data.scene != "heat" {
                    continue;
                }
                match message.kind.rsplit('.').next().unwrap() {
                    "opened" | "reopened" => events.push((now, None)),
                    "cleared" => events.last_mut().unwrap().1 = Some(now),
                    _ => {}
                }
            }
        }
    };
    for (at, value) in readings {
        while let Some(due) = pipeline.poll_timeout().filter(|due| due < at) {
            pipeline.handle_timeout(due);
            drain(&mut pipeline, &mut events, due);
        }
        let body = Body::Values { at: *at, values: vec![*value, f64::NAN] };
        let frame = Frame { device: DeviceIndex(0), ticket: None, body };
        pipeline.handle(Input::Frame(frame), *at);
        pipeline.handle_timeout(*at);
        drain(&mut pipeline, &mut events, *at);
    }
    events
}

/// What the same comes to on quarters of an hour, written and read back.
fn coarse(detector: &str, readings: &[(Timestamp, f64)]) -> Vec<Episode> {
    let mut ledger = Ledger::default();
    let mut quarters = std::collections::BTreeMap::<Quarter, Vec<Statistic>>::new();
    for some in readings.chunks(50) {
        for (at, value) in some {
            let reading = Reading { point: 0, value: *value, quality: Quality::Good };
            ledger.note(2, &[reading], *at);
        }
        ledger.close();
        let mut bytes = page::begin();
        ledger.write("t1", ["temperature", "humidity"].into_iter(), &mut bytes);
        for piece in page::read(&bytes).unwrap().remove(0).pieces {
            assert!(!piece.is_out_of_order);
            let points =
                quarters.entry(piece.quarter).or_insert_with(|| vec![Statistic::default()]);
            points[0].merge(&piece.points[0]);
        }
    }

    let written: Detector = toml::from_str(detector).unwrap();
    let compiled = Compiled::alone(&written, &[], None).unwrap();
    let device_type = Arc::clone(&community().device_types[0]);
    let mut spotter = Spotter::new(compiled.delays);
    let (first, last) = (*quarters.keys().next().unwrap(), *quarters.keys().last().unwrap());
    let mut episodes = Vec::new();
    let mut quarter = first;
    while quarter <= last {
        let glance = quarters.get(&quarter).and_then(|points| {
            let known = Known { points, before: &[None, None] };
            compiled.glance(&device_type, known, quarter)
        });
        episodes.extend(spotter.handle(quarter, glance));
        quarter = quarter.next();
    }
    episodes.extend(spotter.finish(quarter));
    episodes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn surely_is_never_wrong_and_what_happened_was_at_least_perhaps(
        stretches in prop::collection::vec(stretch(), 1..12),
        is_high in any::<bool>(),
        on in prop_oneof![Just(0_u64), Just(1), 10..70_u64],
        off in prop_oneof![Just(0_u64), 1..40_u64],
    ) {
        let limit = if is_high { "limit-high = \"40 degC\"" } else { "limit-low = \"40 degC\"" };
        let detector = detector(limit, on, off);
        let readings = readings(&stretches);

        let (events, episodes) = (truth(&detector, &readings), coarse(&detector, &readings));

        for episode in episodes.iter().filter(|episode| episode.is_sure) {
            let is_open = |(opened, cleared): &(Timestamp, Option<Timestamp>)| {
                *opened < episode.until.start()
                    && cleared.is_none_or(|cleared| cleared >= episode.from.start())
            };
            prop_assert!(events.iter().any(is_open), "{episode:?} {events:?}");
        }
        for (opened, _) in &events {
            let is_in = |e: &Episode| e.from.start() <= *opened && *opened < e.until.start();
            prop_assert!(episodes.iter().any(is_in), "{opened} {episodes:?}");
        }
    }
}

#[test]
fn a_long_heat_is_sure_and_a_short_one_is_perhaps() {
    let heat = |minutes| {
        let calm = Stretch { value: 30.0, noise: 0.0, readings: 60, every: 60, silence: 0 };
        let hot = Stretch { value: 42.0, readings: minutes, ..calm.clone() };
        readings(&[calm.clone(), hot, calm])
    };
    let detector = detector("limit-high = \"40 degC\"", 20, 5);

    let sure = |minutes| coarse(&detector, &heat(minutes)).iter().map(|e| e.is_sure).collect();
    let (long, short, moment): (Vec<_>, Vec<_>, Vec<_>) = (sure(90), sure(25), sure(5));
    assert_eq!((long, short, moment), (vec![true], vec![false], vec![false]));
}
