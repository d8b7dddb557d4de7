//! The sight thread, and this bench in the place of cameras and engine.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use gatehouse::clock::Clock;
use gatehouse::service::Setup;
use gatehouse::sight::{Kept, Looking, Sight, Tallies};
use gatehouse::source::camera::{Content, Shot, Slots};
use gatehouse_core::community::camera::CameraIndex;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Body, Timestamp};
use tokio::sync::mpsc;

/// A picture so long after the last one, in ms, that the model is asked though nothing moved.
pub(crate) const ELSEWHERE: i64 = 11_000;
/// The first picture is so much older than now, in ms: all that follow are of the past as well.
const PAST: i64 = 86_400_000;

/// What its device asks, and how large its pictures are.
#[derive(Clone)]
pub(crate) struct Camera {
    pub(crate) model: String,
    pub(crate) size: String,
}

pub(crate) struct Place {
    pub(crate) cameras: Vec<Camera>,
    /// Values that came out.
    pub(crate) looks: u64,
    slots: Arc<Slots>,
    inputs: mpsc::Receiver<Input>,
    _engine: mpsc::Sender<Input>,
    looking: Looking,
    at: i64,
}

impl Place {
    pub(crate) fn open(setup: &Setup) -> Result<Self> {
        let (sight, missing) = Sight::prepare(&setup.config, &setup.community, &setup.models);
        if let Some((model, error)) = missing.into_iter().next() {
            bail!("{model}: {error}");
        }
        let sight = sight.context("there is no camera")?;
        let camera = |id: &str| {
            let (model, size) =
                id.rsplit_once("-at-").context("a camera is called MODEL-at-SIZE")?;
            Ok(Camera { model: model.to_owned(), size: size.to_owned() })
        };
        let cameras = setup.config.cameras.iter().map(|config| camera(&config.id));
        let cameras = cameras.collect::<Result<_>>()?;
        let (sender, inputs) = mpsc::channel(1024);
        let clock = Clock::new(1.0);
        let at = clock.now().0 - PAST;
        let slots = Arc::clone(&sight.slots);
        let looking =
            sight.start(sender.downgrade(), clock, Kept::default(), Tallies::default())?;
        Ok(Self { cameras, looks: 0, slots, inputs, _engine: sender, looking, at })
    }

    pub(crate) fn camera(&self, model: &str, size: &str) -> Option<usize> {
        self.cameras.iter().position(|camera| camera.model == model && camera.size == size)
    }

    /// From a picture to its device's values; the picture is so many ms younger than the last one.
    pub(crate) fn look(&mut self, camera: usize, content: Content, step: i64) -> Result<Duration> {
        self.at += step;
        let at = Timestamp(self.at);
        let begun = Instant::now();
        self.slots.put(Shot { camera: CameraIndex(camera), at, content });
        self.values()?;
        Ok(begun.elapsed())
    }

    /// Leaves a picture, so that the thread has something to look at next.
    pub(crate) fn keep_busy(&mut self, camera: usize, jpeg: &[u8]) {
        self.at += ELSEWHERE;
        let content = Content::Jpeg(jpeg.to_vec());
        self.slots.put(Shot { camera: CameraIndex(camera), at: Timestamp(self.at), content });
        while self.inputs.try_recv().is_ok() {
            self.looks += 1;
        }
    }

    /// Waits until everything has been looked at.
    pub(crate) fn rest(&mut self, camera: usize, jpeg: &[u8]) -> Result<()> {
        self.at += ELSEWHERE;
        let last = Timestamp(self.at);
        let content = Content::Jpeg(jpeg.to_vec());
        self.slots.put(Shot { camera: CameraIndex(camera), at: last, content });
        while self.values()? != last {}
        Ok(())
    }

    fn values(&mut self) -> Result<Timestamp> {
        match self.inputs.blocking_recv() {
            Some(Input::Frame(frame)) => match frame.body {
                Body::Values { at, .. } => {
                    self.looks += 1;
                    Ok(at)
                }
                other => bail!("expected values: {other:?}"),
            },
            other => bail!("a picture was refused: {other:?}"),
        }
    }

    pub(crate) fn close(self) {
        drop(self.inputs);
        drop(self.looking.end());
    }
}

/// What the sight thread has used of a core since it began. Waits until it sleeps: only then its time
/// is written down.
pub(crate) fn cpu() -> Result<Duration> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() != "sight" {
            continue;
        }
        while !fs::read_to_string(task.join("stat"))?.contains(") S ") {
            std::thread::sleep(Duration::from_micros(200));
        }
        // The first number of proc(5)'s `schedstat`: time on a core, in ns.
        let told = fs::read_to_string(task.join("schedstat"))?;
        let spent = told.split(' ').next().context("it is empty")?;
        return Ok(Duration::from_nanos(spent.parse()?));
    }
    bail!("there is no sight thread")
}
