//! `gatehouse alerts test`: does a channel work?

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use gatehouse_core::alert::Outcome;

use super::INVALID;
use super::check;
use crate::alert::trial;
use crate::config::GatewayConfig;

/// Try the channels that tell people
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Send a test message and tell what came back
    Test {
        /// Id of a `[[channel]]` of gateway.toml
        channel: String,
        /// Telephone number or mailbox, where the channel wants one; the first of its `to` when left out
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        /// Folder of gateway.toml
        #[arg(long, value_name = "DIR", default_value = "config")]
        config: PathBuf,
        /// Write one JSON object to stdout
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Command::Test { channel, to, config, json } = args.command;
    let gateway = match check::load_gateway(&config) {
        Ok(gateway) => gateway.config,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    let outcome = test(&gateway, &channel, to).await?;
    let (works, why) = match &outcome {
        Outcome::Sent => (true, String::new()),
        Outcome::Later { why, .. } | Outcome::Misconfigured { why } | Outcome::Unfit { why } => {
            (false, why.clone())
        }
    };
    let mut out = std::io::stdout().lock();
    if json {
        let told = serde_json::json!({ "channel": channel, "outcome": outcome.word(), "why": why });
        writeln!(out, "{told}")?;
    } else if works {
        writeln!(out, "{channel}: sent")?;
    } else {
        let then = match &outcome {
            Outcome::Later { .. } => "a gateway would try again",
            Outcome::Sent | Outcome::Misconfigured { .. } | Outcome::Unfit { .. } => {
                "nobody is told by it until this is mended"
            }
        };
        writeln!(out, "{channel}: not sent: {why} ({then})")?;
    }
    Ok(if works { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn test(
    config: &GatewayConfig,
    channel: &str,
    to: Option<String>,
) -> anyhow::Result<Outcome> {
    let Some(found) = config.channels.iter().find(|known| known.id == channel) else {
        let known: Vec<&str> = config.channels.iter().map(|known| known.id.as_str()).collect();
        anyhow::bail!("gateway.toml has no channel `{channel}`; it has: {}", known.join(", "));
    };
    let address = to.or_else(|| found.to.first().cloned()).unwrap_or_default();
    if found.wants_address() && address.is_empty() {
        anyhow::bail!("to whom? `--to` takes a telephone number or a mailbox");
    }
    if found.relay.is_some() {
        anyhow::bail!("only a gateway that runs can switch a device");
    }
    let base = config.alerts.base_url.as_deref();
    Ok(trial::send(found, &address, &config.gateway.id, base).await)
}
