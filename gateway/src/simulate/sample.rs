//! Small made-up worlds for the tests of the simulation.

use std::sync::Arc;

use gatehouse_core::community::site::Site;
use gatehouse_core::reading::Timestamp;

use super::world::{NotSimulated, World};

/// A world of one area with the devices and the `[simulation]` that are given, all of one type.
pub(super) fn world(
    devices: &str,
    device_type: &str,
    start: Timestamp,
) -> Result<World, NotSimulated> {
    const HEAD: &str = r#"
        [community]
        id = "c"
        title = { zh = "甲", en = "C" }
        [[area]]
        id = "east"
        title = { zh = "东", en = "East" }
    "#;
    let site: Site = toml::from_str(&format!("{HEAD}{devices}")).unwrap();
    World::new(&site, &[Arc::new(toml::from_str(device_type).unwrap())], 1, start)
}
