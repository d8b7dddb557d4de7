//! Makes stills beside the looking, on a thread of its own: a street full of people takes seconds to mask on a
//! slow box, and no camera waits for that. Pictures come from the sight thread and from phones; what goes on is
//! masked, to the evidence or to whoever asked.
//!
//! It asks the same models as the sight thread, one question at a time, so they are in memory once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::Timestamp;
use gatehouse_sight::jpeg;
use gatehouse_sight::picture::Picture;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::masking;
use crate::evidence::Evidence;
use crate::infer::pictures::PictureModels;
use crate::stills::{NoStillNow, Still};

/// Stills that may wait; each is a picture of at most [`masking::SIZE`] in memory, or what a phone sent, of which
/// [`crate::stills`] lets in no more than two of the largest.
const WAITING: usize = 8;

pub(super) type Models = Arc<Mutex<PictureModels>>;
pub(super) type Answer = oneshot::Sender<Result<Still, NoStillNow>>;

/// What shall be masked, for whom.
pub(super) enum Job {
    /// Kept as evidence of an event.
    Event { event: String, picture: Picture, at: Timestamp, evidence: Evidence },
    /// For somebody who looks at a camera now.
    Asked { picture: Picture, at: Timestamp, back: Answer },
    /// A JPEG that somebody took with a phone, and the room that it takes up.
    Upload { bytes: Vec<u8>, room: Option<OwnedSemaphorePermit>, at: Timestamp, back: Answer },
}

/// The thread. It ends when this is dropped or [`Masker::end`]ed, after what waits.
pub(super) struct Masker {
    jobs: SyncSender<Job>,
    thread: JoinHandle<()>,
}

impl Masker {
    /// # Errors
    /// The system starts no thread.
    pub(super) fn start(models: Models, inputs: mpsc::WeakSender<Input>) -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("masker".into())
            .spawn(move || run(&waiting, &models, &inputs))?;
        Ok(Self { jobs, thread })
    }

    /// Never waits; whoever comes when too many wait is told so.
    pub(super) fn take(&self, job: Job) {
        let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) =
            self.jobs.try_send(job)
        else {
            return;
        };
        match job {
            Job::Event { event, .. } => {
                tracing::warn!(event, "no still is kept: {WAITING} others are being masked");
            }
            // Who asked may have gone.
            Job::Asked { back, .. } | Job::Upload { back, .. } => {
                drop(back.send(Err(NoStillNow::Busy)));
            }
        }
    }

    /// Waits for what is being masked.
    pub(super) fn end(self) {
        let Self { jobs, thread } = self;
        drop(jobs);
        if thread.join().is_err() {
            tracing::error!("the thread that masks broke down");
        }
    }
}

fn run(waiting: &Receiver<Job>, models: &Models, inputs: &mpsc::WeakSender<Input>) {
    for job in waiting {
        // A network that breaks down on a picture must not end the masking; who asked is told `Busy`.
        if catch_unwind(AssertUnwindSafe(|| mask(job, models, inputs))).is_err() {
            tracing::error!("a picture broke down while it was masked");
        }
    }
}

fn mask(job: Job, models: &Models, inputs: &mpsc::WeakSender<Input>) {
    match job {
        Job::Event { event, picture, at, evidence } => {
            let kept = masking::still(models, &picture, at)
                .map_err(anyhow::Error::new)
                .and_then(|still| Ok(evidence.keep(&event, still.at, &still.masked)?));
            match (kept, inputs.upgrade()) {
                (Ok(reference), Some(inputs)) => {
                    // The engine has gone: the still is found by the event's id.
                    drop(inputs.blocking_send(Input::Evidence { event, reference }));
                }
                (Ok(_), None) => {}
                (Err(error), _) => tracing::warn!(event, "no still is kept: {error:#}"),
            }
        }
        Job::Asked { picture, at, back } => drop(back.send(masking::still(models, &picture, at))),
        Job::Upload { bytes, room: _held, at, back } => {
            let still = jpeg::decode(&bytes, masking::SIZE)
                .map_err(|why| NoStillNow::NotAPicture(why.to_string()))
                .and_then(|picture| masking::still(models, &picture, at));
            drop(back.send(still));
        }
    }
}
