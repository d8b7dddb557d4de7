//! Which commands were begun and answered, in a file of the store's folder: a line of JSON for each
//! step ([`Line`]), synced before what it tells of goes on.
//!
//! A line that was torn by a power cut is the last one, and told of something that had not begun. The
//! file is written anew at each start and when most of its lines are of no use any more.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gatehouse_core::command::Reply;
use gatehouse_core::command::memory::{Line, Memory, Turn};
use gatehouse_core::reading::Timestamp;

use crate::replace;

/// The file's name.
const FILE: &str = "commands.jsonl";

/// Lines of no use that do not matter.
const SPARE: usize = 1_000;

/// The memory of commands, and its file.
#[derive(Debug)]
pub(super) struct Ids {
    memory: Memory,
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Ids {
    /// Reads what is known. What was begun and not answered when the gateway ended is answered so, but for
    /// the one that goes on.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(super) fn open(
        folder: &Path,
        now: Option<Timestamp>,
        goes_on: Option<&str>,
    ) -> io::Result<Self> {
        let path = folder.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut memory = Memory::default();
        let mut unread = 0;
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(line) => memory.apply(line),
                Err(_) => unread += 1,
            }
        }
        if unread > usize::from(!text.ends_with('\n')) {
            let file = path.display();
            tracing::error!(%file, unread, "lines cannot be read: a command may be carried out again");
        }
        for reply in memory.interrupted().into_iter().filter(|r| r.id.as_deref() != goes_on) {
            memory.apply(Line::Answered(reply));
        }
        if let Some(now) = now {
            memory.forget(now);
        }
        let (file, lines) = write_all(&path, &memory)?;
        Ok(Self { memory, path, file, lines })
    }

    /// Whether it was begun and is not answered yet.
    pub(super) fn is_open(&self, id: &str) -> bool {
        self.memory.interrupted().iter().any(|reply| reply.id.as_deref() == Some(id))
    }

    pub(super) fn turn(&self, id: &str, until: Timestamp, payload: &str) -> Turn {
        self.memory.turn(id, until, payload)
    }

    /// Answers that the platform's broker has not had.
    pub(super) fn untold(&self) -> Vec<Reply> {
        self.memory.untold()
    }

    /// Writes a step down. It is on disk when this returns, unless it only says that somebody was told:
    /// to tell it twice does no harm. `now` when it is known: what has long expired is then forgotten.
    pub(super) fn write(&mut self, line: Line, now: Option<Timestamp>) -> io::Result<()> {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let begins = self.file.metadata()?.len();
        let is_told = matches!(line, Line::Told { .. });
        let written = self
            .file
            .write_all(&text)
            .and_then(|()| if is_told { Ok(()) } else { self.file.sync_data() });
        if let Err(error) = written {
            // Half a line must not stand before the next one.
            self.file.set_len(begins)?;
            return Err(error);
        }
        self.memory.apply(line);
        self.lines += 1;
        if self.lines > 4 * self.memory.len() + SPARE {
            if let Some(now) = now {
                self.memory.forget(now);
            }
            (self.file, self.lines) = write_all(&self.path, &self.memory)?;
        }
        Ok(())
    }
}

/// The file anew, whole or not at all.
fn write_all(path: &Path, memory: &Memory) -> io::Result<(File, usize)> {
    let mut text = Vec::new();
    let mut lines = 0;
    for line in memory.lines() {
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
        lines += 1;
    }
    replace::file(path, &text)?;
    Ok((OpenOptions::new().append(true).open(path)?, lines))
}

#[cfg(test)]
mod tests {
    use gatehouse_core::command::Refusal;

    use super::*;

    const UNTIL: Timestamp = Timestamp(2_000_000_000_000);

    fn begin(ids: &mut Ids, id: &str) {
        let Turn::New(line) = ids.turn(id, UNTIL, id) else { panic!("`{id}` is known") };
        ids.write(line, None).unwrap();
    }

    fn answer(ids: &mut Ids, id: &str) {
        ids.write(Line::Answered(Reply::done(id.to_owned(), None)), None).unwrap();
    }

    #[test]
    fn what_was_begun_answered_and_told_is_known_after_a_power_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut ids = Ids::open(folder.path(), None, None).unwrap();
        for id in ["begun", "answered", "told"] {
            begin(&mut ids, id);
        }
        answer(&mut ids, "answered");
        answer(&mut ids, "told");
        ids.write(Line::Told { id: "told".into() }, None).unwrap();
        drop(ids);

        let ids = Ids::open(folder.path(), None, None).unwrap();

        let interrupted = Reply::refused(Some("begun".into()), Refusal::Interrupted);
        assert_eq!(ids.untold(), [Reply::done("answered".into(), None), interrupted]);
        for id in ["begun", "answered", "told"] {
            assert!(matches!(ids.turn(id, UNTIL, id), Turn::Again { .. }), "{id}");
        }
    }

    #[test]
    fn a_torn_line_costs_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut ids = Ids::open(folder.path(), None, None).unwrap();
        begin(&mut ids, "a");
        answer(&mut ids, "a");
        drop(ids);
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();

            let mut ids = Ids::open(folder.path(), None, None).unwrap();

            begin(&mut ids, "b");
            drop(ids);
            let ids = Ids::open(folder.path(), None, None).unwrap();
            assert!(matches!(ids.turn("b", UNTIL, "b"), Turn::Again { .. }), "{cut}");
        }
    }

    #[test]
    fn the_file_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let mut ids = Ids::open(folder.path(), None, None).unwrap();
        begin(&mut ids, "a");
        for _ in 0..3 * SPARE {
            ids.write(Line::Told { id: "a".into() }, None).unwrap();
        }

        assert!(ids.lines <= SPARE + 4, "{}", ids.lines);
    }
}
