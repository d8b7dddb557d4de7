//! Makes stills beside the looking, on a thread of its own: a street full of people takes seconds to mask on a
//! slow box, and no camera waits for that. Pictures come from the sight thread and from phones; what goes on is
//! masked, to the evidence or to whoever asked.
//!
//! It asks the same models as the sight thread, one question at a time, so they are in memory once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
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

/// Jobs whose turn has not come, for the masker of the next configuration. After the last one they are dropped:
/// who waits is told [`NoStillNow::Busy`].
#[derive(Default)]
pub(super) struct Left(Vec<Job>);

impl Drop for Left {
    fn drop(&mut self) {
        for job in &self.0 {
            if let Job::Event { event, .. } = job {
                tracing::warn!(event, "no still is kept: the gateway ends before its turn");
            }
        }
    }
}

/// The thread. [`Masker::end`] waits for the one picture that is being masked; when this is dropped, as by a sight
/// thread that broke down, nobody waits and what was taken is still masked.
pub(super) struct Masker {
    jobs: SyncSender<Job>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Left>,
}

impl Masker {
    /// Begins with what another one has left.
    ///
    /// # Errors
    /// The system starts no thread.
    pub(super) fn start(
        models: Models,
        inputs: mpsc::WeakSender<Input>,
        mut left: Left,
    ) -> std::io::Result<Self> {
        let (jobs, waiting) = sync_channel(WAITING);
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = std::thread::Builder::new().name("masker".into()).spawn(move || {
            let before = std::mem::take(&mut left.0).into_iter();
            run(before.chain(waiting), &models, &inputs, &told)
        })?;
        Ok(Self { jobs, is_over, thread })
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

    /// Waits for the picture that is being masked, and gives back the others: on a slow box they take longer
    /// than a stop may, and no camera is looked at until a reload has ended this.
    pub(super) fn end(self) -> Left {
        let Self { jobs, is_over, thread } = self;
        is_over.store(true, Ordering::Relaxed);
        drop(jobs);
        thread.join().unwrap_or_else(|_panic| {
            tracing::error!("the thread that masks broke down");
            Left::default()
        })
    }
}

fn run(
    jobs: impl Iterator<Item = Job>,
    models: &Models,
    inputs: &mpsc::WeakSender<Input>,
    is_over: &AtomicBool,
) -> Left {
    let mut left = Left::default();
    for job in jobs {
        if is_over.load(Ordering::Relaxed) {
            left.0.push(job);
            continue;
        }
        // A network that breaks down on a picture must not end the masking; who asked is told `Busy`.
        if catch_unwind(AssertUnwindSafe(|| mask(job, models, inputs))).is_err() {
            tracing::error!("a picture broke down while it was masked");
        }
    }
    left
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
            let still = jpeg::decode_for(&bytes, masking::size)
                .map_err(|why| NoStillNow::NotAPicture(why.to_string()))
                .and_then(|picture| masking::still(models, &picture, at));
            drop(back.send(still));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::masking::held;
    use super::*;

    /// One is under way, and as many wait as may.
    #[test]
    fn at_the_end_only_the_picture_under_way_is_waited_for_and_the_next_masker_has_the_rest() {
        let store = tempfile::tempdir().unwrap();
        let evidence = Evidence::in_store(store.path(), Duration::from_hours(1));
        let (at, grey) = (Timestamp(7), || Picture::of_rgb(16, 16, &[128; 16 * 16 * 3]).unwrap());
        let models = Models::default();
        let (inputs, _engine) = mpsc::channel(1);
        let start = |left| Masker::start(Arc::clone(&models), inputs.downgrade(), left).unwrap();
        let masker = start(Left::default());
        let slow = held(&models);
        let mut answers = Vec::new();
        for turn in 0..=WAITING {
            let (back, answer) = oneshot::channel();
            let mut job = match turn {
                2 => {
                    let (event, evidence) = ("E1".to_owned(), evidence.clone());
                    Job::Event { event, picture: grey(), at, evidence }
                }
                odd if odd % 2 == 1 => Job::Upload { bytes: vec![1], room: None, at, back },
                _ => Job::Asked { picture: grey(), at, back },
            };
            // The last one fits when the first is under way.
            while let Err(TrySendError::Full(again)) = masker.jobs.try_send(job) {
                job = again;
                std::thread::sleep(Duration::from_millis(1));
            }
            answers.push(answer);
        }
        let is_over = Arc::clone(&masker.is_over);
        let ending = std::thread::spawn(move || masker.end());
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(slow);
        let left = ending.join().unwrap();

        // Without models it is refused, which only who looks at it knows.
        let no_model = Ok(Err(NoStillNow::NoMaskModel("face".to_owned())));
        let mut answers = answers.into_iter().enumerate();
        assert_eq!(answers.next().unwrap().1.blocking_recv(), no_model);
        assert_eq!(left.0.len(), WAITING);
        assert!(matches!(&left.0[1], Job::Event { event, .. } if event == "E1"));
        let next = start(left);
        // Nobody waits for an event's.
        for (turn, answer) in answers.filter(|(turn, _)| *turn != 2) {
            let told = answer.blocking_recv();
            let is_refused = matches!(told, Ok(Err(NoStillNow::NotAPicture(_))));
            let is_upload = turn % 2 == 1;
            assert!(is_refused == is_upload && (is_upload || told == no_model), "{turn}: {told:?}");
        }
        drop(next.end());
    }
}
