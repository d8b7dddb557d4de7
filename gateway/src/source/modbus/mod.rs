//! One Modbus line: polls its devices, one question at a time, and turns answers into frames.
//!
//! The parts, in the order of a poll:
//!
//! 1. [`plan`] says what to ask a device type for,
//! 2. [`slave`] is one device with its questions,
//! 3. [`schedule`] says whose turn it is,
//! 4. [`poll`] is the task that drives them,
//! 5. [`line`] puts a question on the wire, over [`fresh`], a stream without late answers.
//!
//! [`probe`] takes the questions of an integrator between the polls, [`scan`] asks who is there.
//!
//! Periods are spans of the [`Clock`], which may run faster than the world; timeouts and pauses on
//! the wire are spans of the world. A value that is to be written takes its turn between two polls, and
//! its device is polled right after. A full `inputs` channel makes the line wait: slower polling is
//! all the back-pressure that is needed.

mod fresh;
mod line;
mod pdu;
mod plan;
mod poll;
mod probe;
mod scan;
mod schedule;
#[cfg(test)]
mod scripted;
mod slave;

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::device_type::{DeviceType, Function};
use gatehouse_core::pipeline::{Input, WriteOrder};
use gatehouse_core::reading::{DeviceIndex, SourceIndex};
use line::Wire;
use plan::Request;
use poll::{Health, Poller};
pub use probe::{Answer, NoProbe, Probe, Prober, Probes, Question, Told, probes};
pub use scan::{Found, Table, read, scan};
use schedule::{Limits, Schedule};
use slave::Slave;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::LineConfig;
use crate::pace::Pace;

/// How long a silent device that is due may have to wait on a line that is never free.
const PATIENCE: Duration = Duration::from_mins(1);

/// Polls the devices of one line until told to stop.
///
/// `devices` are those of the community on this line, with unit id and type. Ends early when nobody
/// listens to `inputs` any more. A stop waits for the question that is on the wire, at most as long
/// as the line's timeout allows.
#[expect(clippy::too_many_arguments, reason = "a line stands between all of these")]
pub async fn run(
    line: LineConfig,
    source: SourceIndex,
    devices: Vec<(DeviceIndex, u8, Arc<DeviceType>)>,
    orders: mpsc::Receiver<WriteOrder>,
    inputs: mpsc::Sender<Input>,
    probes: Probes,
    clock: Clock,
    pace: Pace,
    stop: CancellationToken,
) {
    let name = line.id.clone();
    let wire = Wire::new(line, pace);
    let slaves: Vec<Slave> = devices
        .iter()
        .filter_map(|(device, unit, device_type)| Slave::new(*device, *unit, device_type))
        .collect();
    let cost = slaves.iter().flat_map(Slave::requests).map(|request| wire.cost(request)).max();
    let limits =
        Limits { cost: clock.shown(cost.unwrap_or_default()), patience: clock.shown(PATIENCE) };
    let schedule = Schedule::new(slaves.iter().map(|slave| slave.period), limits, clock.now());
    let health = Health::default();
    let probe_cost = wire.cost(LONGEST_PROBE);
    Poller {
        name,
        source,
        line: wire,
        slaves,
        schedule,
        health,
        orders,
        inputs,
        probes,
        probe_cost,
        clock,
        stop,
    }
    .run()
    .await;
}

/// A line that nobody polls, for one who asks while no gateway runs. To be called within a `LocalSet`.
pub async fn alone(line: LineConfig, probes: Probes, stop: CancellationToken) {
    let (inputs, mut unheard) = mpsc::channel(8);
    let (_nobody, orders) = mpsc::channel(1);
    let source = SourceIndex(0);
    let (clock, pace) = (Clock::new(1.0), Pace::default());
    let polls = run(line, source, Vec::new(), orders, inputs, probes, clock, pace, stop);
    tokio::join!(polls, async { while unheard.recv().await.is_some() {} });
}

/// What takes longest of what anybody asks for.
const LONGEST_PROBE: Request = Request { function: Function::Holding, start: 0, count: 125 };
