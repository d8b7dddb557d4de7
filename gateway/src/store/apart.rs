//! States that belong to no decision (what models have learnt, what was heard of calm devices): rows in
//! files of their own.
//!
//! They are most of what a calm day writes, each row replaced as a whole every few hours. Whenever sled takes
//! one it writes the neighbours along, and later moves what is left of them: four to six times the bytes. So
//! rows go to `apart-<n>`, in [`super::pages`]. When a row comes that the newest file has already, the next
//! file is begun, and an older one goes as soon as none of its rows
//! counts. What stays behind in the oldest of too many is written once more.
//!
//! A power cut costs what was just being written, and damage what lay behind it in that file: detectors learn
//! it again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gatehouse_core::pipeline::is_apart;

use super::marks::check;
use super::pages::{self, Pages, framed};

const FILE: &str = "apart-";
/// Rows are read and written in pages of about this many bytes: a whole file would stay on the heap.
const PAGE: usize = 64 << 10;
/// A round of what is learnt is six hours, and a new file begins every hour.
const FILES: usize = 12;
/// In the place of a value's length: the row was removed.
const NONE: u32 = u32::MAX;

/// Rows as they are restored, and as they are written.
pub(super) type Rows = Vec<(String, Vec<u8>)>;

/// The files, for the one who writes.
#[derive(Debug)]
pub(super) struct Apart {
    folder: PathBuf,
    /// In which file the row counts, by its key's fingerprint.
    newest: HashMap<[u8; 8], u64>,
    files: BTreeSet<u64>,
    /// The newest file, while all that was written to it is whole.
    open: Option<File>,
    /// Keys of rows that an earlier program has left in the database, and those of which there is a newer row here.
    left: HashSet<String>,
    moved: Vec<String>,
}

impl Apart {
    /// Reads every row that counts. A folder that cannot be listed is an error, a file that cannot be read
    /// costs its rows.
    fn open(folder: &Path) -> io::Result<(Self, Rows)> {
        let mut rows = Rows::new();
        let mut apart = Self {
            folder: folder.to_owned(),
            newest: HashMap::new(),
            files: numbers(folder)?,
            open: None,
            left: HashSet::new(),
            moved: Vec::new(),
        };
        for number in apart.files.iter().rev() {
            let file = match File::open(apart.path(*number)) {
                Ok(file) => file,
                Err(error) => {
                    tracing::warn!(%error, number, "what was kept apart could not be read");
                    continue;
                }
            };
            for page in Pages(file).map_while(Result::ok) {
                for (key, value) in Page(&page) {
                    // No file has a row twice.
                    let place = apart.newest.entry(check(key.as_bytes())).or_insert(*number);
                    if *place == *number {
                        rows.extend(value.map(|value| (key.to_owned(), value.to_vec())));
                    }
                }
            }
        }
        Ok((apart, rows))
    }

    /// Adds every row that counts to the states of the database, in the order of keys. A row that is there, too,
    /// was left by an earlier program, which may have run after this one: that counts.
    pub(super) fn join(folder: &Path, states: &mut Rows) -> io::Result<Self> {
        let (mut apart, rows) = Self::open(folder)?;
        let keys = states.iter().map(|(key, _)| key);
        apart.left = keys.filter(|key| is_apart(key)).cloned().collect();
        states.extend(rows.into_iter().filter(|(key, _)| !apart.left.contains(key)));
        states.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(apart)
    }

    /// What the database need not hold any longer.
    pub(super) fn moved(&self) -> &[String] {
        &self.moved
    }

    /// The database holds it no longer.
    pub(super) fn forget_moved(&mut self) {
        self.moved.clear();
    }

    /// Writes rows, durably; those without a value are removed.
    pub(super) fn put(&mut self, rows: &[(&str, Option<&[u8]>)]) -> io::Result<()> {
        let is_known = |key: &str| self.newest.contains_key(&check(key.as_bytes()));
        let new: Vec<_> =
            rows.iter().copied().filter(|(key, value)| value.is_some() || is_known(key)).collect();
        if !new.is_empty() {
            self.append(&new)?;
        }
        self.moved.extend(rows.iter().filter_map(|(key, _)| self.left.take(*key)));
        Ok(())
    }

    fn append(&mut self, rows: &[(&str, Option<&[u8]>)]) -> io::Result<()> {
        let current = self.files.last().copied();
        let is_in = |key: &str| {
            current.is_some() && self.newest.get(&check(key.as_bytes())) == current.as_ref()
        };
        let number = match current {
            Some(current) if !rows.iter().any(|(key, _)| is_in(key)) => current,
            current => {
                self.open = None;
                current.map_or(1, |current| current + 1)
            }
        };
        let mut file = match self.open.take() {
            Some(file) => file,
            None => pages::open_at_end(&self.path(number))?,
        };
        self.files.insert(number);
        self.write(&mut file, number, rows)?;
        let is_new = current != Some(number);
        if is_new
            && self.files.len() > FILES
            && let Some(oldest) = self.files.first().copied()
        {
            self.carry(&mut file, oldest, number)?;
        }
        file.sync_data()?;
        self.open = Some(file);
        if is_new {
            self.remove_old(number)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        file: &mut File,
        number: u64,
        rows: &[(&str, Option<&[u8]>)],
    ) -> io::Result<()> {
        let mut page = Vec::new();
        for (key, value) in rows {
            put_row(&mut page, key, *value)?;
            if page.len() >= PAGE {
                file.write_all(&framed(&page))?;
                page.clear();
            }
        }
        if !page.is_empty() {
            file.write_all(&framed(&page))?;
        }
        self.newest.extend(rows.iter().map(|(key, _)| (check(key.as_bytes()), number)));
        Ok(())
    }

    /// Writes what still counts in the oldest file once more; what was removed is removed for good.
    fn carry(&mut self, file: &mut File, oldest: u64, number: u64) -> io::Result<()> {
        for page in Pages(File::open(self.path(oldest))?).map_while(Result::ok) {
            let counts = |key: &str| self.newest.get(&check(key.as_bytes())) == Some(&oldest);
            let rows: Vec<_> = Page(&page).filter(|(key, _)| counts(key)).collect();
            let (alive, removed): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|(_, value)| value.is_some());
            self.write(file, number, &alive)?;
            for (key, _) in removed {
                self.newest.remove(&check(key.as_bytes()));
            }
        }
        // What lay behind damage.
        self.newest.retain(|_, counts| *counts != oldest);
        Ok(())
    }

    /// Removes the files of which nothing counts any more.
    fn remove_old(&mut self, current: u64) -> io::Result<()> {
        let counting: HashSet<u64> = self.newest.values().copied().chain([current]).collect();
        let old: Vec<u64> = self.files.iter().copied().filter(|n| !counting.contains(n)).collect();
        for number in old {
            fs::remove_file(self.path(number))?;
            self.files.remove(&number);
        }
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{FILE}{number}"))
    }
}

fn numbers(folder: &Path) -> io::Result<BTreeSet<u64>> {
    let mut numbers = BTreeSet::new();
    for file in fs::read_dir(folder)? {
        let name = file?.file_name();
        numbers.extend(name.to_str().and_then(number));
    }
    Ok(numbers)
}

/// The number in `apart-<n>`.
pub(super) fn number(name: &str) -> Option<u64> {
    name.strip_prefix(FILE)?.parse().ok()
}

/// Opens every file, for somebody who reads while a gateway writes on. A row that is written anew leaves its
/// file for a new one, and the file goes: one by one they would not have it. What is open stays.
pub(super) fn hold(folder: &Path) -> io::Result<Vec<(String, File)>> {
    hold_by(folder, |path| File::open(path))
}

fn hold_by(
    folder: &Path,
    mut open: impl FnMut(&Path) -> io::Result<File>,
) -> io::Result<Vec<(String, File)>> {
    loop {
        let listed = numbers(folder)?;
        let named = listed.iter().map(|number| {
            let name = format!("{FILE}{number}");
            open(&folder.join(&name)).map(|file| (name, file))
        });
        match named.collect::<io::Result<Vec<_>>>() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // None of them went, and none came.
            held if numbers(folder)? == listed => return held,
            _ => {}
        }
    }
}

fn put_row(page: &mut Vec<u8>, key: &str, value: Option<&[u8]>) -> io::Result<()> {
    let long = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let length = value.map_or(Ok(NONE), |value| long(value.len()))?;
    page.extend(long(key.len())?.to_be_bytes());
    page.extend(length.to_be_bytes());
    page.extend(key.as_bytes());
    page.extend(value.unwrap_or_default());
    Ok(())
}

/// The rows of a page, up to the first that is none.
struct Page<'p>(&'p [u8]);

impl<'p> Iterator for Page<'p> {
    type Item = (&'p str, Option<&'p [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = self.0.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_at_checked(u32::from_be_bytes(*key) as usize)?;
        let length = u32::from_be_bytes(*length);
        let value = if length == NONE { 0 } else { length as usize };
        let (value, rest) = rest.split_at_checked(value)?;
        self.0 = rest;
        Some((std::str::from_utf8(key).ok()?, (length != NONE).then_some(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(apart: &mut Apart, rows: &[(&str, &str)]) {
        let rows: Vec<_> = rows.iter().map(|(key, value)| (*key, Some(value.as_bytes()))).collect();
        apart.put(&rows).unwrap();
    }

    fn read(folder: &Path) -> Vec<(String, String)> {
        let (_, mut rows) = Apart::open(folder).unwrap();
        rows.sort();
        rows.into_iter().map(|(k, v)| (k, String::from_utf8(v).unwrap())).collect()
    }

    fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        rows.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn of_each_row_the_last_one_counts_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (mut apart, rows) = Apart::open(folder.path()).unwrap();
        assert_eq!(rows, []);
        put(&mut apart, &[("a", "1"), ("b", "1")]);
        put(&mut apart, &[("c", "1")]);
        put(&mut apart, &[("a", "2")]);
        assert_eq!(read(folder.path()), pairs(&[("a", "2"), ("b", "1"), ("c", "1")]));

        let (mut apart, _) = Apart::open(folder.path()).unwrap();
        put(&mut apart, &[("b", "2")]);
        apart.put(&[("c", None), ("never", None)]).unwrap();
        assert_eq!(read(folder.path()), pairs(&[("a", "2"), ("b", "2")]));
    }

    #[test]
    fn a_file_goes_when_none_of_its_rows_counts_and_there_are_never_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let (mut apart, _) = Apart::open(folder.path()).unwrap();
        put(&mut apart, &[("often", "0"), ("gone", "1")]);
        apart.put(&[("gone", None)]).unwrap();
        // Each of the rare ones keeps a file, until there are too many.
        for turn in 1..100 {
            put(&mut apart, &[("often", &turn.to_string())]);
            if turn < 40 {
                put(&mut apart, &[(&format!("rare-{turn:02}"), "1")]);
            }
            assert!(numbers(folder.path()).unwrap().len() <= FILES + 1);
        }
        let rows = read(folder.path());
        assert_eq!((rows.len(), &rows[0]), (40, &("often".to_owned(), "99".to_owned())));
        assert_eq!(apart.newest.len(), 40, "what was removed is forgotten");

        let all: Vec<_> = rows.iter().map(|(key, _)| (key.as_str(), "2")).collect();
        put(&mut apart, &all);
        assert_eq!(numbers(folder.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_torn_page_costs_itself_and_what_comes_after_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (mut apart, _) = Apart::open(folder.path()).unwrap();
        put(&mut apart, &[("a", "1")]);
        put(&mut apart, &[("b", "1")]);
        drop(apart);
        let path = folder.path().join("apart-1");
        let long = fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(long - 1).unwrap();

        let (mut apart, rows) = Apart::open(folder.path()).unwrap();
        assert_eq!(rows.len(), 1);
        put(&mut apart, &[("c", "1")]);
        assert_eq!(read(folder.path()), pairs(&[("a", "1"), ("c", "1")]));
    }

    #[test]
    fn a_row_that_an_earlier_program_left_in_the_database_counts_until_it_is_written_here() {
        let folder = tempfile::tempdir().unwrap();
        let row = |key: &str, value: &str| (key.to_owned(), value.as_bytes().to_vec());
        let database = || vec![row("event/x", "1"), row("learnt/a", "0"), row("learnt/b", "0")];
        let (mut apart, _) = Apart::open(folder.path()).unwrap();
        put(&mut apart, &[("learnt/a", "1"), ("learnt/0", "1")]);

        let mut states = database();
        let mut apart = Apart::join(folder.path(), &mut states).unwrap();

        let expected = [("event/x", "1"), ("learnt/0", "1"), ("learnt/a", "0"), ("learnt/b", "0")];
        assert_eq!(states, expected.map(|(key, value)| row(key, value)));
        put(&mut apart, &[("learnt/a", "2"), ("learnt/new", "1")]);
        apart.put(&[("learnt/b", None)]).unwrap();
        assert_eq!(apart.moved(), ["learnt/a", "learnt/b"]);
    }

    #[test]
    fn whoever_holds_the_files_has_every_row_while_they_are_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (mut apart, _) = Apart::open(folder.path()).unwrap();
        put(&mut apart, &[("a", "0"), ("b", "0"), ("c", "0")]);
        put(&mut apart, &[("a", "1")]);
        let mut turns = 0..6;

        // Between the list and each file that is opened, a row moves to a file of its own.
        let held = hold_by(folder.path(), |path| {
            if let Some(turn) = turns.next() {
                put(&mut apart, &[(["b", "c", "a"][turn % 3], "2"), ("often", "2")]);
            }
            File::open(path)
        });

        let copy = tempfile::tempdir().unwrap();
        for (name, mut file) in held.unwrap() {
            io::copy(&mut file, &mut File::create(copy.path().join(name)).unwrap()).unwrap();
        }
        assert_eq!(read(copy.path()), pairs(&[("a", "2"), ("b", "2"), ("c", "2"), ("often", "2")]));
    }

    #[test]
    fn many_rows_are_many_pages() {
        let folder = tempfile::tempdir().unwrap();
        let (mut apart, _) = Apart::open(folder.path()).unwrap();
        let long = vec![7; 3_000];
        let keys: Vec<String> = (0..100).map(|n| format!("learnt/{n}")).collect();
        let rows: Vec<_> = keys.iter().map(|key| (key.as_str(), Some(&long[..]))).collect();
        apart.put(&rows).unwrap();

        let file = File::open(folder.path().join("apart-1")).unwrap();
        assert!(Pages(file).all(|page| page.unwrap().len() < PAGE + 4_000));
        assert_eq!(Apart::open(folder.path()).unwrap().1.len(), 100);
    }
}
