//! `gatehouse models look`, and the times of picture models for `bench`.
//!
//! Numbers alone come out; the picture goes nowhere.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use gatehouse_sight::jpeg;
use gatehouse_sight::picture::Picture;
use gatehouse_sight::seen::Seen;
use serde_json::{Value, json};

use super::bench::mebibytes;
use super::{Told, library};
use crate::config::GatewayConfig;
use crate::infer::pictures::PictureModels;
use crate::infer::{Shelves, engine_name};
use crate::resident::resident_bytes;

pub(super) fn look(
    config: &GatewayConfig,
    shelves: &Shelves,
    name: &str,
    file: &Path,
) -> anyhow::Result<Told> {
    let mut models = open(config, shelves, name)?;
    let bytes = read(file)?;
    // Whole: people compare this with what other programs see in the same file.
    let picture = jpeg::decode(&bytes, (usize::MAX, usize::MAX))
        .with_context(|| file.display().to_string())?;
    let seen = models.look(name, &picture, None)?;
    let json = json!({
        "engine": engine_name(library(config))?,
        "width": picture.width(),
        "height": picture.height(),
        "seen": as_json(&seen, models.labels(name)),
    });
    Ok(Told { text: format!("{}\n", json["seen"]), json, holds: true })
}

fn as_json(seen: &Seen, labels: &[String]) -> Value {
    let label = |at: usize| labels.get(at).map_or("", String::as_str);
    match seen {
        Seen::Boxes(boxes) => boxes
            .iter()
            .map(|found| {
                let r = found.region;
                json!({
                    "label": label(found.label),
                    "score": found.score,
                    "region": [r.left, r.top, r.right, r.bottom],
                })
            })
            .collect(),
        Seen::Class { probabilities, sure } => {
            json!({ "probabilities": probabilities, "sure": sure.map(label) })
        }
        Seen::Mask { width, height, cells } => {
            json!({ "width": width, "height": height, "cells": cells })
        }
    }
}

/// Looks until a model has set aside what it needs. As many at the end say what it holds then, and as many at
/// least lie between.
const WARM: usize = 8;

/// Times a model on a JPEG, the whole way from its bytes to what is seen; on a made-up picture, which
/// needs no decoding, where no JPEG is given. Medians, in milliseconds.
pub(super) fn timed(
    config: &GatewayConfig,
    shelves: &Shelves,
    name: &str,
    file: Option<&Path>,
    lasts: Duration,
) -> anyhow::Result<(String, Value)> {
    let before = resident_bytes();
    let mut models = open(config, shelves, name)?;
    let loaded = resident_bytes();
    let bytes = file.map(read).transpose()?;
    let noise = models.noise(name, 1).context("the model has no size")?;
    let (mut inference, mut whole) = (Vec::with_capacity(4_096), Vec::with_capacity(4_096));
    let (mut held, begun) = (Vec::with_capacity(4_096), Instant::now());
    while inference.len() < 3 * WARM
        || (begun.elapsed() < lasts && inference.len() < inference.capacity())
    {
        let look = Instant::now();
        let took = match &bytes {
            Some(bytes) => {
                let wants = |sent| models.wants_of(name, None, sent).unwrap_or_default();
                let picture: Picture = jpeg::decode_for(bytes, wants)?;
                models.look_timed(name, &picture, None)?.1
            }
            None => models.look_timed(name, &noise, None)?.1,
        };
        whole.push(look.elapsed().as_secs_f64() * 1e3);
        inference.push(took.inference.as_secs_f64() * 1e3);
        held.push(resident_bytes());
    }
    // An engine gives tens of megabytes back after one look and keeps them after the next. What it keeps for good is
    // there after every one of the last.
    let warm = held.iter().take(WARM).copied().max().flatten();
    let after = held.iter().rev().take(WARM).copied().min().flatten();
    let (inference, whole, looks) = (median(&mut inference), median(&mut whole), whole.len());
    let ratio = whole / inference;
    let mut text = format!(
        "{name}: {inference:.2} ms a picture for the network, {whole:.2} ms the whole way, {ratio:.2} times \
         (medians; {looks} pictures)\n"
    );
    let _ = writeln!(
        text,
        "  resident memory {} MiB before loading, {} MiB loaded, {} MiB warm, {} MiB after",
        mebibytes(before),
        mebibytes(loaded),
        mebibytes(warm),
        mebibytes(after),
    );
    let figure = json!({
        "name": name,
        "ms-a-picture": { "inference": inference, "whole": whole, "ratio": ratio },
        "pictures": looks,
        "resident-bytes": { "before": before, "loaded": loaded, "warm": warm, "after": after },
    });
    Ok((text, figure))
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn open(config: &GatewayConfig, shelves: &Shelves, name: &str) -> anyhow::Result<PictureModels> {
    let (models, missing) = PictureModels::open(shelves, [name], library(config));
    match missing.into_iter().next() {
        None => Ok(models),
        Some((_, error)) => Err(anyhow!(error)),
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
