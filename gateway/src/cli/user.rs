//! `gatehouse user`: the accounts and tokens of the box, while its gateway runs and while it does not.
//!
//! It writes the file that the gateway keeps ([`crate::accounts::kept`]); one that runs sees the change
//! at the next request. Passwords are never arguments: they are asked for, or read from a pipe.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use super::{INVALID, check};
use crate::accounts::book::{Scope, tidy};
use crate::accounts::kept::{Accounts, AccountsError};
use crate::accounts::{Role, password};
use crate::audit::book::Book as Log;
use crate::audit::{self, Note, Outcome};
use crate::clock;
use crate::console::tls;

/// Look after the console's accounts and tokens
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
    /// Add a person; the password is asked for, or read from stdin
    Add {
        name: String,
        /// viewer looks, manager handles events, integrator sets up, admin does all
        #[arg(long, value_parser = role)]
        role: Role,
    },
    /// Accounts and tokens, and the fingerprint of the console's own certificate
    List {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove a person
    Remove { name: String },
    /// Give a person another role
    Role {
        name: String,
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Give a person another password; the sessions of the old one end
    Passwd { name: String },
    /// Make a token for a script and print it, once
    Token {
        name: String,
        /// read looks, act does what a manager may, metrics reads /metrics alone
        #[arg(long, value_enum, required_unless_present = "revoke")]
        scope: Option<Scope>,
        /// After how long it ends, as in `90d`; never when left out
        #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration)]
        expires: Option<Duration>,
        /// Revoke the token of this name
        #[arg(long, conflicts_with_all = ["scope", "expires"])]
        revoke: bool,
    },
}

fn role(word: &str) -> Result<Role, String> {
    word.parse::<Role>().map_err(|error| error.to_string())
}

/// What was done, for the audit log.
struct Deed {
    action: &'static str,
    about: String,
    detail: String,
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
    check_owner(&store)?;
    let accounts = Accounts::in_store(&store);
    let mut out = io::stdout().lock();
    let done = match args.action {
        Action::List { json } => {
            accounts.refresh()?;
            list(&accounts, tls::own_fingerprint(&store), json, &mut out)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Add { name, role } => {
            let hash = new_password(&tidy(&name))?;
            accounts.change(|book| book.add(&name, role, hash, clock::wall())).map(|name| Deed {
                action: "account.add",
                about: name,
                detail: role.to_string(),
            })
        }
        Action::Remove { name } => accounts
            .change(|book| book.remove(&tidy(&name)))
            .map(|()| Deed { action: "account.remove", about: tidy(&name), detail: String::new() }),
        Action::Role { name, role } => {
            accounts.change(|book| book.set_role(&tidy(&name), role)).map(|()| Deed {
                action: "account.role",
                about: tidy(&name),
                detail: role.to_string(),
            })
        }
        Action::Passwd { name } => {
            if accounts.book().account(&tidy(&name)).is_none() {
                bail!("there is no `{name}`");
            }
            let hash = new_password(&tidy(&name))?;
            accounts.change(|book| book.set_hash(&tidy(&name), hash)).map(|()| Deed {
                action: "account.password",
                about: tidy(&name),
                detail: String::new(),
            })
        }
        Action::Token { name, revoke: true, .. } => accounts
            .change(|book| book.remove_token(&tidy(&name)))
            .map(|()| Deed { action: "token.remove", about: tidy(&name), detail: String::new() }),
        Action::Token { name, scope, expires, revoke: false } => {
            let scope = scope.context("`--scope` says what the token is for")?;
            let now = clock::wall();
            let expires = expires.map(|span| now + span);
            let made = accounts.change(|book| book.add_token(&name, scope, expires, now));
            made.and_then(|secret| {
                writeln!(out, "{secret}")
                    .map_err(|error| AccountsError::Io { path: "stdout".into(), error })?;
                Ok(Deed { action: "token.add", about: tidy(&name), detail: scope.word().into() })
            })
        }
    };
    let Deed { action, about, detail } = done?;
    eprintln!("done: {action} {about}");
    let note = Note { who: "command line".into(), action, about, outcome: Outcome::Done, detail };
    let noted = Log::new(&store.join(audit::FOLDER)).append(&[(clock::wall().rfc3339(), note)]);
    noted.context("it is done, but the audit log does not say so")?;
    Ok(ExitCode::SUCCESS)
}

/// A file that root wrote could not be read by a gateway that is not root, and nobody could sign in.
fn check_owner(store: &Path) -> anyhow::Result<()> {
    let (Ok(folder), Ok(us)) = (fs::metadata(store), fs::metadata("/proc/self")) else {
        return Ok(());
    };
    if folder.uid() != us.uid() {
        bail!(
            "`{}` belongs to another user; run this as the gateway's own, as in `sudo -u gatehouse \
             gatehouse user …`",
            store.display()
        );
    }
    Ok(())
}

fn list(
    accounts: &Accounts,
    fingerprint: Option<String>,
    as_json: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let book = accounts.book();
    if as_json {
        let people = book
            .accounts
            .iter()
            .map(|a| json!({ "name": a.name, "role": a.role.word(), "since": a.since }));
        let tokens = book.tokens.iter().map(|t| {
            json!({ "name": t.name, "scope": t.scope.word(), "since": t.since,
                "expires": t.expires, "used": t.used })
        });
        let all = json!({ "accounts": people.collect::<Vec<_>>(),
            "tokens": tokens.collect::<Vec<_>>(), "fingerprint": fingerprint });
        return writeln!(out, "{all}");
    }
    if book.accounts.is_empty() {
        writeln!(out, "nobody has an account yet")?;
    }
    for account in &book.accounts {
        writeln!(out, "{:<10}  {:<24}  since {}", account.role, account.name, account.since)?;
    }
    for token in &book.tokens {
        let until = token.expires.as_deref().unwrap_or("revoked");
        let used = token.used.as_deref().unwrap_or("never");
        let (name, scope) = (&token.name, token.scope.word());
        writeln!(out, "token       {name:<24}  {scope}, until {until}, last used {used}")?;
    }
    match fingerprint {
        Some(fingerprint) => writeln!(out, "certificate of the console, SHA-256 {fingerprint}"),
        None => Ok(()),
    }
}

/// Asks for a password until it is good enough, or takes the one line of a pipe.
fn new_password(name: &str) -> anyhow::Result<String> {
    let given = if io::stdin().is_terminal() {
        let first = ask("new password: ")?;
        password::check(name, &first)?;
        if ask("once more: ")? != first {
            bail!("the two passwords differ");
        }
        first
    } else {
        let given = read_line()?;
        password::check(name, &given)?;
        given
    };
    Ok(password::hash(&given)?)
}

/// Reads a line from the terminal without showing it.
fn ask(question: &str) -> anyhow::Result<String> {
    let _dark = Dark::new()?;
    eprint!("{question}");
    let line = read_line();
    eprintln!();
    line
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.context("the password cannot be read; expected one line of UTF-8 on stdin")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A terminal that does not show what is typed, until it is dropped.
struct Dark;

impl Dark {
    fn new() -> anyhow::Result<Self> {
        Self::stty("-echo")
            .context("cannot keep the terminal from showing the password; use a pipe")?;
        Ok(Self)
    }

    fn stty(mode: &str) -> io::Result<()> {
        let done = Command::new("stty").arg(mode).stdin(Stdio::inherit()).status()?;
        if done.success() { Ok(()) } else { Err(io::Error::other("`stty` failed")) }
    }
}

impl Drop for Dark {
    fn drop(&mut self) {
        // The shell sets it right as well.
        let _shown = Self::stty("echo");
    }
}
