//! Questions of somebody who looks at a line, put between the polls: one speaker at a time, and the
//! known devices first.
//!
//! A [`Prober`] hands a question to the line's task, which puts it when the next poll is due later than
//! an unanswered question takes (or twice as long as the unit took last time, when it has just answered); on
//! a line that is never free for so long, one every [`PATIENCE`]. Who
//! does not wait for the answer any more is not asked for. What comes back goes to who asked and
//! nowhere else.

use std::time::Duration;

use gatehouse_core::community::device_type::Function;
use gatehouse_core::reading::WireFault;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::plan::Request;

/// How long a question may wait for a free moment on the line.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How long who asks waits, all in all: a turn, the wire's own limits, and a connection.
const LONGEST: Duration = Duration::from_secs(30);
/// Questions that may wait; whoever asks more is told so.
const WAITING: usize = 4;

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    pub unit: u8,
    pub question: Question,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Registers or bits, addresses as on the wire.
    Read { function: Function, start: u16, count: u16 },
    /// Function 43/14: vendor, product, revision.
    Identity,
    /// Function 17: what the device says of itself.
    ServerId,
}

/// What a device said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Words(Vec<u16>),
    /// Number of the object and its text (Modbus application protocol V1.1b3, section 6.21).
    Identity(Vec<(u8, String)>),
    ServerId(String),
}

/// Why a question was not put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoProbe {
    #[error("others are asking on this line; try again in a moment")]
    Busy,
    #[error("the line has ended or its configuration was replaced; try again")]
    Ended,
    #[error("the line did not come to it within 30 s; is it free at all?")]
    Late,
}

/// What came of it on the wire.
pub type Answer = Result<Told, WireFault>;

/// A question and who waits for its answer.
pub(super) struct Waiting {
    pub(super) probe: Probe,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) since: Instant,
}

/// Where questions for a line are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prober(mpsc::Sender<Waiting>);

/// The line's end of it.
pub struct Probes {
    received: mpsc::Receiver<Waiting>,
    next: Option<Waiting>,
    is_over: bool,
    last: Option<Instant>,
    /// Who answered the last question, and how quickly.
    quick: Option<(u8, Duration)>,
}

/// Both ends.
pub fn probes() -> (Prober, Probes) {
    let (sender, received) = mpsc::channel(WAITING);
    (Prober(sender), Probes { received, next: None, is_over: false, last: None, quick: None })
}

impl Prober {
    /// Puts a question and waits for its answer. Dropping it takes the question back.
    ///
    /// # Errors
    /// It was never put.
    pub async fn ask(&self, probe: Probe) -> Result<Answer, NoProbe> {
        let (answer, told) = oneshot::channel();
        let waiting = Waiting { probe, answer, since: Instant::now() };
        self.0.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NoProbe::Busy,
            mpsc::error::TrySendError::Closed(_) => NoProbe::Ended,
        })?;
        match timeout(LONGEST, told).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_gone)) => Err(NoProbe::Ended),
            Err(_elapsed) => Err(NoProbe::Late),
        }
    }
}

impl Probes {
    /// Returns when there is a question that was not there before; never, when there will be none.
    pub(super) async fn come(&mut self) {
        if self.next.is_some() || self.is_over {
            return std::future::pending().await;
        }
        self.next = self.received.recv().await;
        self.is_over = self.next.is_none();
    }

    /// The next question, if somebody still waits for it and now is the time. `free` is how long the line
    /// is free, `cost` how long an unanswered question takes.
    pub(super) fn take(&mut self, free: Duration, cost: Duration) -> Option<Waiting> {
        while self.next.as_ref().is_none_or(|waiting| waiting.answer.is_closed()) {
            self.next = Some(self.received.try_recv().ok()?);
        }
        let unit = self.next.as_ref().map(|waiting| waiting.probe.unit);
        let quick = self.quick.filter(|(quick, _)| Some(*quick) == unit);
        let cost = quick.map_or(cost, |(_, took)| cost.min(took * 2));
        let is_patient = |since: Instant| since.elapsed() < PATIENCE;
        let must_wait = self.last.is_some_and(is_patient)
            || self.next.as_ref().is_some_and(|waiting| is_patient(waiting.since));
        if free <= cost && must_wait {
            return None;
        }
        self.last = Some(Instant::now());
        self.next.take()
    }

    /// Notes what became of a question that was taken.
    pub(super) fn put(&mut self, unit: u8, answer: &Answer) {
        let took = self.last.map_or(Duration::ZERO, |last| last.elapsed());
        let has_spoken = matches!(answer, Ok(_) | Err(WireFault::Exception(_)));
        self.quick = has_spoken.then_some((unit, took));
    }
}

impl From<Request> for Question {
    fn from(Request { function, start, count }: Request) -> Self {
        Self::Read { function, start, count }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::super::scripted::{Does, Script, poller};
    use super::*;

    fn words(unit: u8) -> Probe {
        let question = Question::Read { function: Function::Input, start: 0, count: 3 };
        Probe { unit, question }
    }

    #[tokio::test(start_paused = true)]
    async fn questions_are_answered_between_the_polls_and_cost_them_nothing() {
        let (inputs, mut received) = mpsc::channel(1_024);
        let stop = CancellationToken::new();
        let line = Script::new(|_, unit| if unit == 9 { Does::Nothing } else { Does::Answer });
        let (prober, ours) = probes();
        let mut poller = poller(line.line(), &[1, 2], 1.0, inputs, &stop);
        poller.probes = ours;
        let task = tokio::spawn(poller.run());
        let begun = Instant::now();

        let mut answers = Vec::new();
        for unit in [5, 9, 5, 9, 9, 5] {
            answers.push(prober.ask(words(unit)).await.unwrap());
        }
        let took = begun.elapsed();
        tokio::time::sleep(Duration::from_secs(20).saturating_sub(took)).await;
        stop.cancel();
        task.await.unwrap();

        let there = Ok(Told::Words(vec![1; 3]));
        let silent = Err(WireFault::Timeout);
        assert_eq!(answers, [&there, &silent, &there, &silent, &silent, &there].map(Clone::clone));
        assert!(took < Duration::from_secs(3), "{took:?}");
        let mut frames = 0;
        while received.try_recv().is_ok() {
            frames += 1;
        }
        assert!((40..=42).contains(&frames), "two devices, each second of twenty: {frames}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_without_devices_takes_questions_and_one_that_ended_says_so() {
        let (inputs, _received) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let (prober, ours) = probes();
        let mut poller = poller(Script::new(|_, _| Does::Answer).line(), &[], 1.0, inputs, &stop);
        poller.probes = ours;
        let task = tokio::spawn(poller.run());

        assert_eq!(prober.ask(words(1)).await, Ok(Ok(Told::Words(vec![1; 3]))));
        stop.cancel();
        task.await.unwrap();

        assert_eq!(prober.ask(words(1)).await, Err(NoProbe::Ended));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_nobody_waits_for_is_not_put() {
        let (prober, mut ours) = probes();
        let asked = tokio::spawn({
            let prober = prober.clone();
            async move { prober.ask(words(1)).await }
        });
        ours.come().await;
        asked.abort();
        assert!(asked.await.is_err());

        assert!(ours.take(Duration::from_mins(1), Duration::ZERO).is_none());
    }
}
