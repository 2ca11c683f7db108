use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::{Node, metrics};

/// Serves `GET /metrics` until the future is dropped. It shows numbers only and so needs no password.
pub async fn serve_metrics(listen: SocketAddr, node: Arc<dyn Node>) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let routes = Router::new().route("/metrics", get(scrape)).with_state(node);
    super::serve(listener, routes).await;
    Ok(())
}

async fn scrape(State(node): State<Arc<dyn Node>>) -> impl IntoResponse {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, TYPE)], metrics::render(node.metrics()))
}
