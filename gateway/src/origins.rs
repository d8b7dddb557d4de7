//! Where each setting of a configuration comes from: a line of a file, a bundle, the overlay, or nobody,
//! so that the program's own value holds. For the console's settings page, and for whoever has to read
//! the configuration's files again.
//!
//! Secrets are files, so that there is none among the values; what looks like one is hidden all the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gatehouse_core::community::build::File;
use gatehouse_core::community::fault::line_and_column;
use gatehouse_core::community::scene::{Scene, SceneHead, Status};
use serde::Serialize;
use toml::de::{DeTable, DeValue};

use crate::config::GatewayConfig;
use crate::infer::Shelves;
use crate::overlay::Overlay;

/// Where a configuration was read from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origins {
    /// In the order of the files.
    pub settings: Vec<Setting>,
    /// The files of device types, by id.
    pub device_types: BTreeMap<String, String>,
    /// The files of scenes and what they say of their status, by id.
    pub scenes: BTreeMap<String, (String, Status)>,
    /// What people have set since.
    pub overlay: Overlay,
    /// Where its models lie.
    pub models: Shelves,
    /// ONNX Runtime's library, where one is named.
    pub library: Option<PathBuf>,
}

/// One value in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// `gateway.toml`, `community.toml`, or the scene's id behind `scenes/`.
    pub part: String,
    /// As in the file, with the ids of lists: `broker.sensors.url`.
    pub key: String,
    pub value: String,
    #[serde(flatten)]
    pub origin: Origin,
}

/// Who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "origin")]
pub enum Origin {
    /// Nobody: the program's own value.
    Default,
    File {
        file: String,
        line: usize,
    },
    /// Somebody on the console.
    Overlay {
        by: String,
        at: String,
    },
}

/// A value as a file has it.
struct Written {
    key: String,
    value: String,
    line: usize,
}

/// Parts of `community.toml` that other pages show, or that tell of persons.
const ELSEWHERE: [&str; 6] = ["area", "feeder", "device", "simulation", "person", "shift"];

/// Keys of a scene's head that are settings and not its contents.
const OF_SCENES: [&str; 6] = ["status", "per", "tier", "review", "reopen-within", "false-alarms"];

impl Origins {
    /// Notes which files device types and scenes are in.
    pub(crate) fn of_files(device_types: &[File], scenes: &[File]) -> Self {
        let mut origins = Self::default();
        for file in device_types {
            if let Some(id) = id_of(&file.text, "device-type") {
                origins.device_types.insert(id, file.name.clone());
            }
        }
        for file in scenes {
            if let Some(id) = id_of(&file.text, "scene") {
                let status = status_of(&file.text);
                origins.scenes.insert(id, (file.name.clone(), status));
            }
        }
        origins
    }

    /// Every setting of a configuration that was read from these files.
    pub(crate) fn fill(
        &mut self,
        config: &GatewayConfig,
        scenes: &[std::sync::Arc<Scene>],
        texts: &BTreeMap<String, String>,
        (gateway, community): (&str, &str),
    ) {
        let text = |name: &str| texts.get(name).map_or("", String::as_str);
        let written = written(text(gateway));
        for (key, value) in flat(config) {
            let line = written.iter().find(|w| w.key == key).map(|w| w.line);
            let origin = line.map_or(Origin::Default, |line| file(gateway, line));
            self.add("gateway.toml", key, &value, origin);
        }
        for Written { key, value, line } in self::written(text(community)) {
            if !ELSEWHERE.contains(&key.split('.').next().unwrap_or_default()) {
                self.add("community.toml", key, &value, file(community, line));
            }
        }
        for scene in scenes {
            self.fill_scene(&scene.head, texts);
        }
    }

    fn fill_scene(&mut self, head: &SceneHead, texts: &BTreeMap<String, String>) {
        let Some((name, _)) = self.scenes.get(&head.id).cloned() else { return };
        let written = written(texts.get(&name).map_or("", String::as_str));
        let part = format!("scenes/{}", head.id);
        for (key, value) in flat(head) {
            if !OF_SCENES.contains(&key.as_str()) {
                continue;
            }
            let line = written.iter().find(|w| w.key == format!("scene.{key}")).map(|w| w.line);
            let set = self.overlay.scenes.get(&head.id).filter(|_| key == "status");
            let origin = match (set, line) {
                (Some(set), _) => Origin::Overlay { by: set.by.clone(), at: set.at.clone() },
                (None, Some(line)) => file(&name, line),
                (None, None) => Origin::Default,
            };
            self.add(&part, key, &value, origin);
        }
    }

    fn add(&mut self, part: &str, key: String, value: &str, origin: Origin) {
        let value = masked(&key, value);
        self.settings.push(Setting { part: part.to_owned(), key, value, origin });
    }
}

fn file(name: &str, line: usize) -> Origin {
    Origin::File { file: name.to_owned(), line }
}

/// Every value of something that can be written as TOML.
fn flat(of: &impl Serialize) -> Vec<(String, String)> {
    let text = toml::to_string(of).unwrap_or_default();
    written(&text).into_iter().map(|written| (written.key, written.value)).collect()
}

/// Every value in a text, with its line.
fn written(text: &str) -> Vec<Written> {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut found = Vec::new();
    walk_table(table.get_ref(), "", text, &mut found);
    found
}

fn walk_table(table: &DeTable<'_>, path: &str, text: &str, found: &mut Vec<Written>) {
    for (key, value) in table {
        let key = key.get_ref();
        let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        walk(value.get_ref(), value.span().start, &path, text, found);
    }
}

fn walk(value: &DeValue<'_>, at: usize, path: &str, text: &str, found: &mut Vec<Written>) {
    match value {
        DeValue::Table(table) => walk_table(table, path, text, found),
        DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
            for (position, item) in items.iter().enumerate() {
                let id = item.get_ref().as_table().and_then(|table| table.get("id"));
                let id = id.and_then(|id| id.get_ref().as_str()).map(ToOwned::to_owned);
                let step = id.unwrap_or_else(|| (position + 1).to_string());
                walk(item.get_ref(), item.span().start, &format!("{path}.{step}"), text, found);
            }
        }
        DeValue::Array(items) => {
            let list: Vec<String> = items.iter().map(|item| plain(item.get_ref())).collect();
            note(path, list.join(", "), at, text, found);
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => note(path, plain(value), at, text, found),
    }
}

fn note(path: &str, value: String, at: usize, text: &str, found: &mut Vec<Written>) {
    let (line, _) = line_and_column(text, at);
    found.push(Written { key: path.to_owned(), value, line });
}

fn plain(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let list: Vec<String> = items.iter().map(|item| plain(item.get_ref())).collect();
            format!("[{}]", list.join(", "))
        }
        DeValue::Table(_) => "{…}".to_owned(),
    }
}

/// Nothing that may open a door is shown, not even where nobody should have written it.
fn masked(key: &str, value: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or_default();
    let is_secret = ["password", "secret", "token", "key"]
        .iter()
        .any(|word| name == *word || name.ends_with(&format!("-{word}")));
    if is_secret {
        return "•••".to_owned();
    }
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    // A robot's address carries its key behind the question mark.
    let (place, has_query) = rest.split_once('?').map_or((rest, false), |(place, _)| (place, true));
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    format!("{scheme}://{host}{}", if has_query { "?•••" } else { "" })
}

fn id_of(text: &str, table: &str) -> Option<String> {
    let (root, _) = DeTable::parse_recoverable(text);
    let head = root.get_ref().get(table)?.get_ref().as_table()?;
    Some(head.get("id")?.get_ref().as_str()?.to_owned())
}

fn status_of(text: &str) -> Status {
    let status = written(text).into_iter().find(|written| written.key == "scene.status");
    match status.as_ref().map(|written| written.value.as_str()) {
        Some("pilot") => Status::Pilot,
        Some("off") => Status::Off,
        Some(_) | None => Status::Live,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::SceneSetting;

    const GATEWAY: &str = "[gateway]\nid = \"g\"\ntownship = \"t\"\n[[broker]]\nid = \"sensors\"\n\
        url = \"mqtt://127.0.0.1:1883\"\n[broker.access]\nuser = \"u\"\npassword-file = \"p\"\n";
    const SCENE: &str = "[scene]\nid = \"air\"\ntitle = { zh = \"\", en = \"\" }\n\
        category = \"environment\"\nstatus = \"pilot\"\ntier = \"community\"\nadvice = { zh = \"\", en = \"\" }\n";

    #[test]
    fn every_value_is_shown_with_who_says_so() {
        let file = |name: &str, text: &str| File { name: name.into(), text: text.into() };
        let mut origins = Origins::of_files(&[], &[file("scenes/a.toml", SCENE)]);
        let setting = SceneSetting { status: Status::Live, by: "li".into(), at: "now".into() };
        origins.overlay.scenes.insert("air".into(), setting);
        let texts = [
            ("g.toml", GATEWAY),
            ("scenes/a.toml", SCENE),
            ("c.toml", "[community]\nid = \"c\"\n[[person]]\nname = \"Li\"\n"),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let mut scene: Scene = toml::from_str(SCENE).unwrap();
        scene.head.status = Status::Live;

        let config = toml::from_str(GATEWAY).unwrap();
        origins.fill(&config, &[std::sync::Arc::new(scene)], &texts, ("g.toml", "c.toml"));

        assert_eq!(origins.scenes["air"], ("scenes/a.toml".to_owned(), Status::Pilot));
        let told = |part: &str, key: &str| {
            let found = origins.settings.iter().find(|s| s.part == part && s.key == key);
            found.map(|s| (s.value.clone(), s.origin.clone()))
        };
        let at = |name: &str, line| super::file(name, line);
        for (part, key, value, origin) in [
            ("gateway.toml", "gateway.id", "g", at("g.toml", 2)),
            ("gateway.toml", "broker.sensors.url", "mqtt://127.0.0.1:1883", at("g.toml", 6)),
            ("gateway.toml", "broker.sensors.access.password-file", "p", at("g.toml", 9)),
            ("gateway.toml", "store.max-waiting", "100000", Origin::Default),
            ("community.toml", "community.id", "c", at("c.toml", 2)),
            ("scenes/air", "tier", "community", at("scenes/a.toml", 6)),
            ("scenes/air", "per", "device", Origin::Default),
            ("scenes/air", "status", "live", Origin::Overlay { by: "li".into(), at: "now".into() }),
        ] {
            assert_eq!(told(part, key), Some((value.to_owned(), origin)), "{part} {key}");
        }
        assert!(!origins.settings.iter().any(|s| s.value == "Li"), "a person is nobody's setting");
    }

    #[test]
    fn what_opens_a_door_is_hidden() {
        for (key, value, expected) in [
            ("channel.robot.secret", "abc", "•••"),
            ("channel.robot.key-file", "k", "k"),
            ("channel.robot.url", "https://h/send?key=abc", "https://h/send?•••"),
            ("broker.b.url", "mqtt://u:p@h:1", "mqtt://h:1"),
        ] {
            assert_eq!(masked(key, value), expected, "{key}");
        }
    }
}
