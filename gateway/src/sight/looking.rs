//! One look after the other: a picture in, the numbers of every device at its camera out.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use gatehouse_core::community::camera::CameraIndex;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Body, Frame, Timestamp};
use gatehouse_sight::jpeg::{self, NotAPicture};
use gatehouse_sight::load::Load;
use gatehouse_sight::motion::Motion;
use gatehouse_sight::picture::Picture;
use gatehouse_sight::seen::{Region, Seen};
use gatehouse_sight::thumb::Thumb;
use gatehouse_sight::track::DOUBTFUL;
use gatehouse_sight::view::{View, Watchman};
use gatehouse_sight::watch::Look;
use tokio::sync::mpsc;

use super::masker::{Job, Masker, Models};
use super::masking::{self, held};
use super::memory::Memory;
use super::posts::{Post, Seat};
use super::{Asked, Kept, Opened, Sight, Tallies, Tally};
use crate::clock::Clock;
use crate::infer::pictures::PictureModels;
use crate::source::camera::{Content, Feedback, Slots, Taken};
use crate::stills::{NoStillNow, Of, StillRequest};

/// Questions for stills are looked for this often while no picture comes.
const ATTENTIVE: Duration = Duration::from_millis(250);
/// Below this share of changed cells nothing moves.
const STILL: f32 = 0.002;
/// Even where nothing moves the model is asked this often, in ms: what came slowly is there too.
const ASSURE: i64 = 10_000;
/// A picture older than this shows nothing of now, in ms.
const FRESH: i64 = 30_000;
/// A picture is decoded at least as large as judging the view needs it, whose places are taken from so many.
const FOR_VIEW: (usize, usize) = (256, 192);

pub(super) struct Looker {
    slots: Arc<Slots>,
    feedback: Feedback,
    models: Models,
    masker: Masker,
    posts: Vec<Post>,
    eyes: Vec<Eye>,
    load: Load,
    inputs: mpsc::WeakSender<Input>,
    clock: Clock,
    asked: Option<Asked>,
    tallies: Tallies,
    /// Pictures that were looked at, by position of the camera; one that cannot be decoded is none.
    looks: Vec<u64>,
    /// For the models, within this look: that somebody is masked meanwhile is no camera's load.
    waited: Duration,
}

/// What is remembered of one camera's pictures.
#[derive(Default)]
pub(super) struct Eye {
    motion: Motion,
    watchman: Watchman,
    /// As it was sent: a still needs more pixels than most looks, and is made seldom.
    last: Option<(Timestamp, Content)>,
}

impl Looker {
    pub(super) fn new(
        sight: Sight,
        inputs: mpsc::WeakSender<Input>,
        clock: Clock,
        kept: Kept,
        tallies: Tallies,
    ) -> io::Result<Self> {
        let Sight { slots, feedback, models, mut posts } = sight;
        let models = Arc::new(Mutex::new(models));
        let Kept { asked, memory, unmasked } = kept;
        let masker = Masker::start(Arc::clone(&models), inputs.clone(), unmasked)?;
        let load = Load::new(posts.iter().map(|post| post.target));
        let eyes = memory.recall(&mut posts);
        let looks = vec![0; posts.len()];
        Ok(Self {
            slots,
            feedback,
            models,
            masker,
            posts,
            eyes,
            load,
            inputs,
            clock,
            asked,
            tallies,
            looks,
            waited: Duration::ZERO,
        })
    }

    /// Until the slots are closed or the engine has gone.
    pub(super) fn run(&mut self) {
        self.tell();
        loop {
            self.answer();
            let (load, clock) = (&self.load, &self.clock);
            let taken = self.slots.take(|full| {
                let waiting = full.iter().map(|camera| camera.0);
                load.next(clock.now().0, waiting).map(CameraIndex).map_err(|wait| {
                    let wait = u64::try_from(wait).unwrap_or_default();
                    Duration::from_millis(wait.max(1)).min(ATTENTIVE)
                })
            });
            match taken {
                Taken::Shot(shot) => {
                    self.waited = Duration::ZERO;
                    let begun = Instant::now();
                    // A network that breaks down on a picture must not end the looking.
                    let look = AssertUnwindSafe(|| self.look(shot.camera, shot.at, shot.content));
                    let is_heard = catch_unwind(look).unwrap_or_else(|_panic| {
                        tracing::error!(camera = shot.camera.0, "a picture broke down");
                        true
                    });
                    let took = begun.elapsed().saturating_sub(self.waited).as_secs_f64() * 1000.0;
                    self.load.charge(shot.camera.0, shot.at.0, took);
                    self.feedback.set_busy(self.load.is_busy());
                    self.tell();
                    if !is_heard {
                        return;
                    }
                }
                Taken::Nothing if self.inputs.upgrade().is_none() => return,
                Taken::Nothing => self.tell(),
                Taken::Closed => return,
            }
        }
    }

    pub(super) fn into_kept(self) -> Kept {
        let unmasked = self.masker.end();
        Kept { asked: self.asked, memory: Memory::of(self.posts, self.eyes), unmasked }
    }

    /// False when nobody listens any more.
    fn look(&mut self, camera: CameraIndex, at: Timestamp, content: Content) -> bool {
        let (Some(post), Some(eye)) = (self.posts.get_mut(camera.0), self.eyes.get_mut(camera.0))
        else {
            return true;
        };
        let (picture, sent) = match content {
            Content::Picture(picture) => (picture, None),
            Content::Jpeg(bytes) => {
                let elsewhere = &mut self.waited;
                let wanted = |sent| wanted(post, &turn(&self.models, elsewhere), sent);
                match jpeg::decode_for(&bytes, wanted) {
                    Ok(picture) => {
                        self.feedback.decoded(camera);
                        (picture, Some(bytes))
                    }
                    Err(why) => {
                        tracing::debug!(camera = post.id, %why, "no picture");
                        self.feedback.refused(camera, word(&why));
                        return self.inputs.upgrade().is_some();
                    }
                }
            }
        };
        if let Some(looks) = self.looks.get_mut(camera.0) {
            *looks += 1;
        }
        let thumb = Thumb::of(&picture);
        let motion = eye.motion.look(&thumb);
        let view = eye.watchman.look(at.0, &thumb);
        // What the same model says of the same part of this picture, for all who ask.
        let mut answers = Vec::new();
        for seat in &mut post.seats {
            // A tenth early is early enough, as at the source.
            let is_due = |looked: i64| at.0.saturating_sub(looked) >= seat.every - seat.every / 10;
            if !seat.looked.is_none_or(is_due) {
                continue;
            }
            seat.looked = Some(at.0);
            let seen = asks(seat, at.0, motion, view)
                .then(|| ask(&self.models, seat, &picture, &mut answers, &mut self.waited))
                .flatten();
            if seen.is_some() {
                seat.asked = Some(at.0);
            }
            let values = seat.watch.look(Look { at: at.0, seen: seen.as_deref(), view, motion });
            let body = Body::Values { at, values };
            let frame = Frame { device: seat.device, ticket: None, body };
            let Some(inputs) = self.inputs.upgrade() else { return false };
            if inputs.blocking_send(Input::Frame(frame)).is_err() {
                return false;
            }
        }
        let last = || (at, sent.map_or(Content::Picture(picture), Content::Jpeg));
        eye.last = self.asked.is_some().then(last);
        true
    }

    /// Has stills made of events that have opened, and for those who wait for one.
    fn answer(&mut self) {
        let Some(mut asked) = self.asked.take() else { return };
        while let Ok(Opened { event, device }) = asked.opened.try_recv() {
            let of_device = |post: &Post| post.seats.iter().any(|seat| seat.id == device);
            let Some(position) = self.posts.iter().position(of_device) else { continue };
            match self.shown(position) {
                Ok((at, picture)) => {
                    let evidence = asked.evidence.clone();
                    self.masker.take(Job::Event { event, picture, at, evidence });
                }
                Err(error) => tracing::warn!(event, "no still is kept: {error}"),
            }
        }
        while let Ok(StillRequest { of, back, room }) = asked.stills.try_recv() {
            let at = self.clock.now();
            let shown = match of {
                Of::Upload(bytes) => {
                    self.masker.take(Job::Upload { bytes, room, at, back });
                    continue;
                }
                Of::Camera(id) => match self.posts.iter().position(|post| post.id == id) {
                    Some(position) => self.shown(position),
                    None => Err(NoStillNow::NoCamera(id)),
                },
            };
            match shown {
                Ok((at, picture)) => self.masker.take(Job::Asked { picture, at, back }),
                // Who asked may have gone.
                Err(why) => drop(back.send(Err(why))),
            }
        }
        self.asked = Some(asked);
    }

    /// What a camera saw last, no larger than a still.
    fn shown(&self, position: usize) -> Result<(Timestamp, Picture), NoStillNow> {
        let id = || self.posts.get(position).map(|post| post.id.clone()).unwrap_or_default();
        let last = self.eyes.get(position).and_then(|eye| eye.last.as_ref());
        let now = self.clock.now();
        let (at, content) = last
            .filter(|(at, _)| now.0.saturating_sub(at.0) <= FRESH)
            .ok_or_else(|| NoStillNow::NoPicture(id()))?;
        let within = |picture: &Picture| {
            let (width, height) = masking::size((picture.width(), picture.height()));
            picture.within(width, height).ok_or("it has no size".to_owned())
        };
        let small = match content {
            Content::Picture(picture) => within(picture),
            Content::Jpeg(bytes) => jpeg::decode_for(bytes, masking::size)
                .map_err(|why| why.to_string())
                .and_then(|picture| within(&picture)),
        };
        small.map(|small| (*at, small)).map_err(NoStillNow::NotAPicture)
    }

    fn tell(&self) {
        let tally = |(i, post): (usize, &Post)| {
            let (load, _turns) = self.load.of(i);
            let looks = self.looks.get(i).copied().unwrap_or_default();
            let shed = self.slots.shed(CameraIndex(i));
            Tally { camera: post.id.clone(), looks, shed, load }
        };
        self.tallies.tell(self.posts.iter().enumerate().map(tally).collect());
    }
}

/// How large a picture, which was sent so large, has to be for everybody at a camera.
fn wanted(post: &Post, models: &PictureModels, sent: (usize, usize)) -> (usize, usize) {
    post.seats.iter().fold(FOR_VIEW, |(width, height), seat| {
        let Some(model) = &seat.model else { return (width, height) };
        seat.watch
            .regions()
            .into_iter()
            .filter_map(|region| models.wants_of(model, region, sent))
            .fold((width, height), |(width, height), (wide, high)| {
                (width.max(wide), height.max(high))
            })
    })
}

/// Whether the model has to be asked.
fn asks(seat: &Seat, at: i64, motion: f32, view: View) -> bool {
    let is_old = seat.asked.is_none_or(|asked| at.saturating_sub(asked) >= ASSURE);
    view.is_clear() && (is_old || motion >= STILL || seat.watch.is_following())
}

/// What the device's model says of each of its regions; nothing when it has no model or one fails.
fn ask(
    models: &Mutex<PictureModels>,
    seat: &Seat,
    picture: &Picture,
    answers: &mut Vec<(String, Option<Region>, Seen)>,
    waited: &mut Duration,
) -> Option<Vec<Seen>> {
    let model = seat.model.as_ref()?;
    let mut seen = Vec::new();
    for region in seat.watch.regions() {
        let known = answers.iter().find(|(name, part, _)| name == model && *part == region);
        if let Some((.., answer)) = known {
            seen.push(answer.clone());
            continue;
        }
        let answer = turn(models, waited).look_eagerly(model, picture, region, DOUBTFUL);
        match answer {
            Ok(answer) => {
                answers.push((model.clone(), region, answer.clone()));
                seen.push(answer);
            }
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::warn!(device = seat.id, model, "a picture was not judged: {error:#}");
                return None;
            }
        }
    }
    Some(seen)
}

/// The models, when it is our turn.
fn turn<'a>(
    models: &'a Mutex<PictureModels>,
    waited: &mut Duration,
) -> MutexGuard<'a, PictureModels> {
    let begun = Instant::now();
    let models = held(models);
    *waited += begun.elapsed();
    models
}

/// By what bytes that are no picture are counted.
fn word(why: &NotAPicture) -> &'static str {
    match why {
        NotAPicture::NotJpeg => "not-jpeg",
        NotAPicture::Header(_) | NotAPicture::EndlessHeader => "bad-header",
        NotAPicture::Truncated(_) => "truncated",
        NotAPicture::Empty { .. } => "no-pixels",
        NotAPicture::TooLarge { .. } => "too-large",
        NotAPicture::Unsupported(_) => "unsupported",
        NotAPicture::Broken(_) => "broken",
    }
}
