//! `gatehouse demo`: the whole main job in one process, with nothing to set up.
//!
//! Real parts around a real gateway: MQTT brokers, Modbus TCP servers and a camera's pictures on loopback,
//! devices that speak to them, and a stand-in platform that prints what reaches it. Only the devices are not
//! real. The configuration is the ordinary one, with its wires turned to loopback and its store to a
//! folder that is removed at the end.

use std::io::{IsTerminal, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use gatehouse_core::community::Community;
use gatehouse_core::community::quantity::{Language, Period};
use gatehouse_core::community::scene::{SceneHead, Status};
use gatehouse_core::community::site::Site;
use gatehouse_core::view::View;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::simulate::{factor, load, seconds, until_over};
use super::{INVALID, check};
use crate::clock::Clock;
use crate::config::evidence::EvidenceConfig;
use crate::config::{Access, GatewayConfig, UplinkConfig};
use crate::console::CannotListen;
use crate::evidence::Evidence;
use crate::pace::Pace;
use crate::service::{self, At, Running};
use crate::simulate::feed::Feed;
use crate::simulate::platform::{Platform, listen};
use crate::simulate::play::Play;
use crate::simulate::scratch::Scratch;
use crate::simulate::summary::{Seen, Summary};
use crate::simulate::telling::{Teller, language_of};
use crate::simulate::world::World;
use crate::simulate::{broker, devices, modbus, plan, shipped, sights};

/// How long the gateway may take to reach its brokers and lines before the devices begin anyway.
const SETTLE: Duration = Duration::from_secs(5);
/// How long the broker may take to confirm the devices' last messages.
const GRACE: Duration = Duration::from_secs(3);
/// When the platform has heard nothing for so long after the gateway's end, that was all.
const LAST_WORD: Duration = Duration::from_millis(300);
/// Any free port.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const RETRY: Period = Period(Duration::from_secs(1));
/// How long stills are kept, in the time of the play.
const KEEP: Period = Period(Duration::from_hours(72));

/// Watch a simulated community through the gateway
///
/// Starts brokers, devices, the gateway and a stand-in platform in one process, prints the console's
/// address and the events as they come, and ends with a summary.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The console's address; a free port on loopback when left out
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// End after so many seconds; Ctrl-C ends it anyway
    #[arg(long = "for", value_name = "SECS", value_parser = seconds)]
    pub lasts: Option<Duration>,
    /// How much faster than the world time passes. At 20 the first events come within 20 seconds;
    /// from some 100 on, the machine's own delays begin to look like faults of the devices
    #[arg(long, value_name = "X", default_value_t = 20.0, value_parser = factor)]
    pub speed: f64,
    /// The configuration to demonstrate; ./config when there is one, else the one in the program
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
    /// Another number, another day; the same number, the same day
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write the summary to stdout as one JSON object, and everything else to stderr
    #[arg(long)]
    pub json: bool,
}

/// Runs the demonstration to its end.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let scratch = Scratch::new().context("cannot make a temporary folder")?;
    let folder = configuration(args.config.as_deref(), scratch.path())?;
    let mut setup = match check::load(&folder) {
        Ok(loaded) => loaded.into_setup(),
        Err(faults) => {
            faults.print();
            return Ok(ExitCode::from(INVALID));
        }
    };

    setup.config.store.path = scratch.path().join("data");
    setup.config.console.enabled = true;
    setup.is_demo = true;
    setup.config.console.listen = args.http.unwrap_or(LOOPBACK);
    let mut stage = Stage::set(&args, &folder, &mut setup.config).await?;
    stage.expect_only_what_is_sent(&setup.community);
    let stop = CancellationToken::new();
    // A pace of its own, that nobody naps by: the simulated devices share the thread.
    let (clock, pace) = (stage.play.clock.clone(), Pace::default());
    let started = service::start(setup, clock, pace, stop.clone()).await;
    let mut gateway = started.map_err(|error| match error.downcast::<CannotListen>() {
        Ok(CannotListen { listen, source }) => anyhow::Error::new(source).context(format!(
            "cannot listen on `{listen}` for the console; give --http another port, or leave it out"
        )),
        Err(other) => other,
    })?;
    // A demonstration keeps the configuration that it has redirected to itself.
    drop((gateway.take_requests(), gateway.take_installs()));
    if let Some(at) = &gateway.console {
        announce(at, args.json)?;
    }
    stage.show(&gateway);
    wait_until_connected(gateway.view.clone()).await;
    let (summary, language) = stage.play(gateway, stop, &args).await?;
    let text = if args.json { format!("{}\n", summary.json()) } else { summary.text(language) };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Everything around the gateway.
struct Stage {
    play: Play,
    site: Site,
    /// The sensor broker.
    sensors: String,
    /// The camera that shows pictures, by id.
    fed: Option<String>,
    /// Where the gateway keeps its stills.
    evidence: Evidence,
    /// What arrives at the platform.
    events: mpsc::Receiver<Vec<u8>>,
}

impl Stage {
    /// Starts brokers, Modbus servers and the platform, and redirects the configuration to them.
    async fn set(args: &Args, folder: &Path, config: &mut GatewayConfig) -> anyhow::Result<Self> {
        let (site, types) = load(&folder.join("community.toml"))?;
        let clock = Clock::for_a_play(args.speed);
        let keeper = clock.clone();
        tokio::spawn(async move { keeper.keep().await });
        let play = Play::new(World::new(&site, &types, args.seed, clock.now())?, clock);
        let sensors = format!("mqtt://{}", broker::start("sensors")?);
        for broker in &mut config.brokers {
            broker.url.clone_from(&sensors);
            broker.access = Access::default();
        }
        for line in &mut config.lines {
            let address = modbus::open(play.clone(), &line.id, LOOPBACK).await;
            line.tcp = Some(address.context("no port for a Modbus line")?.to_string());
            (line.rtu_over_tcp, line.serial) = (None, None);
        }
        config.buses.clear();
        // What the other cameras see is played as numbers.
        let feed = Feed::of(&site);
        config.cameras.retain(|camera| feed.as_ref().is_some_and(|feed| feed.camera == camera.id));
        if let (Some(feed), Some(camera)) = (&feed, config.cameras.first_mut()) {
            let opened = feed.open(play.clone(), LOOPBACK, camera).await;
            opened.context("no port for the camera's feed")?;
        }
        let basis = match language() {
            Language::Zh => "演示：画面为绘制，人物取自公有领域的照片",
            Language::En => {
                "a demonstration: drawn pictures, and a person from a public photograph"
            }
        };
        config.evidence = Some(EvidenceConfig { keep: KEEP, basis: basis.to_owned() });
        let events = township(config, &play.stop).await?;
        let camera = config.cameras.first().map(|camera| camera.id.clone());
        let evidence = Evidence::in_store(&config.store.path, KEEP.0);
        Ok(Self { play, site, sensors, fed: camera, evidence, events })
    }

    /// What a scene that is off would see, or what waits for a person's yes, never reaches the platform.
    fn expect_only_what_is_sent(&mut self, community: &Community) {
        let is_sent = |head: &SceneHead| head.status == Status::Live && !head.review;
        let scenes = || community.scenes.iter().map(|scene| &scene.head);
        for anomaly in self.site.simulation.iter_mut().flat_map(|played| &mut played.anomalies) {
            let scene = anomaly.scene.as_ref().and_then(|id| scenes().find(|head| head.id == *id));
            if scene.is_some_and(|head| !is_sent(head)) {
                anomaly.scene = None;
            }
        }
    }

    /// Lets the cameras see what is played.
    fn show(&self, gateway: &Running) {
        let (play, community) = (self.play.part(), gateway.community());
        let (fed, inputs) = (self.fed.clone(), gateway.inputs());
        tokio::spawn(async move { sights::show(play, &community, fed.as_deref(), inputs).await });
    }

    /// Lets the devices speak, prints what reaches the platform, and sums up.
    async fn play(
        mut self,
        gateway: Running,
        stop: CancellationToken,
        args: &Args,
    ) -> anyhow::Result<(Summary, Language)> {
        let language = language();
        let mut teller = self.teller(language);
        say(&format!("{}\n", teller.heading()), args.json)?;
        let begun = std::time::Instant::now();
        let mut platform = Platform::default();
        let voices = self.play.part();
        let talking = devices::start(voices.clone(), 1.0, &self.sensors, &Access::default())?;

        {
            let mut end = std::pin::pin!(until_over(args.lasts));
            loop {
                // Cancel-safe: a reception, a poll of a flag, and a future that is kept.
                tokio::select! {
                    ended = &mut end => break ended?,
                    () = gateway.broke_down() => bail!("a part of the gateway broke down"),
                    Some(payload) = self.events.recv() => show(&mut platform, &mut teller, &payload, args.json)?,
                }
            }
        }

        let (now, real) = (self.play.clock.now(), begun.elapsed());
        voices.stop.cancel();
        if let Err(error) = talking.finish(GRACE).await {
            tracing::warn!(%error, "the devices");
        }
        stop.cancel();
        let (view, tallies) = (gateway.view.clone(), gateway.tallies());
        gateway.finish().await;
        while let Ok(Some(payload)) = tokio::time::timeout(LAST_WORD, self.events.recv()).await {
            show(&mut platform, &mut teller, &payload, args.json)?;
        }
        self.play.stop.cancel();

        let anomalies = self.site.simulation.as_ref().map_or(&[][..], |s| &s.anomalies[..]);
        let planned =
            plan::unroll(anomalies, self.site.calendar.as_ref(), self.play.world.start, now);
        let summary = Summary {
            real,
            simulated: now.since(self.play.world.start),
            counts: view.borrow().counts.clone(),
            sent: self.play.tally.read(),
            seen: Seen {
                looks: tallies.now().iter().map(|camera| camera.looks).sum(),
                shed: tallies.now().iter().map(|camera| camera.shed).sum(),
                stills: self.evidence.many().unwrap_or_default(),
            },
            verdict: plan::judge(&planned, &platform.seen, now),
            platform,
        };
        Ok((summary, language))
    }

    fn teller(&self, language: Language) -> Teller {
        let areas = self.site.areas.iter().map(|a| (a.id.clone(), a.title.clone())).collect();
        Teller::new(language, std::io::stdout().is_terminal(), areas)
    }
}

/// The language that the environment asks for.
fn language() -> Language {
    let lang = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    lang.map_or(Language::En, |lang| language_of(&lang))
}

/// Starts the township's broker and the platform behind it, and points the uplink there.
async fn township(
    config: &mut GatewayConfig,
    over: &CancellationToken,
) -> anyhow::Result<mpsc::Receiver<Vec<u8>>> {
    let url = format!("mqtt://{}", broker::start("township")?);
    let declared = config.uplink.take();
    let uplink = UplinkConfig {
        events_topic: declared.as_ref().and_then(|uplink| uplink.events_topic.clone()),
        retry_min: declared.as_ref().map_or(RETRY, |uplink| uplink.retry_min),
        retry_max: declared.as_ref().map_or(RETRY, |uplink| uplink.retry_max),
        ..UplinkConfig::to(url)
    };
    let me = &config.gateway;
    let usual = || format!("gatehouse/v1/{}/{}/events", me.township, me.id);
    let topic = uplink.events_topic.clone().unwrap_or_else(usual);
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let events = listen(&uplink.url, topic, ready, over.clone())?;
    let subscribed = tokio::time::timeout(SETTLE, is_ready).await;
    subscribed.context("the platform could not subscribe at its broker")??;
    config.uplink = Some(uplink);
    Ok(events)
}

/// The folder to read: as asked for, `./config`, or the program's own copy, unpacked.
fn configuration(asked: Option<&Path>, scratch: &Path) -> anyhow::Result<PathBuf> {
    if let Some(folder) = asked {
        return Ok(folder.to_owned());
    }
    let usual = Path::new("config");
    if usual.join("gateway.toml").is_file() && usual.join("community.toml").is_file() {
        return Ok(usual.to_owned());
    }
    shipped::unpack(scratch).context("cannot unpack the configuration")
}

fn announce(at: &At, as_json: bool) -> std::io::Result<()> {
    let (console, once) = match language() {
        Language::Zh => ("控制台 ", "一次性密码"),
        Language::En => ("console", "one-time password"),
    };
    let (url, password) = (at.url(), at.password.as_deref().unwrap_or_default());
    if let Some(tls) = &at.tls {
        say(&format!("SHA-256   {}", tls.fingerprint()), as_json)?;
    }
    say(&format!("{console}   {url}   {once} {password}\n"), as_json)
}

/// A line for a person, out of the way of what is for a program.
fn say(line: &str, as_json: bool) -> std::io::Result<()> {
    if as_json {
        writeln!(std::io::stderr().lock(), "{line}")
    } else {
        writeln!(std::io::stdout().lock(), "{line}")
    }
}

/// Waits until every broker and line is up, so that the first frames are not lost.
async fn wait_until_connected(mut view: watch::Receiver<Arc<View>>) {
    let is_up = |view: &Arc<View>| {
        !view.sources.is_empty() && view.sources.iter().all(|source| source.down.is_none())
    };
    if tokio::time::timeout(SETTLE, view.wait_for(is_up)).await.is_err() {
        tracing::warn!("the gateway has not reached all its brokers and lines yet");
    }
}

fn show(
    platform: &mut Platform,
    teller: &mut Teller,
    payload: &[u8],
    as_json: bool,
) -> std::io::Result<()> {
    match platform.receive(payload) {
        Some(message) => say(&teller.line(&message), as_json),
        None => Ok(()),
    }
}
