//! `gatehouse demo`: the whole main job in one process, with nothing to set up.
//!
//! Real parts around a real gateway: MQTT brokers and Modbus TCP servers on loopback, devices that
//! speak to them, and a stand-in platform that prints what reaches it. Only the devices are not
//! real. The configuration is the ordinary one; [`Stage`] redirects its wires to loopback and its
//! store to a folder that is removed at the end.

use std::io::{IsTerminal, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gatehouse_core::community::quantity::{Language, Period};
use gatehouse_core::community::site::Site;
use gatehouse_core::view::View;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::simulate::{factor, load, seconds, until_over};
use crate::clock::Clock;
use crate::config::{Access, GatewayConfig, UplinkConfig};
use crate::simulate::devices::{self, Tally};
use crate::simulate::platform::{Platform, Style, language_of, listen};
use crate::simulate::scratch::Scratch;
use crate::simulate::summary::Summary;
use crate::simulate::world::World;
use crate::simulate::{broker, modbus, plan, shipped};

/// How long the gateway may take to reach its brokers and lines before the devices begin anyway.
const SETTLE: Duration = Duration::from_secs(5);
/// How long what is on its way may take to arrive after the end.
const GRACE: Duration = Duration::from_secs(3);

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
    /// How much faster than the world time passes. At 20 the first events come within 20 seconds
    #[arg(long, value_name = "X", default_value_t = 20.0, value_parser = factor)]
    pub speed: f64,
    /// The configuration to demonstrate; ./config when there is one, else the one in the program
    #[arg(long, value_name = "DIR")]
    pub config: Option<PathBuf>,
    /// Another number, another day; the same number, the same day
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Everything around the gateway, ready and waiting for it.
pub struct Stage {
    /// The configuration with its wires, store and console redirected.
    pub config: GatewayConfig,
    /// Where the rest of the configuration stands.
    pub folder: PathBuf,
    pub clock: Clock,
    site: Site,
    world: Arc<World>,
    tally: Arc<Tally>,
    sensors: String,
    events: mpsc::Receiver<Vec<u8>>,
    stop: CancellationToken,
    /// Removed when the stage is.
    _scratch: Scratch,
}

/// Runs the demonstration to its end.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let stage = Stage::set(&args).await?;
    let gateway = start_gateway(&stage).await?;
    if let Some((address, password)) = &gateway.console {
        announce(*address, password)?;
    }
    wait_until_connected(gateway.view.clone()).await;
    stage.play(gateway, &args).await?;
    Ok(ExitCode::SUCCESS)
}

/// What the demonstration needs of a gateway that runs.
struct Gateway {
    /// The console's address and its one-time password.
    console: Option<(SocketAddr, String)>,
    view: watch::Receiver<Arc<View>>,
    /// Stops the sources, lets everything flow off, and waits for the end.
    shut_down: std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>>>>,
}

/// The seam: `lib.rs` starts a gateway from a configuration, a folder and a clock.
#[expect(clippy::unused_async, reason = "starting a gateway awaits its wires")]
async fn start_gateway(_stage: &Stage) -> anyhow::Result<Gateway> {
    anyhow::bail!("the gateway is not part of the demonstration yet")
}

impl Stage {
    /// Starts brokers, Modbus servers and the platform, and redirects the configuration to them.
    async fn set(args: &Args) -> anyhow::Result<Self> {
        let scratch = Scratch::new().context("cannot make a temporary folder")?;
        let folder = configuration(args.config.as_deref(), scratch.path())?;
        let (site, types) = load(&folder.join("community.toml"))?;
        let path = folder.join("gateway.toml");
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let mut config: GatewayConfig =
            toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))?;

        let sensors = format!("mqtt://{}", broker::start("sensors")?);
        let township = format!("mqtt://{}", broker::start("platform")?);
        let clock = Clock::new(args.speed);
        let world = Arc::new(World::new(&site, &types, args.seed, clock.now())?);
        let tally = Arc::new(Tally::default());
        let stop = CancellationToken::new();

        for line in &mut config.lines {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            line.tcp = Some(listener.local_addr()?.to_string());
            (line.rtu_over_tcp, line.serial) = (None, None);
            let id = line.id.clone();
            let (world, clock) = (Arc::clone(&world), clock.clone());
            let (tally, stop) = (Arc::clone(&tally), stop.clone());
            tokio::spawn(async move {
                if let Err(error) = modbus::serve(listener, &id, world, clock, tally, stop).await {
                    tracing::error!(line = id, %error, "a simulated Modbus line ended");
                }
            });
        }
        for broker in &mut config.brokers {
            broker.url.clone_from(&sensors);
            broker.access = Access::default();
        }
        config.store.path = scratch.path().join("data");
        config.console.enabled = true;
        config.console.listen = args.http.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let uplink = loopback_uplink(&township, config.uplink.take());
        let identity = &config.gateway;
        let usual = || format!("gatehouse/v1/{}/{}/events", identity.township, identity.id);
        let topic = uplink.events_topic.clone().unwrap_or_else(usual);
        config.uplink = Some(uplink);

        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let events = listen((&township, &Access::default()), topic, ready, stop.clone())?;
        tokio::time::timeout(SETTLE, is_ready)
            .await
            .context("the platform could not subscribe at its broker")??;
        Ok(Self {
            config,
            folder,
            clock,
            site,
            world,
            tally,
            sensors,
            events,
            stop,
            _scratch: scratch,
        })
    }

    /// Lets the devices speak, prints what reaches the platform, and sums up.
    async fn play(mut self, gateway: Gateway, args: &Args) -> anyhow::Result<()> {
        let lang = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        let style = Style {
            language: lang.map_or(Language::En, |lang| language_of(&lang)),
            coloured: std::io::stdout().is_terminal(),
            areas: self.site.areas.iter().map(|a| (a.id.clone(), a.title.clone())).collect(),
        };
        let begun = std::time::Instant::now();
        let mut platform = Platform::default();
        let broker = (self.sensors.as_str(), &Access::default());
        let (world, clock) = (Arc::clone(&self.world), self.clock.clone());
        let speaking = CancellationToken::new();
        let tally = Arc::clone(&self.tally);
        let talking = devices::start(world, 1.0, broker, clock, tally, speaking.clone())?;

        let mut over = std::pin::pin!(until_over(args.lasts));
        loop {
            // Cancel-safe: a reception, and a future that is kept.
            tokio::select! {
                ended = &mut over => break ended?,
                Some(payload) = self.events.recv() => show(&mut platform, &style, &payload)?,
            }
        }

        let now = self.clock.now();
        speaking.cancel();
        if tokio::time::timeout(GRACE, talking).await.is_err() {
            tracing::warn!("the sensor broker did not confirm everything");
        }
        gateway.shut_down.await?;
        while let Ok(Some(payload)) = tokio::time::timeout(GRACE, self.events.recv()).await {
            show(&mut platform, &style, &payload)?;
        }
        self.stop.cancel();

        let anomalies = self.site.simulation.as_ref().map_or(&[][..], |s| &s.anomalies[..]);
        let planned = plan::unroll(anomalies, self.world.start, now);
        let summary = Summary {
            real: begun.elapsed(),
            simulated: now.since(self.world.start),
            counts: gateway.view.borrow().counts.clone(),
            sent: self.tally.read(),
            verdict: plan::judge(&planned, &platform.seen, now),
            platform,
        };
        std::io::stdout().lock().write_all(summary.text(style.language).as_bytes())?;
        Ok(())
    }
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

fn loopback_uplink(url: &str, declared: Option<UplinkConfig>) -> UplinkConfig {
    let declared = declared.unwrap_or(UplinkConfig {
        url: String::new(),
        access: Access::default(),
        events_topic: None,
        retry_min: Period(Duration::from_secs(1)),
        retry_max: Period(Duration::from_mins(1)),
    });
    UplinkConfig { url: url.to_owned(), access: Access::default(), ..declared }
}

fn announce(address: SocketAddr, password: &str) -> std::io::Result<()> {
    writeln!(
        std::io::stdout().lock(),
        "console   http://{address}/   one-time password {password}\n"
    )
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

fn show(platform: &mut Platform, style: &Style, payload: &[u8]) -> std::io::Result<()> {
    match platform.receive(payload) {
        Some(message) => writeln!(std::io::stdout().lock(), "{}", style.line(&message)),
        None => Ok(()),
    }
}
