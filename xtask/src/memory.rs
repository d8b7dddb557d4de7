//! `cargo xtask memory`: what `gatehouse run` holds of the memory, idle and with a community in full swing.
//!
//! A community of so many devices of four points, all of them under the general detector; one broker on
//! loopback; frames ten minutes apart by the devices' clocks and as fast as they go by ours, until every
//! ring of every point is full. Then the gateway is stopped and started again, since what it takes up from
//! its disk lies in memory as well. All figures are the kernel's: `/proc/<pid>/status`.

mod feed;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::step;
use feed::Feed;

/// What `run` may hold, in bytes: idle, and with a thousand devices of four points.
const IDLE: u64 = 32_000_000;
const LOADED: u64 = 48_000_000;

const DEVICES: usize = 1_000;
/// The slowest ring of a point holds 512 means of four samples.
const ROUNDS: usize = 2_100;
/// Rounds that may be on their way.
const AHEAD: usize = 8;

const PATIENCE: Duration = Duration::from_mins(2);
/// What is freed and what is put off happens within this.
const SETTLE: Duration = Duration::from_secs(4);

const TOKEN: &str = "a-token-of-the-memory-chore";

pub(crate) fn run(words: &[&str]) -> Result<()> {
    let mut program = None;
    let (mut devices, mut rounds) = (DEVICES, ROUNDS);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
        match *word {
            "--program" => program = Some(PathBuf::from(value()?)),
            "--devices" => devices = value()?.parse().context("--devices: a number")?,
            "--rounds" => rounds = value()?.parse().context("--rounds: a number")?,
            _ => bail!("`{word}`: expected --program PATH, --devices N or --rounds N"),
        }
    }
    let program = if let Some(program) = program {
        program
    } else {
        step::run(&mut step::cargo(&["build", "--release"]))?;
        step::target().join("release/gatehouse")
    };
    measure(&program, devices, rounds)
}

fn measure(program: &Path, devices: usize, rounds: usize) -> Result<()> {
    let folder = step::target().join(format!("memory/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let broker = Broker::start(&folder)?;
    let console = free_port()?;
    configure(&folder, devices, [broker.port, console])?;

    let gateway = Gateway::start(program, &folder, console)?;
    thread::sleep(SETTLE);
    let idle = gateway.memory()?;
    let mut feed = Feed::connect(broker.port, devices, rounds)?;
    let mut sent = 0;
    for round in 0..rounds {
        sent += feed.round()?;
        if round % AHEAD == 0 {
            gateway.wait_for(sent.saturating_sub(AHEAD * devices))?;
        }
    }
    gateway.wait_for(sent)?;
    thread::sleep(SETTLE);
    let loaded = gateway.memory()?;
    gateway.stop()?;

    let gateway = Gateway::start(program, &folder, console)?;
    feed.round()?;
    gateway.wait_for(devices)?;
    thread::sleep(SETTLE);
    let again = gateway.memory()?;
    gateway.stop()?;
    fs::remove_dir_all(&folder)?;

    let mut table = format!(
        "{devices} devices of 4 points, {rounds} samples each; MB resident, of these private, most so far, bound\n"
    );
    let mut holds = true;
    for (when, memory, bound) in
        [("idle", idle, IDLE), ("loaded", loaded, LOADED), ("after a restart", again, LOADED)]
    {
        let [resident, private, most] = memory.map(megabytes);
        let _ =
            writeln!(table, "{when:16} {resident:6} {private:6} {most:6} {:6}", megabytes(bound));
        holds &= memory[0] <= bound;
    }
    std::io::stdout().lock().write_all(table.as_bytes())?;
    if !holds {
        bail!("it holds more than it may");
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// A mosquitto of our own, with room for all that the gateway has not taken yet.
pub(crate) struct Broker {
    child: Child,
    pub(crate) port: u16,
}

impl Broker {
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let mosquitto = step::find("mosquitto").context("no mosquitto; `cargo xtask prepare`")?;
        let (file, port) = (folder.join("mosquitto.conf"), free_port()?);
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n\
             max_inflight_messages 200\n"
        );
        fs::write(&file, text)?;
        let child = Command::new(mosquitto).arg("-c").arg(file).stderr(Stdio::null()).spawn()?;
        let broker = Self { child, port };
        until("mosquitto answers", || Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()))?;
        Ok(broker)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Gateway {
    child: Child,
    console: u16,
}

impl Gateway {
    fn start(program: &Path, folder: &Path, console: u16) -> Result<Self> {
        let log = fs::File::create(folder.join("gatehouse.log"))?;
        let child = Command::new(program)
            .arg("run")
            .arg("--config")
            .arg(folder)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.display()))?;
        let gateway = Self { child, console };
        until("the gateway is subscribed", || {
            let log = fs::read_to_string(folder.join("gatehouse.log"))?;
            Ok(log.contains("connected") && gateway.frames().is_ok())
        })?;
        Ok(gateway)
    }

    /// Resident, private and highest memory, in bytes.
    fn memory(&self) -> Result<[u64; 3]> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes =
                line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
            kibibytes.map(|k: u64| k * 1024).with_context(|| format!("no {name} of the gateway"))
        };
        Ok([field("VmRSS:")?, field("RssAnon:")?, field("VmHWM:")?])
    }

    /// Frames that it has taken in, by its own metrics.
    fn frames(&self) -> Result<usize> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.console))?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Connection: close\r\n\r\n",
            self.console
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let frames = answer.lines().find_map(|line| line.strip_prefix("gatehouse_frames_total "));
        frames.and_then(|count| count.trim().parse().ok()).context("no count of frames in /metrics")
    }

    fn wait_for(&self, frames: usize) -> Result<()> {
        until("the gateway has taken in what was sent", || Ok(self.frames()? >= frames))
    }

    fn stop(mut self) -> Result<()> {
        step::run(Command::new("kill").arg(self.child.id().to_string()))?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the gateway ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > PATIENCE {
            bail!("waited {PATIENCE:?} until {what}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn configure(folder: &Path, devices: usize, [broker, console]: [u16; 2]) -> Result<()> {
    for below in ["device-types", "scenes"] {
        fs::create_dir_all(folder.join(below))?;
    }
    let token = folder.join("token");
    fs::write(&token, TOKEN)?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    let mut community = String::from(
        "[community]\nid = \"crowd\"\ntitle = { zh = \"测试\", en = \"crowd\" }\n\
         false-alarms = \"5 per week\"\n\
         [[area]]\nid = \"all\"\ntitle = { zh = \"全部\", en = \"all\" }\npeople = 3000\n",
    );
    for device in 0..devices {
        let _ = write!(
            community,
            "[[device]]\nid = \"{}\"\ntype = \"four\"\narea = \"all\"\n",
            feed::device(device)
        );
    }
    let gateway = format!(
        "[gateway]\nid = \"gw-memory\"\ntownship = \"bench\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{broker}\"\n\
         [store]\npath = \"{}\"\n\
         [console]\nlisten = \"127.0.0.1:{console}\"\ntoken-file = \"token\"\n\
         [models]\npath = \"{}\"\n",
        folder.join("data").display(),
        step::workspace().join("models").display()
    );
    let mut four = String::from(FOUR);
    for (point, range) in feed::POINTS {
        let _ = write!(
            four,
            "[[point]]\nname = \"{point}\"\nat = {{ json = \"/{point}\" }}\nunit = \"1\"\nrange = {range:?}\n"
        );
    }
    four.push_str(
        "[[example]]\npayload = '{\"ts\":1767225600000,\"a\":20.5}'\nexpect = { a = 20.5 }\n",
    );
    for (name, text) in [
        ("gateway.toml", gateway),
        ("community.toml", community),
        ("device-types/four.toml", four),
        ("scenes/unusual.toml", SCENE.into()),
    ] {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

const FOUR: &str = r#"[device-type]
id = "four"
title = { zh = "四点", en = "four points" }
via = "mqtt"
time = { json = "/ts", format = "unix-ms", max-age = "90 days" }
silent-after = "7 days"
"#;

const SCENE: &str = r#"[scene]
id = "unusual"
title = { zh = "数据异常", en = "Unusual readings" }
category = "facility"
advice = { zh = "查看", en = "look" }
[[detector]]
id = "unusual"
model = "forecast"
"#;
