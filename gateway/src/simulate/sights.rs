//! The cameras and local sensors of the simulated community: what would be seen or measured, without a
//! picture or a chip.
//!
//! The numbers go where those of real ones go, into the gateway's inputs. A camera that has a feed
//! ([`super::feed`]) is left to it.

use std::time::Duration;

use gatehouse_core::community::Community;
use gatehouse_core::community::camera::Camera;
use gatehouse_core::pipeline::Input;
use gatehouse_core::reading::{Body, DeviceIndex, Frame, Timestamp};
use tokio::sync::mpsc::WeakSender;

use super::play::Play;
use super::world::{Saying, Unit, Wire};

/// Shows every camera device but those of the camera `fed` until the play is over, or until nobody looks.
pub async fn show(play: Play, community: &Community, fed: Option<&str>, inputs: WeakSender<Input>) {
    let is_fed = |camera: &Camera<'_>| fed == Some(camera.id);
    let fed = community.cameras().find(is_fed).map(|camera| camera.index);
    for camera in community.cameras().filter(|camera| !is_fed(camera)) {
        let Some(inputs) = inputs.upgrade() else { return };
        drop(inputs.send(Input::Source { source: camera.source, down: None }).await);
    }
    let seen = |unit: &Unit| match unit.wire {
        Wire::Camera { every } => {
            let device = community.find_device(&unit.id)?;
            let camera = community.devices.get(device.0)?.sight().map(|sight| sight.camera);
            (fed.is_none() || camera != fed).then(|| (device, unit.clone(), every))
        }
        Wire::Mqtt { .. } | Wire::Modbus { .. } => None,
    };
    let units: Vec<(DeviceIndex, Unit, Duration)> =
        play.world.units.iter().filter_map(seen).collect();
    let mut due: Vec<Timestamp> =
        units.iter().map(|(_, unit, every)| play.world.start + unit.phase(*every)).collect();

    while let Some((next, at)) = due.iter().copied().enumerate().min_by_key(|(_, at)| *at) {
        let late = tokio::time::sleep_until(play.clock.instant(at));
        if play.stop.run_until_cancelled(late).await.is_none() {
            return;
        }
        let (device, unit, every) = &units[next];
        due[next] = at + *every;
        let Saying::Values(values) = play.world.ask(unit, at) else { continue };
        let frame = Frame { device: *device, ticket: None, body: Body::Values { at, values } };
        let Some(inputs) = inputs.upgrade() else { return };
        if inputs.send(Input::Frame(frame)).await.is_err() {
            return;
        }
    }
}
