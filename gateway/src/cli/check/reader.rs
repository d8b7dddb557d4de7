//! Opens the files of a configuration, and keeps what stands in the way of reading them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gatehouse_core::community::ModelSpec;
use gatehouse_core::community::build::{File, PictureKind, PictureModel};
use gatehouse_core::community::fault::Fault;
use gatehouse_sight::manifest::Says;

use super::{Faults, LAYOUT};
use crate::bundle::BundleError;
use crate::infer::manifest::{PictureSpec, Spec};
use crate::infer::{InferError, Shelves, load_spec};
use crate::overlay;

/// Reads files and keeps what went wrong.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) texts: BTreeMap<String, String>,
    faults: Vec<Fault>,
    /// A file or folder is missing whose content others may refer to.
    pub(super) is_incomplete: bool,
}

impl Reader {
    pub(super) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    /// A file's text. What is not UTF-8 in it is told, and the rest is read all the same.
    pub(super) fn file(&mut self, path: &Path) -> Option<File> {
        let name = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.missing(path, &format!("cannot be read: {error}"));
                return None;
            }
        };
        let wrong = std::str::from_utf8(&bytes).err().map(|error| error.valid_up_to());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(at) = wrong {
            let byte = bytes.get(at).copied().unwrap_or_default();
            self.faults.push(Fault {
                file: name.clone(),
                // The stand-in for what cannot be read.
                span: at..at + char::REPLACEMENT_CHARACTER.len_utf8(),
                message: format!("the file is not UTF-8: the byte here is 0x{byte:02X}"),
                help: Some("save it as UTF-8 (it may be in GBK or GB 18030)".to_owned()),
            });
        }
        self.texts.insert(name.clone(), text.clone());
        Some(File { name, text })
    }

    /// What people have set on the console, if anything.
    pub(super) fn overlay(&mut self, store: &Path) -> Option<File> {
        let path = overlay::path(store);
        let text = match overlay::text(store) {
            Ok(text) => text?,
            Err(error) => {
                self.faults.push(Fault {
                    file: path.display().to_string(),
                    span: 0..0,
                    message: format!("cannot be read: {error}"),
                    help: Some("without this file the configuration rules".to_owned()),
                });
                return None;
            }
        };
        let name = path.display().to_string();
        self.texts.insert(name.clone(), text.clone());
        Some(File { name, text })
    }

    /// Every `.toml` of a folder, by name; a file of `over` stands for the one of its name.
    pub(super) fn layered(&mut self, path: &Path, over: Option<&Path>) -> Vec<File> {
        let mut files = self.folder(path);
        let Some(over) = over.filter(|over| over.is_dir()) else { return files };
        let name = |file: &File| Path::new(&file.name).file_name().map(ToOwned::to_owned);
        for file in self.folder(over) {
            files.retain(|below| name(below) != name(&file));
            files.push(file);
        }
        files.sort_by_key(name);
        files
    }

    /// The `.toml` files of a folder that nobody need have.
    pub(super) fn added(&mut self, path: &Path) -> Vec<File> {
        let has_any = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if has_any { self.folder(path) } else { Vec::new() }
    }

    fn folder(&mut self, path: &Path) -> Vec<File> {
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.missing(path, &format!("cannot be listed: {error}"));
                return Vec::new();
            }
        };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort();
        if files.is_empty() {
            self.missing(path, "holds no `.toml` file");
        }
        files.iter().filter_map(|path| self.file(path)).collect()
    }

    /// The installed models, those of series and those of pictures; `None` when one of them cannot be
    /// read, so that it is told once.
    pub(super) fn models(
        &mut self,
        shelves: &Shelves,
    ) -> Option<(Vec<ModelSpec>, Vec<PictureModel>)> {
        let names = shelves.names();
        let (mut series, mut pictures, mut is_whole) = (Vec::new(), Vec::new(), true);
        for name in &names {
            match load_spec(shelves, name) {
                Ok(Spec::Series(spec)) => series.push(spec),
                Ok(Spec::Picture(PictureSpec { name, says, labels, .. })) => {
                    let kind = match says {
                        Says::Boxes => PictureKind::Boxes,
                        Says::Class => PictureKind::Class,
                        Says::Mask => PictureKind::Mask,
                    };
                    pictures.push(PictureModel { name, kind, labels });
                }
                Err(error) => {
                    let folder = shelves.find(name).unwrap_or_default();
                    let fault = model_fault(&mut self.texts, &folder, error);
                    self.faults.push(fault);
                    is_whole = false;
                }
            }
        }
        is_whole.then_some((series, pictures))
    }

    /// A bundle that cannot be used.
    pub(super) fn bad_bundle(&mut self, folder: &Path, error: &BundleError) {
        self.faults.push(Fault {
            file: folder.display().to_string(),
            span: 0..0,
            message: format!("the installed bundle is refused: {error}"),
            help: Some("install it again, or go back: `gatehouse bundle rollback`".to_owned()),
        });
    }

    pub(super) fn missing(&mut self, path: &Path, message: &str) {
        self.is_incomplete = true;
        self.faults.push(Fault {
            file: path.display().to_string(),
            span: 0..0,
            message: message.to_owned(),
            help: Some(LAYOUT.to_owned()),
        });
    }

    pub(super) fn into_faults(mut self, more: Vec<Fault>) -> Faults {
        self.faults.extend(more);
        Faults::new(self.faults, self.texts)
    }
}

/// The id of a scene, whatever else is wrong in its file.
pub(super) fn scene_id(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    Some(table.get("scene")?.get("id")?.as_str()?.to_owned())
}

/// What is wrong with a model, at its place in the manifest where it has one.
pub(super) fn model_fault(
    texts: &mut BTreeMap<String, String>,
    folder: &Path,
    error: InferError,
) -> Fault {
    let again = Some("install the model again from where it came from".to_owned());
    let (path, place, message, help) = match error {
        InferError::Malformed { path, line, column, reason } => (
            path,
            (line, column),
            reason,
            Some("correct it, or install the model again".to_owned()),
        ),
        InferError::Tampered { path, line, column, reason } => {
            (path, (line, column), reason, again)
        }
        InferError::Rejected { path, reason } => (path, (1, 1), reason, again),
        error @ (InferError::NotInstalled { .. }
        | InferError::Unreadable { .. }
        | InferError::NotLoaded(_)
        | InferError::Unanswered { .. }
        | InferError::NoEngine(_)
        | InferError::NoThread(_)) => {
            (folder.to_owned(), (1, 1), format!("{:#}", anyhow::Error::from(error)), again)
        }
    };
    let file = path.display().to_string();
    let is_text = path.extension().is_some_and(|extension| extension == "toml");
    if is_text && let Ok(text) = std::fs::read_to_string(&path) {
        texts.insert(file.clone(), text);
    }
    let at = texts.get(&file).map_or(0, |text| byte_at(text, place));
    Fault { file, span: at..at, message, help }
}

/// The byte at a line and a column, both from 1.
fn byte_at(text: &str, (line, column): (usize, usize)) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
}
