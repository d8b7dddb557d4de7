//! Stills over a socket: who gets them, what is taken down, and what is refused.

use gatehouse_core::community::quantity::Period;
use gatehouse_sight::mask::mask;
use gatehouse_sight::picture::Picture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::audit::Filter;
use crate::config::evidence::EvidenceConfig;
use crate::evidence::{proof, sent};
use crate::stills::{NoStillNow, Of, Still, StillRequest};

fn grey() -> Still {
    let grey = Picture::of_rgb(16, 16, &[128; 16 * 16 * 3]).unwrap();
    Still { at: NOW, masked: mask(&grey, |_| Ok::<_, ()>(Vec::new())).unwrap() }
}

/// A console with `[evidence]`, whose sight thread masks what begins as a JPEG does.
async fn serve_masked() -> (Served, Audit) {
    let (view, seen) = watch::channel(Arc::new(troubled()));
    let (held, configured) = watch::channel(Arc::new(community()));
    let folder = tempfile::tempdir().unwrap();
    let config =
        EvidenceConfig { keep: Period(Duration::from_hours(72)), basis: "assembly, 3 May".into() };
    let (pictures, mut asked) = Pictures::of(Some(&config), folder.path());
    tokio::spawn(async move {
        while let Some(StillRequest { of, back, .. }) = asked.recv().await {
            drop(back.send(match of {
                Of::Upload(bytes) if bytes.starts_with(b"JPEG") => Ok(grey()),
                Of::Upload(_) => Err(NoStillNow::StillSeen),
                Of::Camera(id) => Err(NoStillNow::NoCamera(id)),
            }));
        }
    });
    let audit = Audit::in_store(folder.path()).unwrap();
    let sources = Sources { pictures, audit: audit.clone(), ..sources(seen, configured, &folder) };
    (serve_sources(sources, (view, held), folder, None).await, audit)
}

async fn noted(audit: &Audit, action: &str) -> Vec<(String, Outcome)> {
    let filter = Filter { action: Some(action.into()), many: 9, ..Filter::default() };
    audit.recent(filter).await.unwrap().into_iter().map(|l| (l.about, l.outcome)).collect()
}

/// Status and whole answer; a still is no text.
async fn raw(served: &Served, request: String) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(served.at).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let text = String::from_utf8_lossy(&bytes[..20]).into_owned();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), bytes)
}

fn get(served: &Served, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\n{}Connection: close\r\n\r\n",
        served.at,
        served.bearer()
    )
}

fn evidence(served: &Served) -> crate::evidence::Evidence {
    crate::evidence::Evidence::in_store(served.store.path(), Duration::from_hours(72))
}

#[tokio::test]
async fn a_still_of_an_event_is_shown_to_who_may_see_the_event_and_each_view_is_taken_down() {
    let (served, audit) = serve_masked().await;
    let id = troubled().events[0].data.event.clone();
    for path in ["/events/{id}/still", "/api/v1/events/{id}/still"] {
        let path = path.replace("{id}", &id);
        assert_eq!(raw(&served, get(&served, &path)).await.0, 404, "{path}");
    }
    evidence(&served).keep(&id, NOW, &grey().masked).unwrap();
    for path in ["/events/{id}/still", "/api/v1/events/{id}/still"] {
        let path = path.replace("{id}", &id);
        let (status, bytes) = raw(&served, get(&served, &path)).await;
        assert_eq!(status, 200, "{path}");
        assert!(bytes.ends_with(grey().masked.jpeg()), "{path}");
        let head = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(head.contains("image/jpeg") && head.contains("no-store"), "{path}");
        for other in ["proof", "sent"] {
            let other = raw(&served, get(&served, &format!("{path}?of={other}"))).await;
            assert_eq!(other.0, 404, "{path}");
        }
    }
    let page = served.get(&format!("/events/{id}?lang=en")).await.body;
    assert!(page.contains("/still\"") && page.contains("assembly, 3 May"), "{page}");
    assert_eq!(noted(&audit, "still.view").await, vec![(id, Outcome::Done); 2]);
    served.end().await;
}

fn upload(served: &Served, path: &str, picture: &str) -> String {
    let fields = [("category", "waste"), ("area", "east"), ("text", "full")];
    let mut body: String = fields
        .map(|(name, value)| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .concat();
    let head = "--b\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a\"\r\n\r\n";
    body.extend([head, picture, "\r\n--b--\r\n"]);
    format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\n{}Accept: text/html\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        served.at,
        served.bearer(),
        body.len()
    )
}

#[tokio::test]
async fn a_picture_from_a_phone_is_kept_masked_or_not_at_all() {
    let (served, audit) = serve_masked().await;
    let (seen, told) = raw(&served, upload(&served, "/report?lang=en", "somebody")).await;
    let told = String::from_utf8_lossy(&told).into_owned();
    assert_eq!(seen, 422, "{told}");
    assert!(told.contains("could still be made out"), "{told}");
    assert!(!evidence(&served).has("e-1"));

    // A camera has seen it too: both are kept.
    evidence(&served).keep("e-1", NOW, &grey().masked).unwrap();
    assert_eq!(raw(&served, upload(&served, "/report", "JPEG")).await.0, 200);
    assert_eq!(evidence(&served).still(&sent("e-1")).unwrap().jpeg, grey().masked.jpeg());
    assert!(!evidence(&served).has(&proof("e-1")));
    let kept = noted(&audit, "still.keep").await;
    assert_eq!(kept, [("e-1".to_owned(), Outcome::Done), (String::new(), Outcome::Refused)]);
    // Elsewhere, nobody takes pictures.
    assert_eq!(raw(&served, upload(&served, "/verdict", "JPEG")).await.0, 415);
    served.end().await;
}

#[tokio::test]
async fn without_evidence_no_still_is_shown_and_only_devices_with_a_camera_are_drawn_on() {
    let served = serve_view(troubled()).await;
    let id = troubled().events[0].data.event.clone();
    assert_eq!(served.get(&format!("/events/{id}/still")).await.status, 404);
    assert_eq!(served.get("/draw/east-lane").await.status, 404);
    served.end().await;
}
