//! A camera over a yard: JPEGs over HTTP, as a real one would send them, of what the world says is there.
//!
//! What `demo` shows through it goes the whole way of a picture: fetched, decoded, looked at by the models,
//! counted, and kept as a masked still when an event opens. The pictures, and whose they are, are in `feed/`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gatehouse_core::community::quantity::Period;
use gatehouse_core::community::site::Site;

use super::play::Play;
use super::world::{Saying, Unit};
use crate::config::camera::{CameraAccess, CameraConfig};

/// What the pictures were made for: people in a yard.
const DEVICE_TYPE: &str = "yard-camera";
/// Fetched this often in the world's time, however fast that of the play runs: a model takes some hundredths
/// of a second for each.
const EVERY: Duration = Duration::from_millis(400);
/// In the time of the play: a picture older than half a minute shows nothing of now.
const AT_MOST: Duration = Duration::from_secs(20);

/// Two that differ by their grain alone: the very same picture again would be a frozen camera.
macro_rules! pictures {
    ($($name:literal),+) => { [$(include_bytes!(concat!("feed/", $name, ".jpg")).as_slice()),+] };
}
const EMPTY: [&[u8]; 2] = pictures!["empty-0", "empty-1"];
const TURNED: [&[u8]; 2] = pictures!["turned-0", "turned-1"];
const BAG: [&[u8]; 2] = pictures!["bag-0", "bag-1"];
/// Step by step from left to right.
const WALK: [&[u8]; 8] =
    pictures!["walk-0", "walk-1", "walk-2", "walk-3", "walk-4", "walk-5", "walk-6", "walk-7"];

/// A camera that can show the yard, and the device that looks through it; both by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    pub camera: String,
    device: String,
}

/// What a feed tells of its time.
#[derive(Clone)]
struct Yard {
    play: Play,
    unit: Arc<Unit>,
    /// Pictures that were asked for, and at which of them somebody came.
    asked: Arc<AtomicUsize>,
    came: Arc<AtomicUsize>,
}

impl Feed {
    /// The first camera of a community that nobody but one over a yard looks through.
    pub fn of(site: &Site) -> Option<Self> {
        let is_alone = |camera: &String| {
            let others = site.devices.iter().filter(|d| d.camera.as_ref() == Some(camera));
            others.count() == 1
        };
        site.devices.iter().filter(|device| device.device_type == DEVICE_TYPE).find_map(|device| {
            let camera = device.camera.clone().filter(is_alone)?;
            Some(Self { camera, device: device.id.clone() })
        })
    }

    /// Opens it, and turns the camera there.
    ///
    /// # Errors
    /// There is no port to be had.
    pub async fn open(
        &self,
        play: Play,
        address: SocketAddr,
        camera: &mut CameraConfig,
    ) -> std::io::Result<()> {
        let find = |unit: &&Unit| unit.id == self.device;
        let Some(unit) = play.world.units.iter().find(find).cloned() else { return Ok(()) };
        let listener = tokio::net::TcpListener::bind(address).await?;
        let every = play.clock.shown(EVERY).min(AT_MOST).max(camera.every.0);
        *camera = CameraConfig {
            url: Some(format!("http://{}/", listener.local_addr()?)),
            every: Period(every),
            access: CameraAccess::default(),
            broker: None,
            topic: None,
            json: None,
            ..camera.clone()
        };
        let stop = play.stop.clone();
        let (asked, came) = (Arc::default(), Arc::default());
        let yard = Yard { play, unit: Arc::new(unit), asked, came };
        let pages = Router::new().route("/", get(snapshot)).with_state(yard);
        tokio::spawn(async move {
            let serving =
                axum::serve(listener, pages).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = serving.await {
                tracing::error!(%error, "the camera's feed has ended");
            }
        });
        Ok(())
    }
}

async fn snapshot(State(yard): State<Yard>) -> Response {
    match yard.shows() {
        Some(jpeg) => ([(header::CONTENT_TYPE, "image/jpeg")], jpeg).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl Yard {
    /// What is to be seen now; nothing while the camera is silent.
    fn shows(&self) -> Option<&'static [u8]> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let Saying::Values(values) = self.play.world.ask(&self.unit, self.play.clock.now()) else {
            return None;
        };
        let points = self.unit.device_type.points.iter().zip(values);
        let is =
            |name: &str| points.clone().any(|(point, value)| point.name == name && value > 0.5);
        let is_there = is("people_in_zone");
        if !is_there {
            self.came.store(turn + 1, Ordering::Relaxed);
        }
        let either = turn % 2;
        Some(if is("covered") {
            BAG[either]
        } else if is("moved") {
            TURNED[either]
        } else if is_there {
            step(turn.saturating_sub(self.came.load(Ordering::Relaxed)))
        } else {
            EMPTY[either]
        })
    }
}

/// Of somebody who walks to and fro, and turns without haste. A step a picture, however fast time runs, so
/// that it can be seen that it is the same person.
fn step(taken: usize) -> &'static [u8] {
    let there_and_back = (0..WALK.len()).chain((0..WALK.len()).rev());
    WALK[there_and_back.cycle().nth(taken % (2 * WALK.len())).unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::simulate::sample;

    const DEVICES: &str = r#"
        [[device]]
        id = "lane"
        type = "lane-camera"
        area = "east"
        camera = "shared"
        [[device]]
        id = "beside-it"
        type = "yard-camera"
        area = "east"
        camera = "shared"
        [[device]]
        id = "yard"
        type = "yard-camera"
        area = "east"
        camera = "yard-1"
    "#;

    fn yard(anomaly: &str) -> Yard {
        const TYPE: &str = r#"
            [device-type]
            id = "yard-camera"
            title = { zh = "院", en = "Yard" }
            via = "camera"
            [camera]
            model = "road-users"
            [[point]]
            name = "people_in_zone"
            at = { see = "count" }
            unit = "{people}"
            [[point]]
            name = "covered"
            at = { see = "covered" }
            unit = "1"
            [[point]]
            name = "moved"
            at = { see = "moved" }
            unit = "1"
        "#;
        let device = DEVICES.rsplit_once("[[device]]").unwrap().1;
        let anomaly = format!(
            "[[device]]{device}[[simulation.anomaly]]\ndevice = \"yard\"\nstarts = \"0 s\"\nlasts = \"1 h\"\n{anomaly}"
        );
        let clock = Clock::new(1.0);
        let world = sample::world(&anomaly, TYPE, clock.now() - Duration::from_secs(1)).unwrap();
        let unit = Arc::new(world.units[0].clone());
        let play = Play::new(world, clock);
        Yard { play, unit, asked: Arc::default(), came: Arc::default() }
    }

    #[test]
    fn the_camera_is_one_that_nothing_but_a_yard_is_seen_through() {
        let site =
            format!("[community]\nid = \"c\"\ntitle = {{ zh = \"甲\", en = \"C\" }}\n{DEVICES}");
        let site: Site = toml::from_str(&site).unwrap();

        let expected = Feed { camera: "yard-1".into(), device: "yard".into() };
        assert_eq!(Feed::of(&site), Some(expected));
        assert_eq!(Feed::of(&Site { devices: Vec::new(), ..site }), None);
    }

    #[test]
    fn it_shows_what_is_planned_and_never_the_same_picture_twice_in_a_row() {
        let cases = [
            ("set = { people_in_zone = 0 }", EMPTY.as_slice()),
            ("set = { people_in_zone = 1 }", WALK.as_slice()),
            ("set = { covered = 1, people_in_zone = 1 }", BAG.as_slice()),
            ("set = { moved = 1, people_in_zone = 1 }", TURNED.as_slice()),
        ];
        for (set, pictures) in cases {
            let yard = yard(set);
            let (first, second) = (yard.shows().unwrap(), yard.shows().unwrap());
            assert_eq!([first, second], [pictures[0], pictures[1]], "{set}");
        }
        assert_eq!(yard("silent = true").shows(), None);
    }

    #[test]
    fn somebody_walks_there_and_back_and_there_again() {
        let walked: Vec<_> = (0..17).map(step).collect();

        assert_eq!((walked[0], walked[7], walked[8]), (WALK[0], WALK[7], WALK[7]));
        assert_eq!((walked[15], walked[16]), (WALK[0], WALK[0]));
    }
}
