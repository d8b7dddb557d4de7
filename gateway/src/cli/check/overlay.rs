//! What integrators made on the console, laid over the configuration's own files: its device types beside
//! theirs, its devices behind those of `community.toml`.

use std::path::Path;

use gatehouse_core::community::build::File;
use gatehouse_core::community::fault::Fault;

use super::reader::Reader;
use super::{Changes, Over, complete, load_parts};
use crate::workshop::{self, Judge};

/// Where the devices of the overlay begin in the text of `community.toml`, so that a fault in them is told
/// in their own file.
#[derive(Debug, Default)]
pub(super) struct Seam {
    community: String,
    devices: Option<(usize, String)>,
}

/// The community's file with the overlay's devices behind its own.
pub(super) fn with_devices(
    reader: &mut Reader,
    community: Option<File>,
    overlay: Option<&Path>,
) -> (Option<File>, Seam) {
    let path = overlay.map(|overlay| overlay.join(workshop::DEVICES));
    let devices = path.filter(|path| path.is_file()).and_then(|path| reader.file(&path));
    let (Some(mut file), Some(devices)) = (community.clone(), devices) else {
        return (community, Seam::default());
    };
    file.text.push('\n');
    let seam =
        Seam { community: file.name.clone(), devices: Some((file.text.len(), devices.name)) };
    file.text.push_str(&devices.text);
    (Some(file), seam)
}

impl Seam {
    pub(super) fn told_apart(&self, mut faults: Vec<Fault>) -> Vec<Fault> {
        let Some((start, name)) = &self.devices else { return faults };
        for fault in faults.iter_mut().filter(|fault| fault.file == self.community) {
            if let Some(from) = fault.span.start.checked_sub(*start) {
                fault.span = from..fault.span.end.saturating_sub(*start);
                fault.file.clone_from(name);
            }
        }
        faults
    }
}

/// Holds a changed overlay against all that `run` would load from this folder.
pub fn judge(folder: &Path) -> Judge {
    let folder = folder.to_owned();
    Box::new(move |overlay| {
        let changes = Changes { overlay: Some(overlay), ..Changes::default() };
        let loaded = load_parts(&folder, Over::Installed, changes).and_then(complete);
        loaded.map(|_sound| ()).map_err(|faults| faults.told())
    })
}
