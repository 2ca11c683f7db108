//! What a protocol is to its shell: bytes in, bytes out, time as an argument.
//!
//! ```text
//!  socket --> Session::space/filled --> Session::serve --> Session::output --> socket
//!                                          |     ^
//!                              Dialogue::step    Step
//! ```
//!
//! A [`Session`] is what all protocols have in common: the bytes of a client that nobody has used yet, the bytes that shall
//! be written to him, and whether the connection goes on. A [`Dialogue`] is what each has of its own: what stands at the
//! front of the input, and what is said to it.

use core::net::IpAddr;
use core::time::Duration;

use base::Timestamp;

pub use crate::input::{Frame, Input};

/// Whether what a client sends begins like a request by HTTP. A page in somebody's browser can have that posted to any port that
/// the browser reaches, with lines of the page's own in the body: those are nobody's questions.
pub(crate) fn is_http(input: &[u8]) -> bool {
    if !input.first().is_some_and(u8::is_ascii_uppercase) {
        return false;
    }
    let line = &input[..memchr::memchr(b'\n', input).unwrap_or(input.len())];
    memchr::memmem::find(line, b" HTTP/1.").is_some()
}

/// A protocol: it opens a dialogue with each client that connects.
pub trait Protocol: Send + Sync + 'static {
    /// What is said on one connection.
    type Dialogue: Dialogue + 'static;

    /// How long a client may be silent between two requests, where the protocol has its own idea of that.
    const IDLE_MAX: Option<Duration> = None;

    /// A dialogue with a client that has just connected; `peer` is where he is, if he came over a network.
    fn open(&self, peer: Option<IpAddr>) -> Self::Dialogue;

    /// A dialogue that goes on where another process has left off, which has said `state` of it ([`Dialogue::carried`]).
    fn go_on(&self, peer: Option<IpAddr>, _state: &[u8]) -> Self::Dialogue {
        self.open(peer)
    }

    /// The same as a session.
    fn session(&self, peer: Option<IpAddr>) -> Session<Self::Dialogue> {
        Session::new(self.open(peer))
    }

    /// A session that goes on where [`Session::carried`] was left off.
    fn session_of(&self, peer: Option<IpAddr>, state: &[u8], unread: &[u8]) -> Session<Self::Dialogue> {
        let mut session = Session::new(self.go_on(peer, state));
        let mut rest = unread;
        while !rest.is_empty() {
            let space = session.space();
            let (piece, after) = rest.split_at(space.len().min(rest.len()));
            space[..piece.len()].copy_from_slice(piece);
            session.filled(piece.len());
            rest = after;
        }
        session
    }
}

/// What is said on one connection of a protocol.
pub trait Dialogue: Send {
    /// Input that a connection starts with, in bytes: the usual request.
    const INPUT_BYTES: usize;
    /// Most input that [`Dialogue::step`] leaves unused, in bytes: the longest request, as far as it is kept.
    const REQUEST_BYTES_MAX: usize;
    /// Answers that are collected before they must be written, in bytes.
    const OUTPUT_BYTES_MAX: usize = 16 * 1024;

    /// Takes the request at the front of `input`, and writes its answer, if it wants one, behind `output`.
    fn step(&mut self, now: Timestamp, input: &mut Input, output: &mut Vec<u8>) -> Step;

    /// What a dialogue in another process must be told so that it goes on where this one stands, once all that was written is
    /// sent, with the same unused input; none where it cannot.
    fn carried(&self) -> Option<Vec<u8>>;

    /// The connection is gone, by whichever side: what it holds is given back. Called once, at the very end.
    fn ended(&mut self, _now: Timestamp) {}
}

/// The outcome of one look at the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Step {
    /// A request was taken; there may be another.
    Taken,
    /// It is not there whole.
    Part,
    /// Its answer waits for something: look again soon, without more input.
    Later,
    /// The last request was taken: the connection is closed once the output is written.
    End,
    /// The same, because what the client sent is no request, and nothing that could become one.
    Fault,
}

/// One connection of a protocol, without its socket.
#[derive(Debug)]
pub struct Session<D> {
    dialogue: D,
    input: Input,
    output: Vec<u8>,
    /// The outcome of the last look.
    last: Step,
}

impl<D: Dialogue> Session<D> {
    /// A connection on which nothing was said yet.
    fn new(dialogue: D) -> Self {
        let input = Input::new(D::INPUT_BYTES, D::REQUEST_BYTES_MAX + D::INPUT_BYTES);
        Self { dialogue, input, output: Vec::new(), last: Step::Part }
    }

    /// Where the next bytes shall be read to; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    /// So many bytes were read to [`Session::space`].
    pub fn filled(&mut self, count: usize) {
        self.input.filled(count);
    }

    /// Answers every whole request of the input, until the output must be written first; returns how many.
    pub fn serve(&mut self, now: Timestamp) -> usize {
        let mut taken = 0;
        while !self.is_closing() && self.output.len() < D::OUTPUT_BYTES_MAX {
            self.last = self.dialogue.step(now, &mut self.input, &mut self.output);
            match self.last {
                Step::Taken | Step::End => taken += 1,
                Step::Part | Step::Later => break,
                Step::Fault => {}
            }
        }
        taken
    }

    /// What shall be written; after writing all of it call [`Session::written`].
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The whole output was written.
    pub fn written(&mut self) {
        self.output.clear();
        // One long answer shall not hold its memory for the life of the connection.
        if self.output.capacity() > 2 * D::OUTPUT_BYTES_MAX {
            self.output.shrink_to(D::OUTPUT_BYTES_MAX);
        }
    }

    /// Whether the connection shall be closed once its output is written.
    pub fn is_closing(&self) -> bool {
        matches!(self.last, Step::End | Step::Fault)
    }

    /// Whether the connection closes because of what the client sent.
    pub fn is_faulty(&self) -> bool {
        self.last == Step::Fault
    }

    /// Whether the next answer waits for something: [`Session::serve`] wants to be called again soon, without more input.
    pub fn is_waiting(&self) -> bool {
        self.last == Step::Later
    }

    /// Whether the client stands between two requests, where it may stay for long.
    pub fn is_idle(&self) -> bool {
        self.input.is_empty()
    }

    /// The state of the dialogue and what is unused of the input, for [`Protocol::session_of`] in another process; none where
    /// that cannot go on for this one: while an answer is owed, or after the last one.
    pub fn carried(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let is_between = self.output.is_empty() && matches!(self.last, Step::Part | Step::Taken);
        let unread = self.input.carried().filter(|_| is_between)?;
        Some((self.dialogue.carried()?, unread.to_vec()))
    }

    /// The connection is gone; see [`Dialogue::ended`].
    pub fn ended(&mut self, now: Timestamp) {
        self.dialogue.ended(now);
    }

    /// A conversation without a socket: what is said to `input` when it comes in pieces of at most `most` bytes.
    pub fn converse(&mut self, now: Timestamp, input: &[u8], most: usize) -> Vec<u8> {
        let (mut said, mut rest) = (Vec::new(), input);
        while !rest.is_empty() && !self.is_closing() {
            let space = self.space();
            let (piece, after) = rest.split_at(space.len().min(most).min(rest.len()));
            space[..piece.len()].copy_from_slice(piece);
            self.filled(piece.len());
            rest = after;
            while self.serve(now) > 0 || !self.output.is_empty() {
                said.extend_from_slice(&self.output);
                self.written();
            }
        }
        said
    }
}
