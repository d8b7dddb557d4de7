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
//! Periods are spans of the [`Clock`], which may run faster than the world; timeouts and pauses on
//! the wire are spans of the world. A value that is to be written takes its turn between two polls, and
//! its device is polled right after. A full `inputs` channel makes the line wait: slower polling is
//! all the back-pressure that is needed.

mod fresh;
mod line;
mod plan;
mod poll;
mod schedule;
#[cfg(test)]
mod scripted;
mod slave;

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::pipeline::{Input, WriteOrder};
use gatehouse_core::reading::{DeviceIndex, SourceIndex};
use line::Wire;
use poll::{Health, Poller};
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
#[expect(clippy::too_many_arguments, reason = "a line is where all of these meet, in one place")]
pub async fn run(
    line: LineConfig,
    source: SourceIndex,
    devices: Vec<(DeviceIndex, u8, Arc<DeviceType>)>,
    orders: mpsc::Receiver<WriteOrder>,
    inputs: mpsc::Sender<Input>,
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
    let line = wire;
    Poller { name, source, line, slaves, schedule, health, orders, inputs, clock, stop }
        .run()
        .await;
}
