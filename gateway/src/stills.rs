//! Masked stills for people: asked of the sight thread, which alone has the pictures.
//!
//! What comes back is [`Masked`], which nothing but `gatehouse_sight::mask` makes, so whoever asks here can
//! show, send or keep it. A page asks for what a camera sees now; a phone hands in a picture that somebody
//! took and gets it back masked. Who asked is for the caller to take down ([`crate::audit`]).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::reading::Timestamp;
use gatehouse_sight::mask::Masked;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::config::evidence::EvidenceConfig;
use crate::evidence::Evidence;

/// Questions that may wait for the sight thread.
pub const ASKS: usize = 4;
/// Bytes of a still at most, so that a command's answer can carry it: the sight thread writes it less finely,
/// and scales the picture down, until it fits. So are those of events.
pub const LARGEST: usize = gatehouse_sight::mask::BYTES;
/// Bytes of a picture that somebody hands in, at most.
pub const LARGEST_UPLOAD: usize = 8 << 20;

/// Bytes of all that was handed in and is not masked yet, at most; who comes when there are more is told
/// [`NoStillNow::Busy`].
const HANDED_IN: usize = 2 * LARGEST_UPLOAD;

/// What the sight thread may take: it may be within a model, and masks in a few looks.
const PATIENCE: Duration = Duration::from_secs(15);

/// A still that shows nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// When the picture was taken; when it was handed in, for one that was.
    pub at: Timestamp,
    pub masked: Masked,
}

/// What shall be masked.
#[derive(Clone, PartialEq, Eq)]
pub enum Of {
    /// The newest picture of a camera of `gateway.toml`, by id.
    Camera(String),
    /// A JPEG that somebody took with a phone; never written as it is.
    Upload(Vec<u8>),
}

/// Of a picture its size alone: what it shows is nobody's business.
impl std::fmt::Debug for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Camera(id) => f.debug_tuple("Camera").field(id).finish(),
            Self::Upload(bytes) => write!(f, "Upload({} bytes)", bytes.len()),
        }
    }
}

/// A question to the sight thread.
#[derive(Debug)]
pub struct StillRequest {
    pub of: Of,
    /// Answered with a still of [`LARGEST`] bytes at most. Dropped unanswered: [`NoStillNow::Busy`].
    pub back: oneshot::Sender<Result<Still, NoStillNow>>,
    /// What was handed in takes up so much of [`HANDED_IN`] until this is dropped.
    pub room: Option<OwnedSemaphorePermit>,
}

/// Why there is no still now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStillNow {
    #[error("there is no camera `{0}`")]
    NoCamera(String),
    #[error("camera `{0}` has sent no picture yet, or none for a while")]
    NoPicture(String),
    /// None is installed, or the one that is does not pass its own test.
    #[error("nothing on this box can mask pictures: {0}")]
    NoMaskModel(String),
    #[error("somebody could still be made out after masking")]
    StillSeen,
    /// `[evidence]` is left out of `gateway.toml`.
    #[error("stills are switched off: `gateway.toml` has no `[evidence]`")]
    NotAllowed,
    /// Only for what was handed in.
    #[error("what was handed in is no picture: {0}")]
    NotAPicture(String),
    #[error("the box is busy with other pictures; try again in a minute")]
    Busy,
}

/// What `[evidence]` allows: stills now, and those of events.
#[derive(Debug, Clone)]
pub struct Pictures {
    pub stills: Stills,
    /// `None` where `[evidence]` is left out.
    pub evidence: Option<Evidence>,
    /// By what right, as `[evidence]` says.
    pub basis: String,
}

impl Pictures {
    /// For a gateway with its store in this folder; the other end is for the sight thread.
    pub fn of(
        config: Option<&EvidenceConfig>,
        store: &Path,
    ) -> (Self, mpsc::Receiver<StillRequest>) {
        let (asks, asked) = mpsc::channel(ASKS);
        let pictures = config.map_or_else(Self::off, |config| Self {
            stills: Stills::new(asks),
            evidence: Some(Evidence::in_store(store, config.keep.0)),
            basis: config.basis.clone(),
        });
        (pictures, asked)
    }

    /// Without `[evidence]`.
    pub fn off() -> Self {
        Self { stills: Stills::off(), evidence: None, basis: String::new() }
    }
}

/// Where to ask; a clone asks the same thread.
#[derive(Debug, Clone)]
pub struct Stills {
    asks: Option<mpsc::Sender<StillRequest>>,
    /// A permit a byte.
    room: Arc<Semaphore>,
}

impl Stills {
    /// Asks whoever holds the other end.
    pub fn new(asks: mpsc::Sender<StillRequest>) -> Self {
        Self { asks: Some(asks), room: Arc::new(Semaphore::new(HANDED_IN)) }
    }

    /// Of a box on which `[evidence]` is left out: everything is refused.
    pub fn off() -> Self {
        Self { asks: None, room: Arc::new(Semaphore::new(0)) }
    }

    /// Whether `[evidence]` allows any.
    pub fn are_allowed(&self) -> bool {
        self.asks.is_some()
    }

    /// What a camera sees now.
    ///
    /// # Errors
    /// There is none to be had, or none that shows nobody.
    pub async fn now(&self, camera: &str) -> Result<Still, NoStillNow> {
        self.ask(Of::Camera(camera.to_owned()), None).await
    }

    /// The same picture, showing nobody.
    ///
    /// # Errors
    /// It is no JPEG, too large, or nobody can say that it shows nobody.
    pub async fn mask(&self, jpeg: Vec<u8>) -> Result<Still, NoStillNow> {
        if jpeg.len() > LARGEST_UPLOAD {
            let most = LARGEST_UPLOAD >> 20;
            return Err(NoStillNow::NotAPicture(format!("it has more than {most} MB")));
        }
        if !self.are_allowed() {
            return Err(NoStillNow::NotAllowed);
        }
        let bytes = u32::try_from(jpeg.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        let room = room.map_err(|_| NoStillNow::Busy)?;
        self.ask(Of::Upload(jpeg), Some(room)).await
    }

    async fn ask(&self, of: Of, room: Option<OwnedSemaphorePermit>) -> Result<Still, NoStillNow> {
        let asks = self.asks.as_ref().ok_or(NoStillNow::NotAllowed)?;
        let (back, answer) = oneshot::channel();
        asks.try_send(StillRequest { of, back, room }).map_err(|error| match error {
            TrySendError::Full(_) => NoStillNow::Busy,
            TrySendError::Closed(_) => NoStillNow::NoMaskModel("nothing looks at pictures".into()),
        })?;
        let answered = tokio::time::timeout(PATIENCE, answer).await;
        answered.ok().and_then(Result::ok).unwrap_or(Err(NoStillNow::Busy))
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_sight::mask::mask;
    use gatehouse_sight::picture::Picture;

    use super::*;

    fn still() -> Still {
        let grey = Picture::of_rgb(16, 16, &[128; 16 * 16 * 3]).unwrap();
        let masked = mask(&grey, |_| Ok::<_, ()>(Vec::new())).unwrap();
        Still { at: Timestamp(7), masked }
    }

    #[test]
    fn a_picture_that_waits_is_told_by_its_size_alone() {
        let (back, _answer) = oneshot::channel();
        let of = Of::Upload(vec![255, 216, 77]);
        let told = format!("{:?}", StillRequest { of, back, room: None });
        assert!(told.contains("Upload(3 bytes)") && !told.contains("216"), "{told}");
        assert_eq!(format!("{:?}", Of::Camera("lane".into())), "Camera(\"lane\")");
    }

    #[tokio::test]
    async fn what_the_sight_thread_says_comes_back() {
        let (asks, mut asked) = mpsc::channel(ASKS);
        let stills = Stills::new(asks);
        let other_end = async {
            while let Some(StillRequest { of, back, .. }) = asked.recv().await {
                let answer = match of {
                    Of::Camera(id) if id == "lane" => Ok(still()),
                    Of::Camera(id) => Err(NoStillNow::NoCamera(id)),
                    Of::Upload(_) => Err(NoStillNow::StillSeen),
                };
                back.send(answer).unwrap();
            }
        };
        let questions = async {
            let told = (stills.now("lane").await, stills.now("x").await);
            let upload = stills.mask(vec![1]).await;
            drop(stills);
            (told.0, told.1, upload)
        };
        let ((lane, other, upload), ()) = tokio::join!(questions, other_end);
        assert_eq!(lane, Ok(still()));
        assert_eq!(other, Err(NoStillNow::NoCamera("x".into())));
        assert_eq!(upload, Err(NoStillNow::StillSeen));
    }

    #[tokio::test]
    async fn nothing_is_shown_where_it_is_switched_off_too_large_or_nobody_answers() {
        assert_eq!(Stills::off().now("lane").await, Err(NoStillNow::NotAllowed));
        let (asks, asked) = mpsc::channel(ASKS);
        drop(asked);
        let stills = Stills::new(asks);
        let nobody = stills.now("lane").await;
        assert!(matches!(nobody, Err(NoStillNow::NoMaskModel(_))), "{nobody:?}");
        let large = stills.mask(vec![0; LARGEST_UPLOAD + 1]).await;
        assert!(matches!(large, Err(NoStillNow::NotAPicture(_))), "{large:?}");
    }

    #[tokio::test]
    async fn pictures_that_wait_to_be_masked_take_up_no_more_than_two_of_the_largest() {
        let (asks, mut asked) = mpsc::channel(ASKS);
        let stills = Stills::new(asks);
        let hand_in = || {
            let stills = stills.clone();
            tokio::spawn(async move { stills.mask(vec![0; LARGEST_UPLOAD]).await })
        };
        let waiting = [hand_in(), hand_in()];
        let held = [asked.recv().await.unwrap(), asked.recv().await.unwrap()];

        assert_eq!(stills.mask(vec![1]).await, Err(NoStillNow::Busy));
        drop(held);
        for told in waiting {
            assert_eq!(told.await.unwrap(), Err(NoStillNow::Busy));
        }
        let later = hand_in();
        asked.recv().await.unwrap().back.send(Ok(still())).unwrap();
        assert_eq!(later.await.unwrap(), Ok(still()));
    }
}
