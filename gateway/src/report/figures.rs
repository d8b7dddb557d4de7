//! A report's figures as JSON, for `gatehouse report --json`: seconds for spans, RFC 3339 for times.

use std::time::Duration;

use gatehouse_core::community::quantity::Text;
use gatehouse_core::event::verdict::Tally;
use gatehouse_core::reading::Timestamp;
use gatehouse_core::report::Report;
use gatehouse_core::report::counting::{Counts, Row};
use gatehouse_core::report::handling::{Pace, Spans};
use serde_json::{Value, json};

/// Every figure of a report, one object.
pub fn figures(report: &Report) -> Value {
    let stretch = &report.stretch;
    json!({
        "community": report.community,
        "month": report.month.to_string(),
        "from": stretch.from.rfc3339(),
        "to": stretch.to.rfc3339(),
        "is_over": stretch.is_over,
        "known_since": stretch.known_since.map(Timestamp::rfc3339),
        "left_out": {
            "drills": report.left_out.drills,
            "pilots": report.left_out.pilots,
            "undated": report.left_out.undated,
        },
        "total": counts(&report.total),
        "before": report.before.as_ref().map(counts),
        "carried": report.carried,
        "pace": pace(&report.pace),
        "levels": report.levels.iter().map(pace).collect::<Vec<_>>(),
        "days": report.days,
        "hours": report.hours,
        "areas": report.areas.iter().map(row).collect::<Vec<_>>(),
        "scenes": report.scenes.iter().map(row).collect::<Vec<_>>(),
        "trials": report.trials.iter().map(|t| with(tally(t.tally), &t.title)).collect::<Vec<_>>(),
        "trials_since": report.trials_since.map(Timestamp::rfc3339),
        "categories": report.categories.iter().map(|(of, n)| json!({ "category": of, "events": n }))
            .collect::<Vec<_>>(),
        "causes": report.causes.iter().map(|cause| json!({
            "title": cause.title, "detector": cause.detector, "device": cause.device,
            "events": cause.events, "false_alarms": cause.false_alarms, "reopened": cause.returns,
        })).collect::<Vec<_>>(),
        "devices": report.sources.iter().map(|source| json!({
            "device": source.device, "area": source.area, "events": source.events,
            "false_alarms": source.false_alarms,
        })).collect::<Vec<_>>(),
        "silent": report.silent.iter().map(|silent| json!({
            "title": silent.title, "device": silent.device, "times": silent.times,
            "seconds": silent.total.as_secs(), "is_over": silent.is_over,
        })).collect::<Vec<_>>(),
        "advice": report.advice.iter().map(|advice| json!({
            "what": advice.what(), "because": advice.because(),
        })).collect::<Vec<_>>(),
    })
}

fn counts(counts: &Counts) -> Value {
    json!({
        "events": counts.events,
        "levels": counts.levels,
        "real": counts.real,
        "false_alarms": counts.false_alarms,
        "planned": counts.planned,
        "precision": counts.precision(),
        "acknowledged": counts.acknowledged,
        "handled": counts.handled,
        "escalated": counts.escalated,
        "reopened": counts.reopened,
        "dismissed": counts.dismissed,
        "shelved": counts.shelved,
        "shelved_seconds": counts.shelved_for.as_secs(),
        "open": counts.open,
    })
}

fn pace(pace: &Pace) -> Value {
    let spans = |spans: &Spans| {
        let seconds = |span: Option<Duration>| span.map(|span| span.as_secs());
        json!({
            "reached": spans.reached,
            "median_seconds": seconds(spans.median),
            "p90_seconds": seconds(spans.ninth),
            "in_time": spans.timely.in_time,
            "with_limit": spans.timely.of,
        })
    };
    json!({
        "events": pace.events,
        "acknowledge": spans(&pace.acknowledge),
        "handle": spans(&pace.handle),
        "close": spans(&pace.close),
    })
}

fn row(row: &Row) -> Value {
    let mut object = with(counts(&row.counts), &row.title);
    object["id"] = json!(row.id);
    object["events_before"] = json!(row.before);
    object["median_handle_seconds"] = json!(row.handled_in.map(|span| span.as_secs()));
    object
}

fn tally(tally: Tally) -> Value {
    json!({
        "would_be_alerts": tally.events,
        "real": tally.real,
        "false_alarms": tally.false_alarms,
        "planned": tally.planned,
        "precision": tally.precision(),
    })
}

fn with(mut object: Value, title: &Text) -> Value {
    object["title"] = json!(title);
    object
}
