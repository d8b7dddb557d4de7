//! The candidate: a pipeline of its own over the same readings, whose events go nowhere.

use std::sync::Arc;

use gatehouse_core::community::{Community, Device};
use gatehouse_core::event::message::Record;
use gatehouse_core::pipeline::{Answer, Input, Output, Pipeline, Restored, Settings};
use gatehouse_core::reading::Timestamp;

use crate::infer::Models;
use crate::service::Setup;
use crate::service::reload::open_models;

/// Why a candidate cannot run beside the live one, for people.
pub fn misfit(live: &Community, candidate: &Community) -> Option<String> {
    let is_at = |one: &Device, other: &Device| {
        let place = |d: &Device| (d.id.clone(), d.source, d.address.clone());
        place(one) == place(other) && one.device_type.modbus == other.device_type.modbus
    };
    if live.sources != candidate.sources || live.devices.len() != candidate.devices.len() {
        return Some("it has other devices or sources than the configuration that runs".to_owned());
    }
    let pairs = live.devices.iter().zip(&candidate.devices);
    let (other, _) = pairs.into_iter().find(|(one, other)| !is_at(one, other))?;
    Some(format!(
        "it reads the device `{}` in another way or place than the configuration that runs; a \
         candidate brings scenes, models and what decodes a message, not devices and registers",
        other.id
    ))
}

/// A candidate that runs.
pub(super) struct Beside {
    pub(super) community: Arc<Community>,
    pipeline: Pipeline,
    models: Option<Models>,
}

impl Beside {
    /// Loads its models and takes up what the live one has learnt, where it fits. Takes a while.
    pub(super) fn start(
        setup: &Setup,
        live: &Community,
        states: Vec<(String, Vec<u8>)>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        if let Some(why) = misfit(live, &setup.community) {
            anyhow::bail!(why);
        }
        let models = open_models(setup)?;
        let community = Arc::clone(&setup.community);
        let restored = Restored { states, ..Restored::default() };
        let pipeline = Pipeline::new(Arc::clone(&community), Settings::default(), restored, now)?;
        Ok(Self { community, pipeline, models })
    }

    /// Takes in what the live one took in; gives what it would have told.
    pub(super) fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Record> {
        self.pipeline.handle(input, now);
        self.settle(now)
    }

    /// Lets time pass.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) -> Vec<Record> {
        if self.due().is_some_and(|due| due <= now) {
            self.pipeline.handle_timeout(now);
        }
        self.settle(now)
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        self.pipeline.poll_timeout()
    }

    /// Answers its questions and keeps its records from everybody.
    fn settle(&mut self, now: Timestamp) -> Vec<Record> {
        let mut told = Vec::new();
        while let Some(output) = self.pipeline.poll_output() {
            match output {
                Output::Store(batch) => told.extend(batch.records),
                Output::Settle(_) | Output::Ruling(_) | Output::Acted { .. } => {}
                Output::Ask(question) => {
                    let answer = self.models.as_mut().map(|models| models.answer(&question));
                    let answer = answer.unwrap_or_else(|| Answer {
                        question: question.id,
                        outputs: Err("no model is loaded".to_owned()),
                    });
                    self.pipeline.handle(Input::Answer(answer), now);
                }
            }
        }
        told
    }
}
