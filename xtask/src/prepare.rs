//! What the tests need beside Rust: peers that nobody here wrote.
//!
//! mosquitto is the sensors' and the platform's broker, socat makes a pair of serial lines, Chromium
//! looks at the console, axe-core at what it shows, schemathesis at its interface for scripts, poppler and qpdf
//! read the reports, faketime is a box without a clock, pymodbus is the Modbus server, jwcrypto signs commands, aiosmtpd is the mail server.
//! `GStreamer`, Apache and ffmpeg are cameras, ipycam is one that speaks ONVIF, and the documentation of `OpenCV` has the
//! street that they show. Debian's packages bring all but what npm and Python bring, which live in an environment of their own below
//! the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step;

/// Programs that the tests start, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 9] = [
    ("apache2", "apache2-bin"),
    ("ffmpeg", "ffmpeg"),
    ("curl", "curl"),
    ("faketime", "faketime"),
    ("mosquitto", "mosquitto"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("socat", "socat"),
    ("pdftotext", "poppler-utils"),
    ("qpdf", "qpdf"),
];

/// `GStreamer`'s RTSP server is a library, which Debian's own Python calls.
const RTSP_SERVER: [&str; 5] = [
    "python3-gi",
    "gir1.2-gst-rtsp-server-1.0",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
];

/// Whether they are here.
const RTSP_CHECK: &str = "import gi; gi.require_version('GstRtspServer', '1.0'); \
    from gi.repository import Gst, GstRtspServer; Gst.init(None); \
    assert all(map(Gst.ElementFactory.find, ['qtdemux', 'h264parse', 'rtph264pay', 'jpegenc', 'vp8enc']))";

/// A street with people on it, and the package that brings it.
const FOOTAGE: (&str, &str) = ("./usr/share/doc/opencv-doc/examples/data/vtest.avi", "opencv-doc");

/// Names of the browser. Ubuntu has no package of it, so the test that wants one does without.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What the tests' Python needs, pinned: a newer pymodbus has another API.
const PYTHON_PACKAGES: [&str; 6] = [
    "pymodbus==3.9.2",
    "pyserial==3.5",
    "jwcrypto==1.5.6",
    "rfc8785==0.1.4",
    "aiosmtpd==1.4.6",
    "schemathesis==4.32.5",
];

/// The other inference engine: its library alone, without what its Python needs. There is no wheel for
/// every machine; the test that compares the engines does without.
const ONNXRUNTIME: &str = "onnxruntime==1.24.4";

/// A camera that speaks ONVIF. Of what it needs to draw pictures the tests need nothing.
const ONVIF_CAMERA: &str = "ipycam==1.3.0";
/// Reads and resizes pictures for the judge of the picture models; as optional as ONNX Runtime.
const OPENCV: [&str; 2] = ["numpy==2.4.6", "opencv-python-headless==5.0.0.93"];

/// Finds what keeps people from reading a page; run inside the browser.
const AXE: &str = "axe-core@4.14.1";

/// Asked by the packaging scripts whether a service may start; exit code 101 says no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing; gives the Python environment's folder.
pub(crate) fn everything() -> Result<PathBuf> {
    let mut missing: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|(program, _)| step::find(program).is_none())
        .map(|(_, package)| package)
        .collect();
    let has_rtsp_server = step::succeeds(Command::new("/usr/bin/python3").args(["-c", RTSP_CHECK]));
    if !has_rtsp_server {
        missing.extend(RTSP_SERVER);
    }
    let venv = step::target().join("test-venv");
    let has_venv = holds(&venv, &PYTHON_PACKAGES);
    if !has_venv && python().is_none() {
        missing.push("python3-venv");
    }
    if missing.is_empty() {
        eprintln!("xtask: mosquitto, socat, poppler, qpdf and Python are here");
    } else {
        install(&missing)?;
    }
    browser();
    if has_venv {
        eprintln!("xtask: {} is here", venv.display());
    } else {
        make_venv(&venv)?;
    }
    onnxruntime(&venv);
    opencv(&venv);
    axe(&venv);
    if !holds(&venv, &[ONVIF_CAMERA]) {
        pip(&venv, &["--no-deps", ONVIF_CAMERA])?;
    }
    footage(&venv)?;
    Ok(venv)
}

/// What the cameras of the tests show, below the same folder: the street as H.264 with pictures that refer
/// forward, and as single JPEGs.
fn footage(venv: &Path) -> Result<()> {
    let folder = venv.join("footage");
    let done = folder.join("street.mp4");
    if done.exists() {
        eprintln!("xtask: {} is here", done.display());
        return Ok(());
    }
    fs::create_dir_all(folder.join("jpeg"))?;
    let (path, package) = FOOTAGE;
    step::run(Command::new("apt-get").args(["download", "-q", package]).current_dir(&folder))?;
    let unpack = format!("dpkg-deb --fsys-tarfile {package}_*.deb | tar -xO {path} > street.avi");
    step::run(Command::new("sh").args(["-c", &unpack]).current_dir(&folder))?;
    let begin = ["-nostdin", "-loglevel", "error", "-y", "-i", "street.avi"];
    let jpeg = ["-frames:v", "10", "-q:v", "3", "jpeg/%02d.jpg"];
    step::run(Command::new("ffmpeg").args(begin).args(jpeg).current_dir(&folder))?;
    let h264 =
        ["-t", "30", "-an", "-c:v", "libx264", "-preset", "veryfast", "-g", "20", "-bf", "2"];
    let end = ["-pix_fmt", "yuv420p", "-f", "mp4", "unfinished"];
    step::run(Command::new("ffmpeg").args(begin).args(h264).args(end).current_dir(&folder))?;
    // Last: a preparation that was stopped is not taken for a finished one.
    fs::rename(folder.join("unfinished"), done)?;
    step::run(Command::new("sh").args(["-c", "rm -f *.deb street.avi"]).current_dir(&folder))
}

/// Beside the Python, below the same folder.
fn axe(venv: &Path) {
    let package = venv.join("node_modules/axe-core/package.json");
    let (_, wanted) = AXE.split_once('@').expect("it names a version");
    let is_here = |text: String| text.contains(&format!("\"version\": \"{wanted}\""));
    if fs::read_to_string(package).is_ok_and(is_here) {
        eprintln!("xtask: {AXE} is here");
        return;
    }
    let options = ["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix"];
    let installed = match step::find("npm") {
        Some(npm) => step::run(Command::new(npm).args(options).arg(venv).arg(AXE)),
        None => Err(anyhow::anyhow!("there is no npm here")),
    };
    if let Err(error) = installed {
        eprintln!("xtask: no {AXE} ({error}); nobody looks at how the pages can be read");
    }
}

fn onnxruntime(venv: &Path) {
    if holds(venv, &[ONNXRUNTIME]) {
        eprintln!("xtask: {ONNXRUNTIME} is here");
    } else if let Err(error) = pip(venv, &["--no-deps", ONNXRUNTIME]) {
        eprintln!("xtask: no {ONNXRUNTIME} ({error}); the engines are not compared");
    }
}

fn opencv(venv: &Path) {
    if holds(venv, &OPENCV) {
        eprintln!("xtask: OpenCV is here");
    } else if let Err(error) = pip(venv, &OPENCV) {
        eprintln!("xtask: no OpenCV ({error}); the picture models are not judged");
    }
}

/// Installs a browser where there is a package of it.
fn browser() {
    if let Some(program) = BROWSERS.into_iter().find_map(step::find) {
        eprintln!("xtask: {} is here", program.display());
    } else if let Err(error) = install(&["chromium"]) {
        eprintln!("xtask: no Chromium ({error}); the test of the console's pages is left out");
    }
}

/// Installs Debian packages without starting, or leaving enabled, what they bring.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if step::find("apt-get").is_none() {
        bail!("please install {}; there is no apt-get here to do it with", packages.join(", "));
    }
    let is_ours = !Path::new(POLICY).exists();
    if is_ours {
        let deny = format!("printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}");
        step::run(&mut as_root("sh", &["-c", &deny]))?;
    }
    let installed = step::run(&mut as_root("apt-get", &["update", "-q"])).and_then(|()| {
        let options = ["install", "-q", "-y", "--no-install-recommends", "--no-remove"];
        step::run(
            as_root("env", &["DEBIAN_FRONTEND=noninteractive", "apt-get"])
                .args(options)
                .args(packages),
        )
    });
    if is_ours {
        step::run(&mut as_root("rm", &["-f", POLICY]))?;
    }
    installed?;
    if packages.contains(&"mosquitto") && step::find("systemctl").is_some() {
        // The tests start their own; nobody asked for a broker on port 1883 after the next boot.
        step::run(&mut as_root("systemctl", &["disable", "mosquitto.service"]))?;
    }
    Ok(())
}

fn as_root(program: &str, arguments: &[&str]) -> Command {
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let mut command = Command::new(if is_root { program } else { "sudo" });
    if !is_root {
        command.arg(program);
    }
    command.args(arguments);
    command
}

fn make_venv(venv: &Path) -> Result<()> {
    let python = python().context("python3 is here, but not its modules `venv` and `ensurepip`")?;
    if venv.exists() {
        eprintln!("xtask: {} is not what the tests need; making it anew", venv.display());
        fs::remove_dir_all(venv).with_context(|| format!("cannot remove {}", venv.display()))?;
    }
    step::run(Command::new(python).args(["-m", "venv"]).arg(venv))?;
    pip(venv, &PYTHON_PACKAGES)
}

fn pip(venv: &Path, arguments: &[&str]) -> Result<()> {
    let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    step::run(Command::new(venv.join("bin/python")).args(options).args(arguments))
}

/// A Python that can make environments. Debian's own comes first: its packages fit it.
fn python() -> Option<PathBuf> {
    [Some("/usr/bin/python3".into()), step::find("python3")]
        .into_iter()
        .flatten()
        .find(|python| step::succeeds(Command::new(python).args(["-c", "import venv, ensurepip"])))
}

fn holds(venv: &Path, packages: &[&str]) -> bool {
    let wanted: Vec<String> = packages.iter().map(|package| format!("'{package}'")).collect();
    let wanted = wanted.join(", ");
    let check = format!(
        "from importlib.metadata import version\n\
         for wanted in [{wanted}]:\n    \
             name, _, exact = wanted.partition('==')\n    \
             assert version(name) == exact\n"
    );
    step::succeeds(Command::new(venv.join("bin/python")).args(["-c", &check]))
}
