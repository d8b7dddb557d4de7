//! What is wrong with `[[camera]]`.

use std::collections::BTreeMap;

use gatehouse_core::community::document::Document;
use gatehouse_core::community::fault::nearest;

use super::gateway::{check_file, check_name, check_unique};
use crate::config::GatewayConfig;
use crate::config::camera::CameraConfig;

const SCHEMES: [&str; 5] = ["rtsp", "http", "https", "onvif", "file"];

pub(super) fn check<'c>(
    document: &mut Document,
    config: &'c GatewayConfig,
    ids: &mut BTreeMap<&'c str, usize>,
) {
    for (position, camera) in config.cameras.iter().enumerate() {
        let path = format!("camera.{position}");
        check_name(document, &format!("{path}.id"), &camera.id);
        check_unique(document, &format!("{path}.id"), &camera.id, ids);
        if camera.every.0.is_zero() {
            document.fault(&format!("{path}.every"), "`every` must be longer than nothing", None);
        }
        match (&camera.url, &camera.broker) {
            (Some(url), None) => check_url(document, &path, camera, url),
            (None, Some(broker)) => check_broker(document, &path, camera, broker, config),
            (Some(_), Some(_)) => {
                let message = "a camera has one of `url` and `broker`, found both";
                document.key_fault(&format!("{path}.broker"), message, None);
            }
            (None, None) if ["url", "broker"].iter().any(|key| is_told(document, &path, key)) => {}
            (None, None) => {
                let message = "a camera has one of `url` and `broker`, found none";
                let help = "write `url = \"rtsp://10.0.0.8:554/stream\"`".to_owned();
                document.fault(&path, message, Some(help));
            }
        }
    }
}

fn is_told(document: &Document, path: &str, key: &str) -> bool {
    document.is_doubtful(&format!("{path}.{key}"))
}

fn check_url(document: &mut Document, path: &str, camera: &CameraConfig, url: &str) {
    for (key, is_set) in [("topic", camera.topic.is_some()), ("json", camera.json.is_some())] {
        if is_set {
            let message = format!("`{key}` goes with `broker`, and this camera has a `url`");
            document.key_fault(&format!("{path}.{key}"), message, None);
        }
    }
    let at = format!("{path}.url");
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if !SCHEMES.contains(&scheme) {
        let message = format!(
            "`{url}` is not a camera; expected `rtsp://`, `http://`, `https://`, `onvif://` or `file://`"
        );
        let help = match scheme {
            "rtsps" => Some(
                "RTSP over TLS is not spoken here; `rtsp://` on a network of its own".to_owned(),
            ),
            "" => Some(format!("did you mean `rtsp://{rest}`?")),
            _ => nearest(scheme, SCHEMES),
        };
        document.fault(&at, message, help);
        return;
    }
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if host.contains('@') {
        let message = "a password in a `url` would be shown wherever the address is";
        let help =
            "write it to a file: `access = { user = \"…\", password-file = \"…\" }`".to_owned();
        document.fault(&at, message, Some(help));
    } else if scheme == "file" && !rest.starts_with('/') {
        let message = format!("`{url}` names no file; expected `file:///folder`");
        document.fault(&at, message, None);
    } else if scheme != "file" && !is_host(host) {
        document.fault(&at, format!("`{url}` has no host, or no port that exists"), None);
    }
    if scheme != "rtsp" && scheme != "onvif" && document.has(&format!("{path}.transport")) {
        let message = "`transport` is for RTSP";
        document.key_fault(&format!("{path}.transport"), message, None);
    }
    check_access(document, path, camera, scheme);
}

fn check_access(document: &mut Document, path: &str, camera: &CameraConfig, scheme: &str) {
    let access = &camera.access;
    let path = format!("{path}.access");
    let pair = [
        ("user", access.user.is_some(), "password-file"),
        ("password-file", access.password_file.is_some(), "user"),
    ];
    if pair[0].1 != pair[1].1 {
        for (given, _, missing) in pair.iter().filter(|(_, is_set, _)| *is_set) {
            if !is_told(document, &path, missing) {
                let message = format!("`{given}` needs `{missing}` too");
                document.key_fault(&format!("{path}.{given}"), message, None);
            }
        }
    }
    if access.ca_file.is_some() && scheme != "https" {
        let message = format!("`ca-file` is for `https`, but the camera's `url` is `{scheme}://`");
        document.key_fault(&format!("{path}.ca-file"), message, None);
    }
    let files = [("password-file", &access.password_file), ("ca-file", &access.ca_file)];
    for (key, file) in files {
        if let Some(file) = file {
            check_file(document, &format!("{path}.{key}"), file);
        }
    }
}

fn check_broker(
    document: &mut Document,
    path: &str,
    camera: &CameraConfig,
    broker: &str,
    config: &GatewayConfig,
) {
    let known = || config.brokers.iter().map(|broker| broker.id.as_str());
    if known().all(|id| id != broker) && !document.has_doubtful("broker", "id") {
        let message = format!("there is no broker `{broker}`");
        document.fault(&format!("{path}.broker"), message, nearest(broker, known()));
    }
    if camera.topic.is_none() && !is_told(document, path, "topic") {
        document.fault(path, "missing key `topic`; where does the camera publish?", None);
    }
    if let Some(json) = camera.json.as_ref().filter(|json| !json.starts_with('/')) {
        let message = format!("`{json}` is not a JSON pointer; it begins with `/`");
        document.fault(&format!("{path}.json"), message, Some(format!("write `/{json}`")));
    }
    for key in ["transport", "access"] {
        if document.has(&format!("{path}.{key}")) {
            let message = format!("`{key}` goes with `url`; a broker has its own");
            document.key_fault(&format!("{path}.{key}"), message, None);
        }
    }
}

/// `host` or `host:port`; IPv6 in brackets.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        Some(_) | None => (text, None),
    };
    !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

#[cfg(test)]
mod tests {
    use gatehouse_core::community::fault::line_and_column;

    use super::*;

    const GATEWAY: &str = "[gateway]\nid = \"gw\"\ntownship = \"t\"\n[[broker]]\nid = \"sensors\"\n\
        url = \"mqtt://a:1\"\n[[camera]]\nid = \"lane\"\n";

    /// `line:column message (help)` of each fault of a camera with these keys.
    fn told(keys: &str) -> Vec<String> {
        let text = format!("{GATEWAY}{keys}\n");
        let (mut document, config) = Document::read::<GatewayConfig>("gateway.toml", &text);
        if let Some(config) = &config {
            check(&mut document, config, &mut BTreeMap::new());
        }
        let told = document.faults().iter().map(|fault| {
            let (line, column) = line_and_column(&text, fault.span.start);
            let help = fault.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
            format!("{line}:{column} {}{help}", fault.message)
        });
        told.collect()
    }

    #[test]
    fn a_camera_that_cannot_work_is_told_with_its_place() {
        let cases = [
            ("", "7:1 a camera has one of `url` and `broker`, found none"),
            ("url = \"rstp://a/b\"", "9:7 `rstp://a/b` is not a camera"),
            ("url = \"10.0.0.8/live\"", "9:7 `10.0.0.8/live` is not a camera"),
            ("url = \"rtsp:///live\"", "9:7 `rtsp:///live` has no host"),
            ("url = \"rtsp://a:0/live\"", "9:7 `rtsp://a:0/live` has no host, or no port"),
            ("url = \"rtsp://u:p@a/live\"", "9:7 a password in a `url` would be shown"),
            ("url = \"file://frames\"", "9:7 `file://frames` names no file"),
            ("url = \"http://a/b\"\ntransport = \"udp\"", "10:1 `transport` is for RTSP"),
            ("url = \"rtsp://a\"\nevery = \"0 s\"", "10:9 `every` must be longer than nothing"),
            ("url = \"rtsp://a\"\nshare = \"120 %\"", "10:9 `share`: `120 %` is not a share"),
            ("url = \"rtsp://a\"\ntopic = \"a\"", "10:1 `topic` goes with `broker`"),
            ("url = \"rtsp://a\"\naccess = { user = \"u\" }", "10:12 `user` needs `password-file`"),
            ("url = \"rtsp://a\"\nbroker = \"sensors\"", "10:1 a camera has one of"),
            (
                "broker = \"senors\"\ntopic = \"a\"",
                "9:10 there is no broker `senors` (did you mean",
            ),
            ("broker = \"sensors\"", "7:1 missing key `topic`"),
            ("broker = \"sensors\"\ntopic = \"a\"\njson = \"image\"", "11:8 `image` is not a JSON"),
        ];
        for (keys, expected) in cases {
            let told = told(keys);
            assert!(told.len() == 1 && told[0].starts_with(expected), "{keys}: {told:#?}");
        }
    }

    #[test]
    fn every_way_to_a_picture_is_taken() {
        for keys in [
            "url = \"rtsp://10.0.0.8:554/stream2\"\ntransport = \"udp\"\nshare = \"20 %\"",
            "url = \"onvif://[fe80::1]\"",
            "url = \"https://cam.local/snapshot.jpg?width=640\"",
            "url = \"file:///var/frames\"",
            "broker = \"sensors\"\ntopic = \"frigate/+/person/snapshot\"\njson = \"/image\"",
        ] {
            assert_eq!(told(keys), [""; 0], "{keys}");
        }
    }
}
