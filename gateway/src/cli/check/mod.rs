//! `gatehouse check`: everything that `run` would load, and every fault in it at once.
//!
//! `run`, `replay` and `demo` load their configuration through [`load`] too, so what they accept is
//! what `check` accepts. `check` goes on from there: it opens the models and plays the stories.

pub mod aside;
mod buses;
mod cameras;
mod channels;
mod gateway;
mod overlay;
mod reader;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use gatehouse_core::community::build::{Built, Files, Surroundings, build};
use gatehouse_core::community::document::Document;
use gatehouse_core::community::expectation::Expectation;
use gatehouse_core::community::fault::Fault;
use gatehouse_core::community::scene::Detector;
use gatehouse_core::story;

use super::INVALID;
use crate::bundle::BundleError;
use crate::bundle::installed::{Installed, Layer};
use crate::bundle::keys::{Trust, public};
use crate::config::GatewayConfig;
use crate::infer::{Models, Shelves};
use crate::origins::Origins;
use crate::overlay::Overlay;
use crate::service::Setup;
use crate::workshop;

pub use overlay::judge;
use reader::{Reader, model_fault};
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
    /// Write one JSON object to stdout: the faults, and what there is when there are none
    #[arg(long)]
    pub json: bool,
}

/// A configuration without faults.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: GatewayConfig,
    pub built: Built,
    /// Where its models lie.
    pub models: Shelves,
    /// What is laid over the folder.
    pub bundle: Option<Layer>,
    /// Who says what.
    pub origins: Origins,
    /// Every file that was read, by the name that faults give it.
    texts: BTreeMap<String, String>,
}

impl Loaded {
    /// What is no fault and should be known.
    pub fn notices(&self) -> Faults {
        Faults::new(self.built.notices.clone(), self.texts.clone())
    }

    pub fn into_setup(self) -> Setup {
        Setup {
            config: self.config,
            community: self.built.community,
            models: self.models,
            bundle: self.bundle,
            origins: Arc::new(self.origins),
            candidate: None,
            is_demo: false,
            workshop: None,
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outcome = load_all(&args.config, Over::Installed);
    let mut out = std::io::stdout().lock();
    match outcome {
        Ok(loaded) => {
            let found = Found::in_folder(&loaded);
            let notices = loaded.notices();
            if args.json {
                writeln!(
                    out,
                    "{}",
                    serde_json::json!({ "faults": [], "notices": notices.json(), "found": found })
                )?;
            } else {
                eprint!("{}", notices.plain());
                writeln!(out, "{}: {found}", args.config.display())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(faults) => {
            if args.json {
                writeln!(out, "{}", serde_json::json!({ "faults": faults.json() }))?;
            } else {
                faults.print();
            }
            Ok(ExitCode::from(INVALID))
        }
    }
}

/// What is laid over the files of a configuration folder.
#[derive(Debug, Clone, Copy)]
pub enum Over<'l> {
    /// The bundle that is installed, if any.
    Installed,
    /// What was installed before it.
    Previous,
    /// The candidate that runs beside it, if any.
    Candidate,
    /// This one, which may become the installed one, or nothing.
    This(Option<&'l Layer>),
}

/// Reads and checks a configuration folder, with the installed bundle laid over it.
pub fn load(folder: &Path) -> Result<Loaded, Faults> {
    load_with(folder, Over::Installed)
}

/// Reads and checks a configuration folder with this laid over it.
pub fn load_with(folder: &Path, over: Over<'_>) -> Result<Loaded, Faults> {
    load_parts(folder, over, Changes::default())
}

/// A configuration with one scene changed.
pub struct Changed {
    pub loaded: Loaded,
    /// The scene's id.
    pub scene: String,
    /// Stories that do not go as they say any more.
    pub warnings: Vec<String>,
}

/// Reads and checks a configuration folder with this scene in the place of the one of its id. Its
/// stories may tell of what it was before, so that they are no faults.
pub fn load_changed(folder: &Path, scene: &Path) -> Result<Changed, Faults> {
    let changes = Changes { scene: Some(scene), ..Changes::default() };
    let loaded = load_parts(folder, Over::Installed, changes)?;
    let name = scene.display().to_string();
    let id = loaded.texts.get(&name).and_then(|text| reader::scene_id(text)).unwrap_or_default();
    let of_scene = stories(&loaded).into_iter().filter(|fault| fault.file == name).collect();
    let told = Faults::new(of_scene, loaded.texts.clone()).plain();
    let warnings = told.lines().map(ToOwned::to_owned).collect();
    Ok(Changed { scene: id, warnings, loaded })
}

/// What is tried in the place of what there is.
#[derive(Debug, Clone, Copy, Default)]
struct Changes<'c> {
    scene: Option<&'c Path>,
    /// What was made on the console.
    overlay: Option<&'c Path>,
    /// Of what people made or set there, what is not looked at.
    without: &'c [PathBuf],
}

fn load_parts(folder: &Path, over: Over<'_>, changes: Changes<'_>) -> Result<Loaded, Faults> {
    let mut reader = Reader::default();
    if !folder.is_dir() {
        reader.missing(folder, "there is no such folder");
        return Err(reader.into_faults(Vec::new()));
    }
    let gateway = reader.file(&folder.join("gateway.toml"));
    let read = gateway.map(|file| Document::read::<GatewayConfig>(&file.name, &file.text));
    let (mut document, mut config) = match read {
        Some((document, config)) => (Some(document), config),
        None => (None, None),
    };
    if let Some((document, config)) = document.as_mut().zip(config.as_mut()) {
        gateway::resolve(config, folder);
        gateway::check(document, config, folder);
    }
    let layer = config.as_ref().and_then(|config| layer(&mut reader, config, over));
    let over = |name: &str| layer.as_ref().map(|layer| layer.folder.join(name));
    let community = over("community.toml").filter(|path| path.is_file());
    let community = community.unwrap_or_else(|| folder.join("community.toml"));
    let names =
        [folder.join("gateway.toml"), community.clone()].map(|path| path.display().to_string());
    let community = reader.file(&community);
    let mut device_types =
        reader.layered(&folder.join("device-types"), over("device-types").as_deref());
    let made = config.as_ref().map(|config| workshop::below(&config.store.path));
    let made = changes.overlay.map(Path::to_owned).or(made);
    let made = made.filter(|made| !changes.without.contains(made));
    let types = made.as_ref().map(|made| reader.added(&made.join(workshop::DEVICE_TYPES)));
    device_types.extend(types.into_iter().flatten());
    let (community, seam) = overlay::with_devices(&mut reader, community, made.as_deref());
    let mut scenes = reader.layered(&folder.join("scenes"), over("scenes").as_deref());
    if let Some(file) = changes.scene.and_then(|path| reader.file(path)) {
        let id = reader::scene_id(&file.text);
        scenes.retain(|other| id.is_none() || reader::scene_id(&other.text) != id);
        scenes.push(file);
    }
    let models = config
        .as_ref()
        .map_or_else(Shelves::default, |config| shelves(config, folder, layer.as_ref()));
    // Where the folder itself is wrong, no scene can be blamed.
    let is_told = document.as_ref().is_none_or(|document| document.is_doubtful("models.path"));
    let installed = config.as_ref().filter(|_| !is_told).and_then(|_| reader.models(&models));
    let (specs, pictures) = installed.unzip();
    let sources = document.as_ref().zip(config.as_ref());
    let unmasked = sources
        .zip(pictures.as_deref())
        .and_then(|((document, config), pictures)| gateway::unmasked(document, config, pictures));
    let mut origins = Origins::of_files(&device_types, &scenes);
    let store = config.as_ref().map(|config| config.store.path.as_path());
    let store = store.filter(|store| !changes.without.contains(&crate::overlay::path(store)));
    let set = store.and_then(|store| reader.overlay(store));
    let set = set.map(|file| Document::read::<Overlay>(&file.name, &file.text));
    let (mut set, overlay) = set.unzip();
    origins.overlay = overlay.flatten().unwrap_or_default();
    if let Some(document) = &mut set {
        origins.overlay.check(document);
    }
    let around = Surroundings {
        township: config.as_ref().map_or_else(String::new, |c| c.gateway.township.clone()),
        gateway: config.as_ref().map_or_else(String::new, |c| c.gateway.id.clone()),
        sources: sources.and_then(|(document, config)| gateway::sources(document, config)),
        models: specs,
        pictures,
        camera_topics: config.as_ref().map(gateway::camera_topics).unwrap_or_default(),
        drawings: origins.overlay.drawings(),
        statuses: origins.overlay.scenes.iter().map(|(id, s)| (id.clone(), s.status)).collect(),
    };
    let mut faults = document.as_ref().map_or_else(Vec::new, |document| document.faults().to_vec());
    faults.sort_by_key(|fault| fault.span.start);
    faults.extend(set.into_iter().flat_map(|document| document.faults().to_vec()));
    // What cannot be read would be missed wherever it is referred to.
    let site = community.clone();
    let built = community.filter(|_| !reader.is_incomplete).map(|community| {
        build(&Files { community, device_types, scenes }, &around).map_err(|more| {
            faults.extend(seam.told_apart(more));
        })
    });
    if let (Some(document), Some(config), Some(Ok(built)), Some(site)) =
        (&mut document, &config, &built, &site)
    {
        faults.extend(channels::check_names(document, config, &built.community, site));
    }
    match (config, built) {
        (Some(config), Some(Ok(mut built))) if faults.is_empty() && !reader.has_faults() => {
            built.notices.extend(unmasked);
            let [gateway, site] = &names;
            origins.fill(&config, &built.community.scenes, &reader.texts, (gateway, site));
            (origins.models, origins.library) = (models.clone(), config.models.onnxruntime.clone());
            Ok(Loaded { config, built, models, bundle: layer, origins, texts: reader.texts })
        }
        _ => Err(reader.into_faults(faults)),
    }
}

/// Reads and checks a configuration folder, opens its models and plays its stories.
pub fn load_all(folder: &Path, over: Over<'_>) -> Result<Loaded, Faults> {
    complete(load_with(folder, over)?)
}

fn complete(mut loaded: Loaded) -> Result<Loaded, Faults> {
    let mut faults = open_models(&mut loaded);
    faults.extend(stories(&loaded));
    if faults.is_empty() { Ok(loaded) } else { Err(Faults::new(faults, loaded.texts)) }
}

/// The candidate over the same folder, if there is one, to run beside; why not, when it cannot.
pub fn load_candidate(folder: &Path, config: &GatewayConfig) -> Option<Result<Box<Setup>, String>> {
    Installed::below(&config.store.path).run_of_candidate()?;
    let loaded = load_with(folder, Over::Candidate).map(|loaded| Box::new(loaded.into_setup()));
    Some(loaded.map_err(|faults| faults.plain()))
}

/// `gateway.toml` alone, for commands that need no community.
pub struct Gateway {
    pub config: GatewayConfig,
    /// Where its models lie.
    pub models: Shelves,
    /// What is laid over the folder; why not, when it cannot be.
    pub bundle: Result<Option<Layer>, BundleError>,
}

/// Reads and checks `gateway.toml`.
pub fn load_gateway(folder: &Path) -> Result<Gateway, Faults> {
    let mut reader = Reader::default();
    let file = reader.file(&folder.join("gateway.toml"));
    let read = file.map(|file| Document::read::<GatewayConfig>(&file.name, &file.text));
    let Some((mut document, config)) = read else { return Err(reader.into_faults(Vec::new())) };
    if let Some(mut config) = config {
        gateway::resolve(&mut config, folder);
        gateway::check(&mut document, &config, folder);
        if document.faults().is_empty() && !reader.has_faults() {
            let bundle = find_layer(&config, Over::Installed);
            let models = shelves(&config, folder, bundle.as_ref().ok().and_then(Option::as_ref));
            return Ok(Gateway { config, models, bundle });
        }
    }
    Err(reader.into_faults(document.faults().to_vec()))
}

/// The settings of `gateway.toml`, for who must know them before anything is loaded; a fault in them is
/// told by who loads it.
pub fn settings(folder: &Path) -> Option<GatewayConfig> {
    let file = Reader::default().file(&folder.join("gateway.toml"))?;
    let (_, config) = Document::read::<GatewayConfig>(&file.name, &file.text);
    let mut config = config?;
    gateway::resolve(&mut config, folder);
    Some(config)
}

/// Whether a bundle lies over the configuration, sound or not.
pub fn has_bundle(folder: &Path) -> bool {
    load_gateway(folder)
        .is_ok_and(|gateway| Installed::below(&gateway.config.store.path).has_current())
}

fn shelves(config: &GatewayConfig, folder: &Path, over: Option<&Layer>) -> Shelves {
    let over = over.map(|layer| layer.folder.join("models"));
    Shelves::new(over.into_iter().chain([folder.join(&config.models.path)]).collect())
}

/// A key that cannot be read is told where it is named.
fn layer(reader: &mut Reader, config: &GatewayConfig, over: Over<'_>) -> Option<Layer> {
    find_layer(config, over).unwrap_or_else(|error| {
        reader.bad_bundle(Installed::below(&config.store.path).folder(), &error);
        None
    })
}

fn find_layer(config: &GatewayConfig, over: Over<'_>) -> Result<Option<Layer>, BundleError> {
    let installed = Installed::below(&config.store.path);
    let keys: Vec<_> =
        config.bundles.trusted_keys.iter().filter(|key| public(key).is_ok()).collect();
    let trust = Trust::read(&keys)?;
    match over {
        Over::Installed => installed.current(&trust),
        Over::Previous => installed.previous(&trust),
        Over::Candidate => installed.candidate(&trust),
        Over::This(layer) => Ok(layer.cloned()),
    }
}

/// Opens the models that the scenes name: are they what their manifests say?
fn open_models(loaded: &mut Loaded) -> Vec<Fault> {
    let scenes = &loaded.built.community.scenes;
    let detectors = scenes.iter().flat_map(|scene| &scene.detectors);
    let names: BTreeSet<&str> = detectors.flat_map(Detector::models).collect();
    let library = loaded.config.models.onnxruntime.as_deref();
    let open = |name: &str| {
        let error = Models::open(&loaded.models, [name], library).err()?;
        let folder = loaded.models.find(name).unwrap_or_default();
        Some(model_fault(&mut loaded.texts, &folder, error))
    };
    names.into_iter().filter_map(open).collect()
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
            let told = story::play(
                scene,
                written,
                device_type,
                &community.models,
                community.calendar.as_ref(),
            );
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
            let expected = match written.expect.as_slice() {
                [] => "nothing".to_owned(),
                lines => lines.join(", "),
            };
            let help = Some(format!("the story expects {expected}; are the delays right?"));
            faults.extend(loaded.built.story_fault(at_scene, at_story, line, message, help));
        }
    }
    faults
}

/// What there is in a configuration without faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
struct Found {
    device_types: usize,
    examples: usize,
    scenes: usize,
    stories: usize,
    devices: usize,
    areas: usize,
    brokers: usize,
    lines: usize,
    cameras: usize,
    buses: usize,
}

impl Found {
    fn in_folder(loaded: &Loaded) -> Self {
        let community = &loaded.built.community;
        Self {
            device_types: community.device_types.len(),
            examples: loaded.built.examples(),
            scenes: community.scenes.len(),
            stories: community.scenes.iter().map(|scene| scene.stories.len()).sum(),
            devices: community.devices.len(),
            areas: community.areas.len(),
            brokers: loaded.config.brokers.len(),
            lines: loaded.config.lines.len(),
            cameras: loaded.config.cameras.len(),
            buses: loaded.config.buses.len(),
        }
    }
}

/// In one line.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}), {} ({}), {} in {}, {}, {}, {}",
            counted(self.device_types, "device type"),
            holding(self.examples, "example"),
            counted(self.scenes, "scene"),
            holding(self.stories, "story"),
            counted(self.devices, "device"),
            counted(self.areas, "area"),
            counted(self.brokers, "broker"),
            counted(self.lines, "line"),
            counted(self.cameras, "camera"),
        )?;
        // Most boxes have none.
        match self.buses {
            0 => Ok(()),
            1 => f.write_str(", 1 bus"),
            buses => write!(f, ", {buses} buses"),
        }
    }
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
