//! A line that answers as a test says, for the task of [`super::poll`] on paused time.

use std::io;
use std::time::Duration;

use gatehouse_core::community::device_type::Function;
use gatehouse_core::decode::order::Order;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Body, DeviceIndex, Frame, SourceIndex, WireFault};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::line::Line;
use super::plan::Request;
use super::poll::{Health, Poller};
use super::probe::{Answer as Said, Probe, Question, Told, probes};
use super::schedule::{Limits, Schedule};
use super::slave::Slave;
use crate::clock::Clock;

const SECOND: Duration = Duration::from_secs(1);

type Answer = Result<Vec<u16>, WireFault>;
/// What an unanswered question costs on the scripted line.
pub(super) const TIMEOUT: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Does {
    Answer,
    Nothing,
    Except(u8),
    /// Breaks under every question.
    Break,
    /// Closes a connection that has been idle, and answers otherwise.
    CloseIdle,
    NotOpen,
}

/// What a line does, by second and unit.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) does: fn(u64, u8) -> Does,
    pub(super) speed: f64,
}

impl Script {
    pub(super) fn new(does: fn(u64, u8) -> Does) -> Self {
        Self { does, speed: 1.0 }
    }

    pub(super) fn line(&self) -> Scripted {
        Scripted { does: self.does, start: Instant::now(), is_open: false, opened: Instant::now() }
    }

    /// Runs a line with these units, polled every second, for some seconds.
    pub(super) async fn run(self, units: &[u8], seconds: u32) -> Seen {
        let (inputs, mut received) = mpsc::channel(1_024);
        let stop = CancellationToken::new();
        let task = tokio::spawn(poller(self.line(), units, self.speed, inputs, &stop).run());
        let seen = tokio::spawn(async move {
            let mut seen = Seen::default();
            while let Some(input) = received.recv().await {
                seen.note(input);
            }
            seen
        });
        tokio::time::sleep(SECOND * (seconds - 1) + Duration::from_millis(999)).await;
        stop.cancel();
        task.await.unwrap();
        seen.await.unwrap()
    }
}

#[derive(Default)]
pub(super) struct Seen {
    pub(super) frames: Vec<(u8, Vec<Answer>)>,
    /// About the line itself.
    pub(super) said: Vec<String>,
}

impl Seen {
    fn note(&mut self, input: Input) {
        match input {
            Input::Frame(Frame { device, body: Body::Blocks(blocks), .. }) => {
                let unit = u8::try_from(device.0).unwrap();
                self.frames.push((unit, blocks.into_iter().map(|b| b.words).collect()));
            }
            Input::Source { down, .. } => {
                self.said.push(down.map_or("up".into(), |why| why.en));
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn frames(&self, unit: u8) -> usize {
        self.frames.iter().filter(|(from, _)| *from == unit).count()
    }

    pub(super) fn first(&self, unit: u8) -> &[Answer] {
        &self.frames.iter().find(|(from, _)| *from == unit).unwrap().1
    }

    pub(super) fn blocks(&self, unit: u8) -> impl Iterator<Item = &Answer> {
        self.frames.iter().filter(move |(from, _)| *from == unit).flat_map(|(_, blocks)| blocks)
    }
}

pub(super) struct Scripted {
    does: fn(u64, u8) -> Does,
    start: Instant,
    is_open: bool,
    opened: Instant,
}

impl Scripted {
    fn does(&self, unit: u8) -> Does {
        (self.does)(self.start.elapsed().as_secs(), unit)
    }
}

impl Line for Scripted {
    async fn open(&mut self) -> io::Result<()> {
        if !self.is_open && self.does(0) == Does::NotOpen {
            return Err(io::Error::other("connection refused"));
        }
        if !self.is_open {
            (self.is_open, self.opened) = (true, Instant::now());
        }
        Ok(())
    }

    async fn read(&mut self, unit: u8, request: Request) -> Result<Vec<u16>, WireFault> {
        assert!(self.is_open, "asked on a wire that is not open");
        let count = usize::from(request.count);
        let (takes, answer) = match self.does(unit) {
            Does::Answer => (5, Ok(vec![1; count])),
            Does::Except(code) => (5, Err(WireFault::Exception(code))),
            Does::Nothing => (200, Err(WireFault::Timeout)),
            Does::CloseIdle if self.opened.elapsed() < SECOND / 2 => (5, Ok(vec![1; count])),
            Does::Break | Does::CloseIdle | Does::NotOpen => (0, Err(WireFault::Disconnected)),
        };
        tokio::time::sleep(Duration::from_millis(takes)).await;
        self.is_open = matches!(answer, Ok(_) | Err(WireFault::Exception(_)));
        answer
    }

    async fn write(&mut self, unit: u8, _: &Order) -> Result<(), WireFault> {
        self.read(unit, Request { function: Function::Coil, start: 0, count: 1 }).await.map(drop)
    }

    async fn probe(&mut self, Probe { unit, question }: Probe) -> Said {
        match question {
            Question::Read { function, start, count } => {
                self.read(unit, Request { function, start, count }).await.map(Told::Words)
            }
            Question::Identity | Question::ServerId => Err(WireFault::Exception(1)),
        }
    }
}

pub(super) fn poller(
    line: Scripted,
    units: &[u8],
    speed: f64,
    inputs: mpsc::Sender<Input>,
    stop: &CancellationToken,
) -> Poller<Scripted> {
    let (_, orders) = mpsc::channel(1);
    let clock = Clock::new(speed);
    let request = |start| Request { function: Function::Input, start, count: 2 };
    let slave = |unit: &u8| {
        let device = DeviceIndex(usize::from(*unit));
        Slave::asking(device, *unit, SECOND, [request(0), request(10)])
    };
    let limits =
        Limits { cost: clock.shown(TIMEOUT), patience: clock.shown(Duration::from_mins(1)) };
    Poller {
        name: "test".into(),
        source: SourceIndex(0),
        line,
        slaves: units.iter().map(slave).collect(),
        schedule: Schedule::new(units.iter().map(|_| SECOND), limits, clock.now()),
        health: Health::default(),
        orders,
        inputs,
        probes: probes().1,
        probe_cost: TIMEOUT,
        clock,
        stop: stop.clone(),
    }
}
