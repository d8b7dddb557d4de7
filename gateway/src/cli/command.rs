//! `gatehouse command`: the platform's side of a command, for who writes that side. A private key never
//! comes near a gateway.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use gatehouse_core::command::json;
use gatehouse_core::command::signature::{Signature, key_id};
use serde_json::Value;

use crate::bundle::keys::{Signer, public};

/// Sign commands as the platform does
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// Read a command from stdin and write it with its signature
    Sign {
        /// The private key; `gatehouse bundle keygen` makes a pair
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Print the `kid` of a public key
    Kid { file: PathBuf },
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let told = match &args.action {
        Action::Sign { key, .. } => {
            let mut text = Vec::new();
            std::io::stdin().lock().read_to_end(&mut text).context("cannot read stdin")?;
            sign(&text, &Signer::read(key)?)?
        }
        Action::Kid { file } => key_id(&public(file)?),
    };
    writeln!(std::io::stdout().lock(), "{told}")?;
    Ok(ExitCode::SUCCESS)
}

/// The command with its signature, in canonical form.
fn sign(text: &[u8], signer: &Signer) -> anyhow::Result<String> {
    let command = json::read(text).context("stdin holds no command")?;
    let Value::Object(mut fields) = command else { bail!("a command is a JSON object") };
    fields.shift_remove("sig");
    let payload = json::canonical(&Value::Object(fields.clone()));
    let key = key_id(&signer.public());
    let sig = Signature::write(&key, &payload, |message| signer.sign(message));
    fields.insert("sig".to_owned(), sig.into());
    Ok(json::canonical(&Value::Object(fields)))
}
