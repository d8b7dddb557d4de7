//! `gatehouse backup`: everything that makes this box this gateway, in one file.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::json;

use super::{INVALID, check};
use crate::audit::book::Book;
use crate::audit::{self, Note, Outcome};
use crate::backup::{self, Made};
use crate::clock;

/// Write identity, configuration, accounts, journal and what was learnt into one file, for another box
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Folder of the configuration, which says where the store is
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// Folder of the store, instead of the one in the configuration
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Encrypt it: the passphrase is the first line of this file (`-` for stdin)
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Take the masked stills of events along
    #[arg(long)]
    pub with_evidence: bool,
    /// The gateway is stopped and never starts here again, so that the new box goes on without a gap
    #[arg(long)]
    pub retire: bool,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut config = match check::load_gateway(&args.config) {
        Ok(gateway) => gateway.config,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    if let Some(store) = &args.store {
        config.store.path.clone_from(store);
    }
    let passphrase = args.passphrase_file.as_deref().map(passphrase).transpose()?;
    let wish = backup::Wish {
        folder: &args.config,
        config: &config,
        passphrase: passphrase.as_deref(),
        with_evidence: args.with_evidence,
        retire: args.retire,
    };
    let Made { bytes, files, outside } = backup::make(&wish, &args.file)?;
    let with_what = detail(args.retire, args.with_evidence.then_some(passphrase.is_some()));
    enter(&config.store.path, "backup.make", &args.file, with_what);
    let file = args.file.display().to_string();
    let mut out = io::stdout().lock();
    if args.json {
        let made = json!({ "file": file, "bytes": bytes, "files": files,
            "encrypted": passphrase.is_some(), "retired": args.retire, "outside": outside });
        writeln!(out, "{made}")?;
    } else {
        writeln!(out, "{file}: {files} files and the journal, {bytes} bytes")?;
    }
    if passphrase.is_none() {
        eprintln!(
            "WARNING: {file} is not encrypted. Whoever has it has this gateway's keys and passwords and can \
             speak in its name. Keep it as you keep those, or use --passphrase-file."
        );
    }
    for name in outside {
        eprintln!("not in it, since it lies elsewhere: {name}");
    }
    if args.retire {
        eprintln!("this box is retired: `gatehouse run` refuses this store from now on");
    }
    Ok(ExitCode::SUCCESS)
}

/// The first line of a file, or of stdin.
pub(super) fn passphrase(path: &Path) -> anyhow::Result<String> {
    let text = if path.as_os_str() == "-" {
        io::read_to_string(io::stdin().lock())
    } else {
        fs::read_to_string(path)
    };
    let text =
        text.with_context(|| format!("the passphrase in {} cannot be read", path.display()))?;
    match text.lines().next() {
        Some(line) if line.chars().count() >= 12 => Ok(line.to_owned()),
        _ => bail!(
            "the first line of {} is no passphrase; expected 12 letters at least, a sentence will do",
            path.display()
        ),
    }
}

/// As [`enter`], where no stills leave the box.
pub(super) fn note(store: &Path, action: &'static str, file: &Path, is_retired: bool) {
    enter(store, action, file, detail(is_retired, None));
}

/// What somebody should know of a backup who asks where stills have gone; of stills, whether they are encrypted.
fn detail(is_retired: bool, stills: Option<bool>) -> String {
    let stills = stills.map(|is_encrypted| {
        let how = if is_encrypted { "encrypted" } else { "not encrypted" };
        format!("masked stills of events went along, {how}")
    });
    let parts = [is_retired.then(|| "the old box is retired".to_owned()), stills];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Enters it into the audit log of a store that is ours; a line of root's would be in the gateway's way.
fn enter(store: &Path, action: &'static str, file: &Path, detail: String) {
    let (Ok(folder), Ok(us)) = (fs::metadata(store), fs::metadata("/proc/self")) else { return };
    if folder.uid() != us.uid() {
        return;
    }
    let note = Note {
        who: "gatehouse".into(),
        action,
        about: file.display().to_string(),
        outcome: Outcome::Done,
        detail,
    };
    let book = Book::new(&store.join(audit::FOLDER));
    if let Err(error) = book.append(&[(clock::wall().rfc3339(), note)]) {
        tracing::warn!(%error, "it is not in the audit log");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_log_says_whether_stills_went_along() {
        let cases = [
            (false, None, ""),
            (true, None, "the old box is retired"),
            (false, Some(true), "masked stills of events went along, encrypted"),
            (
                true,
                Some(false),
                "the old box is retired; masked stills of events went along, not encrypted",
            ),
        ];
        for (is_retired, stills, expected) in cases {
            let store = tempfile::tempdir().unwrap();
            enter(store.path(), "backup.make", Path::new("/usb/a"), detail(is_retired, stills));
            let book = Book::new(&store.path().join(audit::FOLDER));
            let line = book.newest(|_| true, 1).unwrap().remove(0);
            assert_eq!((&*line.about, &*line.detail), ("/usb/a", expected));
        }
    }
}
