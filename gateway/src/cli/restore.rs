//! `gatehouse restore`: makes this box the gateway that a backup was made of.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::backup::{note, passphrase};
use crate::backup::restore::{self, Restored};

/// Make this box the gateway of a backup; the whole file is checked before anything is touched
///
/// Stop the gateway first, where one runs. Each file is restored once, since two boxes that go on from the same
/// place would give the same sequences to different events; once more takes `--again`. Sequences go on 10,000 and
/// one for each minute since the backup was made beyond it, and the platform is told of that gap. There is none
/// after `gatehouse backup --retire`, within 24 hours. With `--replace` they go on beyond what the store that is set
/// aside has given out, when it is of the same gateway.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What `gatehouse backup` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Folder for the configuration
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// Folder for the store; the one that the configuration in the backup names when left out
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// The passphrase is the first line of this file (`-` for stdin)
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Set aside what is in the two folders
    #[arg(long)]
    pub replace: bool,
    /// This file was restored before, here or on another box; give it once for each time
    #[arg(long, action = clap::ArgAction::Count)]
    pub again: u8,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let passphrase = args.passphrase_file.as_deref().map(passphrase).transpose()?;
    let wish = restore::Wish {
        folder: &args.config,
        store: args.store.as_deref(),
        passphrase: passphrase.as_deref(),
        replace: args.replace,
        again: args.again,
    };
    let Restored { head, store, named, database } = restore::restore(&wish, &args.file)?;
    note(&store, "backup.restore", &args.file, head.is_retired);
    let mut out = io::stdout().lock();
    if args.json {
        let restored = json!({ "gateway": head.gateway, "township": head.township, "made": head.made,
            "store": store, "entries": database.entries, "sequence": database.sequence,
            "skipped": database.skipped, "waiting": database.waiting, "retired": head.is_retired,
            "evidence": head.has_evidence });
        writeln!(out, "{restored}")?;
    } else {
        writeln!(
            out,
            "gateway {} of {}, as it was at {}: {} records in the journal, {} wait for the platform; \
             sequences go on after {}",
            head.gateway,
            head.township,
            head.made,
            database.entries,
            database.waiting,
            database.sequence
        )?;
    }
    if !head.is_retired {
        eprintln!(
            "the old box was not retired when this backup was made: the platform is told that sequences in \
             between may be missing. Make sure that it never runs again."
        );
    } else if database.skipped > 0 {
        eprintln!(
            "the old box was retired, but another may have gone on from this backup: it is older than a day, or \
             was restored before. The platform is told that {} sequences may be missing.",
            database.skipped
        );
    }
    if named != store {
        eprintln!(
            "gateway.toml names another store: set `path = \"{}\"` in its [store]",
            store.display()
        );
    }
    eprintln!("next: gatehouse check --config {}", args.config.display());
    Ok(ExitCode::SUCCESS)
}
