//! Answers: a body, with the entity tag and the place of what it shows.

use axum::Json;
use axum::http::header::{ETAG, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::rest::error::Problem;

/// What a handler comes to.
pub type Answer<T> = Result<Reply<T>, Problem>;

/// A body with what its headers say.
#[derive(Debug)]
pub struct Reply<T> {
    status: StatusCode,
    etag: Option<String>,
    location: Option<String>,
    body: T,
}

impl<T> Reply<T> {
    /// It was done, or here it is.
    pub fn ok(body: T) -> Self {
        Self { status: StatusCode::OK, etag: None, location: None, body }
    }

    /// It was made, and is found there from now on.
    pub fn created(location: String, body: T) -> Self {
        Self { location: Some(location), ..Self::made(body) }
    }

    /// It was made, and has no place of its own to be read at.
    pub fn made(body: T) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    /// The same answer with the entity tag of what it shows, written without quotes.
    pub fn tagged(self, etag: &str) -> Self {
        Self { etag: Some(format!("\"{etag}\"")), ..self }
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = [(ETAG, self.etag), (LOCATION, self.location)];
        for (name, text) in headers {
            if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
