//! A recording under way: rows in, scores and event messages out, in the recording's own time.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::event::message::Transition;
use gatehouse_core::pipeline::{Input, Output, Pipeline, Restored, Settings};
use gatehouse_core::reading::{Body, DeviceIndex, Frame, Timestamp};
use gatehouse_core::view::Counts;

use crate::infer::Models;

/// How long after the last row delays may still run out.
const AFTERMATH: Duration = Duration::from_hours(24);

/// A recording under way.
pub(super) struct Replay<W> {
    pipeline: Pipeline,
    models: Models,
    now: Timestamp,
    /// Where event messages go.
    events: Option<W>,
    opened: u64,
}

/// What came of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// 0..1; 0 for a row that was no sample (refused, no data, too soon after the one before).
    pub(super) score: f64,
    /// An event opened at this row, or in the time before it since the last one.
    pub(super) opens: bool,
}

impl Row {
    /// A row that the pipeline has not seen.
    pub(super) const REFUSED: Self = Self { score: 0.0, opens: false };
}

impl<W: Write> Replay<W> {
    pub(super) fn new(
        community: Community,
        models: Models,
        events: Option<W>,
    ) -> anyhow::Result<Self> {
        let settings = Settings { gather: Duration::ZERO, is_live: false };
        let now = Timestamp(0);
        let pipeline = Pipeline::new(Arc::new(community), settings, Restored::default(), now)?;
        Ok(Self { pipeline, models, now, events, opened: 0 })
    }

    pub(super) fn row(&mut self, at: Timestamp, values: Vec<f64>) -> anyhow::Result<Row> {
        let opened = self.opened;
        self.pass_until(at)?;
        self.now = self.now.max(at);
        let asked = self.pipeline.asked();
        let frame =
            Frame { device: DeviceIndex(0), ticket: None, body: Body::Values { at, values } };
        self.pipeline.handle(Input::Frame(frame), self.now);
        self.drain()?;
        self.pipeline.handle_timeout(self.now);
        self.drain()?;
        let is_sample = self.pipeline.asked() > asked;
        let model = self.pipeline.score(DeviceIndex(0)).filter(|_| is_sample);
        let rule = f64::from(u8::from(self.pipeline.has_rule_speaking(DeviceIndex(0))));
        let score = model.unwrap_or(0.0).max(rule);
        Ok(Row { score, opens: self.opened > opened })
    }

    /// Carries out what is due before `until`.
    fn pass_until(&mut self, until: Timestamp) -> anyhow::Result<()> {
        while let Some(due) = self.pipeline.poll_timeout()
            && due < until
        {
            self.now = self.now.max(due);
            self.pipeline.handle_timeout(self.now);
            self.drain()?;
        }
        Ok(())
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        while let Some(output) = self.pipeline.poll_output() {
            match output {
                Output::Store(batch) => {
                    for record in &batch.records {
                        let opened = format!("gatehouse.event.{}\"", Transition::Opened.word());
                        if contains(&record.json, opened.as_bytes()) {
                            self.opened += 1;
                        }
                        if let Some(events) = &mut self.events {
                            events.write_all(&record.json)?;
                            events.write_all(b"\n")?;
                        }
                    }
                    self.pipeline.handle(Input::Stored { through: batch.number }, self.now);
                }
                Output::Ask(question) => {
                    let answer = self.models.answer(&question);
                    self.pipeline.handle(Input::Answer(answer), self.now);
                }
                Output::Settle(_) | Output::Ruling(_) | Output::Acted { .. } => {}
            }
        }
        Ok(())
    }

    /// Lets the last delays run out; how many events opened, and what was counted.
    pub(super) fn finish(mut self) -> anyhow::Result<(u64, Counts)> {
        self.pass_until(self.now + AFTERMATH)?;
        self.events.map(|mut file| file.flush()).transpose()?;
        Ok((self.opened, self.pipeline.view(self.now).counts.clone()))
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
