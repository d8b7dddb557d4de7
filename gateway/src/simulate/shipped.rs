//! The configuration and the models that the program carries within itself, so that `demo` runs
//! from anywhere.

use std::path::{Path, PathBuf};

/// Every file of `config/` and what is needed of `models/`, by its path from the repository's root.
const FILES: &[(&str, &[u8])] = &[];

/// Writes everything below `folder`, as in the repository; returns the configuration's folder.
pub fn unpack(folder: &Path) -> std::io::Result<PathBuf> {
    for (name, content) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, content)?;
    }
    Ok(folder.join("config"))
}
