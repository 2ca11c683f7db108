use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base::Subject;
use serde::Deserialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast;

use crate::Node;
use crate::api::{Fault, FaultKind, Happening, KeyWish, ListWish, PublishWish, ResetWish, RevokeWish, UnlistWish};

/// Most listings that one answer holds; the command line says so when there are more.
const LISTINGS_MAX: usize = 100_000;

/// Why the control socket could not be opened.
#[derive(Debug)]
pub enum ControlError {
    /// Another node is running on this socket.
    InUse(PathBuf),
    /// The path exists and is no socket; it is left alone.
    NoSocket(PathBuf),
    /// The system refused.
    Io(PathBuf, std::io::Error),
}

impl std::error::Error for ControlError {}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "another node answers at {}: stop it first", path.display()),
            Self::NoSocket(path) => write!(f, "{} exists and is no socket: move it away", path.display()),
            Self::Io(path, error) => write!(f, "cannot listen at {}: {error}", path.display()),
        }
    }
}

/// Serves the control socket until the future is dropped. Only the owner and group of the socket file may connect
/// (mode 0660): who may write to it may lift any block.
pub async fn serve_control(
    path: &Path,
    node: Arc<dyn Node>,
    happenings: broadcast::Sender<Happening>,
) -> Result<(), ControlError> {
    let io = |error| ControlError::Io(path.to_owned(), error);
    remove_stale(path).await?;
    let listener = UnixListener::bind(path).map_err(io)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(io)?;
    super::serve(listener, routes(node, happenings)).await;
    Ok(())
}

/// Removes the socket file of a node that is gone; one that still answers is left to it.
async fn remove_stale(path: &Path) -> Result<(), ControlError> {
    let io = |error| ControlError::Io(path.to_owned(), error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(error)),
        Ok(meta) if !meta.file_type().is_socket() => Err(ControlError::NoSocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).await.is_ok() => Err(ControlError::InUse(path.to_owned())),
        Ok(_) => fs::remove_file(path).map_err(io),
    }
}

pub(super) type Nodes = State<(Arc<dyn Node>, broadcast::Sender<Happening>)>;

fn routes(node: Arc<dyn Node>, happenings: broadcast::Sender<Happening>) -> Router {
    Router::new()
        .route("/v1/status", get(async |State((node, _)): Nodes| Json(node.status())))
        .route("/v1/why", get(why))
        .route("/v1/listings", get(listings))
        .route("/v1/list", post(list))
        .route("/v1/unlist", post(unlist))
        .route("/v1/import", post(super::bulk::import))
        .route("/v1/export", get(super::bulk::export))
        .route("/v1/watch", get(watch))
        .route("/v1/keys", get(async |State((node, _)): Nodes| node.keys().map(Json)))
        .route("/v1/keys/new", post(make_key))
        .route("/v1/keys/revoke", post(revoke_key))
        .route("/v1/publish", get(async |State((node, _)): Nodes| Json(node.held())).post(decide_held))
        .route("/v1/reporters/reset", post(trust_reporter))
        .with_state((node, happenings))
}

#[derive(Deserialize)]
struct AboutSubject {
    subject: String,
    at: Option<String>,
}

async fn why(State((node, _)): Nodes, Query(about): Query<AboutSubject>) -> Result<impl IntoResponse, Fault> {
    let subject: Subject =
        about.subject.parse().map_err(|error| Fault::bad(format!("`{}`: {error}", about.subject)))?;
    past(move || node.why(&subject, about.at.as_deref())).await.map(Json)
}

#[derive(Deserialize)]
struct OfList {
    list: Option<String>,
    at: Option<String>,
}

async fn listings(State((node, _)): Nodes, Query(of): Query<OfList>) -> Result<impl IntoResponse, Fault> {
    past(move || node.listings(of.list.as_deref(), of.at.as_deref(), LISTINGS_MAX)).await.map(Json)
}

/// Runs what may take long in a thread of its own.
async fn past<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Fault::refused("the question could not be answered: a bug")))
}

async fn list(State((node, _)): Nodes, body: Bytes) -> Result<impl IntoResponse, Fault> {
    let wish: ListWish = serde_json::from_slice(&body).map_err(|error| Fault::bad(error.to_string()))?;
    node.list(&wish).map(Json)
}

async fn unlist(State((node, _)): Nodes, body: Bytes) -> Result<impl IntoResponse, Fault> {
    let wish: UnlistWish = serde_json::from_slice(&body).map_err(|error| Fault::bad(error.to_string()))?;
    node.unlist(&wish).map(Json)
}

async fn make_key(State((node, _)): Nodes, body: Bytes) -> Result<impl IntoResponse, Fault> {
    let wish: KeyWish = serde_json::from_slice(&body).map_err(|error| Fault::bad(error.to_string()))?;
    node.make_key(&wish).map(Json)
}

async fn revoke_key(State((node, _)): Nodes, body: Bytes) -> Result<impl IntoResponse, Fault> {
    let wish: RevokeWish = serde_json::from_slice(&body).map_err(|error| Fault::bad(error.to_string()))?;
    node.revoke_key(&wish).map(Json)
}

async fn decide_held(State((node, _)): Nodes, body: Bytes) -> Result<impl IntoResponse, Fault> {
    let wish: PublishWish = serde_json::from_slice(&body).map_err(|error| Fault::bad(error.to_string()))?;
    node.decide_held(&wish).map(Json)
}

async fn trust_reporter(State((node, _)): Nodes, body: Bytes) -> Result<impl IntoResponse, Fault> {
    let wish: ResetWish = serde_json::from_slice(&body).map_err(|error| Fault::bad(error.to_string()))?;
    node.trust_reporter(&wish).map(Json)
}

/// Streams what happens, a JSON line each. A watcher that is too slow is told how much it missed; it never holds up the
/// node.
async fn watch(State((_, happenings)): Nodes) -> impl IntoResponse {
    let receiver = happenings.subscribe();
    let lines = futures_util::stream::unfold(receiver, async |mut receiver| {
        let happening = match receiver.recv().await {
            Ok(happening) => happening,
            Err(broadcast::error::RecvError::Lagged(missed)) => Happening::Missed(missed),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        let mut line = serde_json::to_vec(&happening).unwrap_or_default();
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), receiver))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines))
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = match self.kind {
            FaultKind::Bad => StatusCode::BAD_REQUEST,
            FaultKind::Refused => StatusCode::CONFLICT,
            FaultKind::Absent => StatusCode::NOT_FOUND,
        };
        (status, Json(self)).into_response()
    }
}
