//! `gatehouse run` as people meet it: set-up, roles, tokens, TLS, and those who guess passwords. Asked with
//! curl, which knows cookies and certificates better than we do.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::peers::mosquitto::free_port;
use crate::peers::{PATIENCE, gatehouse};
use crate::reload::{TYPE, community, heat};

const PASSWORD: &str = "correct horse battery";

/// A gateway without sensors, and what it logs.
struct Started {
    folder: tempfile::TempDir,
    gateway: Child,
    log: Receiver<String>,
    port: u16,
    scheme: &'static str,
}

impl Started {
    fn start(listen: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let broker = free_port();
        let gateway = format!(
            "[gateway]\nid = \"gw\"\ntownship = \"town\"\nlanguage = \"en\"\n\
             [[broker]]\nid = \"sensors\"\nurl = \"mqtt://127.0.0.1:{broker}\"\n\
             [store]\npath = \"{}\"\n[console]\nlisten = \"{listen}:{port}\"\n{more}\n",
            folder.path().join("data").display(),
        );
        for (name, text) in [
            ("gateway.toml", gateway.as_str()),
            ("community.toml", &community(&["th-1"])),
            ("device-types/thermometer.toml", TYPE),
            ("scenes/heat.toml", &heat("60 degC")),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let (gateway, log) = run(folder.path());
        let scheme =
            if listen == "127.0.0.1" || more.contains("plain-http") { "http" } else { "https" };
        Self { folder, gateway, log, port, scheme }
    }

    /// The first line of the log from now on that has this in it.
    fn logged(&self, part: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("`{part}` was not logged"));
            if line.contains(part) {
                return line;
            }
        }
    }

    fn password(&self) -> String {
        self.logged("set-up password").rsplit(' ').next().unwrap().to_owned()
    }

    fn restart(&mut self) {
        self.stop();
        (self.gateway, self.log) = run(self.folder.path());
    }

    fn stop(&mut self) {
        let sent = Command::new("kill").arg(self.gateway.id().to_string()).status().unwrap();
        assert!(sent.success() && self.gateway.wait().unwrap().success());
    }

    fn command(&self, args: &[&str], stdin: &str) -> Output {
        let mut command = Command::new(gatehouse());
        command.args(args).arg("--config").arg(self.folder.path());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn add(&self, name: &str, role: &str) {
        let added = self.command(&["user", "add", name, "--role", role], &format!("{PASSWORD}\n"));
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }

    /// A browser of its own, on an address of its own.
    fn browser(&self, name: &str) -> Browser<'_> {
        let jar = self.folder.path().join(format!("{name}.cookies"));
        Browser { gateway: self, jar, from: "127.0.0.1".into() }
    }

    fn lines(&self, of: &[&str]) -> Vec<Value> {
        let listed =
            self.command(&[&["audit", "list", "--many", "1000", "--json"], of].concat(), "");
        let text = String::from_utf8(listed.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ended = self.gateway.kill();
        let _reaped = self.gateway.wait();
    }
}

fn run(config: &Path) -> (Child, Receiver<String>) {
    let mut command = Command::new(gatehouse());
    command.arg("run").arg("--config").arg(config).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (lines, log) = channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || {
        stderr.lines().map_while(Result::ok).try_for_each(|l| lines.send(l))
    });
    (child, log)
}

struct Browser<'b> {
    gateway: &'b Started,
    jar: PathBuf,
    from: String,
}

/// Status, headers and body.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Browser<'_> {
    fn at(self, from: &str) -> Self {
        Self { from: from.into(), ..self }
    }

    fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.gateway.scheme, self.gateway.port)
    }

    fn curl(&self, args: &[&str]) -> Answer {
        self.try_curl(args).unwrap_or_else(|told| panic!("{args:?}: {told}"))
    }

    /// Err with what curl says when the connection ended before there was an answer.
    fn try_curl(&self, args: &[&str]) -> Result<Answer, String> {
        let output = Command::new("curl")
            .args(["-sS", "-i", "-k", "--max-time", "30", "--interface", &self.from])
            .args(["-H", "Accept: text/html", "-H", "Expect:", "-b"])
            .arg(&self.jar)
            .arg("-c")
            .arg(&self.jar)
            .args(args)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").ok_or(told)?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
    }

    fn get(&self, path: &str) -> Answer {
        self.curl(&[&self.url(path)])
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = format!("Origin: {}", self.url(""));
        let fields: Vec<String> =
            fields.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut args = vec!["-H", &origin];
        for field in &fields {
            args.extend(["--data-urlencode", field.as_str()]);
        }
        let url = self.url(path);
        args.push(&url);
        self.curl(&args)
    }

    fn login(&self, name: &str, password: &str) -> Answer {
        self.post("/login", &[("name", name), ("password", password)])
    }

    fn csrf(&self, page: &str) -> String {
        let body = self.get(page).body;
        let (_, rest) = body.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }
}

#[test]
fn a_fresh_box_is_set_up_once_and_a_restart_keeps_accounts_and_ends_sessions() {
    let mut gateway = Started::start("127.0.0.1", "");
    let password = gateway.password();
    let browser = gateway.browser("chen");

    let login = browser.login("", &password);
    assert!(login.status == 303 && login.head.contains("location: /setup"), "{login:?}");
    assert!(login.head.contains("; httponly; samesite=strict\r"), "{}", login.head);
    assert_eq!(browser.get("/").status, 303);
    let csrf = browser.csrf("/setup");
    let form = [("name", "chen"), ("password", PASSWORD), ("again", PASSWORD), ("csrf", &*csrf)];
    assert_eq!(browser.post("/setup", &form).status, 303);
    assert_eq!(browser.get("/users").status, 200);
    assert_eq!(gateway.browser("late").login("", &password).status, 401, "the password is void");
    drop(browser);

    gateway.restart();
    gateway.logged("console on");
    let started = gateway.logged("running");
    assert!(!started.contains("set-up"));
    let browser = gateway.browser("chen");
    assert_eq!(browser.get("/").status, 303, "sessions have ended");
    assert_eq!(browser.login("chen", PASSWORD).status, 303);
    assert_eq!(browser.get("/").status, 200);
    let logins = gateway.lines(&["--action", "login"]);
    let seen: Vec<_> = logins.iter().map(|l| (l["who"].as_str(), l["outcome"].as_str())).collect();
    assert_eq!(
        seen,
        [(Some("set-up"), Some("done")), (Some(""), Some("refused")), (Some("chen"), Some("done")),]
    );
}

#[test]
fn people_and_tokens_are_added_removed_and_seen_by_a_gateway_that_runs() {
    let gateway = Started::start("127.0.0.1", "");
    gateway.logged("running");
    gateway.add("chen", "admin");
    gateway.add("li", "viewer");
    let [chen, li] = ["chen", "li"].map(|name| gateway.browser(name));
    assert_eq!(chen.login("chen", PASSWORD).status, 303);
    assert_eq!(li.login("li", PASSWORD).status, 303);

    let csrf = li.csrf("/account");
    let verdict = [("csrf", &*csrf), ("event", "x"), ("verdict", "real"), ("by", "li")];
    assert_eq!(li.post("/verdict", &verdict).status, 403, "a viewer cannot act");
    assert_eq!(li.get("/users").status, 403);
    let csrf = chen.csrf("/users");
    let forged = [("csrf", "0".repeat(32)), ("deed", "remove".into()), ("name", "li".into())];
    let forged: Vec<_> = forged.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(chen.post("/users", &forged).status, 403);
    let role = [("csrf", &*csrf), ("deed", "role"), ("name", "li"), ("role", "manager")];
    assert_eq!(chen.post("/users", &role).status, 303);
    assert_eq!(li.get("/").status, 303, "another role ends the session");
    assert_eq!(li.login("li", PASSWORD).status, 303);
    assert_eq!(gateway.command(&["user", "remove", "li"], "").status.code(), Some(0));
    assert_eq!(li.login("li", PASSWORD).status, 401);

    let made = gateway.command(&["user", "token", "scraper", "--scope", "metrics"], "");
    let token = String::from_utf8(made.stdout).unwrap();
    let bearer = format!("Authorization: Bearer {}", token.trim());
    let script = gateway.browser("script");
    assert_eq!(script.curl(&["-H", &bearer, &script.url("/metrics")]).status, 200);
    assert_eq!(script.curl(&["-H", &bearer, &script.url("/api/v1/events")]).status, 403);
    let revoked = gateway.command(&["user", "token", "scraper", "--revoke"], "");
    assert!(revoked.status.success());
    assert_eq!(script.curl(&["-H", &bearer, &script.url("/metrics")]).status, 401);

    for (why, args, stdin, expected) in [
        ("a weak password", &["user", "add", "wu", "--role", "viewer"][..], "short\n", "too short"),
        ("no password", &["user", "add", "wu", "--role", "viewer"], "", "too short"),
        (
            "twice",
            &["user", "add", "chen", "--role", "viewer"],
            "correct horse battery\n",
            "exists",
        ),
        ("no such role", &["user", "add", "wu", "--role", "root"], "", "expected viewer, manager"),
        ("the last admin", &["user", "remove", "chen"], "", "only admin"),
        ("nobody", &["user", "passwd", "nobody"], "", "there is no `nobody`"),
    ] {
        let refused = gateway.command(args, stdin);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && told.contains(expected), "{why}: {told}");
    }
    let secrets = fs::read_to_string(gateway.folder.path().join("data/accounts.json")).unwrap();
    assert!(!secrets.contains(PASSWORD) && !secrets.contains(token.trim()));
}

#[test]
fn one_who_guesses_locks_himself_out_and_others_still_come_in() {
    let gateway = Started::start("127.0.0.1", "");
    gateway.logged("running");
    gateway.add("chen", "admin");
    let burglar = gateway.browser("guesser").at("127.0.0.2");

    let guesses: Vec<u16> =
        (0..7).map(|n| burglar.login("chen", &format!("guess number {n}")).status).collect();
    assert_eq!(guesses, [401, 401, 401, 401, 429, 429, 429]);
    let locked = burglar.login("chen", PASSWORD);
    assert!(locked.status == 429 && locked.head.contains("retry-after: "), "{locked:?}");
    let owner = gateway.browser("owner");
    assert_eq!(owner.login("chen", PASSWORD).status, 303, "from another address");

    let refused = gateway.lines(&["--action", "login"]);
    let refused = refused.iter().filter(|line| line["outcome"] == "refused");
    assert_eq!(refused.count(), 5, "who is locked out does not fill the log");
}

#[test]
fn off_loopback_the_console_speaks_tls_with_a_certificate_that_can_be_pinned() {
    let mut gateway = Started::start("0.0.0.0", "");
    let logged = gateway.logged("SHA-256 fingerprint");
    let fingerprint = logged.rsplit(' ').next().unwrap().to_owned();
    let password = gateway.password();
    let browser = gateway.browser("chen");

    let page = browser.get("/login");
    assert!(page.status == 200 && page.body.contains(&fingerprint));
    let login = browser.login("", &password);
    assert!(login.head.contains("; httponly; samesite=strict; secure"), "{}", login.head);
    let shown = shown_certificate(gateway.port);
    assert_eq!(shown, fingerprint);

    let plain = format!("http://127.0.0.1:{}", gateway.port);
    let moved = browser.curl(&[&format!("{plain}/devices?a=1")]);
    let to = format!("location: https://127.0.0.1:{}/devices?a=1", gateway.port);
    assert!(moved.status == 301 && moved.head.contains(&to), "{moved:?}");
    let evil = browser.curl(&["-H", "Host: evil.example", &plain]);
    let sent = browser.curl(&["-d", "password=x", &format!("{plain}/login")]);
    assert_eq!((evil.status, sent.status), (400, 400), "nothing is led away");
    assert!(sent.body.contains("https://") && sent.body.contains("此端口使用 HTTPS"));
    drop(browser);

    gateway.restart();
    assert!(gateway.logged("SHA-256 fingerprint").contains(&fingerprint), "it stays");
    gateway.logged("running");
    let listed = gateway.command(&["user", "list", "--json"], "");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["fingerprint"], fingerprint.as_str());
}

/// The fingerprint of what the port shows, as OpenSSL sees it.
fn shown_certificate(port: u16) -> String {
    let script = format!(
        "openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | \
         openssl x509 -noout -fingerprint -sha256"
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().rsplit('=').next().unwrap().to_owned()
}

#[test]
fn a_certificate_of_the_operator_is_shown_checked_and_read_again() {
    let pems = tempfile::tempdir().unwrap();
    let authority = crate::peers::certificates::Authority::new(pems.path(), "ca");
    let (cert, key) = authority.sign("first", &["127.0.0.1"]);
    let more = format!("cert-file = \"{}\"\nkey-file = \"{}\"", cert.display(), key.display());
    let mut gateway = Started::start("127.0.0.1", &more);
    gateway.scheme = "https";
    gateway.logged("running");
    let pinned = Command::new("curl")
        .args(["-sS", "--cacert"])
        .arg(&authority.file)
        .arg(format!("https://127.0.0.1:{}/healthz", gateway.port))
        .output()
        .unwrap();
    assert!(pinned.status.success(), "{}", String::from_utf8_lossy(&pinned.stderr));

    let before = shown_certificate(gateway.port);
    let (other, other_key) = authority.sign("second", &["127.0.0.1"]);
    fs::copy(other, &cert).unwrap();
    let faulty = gateway.command(&["check"], "");
    let told = String::from_utf8(faulty.stderr).unwrap();
    assert_eq!(faulty.status.code(), Some(2));
    assert!(told.contains("the certificate and its key do not fit"), "{told}");
    fs::copy(other_key, &key).unwrap();
    let hangup = Command::new("kill").args(["-HUP", &gateway.gateway.id().to_string()]).status();
    assert!(hangup.unwrap().success());
    gateway.logged("the console has another certificate");
    assert_ne!(shown_certificate(gateway.port), before);
    gateway.logged("the new configuration is in effect");
    assert_eq!(gateway.lines(&["--action", "configuration"])[0]["outcome"], "done");
}

#[test]
fn nonsense_gets_a_short_answer() {
    let gateway = Started::start("127.0.0.1", "");
    gateway.logged("running");
    gateway.add("chen", "admin");
    let browser = gateway.browser("chen");
    assert_eq!(browser.login("chen", PASSWORD).status, 303);
    let origin = format!("Origin: {}", browser.url(""));
    let file = gateway.folder.path().join("long");
    fs::write(&file, "x".repeat(2 << 20)).unwrap();
    let long = format!("@{}", file.display());
    let half = gateway.folder.path().join("more");
    fs::write(&half, "x".repeat(80_000)).unwrap();
    let more = format!("@{}", half.display());
    let names: Vec<String> = (0..150).map(|n| format!("X-Flood-{n}: 1")).collect();
    let mut flood: Vec<&str> = names.iter().flat_map(|name| ["-H", name.as_str()]).collect();
    let root = browser.url("/");
    flood.push(&root);
    let (users, login, verdict) =
        (browser.url("/users"), browser.url("/login"), browser.url("/verdict"));
    for (why, args, expected) in [
        ("80 kB from a session", &["-H", &*origin, "-d", &more, &users][..], &[413][..]),
        ("2 MB from a session", &["-H", &*origin, "-d", &long, &users][..], &[413][..]),
        ("2 MB from a stranger", &["-H", &*origin, "-d", &long, &login], &[400, 413]),
        ("not UTF-8", &["-H", &*origin, "-d", "name=%ff&password=%fe", &login], &[401]),
        (
            "no form",
            &["-H", &*origin, "-H", "Content-Type: text/xml", "-d", "<a/>", &login],
            &[400],
        ),
        ("an escape that is none", &["-H", &*origin, "-d", "csrf=%&event=%zz", &verdict], &[403]),
        ("a flood of headers", &flood, &[431]),
    ] {
        // Who is refused in the middle of 2 MB may find the connection closed before reading why.
        let answer = match browser.try_curl(args) {
            Err(told) if why.starts_with("2 MB") && told.contains("Send failure") => continue,
            answer => answer.unwrap(),
        };
        assert!(expected.contains(&answer.status), "{why}: {}", answer.status);
        assert!(answer.body.len() < 5_000, "{why}");
    }
    let mut raw = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    raw.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not http at all\r\n\r\n").unwrap();
    assert_eq!(browser.get("/").status, 200, "it goes on");
}

#[test]
fn a_tampered_log_is_found_with_its_line() {
    let mut gateway = Started::start("127.0.0.1", "");
    gateway.logged("running");
    for name in ["chen", "li", "wu"] {
        gateway.add(name, "admin");
    }
    gateway.stop();
    let verified = gateway.command(&["audit", "verify"], "");
    assert_eq!(String::from_utf8_lossy(&verified.stdout), "3 lines, each as it was written\n");
    let exported = gateway.command(&["audit", "export"], "").stdout;
    let file = gateway.folder.path().join("data/audit/000000000001.jsonl");
    assert_eq!(fs::read(&file).unwrap(), exported);

    let text = String::from_utf8(exported).unwrap();
    fs::write(&file, text.replace("\"about\":\"li\"", "\"about\":\"xi\"")).unwrap();

    let broken = gateway.command(&["audit", "verify"], "");
    let told = String::from_utf8(broken.stderr).unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(told.contains("000000000001.jsonl`, line 2: is not what was written"), "{told}");
}
