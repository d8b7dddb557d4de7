//! Bundles: models and configuration in one signed file.
//!
//! A bundle is made from a folder ([`pack`]), travels as one file ([`head`] says of which form), and is
//! installed below the store's folder ([`installed`]), where it stands over the configuration's own
//! files until the next one is installed, somebody goes back, or it does not stand its [`trial`]. Who may sign is said by `[bundles]
//! trusted-keys` ([`keys`]); what may be in it, by [`contents`].
//!
//! Nothing of a bundle is written before its signature has held, nothing leads out of its folder, and
//! an installed one is held against its signature again at each load. So a bundle that was changed, in
//! the file or on the disk, is refused, and what was there before goes on.

pub mod contents;
pub mod head;
pub mod installed;
pub mod keys;
pub mod pack;
mod state;
#[cfg(test)]
mod tests;
pub mod trial;
mod version;

use std::io;
use std::path::{Path, PathBuf};

use contents::Wrong;

/// Why there is no bundle, or none that may be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("cannot write {}: {error}; is there room?", path.display())]
    Unwritable { path: PathBuf, error: io::Error },
    /// Make one with `gatehouse bundle keygen`, or name another file.
    #[error("{} is no Ed25519 {expected} key in PEM form", path.display())]
    NotAKey { path: PathBuf, expected: &'static str },
    /// Ask whoever made the bundle for their public key.
    #[error("no key is trusted here; name its file in `[bundles] trusted-keys` of gateway.toml")]
    NobodyTrusted,
    #[error(
        "it is signed with the key {0}, which is not among `[bundles] trusted-keys` of gateway.toml"
    )]
    Stranger(String),
    #[error("its signature does not hold: it was changed after it was signed")]
    BadSignature,
    #[error("it is not a bundle: {0}")]
    Malformed(&'static str),
    #[error(transparent)]
    Wrong(#[from] Wrong),
    #[error("`{0}` is not what was signed")]
    Changed(String),
    #[error("`{0}` was not signed and does not belong here")]
    Added(String),
    #[error("there is nothing to go back to")]
    NothingBefore,
    #[error("{0} is installed already")]
    InUse(String),
    /// Most often the wrong file.
    #[error(
        "{new} is older than {old}, which {how}; `--older` installs it all the same, and \
         `gatehouse bundle rollback` goes back to what was there before"
    )]
    Older { new: String, old: String, how: &'static str },
    #[error("there is no candidate; `gatehouse bundle install --shadow FILE` brings one")]
    NoCandidate,
    #[error("{0}")]
    Refused(String),
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |error| BundleError::Unreadable { path: path.clone(), error }
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |error| BundleError::Unwritable { path: path.clone(), error }
}
