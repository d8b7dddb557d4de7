//! Cameras of every kind against servers that nobody here wrote, which show a real street.

mod flood;
mod hostile;
mod others;
mod rtsp;
mod web;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatehouse::clock::Clock;
use gatehouse::config::camera::{CameraAccess, CameraConfig, Transport};
use gatehouse::config::{BrokerConfig, Identity};
use gatehouse::source::Published;
use gatehouse::source::camera::{
    Camera, Content, Feedback, MOST_PUBLISHED, Shot, Slots, Surroundings, Taken,
};
use gatehouse::source::mqtt::Tap;
use gatehouse_core::community::camera::CameraIndex;
use gatehouse_core::community::quantity::{Language, Period};
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::SourceIndex;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::peers::PATIENCE;

/// Some cameras, and what stands where the sight thread and the pipeline would be.
struct Site {
    slots: Arc<Slots>,
    feedback: Feedback,
    inputs: mpsc::Receiver<Input>,
    _pipeline: mpsc::Sender<Input>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    /// By kind.
    counted: BTreeMap<&'static str, u64>,
}

impl Site {
    /// Within a `LocalSet`.
    fn start(configs: &[CameraConfig]) -> Self {
        Self::start_at(&[], configs)
    }

    /// With cameras that publish at these brokers.
    fn start_at(brokers: &[BrokerConfig], configs: &[CameraConfig]) -> Self {
        let identity = Identity { id: "gw".into(), township: "t".into(), language: Language::En };
        let there = |camera: &CameraConfig| -> Option<Box<dyn Published>> {
            let broker = brokers.iter().find(|b| Some(&b.id) == camera.broker.as_ref())?;
            let topic = camera.topic.as_ref()?;
            Some(Box::new(Tap::new(broker, &identity, topic, MOST_PUBLISHED).unwrap()))
        };
        let slots = Arc::new(Slots::new(configs.len()));
        let (pipeline, inputs) = mpsc::channel(256);
        let (feedback, stop) = (Feedback::default(), CancellationToken::new());
        let around = Surroundings {
            slots: Arc::clone(&slots),
            feedback: feedback.clone(),
            clock: Clock::new(1.0),
            inputs: pipeline.downgrade(),
            stop: stop.clone(),
        };
        let mut tasks = Vec::new();
        for (position, config) in configs.iter().enumerate() {
            let (camera, source) = (CameraIndex(position), SourceIndex(position));
            let ready = Camera::prepare(config, there(config), camera, source, around.clone());
            tasks.push(ready.unwrap().spawn());
        }
        let counted = BTreeMap::new();
        Self { slots, feedback, inputs, _pipeline: pipeline, stop, tasks, counted }
    }

    /// The next picture.
    async fn shot(&self) -> Shot {
        let slots = Arc::clone(&self.slots);
        let first = |full: &[CameraIndex]| full.first().copied().ok_or(PATIENCE);
        let taken = tokio::task::spawn_blocking(move || slots.take(first));
        match timeout(PATIENCE, taken).await.expect("a picture comes").unwrap() {
            Taken::Shot(shot) => {
                self.feedback.decoded(shot.camera);
                shot
            }
            other @ (Taken::Nothing | Taken::Closed) => panic!("{other:?}"),
        }
    }

    /// The next picture, which has to be a JPEG.
    async fn jpeg(&self) -> Vec<u8> {
        match self.shot().await.content {
            Content::Jpeg(bytes) => bytes,
            other @ Content::Picture(_) => panic!("{other:?}"),
        }
    }

    /// Whether a camera came up (nothing), or went down and why; what comes before is counted.
    async fn change(&mut self, position: usize) -> Option<String> {
        loop {
            match timeout(PATIENCE, self.inputs.recv()).await.expect("a change is told").unwrap() {
                Input::Source { source, down } if source.0 == position => {
                    return down.map(|why| why.en);
                }
                Input::Dropped { reason, count, .. } => {
                    *self.counted.entry(reason).or_default() += count;
                }
                _ => {}
            }
        }
    }

    async fn is_up(&mut self) {
        while let Some(_down) = self.change(0).await {}
    }

    async fn is_down(&mut self) -> String {
        loop {
            if let Some(why) = self.change(0).await {
                return why;
            }
        }
    }

    /// Waits until something was counted by that word.
    async fn counts(&mut self, kind: &str) {
        while !self.counted.contains_key(kind) {
            let input = timeout(PATIENCE, self.inputs.recv()).await.expect("it is counted");
            if let Some(Input::Dropped { reason, count, .. }) = input {
                *self.counted.entry(reason).or_default() += count;
            }
        }
    }

    /// All cameras end when they are told to.
    async fn stop(mut self) {
        self.stop.cancel();
        for task in self.tasks.drain(..) {
            timeout(Duration::from_secs(10), task).await.expect("a camera ends in time").unwrap();
        }
    }
}

impl Drop for Site {
    /// Whoever still waits for a picture is sent home, or the test would never end.
    fn drop(&mut self) {
        self.stop.cancel();
        self.slots.close();
    }
}

/// Cameras belong to one thread, as in the gateway.
async fn local<F: Future>(work: F) -> F::Output {
    LocalSet::new().run_until(work).await
}

/// A camera that is looked at ten times a second.
fn camera(url: &str) -> CameraConfig {
    CameraConfig {
        id: "lane-cam".into(),
        url: Some(url.into()),
        broker: None,
        topic: None,
        json: None,
        transport: Transport::Tcp,
        every: Period(Duration::from_millis(100)),
        share: None,
        access: CameraAccess::default(),
    }
}

/// With a name and a password.
fn with_login(url: &str, folder: &Path, password: &str) -> CameraConfig {
    let file: PathBuf = folder.join(password.replace(' ', "-"));
    std::fs::write(&file, password).unwrap();
    let access =
        CameraAccess { user: Some("cam".into()), password_file: Some(file), ca_file: None };
    CameraConfig { access, ..camera(url) }
}
