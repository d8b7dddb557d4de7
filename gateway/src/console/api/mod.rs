//! `/api/v1`: what scripts and other programs read and do, as JSON.
//!
//! [`routes`] is the one table of it. The router is made from it, and so is the `OpenAPI` document
//! ([`document`]), so that neither can say what the other does not. What a route needs of its caller is
//! [`super::rights`]' to say.
//!
//! 1. [`events`]: the list, one event, its history; [`deeds`]: what is done about it,
//! 2. [`site`]: devices, models and scenes,
//! 3. [`problem`]: how a request that gets nothing is answered (RFC 9457).

mod deeds;
pub(super) mod document;
pub(super) mod events;
pub(super) mod problem;
mod site;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use gatehouse_core::event::message::{EventData, Message};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::event::still;
use super::failure::Failure;
use super::guard::Reader;
use super::{Console, health, stream, trail};
use crate::audit::Line;

/// Writes down a type.
type Shape = fn(&mut SchemaGenerator) -> Schema;

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
}

/// What comes back when all goes well.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Json(Shape),
    /// 503 has the same shape: it is an answer, too.
    Readiness(Shape),
    Text,
    Events,
    Document,
    Jpeg,
}

/// One line of the table.
struct Route {
    verb: Verb,
    path: &'static str,
    /// Unique; programs that are made from the document call it by this name.
    name: &'static str,
    summary: &'static str,
    query: Option<Shape>,
    body: Option<Shape>,
    /// A request without a body is right, too.
    may_be_bare: bool,
    answer: Answer,
    serve: fn() -> MethodRouter<Arc<Console>>,
}

impl Route {
    fn get(
        path: &'static str,
        name: &'static str,
        summary: &'static str,
        answer: Answer,
        serve: fn() -> MethodRouter<Arc<Console>>,
    ) -> Self {
        let (query, body, may_be_bare) = (None, None, false);
        Self { verb: Verb::Get, path, name, summary, query, body, may_be_bare, answer, serve }
    }

    /// Something that is done about an event.
    fn deed<B: JsonSchema>(
        path: &'static str,
        name: &'static str,
        summary: &'static str,
        may_be_bare: bool,
        serve: fn() -> MethodRouter<Arc<Console>>,
    ) -> Self {
        Self {
            verb: Verb::Post,
            body: Some(SchemaGenerator::subschema_for::<B>),
            may_be_bare,
            ..Self::get(path, name, summary, json::<EventData>(), serve)
        }
    }

    fn asking<Q: JsonSchema>(self) -> Self {
        Self { query: Some(Q::json_schema), ..self }
    }
}

const fn json<T: JsonSchema>() -> Answer {
    Answer::Json(SchemaGenerator::subschema_for::<T>)
}

/// Everything that the interface offers.
fn routes() -> Vec<Route> {
    let mut routes = vec![
        Route::get(
            "/api/v1/events",
            "listEvents",
            "Events: those that need somebody, or with `show=all` all that the journal knows, newest \
             first and page by page (`Link: <..>; rel=\"next\"`)",
            json::<Vec<EventData>>(),
            || get(events::list),
        )
        .asking::<events::Wanted>(),
        Route::get(
            "/api/v1/events/stream",
            "streamEvents",
            "What happens to events, as it happens (server-sent events)",
            Answer::Events,
            || get(stream::events),
        )
        .asking::<stream::Resumed>(),
        Route::get(
            "/api/v1/events/{id}",
            "getEvent",
            "One event as it stands now",
            json::<EventData>(),
            || get(events::one),
        ),
        Route::get(
            "/api/v1/events/{id}/history",
            "getEventHistory",
            "What happened to one event, oldest first: the messages as they go to the platform; of very \
             many the first, and the newest",
            json::<Vec<Message>>(),
            || get(events::history),
        ),
    ];
    routes.push(
        Route::get(
            "/api/v1/events/{id}/still",
            "getEventStill",
            "The masked still of an event while it is kept; each view stands in the audit log",
            Answer::Jpeg,
            || get(still::get),
        )
        .asking::<still::Wanted>(),
    );
    routes.extend(deeds::routes());
    routes.extend([
        Route::get(
            "/api/v1/devices",
            "listDevices",
            "Devices and what they said last",
            json::<Vec<site::DeviceNow>>(),
            || get(site::devices),
        ),
        Route::get(
            "/api/v1/scenes",
            "listScenes",
            "Scenes, and how often each was right in the last 90 days",
            json::<Vec<site::SceneNow>>(),
            || get(site::scenes),
        ),
        Route::get(
            "/api/v1/models",
            "listModels",
            "The models that judge here, and the candidate beside them",
            json::<site::Models>(),
            || get(site::models),
        ),
        Route::get(
            "/api/v1/audit",
            "listAudit",
            "Who did what, newest first; `before` is the number `n` of the last line of the page before",
            json::<Vec<Line>>(),
            || get(trail::list),
        )
        .asking::<trail::Wanted>(),
        Route::get("/healthz", "isAlive", "Whether the program answers", Answer::Text, || {
            get(health::alive)
        }),
        Route::get(
            "/readyz",
            "isReady",
            "Whether it is configured, its sources are up and its store writes",
            Answer::Readiness(SchemaGenerator::subschema_for::<health::Readiness>),
            || get(health::ready),
        ),
        Route::get(
            "/api/openapi.json",
            "getDocument",
            "This document",
            Answer::Document,
            || get(document::serve),
        ),
    ]);
    routes
}

/// The table as a router.
pub(super) fn router() -> Router<Arc<Console>> {
    routes()
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, (route.serve)()))
}

/// What a handler came to, as the reader gets it.
fn told(reader: &Reader, made: Result<impl IntoResponse, Failure>) -> Response {
    match made {
        Ok(made) => made.into_response(),
        Err(failure) => failure.answer(reader),
    }
}
