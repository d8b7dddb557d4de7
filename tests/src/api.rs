//! The console's interface for scripts, as other people's programs see it: schemathesis looks for answers that
//! its document does not foresee, and curl follows its stream.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::demo::ALONE;
use crate::peers::{PATIENCE, command, gatehouse, python, start};
use crate::reload::Site;

/// Cases of each operation and phase; a seed, so that what is found once is found again.
const EXAMPLES: &str = "8";
const SEED: &str = "20260101";

/// On a machine with two busy cores.
const MOST: Duration = Duration::from_secs(90);

/// What a right request may come to: an event that is not there, or not for that deed, is no fault.
const CHECKS: &str = "[checks.positive_data_acceptance]\n\
    expected-statuses = [\"2xx\", \"404\", \"409\", \"422\"]\n";

fn token(site: &Site, scope: &str) -> String {
    let made = Command::new(gatehouse())
        .args(["user", "token", scope, "--scope", scope, "--config"])
        .arg(site.folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// A site with an event that is open, and one that is over.
async fn site() -> Site {
    let mut site = Site::start().await;
    for (device, temperature) in [("th-1", 90.0), ("th-2", 95.0), ("th-2", 20.0)] {
        site.sensor.say(device, temperature).await;
    }
    for _ in 0..3 {
        site.message().await;
    }
    site
}

#[tokio::test]
async fn schemathesis_finds_no_answer_that_the_document_does_not_foresee() {
    let _alone = ALONE.lock().await;
    let site = site().await;
    let token = token(&site, "act");
    let settings = site.folder.path().join("schemathesis.toml");
    fs::write(&settings, CHECKS).unwrap();
    let document = format!("{}/api/openapi.json", site.address());
    let mut schemathesis = command(python().with_file_name("schemathesis"));
    schemathesis
        .arg("--config-file")
        .arg(settings)
        .args(["run", &document, "-H", &format!("Authorization: Bearer {token}")])
        // A stream has no end, and wrong tokens lock out whoever sends them: both have tests of their own.
        .args(["--exclude-path", "/api/v1/events/stream"])
        .args(["--checks", "all", "--exclude-checks", "ignored_auth"])
        .args(["--max-examples", EXAMPLES, "--seed", SEED, "--no-color", "--warnings", "off"])
        .current_dir(site.folder.path())
        .stdout(Stdio::piped());
    let ran = start(&mut schemathesis).wait_with_output();

    let ran = tokio::time::timeout(MOST, ran).await.expect("it ends in time").unwrap();

    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}");
    let asked = told.lines().find_map(|line| line.trim().strip_prefix("Selected: "));
    let (asked, all) = asked.and_then(|numbers| numbers.split_once('/')).expect("a summary");
    let [asked, all] = [asked, all].map(|number| number.trim().parse::<u32>().unwrap());
    assert!(asked == all - 1 && asked >= 20, "all but the stream: {told}");
}

#[tokio::test]
async fn a_stream_that_is_cut_and_taken_up_again_tells_what_the_platform_is_told() {
    let mut site = site().await;
    let token = token(&site, "read");
    // From the beginning of the journal, and cut after the second record.
    let mut seen = records(&site, &token, "0", 2).await;
    for (device, temperature) in [("th-2", 95.0), ("th-1", 20.0), ("th-2", 20.0)] {
        site.sensor.say(device, temperature).await;
        site.message().await;
    }

    let last = seen.last().unwrap().0.to_string();
    seen.extend(records(&site, &token, &last, 4).await);

    let sequences: Vec<u64> = seen.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    let mut journal = command(gatehouse());
    journal.args(["events", "export", "--config", "."]).current_dir(site.folder.path());
    let told = String::from_utf8(journal.output().await.unwrap().stdout).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let streamed: Vec<Value> = seen.into_iter().map(|(_, message)| message).collect();
    assert_eq!(streamed, told[..6]);
}

/// So many records after that one, each with its sequence; then the connection is torn off.
async fn records(site: &Site, token: &str, last: &str, many: usize) -> Vec<(u64, Value)> {
    let mut curl = start(
        command("curl")
            .args(["-sN", "-H", &format!("Authorization: Bearer {token}")])
            .args(["-H", &format!("Last-Event-ID: {last}")])
            .arg(format!("{}/api/v1/events/stream", site.address()))
            .stdout(Stdio::piped()),
    );
    let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines();
    let (mut found, mut is_record, mut sequence) = (Vec::new(), false, 0);
    while found.len() < many {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let line = line.expect("the stream goes on");
        is_record = match line.strip_prefix("event: ") {
            Some(name) => name == "record",
            None => is_record,
        };
        if let Some(id) = line.strip_prefix("id: ").filter(|_| is_record) {
            sequence = id.parse().unwrap();
        }
        if let Some(data) = line.strip_prefix("data: ").filter(|_| is_record) {
            found.push((sequence, serde_json::from_str(data).unwrap()));
        }
    }
    found
}
