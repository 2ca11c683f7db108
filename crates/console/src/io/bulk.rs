//! Whole lists through the control socket, as streams: neither side holds one in memory.

use std::io::{self, BufWriter, Read, Write};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::control::Nodes;
use crate::api::{Fault, ImportWish};

/// Pieces of a stream that wait between the socket and the thread that works with them.
const PIECES_QUEUED_MAX: usize = 8;

/// Bytes of one piece that is sent.
const PIECE_BYTES: usize = 64 * 1024;

/// How long a client may pause within a stream. One import at a time is carried out, and others wait for it.
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
pub(super) struct Wished {
    wish: String,
}

/// Takes in a stream of networks, while it comes.
pub(super) async fn import(
    State((node, _)): Nodes,
    Query(wished): Query<Wished>,
    body: Body,
) -> Result<impl IntoResponse, Fault> {
    let wish: ImportWish = serde_json::from_str(&wished.wish).map_err(|error| Fault::bad(error.to_string()))?;
    let (sender, receiver) = mpsc::channel(PIECES_QUEUED_MAX);
    let work = move || node.import(&wish, &mut Received { receiver, rest: Bytes::new() });
    let done = tokio::task::spawn_blocking(work);
    let mut body = body.into_data_stream();
    // What comes after a fault is read all the same, so that the client gets to read the answer.
    while let Ok(Some(Ok(piece))) = timeout(PAUSE_MAX, body.next()).await {
        drop(sender.send(piece).await);
    }
    drop(sender);
    done.await.map_err(|_| Fault::refused("the node could not do it, which is a bug; its log says more"))?.map(Json)
}

/// What comes from the socket, for a thread.
struct Received {
    receiver: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Received {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.rest = piece,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.rest.len());
        into[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}

#[derive(Deserialize)]
pub(super) struct OfList {
    list: String,
    #[serde(default)]
    told: bool,
}

/// Sends the networks of a list. If it breaks off, the stream has no end, and whoever reads it knows.
pub(super) async fn export(State((node, _)): Nodes, Query(of): Query<OfList>) -> Result<impl IntoResponse, Fault> {
    let write = if of.told { node.export_told(&of.list)? } else { node.export(&of.list)? };
    let (sender, receiver) = mpsc::channel(PIECES_QUEUED_MAX);
    // If the client goes away, writing fails and the thread ends.
    drop(tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PIECE_BYTES, Sending { sender });
        write(&mut out).and_then(|()| out.flush())
    }));
    let pieces = futures_util::stream::unfold(receiver, async |mut receiver| {
        let piece: Bytes = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), receiver))
    });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], Body::from_stream(pieces)))
}

/// What goes to the socket, from a thread.
struct Sending {
    sender: mpsc::Sender<Bytes>,
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.sender.blocking_send(Bytes::copy_from_slice(bytes));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
