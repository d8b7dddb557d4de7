//! What everything that plays a part in a simulation is given: who plays, when it is, how it went so
//! far, and when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::clock::Clock;

/// One simulation that runs. Cheap to clone; all clones are the same simulation.
#[derive(Debug, Clone)]
pub struct Play {
    pub world: Arc<World>,
    pub clock: Clock,
    pub tally: Arc<Tally>,
    /// Ends it.
    pub stop: CancellationToken,
}

impl Play {
    pub fn new(world: World, clock: Clock) -> Self {
        let (tally, stop) = (Arc::default(), CancellationToken::new());
        Self { world: Arc::new(world), clock, tally, stop }
    }

    /// A part of the play that can be ended before the rest.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { stop: self.stop.child_token(), ..self.clone() }
    }
}

/// What the simulated devices have put on their wires; shared, and read while it grows.
#[derive(Debug, Default)]
pub struct Tally {
    made: AtomicU64,
    confirmed: AtomicU64,
    repeated: AtomicU64,
    bytes: AtomicU64,
}

/// A [`Tally`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames that devices have made: MQTT messages and Modbus answers.
    pub made: u64,
    /// Those whose broker (or master) has them.
    pub confirmed: u64,
    /// Messages that went out once more because the connection was lost.
    pub repeated: u64,
    /// Bytes of payload in the frames made.
    pub bytes: u64,
}

impl Tally {
    pub fn read(&self) -> Sent {
        Sent {
            made: self.made.load(Ordering::Relaxed),
            confirmed: self.confirmed.load(Ordering::Relaxed),
            repeated: self.repeated.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn made(&self, bytes: usize) {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn confirmed(&self) {
        self.confirmed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }
}
