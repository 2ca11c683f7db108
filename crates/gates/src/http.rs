//! HTTP/1.1 as a server speaks it to mail servers (RFC 9110, RFC 9112), without a socket.
//!
//! A shell moves bytes; everything else happens here:
//!
//! ```text
//!  socket --> Session::space/filled --> Connection::step --> Service::answer --> Session::output --> socket
//! ```
//!
//! It promises: one read and one write for a request that arrives whole; buffers that are reused, so that a request
//! allocates nothing once they have grown; several requests in one read are answered by one write (pipelining); cost
//! linear in the bytes, however they are cut; memory bounded by the `*_MAX` of this file.
//!
//! It speaks HTTP/1.0 and 1.1, keep-alive, bodies by `Content-Length` and chunked, and `Expect: 100-continue`. It does not
//! speak TLS, upgrades, compression or trailers (which are read and dropped), and sends no `Date`, because a core has
//! no clock. What is malformed is answered once and the connection closed, because where the next request begins is not
//! known any more.

mod body;
mod connection;
mod head;
mod reply;

use base::Timestamp;

pub use connection::{Connection, Http};
pub use head::Request;
pub use reply::{Kind, Reply, Status};
pub(crate) use reply::{write_decimal, write_failure};

/// Longest request line and headers together, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Longest body after decoding, in bytes, of a service that wants no longer ones ([`Http::with_bodies`]).
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most headers of one request.
pub const HEADERS_MAX: usize = 64;
/// Replies that are collected before they must be written; pipelined requests beyond wait in the input.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// What answers requests. It is called with whole requests only, by several connections at once.
pub trait Service: Send + Sync {
    /// Answers one request by filling `reply`, which is an empty `200` at first.
    fn answer(&self, now: Timestamp, request: &Request<'_>, reply: &mut Reply<'_>);

    /// A request was none, or too long, and was answered with that.
    fn failed(&self, _fault: Fault) {}
}

/// Why a connection is closed after its last reply: what the peer did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// The request line, a header or the framing of the body is no HTTP.
    #[error("malformed request")]
    Malformed,
    /// Request line and headers are longer than [`HEAD_BYTES_MAX`] or more than [`HEADERS_MAX`].
    #[error("header too large")]
    HeadTooLarge,
    /// The body is longer than the service takes.
    #[error("body too large")]
    BodyTooLarge,
    /// A transfer coding other than `chunked`.
    #[error("unknown transfer coding")]
    UnknownCoding,
}

#[cfg(test)]
mod tests;
