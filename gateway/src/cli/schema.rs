//! `gatehouse schema`: the JSON Schema of what people and programs write and read.
//!
//! Generated from the very types that the program reads and writes, doc comments and all.

use std::io::Write;
use std::process::ExitCode;

use gatehouse_core::command::{Command, Reply};
use gatehouse_core::community::device_type::DeviceType;
use gatehouse_core::community::scene::Scene;
use gatehouse_core::community::site::Site;
use gatehouse_core::event::message::Message;
use schemars::{Schema, schema_for};

use crate::config::GatewayConfig;

/// Print the JSON Schema of a file or a message
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what; every JSON Schema, by name, when left out
    pub of: Option<Of>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Of {
    /// gateway.toml
    Config,
    /// A file in device-types/
    DeviceType,
    /// A file in scenes/
    Scene,
    /// community.toml
    Community,
    /// What goes to the platform
    Event,
    /// What the platform may ask for
    Command,
    /// How a command is answered
    Reply,
    /// The console's interface for scripts, as an `OpenAPI` document
    Openapi,
}

const ALL: [(&str, Of); 7] = [
    ("config", Of::Config),
    ("device-type", Of::DeviceType),
    ("scene", Of::Scene),
    ("community", Of::Community),
    ("event", Of::Event),
    ("command", Of::Command),
    ("reply", Of::Reply),
];

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = if let Some(of) = args.of {
        serde_json::to_string_pretty(&schema(of).to_value())?
    } else {
        let all: serde_json::Map<String, serde_json::Value> =
            ALL.into_iter().map(|(name, of)| (name.to_owned(), schema(of).to_value())).collect();
        serde_json::to_string_pretty(&all)?
    };
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn schema(of: Of) -> Schema {
    match of {
        Of::Config => schema_for!(GatewayConfig),
        Of::DeviceType => schema_for!(DeviceType),
        Of::Scene => schema_for!(Scene),
        Of::Community => schema_for!(Site),
        Of::Event => schema_for!(Message),
        Of::Command => schema_for!(Command),
        Of::Reply => schema_for!(Reply),
        Of::Openapi => crate::console::openapi().try_into().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_has_a_title_and_refuses_what_the_program_refuses() {
        for (name, of) in ALL {
            let schema = schema(of);
            assert!(schema.get("title").is_some(), "{name}");
            assert!(schema.get("properties").is_some(), "{name}");
            // Files and commands are strict; what we say may gain fields.
            let is_strict = !matches!(of, Of::Event | Of::Reply);
            assert_eq!(schema.get("additionalProperties").is_some(), is_strict, "{name}");
        }
    }
}
