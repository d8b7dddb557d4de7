//! A headless Chromium, driven over its debugging pipe: JSON objects with a zero byte behind each, on
//! file descriptors 3 and 4.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::{PATIENCE, axe, command, start};

const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// One page in a browser that nobody used before. It ends when dropped.
pub(crate) struct Browser {
    writes: ChildStdin,
    reads: BufReader<ChildStdout>,
    last: u64,
    session: Option<String>,
    /// What scripts threw, and what the browser reported as an error.
    pub(crate) faults: Vec<String>,
    _child: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None` where there is no Chromium: not every system has it as a package.
    pub(crate) async fn start() -> Option<Self> {
        let program = find()?;
        let profile = tempfile::tempdir().unwrap();
        // A shell moves the pipes to where the browser expects them.
        let moved = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
        let mut child = start(
            command("sh")
                .args(["-c", moved])
                .arg(program)
                .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
                .args(["--no-first-run", "--disable-background-networking"])
                .args(["--disable-component-update", "--disable-sync", "--lang=en-US"])
                .arg("--remote-debugging-pipe")
                .arg(format!("--user-data-dir={}", profile.path().display()))
                .arg("about:blank")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let writes = child.stdin.take().unwrap();
        let reads = BufReader::new(child.stdout.take().unwrap());
        let (last, session, faults) = (0, None, Vec::new());
        let mut browser =
            Self { writes, reads, last, session, faults, _child: child, _profile: profile };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({})).await;
        }
        Some(browser)
    }

    /// As wide as a phone.
    pub(crate) async fn narrow(&mut self, width: u32) {
        let phone = json!({"width": width, "height": 844, "deviceScaleFactor": 2, "mobile": true});
        self.call("Emulation.setDeviceMetricsOverride", phone).await;
    }

    /// As wide as a desk.
    pub(crate) async fn wide(&mut self, width: u32) {
        let desk = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", desk).await;
    }

    /// As wide as that, light or dark.
    pub(crate) async fn looks(&mut self, width: u32, scheme: &str) {
        if width < 600 {
            self.narrow(width).await;
        } else {
            self.wide(width).await;
        }
        // A colour that is on its way to another is not read.
        let wishes = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.call("Emulation.setEmulatedMedia", json!({"features": wishes})).await;
    }

    /// What keeps people from reading the page, by the rules of WCAG 2.2 AA; `None` where axe-core is not
    /// installed.
    pub(crate) async fn barriers(&mut self) -> Option<Vec<String>> {
        let script = std::fs::read_to_string(axe()).ok()?;
        // Not as a script of the page: its policy takes none from elsewhere.
        self.ask(&format!("{script}; 1")).await;
        let told = self
            .ask(
                "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
                    'best-practice'] }).then(found => found.violations.map(violation =>
                    violation.id + ': ' + violation.nodes.map(node => node.target.join(' ')).join(', ')))",
            )
            .await;
        let told = told.as_array().unwrap();
        Some(told.iter().map(|one| one.as_str().unwrap().to_owned()).collect())
    }

    /// Opens an address; returns when the page has loaded.
    pub(crate) async fn open(&mut self, url: &str) {
        self.load("Page.navigate", json!({"url": url})).await;
    }

    /// Does something on the page that leads to another; returns when that one has loaded.
    pub(crate) async fn follow(&mut self, script: &str) {
        self.load("Runtime.evaluate", json!({"expression": script})).await;
    }

    /// Runs on every page that is opened from now on, before its own scripts.
    pub(crate) async fn inject(&mut self, script: &str) {
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": script})).await;
    }

    /// Presses a key and lets it go, as on a keyboard.
    pub(crate) async fn key(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", stroke(kind, key)).await;
        }
    }

    /// Presses the pointer's button at the first of these places of the window, and lets it go at the last.
    pub(crate) async fn press(&mut self, way: &[(f64, f64)]) {
        let kinds = ["mouseMoved", "mousePressed"].map(|kind| (kind, way[0]));
        let moves = way[1..].iter().map(|place| ("mouseMoved", *place));
        let end = ("mouseReleased", way[way.len() - 1]);
        for (kind, (x, y)) in kinds.into_iter().chain(moves).chain([end]) {
            let pointer = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", pointer).await;
        }
    }

    /// The same where the key leads to another page; returns when that one has loaded.
    pub(crate) async fn key_away(&mut self, key: &str) {
        self.load("Input.dispatchKeyEvent", stroke("keyDown", key)).await;
    }

    /// What an expression comes to; a promise is waited for.
    pub(crate) async fn ask(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let told = self.call("Runtime.evaluate", asked).await;
        assert!(told["exceptionDetails"].is_null(), "{told:#}");
        told["result"]["value"].clone()
    }

    async fn load(&mut self, method: &str, params: Value) {
        let id = self.send(method, params).await;
        let (mut is_answered, mut is_loaded) = (false, false);
        while !(is_answered && is_loaded) {
            let message = self.next().await;
            is_answered |= message["id"] == id;
            is_loaded |= message["method"] == "Page.loadEventFired";
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        loop {
            let message = self.next().await;
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message:#}");
                return message["result"].clone();
            }
        }
    }

    async fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.writes.write_all(format!("{message}\0").as_bytes()).await.unwrap();
        self.last
    }

    async fn next(&mut self) -> Value {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.reads.read_until(0, &mut bytes)).await;
        read.expect("the browser answers").unwrap();
        let message: Value = serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap()).unwrap();
        let params = &message["params"];
        let is_fault = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => params["entry"]["level"] == "error",
            Some(_) | None => false,
        };
        if is_fault {
            self.faults.push(params.to_string());
        }
        message
    }
}

fn stroke(kind: &str, key: &str) -> Value {
    let (code, text) = match key {
        "Tab" => (9, ""),
        "Enter" => (13, "\r"),
        "Escape" => (27, ""),
        "ArrowLeft" => (37, ""),
        "ArrowUp" => (38, ""),
        "ArrowRight" => (39, ""),
        letter => (0, letter),
    };
    let text = if kind == "keyDown" { text } else { "" };
    json!({"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text})
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PROGRAMS
        .iter()
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)))
        .find(|candidate| candidate.is_file())
}
