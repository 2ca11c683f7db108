//! What every protocol of this room is to its shell: bytes in, bytes out, time as an argument.
//!
//! ```text
//!  socket --> Session::space/filled --> Session::serve --> Session::output --> socket
//! ```

use core::net::IpAddr;

use base::Timestamp;

/// A protocol: it opens a session for each client that connects.
pub trait Protocol: Send + Sync + 'static {
    /// What one connection is.
    type Session: Session;

    /// A session with a client that has just connected.
    fn open(&self) -> Self::Session;
}

/// One connection of a protocol, without its socket.
pub trait Session: Send {
    /// Whom the session is with, if he came over a network. Called once, before anything is read.
    fn came_from(&mut self, _peer: Option<IpAddr>) {}

    /// Where the next bytes shall be read to; never empty.
    fn space(&mut self) -> &mut [u8];

    /// So many bytes were read to [`Session::space`].
    fn filled(&mut self, count: usize);

    /// Answers every whole request of the input, until the output must be written first; returns how many.
    fn serve(&mut self, now: Timestamp) -> usize;

    /// What shall be written; after writing all of it call [`Session::written`].
    fn output(&self) -> &[u8];

    /// The whole output was written.
    fn written(&mut self);

    /// Whether the connection shall be closed once its output is written.
    fn is_closing(&self) -> bool;

    /// Whether the next answer waits for something: [`Session::serve`] wants to be called again soon, without more input.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Whether the client stands between two requests, where it may stay for long.
    fn is_idle(&self) -> bool;

    /// Whether the connection closes because of what the client sent.
    fn is_faulty(&self) -> bool;

    /// The connection is gone, by whichever side: what it holds is given back. Called once, at the very end.
    fn ended(&mut self, _now: Timestamp) {}
}
