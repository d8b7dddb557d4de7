//! The files of the audit log: `NUMBER.jsonl`, named after the first line in each, and `head.json`,
//! which says how far the chain goes, so that a file that was cut at its end is found too.
//!
//! A line is on disk before the head that names it: after a power cut the head may be behind, never
//! ahead. Half a line at the end was never promised to anybody; it is taken away at the next append.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gatehouse_core::reading::Timestamp;
use serde::{Deserialize, Serialize};

use super::Note;
use super::chain::{Line, NOTHING};
use crate::{clock, replace};

/// A file that is longer than this is followed by a new one.
const LONG: u64 = 4 << 20;
/// Days that a line is kept at least; the law wants six months (网络安全法 21).
const KEPT_DAYS: i64 = 200;
/// No line is longer: each text has at most 500 letters, each letter at most 6 bytes.
const LONGEST_LINE: u64 = 32 * 1024;

/// Why the log cannot be written, or is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("`{}` cannot be used: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
    /// Somebody has changed the log.
    #[error("`{}`, line {line}: {why}", .path.display())]
    Broken { path: PathBuf, line: u64, why: String },
    /// The program is about to end.
    #[error("the gateway is about to end")]
    Stopped,
}

/// How far the chain goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// The first line that is kept.
    first: u64,
    /// The hash of the line before it.
    before: String,
    /// The last line.
    n: u64,
    hash: String,
}

/// The folder of the log.
#[derive(Debug, Clone)]
pub struct Book {
    folder: PathBuf,
    long: u64,
}

impl Book {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), long: LONG }
    }

    #[cfg(test)]
    pub(super) fn with_files_of(folder: &Path, long: u64) -> Self {
        Self { folder: folder.to_owned(), long }
    }

    /// Writes the notes behind the chain and syncs them: all, or none that counts.
    pub fn append(&self, notes: &[(String, Note)]) -> Result<(), AuditError> {
        if notes.is_empty() {
            return Ok(());
        }
        let _alone = self.lock(true)?;
        let mut head = self.head()?;
        if head.n == 0 {
            // From now on a log without a head was tampered with.
            self.stand(&head)?;
        }
        let (mut path, mut end) = self.last_file(&head)?;
        if end > self.long {
            path = self.file(head.n + 1);
            end = 0;
            self.forget_oldest(&mut head)?;
        }
        let io = |error| AuditError::Io { path: path.clone(), error };
        let mut text = String::new();
        for (at, note) in notes {
            let (line, written) = Line::after(head.n + 1, &head.hash, at, note);
            text.push_str(&written);
            text.push('\n');
            (head.n, head.hash) = (line.n, line.hash);
        }
        let mut options = File::options();
        let file = options.create(true).write(true).truncate(false).mode(0o600);
        let mut file = file.open(&path).map_err(io)?;
        // Whatever lies behind the head was never promised.
        file.set_len(end).map_err(io)?;
        file.seek(SeekFrom::Start(end)).map_err(io)?;
        file.write_all(text.as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        drop(file);
        self.stand(&head)
    }

    /// The newest lines that are wanted, newest first.
    pub fn newest(
        &self,
        is_wanted: impl Fn(&Line) -> bool,
        many: usize,
    ) -> Result<Vec<Line>, AuditError> {
        let mut found = Vec::new();
        for (path, _) in self.files()?.iter().rev() {
            let mut of_file: Vec<Line> = Vec::new();
            for text in lines(path)? {
                let line = text.ok().and_then(|text| serde_json::from_str(&text).ok());
                of_file.extend(line.filter(&is_wanted));
            }
            found.extend(of_file.into_iter().rev());
            if found.len() >= many {
                break;
            }
        }
        found.truncate(many);
        Ok(found)
    }

    /// Gives each line as it stands to `take`, oldest first, and checks the chain on the way.
    pub fn read(
        &self,
        mut take: impl FnMut(&str, &Line) -> io::Result<()>,
    ) -> Result<u64, AuditError> {
        if !self.folder.is_dir() {
            return Ok(0);
        }
        let (head, files) = {
            let _alone = self.lock(false)?;
            (self.head()?, self.files()?)
        };
        let head_file = self.head_file();
        let broken = |path: &Path, line, why: &str| AuditError::Broken {
            path: path.to_owned(),
            line,
            why: why.to_owned(),
        };
        let (mut n, mut prev) = (head.first - 1, head.before.clone());
        for (path, first) in &files {
            if *first != n + 1 {
                return Err(broken(
                    path,
                    1,
                    &format!("begins with line {first} of the log, expected {}", n + 1),
                ));
            }
            for (at, text) in lines(path)?.enumerate() {
                let at = at as u64 + 1;
                if n == head.n {
                    // Written since we looked, or begun before a power cut.
                    break;
                }
                let text =
                    text.map_err(|error| broken(path, at, &format!("cannot be read: {error}")))?;
                let Some(line) = Line::read(&text) else {
                    return Err(broken(path, at, "is not what was written"));
                };
                if line.n != n + 1 || line.prev != prev {
                    let why =
                        format!("is line {} of the log, expected the one after line {n}", line.n);
                    return Err(broken(path, at, &why));
                }
                take(&text, &line).map_err(|error| AuditError::Io { path: path.clone(), error })?;
                (n, prev) = (line.n, line.hash);
            }
        }
        if n != head.n || prev != head.hash {
            let why =
                format!("the log ends with line {n}, but had {} lines; its end was cut", head.n);
            let last = files.last().map_or(head_file.as_path(), |(path, _)| path);
            return Err(broken(
                last,
                n.saturating_sub(files.last().map_or(0, |(_, first)| first - 1)),
                &why,
            ));
        }
        Ok(n + 1 - head.first)
    }

    /// Checks the whole chain; how many lines there are.
    pub fn verify(&self) -> Result<u64, AuditError> {
        self.read(|_, _| Ok(()))
    }

    /// The oldest file goes when all in it is old enough. One at a time: a clock that is years ahead
    /// once must not cost the whole log.
    fn forget_oldest(&self, head: &mut Head) -> Result<(), AuditError> {
        let files = self.files()?;
        let [(oldest, _), (_, next), ..] = files.as_slice() else { return Ok(()) };
        let last = lines(oldest)?.last().and_then(Result::ok);
        let Some(line) = last.and_then(|text| Line::read(&text)) else { return Ok(()) };
        let is_old = line
            .at
            .parse::<Timestamp>()
            .is_ok_and(|at| clock::wall().0 - at.0 > KEPT_DAYS * 86_400_000);
        if is_old && line.n + 1 == *next {
            (head.first, head.before) = (*next, line.hash);
            // The head first: a file too many is no fault, one too few is.
            self.stand(head)?;
            fs::remove_file(oldest)
                .map_err(|error| AuditError::Io { path: oldest.clone(), error })?;
        }
        Ok(())
    }

    /// Where the next line goes: the file and the end of the head's line in it.
    fn last_file(&self, head: &Head) -> Result<(PathBuf, u64), AuditError> {
        let files = self.files()?;
        let last = files.iter().rev().find(|(_, first)| *first <= head.n);
        let Some((path, first)) = last else { return Ok((self.file(head.n + 1), 0)) };
        let io = |error| AuditError::Io { path: path.clone(), error };
        let file = File::open(path).map_err(io)?;
        let mut reader = BufReader::new(file);
        let (mut end, mut text) = (0, Vec::new());
        for _ in *first..=head.n {
            text.clear();
            let read = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut text).map_err(io)?;
            end += read as u64;
        }
        Ok((path.clone(), end))
    }

    fn files(&self) -> Result<Vec<(PathBuf, u64)>, AuditError> {
        let io = |error| AuditError::Io { path: self.folder.clone(), error };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            let is_log = path.extension().is_some_and(|e| e == "jsonl");
            let first = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok());
            files.extend(first.filter(|_| is_log).map(|first| (path, first)));
        }
        files.sort_by_key(|(_, first)| *first);
        Ok(files)
    }

    fn file(&self, first: u64) -> PathBuf {
        self.folder.join(format!("{first:012}.jsonl"))
    }

    fn head_file(&self) -> PathBuf {
        self.folder.join("head.json")
    }

    fn head(&self) -> Result<Head, AuditError> {
        let path = self.head_file();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| AuditError::Broken {
                path,
                line: 1,
                why: "does not say how far the log goes".into(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.files()?.first() {
                // A log without its head was tampered with, unless nobody has written to it yet.
                Some((file, _)) if fs::metadata(file).is_ok_and(|m| m.len() > 0) => {
                    Err(AuditError::Broken { path, line: 0, why: "is missing".into() })
                }
                Some(_) | None => {
                    Ok(Head { first: 1, before: NOTHING.into(), n: 0, hash: NOTHING.into() })
                }
            },
            Err(error) => Err(AuditError::Io { path, error }),
        }
    }

    fn stand(&self, head: &Head) -> Result<(), AuditError> {
        let path = self.head_file();
        let text = serde_json::to_vec(head).expect("strings and numbers are JSON");
        replace::file(&path, &text).map_err(|error| AuditError::Io { path, error })
    }

    fn lock(&self, to_write: bool) -> Result<File, AuditError> {
        let path = self.folder.join("lock");
        let io = |error| AuditError::Io { path: path.clone(), error };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(io)?;
        let mut options = File::options();
        let file = options.create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(io)?;
        if to_write { file.lock() } else { file.lock_shared() }.map_err(io)?;
        Ok(file)
    }
}

/// The lines of a file; a line that is too long ends it, as half a line would.
fn lines(path: &Path) -> Result<impl Iterator<Item = io::Result<String>>, AuditError> {
    let file = File::open(path).map_err(|error| AuditError::Io { path: path.to_owned(), error })?;
    Ok(BufReader::new(file).lines())
}
