//! `gatehouse run` tells people: through power cuts with a backlog, by links that act once, by a mail
//! server of other people's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::peers::certificates::Authority;
use crate::peers::gateway::{Running, configure, heat, is_up, run};
use crate::peers::http::{Listener, ask};
use crate::peers::mosquitto::{Mosquitto, free_port};
use crate::peers::{
    PATIENCE, audited, command, faketime, gatehouse, lines, python, start, workspace,
};

fn webhook(address: &str, console: &str) -> String {
    format!(
        "[console]\nlisten = \"{console}\"\n[alerts]\nbase-url = \"http://{console}\"\n\
         [[channel]]\nid = \"program\"\nwebhook = {{ url = \"http://{address}/alerts\", secret-file = \"secret\" }}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_and_three_power_cuts_with_a_backlog_are_one_summary_that_tells_every_event() {
    const BINS: usize = 100;
    let folder = tempfile::tempdir().unwrap();
    let sensors = Mosquitto::plain();
    let mut program = Listener::start(503).await;
    let console = format!("127.0.0.1:{}", free_port());
    configure(folder.path(), sensors.port(), BINS, &webhook(&program.address, &console));
    let mut gateway = Running(run(folder.path()));
    is_up(&console).await;

    heat(sensors.port(), 0..BINS).await;
    let mut tried: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..3 {
        let (status, heard) = program.next().await;
        assert_eq!(status, 503);
        let id = heard.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(heard.headers["x-gatehouse-id"], id);
        *tried.entry(id).or_default() += 1;
        gateway.kill();
        gateway = Running(run(folder.path()));
    }
    program.answer(200);

    let (mut told, mut messages) = (BTreeSet::new(), BTreeSet::new());
    while told.len() < BINS {
        let (status, heard) = program.next().await;
        let message = heard.json();
        if status != 200 {
            continue;
        }
        messages.insert(message["id"].as_str().unwrap().to_owned());
        for event in message["events"].as_array().unwrap() {
            told.insert(event["event"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(messages.len(), 1, "one summary: {messages:?}");
    assert_eq!(tried.keys().collect::<BTreeSet<_>>(), messages.iter().collect(), "the same number");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_shows_first_acts_once_and_a_forged_one_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sensors = Mosquitto::plain();
    let mut program = Listener::start(200).await;
    let console = format!("127.0.0.1:{}", free_port());
    configure(folder.path(), sensors.port(), 1, &webhook(&program.address, &console));
    let _gateway = Running(run(folder.path()));
    is_up(&console).await;
    heat(sensors.port(), 0..1).await;
    let (_, heard) = program.next().await;
    let message = heard.json();
    let event = message["event"]["event"].as_str().unwrap().to_owned();
    let base = format!("http://{console}");
    let link = message["links"]["acknowledge"].as_str().unwrap().to_owned();
    let path = link.strip_prefix(&base).unwrap();
    assert_eq!(message["links"]["page"], format!("{base}/events/{event}"));

    // As a mail scanner does, more than once.
    for _ in 0..3 {
        let page = ask(&console, "GET", path, "Accept: text/html\r\nAccept-Language: en\r\n").await;
        assert!(page.first.contains("200"), "{}", page.first);
        assert!(page.text().contains("Acknowledge this event?"), "{}", page.text());
        assert!(page.text().contains("fire"), "{}", page.text());
    }
    let elsewhere = ask(&console, "POST", path, "Origin: http://evil.example\r\n").await;
    assert!(elsewhere.first.contains("403"), "{}", elsewhere.first);
    let changed = if path.as_bytes()[20] == b'A' { "B" } else { "A" };
    let forged = format!("{}{changed}{}", &path[..20], &path[21..]);
    let ours = format!("Origin: {base}\r\nAccept: text/html\r\nAccept-Language: en\r\n");
    let refused = ask(&console, "POST", &forged, &ours).await;
    assert!(refused.first.contains("404"), "{}", refused.first);

    let (one, two) =
        tokio::join!(ask(&console, "POST", path, &ours), ask(&console, "POST", path, &ours));
    let mut firsts = [one.first.contains("200"), two.first.contains("200")];
    firsts.sort_unstable();
    assert_eq!(firsts, [false, true], "{} and {}", one.first, two.first);
    let again = ask(&console, "GET", path, &ours).await;
    assert!(again.first.contains("410") && again.text().contains("used before"), "{}", again.first);
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("a link was refused"), "{log}");
    let used = |line: &&str| line.contains("event.link") && line.contains(&event);
    let listed = audited(folder.path(), |told| told.lines().any(|line| used(&line))).await;
    assert_eq!(listed.lines().filter(used).count(), 1, "{listed}");
}

/// aiosmtpd, as `tests/peers/smtp_server.py` runs it.
struct Mail {
    port: String,
    said: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
    _process: tokio::process::Child,
}

impl Mail {
    async fn start(kind: &str, certificate: &(std::path::PathBuf, std::path::PathBuf)) -> Self {
        let mut process = start(
            command(python())
                .arg(workspace().join("tests/peers/smtp_server.py"))
                .arg(kind)
                .args([&certificate.0, &certificate.1])
                .stdout(Stdio::piped()),
        );
        let mut said = lines(process.stdout.take().unwrap());
        let ready = timeout(PATIENCE, said.next_line()).await.unwrap().unwrap();
        let ready = ready.expect("aiosmtpd did not start: run cargo xtask test");
        let port = ready.strip_prefix("ready ").unwrap().to_owned();
        Self { port, said, _process: process }
    }

    async fn next(&mut self) -> Value {
        let line = timeout(PATIENCE, self.said.next_line()).await.unwrap().unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

/// `gatehouse alerts test mail`: whether it went well, and what it said.
async fn trial(folder: &Path, to: &str) -> (bool, String) {
    tried(command(gatehouse()), folder, to).await
}

/// The same where the box's clock shows another time.
async fn trial_at(clock: &str, folder: &Path) -> (bool, String) {
    let mut gateway = command(gatehouse());
    gateway.env("LD_PRELOAD", faketime()).env("FAKETIME", format!("@{clock}"));
    gateway.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("TZ", "UTC");
    tried(gateway, folder, "guard@example.com").await
}

async fn tried(mut gateway: Command, folder: &Path, to: &str) -> (bool, String) {
    gateway.args(["alerts", "test", "mail", "--to", to, "--config"]).arg(folder);
    let output = gateway.output();
    let output = timeout(PATIENCE * 2, output).await.unwrap().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_of_other_peoples_takes_our_mail_and_its_refusals_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let certificate = authority.sign("mail", &["localhost"]);
    fs::write(folder.path().join("password"), "correct horse\n").unwrap();
    fs::write(folder.path().join("wrong"), "battery staple\n").unwrap();
    let stranger = Authority::new(folder.path(), "stranger");
    let mail = |security: &str, port: &str, ca: &Path, password: &str| {
        let login = if security == "none" {
            String::new()
        } else {
            format!(
                "ca-file = \"{}\"\nuser = \"gatehouse\"\npassword-file = \"{password}\"\n",
                ca.display()
            )
        };
        let channel = format!(
            "[console]\nenabled = false\n[[channel]]\nid = \"mail\"\n[channel.email]\nserver = \"localhost\"\n\
             port = {port}\nsecurity = \"{security}\"\nfrom = \"Gatehouse <alerts@example.com>\"\n{login}"
        );
        configure(folder.path(), 1883, 1, &channel);
    };

    for (security, kind) in [("starttls", "starttls"), ("tls", "tls"), ("none", "plain")] {
        let mut server = Mail::start(kind, &certificate).await;
        mail(security, &server.port, &authority.file, "password");
        let (is_sent, said) = trial(folder.path(), "guard@example.com").await;
        assert!(is_sent, "{security}: {said}");
        let taken = server.next().await;
        assert_eq!(
            (&taken["from"], &taken["to"][0]),
            (&"alerts@example.com".into(), &"guard@example.com".into())
        );
        assert_eq!(taken["tls"], security == "starttls" || security == "tls", "{taken}");
        assert_eq!(taken["authenticated"], security != "none");
        assert_eq!(taken["type"], "text/plain");
        assert!(taken["subject"].as_str().unwrap().contains("Gatehouse"), "{taken}");
        assert!(taken["message-id"].as_str().unwrap().starts_with("<gw-test-"), "{taken}");

        if security == "none" {
            continue;
        }
        let (is_sent, said) = trial_at("1970-01-02 00:00:00", folder.path()).await;
        assert!(is_sent, "{security} in 1970: {said}");
        server.next().await;
        let (is_sent, said) = trial(folder.path(), "nobody@example.com").await;
        assert!(!is_sent && said.contains("550"), "{said}");
        mail(security, &server.port, &authority.file, "wrong");
        let (is_sent, said) = trial(folder.path(), "guard@example.com").await;
        assert!(!is_sent && said.contains("535") && said.contains("mended"), "{said}");
        mail(security, &server.port, &stranger.file, "password");
        let (is_sent, said) = trial(folder.path(), "guard@example.com").await;
        assert!(!is_sent && said.contains("certificate"), "{said}");
    }
    for (security, kind) in [("starttls", "starttls"), ("tls", "tls")] {
        let expired = authority.sign_for("old", &["localhost"], 2010..2020);
        let server = Mail::start(kind, &expired).await;
        mail(security, &server.port, &authority.file, "password");
        let (is_sent, said) = trial_at("2015-06-01 00:00:00", folder.path()).await;
        assert!(!is_sent && said.contains("expired"), "{security} in 2015: {said}");
    }
    let server = Mail::start("plain", &certificate).await;
    mail("starttls", &server.port, &authority.file, "password");
    let (is_sent, said) = trial(folder.path(), "guard@example.com").await;
    assert!(!is_sent && said.contains("cannot STARTTLS"), "{said}");
}
