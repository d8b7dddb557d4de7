//! `gatehouse audit`: who did what, and whether the log is what was written.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{INVALID, check};
use crate::audit::book::Book;
use crate::audit::{self, Line};

/// Look at the audit log: logins, accounts, configuration, commands
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the configuration, which says where the store is
    #[arg(long, value_name = "DIR", default_value = "config", global = true)]
    pub config: PathBuf,
    /// Folder of the store, instead of the one in the configuration
    #[arg(long, value_name = "DIR", global = true)]
    pub store: Option<PathBuf>,
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// The last lines, oldest first
    List {
        /// Only what this account, token or `platform` did
        #[arg(long)]
        who: Option<String>,
        /// Only actions that begin so: `login`, `account.`
        #[arg(long)]
        action: Option<String>,
        #[arg(long, default_value_t = 50)]
        many: usize,
        /// JSON lines
        #[arg(long)]
        json: bool,
    },
    /// Check that the log is what was written: its hash chain, line by line
    Verify {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Every line as it stands, with its hash, oldest first; fails where the chain is broken
    Export,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let store = match args.store {
        Some(store) => store,
        None => match check::load_gateway(&args.config) {
            Ok(gateway) => gateway.config.store.path,
            Err(faults) => {
                faults.print();
                return Ok(ExitCode::from(INVALID));
            }
        },
    };
    let log = Book::new(&store.join(audit::FOLDER));
    let mut out = BufWriter::new(io::stdout().lock());
    match args.action {
        Action::List { who, action, many, json } => {
            let is_wanted = |line: &Line| {
                who.as_ref().is_none_or(|who| *who == line.who)
                    && action.as_ref().is_none_or(|action| line.action.starts_with(action))
            };
            for line in log.newest(is_wanted, many)?.iter().rev() {
                if json {
                    writeln!(out, "{}", json!(line))?;
                } else {
                    show(line, &mut out)?;
                }
            }
        }
        Action::Verify { json } => match log.verify() {
            Ok(lines) if json => writeln!(out, "{}", json!({ "ok": true, "lines": lines }))?,
            Ok(lines) => writeln!(out, "{lines} lines, each as it was written")?,
            Err(error) if json => {
                writeln!(out, "{}", json!({ "ok": false, "error": error.to_string() }))?;
                out.flush()?;
                return Ok(ExitCode::FAILURE);
            }
            Err(error) => return Err(error.into()),
        },
        Action::Export => {
            log.read(|text, _| writeln!(out, "{text}"))?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn show(line: &Line, out: &mut impl Write) -> io::Result<()> {
    let Line { n, at, who, action, about, outcome, detail, .. } = line;
    let outcome = match outcome {
        audit::Outcome::Done => "",
        audit::Outcome::Refused => " REFUSED",
        audit::Outcome::Failed => " FAILED",
    };
    // What a stranger typed as his name must not move the reader's cursor.
    let plain = |text: &str| text.replace(char::is_control, "\u{fffd}");
    let (who, about, detail) = (plain(who), plain(about), plain(detail));
    writeln!(out, "{n:>6}  {at}  {who:<16}  {action}{outcome}  {about}  {detail}")
}
