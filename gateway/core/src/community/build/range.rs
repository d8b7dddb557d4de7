//! Which device types a scene looks at, and which points its detectors may name.
//!
//! Where a device type is misspelt, its points may be those of any other: then the points of all of
//! them are known here, so that one misspelt word hides no other one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::device_type::DeviceType;
use super::super::document::Document;
use super::super::fault::nearest;
use super::super::scene::Scene;
use super::Known;

/// The device types that a scene looks at.
pub(super) struct Range<'t> {
    pub(super) types: Vec<&'t Arc<DeviceType>>,
    /// Points that may be meant.
    pub(super) names: BTreeSet<&'t str>,
    /// There may be points that are not known, in a file that has faults itself.
    pub(super) is_vague: bool,
    /// Every type that the scene names is there.
    pub(super) is_complete: bool,
}

impl<'t> Range<'t> {
    pub(super) fn of(scene: &Scene, types: &Known<'t, DeviceType>) -> Self {
        let listed = &scene.head.device_types;
        let all = || types.values.values().copied();
        let found: Vec<_> = if listed.is_empty() {
            all().collect()
        } else {
            listed.iter().filter_map(|id| types.get(id)).collect()
        };
        let is_complete = listed.is_empty() || found.len() == listed.len();
        let meant: Vec<_> = if is_complete { found.clone() } else { all().collect() };

        let may_be_any = listed.is_empty() || !is_complete;
        let is_unread =
            types.unread.iter().any(|id| listed.is_empty() || listed.iter().any(|l| l == id));
        let is_unsure = meant.iter().any(|of| !types.has_sure_points(&of.head.id));
        let points = meant.iter().flat_map(|of| &of.points);
        Self {
            names: points.map(|point| point.name.as_str()).collect(),
            is_vague: is_unread || is_unsure || (may_be_any && types.has_nameless),
            types: found,
            is_complete,
        }
    }

    /// Reports a point that no device type has.
    pub(super) fn check(&self, document: &mut Document, path: &str, name: &str) {
        if !self.is_vague && !self.names.contains(name) {
            let message = format!("no device type of this scene has a point `{name}`");
            document.fault(path, message, nearest(name, self.names.iter().copied()));
        }
    }
}
