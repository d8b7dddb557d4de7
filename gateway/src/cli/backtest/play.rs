//! The pipeline for what has to be played, in the data's own time; and events from their messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::detect::soon::SUFFIX;
use gatehouse_core::event::message::Message;
use gatehouse_core::pipeline::{Answer, Input, Output, Pipeline, Restored, Settings};
use gatehouse_core::reading::{Body, DeviceIndex, Frame, Timestamp};

use crate::infer::Models;

/// A pipeline under way.
pub(super) struct Play {
    pipeline: Pipeline,
    models: Option<Models>,
    now: Timestamp,
    messages: Vec<Message>,
}

impl Play {
    pub(super) fn new(
        community: Community,
        models: Option<Models>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let settings = Settings { gather: Duration::ZERO, is_live: false };
        let pipeline = Pipeline::new(Arc::new(community), settings, Restored::default(), now)?;
        Ok(Self { pipeline, models, now, messages: Vec::new() })
    }

    /// Plays what a device said, in the order of its type's points; `NaN` for nothing.
    pub(super) fn frame(&mut self, device: DeviceIndex, at: Timestamp, values: Vec<f64>) {
        self.pass_until(at);
        self.now = self.now.max(at);
        let frame = Frame { device, ticket: None, body: Body::Values { at, values } };
        self.pipeline.handle(Input::Frame(frame), self.now);
        self.drain();
        self.pipeline.handle_timeout(self.now);
        self.drain();
    }

    /// Lets delays run until then; what was raised.
    pub(super) fn finish(mut self, until: Timestamp) -> Vec<Raised> {
        self.pass_until(until);
        raised(&self.messages)
    }

    fn pass_until(&mut self, until: Timestamp) {
        while let Some(due) = self.pipeline.poll_timeout()
            && due < until
        {
            self.now = self.now.max(due);
            self.pipeline.handle_timeout(self.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.pipeline.poll_output() {
            match output {
                Output::Store(batch) => {
                    let messages = batch.records.iter();
                    self.messages
                        .extend(messages.filter_map(|r| serde_json::from_slice(&r.json).ok()));
                    self.pipeline.handle(Input::Stored { through: batch.number }, self.now);
                }
                Output::Ask(question) => {
                    let answer = match &mut self.models {
                        Some(models) => models.answer(&question),
                        None => Answer {
                            question: question.id,
                            outputs: Err("no model is loaded".to_owned()),
                        },
                    };
                    self.pipeline.handle(Input::Answer(answer), self.now);
                }
                Output::Settle(_) | Output::Ruling(_) | Output::Acted { .. } => {}
            }
        }
    }
}

/// An event, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raised {
    pub(super) event: String,
    pub(super) scene: String,
    pub(super) device: String,
    pub(super) area: String,
    pub(super) detector: String,
    /// Since when what it is about was there: before the on-delay.
    pub(super) started: Timestamp,
    pub(super) opened: Timestamp,
    /// `None` while it is open.
    pub(super) cleared: Option<Timestamp>,
}

/// The events that messages tell of, in the order of their opening; warnings of what may come are none.
pub(super) fn raised(messages: &[Message]) -> Vec<Raised> {
    let mut events: BTreeMap<&str, Raised> = BTreeMap::new();
    for message in messages.iter().filter(|m| !m.data.cause.detector.ends_with(SUFFIX)) {
        let Ok(at) = message.time.parse::<Timestamp>() else { continue };
        let data = &message.data;
        let event = events.entry(message.subject.as_str());
        match message.kind.rsplit('.').next().unwrap_or_default() {
            "opened" => {
                event.or_insert_with(|| Raised {
                    event: data.event.clone(),
                    scene: data.scene.clone(),
                    device: data.device.clone(),
                    area: data.area.clone(),
                    detector: data.cause.detector.clone(),
                    started: data.started.parse().unwrap_or(at),
                    opened: at,
                    cleared: None,
                });
            }
            "cleared" => {
                event.and_modify(|event| event.cleared = Some(at));
            }
            "reopened" => {
                event.and_modify(|event| event.cleared = None);
            }
            _ => {}
        }
    }
    let mut events: Vec<Raised> = events.into_values().collect();
    events.sort_by_key(|event| event.opened);
    events
}
