//! What a person sees who tries the program as it is shipped: `demo` with its console in a browser,
//! `simulate` and `check`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peers::mosquitto::{Mosquitto, free_port};
use crate::peers::{PATIENCE, command, gatehouse, workspace};
use crate::visit::{PHONE, Visit};

/// Fast time, and slaves that have a tenth of a second to answer, want a machine that is not busy with another
/// demonstration, a browser or thousands of requests.
pub(crate) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn the_demo_finds_every_planned_anomaly_and_invents_none() {
    let elsewhere = tempfile::tempdir().unwrap();
    let demo = ["demo", "--for", "45", "--speed", "20", "--json"];
    let _alone = ALONE.lock().await;

    let ended = run(elsewhere.path(), &demo).await;
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{told}");
    let summary: Value = serde_json::from_slice(&ended.stdout).unwrap();

    for none in ["missed", "false_events", "opened_twice"] {
        assert_eq!(summary[none], json!([]), "{summary:#}\n{told}");
    }
    assert_eq!(summary["sequence_gaps"], 0, "{summary:#}\n{told}");
    assert!(summary["found"].as_array().unwrap().len() >= 5, "{summary:#}\n{told}");
    assert!(summary["pictures"].as_u64() > Some(0), "{summary:#}\n{told}");
    assert!(told.contains("(UTC+08:00)"), "{told}");
    for transition in ["  opened  ", "  updated  ", "  cleared  "] {
        assert!(told.contains(transition), "{transition}\n{told}");
    }
}

#[tokio::test]
async fn a_taken_port_is_told_as_the_option_that_asked_for_it() {
    let elsewhere = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let ended = run(elsewhere.path(), &["demo", "--http", &address, "--for", "1"]).await;

    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    assert!(told.contains(&address) && told.contains("give --http another port"), "{told}");
    assert!(!told.contains("gateway.toml"), "{told}");
}

#[tokio::test]
async fn the_shipped_configuration_passes_and_its_devices_speak() {
    let broker = Mosquitto::plain();
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    let community = ["--community", "config/community.toml", "--modbus", "127.0.0.1:0"];

    let checked = run(&workspace(), &["check", "--config", "config"]).await;
    let mut simulate = vec!["simulate", "--broker", &url, "--for", "2", "--speed", "60", "--json"];
    simulate.extend(community);
    let simulated = run(&workspace(), &simulate).await;

    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    let told = String::from_utf8_lossy(&simulated.stderr);
    assert_eq!(simulated.status.code(), Some(0), "{told}");
    let sent: Value = serde_json::from_slice(&simulated.stdout).unwrap();
    assert!(sent["made"].as_u64() > Some(0) && sent["made"] == sent["confirmed"], "{sent}");
    let (meters, pumps) = (told.find("line `meters` answers"), told.find("line `pump-room`"));
    assert!(meters.is_some() && meters < pumps, "{told}");
}

#[tokio::test]
async fn a_simulation_without_a_broker_ends_in_time_and_one_with_a_wrong_url_does_not_begin() {
    let dead = format!("mqtt://127.0.0.1:{}", free_port());
    let simulate = |url: &str| {
        ["simulate", "--community", "config/community.toml", "--for", "0.2", "--broker", url]
            .map(ToOwned::to_owned)
    };

    let begun = Instant::now();
    let unheard = run(&workspace(), &simulate(&dead)).await;
    let took = begun.elapsed();
    let wrong = run(&workspace(), &simulate("http://127.0.0.1")).await;

    let told = String::from_utf8_lossy(&unheard.stderr);
    assert_eq!(unheard.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("error: the broker `{dead}`")), "{told}");
    // Ten seconds are what a broker gets that is there.
    assert!(took < Duration::from_secs(8), "{took:?}");
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{told}");
    assert!(told.contains("`http://127.0.0.1` is not a broker"), "{told}");
}

#[tokio::test]
async fn a_token_that_others_can_read_is_a_fault_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let copied = command("cp")
        .args(["-r", "config", "models"])
        .arg(folder.path())
        .current_dir(workspace())
        .status()
        .await;
    assert!(copied.unwrap().success());
    let file = folder.path().join("config/gateway.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[console]\n", "[console]\ntoken-file = \"token\"\n")).unwrap();
    let token = folder.path().join("config/token");
    let check = || run(folder.path(), &["check"]);

    let missing = check().await;
    fs::write(&token, "6b5c0d1a9e2f4b7788aa\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = check().await;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let good = check().await;

    for (ended, expected) in [(&missing, "cannot be read"), (&exposed, "chmod 600")] {
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{told}");
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
}

#[tokio::test]
async fn the_console_shows_open_events_live_in_a_browser_as_wide_as_a_phone() {
    let _alone = ALONE.lock().await;
    let Some(mut visit) = Visit::start("60").await else { return };
    visit.browser.narrow(PHONE).await;
    visit.enter().await;
    let Visit { mut browser, address, .. } = visit;
    let first = browser.ask(&card_unlike(&json!([]))).await;
    let second = browser.ask(&card_unlike(&json!([first["key"]]))).await;

    assert_eq!(browser.ask("location.pathname").await, "/");
    for card in [&first, &second] {
        let text = |key: &str| card[key].as_str().unwrap_or_default().to_owned();
        let level = text("level");
        assert!(["I ", "II ", "III ", "IV "].iter().any(|l| level.starts_with(l)), "{card}");
        assert!(["East", "West", "North", "South"].contains(&text("area").as_str()), "{card}");
        assert!(text("age").starts_with("for ") && text("age").ends_with(['s', 'n']), "{card}");
        assert!(text("title").len() > 3 && text("why").len() > 10, "{card}");
    }
    for path in ["", "devices"] {
        browser.open(&format!("{address}{path}")).await;
        browser.ask("document.querySelectorAll('details').forEach(d => d.open = true)").await;
        let width = browser.ask("document.documentElement.scrollWidth").await;
        assert!(width.as_u64() <= Some(PHONE.into()), "/{path} is {width} wide");
    }
    assert_eq!(browser.faults, Vec::<String>::new());
}

/// Waits for a card whose key is none of these, and tells what a person reads on it.
fn card_unlike(known: &Value) -> String {
    format!(
        "new Promise(done => {{
            const look = () => {{
                const cards = [...document.querySelectorAll('#events .card')];
                const card = cards.find(card => !{known}.includes(card.dataset.key));
                if (!card) return;
                const text = (part) => card.querySelector(part).textContent.trim();
                done({{
                    key: card.dataset.key, level: text('.badge'), title: text('h2'),
                    area: text('.where span'), age: text('.age'), why: text('.why'),
                }});
            }};
            new MutationObserver(look).observe(document.body, {{ childList: true, subtree: true }});
            look();
        }})"
    )
}

/// Runs the program to its end.
async fn run<A: AsRef<std::ffi::OsStr>>(folder: &Path, args: &[A]) -> Output {
    let output = command(gatehouse())
        .args(args)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    // Without optimisation the picture models alone take half of one to load.
    tokio::time::timeout(4 * PATIENCE, output).await.expect("it ends").unwrap()
}
