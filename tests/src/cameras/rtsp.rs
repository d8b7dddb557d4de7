//! H.264 and JPEG from `GStreamer`'s RTSP server.

use std::time::Duration;

use gatehouse::config::camera::{CameraConfig, Transport};
use gatehouse::source::camera::Content;
use gatehouse_core::community::camera::CameraIndex;

use super::{Site, camera, local, with_login};
use crate::peers::cameras::{AREAS, Means, Server, filmed};
use crate::peers::mosquitto::free_port;

const PASSWORD: &str = "let me in";
/// Of 255: two decoders, and two ways from YUV to RGB.
const NEAR: u8 = 8;

#[tokio::test]
async fn pictures_come_over_tcp_and_udp_and_show_what_was_filmed() {
    let server = Server::rtsp(0, &["cam", PASSWORD]).await;
    let folder = tempfile::tempdir().unwrap();
    let filmed = filmed().await;
    let url = format!("rtsp://127.0.0.1:{}/street", server.port);
    for transport in [Transport::Tcp, Transport::Udp] {
        let config = CameraConfig { transport, ..with_login(&url, folder.path(), PASSWORD) };
        local(async {
            let mut site = Site::start(&[config]);
            for _ in 0..5 {
                let means = means(&site.shot().await.content);
                let distance = filmed.iter().map(|frame| distance(frame, &means)).min().unwrap();
                assert!(distance <= NEAR, "{distance} by {transport:?}");
            }
            site.is_up().await;
            site.stop().await;
        })
        .await;
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why() {
    let server = Server::rtsp(0, &["cam", PASSWORD]).await;
    let folder = tempfile::tempdir().unwrap();
    let url = |path: &str| format!("rtsp://127.0.0.1:{}/{path}", server.port);
    let cases = [
        (with_login(&url("street"), folder.path(), "let me out"), "refuses our name or password"),
        (camera(&url("street")), "asks for a name and a password"),
        (with_login(&url("nowhere"), folder.path(), PASSWORD), "nothing at this address"),
        (with_login(&url("vp8"), folder.path(), PASSWORD), "offers vp8"),
        (camera(&format!("rtsp://127.0.0.1:{}/x", free_port())), "cannot be reached"),
    ];
    for (config, expected) in cases {
        local(async {
            let mut site = Site::start(&[config]);
            let why = site.is_down().await;
            assert!(why.contains(expected), "{why}");
            assert!(!why.contains(PASSWORD), "{why}");
            site.stop().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_dies_is_found_again_and_one_that_is_dead_costs_the_other_nothing() {
    let server = Server::rtsp(0, &[]).await;
    let port = server.port;
    local(async {
        let dead = camera(&format!("rtsp://127.0.0.1:{}/x", free_port()));
        let mut site = Site::start(&[camera(&format!("rtsp://127.0.0.1:{port}/street")), dead]);
        assert_eq!(site.shot().await.camera, CameraIndex(0));
        site.is_up().await;

        server.kill().await;
        site.is_down().await;
        let _again = Server::rtsp(port, &[]).await;
        site.is_up().await;
        site.shot().await;
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn pictures_that_are_broken_or_missing_are_counted_and_the_rest_is_seen() {
    let server = Server::rtsp(0, &[]).await;
    local(async {
        let url = format!("rtsp://127.0.0.1:{}/broken", server.port);
        let mut site = Site::start(&[camera(&url)]);
        for _ in 0..2 {
            site.shot().await;
        }
        site.counts("corrupt-picture").await;
        // What was seen before lies in its place still.
        for _ in 0..3 {
            site.shot().await;
        }
        site.stop().await;

        let mut site = Site::start(&[camera(&url.replace("broken", "gaps"))]);
        for _ in 0..10 {
            site.shot().await;
        }
        site.is_up().await;
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_busy_box_decodes_key_frames_alone() {
    let server = Server::rtsp(0, &[]).await;
    local(async {
        let site = Site::start(&[camera(&format!("rtsp://127.0.0.1:{}/street", server.port))]);
        site.feedback.set_busy(true);
        let mut at = Vec::new();
        for _ in 0..3 {
            at.push(site.shot().await.at);
        }
        // They are two seconds apart; all pictures together come ten times a second.
        for pair in at.windows(2) {
            assert!(pair[1].since(pair[0]) >= Duration::from_secs(1), "{at:?}");
        }
        site.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_camera_with_jpeg_alone_is_read_too() {
    let server = Server::rtsp(0, &[]).await;
    local(async {
        let site = Site::start(&[camera(&format!("rtsp://127.0.0.1:{}/jpeg", server.port))]);
        let jpeg = site.jpeg().await;
        assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
        site.stop().await;
    })
    .await;
}

/// As ffmpeg tells them.
fn means(content: &Content) -> Means {
    let Content::Picture(picture) = content else { panic!("{content:?}") };
    assert_eq!((picture.width(), picture.height()), (768, 576));
    let (across, down) = (picture.width() / AREAS.0, picture.height() / AREAS.1);
    let mut means = Means::new();
    for area in 0..AREAS.0 * AREAS.1 {
        let (left, top) = (area % AREAS.0 * across, area / AREAS.0 * down);
        for colour in 0..3 {
            let pixels = (top..top + down)
                .flat_map(|y| (left..left + across).map(move |x| y * picture.width() + x));
            let sum: usize = pixels.map(|at| usize::from(picture.pixels()[at][colour])).sum();
            means.push(u8::try_from(sum / (across * down)).unwrap());
        }
    }
    means
}

/// The largest difference.
fn distance(one: &Means, other: &Means) -> u8 {
    one.iter().zip(other).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}
