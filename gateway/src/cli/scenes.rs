//! `gatehouse scenes`: what each scene is, and making it live, a pilot, or switching it off. What is set
//! goes into the overlay in the store's folder, as a click on the console does.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use gatehouse_core::community::fault::nearest;
use gatehouse_core::community::scene::Status;
use serde_json::json;

use super::bundle::THEN;
use super::{INVALID, check};
use crate::audit::book::Book;
use crate::audit::{FOLDER, Note, Outcome};
use crate::clock;
use crate::overlay::{self, Wish};

/// Look at the scenes, and decide which are live
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the configuration
    #[arg(long, value_name = "DIR", default_value = "config", global = true)]
    pub config: PathBuf,
    /// Write JSON to stdout
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// Each scene: live, pilot or off, and who says so
    List,
    /// Make a scene live: its events go to people and to the platform
    Promote { id: String },
    /// Put a scene on trial: its events are counted and shown to integrators alone
    Pilot { id: String },
    /// Switch a scene off
    Off { id: String },
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let loaded = match check::load(&args.config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };
    let (id, status) = match &args.action {
        Action::List => return list(&loaded, args.json),
        Action::Promote { id } => (id, Status::Live),
        Action::Pilot { id } => (id, Status::Pilot),
        Action::Off { id } => (id, Status::Off),
    };
    let scenes = &loaded.built.community.scenes;
    let Some(scene) = scenes.iter().find(|scene| scene.head.id == *id) else {
        let help = nearest(id, scenes.iter().map(|scene| scene.head.id.as_str()));
        let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
        eprintln!("error: there is no scene `{id}`{help}");
        return Ok(ExitCode::from(INVALID));
    };
    let before = scene.head.status;
    let written = loaded.origins.scenes.get(id).map_or(before, |(_, status)| *status);
    let store = &loaded.config.store.path;
    let by = std::env::var("USER").unwrap_or_else(|_| "gatehouse scenes".to_owned());
    let wish = Wish { scene: id, written, status, by: &by, at: clock::wall() };
    overlay::set_status(store, wish)?;
    note(store, &by, id, (before, status))
        .context("it is set, but the audit log was not written")?;
    let told = json!({ "scene": id, "was": before, "is": status, "note": THEN });
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{told}")?;
    } else {
        writeln!(out, "{id}: {}, was {}\nnote: {THEN}", word(status), word(before))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn note(
    store: &Path,
    by: &str,
    id: &str,
    (before, status): (Status, Status),
) -> anyhow::Result<()> {
    let note = Note {
        who: by.to_owned(),
        action: "scene.status",
        about: id.to_owned(),
        outcome: Outcome::Done,
        detail: format!("{} to {}, by command", word(before), word(status)),
    };
    Ok(Book::new(&store.join(FOLDER)).append(&[(clock::wall().rfc3339(), note)])?)
}

fn list(loaded: &check::Loaded, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for scene in &loaded.built.community.scenes {
        let head = &scene.head;
        let origin = loaded.origins.scenes.get(&head.id);
        let set = loaded.origins.overlay.scenes.get(&head.id);
        if as_json {
            let told = json!({
                "scene": head.id,
                "title": head.title,
                "status": head.status,
                "status_in_file": origin.map(|(_, status)| status),
                "file": origin.map(|(file, _)| file),
                "set_by": set.map(|set| &set.by),
                "set_at": set.map(|set| &set.at),
            });
            writeln!(out, "{told}")?;
            continue;
        }
        let file = origin.map_or("", |(file, _)| file.as_str());
        let by = set.map_or_else(String::new, |set| format!("; set by {} at {}", set.by, set.at));
        writeln!(out, "{:5}  {:24}  {file}{by}", word(head.status), head.id)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Live => "live",
        Status::Pilot => "pilot",
        Status::Off => "off",
    }
}
