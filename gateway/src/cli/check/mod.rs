//! `gatehouse check`: everything that `run` would load, and every fault in it at once.
//!
//! `run`, `replay` and `demo` load their configuration through [`load`] too, so what they accept is
//! what `check` accepts. `check` goes on from there: it opens the models and plays the stories.

mod gateway;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gatehouse_core::community::build::{Built, File, Files, Surroundings, build};
use gatehouse_core::community::document::Document;
use gatehouse_core::community::expectation::Expectation;
use gatehouse_core::community::fault::Fault;
use gatehouse_core::community::{ModelSpec, Source, SourceKind};
use gatehouse_core::story;

use super::INVALID;
use crate::config::GatewayConfig;
use crate::infer::{Models, load_specs};
use crate::service::Setup;

pub use report::Faults;

/// What a configuration folder holds, for whoever is looking at an empty one.
const LAYOUT: &str =
    "a configuration folder has gateway.toml, community.toml, device-types/ and scenes/";

/// Check a configuration folder
///
/// Tells every fault with its file, line and column, what was expected and the nearest valid word.
/// Exit status 2 when there is any.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of gateway.toml, community.toml, device-types/ and scenes/
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub config: PathBuf,
    /// Write the faults to stdout, a JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// A configuration without faults.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: GatewayConfig,
    pub built: Built,
    /// Folder of the models.
    pub models: PathBuf,
    /// Every file that was read, by the name that faults give it.
    texts: BTreeMap<String, String>,
}

impl Loaded {
    pub fn into_setup(self) -> Setup {
        Setup { config: self.config, community: self.built.community, models: self.models }
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outcome = load(&args.config).and_then(|loaded| {
        let mut faults = open_models(&loaded);
        faults.extend(stories(&loaded));
        if faults.is_empty() { Ok(loaded) } else { Err(Faults::new(faults, loaded.texts)) }
    });
    match outcome {
        Ok(loaded) => {
            if !args.json {
                writeln!(
                    std::io::stdout().lock(),
                    "{}: {}",
                    args.config.display(),
                    found(&loaded)
                )?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            if args.json {
                std::io::stdout().lock().write_all(faults.json().as_bytes())?;
            } else {
                faults.print();
            }
            Ok(ExitCode::from(INVALID))
        }
    }
}

/// Reads and checks a configuration folder.
pub fn load(folder: &Path) -> Result<Loaded, Faults> {
    let mut reader = Reader::default();
    if !folder.is_dir() {
        reader.fault(folder, "there is no such folder", LAYOUT);
        return Err(reader.into_faults(Vec::new()));
    }
    let gateway = reader.file(&folder.join("gateway.toml"));
    let community = reader.file(&folder.join("community.toml"));
    let device_types = reader.folder(&folder.join("device-types"));
    let scenes = reader.folder(&folder.join("scenes"));

    let read = gateway.map(|file| Document::read::<GatewayConfig>(&file.name, &file.text));
    let (mut document, mut config) = match read {
        Some((document, config)) => (Some(document), config),
        None => (None, None),
    };
    let models = config.as_ref().map_or(PathBuf::new(), |config| folder.join(&config.models.path));
    if let Some((document, config)) = document.as_mut().zip(config.as_mut()) {
        gateway::resolve(config, folder);
        gateway::check(document, config);
    }
    let specs = config.as_ref().and_then(|_| reader.models(&models));
    let around = Surroundings {
        township: config.as_ref().map_or_else(String::new, |c| c.gateway.township.clone()),
        gateway: config.as_ref().map_or_else(String::new, |c| c.gateway.id.clone()),
        sources: config.as_ref().map(sources),
        models: specs,
    };
    let mut faults = document.map_or_else(Vec::new, |document| document.faults().to_vec());
    faults.sort_by_key(|fault| fault.span.start);
    let built = community.map(|community| {
        build(&Files { community, device_types, scenes }, &around).map_err(|more| {
            faults.extend(more);
        })
    });
    match (config, built) {
        (Some(config), Some(Ok(built))) if faults.is_empty() && reader.faults.is_empty() => {
            Ok(Loaded { config, built, models, texts: reader.texts })
        }
        _ => Err(reader.into_faults(faults)),
    }
}

/// Brokers and lines, in the order that [`gatehouse_core::reading::SourceIndex`] counts them.
fn sources(config: &GatewayConfig) -> Vec<Source> {
    let source = |id: &String, kind| Source { id: id.clone(), kind };
    let brokers = config.brokers.iter().map(|broker| source(&broker.id, SourceKind::Broker));
    let lines = config.lines.iter().map(|line| source(&line.id, SourceKind::Line));
    brokers.chain(lines).collect()
}

/// Opens the models that the scenes name: are they what their manifests say?
fn open_models(loaded: &Loaded) -> Vec<Fault> {
    let scenes = &loaded.built.community.scenes;
    let detectors = scenes.iter().flat_map(|scene| &scene.detectors);
    let names: BTreeSet<&str> = detectors.filter_map(|d| d.model.as_deref()).collect();
    let library = loaded.config.models.onnxruntime.as_deref();
    let open = |name: &str| Models::open(&loaded.models, [name], library).err();
    let fault = |(name, error): (&str, _)| Fault {
        file: loaded.models.join(name).display().to_string(),
        span: 0..0,
        message: format!("{:#}", anyhow::Error::from(error)),
        help: None,
    };
    names.into_iter().filter_map(|name| open(name).map(|error| fault((name, error)))).collect()
}

/// Plays every story of every scene; the one place where that happens.
fn stories(loaded: &Loaded) -> Vec<Fault> {
    let community = &loaded.built.community;
    let mut faults = Vec::new();
    for (at_scene, scene) in community.scenes.iter().enumerate() {
        for (at_story, written) in scene.stories.iter().enumerate() {
            let types = || community.device_types.iter();
            let Some(device_type) = types().find(|t| t.head.id == written.device_type) else {
                continue;
            };
            let expected: Vec<Expectation> =
                written.expect.iter().filter_map(|line| line.parse().ok()).collect();
            let told = story::play(scene, written, device_type, &community.models);
            // `build` has compiled every rule of the scene, so that a scene works.
            let told = told.unwrap_or_default();
            let is_met = |i: usize| told.get(i).is_some_and(|told| expected[i].is_met_by(told));
            let line = (0..expected.len()).find(|i| !is_met(*i));
            if line.is_none() && told.len() == expected.len() {
                continue;
            }
            let told: Vec<String> = told.iter().map(ToString::to_string).collect();
            let told = if told.is_empty() { "nothing".to_owned() } else { told.join(", ") };
            let message =
                format!("story {}, \"{}\": what happens is {told}", at_story + 1, written.title);
            let expected = written.expect.join(", ");
            let help = Some(format!("the story expects {expected}; are the delays right?"));
            faults.extend(loaded.built.story_fault(at_scene, at_story, line, message, help));
        }
    }
    faults
}

/// What there is, in one line.
fn found(loaded: &Loaded) -> String {
    let community = &loaded.built.community;
    let stories: usize = community.scenes.iter().map(|scene| scene.stories.len()).sum();
    [
        counted(community.device_types.len(), "device type")
            + &format!(" ({})", holding(loaded.built.examples(), "example")),
        counted(community.scenes.len(), "scene") + &format!(" ({})", holding(stories, "story")),
        counted(community.devices.len(), "device")
            + &format!(" in {}", counted(community.areas.len(), "area")),
        counted(loaded.config.brokers.len(), "broker"),
        counted(loaded.config.lines.len(), "line"),
    ]
    .join(", ")
}

fn counted(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

fn holding(count: usize, noun: &str) -> String {
    format!("{} {}", counted(count, noun), if count == 1 { "holds" } else { "hold" })
}

/// Reads files and keeps what went wrong.
#[derive(Default)]
struct Reader {
    texts: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl Reader {
    fn file(&mut self, path: &Path) -> Option<File> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.texts.insert(name.clone(), text.clone());
                Some(File { name, text })
            }
            Err(error) => {
                self.fault(path, &format!("cannot be read: {error}"), LAYOUT);
                None
            }
        }
    }

    /// Every `.toml` of a folder, by name.
    fn folder(&mut self, path: &Path) -> Vec<File> {
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.fault(path, &format!("cannot be listed: {error}"), LAYOUT);
                return Vec::new();
            }
        };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort();
        if files.is_empty() {
            self.fault(path, "holds no `.toml` file", LAYOUT);
        }
        files.iter().filter_map(|path| self.file(path)).collect()
    }

    /// The installed models; `None` when one of them cannot be read, so that it is told once.
    fn models(&mut self, folder: &Path) -> Option<Vec<ModelSpec>> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.join("model.toml").is_file())
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        let mut specs = Vec::new();
        for name in &names {
            match load_specs(folder, [name]) {
                Ok(spec) => specs.extend(spec),
                Err(error) => {
                    let message = format!("{:#}", anyhow::Error::from(error));
                    self.fault(&folder.join(name), &message, "install the model again");
                }
            }
        }
        (specs.len() == names.len()).then_some(specs)
    }

    fn fault(&mut self, path: &Path, message: &str, help: &str) {
        self.faults.push(Fault {
            file: path.display().to_string(),
            span: 0..0,
            message: message.to_owned(),
            help: Some(help.to_owned()),
        });
    }

    fn into_faults(mut self, more: Vec<Fault>) -> Faults {
        self.faults.extend(more);
        Faults::new(self.faults, self.texts)
    }
}
