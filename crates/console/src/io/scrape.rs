use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::{Node, metrics};

/// Serves `GET /metrics` and `GET /maps/NAME` until the future is dropped. The metrics show numbers only and so need no
/// password; which maps are served, the configuration says.
pub async fn serve_metrics(listener: std::net::TcpListener, node: Arc<dyn Node>) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let routes = Router::new().route("/metrics", get(scrape)).route("/maps/{name}", get(map)).with_state(node);
    super::serve(listener, routes).await;
    Ok(())
}

async fn scrape(State(node): State<Arc<dyn Node>>) -> impl IntoResponse {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, TYPE)], metrics::render(node.metrics()))
}

/// A whole map, or nothing new for who has this one. Nobody may keep it unasked (RFC 9111 section 5.2.2.4): a reader that
/// does would not see that somebody was let in again.
async fn map(State(node): State<Arc<dyn Node>>, Path(name): Path<String>, asked: HeaderMap) -> Response {
    let Some(map) = node.map(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|tags| tags.split(',')).any(|tag| {
        let tag = tag.trim();
        // Whether a proxy made it a weak one is no matter here (RFC 9110 section 13.1.2).
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == map.etag
    });
    let head = [(ETAG, map.etag), (CACHE_CONTROL, "no-cache".to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, [(CONTENT_TYPE, "text/plain; charset=us-ascii")], Bytes::from_owner(map.text)).into_response()
}
