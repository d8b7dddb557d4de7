//! A second memory of the two numbers that must never run backwards.
//!
//! A database whose end was torn off still opens, and would give out sequences a second time. After
//! each synced write this small file takes the boot counter and the last sequence; it is not synced
//! itself, so it may lag after a power cut, and never runs ahead.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::layout::number;

/// The file, and what it says.
pub(super) struct Marks {
    file: File,
    pub(super) boot: u64,
    pub(super) sequence: u64,
}

impl Marks {
    /// Zero for what cannot be read.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("marks"))?;
        let mut bytes = [0; 24];
        let is_whole =
            file.read_exact_at(&mut bytes, 0).is_ok() && bytes[16..] == check(&bytes[..16]);
        let (boot, sequence) = if is_whole {
            (number(&bytes[..8]).unwrap_or(0), number(&bytes[8..16]).unwrap_or(0))
        } else {
            (0, 0)
        };
        Ok(Self { file, boot, sequence })
    }

    pub(super) fn set(&mut self, boot: u64, sequence: u64) -> io::Result<()> {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&boot.to_be_bytes());
        bytes[8..16].copy_from_slice(&sequence.to_be_bytes());
        let sum = check(&bytes[..16]);
        bytes[16..].copy_from_slice(&sum);
        self.file.write_all_at(&bytes, 0)?;
        (self.boot, self.sequence) = (boot, sequence);
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// A checksum.
pub(super) fn check(bytes: &[u8]) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut sum = [0; 8];
    sum.copy_from_slice(&digest[..8]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_back_and_damaged_ones_count_as_none() {
        let folder = tempfile::tempdir().unwrap();
        Marks::open(folder.path()).unwrap().set(3, 4_711).unwrap();

        let marks = Marks::open(folder.path()).unwrap();
        assert_eq!((marks.boot, marks.sequence), (3, 4_711));

        marks.file.write_all_at(&[0xff], 12).unwrap();
        let marks = Marks::open(folder.path()).unwrap();
        assert_eq!((marks.boot, marks.sequence), (0, 0));
    }
}
