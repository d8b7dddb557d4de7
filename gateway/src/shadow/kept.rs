//! `bundles/account` in the store's folder: the accounts, over restarts and for those who ask on this
//! box. Replaced as a whole; a power cut loses at most what was counted since.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::account::Account;

const FILE: &str = "account";

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    /// Of the candidate beside the live one.
    pub candidate: Option<Account>,
    /// Of the bundle that was promoted last; the sides of the candidate in it are empty.
    pub probation: Option<Account>,
}

impl Kept {
    /// What was kept below that folder; nothing where nothing was.
    pub fn read(folder: &Path) -> io::Result<Self> {
        match fs::read(folder.join(FILE)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Puts this in the place of what was kept.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let partial = folder.join(".account");
        let mut file = File::create(&partial)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&partial, folder.join(FILE))?;
        File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::reading::Timestamp;

    use super::*;

    #[test]
    fn what_was_written_is_read_and_half_a_file_is_never_seen() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Kept::read(folder.path()).unwrap(), Kept::default());
        let account = Account::new("b".into(), "b 1".into(), Timestamp(5));
        let kept = Kept { candidate: Some(account), probation: None };
        kept.write(folder.path()).unwrap();
        assert_eq!(Kept::read(folder.path()).unwrap(), kept);
        let old = File::open(folder.path().join(FILE)).unwrap();

        Kept::default().write(folder.path()).unwrap();

        assert_eq!(Kept::read(folder.path()).unwrap(), Kept::default());
        let old: Kept = serde_json::from_reader(old).unwrap();
        assert_eq!(old, kept, "it was replaced, not written over");
        // A power cut in the next write.
        fs::write(folder.path().join(".account"), "{\"cand").unwrap();
        assert_eq!(Kept::read(folder.path()).unwrap(), Kept::default());
    }
}
