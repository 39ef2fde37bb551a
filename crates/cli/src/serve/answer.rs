//! Answers by HTTP.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use bridge_core::text::{MOST_SHOWN, shown};
use serde_json::{Value, json};

/// Whoever is refused for now should wait so long, seconds.
const AGAIN: HeaderValue = HeaderValue::from_static("2");

/// One JSON document.
pub(crate) fn document(status: StatusCode, document: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{document}\n")));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Why not.
pub(crate) fn refused(status: StatusCode, reason: &str) -> Response<Body> {
    let reason = shown(reason, 2 * MOST_SHOWN);
    let mut response = document(status, &json!({ "error": reason }));
    let headers = response.headers_mut();
    match status {
        StatusCode::SERVICE_UNAVAILABLE => drop(headers.insert(RETRY_AFTER, AGAIN)),
        StatusCode::UNAUTHORIZED => {
            drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        _ => {}
    }
    response
}
