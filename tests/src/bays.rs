//! `gatehouse run` tells a parking cloud of free bays: signed, the newest state, through a cloud that is
//! away and a gateway that is killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ring::hmac;
use rumqttc::{AsyncClient, MqttOptions, QoS};
use serde_json::Value;
use tokio::time::timeout;

use crate::peers::gateway::{Running, SECRET, configure, is_up, run};
use crate::peers::http::{Heard, Listener};
use crate::peers::mosquitto::{Mosquitto, free_port};
use crate::peers::{PATIENCE, workspace};

const BAYS: usize = 4;

/// Parking sensors of the shipped type, in the area of the bins.
fn add_bays(folder: &Path) {
    let name = "device-types/parking-geomagnetic.toml";
    fs::copy(workspace().join("config").join(name), folder.join(name)).unwrap();
    let file = folder.join("community.toml");
    let mut community = fs::read_to_string(&file).unwrap();
    for bay in 0..BAYS {
        let head = format!("[[device]]\nid = \"bay-{bay}\"\n");
        community.push_str(&head);
        community.push_str("type = \"parking-geomagnetic\"\narea = \"east\"\n");
    }
    fs::write(file, community).unwrap();
}

/// Says which bays have a car.
async fn park(port: u16, cars: [bool; BAYS]) {
    let (client, mut events) = AsyncClient::new(MqttOptions::new("cars", "127.0.0.1", port), 20);
    let task = tokio::spawn(async move { while events.poll().await.is_ok() {} });
    for (bay, car) in cars.into_iter().enumerate() {
        let bytes = [u8::from(car), 0x01, 0x9D, 0x5C];
        client.publish(format!("sense/c/bay-{bay}"), QoS::AtLeastOnce, false, bytes).await.unwrap();
    }
    client.disconnect().await.unwrap();
    drop(timeout(PATIENCE, task).await);
}

/// Waits until the gateway has found its broker so many times.
async fn connected(folder: &Path, times: usize) {
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    let found = async {
        while fs::read_to_string(folder.join("log")).unwrap().matches("connected broker").count()
            < times
        {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, found).await.expect("the gateway finds its broker");
}

/// Checks a post as a receiver should, and gives what it says.
fn checked(heard: &Heard) -> Value {
    assert_eq!(heard.first, "POST /bays?k=1 HTTP/1.1");
    assert_eq!(heard.headers["content-type"], "application/json; charset=utf-8");
    let given = heard.headers["x-gatehouse-signature"].strip_prefix("sha256=").unwrap();
    let digits = given.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
    let given: Vec<u8> = digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect();
    let time = &heard.headers["x-gatehouse-timestamp"];
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, &[time.as_bytes(), b".", &heard.body].concat(), &given).unwrap();
    let body = heard.json();
    assert_eq!(heard.headers["x-gatehouse-id"], body["id"].as_str().unwrap());
    assert_eq!(
        (body["type"].as_str(), body["gateway"].as_str()),
        (Some("gatehouse.bays.changed"), Some("gw"))
    );
    let mut keys: Vec<&String> = body["lots"][0].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        ["free", "known", "lot", "title", "total"],
        "numbers and names of places only"
    );
    body
}

/// The lot as one post has it: free, known, total.
fn lot(body: &Value) -> [u64; 3] {
    assert_eq!(
        (body["lots"].as_array().unwrap().len(), body["lots"][0]["lot"].as_str()),
        (1, Some("east"))
    );
    ["free", "known", "total"].map(|name| body["lots"][0][name].as_u64().unwrap())
}

/// Waits until the cloud has taken this; how often it was posted to until then, by answer.
async fn until(cloud: &mut Listener, wanted: [u64; 3]) -> BTreeMap<u16, Vec<Value>> {
    let mut posts: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    loop {
        let (status, heard) = cloud.next().await;
        let body = checked(&heard);
        let is_it = lot(&body) == wanted && status == 200;
        posts.entry(status).or_default().push(body);
        if is_it {
            return posts;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parking_cloud_has_the_newest_count_after_it_was_away_and_after_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let sensors = Mosquitto::plain();
    let mut cloud = Listener::start(200).await;
    let console = format!("127.0.0.1:{}", free_port());
    let more = format!(
        "[console]\nlisten = \"{console}\"\n[[bays-webhook]]\nurl = \"http://{}/bays?k=1\"\nsecret-file = \"secret\"\n",
        cloud.address
    );
    configure(folder.path(), sensors.port(), 1, &more);
    add_bays(folder.path());
    let mut gateway = Running(run(folder.path()));
    is_up(&console).await;
    connected(folder.path(), 1).await;
    park(sensors.port(), [true, false, false, false]).await;
    let first = until(&mut cloud, [3, 4, 4]).await;
    assert_eq!(first[&200][0]["all"], true, "all lots first");

    // Away: the cars come and go; what it gets at the end is how it is then.
    cloud.answer(503);
    park(sensors.port(), [true, true, false, false]).await;
    let (status, heard) = cloud.next().await;
    assert_eq!((status, lot(&checked(&heard))[0]), (503, 2));
    park(sensors.port(), [true, true, true, true]).await;
    cloud.answer(200);
    let later = until(&mut cloud, [0, 4, 4]).await;
    assert!(later[&200].iter().all(|body| body["all"] == false), "only what changed: {later:?}");
    assert!(later.values().flatten().count() <= 4, "no storm: {later:?}");

    // A power cut while nothing changes: all of it anew.
    gateway.kill();
    cloud.answer(500);
    gateway = Running(run(folder.path()));
    let (status, heard) = cloud.next().await;
    assert_eq!((status, checked(&heard)["all"].as_bool()), (500, Some(true)));
    connected(folder.path(), 2).await;
    gateway.kill();
    cloud.answer(200);
    let _gateway = Running(run(folder.path()));
    connected(folder.path(), 3).await;
    park(sensors.port(), [true; BAYS]).await;
    let again = until(&mut cloud, [0, 4, 4]).await;
    assert_eq!(again[&200][0]["all"], true);
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("does not take the free bays"), "{log}");
    assert!(!log.contains("k=1") && !log.contains(SECRET), "the address may hold a key");
}
