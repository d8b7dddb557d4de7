//! A start at which what people set or made on the console cannot be used: the box must come up all the
//! same. What is faulty is set aside whole, under another name beside its own, and the configuration's own
//! files rule.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use gatehouse_core::community::quantity::Text;
use gatehouse_core::reading::Timestamp;

use super::{Changes, Faults, Loaded, Over, load_gateway, load_parts};
use crate::{overlay, workshop};

/// What was set aside, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Where it lies now; where it was when it could not be moved.
    pub paths: Vec<PathBuf>,
    /// Every fault, for the log.
    pub faults: String,
}

impl Aside {
    /// For people: the first fault, and where the rest is.
    pub fn why(&self) -> Text {
        let paths: Vec<String> = self.paths.iter().map(|path| path.display().to_string()).collect();
        let (paths, fault) = (paths.join(", "), self.faults.lines().next().unwrap_or_default());
        Text::new(
            format!("控制台上的设置无法使用，现按配置文件运行：{fault}。原文件保留在 {paths}"),
            format!(
                "What was set on the console cannot be used, so the configuration's own files rule: \
                 {fault}. It is kept as {paths}"
            ),
        )
    }
}

/// Loads the configuration without as little as can be left out of what was set or made on the console, and
/// sets that aside. `None` when that is not what is wrong; nothing was moved then.
pub fn load_without(
    folder: &Path,
    over: Over<'_>,
    faults: &Faults,
    now: Timestamp,
) -> Option<(Loaded, Aside)> {
    let store = load_gateway(folder).ok()?.config.store.path;
    let (set, made) = (overlay::path(&store), workshop::below(&store));
    let both = [set, made];
    let (loaded, left_out) = [&both[..1], &both[1..], &both[..]]
        .into_iter()
        .filter(|without| without.iter().all(|path| path.exists()))
        .find_map(|without| {
            let changes = Changes { without, ..Changes::default() };
            Some((load_parts(folder, over, changes).ok()?, without))
        })?;
    let paths = left_out.iter().map(|path| {
        set_aside(path, now).unwrap_or_else(|error| {
            tracing::error!(path = %path.display(), %error, "stays where it is");
            path.clone()
        })
    });
    Some((loaded, Aside { paths: paths.collect(), faults: faults.plain() }))
}

/// Moves it to a name beside its own that nothing has.
fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let time: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let to = (1..u32::MAX)
        .map(|n| if n == 1 { String::new() } else { format!("-{n}") })
        .map(|more| path.with_file_name(format!("{name}.aside-{time}{more}")))
        .find(|to| !to.exists())
        .ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &to)?;
    // It lies aside already; after a power cut it may be found in its old place again, and go aside again.
    let synced = path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all());
    if let Err(error) = synced {
        tracing::warn!(path = %to.display(), %error, "is aside, and may not be after a power cut");
    }
    Ok(to)
}
