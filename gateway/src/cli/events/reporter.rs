//! `gatehouse events reporter PERSON`: a person's own link, for whoever has no account. Made on the box,
//! with the key in the store's folder, by the gateway's user.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use gatehouse_core::community::quantity::Period;
use gatehouse_core::reading::Timestamp;

use crate::alert::link::{LONGEST_PERSONAL, personal};
use crate::cli::INVALID;
use crate::cli::check;

/// Whose link.
#[derive(Debug, clap::Args)]
pub struct For {
    /// A `[[person]]` of community.toml, by id
    #[arg(value_name = "PERSON")]
    pub person: String,
    /// How long the link lasts, a year at most: `30 days`
    #[arg(long, value_name = "TIME", default_value = "365 days")]
    pub lasts: Period,
}

pub(super) fn link(
    config: &Path,
    store: &Path,
    For { person, lasts }: For,
    now: Timestamp,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let loaded = match check::load(config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    if loaded.built.community.duties.person(&person).is_none() {
        bail!("community.toml has no person `{person}`; add `[[person]]` with that id first");
    }
    if lasts.0.is_zero() || lasts.0 > LONGEST_PERSONAL {
        bail!("`--lasts` is a time of one year at most, as in `30 days`");
    }
    let path = personal(store, &person, now + lasts.0).with_context(|| {
        format!(
            "the key of the links in {} cannot be used; ask as the gateway's user",
            store.display()
        )
    })?;
    let base = loaded.config.alerts.base_url.as_deref().unwrap_or_default();
    writeln!(out, "{}{path}", base.trim_end_matches('/'))?;
    if base.is_empty() {
        eprintln!(
            "help: put the console's address before it; `[alerts] base-url` does that by itself"
        );
    }
    Ok(ExitCode::SUCCESS)
}
