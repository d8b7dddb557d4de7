//! Arguments, log, exit status. The commands are in [`gatehouse::cli`].

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use gatehouse::cli::{self, Cli};
use gatehouse::pace::Pace;
use tokio::task::LocalSet;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let quiet = if cli.command.is_a_service() {
        "gatehouse=info,rumqttd=off,warn"
    } else {
        "gatehouse=warn,rumqttd=off,error"
    };
    let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let filter = EnvFilter::try_from_env("GATEHOUSE_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_coloured)
        .init();
    // One core is enough for a community, and a message that never changes threads costs half.
    let pace = Pace::default();
    let resting = pace.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(16)
        .on_thread_park(move || std::thread::sleep(resting.nap(Instant::now())))
        .build();
    let outcome = match runtime {
        Ok(runtime) => LocalSet::new().block_on(&runtime, cli::run(cli.command, pace)),
        Err(error) => Err(anyhow::Error::new(error).context("cannot start the runtime")),
    };
    outcome.unwrap_or_else(|error| {
        let mut chain = error.chain();
        eprintln!("error: {}", chain.next().map(ToString::to_string).unwrap_or_default());
        for cause in chain {
            eprintln!("  caused by: {cause}");
        }
        ExitCode::FAILURE
    })
}
