//! How long a model takes on this box, and what it holds of the memory.
//!
//! The time of a row is the median over many questions: other programs on the box only ever make a
//! question slower, and the median forgets the few that were hit.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Told, ask, library, look};
use crate::config::GatewayConfig;
use crate::infer::manifest::Spec;
use crate::infer::noise::Noise;
use crate::infer::{Models, Shelves, engine_name, load_spec};
use crate::resident::resident_bytes;

/// Windows in a question at most, as the pipeline asks.
const BATCH: usize = 64;
/// How long each size of a question is timed.
const LASTS: Duration = Duration::from_millis(500);

pub(super) fn bench(
    config: &GatewayConfig,
    shelves: &Shelves,
    rows: Option<NonZeroUsize>,
    picture: Option<&Path>,
) -> anyhow::Result<Told> {
    let before = resident_bytes();
    let engine = engine_name(library(config))?;
    let mut text = format!("inference runs on {engine}\n");
    let mut figures = Vec::new();
    for name in shelves.names() {
        if let Spec::Picture(_) = load_spec(shelves, &name)? {
            let (line, figure) = look::timed(config, shelves, &name, picture, LASTS)?;
            text += &line;
            figures.push(figure);
            continue;
        }
        let mut models = Models::open(shelves, [&name], library(config))?;
        let loaded = resident_bytes();
        let mut noise = Noise::new(1);
        let (one, _) = time(&mut models, &name, 1, &mut noise, None)?;
        // The engines set memory aside with the first questions; only what comes after is growth.
        time(&mut models, &name, BATCH, &mut noise, None)?;
        let warm = resident_bytes();
        let (many, asked) = time(&mut models, &name, BATCH, &mut noise, rows)?;
        let after = resident_bytes();
        let _ = writeln!(
            text,
            "{name}: {one:.2} us a window asked alone, {many:.2} us in a batch of {BATCH} \
             (medians; {asked} windows)\n  \
             resident memory {} MiB before loading, {} MiB loaded, {} MiB warm, {} MiB after",
            mebibytes(before),
            mebibytes(loaded),
            mebibytes(warm),
            mebibytes(after),
        );
        figures.push(json!({
            "name": name,
            "us-per-row": { "1": one, "64": many },
            "rows": asked,
            "resident-bytes": { "before": before, "loaded": loaded, "warm": warm, "after": after },
        }));
    }
    Ok(Told { json: json!({ "engine": engine, "models": figures }), text, holds: true })
}

/// Microseconds a row, and the rows that were asked about.
fn time(
    models: &mut Models,
    name: &str,
    batch: usize,
    noise: &mut Noise,
    rows: Option<NonZeroUsize>,
) -> anyhow::Result<(f64, usize)> {
    let begun = Instant::now();
    // At most some thousand: a list that grows would show as memory of the model.
    let mut times = Vec::with_capacity(4_096);
    let mut asked = 0;
    while rows.map_or_else(|| begun.elapsed() < LASTS, |rows| asked < rows.get()) {
        let question = Instant::now();
        ask(models, name, batch, noise)?;
        let took = question.elapsed().as_secs_f64() * 1e6 / batch as f64;
        if times.len() == times.capacity() {
            times.clear();
        }
        times.push(took);
        asked += batch;
    }
    times.sort_by(f64::total_cmp);
    Ok((times.get(times.len() / 2).copied().unwrap_or_default(), asked))
}

pub(super) fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".to_owned(), |bytes| format!("{:.1}", bytes as f64 / 1_048_576.0))
}
