//! What is kept of readings, to try other rules on: files of their own in the folder `kept`, which
//! nothing that must survive depends on.
//!
//! `statistics-<day>` is a row of [`super::pages`], and only ever grows at its end: the flash takes what is
//! kept and no more, and whoever reads it needs no lock. The oldest day goes when there are too many; days are
//! counted, not compared with a clock that may be wrong. `window-<time>-<device>` holds the readings
//! around one event; the oldest go when there are more than [`WINDOWS`] or [`WINDOW_BYTES`] of them.
//!
//! Nothing is written while the disk is short of room ([`super::reserve`]), and a failure is no failure
//! of the store.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gatehouse_core::pipeline::Kept;
use gatehouse_core::reading::Timestamp;

use super::pages::{self, Pages, framed};

const FOLDER: &str = "kept";
const STATISTICS: &str = "statistics-";
const WINDOW: &str = "window-";
/// Windows that are kept.
const WINDOWS: usize = 500;
/// Bytes that they may take together.
const WINDOW_BYTES: u64 = 32 << 20;

/// The folder, for the one who writes.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    /// Days of statistics that are kept; 0 for nothing at all.
    days: usize,
    /// The file that was written last.
    open: Option<(String, File)>,
}

impl Shelf {
    pub(super) fn new(store: &Path, days: usize) -> Self {
        Self { folder: store.join(FOLDER), days, open: None }
    }

    /// Keeps it, durably, and removes what is too much then.
    pub(super) fn put(&mut self, kept: &Kept) -> io::Result<()> {
        if self.days == 0 {
            return Ok(());
        }
        match kept {
            Kept::Statistics { at, page } => self.put_page(*at, page),
            Kept::Window { at, device, bytes } => self.put_window(*at, device, bytes),
        }
    }

    fn put_window(&self, at: Timestamp, device: &str, bytes: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let device = plain(device);
        // Milliseconds have 13 digits until the year 2286.
        let name = format!("{WINDOW}{:013}-{device:.64}", at.0.max(0));
        let mut file = File::create(self.folder.join(name))?;
        file.write_all(&framed(bytes))?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        let (mut many, mut size) = (0, 0);
        for name in files(&self.folder, WINDOW)?.iter().rev() {
            let path = self.folder.join(name);
            many += 1;
            size += path.metadata()?.len();
            if many > WINDOWS || size > WINDOW_BYTES {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn put_page(&mut self, at: Timestamp, page: &[u8]) -> io::Result<()> {
        let name = format!("{STATISTICS}{}", day(at));
        if self.open.as_ref().is_none_or(|(open, _)| *open != name) {
            std::fs::create_dir_all(&self.folder)?;
            let file = pages::open_at_end(&self.folder.join(&name))?;
            self.open = Some((name, file));
            self.remove_old()?;
        }
        let Some((_, file)) = &mut self.open else { return Ok(()) };
        let written = file.write_all(&framed(page)).and_then(|()| file.sync_data());
        if written.is_err() {
            // Its end is looked at before anything is added.
            self.open = None;
        }
        written
    }

    fn remove_old(&self) -> io::Result<()> {
        let days = files(&self.folder, STATISTICS)?;
        let many = days.len().saturating_sub(self.days);
        days[..many].iter().try_for_each(|name| std::fs::remove_file(self.folder.join(name)))
    }
}

/// The pages that were written from the day of `from` to that of `to`, from old to new. Reads the folder
/// of a store whose gateway may be running.
pub fn pages(
    store: &Path,
    from: Timestamp,
    to: Timestamp,
) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
    let folder = store.join(FOLDER);
    let (from, to) = (format!("{STATISTICS}{}", day(from)), format!("{STATISTICS}{}", day(to)));
    let days = files(&folder, STATISTICS)?.into_iter();
    let days = days.filter(move |name| (&from..=&to).contains(&name));
    Ok(days.flat_map(move |name| match File::open(folder.join(name)) {
        Ok(file) => Either::Pages(Pages(file)),
        Err(error) => Either::Failed(Some(error)),
    }))
}

/// Every window, from old to new. One that goes while this is read, or was torn, is left out.
pub fn windows(store: &Path) -> io::Result<impl Iterator<Item = Vec<u8>>> {
    let folder = store.join(FOLDER);
    let names = files(&folder, WINDOW)?.into_iter();
    Ok(names.filter_map(move |name| Pages(File::open(folder.join(name)).ok()?).next()?.ok()))
}

/// The window of a device that was begun last at that time; one that was torn is none.
pub fn window(store: &Path, device: &str, at: Timestamp) -> io::Result<Option<Vec<u8>>> {
    let folder = store.join(FOLDER);
    let end = format!("-{:.64}", plain(device));
    let last = format!("{WINDOW}{:013}{end}", at.0.max(0));
    let names = files(&folder, WINDOW)?;
    let newest = names.iter().rev().find(|name| name.ends_with(&end) && **name <= last);
    Ok(newest.and_then(|name| Pages(File::open(folder.join(name)).ok()?).next()?.ok()))
}

/// A device's id as part of a file's name.
fn plain(device: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    device.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// The pages of a file, or why there are none.
enum Either {
    Pages(Pages<File>),
    Failed(Option<io::Error>),
}

impl Iterator for Either {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Pages(pages) => pages.next(),
            Self::Failed(error) => error.take().map(Err),
        }
    }
}

/// Names that begin so, in their order; none when there is no folder.
fn files(folder: &Path, prefix: &str) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok().filter(|n| n.starts_with(prefix)));
    }
    names.sort();
    Ok(names)
}

/// `2026-03-01`, in UTC.
fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatehouse_core::reading::{Quality, Reading};
    use gatehouse_core::statistics::ledger::Ledger;
    use gatehouse_core::statistics::page;

    use super::*;

    const NOON: Timestamp = Timestamp(1_772_366_400_000);

    fn put(shelf: &mut Shelf, at: Timestamp, page: &[u8]) {
        shelf.put(&Kept::Statistics { at, page: page.to_vec() }).unwrap();
    }

    fn read(folder: &Path) -> Vec<Vec<u8>> {
        pages(folder, Timestamp(0), NOON + Duration::from_hours(24_000))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    fn later(days: u64) -> Timestamp {
        NOON + Duration::from_hours(24 * days)
    }

    #[test]
    fn pages_are_read_back_in_order_and_by_day() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), Vec::<Vec<u8>>::new(), "no folder yet");
        let mut shelf = Shelf::new(folder.path(), 90);

        for (days, page) in [(0, b"a"), (0, b"b"), (1, b"c"), (2, b"d")] {
            put(&mut shelf, later(days), page);
        }

        assert_eq!(read(folder.path()), [b"a", b"b", b"c", b"d"]);
        let of_days: Vec<_> =
            pages(folder.path(), later(1), later(1)).unwrap().map(Result::unwrap).collect();
        assert_eq!(of_days, [b"c"]);
    }

    #[test]
    fn a_torn_page_costs_itself_and_none_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::new(folder.path(), 90);
        put(&mut shelf, NOON, b"whole");
        put(&mut shelf, NOON, b"torn by a power cut");
        drop(shelf);
        let file = folder.path().join("kept/statistics-2026-03-01");
        let length = file.metadata().unwrap().len();
        File::options().write(true).open(&file).unwrap().set_len(length - 3).unwrap();
        assert_eq!(read(folder.path()), [b"whole"]);

        put(&mut Shelf::new(folder.path(), 90), NOON, b"after");

        assert_eq!(read(folder.path()), [b"whole", b"after"]);
    }

    #[test]
    fn the_oldest_windows_go_when_there_are_too_many_or_they_are_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::new(folder.path(), 90);
        let mut put = |minute: u64, bytes: Vec<u8>| {
            let at = NOON + Duration::from_mins(minute);
            shelf.put(&Kept::Window { at, device: format!("../t{minute}"), bytes }).unwrap();
        };
        for minute in 0..510 {
            put(minute, minute.to_be_bytes().to_vec());
        }
        let read = || windows(folder.path()).unwrap().collect::<Vec<_>>();
        assert_eq!((read().len(), &read()[0]), (500, &10_u64.to_be_bytes().to_vec()));

        for minute in 600..604 {
            put(minute, vec![7; 9 << 20]);
        }
        assert_eq!(read().len(), 3, "32 MiB");
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing beside the folder"
        );
    }

    #[test]
    fn the_oldest_day_goes_and_a_clock_in_the_far_future_takes_only_its_own_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::new(folder.path(), 3);

        for (days, page) in [(0, b"a"), (1, b"b"), (20_000, b"x"), (2, b"c"), (3, b"d")] {
            put(&mut shelf, later(days), page);
        }

        assert_eq!(read(folder.path()), [b"c", b"d"], "and the one from the future");
        assert_eq!(files(&folder.path().join("kept"), STATISTICS).unwrap().len(), 3);
        put(&mut Shelf::new(folder.path(), 0), later(4), b"e");
        assert_eq!(read(folder.path()), [b"c", b"d"], "none is kept any more");
    }

    /// Bytes on disk after a day of so many devices, each point somewhere else at each reading; written
    /// as the pipeline does, every 45 minutes.
    fn a_day_of(devices: usize, points: usize) -> u64 {
        use std::os::unix::fs::MetadataExt;

        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::new(folder.path(), 90);
        let names = ["temperature", "humidity", "pm2_5", "co2"];
        let mut ledgers = vec![Ledger::default(); devices];
        for quarter in 0..96 {
            for (d, ledger) in ledgers.iter_mut().enumerate() {
                for minute in 0..15 {
                    let value = |point: usize| {
                        f64::from(u32::try_from((d + minute * 7 + point * 31) % 997).unwrap())
                            / 10.0
                    };
                    let reading =
                        |point| Reading { point, value: value(point), quality: Quality::Good };
                    let readings: Vec<_> = (0..points).map(reading).collect();
                    let at = Timestamp(NOON.0 - 12 * 3_600_000)
                        + Duration::from_mins(quarter * 15 + minute as u64);
                    ledger.note(points, &readings, at);
                }
            }
            if quarter % 3 == 2 {
                let mut bytes = page::begin();
                for (d, ledger) in ledgers.iter_mut().enumerate() {
                    ledger.close();
                    let names = names[..points].iter().copied();
                    ledger.write(&format!("air-station-{d}"), names, &mut bytes);
                }
                put(&mut shelf, NOON, &bytes);
            }
        }
        let folder = folder.path().join(FOLDER);
        let files = std::fs::read_dir(folder).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().blocks() * 512).sum()
    }

    #[test]
    fn a_day_takes_little_of_the_flash() {
        let (demo, large) = (a_day_of(85, 4), a_day_of(1_000, 4));
        eprintln!("85 devices of 4 points: {demo} bytes a day; 1,000: {large}");

        assert!(demo < 5_000_000 && large < 60_000_000);
        assert!(large / (1_000 * 4 * 96) <= 20, "with names, per point and quarter");
    }
}
