//! What a scene would have raised on what this box has kept, for `gatehouse backtest` and the console.
//!
//! Kept are the statistics of each quarter of an hour, and every reading around events
//! ([`crate::store::kept`]). [`past`] reads them,
//! [`trial`] judges them by the scene, [`play`] is the pipeline for what has to be played,
//! [`report`] holds it against what the live scene raised, by the journal, and [`limits`] says what
//! nobody can know.

mod limits;
pub mod past;
pub(crate) mod play;
pub mod report;
pub mod span;
mod trial;

use std::path::Path;

use anyhow::Context;
use gatehouse_core::community::Community;
use gatehouse_core::event::message::Message;

use crate::infer::{Models, Shelves};
use crate::journal::ask::Journal;
use past::Past;
use report::Report;
use span::Span;
use trial::Trial;

/// Where the past and the models are.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'g> {
    /// The store's folder.
    pub store: &'g Path,
    pub models: &'g Shelves,
    /// ONNX Runtime's library, where one is named.
    pub library: Option<&'g Path>,
}

/// Tries the scene of that id on the past. Takes seconds to minutes, and waits for the disk.
///
/// # Errors
/// There is no such scene, or what is kept, the journal or a model cannot be read.
pub fn try_scene(
    community: &Community,
    scene: &str,
    span: Span,
    ground: Ground<'_>,
) -> anyhow::Result<Report> {
    let Ground { store, models, library } = ground;
    let trial = Trial::new(community, scene)?;
    let live = play::raised(&live(&Journal::open(store)?, scene)?);
    let past = Past::read(store, community, span.before(trial.warm_up()))
        .with_context(|| format!("cannot read what is kept in {}", store.display()))?;
    let names = trial.models();
    let models = if names.is_empty() { None } else { Some(Models::open(models, names, library)?) };
    let found = trial.run(&past, span, models)?;
    Ok(Report::new(&trial, &past, &live, found, span))
}

/// What the live scene of that id told.
fn live(journal: &Journal, scene: &str) -> anyhow::Result<Vec<Message>> {
    let mut messages = Vec::new();
    for line in journal.lines()? {
        let line = line?;
        let message: Message = serde_json::from_str(&line.json)
            .with_context(|| format!("sequence {} holds no event message", line.sequence))?;
        if message.data.scene == scene {
            messages.push(message);
        }
    }
    Ok(messages)
}
