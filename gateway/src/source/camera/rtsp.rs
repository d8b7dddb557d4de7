//! Pictures over RTSP, by TCP or UDP: H.264, and JPEG where a camera has no other.
//!
//! The session is a task; decoding is a thread's ([`super::h264`]). Between it and the camera stands a
//! [`Relay`]. A connection is never mended, only replaced.

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use retina::client::{
    Credentials, Described, InitialSequenceNumberPolicy, PlayOptions, Session, SessionGroup,
    SessionOptions, SetupOptions, Stream, TcpTransportOptions,
};
use retina::codec::{CodecItem, FrameFormat, ParametersRef, VideoFrame};
use tokio::time::{Instant, timeout};
use url::Url;

use super::cost::Cost;
use super::eye::Eye;
use super::gate::{Coming, Gate};
use super::h264::{Decoding, Encoded, MOST_BYTES, check_size};
use super::http::IDLE;
use super::relay::{Relay, UnderWay};
use super::slots::Content;
use super::trouble::{Why, shortened};
use super::{Login, Transport};

/// Taking leave of the camera may take so long. Over UDP it would go on sending without.
const GRACE: Duration = Duration::from_secs(2);
/// Packets in a row that make no sense: the stream is beyond repair.
const MOST_BROKEN: u32 = 50;
/// A camera's timestamps may jump so far.
const MOST_JUMP: NonZeroU32 = NonZeroU32::new(10).expect("it is not zero");

/// What the stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    H264,
    Jpeg,
}

/// One session, until it ends or we are told to stop.
pub(super) async fn watch(
    eye: &Arc<Eye>,
    url: &Url,
    login: Option<&Login>,
    transport: Transport,
) -> Result<(), Why> {
    let open = in_time(Relay::open(url, transport));
    let Some(relay) = eye.stop().run_until_cancelled_owned(open).await else { return Ok(()) };
    let relay = relay??;
    let (ours, under_way) = (relay.url().clone(), UnderWay::default());
    let group = Arc::new(SessionGroup::default());
    let mut passing = pin!(relay.pass(&under_way));
    let session = play(eye, &ours, login, &under_way, Arc::clone(&group));
    tokio::select! {
        end = eye.stop().run_until_cancelled_owned(session) => {
            // To take leave of the camera, too, needs the way there.
            tokio::select! {
                _left = timeout(GRACE, group.await_teardown()) => {}
                _cut = passing => {}
            }
            end.unwrap_or(Ok(()))
        }
        why = &mut passing => Err(why),
    }
}

async fn play(
    eye: &Arc<Eye>,
    url: &Url,
    login: Option<&Login>,
    under_way: &UnderWay,
    group: Arc<SessionGroup>,
) -> Result<(), Why> {
    let (session, stream, encoding) = in_time(open(url, login, group)).await??;
    let options = PlayOptions::default()
        .enforce_timestamps_with_max_jump_secs(MOST_JUMP)
        // Over UDP the first packets may be overtaken by the answer that tells their number.
        .initial_seq(InitialSequenceNumberPolicy::Ignore);
    let playing = in_time(session.play(options)).await?;
    let mut items = playing.and_then(Session::demuxed).map_err(|e| explained(&e, login))?;
    let (gate, cost) = (Gate::new(), Cost::new(eye.share()));
    let mut reader = Reader { eye, decoding: None, gate, cost, is_checked: false };
    let mut broken = 0;
    eye.begin();
    loop {
        if let Some(why) = eye.hopeless() {
            return Err(why);
        }
        let next = timeout(IDLE, items.next()).await.map_err(|_| Why::Silent(IDLE.as_secs()))?;
        match next {
            None => return Err(Why::HungUp),
            // One packet that makes no sense is no reason to go; the frame that it belongs to is lost.
            Some(Err(error)) => {
                let why = explained(&error, login);
                broken += 1;
                if broken >= MOST_BROKEN || !matches!(why, Why::Rtsp(_)) {
                    return Err(why);
                }
                reader.gate.broken();
                eye.count(why);
            }
            Some(Ok(CodecItem::VideoFrame(frame))) => {
                broken = 0;
                under_way.is_whole();
                if frame.stream_id() != stream {
                    continue;
                }
                if frame.has_new_parameters() || !reader.is_checked {
                    let parameters = items.streams().get(stream).and_then(Stream::parameters);
                    reader.check(parameters.as_ref())?;
                }
                match encoding {
                    Encoding::H264 => reader.take(frame)?,
                    Encoding::Jpeg if eye.is_due() => eye.show(Content::Jpeg(frame.into_data())),
                    Encoding::Jpeg => {}
                }
            }
            // Sound, messages, and what retina may learn to tell.
            Some(Ok(_)) => {}
        }
    }
}

async fn open(
    url: &Url,
    login: Option<&Login>,
    group: Arc<SessionGroup>,
) -> Result<(Session<Described>, usize, Encoding), Why> {
    let credentials = login.map(|login| Credentials {
        username: login.user.clone(),
        password: login.password.clone(),
    });
    let options = SessionOptions::default()
        .creds(credentials)
        .session_group(group)
        .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")).to_owned());
    let session = Session::describe(url.clone(), options).await;
    let mut session = session.map_err(|error| explained(&error, login))?;
    let known = |name: &str| match name {
        "h264" => Some(Encoding::H264),
        "jpeg" => Some(Encoding::Jpeg),
        _ => None,
    };
    let streams = session.streams().iter().enumerate();
    let mut videos = streams.filter(|(_, stream)| stream.media() == "video").peekable();
    let offered = videos.peek().map_or("no video", |(_, stream)| stream.encoding_name()).to_owned();
    let found = videos.find_map(|(at, stream)| Some((at, known(stream.encoding_name())?)));
    let (at, encoding) = found.ok_or_else(|| Why::Encoding(shortened(&offered)))?;
    let by_tcp = retina::client::Transport::Tcp(TcpTransportOptions::default());
    let options = SetupOptions::default().transport(by_tcp).frame_format(FrameFormat::SIMPLE);
    session.setup(at, options).await.map_err(|error| explained(&error, login))?;
    Ok((session, at, encoding))
}

async fn in_time<F: Future>(work: F) -> Result<F::Output, Why> {
    timeout(IDLE, work).await.map_err(|_| Why::Unreachable("no answer in time".to_owned()))
}

/// From encoded pictures to the decoder.
struct Reader<'a> {
    eye: &'a Arc<Eye>,
    /// Started when there is something to decode.
    decoding: Option<Decoding>,
    gate: Gate,
    cost: Cost,
    is_checked: bool,
}

impl Reader<'_> {
    fn check(&mut self, parameters: Option<&ParametersRef<'_>>) -> Result<(), Why> {
        let Some(ParametersRef::Video(video)) = parameters else { return Ok(()) };
        self.is_checked = true;
        // The coded size is what costs memory.
        let (width, height) = video.coded_pixel_dimensions();
        check_size(width, height)
    }

    fn take(&mut self, frame: VideoFrame) -> Result<(), Why> {
        let is_key = frame.is_random_access_point();
        let has_gap = frame.loss() > 0;
        if has_gap {
            self.eye.count(Why::Loss);
        }
        if self.decoding.as_ref().is_some_and(Decoding::was_broken) {
            self.gate.broken();
        }
        if frame.data().len() > MOST_BYTES {
            self.eye.count(Why::TooLarge(MOST_BYTES));
            self.gate.broken();
            return Ok(());
        }
        let (now, is_wanted) = (Instant::now(), self.eye.is_due());
        self.cost.came(now);
        let each = self.decoding.as_ref().map(Decoding::each).unwrap_or_default();
        let is_busy = self.eye.is_busy() || self.cost.is_too_much(each);
        let is_due = is_wanted && self.cost.is_within(now, each);
        let coming = Coming { is_key, has_gap, is_busy, is_due };
        if !self.gate.admit(coming, now, self.eye.every()) {
            if is_busy && is_wanted {
                self.eye.pass_over();
            }
            return Ok(());
        }
        self.cost.decoded(now);
        let decoding = match self.decoding.take() {
            Some(decoding) => decoding,
            None => Decoding::start(self.eye)?,
        };
        let is_alone = self.gate.takes_keys_alone(is_busy, self.eye.every());
        let encoded = Encoded { data: frame.into_data(), is_alone };
        let has_room = self.decoding.insert(decoding).put(encoded, is_key)?;
        if !has_room {
            self.eye.count(Why::TooFast);
            if !is_key {
                self.gate.broken();
            }
        }
        Ok(())
    }
}

fn explained(error: &retina::Error, login: Option<&Login>) -> Why {
    match error.status_code() {
        Some(401) if login.is_none() => Why::NoCredentials,
        Some(401) => Why::WrongCredentials,
        Some(403) => Why::Forbidden(403),
        Some(code @ (404 | 454)) => Why::NotFound(code),
        Some(461) => Why::Rtsp("it does not speak this transport; try the other one".to_owned()),
        Some(code) => Why::Status(code),
        None => {
            let text = error.to_string();
            // What follows is for a person with a packet analyser.
            let first = text.lines().next().unwrap_or_default();
            if first.starts_with("Error reading") || first.starts_with("Error writing") {
                Why::HungUp
            } else {
                Why::Rtsp(shortened(first))
            }
        }
    }
}
