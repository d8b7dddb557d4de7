//! Room that is kept for a start on a full disk.
//!
//! sled writes when it opens, so that a full disk would keep a gateway from starting that could go on
//! with what it knows. `reserve` is a file of no content in the store's folder; when the store does not
//! open for want of room, it is given up, and laid by again at a start that finds room. What is written
//! in between fills the room that it left; after that the disk fails as it does while the gateway runs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// sled takes its room by half mebibytes; this is enough for a few starts and the first events.
const BYTES: usize = 4 << 20;

const NAME: &str = "reserve";

/// Gives the reserve up; false when there is none.
pub(super) fn spend(folder: &Path) -> bool {
    std::fs::remove_file(folder.join(NAME)).is_ok()
}

/// Whether there is a reserve.
pub(super) fn is_there(folder: &Path) -> bool {
    std::fs::metadata(folder.join(NAME)).is_ok_and(|file| file.len() == BYTES as u64)
}

/// Lays the reserve by, unless it is there. It must never be the reason why something else fails.
pub(super) fn lay_by(folder: &Path) {
    let path = folder.join(NAME);
    if is_there(folder) {
        return;
    }
    if let Err(error) = write(&path) {
        let _ = std::fs::remove_file(&path);
        tracing::warn!(
            folder = %folder.display(), %error,
            "no room could be kept for a start on a full disk; make room on that disk"
        );
    }
}

/// Real bytes: a hole in a file takes no room that it could give back.
fn write(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let block = [0xa5; 8 << 10];
    for _ in 0..BYTES / block.len() {
        file.write_all(&block)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_laid_by_once_and_spent_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!spend(folder.path()));

        lay_by(folder.path());
        lay_by(folder.path());

        assert_eq!(std::fs::metadata(folder.path().join(NAME)).unwrap().len(), 4 << 20);
        assert!(spend(folder.path()));
        assert!(!spend(folder.path()));
    }
}
