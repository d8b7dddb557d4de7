//! Where models lie: folders with one folder per model each.

use std::fmt;
use std::path::{Path, PathBuf};

use super::manifest::FILE;

/// Folders of models, in the order they are looked through: a model hides one of its name further on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelves(Vec<PathBuf>);

impl Shelves {
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self(folders)
    }

    /// The names of all models, in order; none where a folder cannot be read.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .0
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join(FILE).is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// The folder of a model.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        // A name is one of a list, so that none leads out of the shelf.
        let folder = self.0.iter().find(|shelf| shelf.join(name).join(FILE).is_file())?;
        self.names().iter().any(|known| known == name).then(|| folder.join(name))
    }
}

/// As people read it: `a or b`.
impl fmt::Display for Shelves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folders: Vec<String> = self.0.iter().map(|f| f.display().to_string()).collect();
        f.write_str(&folders.join(" or "))
    }
}

impl From<&Path> for Shelves {
    fn from(folder: &Path) -> Self {
        Self(vec![folder.to_owned()])
    }
}

impl From<&PathBuf> for Shelves {
    fn from(folder: &PathBuf) -> Self {
        folder.as_path().into()
    }
}

impl From<&Shelves> for Shelves {
    fn from(shelves: &Shelves) -> Self {
        shelves.clone()
    }
}
