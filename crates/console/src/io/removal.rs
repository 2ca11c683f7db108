use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Extension, FromRequestParts, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::api::RemovalFault;
use crate::page::{Told, render};
use crate::{RemovalDesk, Requester};

/// What the page may do: nothing but show itself and send its forms here.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Who is at the other end of the connection.
#[derive(Clone, Copy)]
struct Peer(IpAddr);

#[derive(Deserialize)]
struct About {
    address: Option<String>,
}

/// A request about an address, with the desk that answers it.
struct Asked {
    desk: Arc<dyn RemovalDesk>,
    peer: IpAddr,
    forwarded: Option<Vec<u8>>,
    address: Option<String>,
}

impl FromRequestParts<Arc<dyn RemovalDesk>> for Asked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<dyn RemovalDesk>) -> Result<Self, Response> {
        let peer = Extension::<Peer>::from_request_parts(parts, desk).await;
        let about = Query::<About>::from_request_parts(parts, desk).await;
        let Extension(Peer(peer)) = peer.map_err(IntoResponse::into_response)?;
        let Query(About { address }) = about.map_err(IntoResponse::into_response)?;
        Ok(Self { desk: Arc::clone(desk), peer, forwarded: forwarded(&parts.headers), address })
    }
}

impl Asked {
    /// Asks the desk on a thread that may wait for DNS and the disk.
    async fn at_desk<T: Send + 'static>(self, question: fn(&dyn RemovalDesk, Requester<'_>, Option<&str>) -> T) -> T {
        let ask = move || {
            let from = Requester { peer: self.peer, forwarded: self.forwarded.as_deref() };
            question(self.desk.as_ref(), from, self.address.as_deref())
        };
        // It ends when the desk does; a panic there is this connection's end too.
        tokio::task::spawn_blocking(ask).await.expect("the desk does not panic")
    }
}

#[derive(Serialize)]
struct Refusal<'a> {
    message: &'a str,
}

/// Serves the page on which people look addresses up and take them off, and the same for programs, until the future is
/// dropped.
pub async fn serve_removal(listener: std::net::TcpListener, desk: Arc<dyn RemovalDesk>) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let routes = Router::new()
        .route("/", get(page).post(remove_on_page))
        .route("/why", get(page).post(remove_on_page))
        .route("/v1/removal", get(look_up).post(remove))
        .with_state(desk);
    super::serve_each(listener, move |peer: SocketAddr| routes.clone().layer(Extension(Peer(peer.ip())))).await;
    Ok(())
}

async fn look_up(asked: Asked) -> Response {
    json(asked.at_desk(RemovalDesk::look_up).await)
}

async fn remove(asked: Asked) -> Response {
    json(asked.at_desk(RemovalDesk::remove).await)
}

async fn page(asked: Asked) -> Response {
    match asked.at_desk(RemovalDesk::look_up).await {
        Ok(known) => html(StatusCode::OK, Told::LookedUp(&known)),
        Err(fault) => html(status(&fault), Told::Fault(fault.message(), None)),
    }
}

async fn remove_on_page(asked: Asked) -> Response {
    let done = asked.at_desk(|desk, from, address| {
        desk.remove(from, address).map_err(|fault| (fault, desk.look_up(from, address).ok().map(Box::new)))
    });
    match done.await {
        Ok(removal) => html(StatusCode::OK, Told::Removed(&removal)),
        Err((fault, known)) => html(status(&fault), Told::Fault(fault.message(), known.as_deref())),
    }
}

/// What proxies say of whom the request comes from: of several such lines, the last is what the last proxy wrote.
fn forwarded(head: &HeaderMap) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = head.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    (!lines.is_empty()).then(|| lines.join(&b","[..]))
}

fn status(fault: &RemovalFault) -> StatusCode {
    match fault {
        RemovalFault::Bad(_) => StatusCode::BAD_REQUEST,
        RemovalFault::Unproven(_) => StatusCode::FORBIDDEN,
        RemovalFault::Refused(_) => StatusCode::CONFLICT,
        RemovalFault::Later(..) => StatusCode::TOO_MANY_REQUESTS,
    }
}

fn json<T: Serialize>(answer: Result<T, RemovalFault>) -> Response {
    let mut response = match answer {
        Ok(value) => Json(value).into_response(),
        Err(fault) => {
            let mut response = (status(&fault), Json(Refusal { message: fault.message() })).into_response();
            if let RemovalFault::Later(seconds, _) = fault {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn html(status: StatusCode, told: Told<'_>) -> Response {
    let head = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, head, render(told)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_header_is_read_in_order() {
        let mut head = HeaderMap::new();
        assert_eq!(forwarded(&head), None);
        for value in ["198.51.100.7", "203.0.113.9, 192.0.2.1"] {
            head.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        assert_eq!(forwarded(&head).as_deref(), Some(&b"198.51.100.7,203.0.113.9, 192.0.2.1"[..]));
    }
}
