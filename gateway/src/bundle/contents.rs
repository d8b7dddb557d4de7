//! What a bundle holds: the list of its files, and which files may be in one.
//!
//! Paths are of a few known shapes, so that none can lead anywhere else: `community.toml`,
//! `device-types/<name>.toml`, `scenes/<name>.toml` and `models/<model>/<file>`. `gateway.toml` is not
//! among them: it says who this box is and whom it trusts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The list of files, in bytes.
pub const LONGEST_LIST: usize = 1 << 20;
/// Files in a bundle.
pub const MOST_FILES: usize = 1_000;
/// All files together, in bytes.
pub const LARGEST: u64 = 128 << 20;
const LONGEST_NAME: usize = 100;

/// The list of files; the signature is over its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    pub name: String,
    pub version: String,
    /// In the order in which their bytes follow.
    pub files: Vec<Item>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// In lower-case hexadecimal.
    pub sha256: String,
}

/// What has no place in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("`{0}` is no {1}; expected up to 100 letters, digits, dashes, dots and underscores")]
    Name(String, &'static str),
    #[error(
        "`{0}` has no place in a bundle; expected `community.toml`, `device-types/NAME.toml`, \
         `scenes/NAME.toml` or `models/NAME/FILE`"
    )]
    Path(String),
    #[error("`{0}` is in it twice")]
    Twice(String),
    #[error("it has {0} files; at most {MOST_FILES}")]
    TooMany(usize),
    #[error("its files have {0} bytes; at most {LARGEST}")]
    TooLarge(u64),
    #[error("it holds no file")]
    Empty,
}

impl Contents {
    /// The first thing that is wrong with the list.
    pub fn check(&self) -> Result<(), Wrong> {
        for (name, what) in [(&self.name, "name"), (&self.version, "version")] {
            if !is_plain(name) {
                return Err(Wrong::Name(name.clone(), what));
            }
        }
        if self.files.is_empty() {
            return Err(Wrong::Empty);
        }
        if self.files.len() > MOST_FILES {
            return Err(Wrong::TooMany(self.files.len()));
        }
        let mut seen = BTreeSet::new();
        for file in &self.files {
            if !has_place(&file.path) {
                return Err(Wrong::Path(file.path.clone()));
            }
            if !seen.insert(&file.path) {
                return Err(Wrong::Twice(file.path.clone()));
            }
        }
        let total = self.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        if total > LARGEST { Err(Wrong::TooLarge(total)) } else { Ok(()) }
    }

    /// `name version`, for people.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// Whether a file of this path may be in a bundle.
pub fn has_place(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let is_toml = |name: &str| name.strip_suffix(".toml").is_some_and(is_plain);
    match parts.as_slice() {
        ["community.toml"] => true,
        ["device-types" | "scenes", file] => is_plain(file) && is_toml(file),
        ["models", model, file] => is_plain(model) && is_plain(file),
        _ => false,
    }
}

/// Letters, digits, dashes, dots and underscores, and neither hidden nor a way up.
fn is_plain(name: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_fine)
}
