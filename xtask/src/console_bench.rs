//! `cargo xtask console-bench`: how quick the console's pages are with 100,000 events in the journal, and what
//! those who watch it live cost.
//!
//! The journal is filled by the store's own writer (`gateway/benches/journal.rs`). Then `gatehouse run` starts
//! on it, with thermometers of which one gets hot or cool each second, so that events come and go. Each page
//! is asked for over a new connection and timed to its last byte; the viewers' cost is the kernel's: user and
//! system time of the process with them, less that without.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::running::{Broker, Gateway, free_port, place_token};
use crate::step;

/// What a page may take, and the share of a core that the viewers may cost.
const PAGE: Duration = Duration::from_millis(50);
const SHARE: f64 = 0.05;

/// What a month's report may take when nobody has asked for it within a minute, as a page and as a PDF.
const REPORT: Duration = Duration::from_secs(1);

const ASKED: usize = 200;
const WARM_UP: usize = 10;
const SENSORS: usize = 20;

struct Wanted {
    program: Option<PathBuf>,
    is_debug: bool,
    events: usize,
    viewers: usize,
    seconds: u64,
}

pub(crate) fn run(words: &[&str]) -> Result<()> {
    let mut wanted =
        Wanted { program: None, is_debug: false, events: 100_000, viewers: 50, seconds: 30 };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
        match *word {
            "--program" => wanted.program = Some(PathBuf::from(value()?)),
            "--debug" => wanted.is_debug = true,
            "--events" => wanted.events = value()?.parse().context("--events: a number")?,
            "--viewers" => wanted.viewers = value()?.parse().context("--viewers: a number")?,
            "--seconds" => wanted.seconds = value()?.parse().context("--seconds: a number")?,
            _ => bail!(
                "`{word}`: expected --program PATH, --debug, --events N, --viewers N or --seconds N"
            ),
        }
    }
    let (profile, below) = if wanted.is_debug { ("dev", "debug") } else { ("release", "release") };
    if wanted.program.is_none() {
        step::run(&mut step::cargo(&["build", "--profile", profile]))?;
    }
    let program = wanted.program.clone();
    let program = program.unwrap_or_else(|| step::target().join(below).join("gatehouse"));
    let folder = step::target().join(format!("console-bench/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let (data, events) = (folder.join("data").display().to_string(), wanted.events.to_string());
    step::run(&mut step::cargo(&[
        "bench",
        "-p",
        "gatehouse",
        "--bench",
        "journal",
        "--profile",
        "dev",
        "--",
        &data,
        &events,
    ]))?;
    let measured = measure(&program, &folder, &wanted);
    fs::remove_dir_all(&folder)?;
    let (table, holds) = measured?;
    std::io::stdout().lock().write_all(table.as_bytes())?;
    if !holds && !wanted.is_debug {
        bail!("it takes more than it may");
    }
    Ok(())
}

fn measure(program: &Path, folder: &Path, wanted: &Wanted) -> Result<(String, bool)> {
    let broker = Broker::start(folder)?;
    let console = free_port()?;
    configure(folder, [broker.port, console], wanted.events)?;
    let gateway = Gateway::start(program, folder, console)?;
    let weather = Weather::begin(broker.port)?;

    let mut table = format!("{:46} {:>10} {:>10} {:>9}\n", "page", "median ms", "95 % ms", "bytes");
    let mut holds = true;
    let month = full_month(&gateway)?;
    for path in [format!("/reports/{month}?lang=zh"), format!("/reports/{month}.pdf?lang=en")] {
        let begun = Instant::now();
        let bytes = gateway.get(&path)?.len();
        let taken = begun.elapsed().as_secs_f64() * 1e3;
        writeln!(
            table,
            "{:46} {taken:10.2} {:>10} {bytes:9}",
            format!("{path}, the first time"),
            ""
        )?;
        holds &= taken < REPORT.as_secs_f64() * 1e3;
    }
    for path in [
        "/".to_owned(),
        "/?level=1&area=east".to_owned(),
        "/?text=nothing-has-this-name".to_owned(),
        format!("/events/01JE{:022}", wanted.events / 2),
        "/api/v1/events".to_owned(),
        "/api/v1/events?show=all&many=50".to_owned(),
        "/reports".to_owned(),
        format!("/reports/{month}"),
        format!("/reports/{month}.pdf"),
    ] {
        let mut times = Vec::with_capacity(ASKED);
        let mut bytes = 0;
        for turn in 0..WARM_UP + ASKED {
            let begun = Instant::now();
            bytes = gateway.get(&path)?.len();
            if turn >= WARM_UP {
                times.push(begun.elapsed());
            }
        }
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        let [median, most] = [at(50), at(95)].map(|time| time.as_secs_f64() * 1e3);
        writeln!(table, "{path:46} {median:10.2} {most:10.2} {bytes:9}")?;
        holds &= at(95) < PAGE;
    }

    let seconds = wanted.seconds;
    let alone = gateway.share(seconds)?;
    writeln!(table, "\n{:46} {:>10} {:>10}", "viewers", "% of a core", "messages")?;
    writeln!(table, "{:46} {:10.2}", "none", alone * 1e2)?;
    for path in ["/live", "/api/v1/events/stream"] {
        let crowd = Crowd::gather(wanted.viewers, &gateway, path)?;
        let share = gateway.share(seconds)? - alone;
        let name = format!("{} on {path}, more than none", wanted.viewers);
        let messages = crowd.leave()?;
        writeln!(table, "{name:46} {:10.2} {messages:10}", share * 1e2)?;
        // Who is told nothing costs nothing.
        holds &= share < SHARE && messages >= wanted.viewers as u64;
    }
    weather.end()?;
    gateway.stop()?;
    Ok((table, holds))
}

/// The month before this one, as the list of reports names it: it is over, and full of events.
fn full_month(gateway: &Gateway) -> Result<String> {
    let list = String::from_utf8_lossy(&gateway.get("/reports")?).into_owned();
    let months = list.split("href=\"/reports/").skip(1).filter_map(|rest| rest.split('"').next());
    let mut months = months.filter(|month| month.len() == "2026-11".len());
    months.nth(1).map(str::to_owned).context("the list of reports has no second month")
}

/// One thermometer after the other gets hot, and then cool again.
struct Weather {
    is_over: Arc<AtomicBool>,
    thread: thread::JoinHandle<Result<()>>,
}

impl Weather {
    fn begin(broker: u16) -> Result<Self> {
        let program =
            step::find("mosquitto_pub").context("no mosquitto_pub; `cargo xtask prepare`")?;
        let mut sensors = Vec::new();
        for number in 0..SENSORS {
            let mut child = Command::new(&program)
                .args(["-h", "127.0.0.1", "-p", &broker.to_string(), "-q", "1", "-l"])
                .args(["-t", &format!("sense/bench/th-{number}")])
                .stdin(Stdio::piped())
                .spawn()?;
            let lines = child.stdin.take().context("it reads")?;
            sensors.push((child, lines));
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut is_hot = [false; SENSORS];
            for turn in 0_usize.. {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let at = turn % SENSORS;
                // Half of them are hot at any time.
                is_hot[at] = if turn < SENSORS { at.is_multiple_of(2) } else { !is_hot[at] };
                say(&mut sensors[at].1, if is_hot[at] { 90 } else { 20 })?;
                if turn >= SENSORS {
                    thread::sleep(Duration::from_secs(1));
                }
            }
            for (mut child, lines) in sensors {
                drop(lines);
                child.wait()?;
            }
            Ok(())
        });
        Ok(Self { is_over, thread })
    }

    fn end(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the sensors broke down"))?
    }
}

fn say(lines: &mut ChildStdin, temperature: i32) -> Result<()> {
    writeln!(lines, "{{\"t\": {temperature}}}")?;
    Ok(lines.flush()?)
}

/// Browsers, each on a stream of its own.
struct Crowd {
    streams: Vec<TcpStream>,
    messages: Arc<AtomicU64>,
}

impl Crowd {
    fn gather(viewers: usize, gateway: &Gateway, path: &str) -> Result<Self> {
        let messages = Arc::new(AtomicU64::new(0));
        let mut streams = Vec::new();
        for _ in 0..viewers {
            let stream = seat(gateway, path)?;
            let (mut read, counted) = (stream.try_clone()?, Arc::clone(&messages));
            thread::spawn(move || {
                let mut chunk = vec![0; 64 * 1024];
                while let Ok(got @ 1..) = read.read(&mut chunk) {
                    let found = chunk[..got].windows(7).filter(|seven| seven == b"\nevent:");
                    counted.fetch_add(found.count() as u64, Ordering::Relaxed);
                }
            });
            streams.push(stream);
        }
        Ok(Self { streams, messages })
    }

    fn leave(self) -> Result<u64> {
        for stream in self.streams {
            stream.shutdown(std::net::Shutdown::Both)?;
        }
        Ok(self.messages.load(Ordering::Relaxed))
    }
}

/// A stream that is not refused. There is room for 64, and those who left are noticed a moment later.
fn seat(gateway: &Gateway, path: &str) -> Result<TcpStream> {
    let mut begin = [0; 12];
    for _ in 0..100 {
        let mut stream = gateway.ask(path)?;
        stream.read_exact(&mut begin)?;
        if &begin == b"HTTP/1.1 200" {
            return Ok(stream);
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("{path} is refused: {}", String::from_utf8_lossy(&begin))
}

fn configure(folder: &Path, [broker, console]: [u16; 2], events: usize) -> Result<()> {
    for below in ["device-types", "scenes"] {
        fs::create_dir_all(folder.join(below))?;
    }
    place_token(folder)?;
    let mut community =
        String::from("[community]\nid = \"bench\"\ntitle = { zh = \"测试\", en = \"bench\" }\n");
    let areas = [("east", "东区"), ("west", "西区"), ("north", "北区"), ("south", "南区")];
    for (area, zh) in areas {
        let _ = write!(
            community,
            "[[area]]\nid = \"{area}\"\ntitle = {{ zh = \"{zh}\", en = \"{area}\" }}\npeople = 500\n"
        );
    }
    for number in 0..SENSORS {
        let area = areas[number % areas.len()].0;
        let _ = write!(
            community,
            "[[device]]\nid = \"th-{number}\"\ntype = \"thermometer\"\narea = \"{area}\"\n"
        );
    }
    let gateway = format!(
        "[gateway]\nid = \"gw-bench\"\ntownship = \"bench\"\n\
         [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{broker}\"\n\
         [store]\npath = \"{}\"\nmax-journal = {journal}\n\
         [console]\nlisten = \"127.0.0.1:{console}\"\ntoken-file = \"token\"\n",
        folder.join("data").display(),
        // All of them, and what the sensors say meanwhile.
        journal = (events * 2 + 20_000).max(200_000),
    );
    for (name, text) in [
        ("gateway.toml", gateway),
        ("community.toml", community),
        ("device-types/thermometer.toml", THERMOMETER.into()),
        ("scenes/heat.toml", HEAT.into()),
    ] {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

const THERMOMETER: &str = r#"[device-type]
id = "thermometer"
title = { zh = "温度计", en = "thermometer" }
via = "mqtt"
silent-after = "7 days"
[[point]]
name = "temperature"
at = { json = "/t" }
unit = "degC"
range = [-40, 200]
[[example]]
payload = '{"t": 21.5}'
expect = { temperature = 21.5 }
"#;

const HEAT: &str = r#"[scene]
id = "heat"
title = { zh = "高温", en = "heat" }
category = "facility"
reopen-within = "0 s"
advice = { zh = "到现场查看", en = "go and look" }
[[detector]]
id = "high"
point = "temperature"
limit-high = "60 degC"
"#;
