//! One bus of the box itself: reads the chips on it, one after the other, and turns what they say into
//! frames.
//!
//! 1. [`wires`] opens the bus as Linux has it,
//! 2. [`chips`] reads a chip, whatever the bus is made of; [`kernel`] what the kernel reads itself,
//! 3. here is whose turn it is.
//!
//! Drivers block, so each reading is made on a thread of the runtime's pool; one at a time on a bus. A
//! chip that does not answer is asked ever less often, and hands in nothing: it falls silent as any other
//! device. One that answers and could not measure hands in "no data". A full `inputs` channel makes the
//! bus wait: slower reading is all the back-pressure that is needed.

mod chips;
mod kernel;
mod wires;

use std::sync::Arc;
use std::time::Duration;

use chips::{Read, Said, Trouble};
use gatehouse_core::community::device_type::{DeviceType, Point};
use gatehouse_core::community::localbus::{Localbus, Place};
use gatehouse_core::community::quantity::Text;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Body, DeviceIndex, Frame, SourceIndex, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::BusConfig;

/// A silent chip is asked at least every so many periods ...
const LONGEST_PAUSE_PERIODS: u32 = 32;
/// ... and at least this often, or as often as it is read anyway.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Opens the bus for a chip.
type Open = Arc<dyn Fn(&Localbus, &Place, &[String]) -> Result<Read, Trouble> + Send + Sync>;

/// Nobody listens any more.
struct HungUp;

/// Reads the devices of one bus until told to stop, or until nobody listens to `inputs`.
///
/// A stop waits for the reading that is under way, 3 s at most.
pub async fn run(
    bus: BusConfig,
    source: SourceIndex,
    devices: Vec<(DeviceIndex, Place, Arc<DeviceType>)>,
    inputs: mpsc::Sender<Input>,
    clock: Clock,
    stop: CancellationToken,
) {
    let name = bus.id.clone();
    let open: Open =
        Arc::new(move |localbus, place, wanted| wires::open(&bus, localbus, place, wanted));
    let now = clock.now();
    let devices = devices.into_iter().filter_map(|device| Wired::new(device, now)).collect();
    let is_down = false;
    let reader = Reader { name, source, devices, open, inputs, clock, stop, is_down };
    // Who hangs up has no more need of us.
    let _end = reader.run().await;
}

/// A device, and how it goes.
struct Wired {
    device: DeviceIndex,
    device_type: Arc<DeviceType>,
    localbus: Localbus,
    place: Place,
    /// The channels that its points ask for.
    wanted: Vec<String>,
    /// Open while it answers.
    read: Option<Read>,
    due: Timestamp,
    /// Readings in a row without an answer, and whether the bus itself was why.
    failures: u32,
    is_closed: bool,
}

impl Wired {
    fn new(
        (device, place, device_type): (DeviceIndex, Place, Arc<DeviceType>),
        now: Timestamp,
    ) -> Option<Self> {
        let localbus = device_type.localbus.clone()?;
        let points = device_type.points.iter();
        let wanted = points.filter_map(|point| point.at.channel.clone()).collect();
        let (read, failures, is_closed) = (None, 0, false);
        Some(Self {
            device,
            device_type,
            localbus,
            place,
            wanted,
            read,
            due: now,
            failures,
            is_closed,
        })
    }

    /// Until it is asked again: its period, or more while it does not answer.
    fn pause(&self) -> Duration {
        let every = self.localbus.every.0;
        let doubled = every.saturating_mul(1 << self.failures.min(LONGEST_PAUSE_PERIODS.ilog2()));
        doubled.min(LONGEST_PAUSE.max(every))
    }

    /// What it said, by point.
    fn values(&self, said: &Said) -> Vec<f64> {
        let of = |point: &Point| {
            let channel = said.iter().find(|(name, _)| Some(name) == point.at.channel.as_ref());
            channel.map_or(f64::NAN, |(_, value)| *value)
        };
        self.device_type.of_channels(of)
    }
}

struct Reader {
    name: String,
    source: SourceIndex,
    devices: Vec<Wired>,
    open: Open,
    inputs: mpsc::Sender<Input>,
    clock: Clock,
    stop: CancellationToken,
    is_down: bool,
}

impl Reader {
    async fn run(mut self) -> Result<(), HungUp> {
        while let Some((next, due)) =
            self.devices.iter().map(|wired| wired.due).enumerate().min_by_key(|(_, due)| *due)
        {
            let late = tokio::time::sleep_until(self.clock.instant(due));
            if self.stop.run_until_cancelled(late).await.is_none() {
                break;
            }
            self.turn(next).await?;
        }
        Ok(())
    }

    /// One reading of one device, and what follows from it.
    async fn turn(&mut self, position: usize) -> Result<(), HungUp> {
        let (read, outcome) = self.read(position).await;
        let (name, now) = (self.name.clone(), self.clock.now());
        let Some(wired) = self.devices.get_mut(position) else { return Ok(()) };
        let was_silent = wired.failures > 0;
        let values = match &outcome {
            Ok(said) => Some(wired.values(said)),
            Err(Trouble::NoData(_)) => Some(wired.values(&Said::new())),
            Err(Trouble::NotYet | Trouble::Silent(_) | Trouble::Closed(_)) => None,
        };
        wired.is_closed = matches!(outcome, Err(Trouble::Closed(_)));
        (wired.read, wired.failures) = match &outcome {
            Ok(_) | Err(Trouble::NoData(_) | Trouble::NotYet) => (read, 0),
            // Opened anew next time: an adapter that was pulled out has another handle afterwards.
            Err(Trouble::Silent(_) | Trouble::Closed(_)) => {
                (None, wired.failures.saturating_add(1))
            }
        };
        let (chip, place) = (wired.localbus.chip.word(), wired.place.to_string());
        match &outcome {
            Err(why) if wired.failures == 1 => {
                tracing::warn!(bus = name, chip, place, %why, "sensor does not answer");
            }
            Ok(_) if was_silent => tracing::info!(bus = name, chip, place, "sensor answers again"),
            Ok(_) | Err(_) => {}
        }
        wired.due = now + wired.pause();
        let device = wired.device;
        self.tell_bus(outcome.err()).await?;
        match values {
            Some(values) => {
                let body = Body::Values { at: now, values };
                self.send(Input::Frame(Frame { device, ticket: None, body })).await
            }
            None => Ok(()),
        }
    }

    /// Reads on a thread that may block; opens the bus first when it is not open for this device.
    async fn read(&mut self, position: usize) -> (Option<Read>, Result<Said, Trouble>) {
        let broken = || (None, Err(Trouble::Silent("its driver broke down".to_owned())));
        let Some(wired) = self.devices.get_mut(position) else { return broken() };
        let (opened, open) = (wired.read.take(), Arc::clone(&self.open));
        let (localbus, place) = (wired.localbus.clone(), wired.place.clone());
        let wanted = wired.wanted.clone();
        let work = move || {
            let mut read = match opened {
                Some(read) => read,
                None => match open(&localbus, &place, &wanted) {
                    Ok(read) => read,
                    Err(trouble) => return (None, Err(trouble)),
                },
            };
            let outcome = read();
            (Some(read), outcome)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_panic| broken())
    }

    /// The bus is down when it cannot be opened for anybody.
    async fn tell_bus(&mut self, trouble: Option<Trouble>) -> Result<(), HungUp> {
        let is_down = self.devices.iter().all(|wired| wired.is_closed);
        if is_down == self.is_down {
            return Ok(());
        }
        self.is_down = is_down;
        let down = trouble.filter(|_| is_down).map(|why| Text::alike(why.to_string()));
        self.send(Input::Source { source: self.source, down }).await
    }

    async fn send(&mut self, input: Input) -> Result<(), HungUp> {
        // A full channel is waited for; a stop is heard meanwhile only by the others.
        self.inputs.send(input).await.map_err(|_gone| HungUp)
    }
}

#[cfg(test)]
mod tests;
