//! Streams that change or make no sense, and what no honest RTSP or ONVIF camera sends.

use std::collections::BTreeSet;
use std::fs;

use gatehouse::source::camera::Content;

use super::flood::{Flood, Sent};
use super::web::endless;
use super::{Site, camera, local};
use crate::peers::cameras::{Server, pattern};
use crate::peers::mosquitto::free_port;
use crate::siege::{Town, dropped};

#[tokio::test]
async fn a_stream_that_changes_its_size_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (wide, narrow) = (folder.path().join("wide.h264"), folder.path().join("narrow.h264"));
    pattern(&wide, "640x360", 20, 10).await;
    // Long: a machine with much else to do is shown key frames alone, and not each of them.
    pattern(&narrow, "320x240", 250, 10).await;
    let clip = folder.path().join("clip.h264");
    fs::write(&clip, [fs::read(&wide).unwrap(), fs::read(&narrow).unwrap()].concat()).unwrap();
    let server = Server::showing(&clip).await;
    local(async {
        let mut site = Site::start(&[camera(&format!("rtsp://127.0.0.1:{}/clip", server.port))]);
        let mut sizes = BTreeSet::new();
        while sizes.len() < 2 {
            let Content::Picture(picture) = site.shot().await.content else { panic!("no picture") };
            sizes.insert((picture.width(), picture.height()));
        }
        assert_eq!(sizes, BTreeSet::from([(320, 240), (640, 360)]));
        assert_eq!(site.change(0).await, None, "it has never been down");
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_over_rtsp_or_onvif_that_does_not_end_is_ended() {
    let cases = [
        ("rtsp", "RTSP/1.0 200 OK\r\n", "X: y\r\n", "headers of its answer do not end"),
        ("rtsp", "RTSP/1.0 200 OK\r\nX: ", "yyyyyyyy", "headers of its answer do not end"),
        ("onvif", "HTTP/1.1 200 .\r\n\r\n<e>", "<x/>", "its answer does not end"),
        ("onvif", "HTTP/1.1 200 .\r\n", "X: y\r\n", "headers of its answer do not end"),
    ];
    for (scheme, begin, again, expected) in cases {
        let mut config = endless(begin, again).await;
        config.url = config.url.map(|url| url.replace("http:", &format!("{scheme}:")));
        local(async {
            let mut site = Site::start(&[config]);
            let why = site.is_down().await;
            assert!(why.contains(expected), "{why}");
            site.stop().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_camera_that_sends_nothing_but_noise_is_down_until_it_is_well() {
    let port = free_port();
    let noise = Flood::start(port, Sent::Noise).await;
    local(async {
        let mut site = Site::start(&[camera(&format!("rtsp://127.0.0.1:{port}/street"))]);
        let why = site.is_down().await;
        assert!(why.contains("cannot be decoded"), "{why}");
        site.counts("corrupt-picture").await;
        assert!(site.counted["corrupt-picture"] > 10, "{:?}", site.counted);

        noise.end().await;
        let _well = Server::rtsp(port, &[]).await;
        site.is_up().await;
        site.shot().await;
        site.stop().await;
    })
    .await;
}

/// In MiB; a connection brings eight times as much when nobody ends it.
const FEW: u64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_over_rtsp_whose_headers_do_not_end_is_cut() {
    is_cut_and_not_kept(Sent::EndlessHead, "by-tcp", "endless-header").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_over_rtsp_of_gigabytes_is_cut() {
    is_cut_and_not_kept(Sent::EndlessBody, "by-tcp", "endless-answer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_in_the_middle_of_a_session_are_cut() {
    is_cut_and_not_kept(Sent::EndlessHeadBetween, "by-tcp", "endless-header").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_without_end_is_cut_over_tcp() {
    is_cut_and_not_kept(Sent::Fragments, "by-tcp", "endless-picture").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_without_end_is_cut_over_udp() {
    is_cut_and_not_kept(Sent::Fragments, "by-udp", "endless-picture").await;
}

/// Found out twice, so that it is asked anew, told under its name, and forgotten; a sound camera beside it
/// goes on.
async fn is_cut_and_not_kept(sent: Sent, hostile: &str, reason: &str) {
    let sound = Server::rtsp(0, &[]).await;
    let port = free_port();
    let town = Town::start(&[
        ("sound", format!("rtsp://127.0.0.1:{}/street", sound.port)),
        (hostile, format!("rtsp://127.0.0.1:{port}/street")),
    ])
    .await;
    town.looks_at("sound", 3.0).await;
    let before = town.peak();
    let _flood = Flood::start(port, sent).await;
    for times in [1.0, 2.0] {
        town.until(&dropped(hostile, reason), |count| count >= times).await;
    }
    let grown = town.peak() - before;
    eprintln!("{sent:?} {hostile}: {grown} MiB more");
    assert!(grown < FEW, "{sent:?} {hostile}: {grown} MiB more");
    town.looks_at("sound", 3.0).await;
}
