//! What Prometheus and whoever restarts the program read.

use super::*;

#[tokio::test]
async fn metrics_have_our_names_base_units_and_bounded_labels() {
    let served = serve_view(troubled()).await;

    let answer = served.get("/metrics").await;

    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(answer.body.ends_with("# EOF\n"));
    for line in [
        "gatehouse_readings_total 18240",
        "gatehouse_refused_total{reason=\"not-json\"} 14",
        "gatehouse_device_refused_total{device=\"west-air-2\",reason=\"out-of-range\"} 3",
        "gatehouse_dropped_total{source=\"sensors\",reason=\"queue-full\"} 12",
        "gatehouse_records_total{transition=\"escalated\"} 1",
        "gatehouse_events_open{level=\"1\"} 1",
        "gatehouse_events_open{level=\"2\"} 0",
        "gatehouse_devices{state=\"silent\"} 2",
        "gatehouse_source_up{source=\"pump-room\"} 0",
        "gatehouse_outbox_waiting 5",
        "gatehouse_stored_sequence 41",
        "gatehouse_clock_synced 1",
        "gatehouse_budget_held_back_total{scene=\"odd-air\"} 2",
        "gatehouse_budget_events_per_second{scene=\"odd-air\"} 0.000005",
        "gatehouse_budget_correction{scene=\"odd-air\"} 0.25",
    ] {
        assert!(answer.body.lines().any(|l| l == line), "{line} in:\n{}", answer.body);
    }
    for line in answer.body.lines().filter(|l| !l.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(series.starts_with("gatehouse_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    let by_device = answer.body.matches("{device=").count();
    assert_eq!(by_device, 2, "devices without refusals have no series");
    served.end().await;
}

#[tokio::test]
async fn health_is_told_to_all_and_reasons_only_to_those_inside() {
    let served = serve_view(quiet()).await;
    assert_eq!(served.ask("GET", "/healthz", "", "").await.status, 200);
    let ready = served.ask("GET", "/readyz", "", "").await;
    assert_eq!((ready.status, &*ready.body), (200, "{\"ready\":true}"));

    let mut early = quiet();
    early.sources[2].has_been_up = false;
    served.view.send_replace(Arc::new(early));
    let not = served.ask("GET", "/readyz", "", "").await;
    let expected = "{\"ready\":false,\"not_ready\":[{\"part\":\"source\",\"id\":\"meters\"}]}";
    assert_eq!((not.status, &*not.body), (503, expected), "nothing came of it yet");

    served.view.send_replace(Arc::new(troubled()));
    let not = served.ask("GET", "/readyz", "", "").await;
    let expected = "{\"ready\":false,\"not_ready\":[{\"part\":\"source\",\"id\":\"pump-room\"}]}";
    assert_eq!((not.status, &*not.body), (503, expected));
    served.end().await;

    let store = StoreState { fault: Some("disk full".into()), ..StoreState::default() };
    let empty = Community { devices: vec![], ..community() };
    let served = serve_both(View::default(), empty, store).await;
    let not = served.ask("GET", "/readyz", "", "").await;
    let parts =
        ["configuration", "pipeline", "store"].map(|part| format!("{{\"part\":\"{part}\"}}"));
    let expected = format!("{{\"ready\":false,\"not_ready\":[{}]}}", parts.join(","));
    assert_eq!((not.status, not.body), (503, expected));
    assert!(served.get("/?lang=en").await.body.contains("The store cannot write: disk full"));
    served.end().await;
}
