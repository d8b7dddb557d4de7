//! What a look costs beside the network alone: the half of `cargo xtask sight-bench` that needs the program's
//! own parts. The argument is a configuration folder in which each camera has one device and `picture` below
//! it real JPEGs; a line of JSON a figure comes out.
//!
//! The way is the program's own: a JPEG goes into the sight thread's [`Slots`](gatehouse::source::camera::Slots),
//! and a device's values come out where the engine would take them. What is compared is done in turns (the
//! way, decoding alone, the network alone, and again), so that a noisy machine harms all of them.

mod place;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use gatehouse::cli::check;
use gatehouse::infer::pictures::PictureModels;
use gatehouse::infer::{Inference, Models};
use gatehouse::service::Setup;
use gatehouse::source::camera::Content;
use gatehouse_core::pipeline::{Input, Question};
use gatehouse_sight::jpeg;
use gatehouse_sight::picture::Picture;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use place::{Camera, ELSEWHERE, Place, cpu};

/// Turns of what is timed, fewer when they last longer than this; and those before it counts.
const TURNS: usize = 41;
const USUAL: (usize, Duration) = (11, Duration::from_secs(10));
/// To see that it runs; its figures say nothing.
const QUICK: (usize, Duration) = (1, Duration::ZERO);
const WARM_UP: usize = 4;
/// Pictures in which nothing moves, so close together that the model is not asked to make sure.
const IDLE: usize = 500;
const IDLE_STEP: i64 = 8;
/// Questions to a model of numbers: rounds, and questions in each.
const ROUNDS: usize = 10;
const ASKED: usize = 20;
/// Between two of them; a look takes several times as long, so that they fall into all parts of it.
const APART: Duration = Duration::from_millis(7);
/// What the sight thread decodes at least, without and with stills; see `gateway/src/sight/looking.rs`.
const FOR_VIEW: (usize, usize) = (256, 192);
const FOR_STILLS: (usize, usize) = (640, 480);
const WHOLE: (usize, usize) = (usize::MAX, usize::MAX);

/// What a look may take beyond decoding and network, in ms.
const MORE: f64 = 1.0;

const SENSOR_MODEL: &str = "forecast";

fn main() -> Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|w| w != "--bench").collect();
    let is_quick = words.pop_if(|word| word == "--quick").is_some();
    let [folder] = words.as_slice() else { bail!("expected FOLDER and maybe --quick") };
    let folder = Path::new(folder);
    let setup = check::load(folder).map_err(|faults| anyhow!(faults.plain()))?.into_setup();
    let library = setup.config.models.onnxruntime.as_deref();
    let engine = gatehouse::infer::engine_name(library)?;
    let mut place = Place::open(&setup)?;
    let cores = stay_on("0")?;
    ways(&setup, &mut place, folder, engine, if is_quick { QUICK } else { USUAL })?;
    stay_on(&cores)?;
    sensors(&setup, &mut place, folder, engine)?;
    if is_quick || engine == "tract" {
        // What no engine has to do with.
        idle(&mut place, folder)?;
        decoding(folder)?;
    }
    place.close();
    Ok(())
}

/// Keeps all threads on these cores; gives those that they were on. Where a look is timed beside its parts, all of it
/// is done on one: what it takes to wake a thread on another, whose caches are cold, no code of ours can mend.
fn stay_on(cores: &str) -> Result<String> {
    let process = std::process::id().to_string();
    let mut taskset = Command::new("taskset");
    let output = taskset.args(["--all-tasks", "--cpu-list", "--pid", cores, &process]).output()?;
    let told = String::from_utf8(output.stdout)?;
    let before = told.lines().next().and_then(|line| line.rsplit_once(": "));
    let before = before.with_context(|| format!("taskset: {told}"))?;
    Ok(before.1.to_owned())
}

/// One figure; with a bound it holds when it is not above it.
fn tell(figure: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{figure}")?;
    Ok(out.flush()?)
}

/// Two pictures of the same thing that are not the same to the bit: a camera that sends the very same one
/// for a minute is called frozen.
fn pictures(folder: &Path, size: &str) -> Result<[Vec<u8>; 2]> {
    let read = |which: &str| {
        let path: PathBuf = folder.join(format!("picture/{size}-{which}.jpg"));
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    Ok([read("a")?, read("b")?])
}

/// The whole way beside its parts, for every model and size.
///
/// A look is timed as one, from the JPEG to the values. What it takes more than decoding and network is judged
/// as it is found in each turn. Where a network's time varies by more than the bound itself that difference
/// says nothing, and its parts are judged: the sight thread's CPU time for a picture that it does not ask
/// about, and what making the tensor and reading the answer take in the turns of the network alone.
fn ways(
    setup: &Setup,
    place: &mut Place,
    folder: &Path,
    engine: &str,
    (fewest, lasts): (usize, Duration),
) -> Result<()> {
    let library = setup.config.models.onnxruntime.as_deref();
    for (camera, Camera { model, size }) in place.cameras.clone().iter().enumerate() {
        let (mut alone, missing) = PictureModels::open(&setup.models, [model.as_str()], library);
        if let Some((_, error)) = missing.into_iter().next() {
            bail!("{model}: {error}");
        }
        let jpegs = pictures(folder, size)?;
        let picture = decode(&alone, model, &jpegs[0])?;
        let mut times: [Vec<f64>; 5] = Default::default();
        let begun = Instant::now();
        for turn in 0..WARM_UP + TURNS {
            if turn >= WARM_UP + fewest && begun.elapsed() > lasts {
                break;
            }
            let bytes = &jpegs[turn % 2];
            let way = place.look(camera, Content::Jpeg(bytes.clone()), ELSEWHERE)?;
            let begun = Instant::now();
            let picture = decode(&alone, model, bytes)?;
            let decoding = begun.elapsed();
            let (_, took) = alone.look_timed(model, &picture, None)?;
            if turn >= WARM_UP {
                let parts = [way, decoding, took.inference, took.around];
                let [way, decoding, network, around] = parts.map(|took| took.as_secs_f64() * 1e3);
                let turn = [way, decoding, network, around, way - decoding - network];
                times.iter_mut().zip(turn).for_each(|(times, took)| times.push(took));
            }
        }
        let varies = spread(&times[2]);
        let [way, decoding, network, around, more] = times.map(median);
        let (ratio, parts) = (way / network, around + unasked(place, camera, &picture)?);
        let of_ratio = engine == "onnxruntime" && model == "yolox-nano";
        let (value, unit, bound) = match (of_ratio, varies < MORE) {
            (true, _) => (ratio, "times", 1.25),
            (false, true) => (more, "ms more", MORE),
            (false, false) => (parts, "ms more (its parts)", MORE),
        };
        // The other figures shall be told all the same.
        let (what, value) = if way < network / 2.0 {
            (format!("{model}, {size}, {engine}: nobody asked it"), f64::MAX)
        } else {
            (format!("{model}, {size}, {engine}"), value)
        };
        tell(&json!({
            "what": what,
            "cells": [ms(way), ms(decoding), ms(network), format!("{ratio:.2}"), ms(more), ms(varies), ms(parts)],
            "table": "ways", "value": value, "unit": unit, "bound": bound,
        }))?;
    }
    Ok(())
}

/// As large as the sight thread makes a picture that no stills are made of.
fn decode(models: &PictureModels, model: &str, bytes: &[u8]) -> Result<Picture> {
    let wanted = |sent| {
        let (width, height) = models.wants_of(model, None, sent).unwrap_or_default();
        (width.max(FOR_VIEW.0), height.max(FOR_VIEW.1))
    };
    Ok(jpeg::decode_for(bytes, wanted)?)
}

/// CPU time of the sight thread, in ms, for a decoded picture about which it asks no model.
fn unasked(place: &mut Place, camera: usize, picture: &Picture) -> Result<f64> {
    // Until nothing is followed that may still be on its way, and the model is not asked to make sure.
    for _ in 0..8 {
        place.look(camera, Content::Picture(picture.clone()), IDLE_STEP)?;
    }
    let before = cpu()?;
    for _ in 0..IDLE {
        place.look(camera, Content::Picture(picture.clone()), IDLE_STEP)?;
    }
    Ok(cpu()?.saturating_sub(before).as_secs_f64() * 1e3 / IDLE as f64)
}

/// A JPEG made smaller while it is decoded beside the whole of it.
fn decoding(folder: &Path) -> Result<()> {
    for size in ["1920x1080", "3840x2160"] {
        let jpegs = pictures(folder, size)?;
        let mut times: [Vec<f64>; 2] = Default::default();
        let mut sizes = [String::new(), String::new()];
        for turn in 0..WARM_UP + TURNS {
            for (at_least, (times, size)) in
                [FOR_STILLS, WHOLE].into_iter().zip(times.iter_mut().zip(&mut sizes))
            {
                let begun = Instant::now();
                let picture = jpeg::decode(&jpegs[turn % 2], at_least)?;
                let took = begun.elapsed();
                *size = format!("{}x{}", picture.width(), picture.height());
                if turn >= WARM_UP {
                    times.push(took.as_secs_f64() * 1e3);
                }
            }
        }
        let [scaled, whole] = times.map(median);
        tell(&json!({
            "what": format!("{size} as {}", sizes[0]),
            "cells": [ms(scaled), ms(whole), format!("{:.2}", scaled / whole)],
            "table": "decoding", "value": scaled / whole, "unit": "times", "bound": 1.0,
        }))?;
    }
    Ok(())
}

/// CPU time of the sight thread for a picture in which nothing moves, decoded before.
fn idle(place: &mut Place, folder: &Path) -> Result<()> {
    for size in ["640x480", "1920x1080"] {
        let camera = place.camera("road-users", size).context("no camera for `road-users`")?;
        let jpegs = pictures(folder, size)?;
        let picture = jpeg::decode(&jpegs[0], FOR_STILLS)?;
        // Until what is there is known.
        for jpeg in jpegs.iter().cycle().take(30) {
            place.look(camera, Content::Jpeg(jpeg.clone()), ELSEWHERE)?;
        }
        let took = unasked(place, camera, &picture)?;
        tell(&json!({
            "what": format!("{size}, decoded as {}x{}", picture.width(), picture.height()),
            "cells": [format!("{took:.3}")],
            "table": "idle", "value": took, "unit": "ms of CPU", "bound": 2.0,
        }))?;
    }
    Ok(())
}

/// How long a model of numbers is waited for while nobody looks, and while the sight thread never rests.
fn sensors(setup: &Setup, place: &mut Place, folder: &Path, engine: &str) -> Result<()> {
    let library = setup.config.models.onnxruntime.as_deref();
    let models = Models::open(&setup.models, [SENSOR_MODEL], library)?;
    let window = models.specs().first().context("it is of a series")?.window;
    let (sender, mut answers) = mpsc::channel(8);
    let inference = Inference::start(models, sender.downgrade())?;
    let (model, size) = ("road-users", "640x480");
    let camera = place.camera(model, size).context("no camera for `road-users`")?;
    let jpegs = pictures(folder, size)?;
    let mut times: [Vec<f64>; 2] = Default::default();
    let (mut id, mut busy) = (0, Duration::ZERO);
    let (mut spent, mut looks) = (Duration::ZERO, 0);
    for _ in 0..ROUNDS {
        for (is_busy, times) in [false, true].into_iter().zip(&mut times) {
            let (before, begun, done) = (cpu()?, Instant::now(), place.looks);
            for turn in 0..ASKED {
                if is_busy {
                    place.keep_busy(camera, &jpegs[turn % 2]);
                }
                std::thread::sleep(APART);
                id += 1;
                let features = vec![0.1; window];
                let asked = Instant::now();
                inference.ask(Question { id, model: SENSOR_MODEL.into(), features, rows: 1 });
                let answer = answers.blocking_recv();
                times.push(asked.elapsed().as_secs_f64() * 1e3);
                if !matches!(answer, Some(Input::Answer(answer)) if answer.outputs.is_ok()) {
                    bail!("`{SENSOR_MODEL}` gave no answer");
                }
            }
            if is_busy {
                busy += begun.elapsed();
                place.rest(camera, &jpegs[0])?;
                spent += cpu()?.saturating_sub(before);
                looks += place.looks - done;
            }
        }
    }
    let [quiet, beside] = times.map(median);
    let share = 1e2 * spent.as_secs_f64() / busy.as_secs_f64();
    tell(&json!({
        "what": format!("`{SENSOR_MODEL}` beside {model}, {engine}"),
        "cells": [format!("{quiet:.3}"), format!("{beside:.3}"), format!("{share:.0}"), looks],
        "table": "sensors", "value": beside - quiet, "unit": "ms more", "bound": 1.0,
    }))
}

fn ms(time: f64) -> String {
    format!("{time:.2}")
}

/// Between the quarters of the least and of the most.
fn spread(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let at = |quarter: usize| times.get(times.len() * quarter / 4).copied().unwrap_or_default();
    at(3) - at(1)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
