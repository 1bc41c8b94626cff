//! The schemas of messages, generated from the descriptors and comments of the protos.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type as ProtoType};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use serde_json::{Value as Json, json};
use tessera_proto::FILE_DESCRIPTOR_SET;
use utoipa::openapi::{RefOr, Schema};

use crate::rest::decode::RESERVED;
use crate::rest::route::{Route, Shape, has_body};

/// The message of field values, which has a JSON form of its own.
const VALUE: &str = "common.v1.Value";

/// The messages and RPCs of the protos, with their comments.
pub(super) struct Protos {
    messages: HashMap<String, Documented<DescriptorProto>>,
    /// The JSON names of the values of enums.
    enums: HashMap<String, Vec<String>>,
    /// The comments of RPCs, by the name of the request message.
    rpcs: HashMap<String, String>,
}

/// A descriptor with its comment and the comments of its fields.
struct Documented<T> {
    descriptor: T,
    comment: String,
    fields: Vec<String>,
}

/// The JSON member of a message field.
pub(super) struct JsonField {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) schema: Json,
}

impl Protos {
    /// Reads the descriptors that reflection serves.
    pub(super) fn load() -> Self {
        // The build generates these bytes.
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap_or_default();
        let mut protos = Self { messages: HashMap::new(), enums: HashMap::new(), rpcs: HashMap::new() };
        for file in &set.file {
            let comments: HashMap<&[i32], String> = file
                .source_code_info
                .iter()
                .flat_map(|info| &info.location)
                .map(|location| (location.path.as_slice(), unwrap(location.leading_comments())))
                .collect();
            let comment = |path: &[i32]| comments.get(path).cloned().unwrap_or_default();
            for (index, message) in (0..).zip(&file.message_type) {
                let fields =
                    (0..).zip(&message.field).map(|(field, _)| comment(&[4, index, 2, field])).collect();
                let (descriptor, comment) = (message.clone(), comment(&[4, index]));
                let name = format!("{}.{}", file.package(), message.name());
                protos.messages.insert(name, Documented { descriptor, comment, fields });
            }
            for values in &file.enum_type {
                let name = format!("{}.{}", file.package(), values.name());
                let names = values.value.iter().filter(|value| value.number() != 0);
                let prefix = tessera_proto::json::value_prefix(values.name());
                let names = names.map(|value| tessera_proto::json::value_name(&prefix, value.name()));
                protos.enums.insert(name, names.collect());
            }
            for (index, service) in (0..).zip(&file.service) {
                for (rpc, method) in (0..).zip(&service.method) {
                    let request = method.input_type().trim_start_matches('.').to_owned();
                    protos.rpcs.insert(request, comment(&[6, index, 2, rpc]));
                }
            }
        }
        protos
    }

    /// Returns the comment of the RPC with this request message.
    pub(super) fn rpc(&self, request: &str) -> &str {
        self.rpcs.get(request).map(String::as_str).unwrap_or_default()
    }

    /// Returns the JSON members of a message.
    pub(super) fn fields(&self, message: &str) -> Vec<JsonField> {
        let Some(Documented { descriptor, fields, .. }) = self.messages.get(message) else {
            return Vec::new();
        };
        let names: BTreeSet<&str> = descriptor.field.iter().map(FieldDescriptorProto::name).collect();
        let fields = descriptor.field.iter().zip(fields);
        // The enum `<name>` is omitted where `<name>_name` is the JSON member.
        let fields = fields.filter(|(field, _)| !names.contains(format!("{}_name", field.name()).as_str()));
        fields.map(|(field, about)| self.field(field, about, &names)).collect()
    }

    fn field(&self, field: &FieldDescriptorProto, about: &str, names: &BTreeSet<&str>) -> JsonField {
        let open = field.name().strip_suffix("_name").filter(|base| names.contains(base));
        let raw = field.name().strip_suffix("_json");
        let mut schema = if raw.is_some() { json!({"type": "object"}) } else { self.type_of(field) };
        if field.proto3_optional() {
            nullable(&mut schema);
        }
        JsonField { name: open.or(raw).unwrap_or(field.name()).to_owned(), about: about.to_owned(), schema }
    }

    fn type_of(&self, field: &FieldDescriptorProto) -> Json {
        if let Some(value) = self.map_value(field) {
            return json!({"type": "object", "additionalProperties": self.element(value)});
        }
        let element = self.element(field);
        if field.label() == Label::Repeated { json!({"type": "array", "items": element}) } else { element }
    }

    /// Returns the value field of a map entry.
    fn map_value(&self, field: &FieldDescriptorProto) -> Option<&FieldDescriptorProto> {
        let (parent, entry) = field.type_name().trim_start_matches('.').rsplit_once('.')?;
        let nested = &self.messages.get(parent)?.descriptor.nested_type;
        let entry = nested.iter().find(|nested| nested.name() == entry)?;
        entry.options.as_ref().is_some_and(|options| options.map_entry()).then(|| entry.field.last())?
    }

    fn element(&self, field: &FieldDescriptorProto) -> Json {
        let name = field.type_name().trim_start_matches('.');
        match field.r#type() {
            ProtoType::String => json!({"type": "string"}),
            ProtoType::Bool => json!({"type": "boolean"}),
            ProtoType::Int32 | ProtoType::Uint32 => json!({"type": "integer", "format": "int32"}),
            ProtoType::Int64 | ProtoType::Uint64 => json!({"type": "integer", "format": "int64"}),
            ProtoType::Double => json!({"type": "number", "format": "double"}),
            ProtoType::Bytes => json!({"type": "string", "format": "byte"}),
            ProtoType::Enum => {
                json!({"type": "string", "enum": self.enums.get(name).cloned().unwrap_or_default()})
            }
            ProtoType::Message if name == "google.protobuf.Timestamp" => {
                json!({"type": "string", "format": "date-time"})
            }
            // The wrapper of an optional list is not part of the JSON form.
            ProtoType::Message if name == "plugin.v1.Grants" => {
                json!({"type": "array", "items": {"type": "string"}})
            }
            _ => json!({"$ref": format!("#/components/schemas/{name}")}),
        }
    }

    /// Returns the schemas of all messages that the routes use.
    pub(super) fn schemas(&self, routes: &[(&'static str, Arc<Route>)]) -> BTreeMap<String, RefOr<Schema>> {
        let mut schemas = BTreeMap::new();
        for (_, route) in routes.iter().filter(|(_, route)| route.is_documented) {
            if has_body(&route.method) && !route.request.is_empty() {
                let omitted: Vec<_> = path_names(route.path).chain(RESERVED).collect();
                self.add(&route.request, &omitted, false, &mut schemas);
            }
            for (_, shape) in &route.answers {
                if let Shape::Message(name) = shape {
                    self.add(name, &[], true, &mut schemas);
                }
            }
        }
        schemas.into_iter().filter_map(|(name, json)| Some((name, schema(json)?))).collect()
    }

    fn add(&self, name: &str, omitted: &[&str], is_answer: bool, schemas: &mut BTreeMap<String, Json>) {
        if schemas.contains_key(name) {
            return;
        }
        let Some(message) = self.messages.get(name) else { return };
        if name == VALUE {
            let types = ["null", "boolean", "integer", "string", "array", "object"];
            schemas.insert(name.to_owned(), json!({"type": types, "description": VALUE_FORM}));
            return;
        }
        let mut properties = serde_json::Map::new();
        let mut required = Vec::new();
        for field in self.fields(name).into_iter().filter(|field| !omitted.contains(&field.name.as_str())) {
            if is_answer {
                required.push(field.name.clone());
            }
            properties.insert(field.name, with_description(field.schema, &field.about));
        }
        let mut schema = json!({"type": "object", "description": message.comment, "properties": properties});
        if is_answer && !required.is_empty() {
            schema["required"] = json!(required);
        }
        if !is_answer {
            schema["additionalProperties"] = json!(false);
        }
        schemas.insert(name.to_owned(), schema);
        let nested = message.descriptor.field.iter().flat_map(|field| self.map_value(field).or(Some(field)));
        let names = nested.map(|field| field.type_name().trim_start_matches('.'));
        for name in names.filter(|name| !name.is_empty() && !name.starts_with("google.protobuf.")) {
            self.add(name, &[], is_answer, schemas);
        }
    }
}

/// Describes the JSON form of field values.
const VALUE_FORM: &str = "Text, whole numbers, booleans, lists of texts and null are plain JSON; other values are objects with the type as the member name: {\"decimal\": \"12.50\"}, {\"time\": \"2026-01-31T12:00:00Z\"}, {\"money\": {\"amount\": 1250, \"currency\": \"EUR\"}}, {\"json\": …}.";

/// Returns the names of the parameters in a path.
pub(super) fn path_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

/// Adds a description to a schema.
pub(super) fn with_description(schema: Json, about: &str) -> Json {
    match schema {
        Json::Object(mut object) => {
            object.insert("description".to_owned(), json!(about));
            Json::Object(object)
        }
        other => other,
    }
}

fn nullable(schema: &mut Json) {
    if let Some(name) = schema.get("type").cloned() {
        schema["type"] = json!([name, "null"]);
        return;
    }
    let inner = schema.take();
    *schema = json!({"oneOf": [{"type": "null"}, inner]});
}

/// Parses a schema; a schema that cannot be parsed is a bug in this file.
pub(super) fn schema(json: Json) -> Option<RefOr<Schema>> {
    serde_json::from_value(json).ok()
}

/// Joins the lines of each paragraph of a comment.
fn unwrap(comment: &str) -> String {
    let paragraphs = comment.split("\n\n").map(|text| {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    });
    paragraphs.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}
