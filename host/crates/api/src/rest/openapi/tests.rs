use std::collections::BTreeSet;

use serde_json::Value as Json;
use tessera_core::access::Operation;

use super::*;
use crate::rest::routes;
use crate::state::AuthMode;

fn all_routes() -> Vec<(&'static str, Arc<Route>)> {
    let groups = routes::all().into_iter();
    groups.flat_map(|(tag, group)| group.into_iter().map(move |entry| (tag, entry.mount().0))).collect()
}

fn json() -> Json {
    serde_json::from_str(&document(&all_routes()).to_json().unwrap()).unwrap()
}

fn operations(document: &Json) -> Vec<(String, String, Json)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    operations
}

#[test]
fn every_operation_is_documented_once() {
    let document = json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path} has no summary");
        assert!(ids.insert(id.clone()), "{id} twice");
    }
    for operation in Operation::ALL {
        assert!(ids.contains(operation.name()), "{} is not in the document", operation.name());
    }
}

#[test]
fn public_routes_are_public_in_the_core() {
    for (_, route) in all_routes().iter().filter(|(_, route)| route.auth != AuthMode::Open) {
        let name = route.id.replace("of_event", "list").replace("by_id", "get");
        let operation = Operation::ALL.iter().find(|operation| operation.name() == name);
        let is_public = operation.is_some_and(|operation| operation.is_public());
        assert_eq!(route.auth == AuthMode::Public, is_public, "{}", route.id);
    }
}

#[test]
fn path_parameters_and_fields_are_described() {
    let document = json();
    assert!(document["paths"]["/v1/issues/{issue_id}:transition"].is_object());
    for (path, method, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().unwrap() {
            let about = parameter["description"].as_str().unwrap_or_default();
            assert!(!about.is_empty(), "{method} {path}: {parameter}");
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            let about = property["description"].as_str().unwrap_or_default();
            assert!(!about.is_empty(), "{name}.{field}: {property}");
        }
    }
}

#[test]
fn path_parameters_are_request_fields() {
    let protos = Protos::load();
    for (_, route) in all_routes() {
        let fields: BTreeSet<_> = protos.fields(&route.request).into_iter().map(|field| field.name).collect();
        for name in schema::path_names(route.path) {
            assert!(fields.contains(name), "{}: {name}", route.id);
        }
    }
}

#[test]
fn references_resolve_and_bodies_omit_path_parameters() {
    let document = json();
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    let venue = &document["components"]["schemas"]["ticket.v1.UpdateVenueRequest"]["properties"];
    assert!(venue["postal_code"].is_object());
    for absent in ["venue_id", "etag", "update_mask"] {
        assert!(venue[absent].is_null(), "{absent}");
    }
    let user = &document["components"]["schemas"];
    assert_ne!(user["user.v1.User"], user["user.v2.User"]);
    assert_eq!(user["issues.v1.Issue"]["properties"]["status"]["type"], "string");
    assert_eq!(user["tenancy.v1.Key"]["properties"]["roles"]["items"]["enum"][0], "operator");
}
