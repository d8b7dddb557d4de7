//! `/api/openapi.json` and `gatehouse schema openapi`: the `OpenAPI` 3.1 document, made from the table of
//! routes and from the very types that are read and written.

use axum::http::Method;
use axum::response::Json;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::{Answer, Route, Verb, routes};
use crate::accounts::book::Scope;
use crate::console::rights::needed;

const ABOUT: &str = "The console's interface for scripts and other programs. Sign in with a token: \
    `gatehouse user token NAME --scope read` makes one. A request that gets nothing is answered with \
    `application/problem+json` (RFC 9457), whose `type` is a word that stays.";

/// Links of the list, so that programs (and tests) find what stands behind each event.
const LINKED: [&str; 3] = ["getEvent", "getEventHistory", "acknowledgeEvent"];

/// `GET /api/openapi.json`.
pub(super) async fn serve() -> Json<Value> {
    Json(document())
}

/// The whole document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut read = settings.clone().for_deserialize().into_generator();
    let mut written = settings.for_serialize().into_generator();
    let mut paths = Map::new();
    for route in routes() {
        let verb = match route.verb {
            Verb::Get => "get",
            Verb::Post => "post",
        };
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[verb] = operation(&route, &mut read, &mut written);
    }
    let problem = written.subschema_for::<Problem>();
    let mut schemas = read.take_definitions(true);
    schemas.extend(written.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gatehouse",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "problem": {
                    "description": "Nothing was done, and why",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &Route, read: &mut SchemaGenerator, written: &mut SchemaGenerator) -> Value {
    let mut parameters = Vec::new();
    if route.path.contains("{id}") {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true,
            "schema": { "type": "string", "pattern": "^[0-9A-Za-z-]{1,40}$" },
        }));
    }
    if let Some(query) = route.query {
        parameters.extend(fields(&query(read).to_value()));
    }
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses(route, written),
    });
    if let Some(body) = route.body {
        let schema = body(read);
        operation["requestBody"] = json!({
            "required": !route.may_be_bare,
            "content": { "application/json": { "schema": schema } },
        });
    }
    if route.path.starts_with("/api/") {
        let method = match route.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
        };
        let right = needed(&method, route.path);
        let scopes = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Metrics);
        let scopes: Vec<&str> =
            scopes.filter(|scope| scope.role().may(right)).map(Scope::word).collect();
        operation["description"] =
            format!("For a token with the scope {}.", scopes.join(" or ")).into();
    } else {
        operation["security"] = json!([]);
    }
    operation
}

/// The fields of a query, as parameters. What may be left out is never null.
fn fields(query: &Value) -> Vec<Value> {
    let Some(properties) = query["properties"].as_object() else { return Vec::new() };
    let fields = properties.iter().map(|(name, schema)| {
        let mut schema = schema.clone();
        let description = schema.as_object_mut().and_then(|s| s.remove("description"));
        let one = schema["anyOf"].as_array().and_then(|any| any.first().cloned());
        let mut schema = one.unwrap_or(schema);
        if let Some(kind) = schema["type"].as_array().and_then(|kinds| kinds.first().cloned()) {
            schema["type"] = kind;
        }
        if let Some(fields) = schema.as_object_mut() {
            fields.retain(|name, value| name != "default" || !value.is_null());
        }
        let mut field = json!({ "name": name, "in": "query", "schema": schema });
        if let Some(description) = description {
            field["description"] = description;
        }
        field
    });
    fields.collect()
}

fn responses(route: &Route, written: &mut SchemaGenerator) -> Value {
    let content = |mime: &str, schema: Value| json!({ mime: { "schema": schema } });
    let text = || json!({ "type": "string" });
    let (right, more) = match route.answer {
        Answer::Json(shape) => (content("application/json", shape(written).into()), None),
        Answer::Readiness(shape) => {
            let content = content("application/json", shape(written).into());
            (content.clone(), Some(json!({ "description": "Not ready", "content": content })))
        }
        Answer::Text => (content("text/plain", text()), None),
        Answer::Events => (content("text/event-stream", text()), None),
        Answer::Jpeg => {
            let binary = json!({ "type": "string", "contentMediaType": "image/jpeg" });
            (content("image/jpeg", binary), None)
        }
        Answer::Document => (content("application/json", json!({ "type": "object" })), None),
    };
    let problem = json!({ "$ref": "#/components/responses/problem" });
    let mut responses = json!({
        "200": { "description": "Done", "content": right },
        "4XX": problem,
        "5XX": problem,
    });
    if let Some(more) = more {
        responses["503"] = more;
    }
    if route.name == "listEvents" {
        responses["200"]["headers"] = json!({
            "Link": { "description": "The next page, when there is one (RFC 8288)", "schema": text() },
        });
        let link = |name| json!({ "operationId": name, "parameters": { "id": "$response.body#/0/event" } });
        let links: Map<_, _> =
            LINKED.into_iter().map(|name| (name.to_owned(), link(name))).collect();
        responses["200"]["links"] = links.into();
    }
    responses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document_once_and_nothing_in_it_points_nowhere() {
        let document = document();

        let operations: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|p| p.as_object().unwrap().len())
            .sum();
        assert_eq!(operations, routes().len());
        let text = document.to_string();
        let mut names: Vec<_> = routes().iter().map(|route| route.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), operations, "each has a name of its own");
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn what_a_route_needs_is_told_as_the_guard_judges_it() {
        let document = document();

        let told = |path: &str, verb: &str| document["paths"][path][verb]["description"].clone();
        assert_eq!(
            told("/api/v1/events", "get"),
            "For a token with the scope read or act or integrate."
        );
        assert_eq!(
            told("/api/v1/events/{id}/close", "post"),
            "For a token with the scope act or integrate."
        );
        assert_eq!(told("/api/v1/audit", "get"), "For a token with the scope act.");
        assert_eq!(document["paths"]["/readyz"]["get"]["security"], json!([]));
    }
}
