//! Cameras: `GStreamer`'s RTSP server, Apache, ffmpeg, and ipycam for ONVIF, all showing the same street.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::{PATIENCE, command, lines, start, venv, workspace};

/// A device that sees nothing but whether it is dark: it needs no model.
pub(crate) const VIEW: &str = r#"
[device-type]
id = "view"
title = { zh = "画面", en = "view" }
via = "camera"
[camera]
every = "100 ms"
[[point]]
name = "dark"
at = { see = "dark" }
unit = "1"
[[example]]
values = { dark = 0 }
expect = { dark = 0 }
"#;

/// Areas of a picture that are compared, across and down.
pub(crate) const AREAS: (usize, usize) = (4, 3);
/// The mean of red, green and blue in each area, row by row.
pub(crate) type Means = Vec<u8>;

/// The recording that the RTSP server shows.
pub(crate) fn recording() -> PathBuf {
    let path = venv().join("footage/street.mp4");
    assert!(path.is_file(), "{} is missing: run cargo xtask test", path.display());
    path
}

/// Its first pictures as JPEGs, in the order of their names.
pub(crate) fn jpegs() -> Vec<PathBuf> {
    let listed = std::fs::read_dir(venv().join("footage/jpeg"));
    let listed = listed.expect("the footage is missing: run cargo xtask test");
    let mut paths: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// What ffmpeg sees in each picture of the recording.
pub(crate) async fn filmed() -> Vec<Means> {
    let (across, down) = AREAS;
    let told = command("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-i"])
        .arg(recording())
        .args(["-vf", &format!("format=rgb24,scale={across}:{down}:flags=area")])
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .await
        .expect("ffmpeg is missing: run cargo xtask test");
    assert!(told.status.success());
    told.stdout.chunks(across * down * 3).map(<[u8]>::to_vec).collect()
}

/// A pattern that moves, filmed (`.mp4`, a key frame each second) or a picture of it (`.jpg`).
pub(crate) async fn pattern(file: &Path, size: &str, pictures: u32, rate: u32) {
    let seconds = f64::from(pictures) / f64::from(rate);
    let pattern = format!("testsrc2=size={size}:rate={rate}:duration={seconds}");
    let mut ffmpeg = command("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", &pattern]);
    if file.extension().is_some_and(|end| end == "mp4" || end == "h264") {
        let rate = rate.to_string();
        ffmpeg.args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-g",
            &rate,
        ]);
    } else {
        ffmpeg.args(["-frames:v", "1"]);
    }
    let made = ffmpeg.arg(file).status().await;
    assert!(made.expect("ffmpeg is missing: run cargo xtask test").success());
}

/// A program that says "ready" and its port, and runs until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    process: Child,
    _until_closed: ChildStdin,
    _said: Lines<BufReader<ChildStdout>>,
}

impl Server {
    async fn start(program: &Path, script: &str, arguments: &[&str]) -> Self {
        Self::started(command(program), script, arguments).await
    }

    async fn started(mut program: Command, script: &str, arguments: &[&str]) -> Self {
        let mut process = start(
            program
                .arg(workspace().join("tests/peers").join(script))
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let stdin = process.stdin.take().unwrap();
        let mut said = lines(process.stdout.take().unwrap());
        let ready = timeout(PATIENCE, said.next_line()).await.unwrap().unwrap();
        let ready = ready.unwrap_or_else(|| panic!("{script} did not start: run cargo xtask test"));
        let port = ready.strip_prefix("ready ").unwrap().parse().unwrap();
        Self { port, process, _until_closed: stdin, _said: said }
    }

    /// `GStreamer`'s RTSP server on a port, 0 for any; `login` is a name and a password.
    pub(crate) async fn rtsp(port: u16, login: &[&str]) -> Self {
        let (port, recording) = (port.to_string(), recording());
        let mut arguments = vec![port.as_str(), recording.to_str().unwrap()];
        arguments.extend(login);
        // Debian's own Python has the bindings.
        Self::start(Path::new("/usr/bin/python3"), "rtsp_server.py", &arguments).await
    }

    /// The same with `/clip`: a stream of H.264 in a file (ITU-T H.264, Annex B).
    pub(crate) async fn showing(clip: &Path) -> Self {
        let mut python = command("/usr/bin/python3");
        python.env("CLIP", clip);
        Self::started(python, "rtsp_server.py", &["0", recording().to_str().unwrap()]).await
    }

    /// An ONVIF camera that tells of streams on this port.
    pub(crate) async fn onvif(rtsp_port: u16, user: &str, password: &str) -> Self {
        let port = rtsp_port.to_string();
        Self::start(&super::python(), "onvif_camera.py", &[&port, user, password]).await
    }

    /// Ends it as a power cut would.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
}

/// ffmpeg, which sends one JPEG again and again to whoever asks first, ten times a second.
pub(crate) fn mjpeg(port: u16, jpeg: &Path) -> Child {
    repeated(port, jpeg, &["-re"])
}

/// The same, as fast as anybody takes it.
pub(crate) fn flood(port: u16, jpeg: &Path) -> Child {
    repeated(port, jpeg, &[])
}

fn repeated(port: u16, jpeg: &Path, pace: &[&str]) -> Child {
    start(
        command("ffmpeg")
            .args(["-nostdin", "-loglevel", "error"])
            .args(pace)
            .args(["-loop", "1", "-framerate", "10", "-i"])
            .arg(jpeg)
            .args(["-c:v", "copy", "-f", "mpjpeg", "-listen", "1"])
            .args(["-content_type", "multipart/x-mixed-replace;boundary=ffmpeg"])
            .arg(format!("http://127.0.0.1:{port}/")),
    )
}

/// Apache, with a street's picture behind several doors. Name and password are `cam` and `let me in`.
pub(crate) struct Apache {
    _process: Child,
    folder: tempfile::TempDir,
}

const MODULES: [&str; 9] = [
    "mpm_event",
    "authz_core",
    "authz_user",
    "authn_core",
    "authn_file",
    "auth_basic",
    "auth_digest",
    "alias",
    "mime",
];
/// As htpasswd and htdigest write them.
const BASIC: &str = "cam:{SHA}iRsFQLjXOXG71c+4gFtlLzbnzUE=\n";
const DIGEST: &str = "cam:street:65ffba9bd9b97c9dd11fb1d443f7cda1\n";

impl Apache {
    /// On a port; `more` is added to its configuration, where `@` is its folder.
    pub(crate) async fn start(port: u16, modules: &[&str], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        // As root it becomes somebody else, who has to get in.
        let is_root =
            std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        std::fs::copy(&jpegs()[0], folder.path().join("still.jpg")).unwrap();
        std::fs::write(folder.path().join("basic"), BASIC).unwrap();
        std::fs::write(folder.path().join("digest"), DIGEST).unwrap();
        std::fs::write(folder.path().join("page.html"), "<p>Welcome").unwrap();
        let loaded = MODULES.iter().chain(modules);
        let loaded: Vec<String> = loaded
            .map(|name| {
                format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
            })
            .collect();
        let loaded = loaded.concat();
        let user = if is_root { "User www-data\nGroup www-data\n" } else { "" };
        let door = |kind: &str, file: &str| {
            format!(
                "Alias /{file}.jpg @/still.jpg\n<Location /{file}.jpg>\nAuthType {kind}\n\
                 AuthName street\nAuthUserFile @/{file}\nRequire valid-user\n</Location>\n"
            )
        };
        let text = format!(
            "ServerRoot @\nServerName localhost\nPidFile @/pid\nErrorLog @/log\n\
             DefaultRuntimeDir @\nMutex file:@\nTypesConfig /dev/null\nAddType image/jpeg .jpg\n\
             AddType text/html .html\nDocumentRoot @\nListen 127.0.0.1:{port}\n{loaded}{user}{}{}\
             Redirect /moved /digest.jpg\nRedirect /round /about\nRedirect /about /round\n{more}\n",
            door("Basic", "basic"),
            door("Digest", "digest"),
        );
        let file = folder.path().join("apache.conf");
        std::fs::write(&file, text.replace('@', path)).unwrap();
        let mut process =
            start(command("apache2").arg("-X").arg("-f").arg(&file).stderr(Stdio::inherit()));
        let listening = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                if let Some(status) = process.try_wait().unwrap() {
                    panic!("apache has ended ({status})");
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, listening).await.unwrap();
        Self { _process: process, folder }
    }

    /// In its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Shows this instead of the picture.
    pub(crate) fn show(&self, bytes: &[u8]) {
        std::fs::write(self.folder.path().join("still.jpg"), bytes).unwrap();
    }
}
