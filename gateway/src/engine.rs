//! Owns the pipeline: hands it what happened, carries out what it asks for.
//!
//! Inputs come from the sources, the store's thread and the inference thread by one bounded channel;
//! nothing here waits for any of them. There is no stop signal on purpose: the sources stop, their
//! senders drop, `recv` says so, and what was already read is still processed.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::pipeline::{Answer, Input, Output, Pipeline};
use gatehouse_core::reading::Ticket;
use gatehouse_core::view::View;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::infer::Inference;
use crate::source::mqtt::Settler;
use crate::store::BatchSender;

/// Inputs that are taken at once; more only make the others wait longer.
const AT_ONCE: usize = 256;

/// The console's snapshot is at most this fresh.
const VIEW_PACE: Duration = Duration::from_millis(500);

/// Where the pipeline's outputs go. None of them ever waits.
pub struct Effects {
    pub batches: BatchSender,
    /// Absent when no scene asks a model.
    pub inference: Option<Inference>,
    /// By position of the source; `None` for sources that want nothing back.
    pub settlers: Vec<Option<Settler>>,
    pub view: watch::Sender<Arc<View>>,
}

/// Drives the pipeline until every source has hung up, then returns.
pub async fn run(
    mut pipeline: Pipeline,
    mut inputs: mpsc::Receiver<Input>,
    mut effects: Effects,
    clock: Clock,
) {
    let mut buffer = Vec::with_capacity(AT_ONCE);
    let mut seen = tokio::time::Instant::now();
    let mut is_view_old = true;
    loop {
        effects.carry_out(&mut pipeline, &clock);
        let due = pipeline.poll_timeout();
        // All three are cancel-safe: `recv_many` takes nothing when it loses, the others are sleeps.
        tokio::select! {
            count = inputs.recv_many(&mut buffer, AT_ONCE) => {
                if count == 0 {
                    break;
                }
                let mut now = clock.now();
                for input in buffer.drain(..) {
                    if let Input::ClockStepped { by_ms } = input {
                        clock.advance(by_ms);
                        now = clock.now();
                    }
                    pipeline.handle(input, now);
                }
                is_view_old = true;
            }
            () = sleep_until(&clock, due) => is_view_old = true,
            () = tokio::time::sleep_until(seen + VIEW_PACE), if is_view_old => {
                seen = tokio::time::Instant::now();
                is_view_old = false;
                effects.view.send_replace(Arc::new(pipeline.view(clock.now())));
            }
        }
        if pipeline.poll_timeout().is_some_and(|due| due <= clock.now()) {
            pipeline.handle_timeout(clock.now());
        }
    }
    pipeline.handle_stop(clock.now());
    effects.carry_out(&mut pipeline, &clock);
    effects.view.send_replace(Arc::new(pipeline.view(clock.now())));
}

async fn sleep_until(clock: &Clock, due: Option<gatehouse_core::reading::Timestamp>) {
    match due {
        Some(due) => clock.sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Effects {
    fn carry_out(&mut self, pipeline: &mut Pipeline, clock: &Clock) {
        while let Some(output) = pipeline.poll_output() {
            match output {
                Output::Store(batch) => self.batches.send(batch),
                Output::Settle(ticket) => self.settle(ticket),
                Output::Ask(question) => {
                    if let Some(inference) = &self.inference {
                        inference.ask(question);
                    } else {
                        let outputs = Err("no model is loaded".to_owned());
                        let answer = Answer { question: question.id, outputs };
                        pipeline.handle(Input::Answer(answer), clock.now());
                    }
                }
            }
        }
    }

    fn settle(&mut self, ticket: Ticket) {
        if let Some(Some(settler)) = self.settlers.get_mut(ticket.source.0) {
            settler.settle(ticket);
        }
    }
}
