//! Makes a bundle out of a folder: `bundle.toml` with its name and version, and the files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::contents::{Contents, Item, Wrong, has_place};
use super::head::{Head, every_file};
use super::keys::{Signer, hexadecimal};
use super::{BundleError, unreadable, unwritable};

/// What the folder says of itself.
const ABOUT: &str = "bundle.toml";

/// `bundle.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    name: String,
    version: String,
}

/// Signs a folder into a file; `NAME-VERSION.bundle` in the present folder when none is named.
/// Hidden files are left out; anything else that has no place in a bundle is an error.
pub fn sign(
    folder: &Path,
    signer: &Signer,
    out: Option<PathBuf>,
) -> Result<(PathBuf, Contents), BundleError> {
    let about = folder.join(ABOUT);
    let text = fs::read_to_string(&about).map_err(unreadable(&about))?;
    let About { name, version } = toml::from_str(&text).map_err(|error| {
        let why = error.message();
        BundleError::Refused(format!(
            "{}: {why}; expected `name = \"…\"` and `version = \"…\"`",
            about.display()
        ))
    })?;
    let mut files = Vec::new();
    let mut bytes = Vec::new();
    for path in every_file(folder, "")? {
        if path == ABOUT || path.split('/').any(|part| part.starts_with('.')) {
            continue;
        }
        if !has_place(&path) {
            return Err(Wrong::Path(path).into());
        }
        let from = folder.join(&path);
        let content = fs::read(&from).map_err(unreadable(&from))?;
        let sha256 = hexadecimal(&Sha256::digest(&content));
        files.push(Item { path, size: content.len() as u64, sha256 });
        bytes.push(content);
    }
    let contents = Contents { name, version, files };
    let head = Head::sign(&contents, signer)?;
    let out =
        out.unwrap_or_else(|| format!("{}-{}.bundle", contents.name, contents.version).into());
    write(&out, &head, &bytes).map_err(unwritable(&out))?;
    Ok((out, contents))
}

/// Half a bundle never has the name of a whole one.
fn write(out: &Path, head: &[u8], files: &[Vec<u8>]) -> io::Result<()> {
    let mut partial = out.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let mut file = File::create(&partial)?;
    file.write_all(head)?;
    for bytes in files {
        file.write_all(bytes)?;
    }
    file.sync_all()?;
    fs::rename(&partial, out)
}
