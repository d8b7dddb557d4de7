//! Owns the pipeline: hands it what happened, carries out what it asks for.
//!
//! Inputs come from the sources, the store's thread and the inference thread by one bounded channel;
//! nothing here waits for any of them. There is no stop signal on purpose: the sources stop, their
//! senders drop, `recv` says so, and what was already read is still processed.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::event::message::{EventData, Message, Record};
use gatehouse_core::pipeline::{Answer, Input, Output, Pipeline, Ruling, WriteOrder};
use gatehouse_core::reading::Ticket;
use gatehouse_core::view::View;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::desk::Waiting;
use crate::infer::Inference;
use crate::lookout::Look;
use crate::pace::Pace;
use crate::shadow::feed::Feed;
use crate::sight::Opened;
use crate::source::mqtt::Settler;
use crate::store::BatchSender;
use crate::writes;

/// Inputs that are taken at once; more only make the others wait longer.
const AT_ONCE: usize = 256;

/// The console's snapshot is at most this fresh.
const VIEW_PACE: Duration = Duration::from_millis(500);

/// A batch waits so long for others to be written with it; one with a record of level I or II does
/// not wait. Nor does any when nothing came in for [`QUIET`], or so much came in ([`MANY`]) that a
/// broker may have stopped to wait for acknowledgements.
const GATHER: Duration = Duration::from_millis(200);
const QUIET: Duration = Duration::from_millis(35);
const MANY: usize = 95;
const URGENT: u8 = 2;

/// The timer goes off so often when nothing is due.
const IDLE: Duration = Duration::from_hours(1);

/// Where the pipeline's outputs go. None of them ever waits.
pub struct Effects {
    pub batches: BatchSender,
    /// Absent when no scene asks a model.
    pub inference: Option<Inference>,
    /// By position of the source; `None` for sources that want nothing back.
    pub settlers: Vec<Option<Settler>>,
    /// By position of the source; `None` for sources that cannot be written to.
    pub writers: Vec<Option<mpsc::Sender<WriteOrder>>>,
    /// Who waits to hear what became of a value.
    pub written: Arc<writes::Waiting>,
    pub view: watch::Sender<Arc<View>>,
    /// Answers to what people say of events.
    pub rulings: mpsc::Sender<Ruling>,
    /// Those who wait to hear what came of their actions.
    pub waiting: Arc<Waiting>,
    /// Shows a candidate what comes in, and its watch what goes out.
    pub feed: Feed,
    /// What comes with each [`Input::Config`]; left here before that is sent.
    pub changes: mpsc::Receiver<Change>,
    /// Who wants to see what a device said lately.
    pub looks: mpsc::Receiver<Look>,
    /// Hears of events that open, where stills of them are kept.
    pub opened: Option<mpsc::Sender<Opened>>,
    /// Of the thread that this runs on.
    pub pace: Pace,
}

/// What a new configuration replaces beside the pipeline's own.
pub struct Change {
    /// By the new positions of the sources.
    pub settlers: Vec<Option<Settler>>,
    pub writers: Vec<Option<mpsc::Sender<WriteOrder>>>,
    pub inference: Option<Inference>,
    pub feed: Feed,
}

/// Batches that were handed to the store and not yet asked to be written.
#[derive(Debug)]
struct Gathering {
    since: Option<Instant>,
    /// Inputs since then, and when the last one came.
    inputs: usize,
    heard: Instant,
}

impl Gathering {
    fn due(&self) -> Option<Instant> {
        self.since.map(|since| (since + GATHER).min(self.heard + QUIET))
    }

    fn hear(&mut self, inputs: usize) {
        self.heard = Instant::now();
        self.inputs += inputs;
    }

    fn is_over(&self) -> bool {
        self.due().is_some_and(|due| self.inputs >= MANY || due <= Instant::now())
    }
}

/// Drives the pipeline until every source has hung up, then returns.
pub async fn run(
    mut pipeline: Pipeline,
    mut inputs: mpsc::Receiver<Input>,
    mut effects: Effects,
    clock: Clock,
) {
    let mut buffer = Vec::with_capacity(AT_ONCE);
    let mut seen = Instant::now();
    let mut is_view_old = true;
    let mut gathering = Gathering { since: None, inputs: 0, heard: seen };
    // One timer for all, set back only when it goes off: most inputs change nothing about it.
    let mut timer = Box::pin(tokio::time::sleep(VIEW_PACE));
    loop {
        effects.carry_out(&mut pipeline, &clock, &mut gathering);
        if gathering.is_over() {
            effects.batches.commit();
            gathering.since = None;
        }
        let view_due = is_view_old.then_some(seen + VIEW_PACE);
        let due = pipeline.poll_timeout().map(|due| clock.instant(due));
        let next = [due, view_due, gathering.due()].into_iter().flatten().min();
        if let Some(next) = next.filter(|next| *next < timer.deadline()) {
            timer.as_mut().reset(next);
        }
        // All are cancel-safe: what receives takes nothing when it loses, the last is a sleep.
        tokio::select! {
            count = inputs.recv_many(&mut buffer, AT_ONCE) => {
                if count == 0 {
                    break;
                }
                gathering.hear(count);
                effects.pace.heard(count);
                let mut now = clock.now();
                for input in buffer.drain(..) {
                    if let Input::ClockStepped { by_ms } = input {
                        clock.advance(by_ms);
                        now = clock.now();
                    }
                    if let Input::Config(_) = input {
                        // What the frames before it led to still goes by the old positions.
                        effects.carry_out(&mut pipeline, &clock, &mut gathering);
                        effects.change();
                    }
                    effects.feed.input(&input, now);
                    pipeline.handle(input, now);
                }
                is_view_old = true;
            }
            Some(look) = effects.looks.recv() => {
                // Who asked has gone: nobody wants to see it.
                drop(look.back.send(pipeline.around(&look.device)));
            }
            () = &mut timer => {
                let now = Instant::now();
                timer.as_mut().reset(now + IDLE);
                if view_due.is_some_and(|due| due <= now) {
                    seen = now;
                    is_view_old = false;
                    effects.view.send_replace(Arc::new(pipeline.view(clock.now())));
                }
            }
        }
        if pipeline.poll_timeout().is_some_and(|due| due <= clock.now()) {
            pipeline.handle_timeout(clock.now());
            is_view_old = true;
        }
    }
    pipeline.handle_stop(clock.now());
    effects.carry_out(&mut pipeline, &clock, &mut gathering);
    effects.view.send_replace(Arc::new(pipeline.view(clock.now())));
}

impl Effects {
    fn carry_out(&mut self, pipeline: &mut Pipeline, clock: &Clock, gathering: &mut Gathering) {
        while let Some(output) = pipeline.poll_output() {
            if let Output::Store(batch) = &output {
                self.feed.records(&batch.records, clock.now());
                self.tell_opened(&batch.records);
            }
            match output {
                Output::Store(batch) if batch.records.iter().any(|r| r.level <= URGENT) => {
                    self.batches.send(batch);
                    gathering.since = None;
                }
                Output::Store(batch) => {
                    self.batches.gather(batch);
                    if gathering.since.is_none() {
                        (gathering.since, gathering.inputs) = (Some(Instant::now()), 0);
                    }
                }
                Output::Settle(ticket) => self.settle(ticket),
                // Full or closed: who asked has gone.
                Output::Ruling(ruling) => _ = self.rulings.try_send(ruling),
                Output::Acted { ticket, acted } => self.waiting.tell(ticket, acted),
                Output::Written { ticket, result } => self.written.tell(ticket, result),
                Output::Write { source, order } => {
                    let ticket = order.ticket;
                    let writer = self.writers.get(source.0).and_then(Option::as_ref);
                    if writer.is_none_or(|writer| writer.try_send(order).is_err()) {
                        let result = Err("its line or broker takes no more now".to_owned());
                        pipeline.handle(Input::Written { ticket, result }, clock.now());
                    }
                }
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

    fn change(&mut self) {
        if let Ok(Change { settlers, writers, inference, feed }) = self.changes.try_recv() {
            self.settlers = settlers;
            self.writers = writers;
            self.inference = inference;
            self.feed = feed;
        }
    }

    /// Says which events have opened, so that a still is made while the picture is there.
    fn tell_opened(&self, records: &[Record]) {
        let Some(opened) = &self.opened else { return };
        for record in records {
            let Ok(message) = serde_json::from_slice::<Message>(&record.json) else { continue };
            if ["opened", "reopened"].into_iter().any(|word| message.kind.ends_with(word)) {
                let EventData { event, device, .. } = message.data;
                if opened.try_send(Opened { event, device }).is_err() {
                    tracing::warn!(record.event, "too many events at once: no still of this one");
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

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn begun() -> Gathering {
        Gathering { since: Some(Instant::now()), inputs: 0, heard: Instant::now() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_others_while_inputs_come_but_not_for_long() {
        let mut gathering = begun();
        for _ in 0..20 {
            assert!(!gathering.is_over());
            advance(Duration::from_millis(10)).await;
            gathering.hear(1);
        }
        assert!(gathering.is_over(), "200 ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_does_not_wait_when_nothing_comes_or_when_very_much_does() {
        let mut gathering = begun();
        advance(QUIET).await;
        assert!(gathering.is_over());

        gathering = begun();
        gathering.hear(MANY);
        assert!(gathering.is_over());
    }
}
