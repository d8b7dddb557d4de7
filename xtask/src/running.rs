//! A gateway and its broker, started for a measurement and ended after it. What it shows is asked for over
//! its console, what it costs from the kernel: proc(5).

use std::fs;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::step;

const PATIENCE: Duration = Duration::from_mins(2);

const TOKEN: &str = "a-token-of-the-measuring-chores";

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

/// `gatehouse run`, with `listen` of its console at a port that is ours and the token of [`place_token`].
pub(crate) struct Gateway {
    child: Child,
    console: u16,
}

impl Gateway {
    /// Comes back once it is subscribed, or a camera shows something, and it answers.
    pub(crate) fn start(program: &Path, folder: &Path, console: u16) -> Result<Self> {
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
            let has_source = log.contains("connected") || log.contains("pictures come");
            Ok(has_source && gateway.get("/metrics").is_ok())
        })?;
        Ok(gateway)
    }

    /// The body, once all of it is there.
    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>> {
        let mut answer = Vec::new();
        self.ask(path)?.read_to_end(&mut answer)?;
        let is_right = answer.starts_with(b"HTTP/1.1 200 ");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        match end {
            Some(end) if is_right => Ok(answer.split_off(end + 4)),
            _ => bail!("{path}: {}", String::from_utf8_lossy(&answer[..answer.len().min(300)])),
        }
    }

    /// A connection of its own on which that page was asked for.
    pub(crate) fn ask(&self, path: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.console))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAccept: text/html\r\n\
             Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n",
            self.console
        );
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    }

    /// Resident, private and highest memory, in bytes.
    pub(crate) fn memory(&self) -> Result<[u64; 3]> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes =
                line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
            kibibytes.map(|k: u64| k * 1024).with_context(|| format!("no {name} of the gateway"))
        };
        Ok([field("VmRSS:")?, field("RssAnon:")?, field("VmHWM:")?])
    }

    /// The share of a core that it takes in that time.
    pub(crate) fn share(&self, seconds: u64) -> Result<f64> {
        let (before, begun) = (self.ticks()?, Instant::now());
        thread::sleep(Duration::from_secs(seconds));
        let ticks = self.ticks()? - before;
        Ok(ticks as f64 / ticks_per_second()? / begun.elapsed().as_secs_f64())
    }

    /// User and system time: fields 14 and 15 of proc(5)'s `stat`.
    fn ticks(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, rest) = stat.rsplit_once(") ").context("no name in the process's stat")?;
        let fields = rest.split(' ').skip(11).take(2).map(str::parse::<u64>);
        Ok(fields.sum::<Result<u64, _>>()?)
    }

    pub(crate) fn stop(mut self) -> Result<()> {
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

/// Writes the file that `token-file = "token"` of the console names.
pub(crate) fn place_token(folder: &Path) -> Result<()> {
    let token = folder.join("token");
    fs::write(&token, TOKEN)?;
    Ok(fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?)
}

fn ticks_per_second() -> Result<f64> {
    let told = Command::new("getconf").arg("CLK_TCK").output()?;
    Ok(String::from_utf8(told.stdout)?.trim().parse()?)
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
