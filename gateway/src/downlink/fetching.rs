//! A bundle from where a command says it lies, to whoever installs it.
//!
//! It is fetched on a thread of its own, which nobody waits for at the end, into one file in the folder
//! of bundles that is never larger than a bundle may be. It is handed on only when it has the SHA-256
//! that was signed with the command; whether it is a bundle, and a trusted one, is found out when it is
//! installed, as for `gatehouse bundle install`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_core::command::Refusal;
use gatehouse_core::command::task::InstallArgs;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};
use ureq::http::Uri;

use crate::bundle::contents::{LARGEST, LONGEST_LIST};
use crate::bundle::installed::Installed;
use crate::bundle::keys::hexadecimal;
use crate::config::GatewayConfig;
use crate::tls::explain;
use crate::web;

/// What is not here by then does not come.
const PATIENCE: Duration = Duration::from_mins(10);
/// No bundle is longer, in bytes: its files, their list, and what stands before it.
const LONGEST: u64 = LARGEST + LONGEST_LIST as u64 + 4_096;
/// Installed bundles have no such name, and what begins with a dot is not taken for one.
const FILE: &str = ".fetched";

/// A bundle that was fetched, for whoever runs the gateway.
#[derive(Debug)]
pub struct Install {
    pub file: PathBuf,
    /// As a candidate, beside what stands.
    pub shadow: bool,
    /// Told what is active then, or why nothing has changed.
    pub answer: oneshot::Sender<Result<Value, Refusal>>,
}

/// Where bundles are fetched to, and who installs them.
#[derive(Debug, Clone)]
pub struct Fetching {
    /// The folder of bundles.
    pub folder: PathBuf,
    /// Whom to believe; those that the system believes when left out.
    pub ca_file: Option<PathBuf>,
    /// Closed where nobody installs any.
    pub installs: mpsc::Sender<Install>,
}

impl Fetching {
    /// Into the store's folder; what a power cut has left there goes.
    pub fn of(config: &GatewayConfig, installs: mpsc::Sender<Install>) -> Self {
        let folder = Installed::below(&config.store.path).folder().to_owned();
        // Most often there is none.
        _ = fs::remove_file(folder.join(FILE));
        Self { folder, ca_file: config.bundles.ca_file.clone(), installs }
    }

    /// Fetches a bundle and has it installed.
    pub(super) async fn install(&self, args: InstallArgs) -> Result<Value, Refusal> {
        let uri = address(&args.url)?;
        if self.installs.is_closed() {
            let reason = "nobody installs bundles here".to_owned();
            return Err(Refusal::Unsupported { reason });
        }
        let (done, fetched) = oneshot::channel();
        let (this, wanted) = (self.clone(), args.sha256.to_lowercase());
        let fetch = move || drop(done.send(this.fetch(&uri, &wanted, PATIENCE)));
        let begun = std::thread::Builder::new().name("fetch".to_owned()).spawn(fetch);
        begun.map_err(|error| failed(&error.to_string()))?;
        let file = fetched.await.map_err(|_| failed("the thread that fetches broke down"))??;
        let (answer, installed) = oneshot::channel();
        let install = Install { file: file.0.clone(), shadow: args.shadow, answer };
        let ending = || failed("the gateway is about to end");
        self.installs.send(install).await.map_err(|_| ending())?;
        installed.await.map_err(|_| ending())?
    }

    /// Returns a file with this SHA-256.
    fn fetch(&self, uri: &Uri, sha256: &str, patience: Duration) -> Result<Fetched, Refusal> {
        let url = uri.to_string();
        let agent = web::agent(&url, self.ca_file.as_deref(), patience).map_err(not_fetched)?;
        let mut answer = agent.get(&url).call().map_err(|error| explained(&error))?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(not_fetched("it is said to lie elsewhere; name that address".to_owned()));
        }
        if !status.is_success() {
            return Err(not_fetched(format!("HTTP {}", status.as_u16())));
        }
        let too_long = || not_fetched(format!("it is longer than {LONGEST} bytes"));
        if answer.body().content_length().is_some_and(|length| length > LONGEST) {
            return Err(too_long());
        }
        fs::create_dir_all(&self.folder).map_err(|error| unwritable(&self.folder, &error))?;
        let fetched = Fetched(self.folder.join(FILE));
        let mut file = File::create(&fetched.0).map_err(|error| unwritable(&fetched.0, &error))?;
        // One byte more tells what is too long from what is just long enough.
        let mut body = answer.body_mut().as_reader().take(LONGEST + 1);
        let (mut digest, mut length, mut buffer) = (Sha256::new(), 0, [0; 16 * 1024]);
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken_off(&error)),
            };
            length += count as u64;
            if length > LONGEST {
                return Err(too_long());
            }
            digest.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(|error| unwritable(&fetched.0, &error))?;
        }
        let found = hexadecimal(&digest.finalize());
        if found == sha256 { Ok(fetched) } else { Err(Refusal::WrongHash) }
    }
}

/// A file that goes away with whoever has it.
#[derive(Debug)]
struct Fetched(PathBuf);

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(file = %self.0.display(), %error, "cannot be removed");
        }
    }
}

/// Nobody on the way reads or changes what is fetched.
fn address(url: &str) -> Result<Uri, Refusal> {
    let wrong = || Refusal::Malformed {
        reason:
            "`args`: `url` is `https://host/path`, or `http://127.0.0.1:port/path` for what lies \
                 on the gateway itself"
                .to_owned(),
    };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let is_fine = match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here,
        Some(_) | None => false,
    };
    if is_fine { Ok(uri) } else { Err(wrong()) }
}

fn not_fetched(reason: String) -> Refusal {
    Refusal::NotFetched { reason }
}

fn failed(reason: &str) -> Refusal {
    Refusal::Failed { reason: reason.to_owned() }
}

fn unwritable(path: &Path, error: &io::Error) -> Refusal {
    failed(&format!("cannot write {}: {error}; is there room?", path.display()))
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// What comes of a server that says this to everybody and then `more` again and again.
    fn fetched(says: &'static [u8], more: &'static [u8], sha256: &str) -> Result<Vec<u8>, Refusal> {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = address(&format!("http://{}/b", server.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut asked = [0; 1024];
            let _asked = stream.read(&mut asked).unwrap();
            let mut written = stream.write_all(says);
            while written.is_ok() && !more.is_empty() {
                written = stream.write_all(more);
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let (installs, _) = mpsc::channel(1);
        let fetching = Fetching { folder: folder.path().join("bundles"), ca_file: None, installs };
        let file = fetching.fetch(&uri, sha256, Duration::from_mins(1));
        let bytes = file.map(|file| fs::read(&file.0).unwrap());
        let left = fs::read_dir(&fetching.folder).map_or(0, Iterator::count);
        assert_eq!(left, 0, "nothing is left behind");
        bytes
    }

    #[test]
    fn only_what_has_its_sha_256_is_handed_on() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
        assert_eq!(fetched(whole, b"", ABC), Ok(b"abc".to_vec()));
        assert_eq!(fetched(whole, b"", &"0".repeat(64)), Err(Refusal::WrongHash));
    }

    #[test]
    fn what_breaks_off_leads_elsewhere_or_never_ends_is_told_and_leaves_nothing() {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let cases: [(&str, &[u8], &[u8], &str); 5] = [
            ("it breaks off", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"", "broke off"),
            ("it is not there", b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", b"", "HTTP 404"),
            (
                "it leads elsewhere",
                b"HTTP/1.1 302 No\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
                b"",
                "elsewhere",
            ),
            ("it is no HTTP", b"hello\r\n\r\n", b"", "http"),
            (
                "it never ends",
                b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
                &ZEROS,
                "longer than",
            ),
        ];
        for (why, says, more, expected) in cases {
            let Err(Refusal::NotFetched { reason }) = fetched(says, more, ABC) else {
                panic!("{why}");
            };
            assert!(reason.contains(expected), "{why}: {reason}");
        }
    }

    #[test]
    fn an_address_is_one_that_nobody_else_can_read_or_answer() {
        for good in ["https://township/b?token=1", "http://127.0.0.1:8000/b", "http://[::1]/b"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in
            ["http://township/b", "http://127.0.0.1.example/b", "ftp://t/b", "/etc/passwd", "", "x"]
        {
            assert!(matches!(address(bad), Err(Refusal::Malformed { .. })), "{bad}");
        }
    }
}
