//! The MQTT devices of the simulated community, behind one connection.
//!
//! Each device's frames are made when they are due and handed to [`super::publish`]. While the broker
//! is away the devices wait; their frames are dated with the moment at which they were due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::decode::encode::encode;
use gatehouse_core::reading::{Body, Timestamp};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::connect::{self, NotABroker};
use super::play::Play;
use super::publish::{Link, Message, publish};
use super::world::{Saying, Unit, Wire, World};
use crate::config::Access;

/// Frames made and not yet handed to the connection. When full, the devices wait.
const QUEUE: usize = 256;
/// How long a broker may be away at the end before nobody waits for it any more.
const PATIENCE: Duration = Duration::from_millis(500);

/// Messages a second, all devices together, when each speaks as often as declared.
pub fn natural_rate(world: &World) -> f64 {
    world
        .units
        .iter()
        .filter_map(|unit| match &unit.wire {
            Wire::Mqtt { every, .. } => Some(1.0 / every.as_secs_f64()),
            Wire::Modbus { .. } | Wire::Camera { .. } => None,
        })
        .sum()
}

/// MQTT devices that speak.
#[derive(Debug)]
pub struct Talking {
    task: JoinHandle<()>,
    link: watch::Receiver<Link>,
}

/// The broker does not have everything that the devices said.
#[derive(Debug, thiserror::Error)]
pub enum Unconfirmed {
    #[error("there is no connection: {0}")]
    NoBroker(String),
    #[error("it did not say so within {0:?}")]
    Late(Duration),
}

impl Talking {
    /// Waits, after the end of the play, until the broker has confirmed everything; for `grace` at
    /// most, and for a broker that is not there hardly at all.
    pub async fn finish(mut self, grace: Duration) -> Result<(), Unconfirmed> {
        // Cancel-safe: nothing here has anything to lose.
        tokio::select! {
            biased;
            ended = &mut self.task => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the devices broke down");
                }
                Ok(())
            }
            why = cut_off(self.link) => Err(Unconfirmed::NoBroker(why)),
            () = tokio::time::sleep(grace) => Err(Unconfirmed::Late(grace)),
        }
    }
}

/// Waits until there has been no broker for as long as [`PATIENCE`]; returns why there is none.
async fn cut_off(mut link: watch::Receiver<Link>) -> String {
    loop {
        let down = link.wait_for(|link| *link != Link::Up).await.map(|link| link.clone());
        let why = match down {
            Ok(Link::Down(why)) => why,
            // The devices have ended by themselves.
            Ok(Link::Up) | Err(_) => return std::future::pending().await,
        };
        let back = link.wait_for(|link| *link == Link::Up);
        if tokio::time::timeout(PATIENCE, back).await.is_err() {
            return why.unwrap_or_else(|| "it does not answer".to_owned());
        }
    }
}

/// Connects the MQTT devices; they speak until `play.stop`, and the task ends when the broker has
/// confirmed everything. `pace` multiplies how often each of them speaks.
pub fn start(play: Play, pace: f64, url: &str, access: &Access) -> Result<Talking, NotABroker> {
    let client_id = format!("simulated-devices-{}", std::process::id());
    let options = connect::options(url, access, &client_id)?;
    let (out, made) = mpsc::channel(QUEUE);
    let tally = Arc::clone(&play.tally);
    let (told, link) = watch::channel(Link::Down(None));
    let mut is_up = link.clone();
    tokio::spawn(async move {
        // What is made before there is a connection would arrive in one burst, and a gateway that
        // dates by arrival would see values jump.
        let connected = is_up.wait_for(|link| *link == Link::Up);
        let is_connected =
            play.stop.run_until_cancelled(connected).await.is_some_and(|up| up.is_ok());
        if is_connected {
            speak(&play, pace, out).await;
        }
    });
    let task = tokio::spawn(async move { publish(&options, made, &tally, &told).await });
    Ok(Talking { task, link })
}

/// Makes every device's frames at their time, until `play.stop` or until nobody listens.
async fn speak(play: &Play, pace: f64, out: mpsc::Sender<Message>) {
    let Play { world, clock, tally, stop } = play;
    let mut voices: Vec<Voice> = world.units.iter().filter_map(|u| Voice::new(u, pace)).collect();
    let first =
        |(n, voice): (usize, &Voice)| Reverse((world.start + voice.unit.phase(voice.every), n));
    let mut due: BinaryHeap<_> = voices.iter().enumerate().map(first).collect();

    while let Some(Reverse((at, n))) = due.pop() {
        if at > clock.now() {
            // Cancel-safe: a sleep has nothing to lose.
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(clock.instant(at)) => {}
            }
        }
        let voice = &mut voices[n];
        due.push(Reverse((at + voice.every, n)));
        let Some(message) = voice.says(world, at) else { continue };
        let bytes = message.payload.len();
        // Cancel-safe: a message that is not accepted was not made.
        tokio::select! {
            () = stop.cancelled() => return,
            accepted = out.send(message) => match accepted {
                Ok(()) => tally.made(bytes),
                Err(_) => return,
            },
        }
    }
}

/// A device that speaks by itself, and how often it has.
struct Voice<'a> {
    unit: &'a Unit,
    topic: &'a str,
    every: Duration,
    count: u64,
}

impl<'a> Voice<'a> {
    fn new(unit: &'a Unit, pace: f64) -> Option<Self> {
        match &unit.wire {
            Wire::Mqtt { topic, every } => {
                // The clock counts milliseconds; a period below one would never pass.
                let every = Duration::try_from_secs_f64(every.as_secs_f64() / pace);
                let every = every.unwrap_or(Duration::MAX).max(Duration::from_millis(1));
                Some(Self { unit, topic, every, count: 0 })
            }
            Wire::Modbus { .. } | Wire::Camera { .. } => None,
        }
    }

    fn says(&mut self, world: &World, at: Timestamp) -> Option<Message> {
        let payload = match world.ask(self.unit, at) {
            Saying::Nothing => return None,
            Saying::Payload(text) => text.into_bytes(),
            Saying::Values(values) => {
                self.count += 1;
                let values: Vec<_> = values.into_iter().map(Some).collect();
                let counters = self.unit.device_type.head.echo.iter();
                let counters: Map<_, _> =
                    counters.map(|name| (name.clone(), Value::from(self.count))).collect();
                match encode(&self.unit.device_type, &values, &counters, at) {
                    Body::Payload(payload) => payload,
                    Body::Blocks(_) | Body::Values { .. } => return None,
                }
            }
        };
        Some(Message { topic: self.topic.to_owned(), payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::simulate::sample;

    const SITE: &str = r#"
        [[device]]
        id = "bin-1"
        type = "bin"
        area = "east"
        [simulation]
        every = { bin = "1 s" }
        [[simulation.behaviour]]
        device-type = "bin"
        point = "fill"
        mean = 20.0
        [[simulation.anomaly]]
        device = "bin-1"
        starts = "3 s"
        lasts = "1 s"
        payload = "{ \"fill\": "
    "#;

    const BIN: &str = r#"
        [device-type]
        id = "bin"
        title = { zh = "箱", en = "Bin" }
        via = "mqtt"
        echo = ["seq"]
        time = { json = "/ts", format = "unix-ms" }
        [[point]]
        name = "fill"
        at = { json = "/level/fill" }
        unit = "%"
    "#;

    #[test]
    fn a_device_counts_its_messages_and_dates_them() {
        let world = world();
        let mut voice = Voice::new(&world.units[0], 1.0).unwrap();
        let mut says = |second| {
            let at = world.start + Duration::from_secs(second);
            String::from_utf8(voice.says(&world, at).unwrap().payload).unwrap()
        };

        assert_eq!(says(1), r#"{"seq":1,"level":{"fill":20},"ts":1000}"#);
        assert_eq!(says(2), r#"{"seq":2,"level":{"fill":20},"ts":2000}"#);
        assert_eq!(says(3), r#"{ "fill": "#);
        assert_eq!(says(4), r#"{"seq":3,"level":{"fill":20},"ts":4000}"#);
    }

    #[tokio::test(start_paused = true)]
    async fn devices_speak_as_often_as_declared_times_the_pace() {
        let world = World { start: Clock::new(1.0).now(), ..world() };
        let (out, mut made) = mpsc::channel(64);
        let play = Play::new(world, Clock::new(1.0));

        tokio::join!(speak(&play, 2.0, out), async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            play.stop.cancel();
            while made.recv().await.is_some() {}
        });

        assert!((19..=20).contains(&play.tally.read().made), "{:?}", play.tally.read());
    }

    fn world() -> World {
        sample::world(SITE, BIN, Timestamp(0)).unwrap()
    }
}
