//! Asks an ONVIF camera for the address of its stream (ONVIF Core and Media services, profile S).
//!
//! Four questions: its time (passwords go by its clock, which may be wrong), where its media service is,
//! which profiles it has, and the address of one. Cameras tell addresses as they see themselves, and some
//! are wrong about that: of what they tell, path and port are believed, and the host is the one that was
//! asked. So no password ever goes elsewhere.

use gatehouse_core::reading::Timestamp;
use roxmltree::Node;
use rustls::RootCertStore;
use url::Url;

use super::Login;
use super::http::{Web, whole};
use super::soap::{CONTENT_TYPE, all, answer, envelope, escaped, find, text};
use super::trouble::Why;
use crate::clock;

/// Models look at no more than this; a wider stream only costs time.
const WIDE_ENOUGH: u32 = 640;
/// Of an answer; real ones have some thousand.
const MOST_BYTES: usize = 1 << 20;

/// The RTSP address of the stream that suits best: the smallest H.264 one that is wide enough.
pub(super) fn stream_address(camera: &Url, login: Option<Login>) -> Result<Url, Why> {
    let device = at(camera, "/onvif/device_service")?;
    let nobody = RootCertStore::empty();
    let mut asking = Asking { web: Web::new(&device, login.clone(), nobody.into()), login };
    let told = asking.ask(
        &device,
        "<GetSystemDateAndTime xmlns=\"http://www.onvif.org/ver10/device/wsdl\"/>",
        None,
    );
    // Old ones do not tell, and some want a password for it.
    let ahead =
        told.ok().and_then(|told| camera_time(&told)).map_or(0, |time| time.0 - clock::wall().0);
    let told = asking.ask(
        &device,
        "<GetCapabilities xmlns=\"http://www.onvif.org/ver10/device/wsdl\"><Category>Media</Category></GetCapabilities>",
        Some(ahead),
    )?;
    let told = answer(&told)?;
    let media = find(told.root(), "Media").and_then(|media| text(media, "XAddr"));
    let media = Url::parse(media.ok_or_else(|| missing("an address of its media service"))?);
    let media = media.map_err(|_| missing("an address of its media service"))?;
    let media = at(camera, media.path())?;

    let told = asking.ask(
        &media,
        "<GetProfiles xmlns=\"http://www.onvif.org/ver10/media/wsdl\"/>",
        Some(ahead),
    )?;
    let told = answer(&told)?;
    let token = best_profile(told.root()).ok_or_else(|| Why::Encoding("no H.264".to_owned()))?;
    let question = format!(
        "<GetStreamUri xmlns=\"http://www.onvif.org/ver10/media/wsdl\"><StreamSetup>\
         <Stream xmlns=\"http://www.onvif.org/ver10/schema\">RTP-Unicast</Stream>\
         <Transport xmlns=\"http://www.onvif.org/ver10/schema\"><Protocol>RTSP</Protocol></Transport>\
         </StreamSetup><ProfileToken>{}</ProfileToken></GetStreamUri>",
        escaped(&token)
    );
    let told = asking.ask(&media, &question, Some(ahead))?;
    let told = answer(&told)?;
    let uri = find(told.root(), "MediaUri").and_then(|media| text(media, "Uri"));
    let mut stream = Url::parse(uri.ok_or_else(|| missing("an address of its stream"))?)
        .map_err(|_| missing("an address of its stream"))?;
    let host = camera.host_str().unwrap_or_default();
    let is_set = stream.scheme() == "rtsp"
        && stream.set_host(Some(host)).is_ok()
        && stream.set_username("").is_ok()
        && stream.set_password(None).is_ok();
    if is_set { Ok(stream) } else { Err(missing("an RTSP address of its stream")) }
}

fn missing(what: &str) -> Why {
    Why::Onvif(format!("it does not tell {what}"))
}

/// A path on the camera that is asked.
fn at(camera: &Url, path: &str) -> Result<Url, Why> {
    let wrong = || missing("an address that can be asked");
    let host = camera.host_str().ok_or_else(wrong)?;
    let port = camera.port().map(|port| format!(":{port}")).unwrap_or_default();
    Url::parse(&format!("http://{host}{port}{path}")).map_err(|_| wrong())
}

struct Asking {
    web: Web,
    login: Option<Login>,
}

impl Asking {
    /// `ahead`: how far the camera's clock is ahead of ours, in ms; without it no name is given.
    fn ask(&mut self, service: &Url, question: &str, ahead: Option<i64>) -> Result<String, Why> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| missing("a nonce"))?;
        let created = ahead.map(|ahead| Timestamp(clock::wall().0 + ahead));
        let known =
            self.login.as_ref().zip(created).map(|(login, created)| (login, created, nonce));
        let question = envelope(question, known);
        let told = self.web.open(service, Some((CONTENT_TYPE, question.as_bytes())))?;
        let told = whole(told.into_body().into_reader(), MOST_BYTES).map_err(|why| match why {
            Why::TooLarge(_) => Why::Onvif("its answer does not end".to_owned()),
            other => other,
        })?;
        String::from_utf8(told).map_err(|_| missing("anything in UTF-8"))
    }
}

/// What the camera's clock shows.
fn camera_time(told: &str) -> Option<Timestamp> {
    let told = answer(told).ok()?;
    let utc = find(told.root(), "UTCDateTime")?;
    let number = |name| text(utc, name)?.parse::<u32>().ok();
    let [year, month, day] = [number("Year")?, number("Month")?, number("Day")?];
    let [hour, minute, second] = [number("Hour")?, number("Minute")?, number("Second")?];
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z").parse().ok()
}

/// The token of the profile that suits best.
fn best_profile(profiles: Node<'_, '_>) -> Option<String> {
    let known = all(profiles, "Profiles").filter_map(|profile| {
        let video = find(profile, "VideoEncoderConfiguration")?;
        let is_known = text(video, "Encoding")?.eq_ignore_ascii_case("H264");
        let resolution = find(video, "Resolution")?;
        let width: u32 = text(resolution, "Width")?.parse().ok()?;
        is_known.then_some((width, profile.attribute("token")?))
    });
    let known: Vec<(u32, &str)> = known.collect();
    let enough = known.iter().filter(|(width, _)| *width >= WIDE_ENOUGH).min_by_key(|(w, _)| *w);
    let best = enough.or_else(|| known.iter().max_by_key(|(width, _)| *width));
    best.map(|(_, token)| (*token).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(token: &str, encoding: &str, width: u32) -> String {
        format!(
            "<t:Profiles xmlns:t='t' token='{token}'><t:VideoEncoderConfiguration><t:Encoding>{encoding}\
             </t:Encoding><t:Resolution><t:Width>{width}</t:Width></t:Resolution>\
             </t:VideoEncoderConfiguration></t:Profiles>"
        )
    }

    fn best(profiles: &[(&str, &str, u32)]) -> Option<String> {
        let profiles: String = profiles.iter().map(|(t, e, w)| profile(t, e, *w)).collect();
        best_profile(roxmltree::Document::parse(&format!("<a>{profiles}</a>")).unwrap().root())
    }

    #[test]
    fn the_smallest_stream_that_is_wide_enough_is_taken() {
        let main = ("main", "H264", 2560);
        let sub = ("sub", "H264", 704);
        let small = ("small", "H264", 320);
        let new = ("new", "H265", 640);

        assert_eq!(best(&[main, sub, small, new]).as_deref(), Some("sub"));
        assert_eq!(best(&[small, ("tiny", "H264", 160)]).as_deref(), Some("small"));
        assert_eq!(best(&[new]), None);
    }

    #[test]
    fn a_camera_s_clock_is_read() {
        let told = "<a><UTCDateTime><Time><Hour>7</Hour><Minute>5</Minute><Second>9</Second></Time>\
                    <Date><Year>2026</Year><Month>3</Month><Day>1</Day></Date></UTCDateTime></a>";

        assert_eq!(camera_time(told).unwrap().to_string(), "2026-03-01T07:05:09.000Z");
        assert_eq!(camera_time("<a/>"), None);
    }

    #[test]
    fn only_the_host_that_was_asked_is_asked() {
        let camera = Url::parse("onvif://10.0.0.8:8000").unwrap();

        let service = at(&camera, "/onvif/media").unwrap();

        assert_eq!(service.as_str(), "http://10.0.0.8:8000/onvif/media");
    }
}
