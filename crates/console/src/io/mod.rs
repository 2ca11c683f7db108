//! Sockets of the console.

#![expect(clippy::disallowed_methods, reason = "this is the shell that owns sockets, their files and their tasks")]

mod bulk;
mod control;
mod removal;
mod scrape;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;

pub use control::{ControlError, serve_control};
pub use removal::serve_removal;
pub use scrape::serve_metrics;

/// Most connections of one socket at once; further ones wait. A scraper has one, and people have few.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take to send the head of its request, the pause before it included.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);

/// Answers until the future is dropped. Clients that say nothing are sent away, so that they never use up the files that
/// the gates need.
async fn serve(listener: impl Listener, routes: Router) {
    serve_each(listener, |_| routes.clone()).await;
}

/// The same, where the answers depend on who asks.
async fn serve_each<L: Listener>(mut listener: L, routes: impl Fn(L::Addr) -> Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let place = Arc::clone(&places).acquire_owned().await;
        let (stream, peer) = listener.accept().await;
        let service = TowerToHyperService::new(routes(peer));
        tokio::spawn(async move {
            let _place = place;
            let mut server = http1::Builder::new();
            server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
            // A broken connection is the client's affair; it sees it as well and asks again.
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}
