use core::mem::MaybeUninit;
use core::net::IpAddr;
use core::time::Duration;

use base::Timestamp;

use crate::input::Input;

use super::head::{self, Framing, Head, Request, Slots};
use super::reply::{self, After, Kind, Reply, Status, Written};
use super::{BODY_BYTES_MAX, Fault, HEAD_BYTES_MAX, HEADERS_MAX, OUTPUT_BYTES_MAX, Service};

/// Input that a connection starts with, in bytes: several whole questions of a mail server.
const INPUT_BYTES: usize = 4 * 1024;
/// Most input that a connection holds, in bytes: the longest request and the beginning of the next.
const INPUT_BYTES_MAX: usize = HEAD_BYTES_MAX + BODY_BYTES_MAX + INPUT_BYTES;

/// One client's connection: its bytes in, its bytes out, and where in a request it stands.
#[derive(Debug)]
pub struct Connection {
    input: Input,
    reading: Reading,
    output: Vec<u8>,
    memory: Memory,
    closing: bool,
    fault: Option<Fault>,
    /// Since when the request at the front is put off.
    waits_since: Option<Timestamp>,
    peer: Option<IpAddr>,
}

/// Memory for the parts of a reply, which is used again.
#[derive(Default, Debug)]
struct Memory {
    headers: Vec<u8>,
    body: Vec<u8>,
}

/// Where in a request the connection stands.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// In the head, of which so many bytes were searched for its end.
    Head { searched: usize },
    /// In the body, behind a head that was read.
    Body(Head),
}

/// The outcome of one look at the input.
enum Step {
    /// A request was answered; there may be another.
    Answered,
    /// More bytes are needed.
    Hungry,
    /// The request is put off.
    Later,
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

impl Connection {
    /// A connection on which nothing was said yet.
    pub fn new() -> Self {
        Self {
            input: Input::new(INPUT_BYTES, INPUT_BYTES_MAX),
            reading: Reading::Head { searched: 0 },
            output: Vec::new(),
            memory: Memory::default(),
            closing: false,
            fault: None,
            waits_since: None,
            peer: None,
        }
    }

    /// Says whom it is with, if he came over a network.
    pub const fn came_from(&mut self, peer: Option<IpAddr>) {
        self.peer = peer;
    }

    /// Where the next bytes shall be read to; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    /// So many bytes were read to [`Connection::space`].
    pub fn filled(&mut self, count: usize) {
        self.input.filled(count);
    }

    /// Answers every whole request of the input, until the output must be written first; returns how many.
    pub fn serve(&mut self, now: Timestamp, service: &dyn Service) -> usize {
        let mut answered = 0;
        while !self.closing && self.output.len() < OUTPUT_BYTES_MAX {
            match self.step(now, service) {
                Ok(Step::Answered) => answered += 1,
                Ok(Step::Hungry | Step::Later) => break,
                Err(fault) => self.fail(fault),
            }
        }
        answered
    }

    /// What shall be written; after writing all of it call [`Connection::written`].
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The whole output was written.
    pub fn written(&mut self) {
        self.output.clear();
        if self.output.capacity() > 2 * OUTPUT_BYTES_MAX {
            self.output.shrink_to(OUTPUT_BYTES_MAX);
        }
    }

    /// Whether the connection shall be closed once its output is written.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether the request at the front is put off, so that [`Connection::serve`] wants to be called again soon.
    pub fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    /// Whether the client stands between two requests, where it may stay for long.
    pub fn is_idle(&self) -> bool {
        self.input.is_empty() && matches!(self.reading, Reading::Head { .. })
    }

    /// What the client did wrong, if that is why the connection closes.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Looks at the input once: answers one request, or says that it is not there whole.
    fn step(&mut self, now: Timestamp, service: &dyn Service) -> Result<Step, Fault> {
        match self.reading {
            Reading::Head { searched } => self.step_head(searched, now, service),
            Reading::Body(head) => self.step_body(head, now, service),
        }
    }

    fn step_head(&mut self, searched: usize, now: Timestamp, service: &dyn Service) -> Result<Step, Fault> {
        if searched == 0 {
            // Empty lines before a request line are ignored (RFC 9112 section 2.2).
            let junk = self.input.unread().iter().take_while(|&&b| b == b'\r' || b == b'\n').count();
            self.input.consume(junk);
        }
        let unread = self.input.unread();
        if unread.is_empty() {
            return Ok(Step::Hungry);
        }
        // A head that comes in pieces is parsed at its first piece and at its last, not at each: linear, not quadratic.
        if searched > 0 && !has_empty_line(&unread[searched.saturating_sub(2)..]) {
            self.reading = Reading::Head { searched: unread.len() };
            return if unread.len() > HEAD_BYTES_MAX { Err(Fault::HeadTooLarge) } else { Ok(Step::Hungry) };
        }
        let mut slots: Slots<'_> = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let Some((head, request)) = head::parse(unread, &mut slots)? else {
            self.reading = Reading::Head { searched: unread.len() };
            return Ok(Step::Hungry);
        };
        // The usual case: the whole request came with one read, and its head need not be parsed again.
        if let Framing::Sized(size) = head.framing
            && let Some(body) = unread.get(head.length..head.length + size)
        {
            let request = Request::new(&request, body, self.peer);
            let waited = self.waits_since.map_or(Duration::ZERO, |since| now.since(since));
            let fill = |reply: &mut Reply<'_>| service.answer(now, &request, reply);
            let is_answered = answer(&mut self.output, &mut self.memory, &head, waited, fill);
            return Ok(self.finish(now, &head, head.length + size, is_answered));
        }
        if head.expects {
            self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.step_body(head, now, service)
    }

    fn step_body(&mut self, mut head: Head, now: Timestamp, service: &dyn Service) -> Result<Step, Fault> {
        let body_end = match &mut head.framing {
            Framing::Sized(size) => Some(head.length + *size).filter(|end| *end <= self.input.unread().len()),
            Framing::Chunked(chunked) => {
                let (left, end) = chunked.decode(self.input.unread_mut())?;
                self.input.keep(left);
                end
            }
        };
        let Some(body_end) = body_end else {
            self.reading = Reading::Body(head);
            return Ok(Step::Hungry);
        };
        let unread = self.input.unread();
        let mut slots: Slots<'_> = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        // The head was read before, so that reading it again finds it; only its borrows are new.
        let (_, request) = head::parse(&unread[..head.length], &mut slots)?.ok_or(Fault::Malformed)?;
        let request = Request::new(&request, &unread[head.length..body_end], self.peer);
        let waited = self.waits_since.map_or(Duration::ZERO, |since| now.since(since));
        let fill = |reply: &mut Reply<'_>| service.answer(now, &request, reply);
        let is_answered = answer(&mut self.output, &mut self.memory, &head, waited, fill);
        Ok(self.finish(now, &head, body_end, is_answered))
    }

    /// Drops an answered request of `length` bytes from the input, or notes since when it is put off.
    fn finish(&mut self, now: Timestamp, head: &Head, length: usize, is_answered: bool) -> Step {
        if !is_answered {
            // A body in chunks was decoded in place, so that from now on it is one of known size.
            self.reading = Reading::Body(Head { framing: Framing::Sized(length - head.length), ..*head });
            self.waits_since.get_or_insert(now);
            return Step::Later;
        }
        self.waits_since = None;
        self.input.consume(length);
        self.reading = Reading::Head { searched: 0 };
        self.closing = head.after == After::Close;
        Step::Answered
    }

    fn fail(&mut self, fault: Fault) {
        let body = &mut self.memory.body;
        body.clear();
        reply::write_failure(body, &fault.to_string());
        let (status, after) = (Status::Fault(fault), After::Close);
        let written = Written { status, kind: Kind::Json, headers: &[], body, after, bodiless: false };
        reply::write(&mut self.output, &written);
        self.fault = Some(fault);
        self.closing = true;
    }
}

/// Has a reply filled, and writes it unless it is put off; returns whether it is written.
fn answer(
    output: &mut Vec<u8>,
    memory: &mut Memory,
    head: &Head,
    waited: Duration,
    fill: impl FnOnce(&mut Reply<'_>),
) -> bool {
    let Memory { headers, body } = memory;
    headers.clear();
    body.clear();
    let mut reply = Reply { status: Status::Ok, kind: Kind::Json, headers, body, waited, is_later: false };
    fill(&mut reply);
    let Reply { status, kind, is_later, .. } = reply;
    if !is_later {
        reply::write(output, &Written { status, kind, headers, body, after: head.after, bodiless: head.bodiless });
    }
    !is_later
}

/// Whether an empty line lies in `bytes`, with either line end, as the parser takes both.
fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}
