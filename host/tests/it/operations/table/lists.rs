//! Calls that every list has.

use serde_json::{Map, Value, json};

use super::Row;
use super::calls::differing;

impl Row {
    /// A list: a page may have one object, but not a negative number.
    pub(super) fn list(self) -> Self {
        let first_page = (first_page(self.query), first_page_of(&self.ask));
        self.list_with(first_page)
    }

    /// The same, where another filter than the row's finds several objects.
    pub(super) fn list_of(self, filter: &str) -> Self {
        let mut message = self.ids();
        message.insert("filter".to_owned(), json!(filter));
        let query = json!({"filter": filter, "page_size": 1});
        self.list_with((query, first_page_of(&Value::Object(message))))
    }

    fn list_with(mut self, (rest, grpc): (Value, Value)) -> Self {
        if self.ask.get("page_size").is_none() {
            self.further.push(differing("page_size=1", rest, grpc));
        }
        let mut negative = self.ids();
        negative.insert("page_size".to_owned(), json!(-1));
        self.bad(json!({"page_size": -1}), Value::Object(negative))
    }

    /// The ids of the path in the message of gRPC.
    fn ids(&self) -> Map<String, Value> {
        let ids = self.ask.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_id"));
        ids.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// A query with a page of one object.
fn first_page(query: &str) -> Value {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.to_owned(), json!(value)));
    Value::Object(pairs.chain([("page_size".to_owned(), json!(1))]).collect())
}

/// A message with a page of one object.
fn first_page_of(message: &Value) -> Value {
    let mut message = message.clone();
    message["page_size"] = json!(1);
    message
}
