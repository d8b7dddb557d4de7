//! A folder for one demonstration: nobody else's, and gone afterwards.

use std::path::{Path, PathBuf};

/// Removed with everything in it when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a folder that did not exist before and that only this user can enter.
    pub fn new() -> std::io::Result<Self> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| std::io::Error::other(error.to_string()))?;
        let name = format!("gatehouse-demo-{:016x}", u64::from_ne_bytes(name));
        let path = std::env::temp_dir().join(name);

        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a temporary folder stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_is_fresh_and_leaves_nothing_behind() {
        let (one, other) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        let path = one.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();

        assert_ne!(one.path(), other.path());
        drop(one);
        assert!(!path.exists());
    }
}
