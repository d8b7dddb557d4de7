//! Pictures over HTTP(S): a JPEG each time one is due, or a stream of them, by what is answered.
//!
//! On a thread of its own, which waits. Names and passwords go to the configured host and port alone, by
//! HTTP Basic or Digest (RFC 7617, RFC 7616), whatever the camera asks for.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_auth::{PasswordClient, PasswordParams};
use rustls::RootCertStore;
use ureq::{Body, http};
use url::Url;

use super::cost::Flow;
use super::eye::Eye;
use super::multipart::{Parts, boundary, lost};
use super::slots::Content;
use super::trouble::{Why, shortened};
use super::{Login, MOST_BYTES, is_jpeg};
use crate::web;

/// Nothing heard for so long: the camera is dead.
pub(super) const IDLE: Duration = Duration::from_secs(10);
/// One picture may take so long, however steadily it drips.
const PICTURE: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 5;

/// Asks a camera.
pub(super) struct Web {
    agent: ureq::Agent,
    /// Where name and password may go.
    home: Url,
    login: Option<Login>,
    /// What the camera asked last time, so that it need not ask again.
    asked: Option<PasswordClient>,
}

/// What is posted: its type and itself.
pub(super) type Posted<'a> = (&'static str, &'a [u8]);

type Answer = http::Response<Body>;

impl Web {
    pub(super) fn new(home: &Url, login: Option<Login>, roots: Arc<RootCertStore>) -> Self {
        let patient = web::settings()
            .timeout_connect(Some(IDLE))
            .timeout_recv_response(Some(IDLE))
            .timeout_per_read(Some(IDLE))
            .timeout_per_write(Some(IDLE));
        Self { agent: web::open(patient, roots), home: home.clone(), login, asked: None }
    }

    /// Ends what is under way, when it is called, from another thread.
    pub(super) fn ending(&self) -> impl FnOnce() + Send + use<> {
        let agent = self.agent.clone();
        || agent.shutdown()
    }

    /// What is at an address, wherever that sends us.
    pub(super) fn open(&mut self, url: &Url, posted: Option<Posted>) -> Result<Answer, Why> {
        let mut at = url.clone();
        let mut seen = BTreeSet::new();
        while seen.len() <= REDIRECTS && seen.insert(at.clone()) {
            let answer = self.ask(&at, posted)?;
            let status = answer.status().as_u16();
            match status {
                200..=299 => return Ok(answer),
                301 | 302 | 303 | 307 | 308 => {
                    let to = answer.headers().get("location").and_then(|to| to.to_str().ok());
                    let to = to.unwrap_or_default();
                    let next = at.join(to).ok().filter(|next| is_web(next) && *to != *"");
                    at = next.ok_or_else(|| Why::BadRedirect(shortened(to)))?;
                    // A server that knows a password is not to have us tell it to another one.
                    let _cannot_be = at.set_username("").and(at.set_password(None));
                }
                403 => return Err(Why::Forbidden(status)),
                404 | 410 => return Err(Why::NotFound(status)),
                // ONVIF tells what is wrong in the body of a 400 or 500.
                400 | 500 if posted.is_some() => return Ok(answer),
                _ => return Err(Why::Status(status)),
            }
        }
        Err(Why::RedirectLoop)
    }

    fn ask(&mut self, at: &Url, posted: Option<Posted>) -> Result<Answer, Why> {
        let login = self.login.clone().filter(|_| at.origin() == self.home.origin());
        let known = match &login {
            Some(login) => self.asked.as_mut().map(|asked| authorization(asked, login, at, posted)),
            None => None,
        };
        let answer = self.send(at, posted, known.transpose()?)?;
        if answer.status() != http::StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(login) = login else { return Err(Why::NoCredentials) };
        let mut challenges = PasswordClient::builder();
        for challenge in answer.headers().get_all("www-authenticate") {
            challenges = challenges.challenges(challenge.to_str().unwrap_or_default());
        }
        // Without one, what is posted holds our name already.
        let nothing_asked = if posted.is_some() { Why::WrongCredentials } else { Why::Status(401) };
        let mut asked = challenges.build().map_err(|_| nothing_asked)?;
        let authorization = authorization(&mut asked, &login, at, posted)?;
        drop(answer);
        let answer = self.send(at, posted, Some(authorization))?;
        if answer.status() == http::StatusCode::UNAUTHORIZED {
            self.asked = None;
            return Err(Why::WrongCredentials);
        }
        self.asked = Some(asked);
        Ok(answer)
    }

    fn send(
        &self,
        at: &Url,
        posted: Option<Posted>,
        authorization: Option<String>,
    ) -> Result<Answer, Why> {
        let mut request = http::Request::builder().uri(at.as_str());
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let answer = match posted {
            Some((kind, body)) => {
                let request = request.method("POST").header("Content-Type", kind).body(body);
                request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
            }
            None => request
                .method("GET")
                .body(())
                .map_err(ureq::Error::from)
                .and_then(|request| self.agent.run(request)),
        };
        answer.map_err(|error| explained(&error))
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn authorization(
    asked: &mut PasswordClient,
    login: &Login,
    at: &Url,
    posted: Option<Posted>,
) -> Result<String, Why> {
    let uri = &at[url::Position::BeforePath..url::Position::AfterQuery];
    let asked = asked.respond(&PasswordParams {
        username: &login.user,
        password: &login.password,
        uri,
        method: if posted.is_some() { "POST" } else { "GET" },
        body: Some(posted.map_or(&[], |(_, body)| body)),
    });
    asked.map_err(|_| Why::Status(401))
}

fn explained(error: &ureq::Error) -> Why {
    match error {
        ureq::Error::LargeResponseHeader(_, _) => Why::EndlessHeader,
        ureq::Error::Timeout(_) => Why::Unreachable("no answer in time".to_owned()),
        ureq::Error::HostNotFound => Why::Unreachable("its name is not known".to_owned()),
        ureq::Error::Rustls(error) => Why::Certificate(crate::tls::explain(&error.to_string())),
        ureq::Error::Io(error) if error.to_string().contains("certificate") => {
            Why::Certificate(crate::tls::explain(&error.to_string()))
        }
        other => {
            let text = other.to_string();
            if text.contains("too many headers") {
                Why::EndlessHeader
            } else {
                Why::unreachable(other)
            }
        }
    }
}

/// Reads, gives up on what takes too long however steadily it drips, and holds back what comes without
/// measure.
struct Patient<R> {
    inner: R,
    since: Instant,
    flow: Flow,
}

impl<R> Patient<R> {
    fn new(inner: R) -> Self {
        Self { inner, since: Instant::now(), flow: Flow::new() }
    }
}

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        if self.since.elapsed() > PICTURE {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        let many = self.inner.read(to)?;
        if let Some(rest) = self.flow.came(many, tokio::time::Instant::now()) {
            std::thread::sleep(rest);
        }
        Ok(many)
    }
}

/// Looks at an address until told to stop.
pub(super) fn watch(eye: &Arc<Eye>, mut web: Web, url: &Url) -> Result<(), Why> {
    eye.begin();
    loop {
        if let Some(why) = eye.hopeless() {
            return Err(why);
        }
        let begun = Instant::now();
        let answer = web.open(url, None)?;
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let body = answer.into_body().into_reader();
        if let Some(boundary) = boundary(&kind) {
            return stream(eye, Patient::new(body), &boundary);
        }
        let picture = whole(body, MOST_BYTES)?;
        if !is_jpeg(&picture) {
            let found = if picture.is_empty() { "nothing".to_owned() } else { shortened(&kind) };
            return Err(Why::NotAPicture(found));
        }
        eye.show(Content::Jpeg(picture));
        if !eye.rest(eye.every().saturating_sub(begun.elapsed())) {
            return Ok(());
        }
    }
}

/// All that comes, up to a limit.
pub(super) fn whole(body: impl Read, most: usize) -> Result<Vec<u8>, Why> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    Patient::new(body).take(limit).read_to_end(&mut bytes).map_err(|error| lost(&error))?;
    if bytes.len() > most { Err(Why::TooLarge(most)) } else { Ok(bytes) }
}

/// Takes from a stream what is due.
fn stream(eye: &Eye, body: Patient<impl Read>, boundary: &str) -> Result<(), Why> {
    let mut parts = Parts::new(BufReader::with_capacity(64 * 1024, body), boundary, MOST_BYTES);
    eye.begin();
    while let Some(part) = parts.next()? {
        if eye.stop().is_cancelled() {
            return Ok(());
        }
        parts.stream().get_mut().since = Instant::now();
        if !is_jpeg(&part) {
            eye.count(Why::NotAPicture("a part of its stream that is no JPEG".to_owned()));
        } else if eye.is_due() {
            eye.show(Content::Jpeg(part));
        }
        if let Some(why) = eye.hopeless() {
            return Err(why);
        }
    }
    Err(Why::HungUp)
}
