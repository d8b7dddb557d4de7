//! The thread that looks at pictures: what cameras send in, frames of numbers out.
//!
//! Pictures wait in [`Slots`], the newest of each camera. One thread takes them in the order that
//! [`gatehouse_sight::load::Load`] gives, decodes them, judges the view, asks picture models, and hands the
//! numbers of each device to the pipeline as any source would ([`looking`]). [`posts`] is what it needs to
//! know of the configuration, [`memory`] what another one takes over. [`masking`] makes masked stills of what it saw last; nothing else of a picture
//! leaves it. It has its own models, so a slow one never delays a sensor's.

mod looking;
mod masker;
pub mod masking;
mod memory;
mod posts;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use gatehouse_core::community::Community;
use gatehouse_core::pipeline::Input;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::evidence::Evidence;
use crate::infer::pictures::PictureModels;
use crate::infer::{InferError, Shelves};
use crate::source::camera::{Feedback, Slots};
use crate::stills::StillRequest;
use looking::Looker;
use memory::Memory;
use posts::Post;

/// Events that may wait for their still.
pub const OPENED: usize = 64;

/// An event that a device's pictures raised: a still of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub event: String,
    /// By id.
    pub device: String,
}

/// Where questions for stills come in.
#[derive(Debug)]
pub struct Asked {
    pub stills: mpsc::Receiver<StillRequest>,
    pub opened: mpsc::Receiver<Opened>,
    /// Where stills are kept.
    pub evidence: Evidence,
}

/// Of one camera, for people.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    pub camera: String,
    /// Pictures that were looked at, and that were let go for newer ones.
    pub looks: u64,
    pub shed: u64,
    /// Part of one core that it takes, 0..1.
    pub load: f64,
}

/// What the thread says of itself, over all configurations.
#[derive(Debug, Clone, Default)]
pub struct Tallies(Arc<Mutex<Vec<Tally>>>);

impl Tallies {
    /// One for each camera, in the order of `gateway.toml`.
    pub fn now(&self) -> Vec<Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn tell(&self, tallies: Vec<Tally>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tallies;
    }
}

/// Everything that is ready to look.
pub struct Sight {
    pub slots: Arc<Slots>,
    pub feedback: Feedback,
    models: PictureModels,
    posts: Vec<Post>,
}

/// What outlives a configuration: who asks for stills, those that are not made yet, and what is known of the
/// cameras and devices that the next one has too.
#[derive(Default)]
pub struct Kept {
    pub asked: Option<Asked>,
    memory: Memory,
    unmasked: masker::Left,
}

/// A thread that looks.
pub struct Looking {
    slots: Arc<Slots>,
    thread: JoinHandle<Kept>,
}

impl Sight {
    /// Loads the models that the cameras' devices name and those that mask, and says which did not load:
    /// their points are no data. `None` when there is neither a camera nor anybody who wants stills.
    pub fn prepare(
        config: &GatewayConfig,
        community: &Community,
        shelves: &Shelves,
    ) -> (Option<Self>, Vec<(String, InferError)>) {
        let masks = config.evidence.is_some();
        if config.cameras.is_empty() && !masks {
            return (None, Vec::new());
        }
        let mut names: Vec<&str> = community
            .cameras()
            .filter(|camera| config.camera(camera.id).is_some())
            .flat_map(|camera| {
                let devices = community.devices.iter();
                devices.filter(move |d| d.sight().is_some_and(|s| s.camera == camera.index))
            })
            .filter_map(|device| device.device_type.picture_model())
            .collect();
        if masks {
            let installed = masking::MASKS.into_iter().filter(|name| shelves.find(name).is_some());
            names.extend(installed);
        }
        names.sort_unstable();
        names.dedup();
        let library = config.models.onnxruntime.as_deref();
        let (models, missing) = PictureModels::open(shelves, names, library);
        let posts = posts::posts(config, community, &models);
        let slots = Arc::new(Slots::new(community.cameras().count()));
        (Some(Self { slots, feedback: Feedback::default(), models, posts }), missing)
    }

    /// Looks until the slots are closed or the engine has gone.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start(
        self,
        inputs: mpsc::WeakSender<Input>,
        clock: Clock,
        kept: Kept,
        tallies: Tallies,
    ) -> io::Result<Looking> {
        let slots = Arc::clone(&self.slots);
        let mut looker = Looker::new(self, inputs, clock, kept, tallies)?;
        let thread = std::thread::Builder::new().name("sight".into()).spawn(move || {
            looker.run();
            looker.into_kept()
        })?;
        Ok(Looking { slots, thread })
    }
}

impl Looking {
    /// Ends it, and gives back what the next one needs. Waits for the look that is being taken.
    pub fn end(self) -> Kept {
        self.slots.close();
        // A thread that broke down has said so; stills are then refused as nobody answers.
        self.thread.join().unwrap_or_default()
    }
}
