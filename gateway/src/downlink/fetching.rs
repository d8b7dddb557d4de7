//! A bundle from where a command says it lies, to whoever installs it.
//!
//! It is fetched on a thread of its own, which nobody waits for at the end, into one file in the folder
//! of bundles that is never larger than a bundle may be ([`transfer`]). A note beside it says whose file
//! it is and which command asked for it; so when the power fails, the next start goes on where the line
//! broke and answers under the same id. The command is taken out of the note before the bundle is handed
//! on: what happens from there on is never begun twice. Whether it is a bundle, and a trusted one, is
//! found out when it is installed, as for `gatehouse bundle install`.

mod transfer;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use gatehouse_core::command::task::InstallArgs;
use gatehouse_core::command::{Command, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use ureq::http::Uri;

use crate::bundle::installed::Installed;
use crate::config::GatewayConfig;
use crate::replace;
use transfer::{PATIENCE, Patience, Transfer};

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

/// A command that was begun, and who sent it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) command: Command,
    pub(super) who: String,
}

/// What is known of the file that is being fetched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Note {
    /// Of the whole file.
    sha256: String,
    /// What the server calls this version of it.
    validator: Option<String>,
    /// Who asked for it; nobody once it is handed on.
    order: Option<Order>,
}

impl Note {
    /// About the file there; an empty one where nothing is known.
    fn read(file: &Path) -> Self {
        let text = fs::read(file.with_extension("note")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write(&self, file: &Path) -> io::Result<()> {
        replace::file(&file.with_extension("note"), &serde_json::to_vec(self)?)
    }
}

impl Fetching {
    /// Into the store's folder.
    pub fn of(config: &GatewayConfig, installs: mpsc::Sender<Install>) -> Self {
        let folder = Installed::below(&config.store.path).folder().to_owned();
        Self { folder, ca_file: config.bundles.ca_file.clone(), installs }
    }

    /// The command whose file was being fetched when the gateway ended.
    pub(super) fn order(&self) -> Option<Order> {
        Note::read(&self.file()).order
    }

    /// Fetches a bundle for this command and has it installed.
    pub(super) async fn install(&self, args: InstallArgs, order: Order) -> Result<Value, Refusal> {
        let uri = address(&args.url)?;
        if self.installs.is_closed() {
            let reason = "nobody installs bundles here".to_owned();
            return Err(Refusal::Unsupported { reason });
        }
        let (done, fetched) = oneshot::channel();
        let (this, wanted) = (self.clone(), args.sha256.to_lowercase());
        let fetch = move || drop(done.send(this.fetch(&uri, &wanted, order, PATIENCE)));
        let begun = std::thread::Builder::new().name("fetch".to_owned()).spawn(fetch);
        begun.map_err(|error| failed(&error.to_string()))?;
        let file = fetched.await.map_err(|_| failed("the thread that fetches broke down"))??;
        let (answer, installed) = oneshot::channel();
        let install = Install { file: file.0.clone(), shadow: args.shadow, answer };
        let ending = || failed("the gateway is about to end");
        self.installs.send(install).await.map_err(|_| ending())?;
        installed.await.map_err(|_| ending())?
    }

    /// Returns a file with this SHA-256, which nobody's command waits for any more.
    fn fetch(
        &self,
        uri: &Uri,
        sha256: &str,
        order: Order,
        patience: Patience,
    ) -> Result<Fetched, Refusal> {
        let file = self.file();
        let in_folder = |error| unwritable(&self.folder, &error);
        fs::create_dir_all(&self.folder).map_err(in_folder)?;
        let mut note = Note::read(&file);
        if note.sha256 != sha256 {
            // Most often there is none.
            _ = fs::remove_file(&file);
            note = Note { sha256: sha256.to_owned(), ..Note::default() };
        }
        note.order = Some(order);
        note.write(&file).map_err(in_folder)?;
        let ca_file = self.ca_file.as_deref();
        let url = uri.to_string();
        let fetched = Transfer { url, ca_file, sha256, file: file.clone(), note, patience }.run();
        if !file.exists() {
            drop(Fetched(file));
            return Err(fetched.err().unwrap_or(Refusal::WrongHash));
        }
        // What has come of a file that broke off is gone on with when it is asked for again.
        let handed_on = Note { order: None, ..Note::read(&file) };
        handed_on.write(&file).map_err(in_folder)?;
        fetched.map(|()| Fetched(file))
    }

    fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }
}

/// A file that goes away with whoever has it, and the note about it.
#[derive(Debug)]
struct Fetched(PathBuf);

impl Drop for Fetched {
    fn drop(&mut self) {
        for path in [&self.0, &self.0.with_extension("note")] {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(file = %path.display(), %error, "cannot be removed");
            }
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

#[cfg(test)]
mod tests {
    use super::*;

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
