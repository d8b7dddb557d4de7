//! Files that only grow at their end: a row of pages, each behind its length and a checksum. A page that a
//! power cut tore is cut off before the next is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::marks::check;

/// Length and checksum before a page.
const HEAD: usize = 4 + 8;
/// No page is longer; a length beyond is damage.
const LONGEST: usize = 64 << 20;

/// Whole pages up to the first that is not.
pub(super) struct Pages<R>(pub(super) R);

impl<R: Read> Iterator for Pages<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut head = [0; HEAD];
        let is_end = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        match self.0.read_exact(&mut head) {
            Err(error) if is_end(&error) => return None,
            Err(error) => return Some(Err(error)),
            Ok(()) => {}
        }
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if length > LONGEST {
            return None;
        }
        let mut page = Vec::new();
        match self.0.by_ref().take(length as u64).read_to_end(&mut page) {
            Err(error) => Some(Err(error)),
            Ok(_) => (page.len() == length && check(&page) == head[4..]).then_some(Ok(page)),
        }
    }
}

/// A page as it is written.
pub(super) fn framed(page: &[u8]) -> Vec<u8> {
    let length = u32::try_from(page.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &check(page), page].concat()
}

/// Opens a file behind its last whole page; makes it, durably, where there is none.
pub(super) fn open_at_end(path: &Path) -> io::Result<File> {
    let is_new = !path.exists();
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    let mut whole = 0;
    for page in Pages(&file) {
        whole += (HEAD + page?.len()) as u64;
    }
    file.set_len(whole)?;
    file.seek(SeekFrom::Start(whole))?;
    if is_new && let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}
