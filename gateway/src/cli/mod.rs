//! One file per command. Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.

pub mod alerts;
pub mod audit;
pub mod backtest;
pub mod backup;
pub mod bundle;
pub mod cameras;
pub mod check;
pub mod command;
pub mod demo;
pub mod draft;
pub mod events;
pub mod modbus;
pub mod models;
pub mod replay;
pub mod report;
pub mod restore;
pub mod run;
pub mod scenes;
pub mod schema;
pub mod simulate;
mod trial;
pub mod user;

use std::process::ExitCode;

use crate::pace::Pace;

/// Wrong usage or invalid configuration.
pub const INVALID: u8 = 2;

/// Edge gateway of a residential community: sensor readings in, graded and explained events out.
#[derive(Debug, clap::Parser)]
#[command(name = "gatehouse", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Demo(demo::Args),
    Run(run::Args),
    Check(check::Args),
    Simulate(simulate::Args),
    Replay(replay::Args),
    Backtest(backtest::Args),
    Events(events::Args),
    Alerts(alerts::Args),
    Models(models::Args),
    Scenes(scenes::Args),
    Bundle(bundle::Args),
    Report(report::Args),
    Command(command::Args),
    Schema(schema::Args),
    User(user::Args),
    Audit(audit::Args),
    Draft(draft::Args),
    Modbus(modbus::Args),
    Cameras(cameras::Args),
    Backup(backup::Args),
    Restore(restore::Args),
}

impl Command {
    /// Whether it runs until it is stopped, so that its log tells what goes on.
    pub fn is_a_service(&self) -> bool {
        match self {
            Self::Run(_) => true,
            Self::Demo(_)
            | Self::Check(_)
            | Self::Simulate(_)
            | Self::Replay(_)
            | Self::Backtest(_)
            | Self::Events(_)
            | Self::Alerts(_)
            | Self::Models(_)
            | Self::Scenes(_)
            | Self::Bundle(_)
            | Self::Command(_)
            | Self::Report(_)
            | Self::Schema(_)
            | Self::User(_)
            | Self::Audit(_)
            | Self::Draft(_)
            | Self::Modbus(_)
            | Self::Cameras(_)
            | Self::Backup(_)
            | Self::Restore(_) => false,
        }
    }
}

/// Runs one command. `pace` is that of the thread that runs it.
pub async fn run(command: Command, pace: Pace) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Run(args) => run::run(args, pace).await,
        Command::Check(args) => check::run(&args),
        Command::Simulate(args) => simulate::run(args).await,
        Command::Replay(args) => replay::run(&args),
        Command::Backtest(args) => backtest::run(&args),
        Command::Events(args) => events::run(args),
        Command::Alerts(args) => alerts::run(args).await,
        Command::Models(args) => models::run(&args),
        Command::Scenes(args) => scenes::run(&args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Report(args) => report::run(args),
        Command::Command(args) => command::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::User(args) => user::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Draft(args) => draft::run(&args),
        Command::Modbus(args) => modbus::run(args).await,
        Command::Cameras(args) => cameras::run(args).await,
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
    }
}
