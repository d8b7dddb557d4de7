//! `gatehouse run` comes up on what is shipped when what was set or made on the console was torn.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::peers::gateway::{Running, configure, is_up, run};
use crate::peers::http::ask;
use crate::peers::mosquitto::{Mosquitto, free_port};
use crate::peers::{PATIENCE, audited, command, gatehouse, token};

const TORN: &str = "[scene.fire]\nstatus = \"off\nby = ";
const TYPE: &str = "[device-type]\nid = \"tor";

/// What lies there under such a name.
fn lying(folder: &Path, start: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_it = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    };
    entries.filter(is_it).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torn_settings_and_devices_of_the_console_are_set_aside_whole_and_the_box_comes_up() {
    let folder = tempfile::tempdir().unwrap();
    let sensors = Mosquitto::plain();
    let console = format!("127.0.0.1:{}", free_port());
    let more = format!("[console]\nlisten = \"{console}\"\n");
    configure(folder.path(), sensors.port(), 1, &more);
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("overlay/device-types")).unwrap();
    fs::write(data.join("settings.toml"), TORN).unwrap();
    fs::write(data.join("overlay/device-types/torn.toml"), TYPE).unwrap();
    let checked = command(gatehouse()).args(["check", "--config"]).arg(folder.path()).output();
    assert_eq!(checked.await.unwrap().status.code(), Some(2), "`check` tells what is wrong");

    let first = Running(run(folder.path()));
    is_up(&console).await;

    let kept = lying(&data, "settings.toml.aside-");
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), TORN);
    let made = lying(&data, "overlay.aside-");
    assert_eq!(fs::read_to_string(made[0].join("device-types/torn.toml")).unwrap(), TYPE);
    assert!(!data.join("settings.toml").exists() && !data.join("overlay").exists());
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("settings.toml:2:") && log.contains("It is kept as"), "{log}");
    let token = token(folder.path(), "act");
    let bearer = format!("Authorization: Bearer {token}\r\nAccept: text/html\r\n");
    let english = format!("{bearer}Accept-Language: en\r\n");
    let page = ask(&console, "GET", "/devices", &english).await.text();
    assert!(page.contains("cannot be used, so the configuration's own files rule"), "{page}");
    let chinese = format!("{bearer}Accept-Language: zh\r\n");
    assert!(ask(&console, "GET", "/", &chinese).await.text().contains("控制台上的设置无法使用"));
    audited(folder.path(), |told| told.contains("configuration.set-aside")).await;
    let told = async {
        let mut looks = tokio::time::interval(Duration::from_millis(200));
        loop {
            looks.tick().await;
            let listed = command(gatehouse())
                .args(["events", "list", "--json", "--config"])
                .arg(folder.path())
                .output();
            let listed = String::from_utf8(listed.await.unwrap().stdout).unwrap();
            if let Some(line) = listed.lines().next() {
                return serde_json::from_str::<Value>(line).unwrap();
            }
        }
    };
    let event = timeout(PATIENCE, told).await.expect("an event");
    assert_eq!(event["data"]["scene"], "settings-set-aside", "{event}");
    let hangup =
        std::process::Command::new("kill").args(["-HUP", &first.0.id().to_string()]).status();
    assert!(hangup.unwrap().success());
    let gone = async {
        let mut looks = tokio::time::interval(Duration::from_millis(200));
        while ask(&console, "GET", "/devices", &english).await.text().contains("own files rule") {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("nobody is told any more once it is loaded anew");
    drop(first);

    let _second = Running(run(folder.path()));
    is_up(&console).await;
    assert_eq!(lying(&data, "settings.toml.aside-"), kept, "the next start has nothing to move");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_faulty_is_set_aside_and_a_faulty_configuration_still_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let sensors = Mosquitto::plain();
    let console = format!("127.0.0.1:{}", free_port());
    configure(folder.path(), sensors.port(), 1, &format!("[console]\nlisten = \"{console}\"\n"));
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("overlay")).unwrap();
    let device = "[[device]]\nid = \"bin-made\"\ntype = \"bin\"\narea = \"east\"\n";
    fs::write(data.join("overlay/devices.toml"), device).unwrap();
    fs::write(data.join("settings.toml"), TORN).unwrap();

    let community = folder.path().join("community.toml");
    let sound = fs::read_to_string(&community).unwrap();
    fs::write(&community, "nonsense").unwrap();
    let ended = command(gatehouse()).args(["run", "--config"]).arg(folder.path()).output();
    assert_eq!(ended.await.unwrap().status.code(), Some(2));
    assert_eq!(fs::read_to_string(data.join("settings.toml")).unwrap(), TORN, "it is not blamed");
    fs::write(&community, sound).unwrap();

    let _gateway = Running(run(folder.path()));
    is_up(&console).await;

    assert_eq!(lying(&data, "settings.toml.aside-").len(), 1);
    assert_eq!(fs::read_to_string(data.join("overlay/devices.toml")).unwrap(), device);
}
