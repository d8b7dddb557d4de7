//! `gatehouse cameras`: which cameras are on the network.

use std::io::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::source::camera::discovery::{Found, discover};

/// Look for cameras on the network
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Ask who speaks ONVIF; needs no password
    Discover {
        /// This box's own address on the cameras' network, where it has several
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
        /// How long to listen for answers
        #[arg(long = "for", value_name = "TIME", default_value = "4s", value_parser = humantime::parse_duration)]
        wait: Duration,
        /// Write one JSON object a camera
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Command::Discover { from, wait, json } = args.command;
    let found = discover(from, wait).await.with_context(|| match from {
        Some(from) => format!("cannot ask from {from}; is that an address of this box?"),
        None => {
            "cannot ask on any network; name one of this box's addresses with --from".to_owned()
        }
    })?;
    let mut out = std::io::stdout().lock();
    for camera in &found {
        if json {
            writeln!(out, "{}", as_json(camera))?;
        } else {
            writeln!(out, "{}", as_text(camera))?;
        }
    }
    if found.is_empty() {
        bail!(
            "no camera answered; is ONVIF (or discovery) switched on in it, and is this box on its network? \
             With several networks, name this box's address on the right one with --from"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn as_text(camera: &Found) -> String {
    let said = [&camera.name, &camera.hardware].into_iter().flatten().map(String::as_str);
    format!("{:<28} {}", camera.url, said.collect::<Vec<_>>().join(", "))
}

fn as_json(camera: &Found) -> serde_json::Value {
    serde_json::json!({
        "url": camera.url, "from": camera.from, "services": camera.services,
        "name": camera.name, "hardware": camera.hardware,
    })
}
