//! Style and scripts: kept by the browser, and small.

use super::*;

#[tokio::test]
async fn style_and_script_are_kept_by_the_browser_and_stay_small() {
    let served = serve_view(quiet()).await;
    let login = served.ask("GET", "/login", "", "").await.body;
    let start = login.find("/static/style.css").unwrap();
    let address = login[start..].split('"').next().unwrap();

    let style = served.ask("GET", address, "", "").await;
    let tag = style.header("etag").unwrap();
    let again = served.ask("GET", address, &format!("If-None-Match: {tag}\r\n"), "").await;

    assert!(style.header("cache-control").unwrap().contains("immutable"));
    assert_eq!((again.status, &*again.body), (304, ""));
    let mut size = style.body.len();
    for script in ["live.js", "keys.js", "voice.js"] {
        let script = served.ask("GET", &format!("/static/{script}"), "", "").await;
        assert_eq!(script.status, 200);
        size += script.body.len();
    }
    assert!(size < 60_000, "{size}");
    served.end().await;
}
