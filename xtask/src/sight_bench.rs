//! `cargo xtask sight-bench`: what it costs to look at pictures beside what the networks alone cost.
//!
//! Real JPEGs are made as large as cameras send them (ffmpeg, which `cargo xtask prepare` installs). One half
//! needs the program's own parts and is `gateway/benches/sight`: the way of a picture through the sight
//! thread, on both engines, one process each. The other half is `gatehouse run` with cameras that are served
//! here over HTTP; its memory is the kernel's account.
//!
//! With `--data` the networks that nobody here made are looked at, too, and the pictures are of that folder;
//! without, they are of the street that `prepare` brings.

mod camera;
mod place;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::running::{Gateway, free_port};
use crate::step;
use camera::Cameras;

/// Sizes of the pictures: of the usual camera, of a better one, and of the best.
const SIZES: [&str; 3] = ["640x480", "1920x1080", "3840x2160"];
/// What a camera of 640x480 may hold of the memory beyond its model, in bytes.
const A_CAMERA: f64 = 24e6;
const CAMERAS: [usize; 4] = [1, 2, 4, 8];
/// By then every camera has been looked at many times.
const SETTLE: Duration = Duration::from_secs(15);

/// Tables, with what their columns are.
const TABLES: [(&str, &str, &[&str]); 4] = [
    (
        "ways",
        "model, picture, engine",
        &[
            "whole way ms",
            "decoding ms",
            "network alone ms",
            "times",
            "more than both ms",
            "network varies by ms",
            "parts ms",
        ],
    ),
    ("decoding", "JPEG", &["scaled ms", "whole ms", "ratio"]),
    ("idle", "a picture in which nothing moves", &["CPU ms after decoding"]),
    (
        "sensors",
        "a question to a model of numbers",
        &["nobody looks, ms", "sight busy, ms", "sight's % of a core", "looks"],
    ),
];

struct Wanted {
    program: Option<PathBuf>,
    data: Option<PathBuf>,
    is_debug: bool,
    judges: bool,
    /// A few turns, to see that it runs.
    is_quick: bool,
    /// Both halves, unless one is named.
    half: Option<Half>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Looks,
    Memory,
}

pub(crate) fn run(words: &[&str]) -> Result<()> {
    let mut wanted = Wanted {
        program: None,
        data: None,
        is_debug: false,
        judges: false,
        is_quick: false,
        half: None,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
        match *word {
            "--program" => wanted.program = Some(fs::canonicalize(value()?)?),
            "--data" => wanted.data = Some(fs::canonicalize(value()?)?),
            "--debug" => wanted.is_debug = true,
            "--judge" => wanted.judges = true,
            "--quick" => wanted.is_quick = true,
            "looks" => wanted.half = Some(Half::Looks),
            "memory" => wanted.half = Some(Half::Memory),
            _ => bail!(
                "`{word}`: expected --data DIR, --program PATH, --debug, --judge, --quick, looks or \
                 memory"
            ),
        }
    }
    let folder = step::target().join(format!("sight-bench/{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let measured = measure(&wanted, &folder);
    fs::remove_dir_all(&folder)?;
    let (text, missed) = measured?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    if wanted.judges && missed > 0 {
        bail!("{missed} bounds are missed");
    }
    Ok(())
}

/// The tables, and how many bounds are missed.
fn measure(wanted: &Wanted, folder: &Path) -> Result<(String, usize)> {
    pictures(folder, wanted.data.as_deref())?;
    let (mut text, mut missed) = (String::new(), 0);
    if wanted.half != Some(Half::Memory) {
        (text, missed) = tables(wanted, folder)?;
    }
    if wanted.half != Some(Half::Looks) {
        missed += memory(wanted, folder, &mut text)?;
    }
    Ok((text, missed))
}

fn tables(wanted: &Wanted, folder: &Path) -> Result<(String, usize)> {
    let (mut text, mut missed) = (String::new(), 0);
    let mut figures = Vec::new();
    for library in [Some(PathBuf::from("/nonexistent")), place::onnxruntime()] {
        let Some(library) = library else {
            text.push_str("Skipped: ONNX Runtime is not here (`cargo xtask prepare`).\n\n");
            continue;
        };
        if wanted.is_quick && !library.is_file() {
            text.push_str("Skipped with --quick: tract.\n\n");
            continue;
        }
        figures.extend(looks(wanted, folder, &library)?);
    }
    if wanted.data.is_none() {
        text.push_str("Skipped without --data: the networks that nobody here made.\n\n");
    }
    for (table, what, columns) in TABLES {
        let head = [&[what], columns, &["bound", "held"]].concat();
        let _ = writeln!(text, "| {} |\n|{}", head.join(" | "), " --- |".repeat(head.len()));
        for figure in figures.iter().filter(|figure| figure["table"] == table) {
            let holds = figure["value"].as_f64() <= figure["bound"].as_f64();
            missed += usize::from(!holds);
            let cells = figure["cells"].as_array().into_iter().flatten();
            let cells = cells.map(|cell| cell.as_str().map_or(cell.to_string(), str::to_owned));
            let bound = format!("{} {}", figure["bound"], word(&figure["unit"]));
            let _ = writeln!(
                text,
                "| {} | {} | {bound} | {} |",
                word(&figure["what"]),
                cells.collect::<Vec<_>>().join(" | "),
                if holds { "yes" } else { "**no**" }
            );
        }
        text.push('\n');
    }
    Ok((text, missed))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The half that needs the program's own parts.
fn looks(wanted: &Wanted, folder: &Path, library: &Path) -> Result<Vec<Value>> {
    let config = folder.join("looks");
    place::looks(&config, folder, wanted.data.as_deref())?;
    let profile = if wanted.is_debug { "dev" } else { "bench" };
    let words = ["bench", "-p", "gatehouse", "--bench", "sight", "--profile", profile, "--"];
    // As it is shipped, linked as one: the parts alone are slower otherwise.
    let mut command = step::cargo(&words);
    command
        .arg(&config)
        .args(wanted.is_quick.then_some("--quick"))
        .env("ORT_DYLIB_PATH", library)
        .stdout(Stdio::piped());
    eprintln!("xtask: the ways of pictures, with {}", library.display());
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the bench of looks ended with {}", output.status);
    }
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().map(|line| serde_json::from_str(line).context("no figure")).collect()
}

/// Real pictures in all sizes, each twice and not quite the same.
fn pictures(folder: &Path, data: Option<&Path>) -> Result<()> {
    let below = folder.join("picture");
    fs::create_dir_all(&below)?;
    let street = step::target().join("test-venv/footage/jpeg/01.jpg");
    let (usual, large) = match data {
        Some(data) => (
            data.join("media/paddledet_000000570688.jpg"),
            data.join("media/paddledet_visdrone_0000315_01601_d_0000509.jpg"),
        ),
        None => (street.clone(), street),
    };
    let ffmpeg = step::find("ffmpeg").context("no ffmpeg; `cargo xtask prepare`")?;
    for size in SIZES {
        let from = if size == SIZES[0] { &usual } else { &large };
        if !from.is_file() {
            bail!("there is no {}; `cargo xtask prepare`", from.display());
        }
        // As cameras do: a colour for each four pixels, and a middling quality.
        for (which, quality) in [("a", "4"), ("b", "5")] {
            let mut command = std::process::Command::new(&ffmpeg);
            command.args(["-nostdin", "-loglevel", "error", "-y", "-i"]).arg(from);
            let scale = format!("scale={}", size.replace('x', ":"));
            command.args([
                "-vf",
                &scale,
                "-pix_fmt",
                "yuvj420p",
                "-q:v",
                quality,
                "-frames:v",
                "1",
            ]);
            step::run(command.arg(below.join(format!("{size}-{which}.jpg"))))?;
        }
    }
    Ok(())
}

/// What `run` holds with more and more cameras; how many bounds are missed.
fn memory(wanted: &Wanted, folder: &Path, text: &mut String) -> Result<usize> {
    let (profile, below) = if wanted.is_debug { ("dev", "debug") } else { ("release", "release") };
    if wanted.program.is_none() {
        step::run(&mut step::cargo(&["build", "--profile", profile]))?;
    }
    let program = wanted.program.clone();
    let program = program.unwrap_or_else(|| step::target().join(below).join("gatehouse"));
    let cameras = Cameras::start(&folder.join("picture"))?;
    let of = |size: &str, many: usize| -> Result<f64> {
        let config = folder.join(format!("memory-{size}-{many}"));
        let console = free_port()?;
        place::memory(&config, &cameras, size, many, console)?;
        let gateway = Gateway::start(&program, &config, console)?;
        thread::sleep(SETTLE);
        let [resident, ..] = gateway.memory()?;
        gateway.stop()?;
        Ok(resident as f64)
    };
    text.push_str("| cameras | resident MB | more a camera MB | bound | held |\n|");
    text.push_str(&" --- |".repeat(5));
    let first = of(SIZES[0], CAMERAS[0])?;
    let _ = writeln!(text, "\n| 1 of 640x480 | {:.1} | | | |", first / 1e6);
    let mut missed = 0;
    for many in &CAMERAS[1..] {
        let resident = of(SIZES[0], *many)?;
        let each = (resident - first) / (many - CAMERAS[0]) as f64;
        let holds = each <= A_CAMERA;
        missed += usize::from(!holds);
        let _ = writeln!(
            text,
            "| {many} of 640x480 | {:.1} | {:.1} | {:.0} | {} |",
            resident / 1e6,
            each / 1e6,
            A_CAMERA / 1e6,
            if holds { "yes" } else { "**no**" }
        );
    }
    let best = of(SIZES[2], 1)?;
    let _ = writeln!(text, "| 1 of 3840x2160 | {:.1} | | | |", best / 1e6);
    Ok(missed)
}
