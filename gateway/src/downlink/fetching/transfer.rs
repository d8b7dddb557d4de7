//! A file from a web server over a line that may break at any time.
//!
//! What has come stays on the disk and is gone on with: from the byte where the line broke (`Range`),
//! as long as it is the same file there (`If-Range`). A server that knows no ranges sends it from the
//! beginning again. Nothing of this is believed: the file must have the SHA-256 that was asked for in the
//! end, and one put together of pieces that has not is fetched once more in one piece.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gatehouse_core::command::Refusal;
use sha2::{Digest, Sha256};
use ureq::http::header::{CONTENT_RANGE, ETAG, LAST_MODIFIED};
use ureq::http::{HeaderMap, Response, StatusCode};

use super::{Note, failed, not_fetched, unwritable};
use crate::bundle::contents::{LARGEST, LONGEST_LIST};
use crate::bundle::keys::hexadecimal;
use crate::tls::explain;
use crate::web;

/// No bundle is longer, in bytes: its files, their list, and what stands before it.
pub(super) const LONGEST: u64 = LARGEST + LONGEST_LIST as u64 + 4_096;
/// What the disk keeps free for the store, in bytes.
const SPARE: u64 = 32 << 20;

/// How long a server is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// One request; what it has not brought by then is asked for anew.
    pub(super) request: Duration,
    /// Without a byte more than before, since something has come.
    pub(super) idle: Duration,
    /// The shortest pause between two requests; it doubles while nothing comes.
    pub(super) pause: Duration,
}

pub(super) const PATIENCE: Patience = Patience {
    request: Duration::from_mins(10),
    idle: Duration::from_mins(30),
    pause: Duration::from_secs(1),
};
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// One file.
pub(super) struct Transfer<'t> {
    pub(super) url: String,
    pub(super) ca_file: Option<&'t Path>,
    /// In lower-case hexadecimal.
    pub(super) sha256: &'t str,
    /// Where it grows.
    pub(super) file: PathBuf,
    /// The folder's note about it.
    pub(super) note: Note,
    pub(super) patience: Patience,
}

/// Why a request has not brought the rest.
enum Stop {
    /// It may go on.
    Broken(Refusal),
    /// It will be the same the next time.
    Final(Refusal),
}

impl Transfer<'_> {
    /// Returns when the file is whole. What has come so far stays when the line was bad for too long.
    pub(super) fn run(mut self) -> Result<(), Refusal> {
        if self.is_whole() {
            return Ok(());
        }
        let mut most = self.length();
        let (mut moved, mut pause) = (Instant::now(), self.patience.pause);
        loop {
            let began_at = self.length();
            let broken = match self.request() {
                Ok(()) if self.is_whole() => return Ok(()),
                Ok(()) => {
                    self.discard();
                    if began_at == 0 {
                        return Err(Refusal::WrongHash);
                    }
                    tracing::warn!("what was put together of pieces is not what was asked for");
                    Refusal::WrongHash
                }
                Err(Stop::Final(refusal)) => return Err(refusal),
                Err(Stop::Broken(refusal)) => refusal,
            };
            let length = self.length();
            if length > most {
                (most, moved, pause) = (length, Instant::now(), self.patience.pause);
            }
            // Where nothing has ever come, whoever asks should hear of it.
            if most == 0 || moved.elapsed() >= self.patience.idle {
                return Err(broken);
            }
            tracing::info!(have = length, ?pause, "the download goes on: {broken}");
            std::thread::sleep(pause);
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Asks for what is missing.
    fn request(&mut self) -> Result<(), Stop> {
        let agent = web::agent(&self.url, self.ca_file, self.patience.request)
            .map_err(|why| Stop::Final(not_fetched(why)))?;
        let have = self.length();
        let mut request = agent.get(&self.url).header("Accept-Encoding", "identity");
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
            if let Some(validator) = &self.note.validator {
                request = request.header("If-Range", validator);
            }
        }
        let mut answer = request.call().map_err(|error| Stop::Broken(explained(&error)))?;
        let (from, total) = self.begins(&answer, have)?;
        if total.is_some_and(|total| total > LONGEST) {
            return Err(self.too_long());
        }
        self.has_room(total.unwrap_or(LONGEST), from)?;
        if from == 0 {
            self.note.validator = validator(answer.headers());
            self.note.write(&self.file).map_err(|error| self.unwritable(&error))?;
        }
        let unwritable = |error| self.unwritable(&error);
        let mut file = File::options().create(true).append(true).open(&self.file);
        file = file.and_then(|file| file.set_len(from).map(|()| file));
        let mut file = file.map_err(unwritable)?;
        // One byte more tells what is too long from what is just long enough.
        let mut body = answer.body_mut().as_reader().take(LONGEST + 1 - from);
        let (mut length, mut buffer) = (from, [0; 16 * 1024]);
        let came = loop {
            match body.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    length += count as u64;
                    file.write_all(&buffer[..count]).map_err(unwritable)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(broken_off(&error)),
            }
        };
        file.sync_data().map_err(unwritable)?;
        if length > LONGEST {
            return Err(self.too_long());
        }
        let is_short = total.is_some_and(|total| length < total);
        let came = if is_short { came.and(Err(ended_early())) } else { came };
        came.map_err(Stop::Broken)
    }

    /// The byte that an answer begins with, and how long the whole file is, as far as it says.
    fn begins<B>(&self, answer: &Response<B>, have: u64) -> Result<(u64, Option<u64>), Stop> {
        let status = answer.status();
        let refusal = || not_fetched(format!("HTTP {}", status.as_u16()));
        match status {
            StatusCode::OK => {
                let length = answer.headers().get("content-length");
                Ok((0, length.and_then(|length| length.to_str().ok()?.parse().ok())))
            }
            StatusCode::PARTIAL_CONTENT => match range(answer.headers()) {
                Some((from, total)) if from == have => Ok((from, total)),
                Some(_) | None => {
                    self.discard();
                    Err(Stop::Broken(not_fetched("it sent another part than asked for".into())))
                }
            },
            // The file is another one now, or ours is longer.
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.discard();
                Err(Stop::Broken(refusal()))
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Err(Stop::Broken(refusal()))
            }
            _ if status.is_server_error() => Err(Stop::Broken(refusal())),
            _ if status.is_redirection() => Err(Stop::Final(not_fetched(
                "it is said to lie elsewhere; name that address".to_owned(),
            ))),
            _ => Err(Stop::Final(refusal())),
        }
    }

    /// It is unpacked beside itself, and the store must have room after that.
    fn has_room(&self, total: u64, have: u64) -> Result<(), Stop> {
        let folder = self.file.parent().unwrap_or(&self.file);
        let disk = rustix::fs::statvfs(folder).map_err(|error| self.unwritable(&error.into()))?;
        let (free, wanted) = (disk.f_bavail * disk.f_frsize, 2 * total - have.min(total) + SPARE);
        if free >= wanted {
            return Ok(());
        }
        self.discard();
        let mega = |bytes: u64| bytes.div_ceil(1 << 20);
        Err(Stop::Final(failed(&format!(
            "the disk has {} MiB free, and {} are needed",
            mega(free),
            mega(wanted)
        ))))
    }

    /// What the disk did not take whole leaves it again: the store needs the room.
    fn unwritable(&self, error: &io::Error) -> Stop {
        self.discard();
        Stop::Final(unwritable(&self.file, error))
    }

    fn too_long(&self) -> Stop {
        self.discard();
        Stop::Final(not_fetched(format!("it is longer than {LONGEST} bytes")))
    }

    fn length(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |file| file.len())
    }

    fn is_whole(&self) -> bool {
        let digest: io::Result<String> = File::open(&self.file).and_then(|mut file| {
            let (mut digest, mut buffer) = (Sha256::new(), [0; 16 * 1024]);
            loop {
                match file.read(&mut buffer)? {
                    0 => return Ok(hexadecimal(&digest.finalize())),
                    count => digest.update(&buffer[..count]),
                }
            }
        });
        digest.is_ok_and(|digest| digest == self.sha256)
    }

    fn discard(&self) {
        // Most often there is one; what cannot be removed is written over.
        _ = fs::remove_file(&self.file);
    }
}

/// What tells one version of a file from another: RFC 9110, section 13.1.5, takes no weak ones.
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let strong = text(ETAG).filter(|tag| tag.starts_with('"'));
    strong.or_else(|| text(LAST_MODIFIED)).map(str::to_owned)
}

/// `bytes 5-9/10`: the first byte, and how many there are in all (`*`: nobody knows).
fn range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, total) = text.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

fn explained(error: &ureq::Error) -> Refusal {
    not_fetched(match error {
        ureq::Error::HostNotFound => "the host's name is not known, or there is no network".into(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Rustls(error) => explain(&format!("{error:?}")),
        other => explain(&other.to_string()),
    })
}

fn broken_off(error: &io::Error) -> Refusal {
    let is_slow = error.kind() == io::ErrorKind::TimedOut;
    let why = if is_slow { "it is too slow".to_owned() } else { explain(&error.to_string()) };
    not_fetched(format!("it broke off: {why}"))
}

fn ended_early() -> Refusal {
    not_fetched("it broke off before its end".to_owned())
}

#[cfg(test)]
mod tests;
