//! A folder of JPEGs, or one, in place of a camera: for trying things out, and for a demonstration.
//!
//! In the order of their names, one every `every`; once, or over and over.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::eye::Eye;
use super::slots::Content;
use super::trouble::Why;
use super::{MOST_BYTES, is_jpeg};

/// Replays until the end, or until told to stop.
pub(super) fn watch(eye: &Eye, path: &Path, is_loop: bool) -> Result<(), Why> {
    eye.begin();
    loop {
        for picture in pictures(path)? {
            match read(&picture) {
                Ok(bytes) => eye.show(Content::Jpeg(bytes)),
                Err(why) => eye.count(why),
            }
            // From the beginning it would never come to the good ones behind the bad: it goes on.
            let pause = eye.hopeless().map_or(Duration::ZERO, |why| eye.lost(why));
            if !eye.rest(eye.every() + pause) {
                return Ok(());
            }
        }
        if !is_loop {
            return Err(Why::Ended(path.display().to_string()));
        }
    }
}

fn pictures(path: &Path) -> Result<Vec<PathBuf>, Why> {
    let unreadable = |error: std::io::Error| cannot_read(path, error.to_string());
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let listed: Result<Vec<_>, _> = std::fs::read_dir(path).map_err(unreadable)?.collect();
    let mut pictures: Vec<PathBuf> =
        listed.map_err(unreadable)?.iter().map(std::fs::DirEntry::path).collect();
    pictures.retain(|path| {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        end.eq_ignore_ascii_case("jpg") || end.eq_ignore_ascii_case("jpeg")
    });
    pictures.sort();
    if pictures.is_empty() {
        return Err(cannot_read(path, "it holds no .jpg or .jpeg".to_owned()));
    }
    Ok(pictures)
}

fn read(path: &Path) -> Result<Vec<u8>, Why> {
    let unreadable = |error: std::io::Error| cannot_read(path, error.to_string());
    let mut bytes = Vec::new();
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MOST_BYTES {
        return Err(Why::TooLarge(MOST_BYTES));
    }
    if !is_jpeg(&bytes) {
        return Err(Why::NotAPicture(path.display().to_string()));
    }
    Ok(bytes)
}

fn cannot_read(path: &Path, why: String) -> Why {
    Why::Unreadable { path: path.display().to_string(), why }
}
