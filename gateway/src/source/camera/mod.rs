//! Pictures from cameras, of every kind: what a camera needs to be read, and its coming and going.
//!
//! A camera has a task, and a thread where something has to wait or to decode; so one that is dead, slow or
//! hostile costs the others nothing. Whatever goes wrong ends its connection with a [`Why`], which is told
//! and counted, and a new one is made after a pause. Its pictures go into its place in [`Slots`], whence the
//! sight thread takes them. They exist in memory only.
//!
//! Rooms: [`rtsp`] ([`relay`], [`framing`], [`detour`] and [`datagrams`] for UDP, [`gate`], [`h264`]), [`http`]
//! ([`multipart`]), [`published`] (over MQTT), [`folder`]; [`onvif`] finds a
//! stream's address, [`discovery`] finds cameras; [`eye`] is what they share, [`cost`] how much of it is
//! taken, [`slots`] where pictures wait, [`trouble`] what can be wrong.

mod base64;
mod cost;
mod datagrams;
mod detour;
pub mod discovery;
mod eye;
mod folder;
mod framing;
mod gate;
mod h264;
mod http;
mod multipart;
mod onvif;
mod published;
mod relay;
mod rtsp;
mod slots;
mod soap;
mod trouble;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use gatehouse_core::community::camera::CameraIndex;
use gatehouse_core::reading::SourceIndex;
use rustls::RootCertStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::Url;

use super::Published;
use crate::config::Access;
use crate::config::camera::{CameraConfig, Share, Transport};
use crate::tls::{AccessError, password, warn_if_exposed};
use crate::web;
use eye::Eye;
pub use eye::{Feedback, Surroundings};
use http::Web;
pub use published::MOST_PUBLISHED;
pub use slots::{Content, Shot, Slots, Taken};
pub use trouble::{Trouble, Why};

/// Bytes of the largest JPEG that is taken.
const MOST_BYTES: usize = 16 << 20;
/// After "stop": how long a camera's thread may take.
const GRACE: Duration = Duration::from_secs(5);

/// Who we are to a camera.
#[derive(Clone)]
struct Login {
    user: String,
    password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// How to get at the pictures.
enum Way {
    Rtsp { url: Url, login: Option<Login>, transport: Transport },
    Web { url: Url, login: Option<Login>, roots: Arc<RootCertStore> },
    Onvif { url: Url, login: Option<Login>, transport: Transport },
    Folder { path: PathBuf, is_loop: bool },
    Published { there: Box<dyn Published>, json: Option<String> },
}

/// Why a camera cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("camera `{camera}`: {error}")]
    Access { camera: Arc<str>, error: AccessError },
    /// It publishes its pictures, and the caller does not know where.
    #[error("camera `{camera}` has no `url`, and no `topic` at a `broker` that is configured")]
    Nowhere { camera: Arc<str> },
}

/// A camera that only waits to be started.
pub struct Camera {
    eye: Arc<Eye>,
    way: Way,
}

impl Camera {
    /// Reads all that is needed, so that nothing is left that could keep it from starting. Must be called
    /// within the runtime. `there` is where it publishes its pictures, if it has no address.
    ///
    /// # Errors
    /// Its address is none, or a file that it names cannot be used.
    pub fn prepare(
        config: &CameraConfig,
        there: Option<Box<dyn Published>>,
        camera: CameraIndex,
        source: SourceIndex,
        around: Surroundings,
    ) -> Result<Self, NotReady> {
        let share = config.share.map(Share::of_a_core);
        let feedback = around.feedback.clone();
        let eye = Arc::new(Eye::new(&config.id, camera, source, config.every.0, share, around));
        feedback.tell_to(&eye);
        let way = match (&config.url, there) {
            (Some(text), _) => way(config, text, &eye)?,
            (None, Some(there)) => Way::Published { there, json: config.json.clone() },
            (None, None) => return Err(NotReady::Nowhere { camera: Arc::clone(&eye.name) }),
        };
        Ok(Self { eye, way })
    }

    /// Starts it, within a `LocalSet` as the other sources. The task ends after a stop, at the latest
    /// after [`GRACE`].
    pub fn spawn(self) -> JoinHandle<()> {
        tokio::task::spawn_local(self.run())
    }

    async fn run(self) {
        let eye = Arc::clone(&self.eye);
        tokio::select! {
            () = self.watch() => {}
            never = eye.keep_telling() => match never {},
        }
    }

    async fn watch(mut self) {
        let eye = Arc::clone(&self.eye);
        loop {
            let end = AssertUnwindSafe(self.once()).catch_unwind().await;
            if eye.stop().is_cancelled() {
                break;
            }
            let why = match end {
                Ok(Ok(())) => break,
                Ok(Err(why)) => why,
                Err(_panic) => Why::BrokeDown,
            };
            let is_over = matches!(why, Why::Ended(_));
            let pause = eye.lost(why);
            if is_over {
                eye.stop().cancelled_owned().await;
            }
            if !eye.pause(pause).await {
                break;
            }
        }
    }

    /// One connection from its beginning to its end.
    async fn once(&mut self) -> Result<(), Why> {
        let eye = &self.eye;
        match &mut self.way {
            Way::Rtsp { url, login, transport } => {
                rtsp::watch(eye, url, login.as_ref(), *transport).await
            }
            Way::Web { url, login, roots } => {
                let web = Web::new(url, login.clone(), roots.clone());
                let (end, url) = (web.ending(), url.clone());
                let work = move |eye: &Arc<Eye>| http::watch(eye, web, &url);
                on_a_thread(eye, end, work).await.map(Option::unwrap_or_default)
            }
            Way::Onvif { url, login, transport } => {
                let (asked, known) = (url.clone(), login.clone());
                let ask = move |_: &Arc<Eye>| onvif::stream_address(&asked, known);
                let Some(stream) = on_a_thread(eye, || (), ask).await? else { return Ok(()) };
                rtsp::watch(eye, &stream, login.as_ref(), *transport).await
            }
            Way::Folder { path, is_loop } => {
                let (path, is_loop) = (path.clone(), *is_loop);
                let work = move |eye: &Arc<Eye>| folder::watch(eye, &path, is_loop);
                on_a_thread(eye, || (), work).await.map(Option::unwrap_or_default)
            }
            Way::Published { there, json } => {
                published::watch(eye, there.as_ref(), json.as_deref()).await
            }
        }
    }
}

/// Does what waits on a thread of its own; `None` when we were told to stop.
async fn on_a_thread<T: Send + 'static>(
    eye: &Arc<Eye>,
    at_stop: impl FnOnce(),
    work: impl FnOnce(&Arc<Eye>) -> Result<T, Why> + Send + 'static,
) -> Result<Option<T>, Why> {
    let (done, mut told) = oneshot::channel();
    let theirs = Arc::clone(eye);
    let thread = std::thread::Builder::new().name(format!("camera {}", eye.name));
    let begun = thread.spawn(move || drop(done.send(work(&theirs))));
    begun.map_err(|_| Why::BrokeDown)?;
    tokio::select! {
        end = &mut told => end.unwrap_or(Err(Why::BrokeDown)).map(Some),
        () = eye.stop().cancelled_owned() => {
            at_stop();
            if timeout(GRACE, told).await.is_err() {
                tracing::warn!(camera = &*eye.name, "is left behind in the middle of a question");
            }
            Ok(None)
        }
    }
}

fn way(config: &CameraConfig, text: &str, eye: &Eye) -> Result<Way, NotReady> {
    let wrong = |why| {
        // The text itself may hold a password.
        let url = text.rsplit_once('@').map_or(text, |(_, rest)| rest).to_owned();
        NotReady::Trouble(eye.trouble(Why::Address { url, why }))
    };
    let access = |error| NotReady::Access { camera: Arc::clone(&eye.name), error };
    let url =
        Url::parse(text).map_err(|_| wrong("expected one such as `rtsp://10.0.0.8/stream`"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("give name and password in `access` (`user`, `password-file`)"));
    }
    let login = login(config).map_err(access)?;
    if url.scheme() == "file" {
        let path = url.to_file_path().map_err(|()| wrong("expected `file:///folder`"))?;
        return Ok(Way::Folder { path, is_loop: url.query() == Some("loop") });
    }
    if !url.has_host() {
        return Err(wrong("it names no host"));
    }
    match url.scheme() {
        "rtsp" => Ok(Way::Rtsp { url, login, transport: config.transport }),
        "onvif" => Ok(Way::Onvif { url, login, transport: config.transport }),
        "http" => Ok(Way::Web { url, login, roots: RootCertStore::empty().into() }),
        "https" => {
            let roots = web::roots(config.access.ca_file.as_deref()).map_err(access)?;
            Ok(Way::Web { url, login, roots: Arc::new(roots) })
        }
        _ => Err(wrong("expected `rtsp`, `http`, `https`, `onvif` or `file` before `://`")),
    }
}

fn login(config: &CameraConfig) -> Result<Option<Login>, AccessError> {
    let access = &config.access;
    let password = match &access.password_file {
        Some(path) => password(path)?,
        None => String::new(),
    };
    warn_if_exposed(&Access { password_file: access.password_file.clone(), ..Access::default() });
    match &access.user {
        Some(user) => Ok(Some(Login { user: user.clone(), password })),
        None if access.password_file.is_some() => Err(AccessError::PasswordWithoutUser),
        None => Ok(None),
    }
}

/// Whether it begins as a JPEG does: start of image, and a marker (ITU-T T.81, annex B).
fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}
