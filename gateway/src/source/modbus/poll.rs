//! The task of one line: whose turn it is, the questions, and what follows from the answers.
//!
//! Each poll gives one [`Frame`] with a block per request, answered or not. Who falls silent is asked
//! ever less often ([`Schedule`]). When the wire cannot be opened, or nobody on it answers, that is
//! one [`Input::Source`] and not a fault of each device; while it cannot be opened, frames with failed
//! blocks go on, no faster than polls would.

use std::time::Duration;

use gatehouse_core::community::quantity::Text;
use gatehouse_core::pipeline::{Input, WriteOrder};
use gatehouse_core::reading::{Block, Body, DeviceIndex, Frame, SourceIndex, Timestamp, WireFault};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::line::Line;
use super::probe::{Probes, Waiting};
use super::schedule::{Next, Schedule};
use super::slave::Slave;
use crate::clock::Clock;

/// Pauses between two attempts to open the wire.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Polls the devices of one line.
pub(super) struct Poller<L> {
    pub(super) name: String,
    pub(super) source: SourceIndex,
    pub(super) line: L,
    pub(super) slaves: Vec<Slave>,
    /// Of the same slaves, by position.
    pub(super) schedule: Schedule,
    pub(super) health: Health,
    /// What is to be written to its devices.
    pub(super) orders: mpsc::Receiver<WriteOrder>,
    pub(super) inputs: mpsc::Sender<Input>,
    /// What somebody else wants to know.
    pub(super) probes: Probes,
    /// How long one of them without an answer takes.
    pub(super) probe_cost: Duration,
    pub(super) clock: Clock,
    pub(super) stop: CancellationToken,
}

/// The state of the line as a whole.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Attempts to open the wire that failed in a row.
    failed_opens: u32,
    /// When to try again; `None` while the wire is open.
    retry: Option<Instant>,
    down: Option<Down>,
}

impl Health {
    /// Once is not enough: some peers need a moment between two connections.
    fn is_closed(&self) -> bool {
        self.failed_opens > 1
    }
}

/// Why a line was reported as down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Down {
    /// The wire cannot be opened.
    Closed,
    /// It is open, and nobody on it answers.
    Silent,
}

/// What became of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    /// Nobody answered, or what came made no sense.
    Silent(WireFault),
    /// The wire broke under the question.
    Broken,
    /// Told to stop half way.
    Stopped,
}

/// Nobody takes our frames any more.
struct HungUp;

impl<L: Line> Poller<L> {
    pub(super) async fn run(mut self) {
        while !self.stop.is_cancelled() {
            if self.turn().await.is_err() {
                return;
            }
        }
    }

    /// Does what is due now, or waits until something is.
    async fn turn(&mut self) -> Result<(), HungUp> {
        if let Ok(order) = self.orders.try_recv() {
            return self.write(order).await;
        }
        if self.health.retry.is_some_and(|at| at <= Instant::now()) {
            self.open().await?;
            return Ok(());
        }
        let now = self.clock.now();
        let next = self.schedule.next(now);
        let free = match next {
            Next::Poll(_) => Duration::ZERO,
            Next::Wait(until) => self.clock.real(until.since(now)),
        };
        if let Some(waiting) = self.probes.take(free, self.probe_cost) {
            return self.probe(waiting).await;
        }
        match (next, self.health.retry) {
            (Next::Poll(position), None) => self.poll(position, now).await,
            (Next::Poll(position), Some(_)) if self.health.is_closed() => {
                self.pass(position, now).await
            }
            (Next::Poll(_), Some(retry)) => self.wait(retry).await,
            (Next::Wait(until), retry) => {
                let due = Instant::now() + self.clock.real(until.since(now));
                self.wait(retry.map_or(due, |retry| retry.min(due))).await
            }
        }
    }

    async fn wait(&mut self, until: Instant) -> Result<(), HungUp> {
        // Cancel-safe all of them: a timer, a token, two channels.
        tokio::select! {
            () = tokio::time::sleep_until(until) => Ok(()),
            () = self.stop.cancelled() => Ok(()),
            () = self.probes.come() => Ok(()),
            Some(order) = self.orders.recv() => self.write(order).await,
        }
    }

    /// Puts somebody's question; what comes of it says nothing about the devices that are polled.
    async fn probe(&mut self, waiting: Waiting) -> Result<(), HungUp> {
        let Waiting { probe, answer, .. } = waiting;
        let mut told = Err(WireFault::Disconnected);
        // A peer may close a connection that has been idle.
        for _ in 0..2 {
            if told == Err(WireFault::Disconnected)
                && self.health.retry.is_none()
                && self.open().await?
            {
                told = self.line.probe(probe).await;
            }
        }
        self.probes.put(probe.unit, &told);
        // Who asked may have gone.
        let _heard = answer.send(told);
        Ok(())
    }

    /// Writes a value, once, and polls its device so that it can show it.
    async fn write(&mut self, order: WriteOrder) -> Result<(), HungUp> {
        let WriteOrder { ticket, device, order } = order;
        let position = self.slaves.iter().position(|slave| slave.device == device);
        let result = match position {
            None => Err("it is not polled on this line".to_owned()),
            Some(_) if !self.open().await? => Err("its line cannot be opened".to_owned()),
            Some(position) => {
                let unit = self.slaves[position].unit;
                self.line.write(unit, &order).await.map_err(|fault| match fault {
                    WireFault::Exception(_) => fault.to_string(),
                    WireFault::Timeout | WireFault::Garbled | WireFault::Disconnected => {
                        format!("{fault}; it may have been written or not")
                    }
                })
            }
        };
        let is_written = result.is_ok();
        self.send(Input::Written { ticket, result }).await?;
        match position.filter(|_| is_written) {
            Some(position) => self.poll(position, self.clock.now()).await,
            None => Ok(()),
        }
    }

    /// One poll of one device, and what follows from it.
    async fn poll(&mut self, position: usize, started: Timestamp) -> Result<(), HungUp> {
        let mut blocks = Vec::with_capacity(self.slaves[position].questions.len());
        let mut outcome = Outcome::Broken;
        // A peer may close a connection that has been idle. Only when a new one breaks, too, that
        // says something about the device.
        for _ in 0..2 {
            if outcome == Outcome::Broken {
                if !self.open().await? {
                    return Ok(());
                }
                outcome = self.ask(position, &mut blocks).await;
            }
        }
        match outcome {
            Outcome::Answered => self.answered(position, started).await?,
            Outcome::Silent(fault) => self.failed(position, fault, started).await?,
            Outcome::Broken => self.failed(position, WireFault::Disconnected, started).await?,
            Outcome::Stopped => return Ok(()),
        }
        self.hand_in(self.slaves[position].device, blocks).await
    }

    /// Puts the questions of one device. After one without an answer the others are not put.
    async fn ask(&mut self, position: usize, blocks: &mut Vec<Block>) -> Outcome {
        let Slave { unit, questions, .. } = &mut self.slaves[position];
        blocks.clear();
        let mut silence = None;
        for question in questions {
            let words = if let Some(fault) = silence.or_else(|| question.leave_out()) {
                Err(fault)
            } else if self.stop.is_cancelled() {
                return Outcome::Stopped;
            } else {
                let words = self.line.read(*unit, question.request).await;
                question.note(&words);
                silence = words.as_ref().err().copied().filter(|fault| is_silence(*fault));
                words
            };
            blocks.push(question.block(words));
        }
        match silence {
            None => Outcome::Answered,
            Some(WireFault::Disconnected) => Outcome::Broken,
            Some(fault) => Outcome::Silent(fault),
        }
    }

    async fn answered(&mut self, position: usize, started: Timestamp) -> Result<(), HungUp> {
        if self.schedule.answered(position, started) {
            let unit = self.slaves[position].unit;
            tracing::info!(line = self.name, unit, "device answers again");
        }
        if self.health.down.is_some() { self.up().await } else { Ok(()) }
    }

    async fn failed(
        &mut self,
        position: usize,
        fault: WireFault,
        started: Timestamp,
    ) -> Result<(), HungUp> {
        if self.schedule.failed(position, started) {
            let unit = self.slaves[position].unit;
            tracing::warn!(line = self.name, unit, %fault, "device does not answer");
        }
        if self.health.down.is_none() && self.schedule.all_silent() {
            let count = self.slaves.len();
            self.down(Down::Silent, format!("none of its {count} devices answers")).await?;
        }
        Ok(())
    }

    /// Lets a turn pass while the wire cannot be opened.
    async fn pass(&mut self, position: usize, now: Timestamp) -> Result<(), HungUp> {
        self.schedule.passed(position, now);
        let Slave { device, questions, .. } = &self.slaves[position];
        let blocks = questions.iter().map(|q| q.block(Err(WireFault::Disconnected))).collect();
        self.hand_in(*device, blocks).await
    }

    /// Opens the wire if it is not open. False when that failed and is to be tried again later.
    async fn open(&mut self) -> Result<bool, HungUp> {
        // Nothing is on the wire yet, so a stop cuts off nothing.
        let Some(opened) = self.stop.run_until_cancelled(self.line.open()).await else {
            return Ok(false);
        };
        match opened {
            Ok(()) => {
                self.health.failed_opens = 0;
                self.health.retry = None;
                if self.health.down == Some(Down::Closed) {
                    self.up().await?;
                }
                Ok(true)
            }
            Err(error) => {
                self.health.failed_opens = self.health.failed_opens.saturating_add(1);
                let pause = pause(self.health.failed_opens, getrandom::u32().unwrap_or(0));
                self.health.retry = Some(Instant::now() + pause);
                if self.health.down.is_none() && self.health.is_closed() {
                    self.down(Down::Closed, format!("cannot be opened: {error}")).await?;
                }
                Ok(false)
            }
        }
    }

    async fn down(&mut self, down: Down, why: String) -> Result<(), HungUp> {
        tracing::warn!(line = self.name, why, "line is down");
        self.health.down = Some(down);
        self.send(Input::Source { source: self.source, down: Some(Text::alike(why)) }).await
    }

    async fn up(&mut self) -> Result<(), HungUp> {
        tracing::info!(line = self.name, "line is up");
        self.health.down = None;
        self.schedule.hurry(self.clock.now());
        self.send(Input::Source { source: self.source, down: None }).await
    }

    async fn hand_in(&mut self, device: DeviceIndex, blocks: Vec<Block>) -> Result<(), HungUp> {
        let body = Body::Blocks(blocks);
        self.send(Input::Frame(Frame { device, ticket: None, body })).await
    }

    async fn send(&mut self, input: Input) -> Result<(), HungUp> {
        self.inputs.send(input).await.map_err(|_| HungUp)
    }
}

/// Whether a fault means that the device itself has not spoken.
fn is_silence(fault: WireFault) -> bool {
    match fault {
        WireFault::Timeout | WireFault::Garbled | WireFault::Disconnected => true,
        // Modbus application protocol V1.1b3, section 7: 10 and 11 are a gateway's own words for a
        // device that it cannot reach.
        WireFault::Exception(code) => matches!(code, 10 | 11),
    }
}

/// How long to wait after so many failed attempts in a row: doubling, and up to half of it left to
/// chance, so that the gateways of a township do not all come back in the same moment.
fn pause(failures: u32, dice: u32) -> Duration {
    let doubled = FIRST_RETRY * (1 << failures.saturating_sub(1).min(10));
    let half = doubled.min(LONGEST_RETRY) / 2;
    half + half.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Does, Script, TIMEOUT, poller};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_poll_gives_a_frame_and_a_dead_device_costs_the_others_nothing() {
        let script = Script::new(|_, unit| if unit == 7 { Does::Nothing } else { Does::Answer });
        let seen = script.run(&[1, 7, 2], 100).await;

        assert_eq!(seen.frames(1), 100);
        assert_eq!(seen.frames(2), 100);
        assert_eq!(seen.frames(7), 7);
        assert_eq!(seen.said, [""; 0], "one dead device is not a dead line");
        assert_eq!(seen.first(7), [Err(WireFault::Timeout), Err(WireFault::Timeout)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_cannot_be_opened_is_told_once_and_its_frames_keep_their_period() {
        let script = Script::new(|second, _| match second {
            20..50 => Does::NotOpen,
            _ => Does::Answer,
        });
        let seen = script.run(&[1, 2], 100).await;

        assert_eq!(seen.said, ["cannot be opened: connection refused", "up"]);
        for unit in [1, 2] {
            let frames = seen.frames(unit);
            assert!((99..=102).contains(&frames), "{frames} frames");
            let closed = seen.blocks(unit).filter(|b| **b == Err(WireFault::Disconnected)).count();
            assert!((28..=60).contains(&(closed / 2)), "{closed} failed blocks");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_on_which_nobody_answers_is_down_until_somebody_does() {
        let script = Script::new(|second, _| match second {
            10..60 => Does::Nothing,
            _ => Does::Answer,
        });
        let seen = script.run(&[1, 2, 3], 200).await;

        assert_eq!(seen.said, ["none of its 3 devices answers", "up"]);
        for unit in [1, 2, 3] {
            // 10 before, at most 32 periods after the end of the silence, all after that.
            assert!(seen.frames(unit) > 110, "{} frames", seen.frames(unit));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_closed_while_idle_costs_no_poll() {
        let seen = Script::new(|_, _| Does::CloseIdle).run(&[1, 2], 10).await;

        assert_eq!(seen.said, [""; 0]);
        assert_eq!((seen.frames(1), seen.frames(2)), (10, 10));
        assert!(seen.blocks(1).chain(seen.blocks(2)).all(Result::is_ok));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_hangs_up_on_one_device_is_not_a_line_that_is_down() {
        let script = Script::new(|_, unit| if unit == 7 { Does::Break } else { Does::Answer });
        let seen = script.run(&[1, 7], 100).await;

        assert_eq!(seen.said, [""; 0]);
        assert_eq!((seen.frames(1), seen.frames(7)), (100, 7));
    }

    #[tokio::test(start_paused = true)]
    async fn an_exception_is_an_answer_unless_a_gateway_says_it_for_the_device() {
        let script = Script::new(|_, unit| Does::Except(unit));
        let seen = script.run(&[4, 11], 100).await;

        assert_eq!(seen.frames(4), 100);
        assert_eq!(seen.frames(11), 7);
        assert_eq!(seen.first(4), [Err(WireFault::Exception(4)), Err(WireFault::Exception(4))]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_polls_faster_but_waits_for_answers_just_as_long() {
        let script = Script::new(|_, unit| if unit == 7 { Does::Nothing } else { Does::Answer });
        let seen = Script { speed: 60.0, ..script }.run(&[1, 7], 10).await;

        assert!((570..=600).contains(&seen.frames(1)), "{} frames", seen.frames(1));
        assert_eq!(seen.frames(7), 1, "a timeout takes 12 periods of this clock");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_for_the_question_on_the_wire_and_no_longer() {
        let (inputs, _frames) = mpsc::channel(9);
        let stop = CancellationToken::new();
        let line = Script::new(|_, _| Does::Nothing).line();
        let task = tokio::spawn(poller(line, &[1, 2], 1.0, inputs, &stop).run());
        tokio::time::sleep(Duration::from_millis(50)).await;
        let start = Instant::now();

        stop.cancel();
        task.await.unwrap();

        assert_eq!(Duration::from_millis(50) + start.elapsed(), TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn when_nobody_listens_the_task_ends() {
        let (inputs, frames) = mpsc::channel(1);
        drop(frames);
        let line = Script::new(|_, _| Does::Answer).line();

        poller(line, &[1], 1.0, inputs, &CancellationToken::new()).run().await;
    }

    #[test]
    fn pauses_double_up_to_half_a_minute_and_differ_by_up_to_half() {
        let cases = [(1, 250), (2, 500), (5, 4_000), (8, 30_000), (u32::MAX, 30_000)];

        for (failures, longest_ms) in cases {
            let longest = Duration::from_millis(longest_ms);
            assert_eq!(pause(failures, u32::MAX), longest, "{failures}");
            assert_eq!(pause(failures, 0), longest / 2, "{failures}");
        }
    }
}
