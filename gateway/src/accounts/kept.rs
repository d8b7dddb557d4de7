//! `accounts.json` in the store's folder: read at start and whenever it has changed, since
//! `gatehouse user` writes it too; changed under a lock, whole or not at all.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_core::reading::Timestamp;

use super::book::{Book, NotChanged};
use crate::replace;

const FILE: &str = "accounts.json";
/// No file of ours is longer.
const LONGEST: u64 = 1 << 20;
/// How exactly the last use of a token is kept, in ms.
const USED: i64 = 3_600_000;

/// Why the accounts cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    #[error("`{}` cannot be used: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
    /// Mend it, or move it away and set the box up anew.
    #[error("`{}` is not what was written: {why}", .path.display())]
    Damaged { path: PathBuf, why: String },
    /// The program is about to end.
    #[error("the gateway is about to end")]
    Stopped,
    #[error(transparent)]
    NotChanged(#[from] NotChanged),
}

/// The accounts of this box. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    book: Arc<Book>,
    /// Which file that was.
    stamp: Option<Stamp>,
    /// The file cannot be read: nobody may come in, and nobody may set the box up anew.
    fault: Option<String>,
}

/// Inode, length and time of change: another file, another stamp.
type Stamp = (u64, u64, i64, i64);

impl Accounts {
    /// Reads the accounts in the store's folder, if there are any.
    ///
    /// A file that cannot be read is no reason not to start: nobody can sign in until it is mended.
    pub fn in_store(store: &Path) -> Self {
        let accounts =
            Self(Arc::new(Kept { path: store.join(FILE), now: Mutex::new(Now::default()) }));
        if let Err(error) = accounts.refresh() {
            tracing::error!(%error, "nobody can sign in at the console until this is mended");
        }
        accounts
    }

    /// As it was when last read.
    pub fn book(&self) -> Arc<Book> {
        Arc::clone(&self.now().book)
    }

    /// Whether the box has no account yet.
    pub fn are_none(&self) -> bool {
        let now = self.now();
        now.fault.is_none() && now.book.accounts.is_empty()
    }

    /// Reads the file again if it has changed. Blocks.
    pub fn refresh(&self) -> Result<(), AccountsError> {
        let path = &self.0.path;
        let stamp = match fs::metadata(path) {
            Ok(file) => Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(AccountsError::Io { path: path.clone(), error }),
        };
        if stamp == self.now().stamp && self.now().fault.is_none() {
            return Ok(());
        }
        let read = self.read();
        let mut now = self.now();
        match read {
            Ok(book) => *now = Now { book: Arc::new(book), stamp, fault: None },
            Err(error) => {
                let told = error.to_string();
                *now = Now { book: Arc::default(), stamp, fault: Some(told) };
                return Err(error);
            }
        }
        Ok(())
    }

    /// Changes the accounts as they are on the disk now. Blocks.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut Book) -> Result<T, NotChanged>,
    ) -> Result<T, AccountsError> {
        let _alone = self.lock()?;
        let mut book = self.read()?;
        let changed = change(&mut book)?;
        let path = &self.0.path;
        let text = serde_json::to_vec_pretty(&book)
            .map_err(|error| AccountsError::Io { path: path.clone(), error: error.into() })?;
        replace::file(path, &text)
            .map_err(|error| AccountsError::Io { path: path.clone(), error })?;
        self.refresh()?;
        Ok(changed)
    }

    /// Notes that a token was used, once an hour. Blocks, when it does anything.
    pub fn used(&self, name: &str, now: Timestamp) -> Result<(), AccountsError> {
        self.change(|book| {
            if let Some(token) = book.tokens.iter_mut().find(|token| token.name == name) {
                token.used = Some(now.rfc3339());
            }
            Ok(())
        })
    }

    /// Whether [`Accounts::used`] has something to note.
    pub fn is_news(used: Option<&str>, now: Timestamp) -> bool {
        let last = used.and_then(|at| at.parse::<Timestamp>().ok());
        last.is_none_or(|last| (now.0 - last.0).abs() > USED)
    }

    fn read(&self) -> Result<Book, AccountsError> {
        let path = &self.0.path;
        let io = |error| AccountsError::Io { path: path.clone(), error };
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            Err(error) => return Err(io(error)),
            Ok(file) if file.len() > LONGEST => {
                let why = format!("it is longer than {LONGEST} bytes");
                return Err(AccountsError::Damaged { path: path.clone(), why });
            }
            Ok(_) => {}
        }
        let text = fs::read(path).map_err(io)?;
        serde_json::from_slice(&text)
            .map_err(|error| AccountsError::Damaged { path: path.clone(), why: error.to_string() })
    }

    fn lock(&self) -> Result<File, AccountsError> {
        let path = self.0.path.with_extension("lock");
        let io = |error| AccountsError::Io { path: path.clone(), error };
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        }
        let mut options = File::options();
        let file = options.create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(io)?;
        file.lock().map_err(io)?;
        Ok(file)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Role;
    use super::*;

    #[test]
    fn what_another_process_changed_is_seen_and_the_file_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (gateway, command) =
            (Accounts::in_store(folder.path()), Accounts::in_store(folder.path()));
        assert!(gateway.are_none());

        command.change(|book| book.add_first("chen", "h".into(), Timestamp(0))).unwrap();
        gateway.refresh().unwrap();

        assert_eq!(gateway.book().account("chen").unwrap().role, Role::Admin);
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_lets_nobody_in_and_is_no_fresh_box() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{\"accounts\": [").unwrap();

        let accounts = Accounts::in_store(folder.path());

        assert!(!accounts.are_none());
        let added = accounts.change(|book| book.add_first("eve", "h".into(), Timestamp(0)));
        assert!(matches!(added, Err(AccountsError::Damaged { .. })));
    }
}
