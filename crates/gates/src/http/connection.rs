use core::mem::MaybeUninit;
use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use base::Timestamp;

use crate::session::{Dialogue, Input, Protocol, Step};

use super::head::{self, Framing, Head, Request, Slots};
use super::reply::{self, After, Kind, Reply, Status, Written};
use super::{BODY_BYTES_MAX, Fault, HEAD_BYTES_MAX, HEADERS_MAX, OUTPUT_BYTES_MAX, Service};

/// HTTP in front of one service, as a protocol of the shell; with bodies of at most so many bytes.
#[derive(Clone)]
pub struct Http<const BODY_MAX: usize = BODY_BYTES_MAX>(Arc<dyn Service>);

impl Http {
    /// Has `service` answer.
    pub fn new(service: Arc<dyn Service>) -> Self {
        Self(service)
    }

    /// The same with longer bodies.
    #[must_use]
    pub fn with_bodies<const BODY_MAX: usize>(self) -> Http<BODY_MAX> {
        Http(self.0)
    }
}

impl<const BODY_MAX: usize> Protocol for Http<BODY_MAX> {
    type Dialogue = Connection<BODY_MAX>;

    fn open(&self, peer: Option<IpAddr>) -> Connection<BODY_MAX> {
        let reading = Reading::Head { searched: 0 };
        Connection { service: self.0.clone(), reading, memory: Memory::default(), waits_since: None, peer }
    }
}

/// One client's connection: where in a request it stands, and what answers it.
pub struct Connection<const BODY_MAX: usize = BODY_BYTES_MAX> {
    service: Arc<dyn Service>,
    reading: Reading,
    memory: Memory,
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

impl<const BODY_MAX: usize> Dialogue for Connection<BODY_MAX> {
    /// Several whole questions of a mail server.
    const INPUT_BYTES: usize = 4 * 1024;
    const REQUEST_BYTES_MAX: usize = HEAD_BYTES_MAX + BODY_MAX;
    const OUTPUT_BYTES_MAX: usize = OUTPUT_BYTES_MAX;

    fn step(&mut self, now: Timestamp, input: &mut Input, output: &mut Vec<u8>) -> Step {
        let step = match self.reading {
            Reading::Head { searched } => self.step_head(searched, now, input, output),
            Reading::Body(head) => self.step_body(head, now, input, output),
        };
        step.unwrap_or_else(|fault| self.fail(fault, output))
    }

    fn carried(&self) -> Option<Vec<u8>> {
        // A body in chunks is decoded in place as it comes.
        let is_as_sent = match self.reading {
            Reading::Head { .. } => true,
            Reading::Body(head) => matches!(head.framing, Framing::Sized(_)) && !head.expects,
        };
        is_as_sent.then(Vec::new)
    }
}

impl<const BODY_MAX: usize> Connection<BODY_MAX> {
    fn step_head(
        &mut self,
        searched: usize,
        now: Timestamp,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Step, Fault> {
        if searched == 0 {
            // Empty lines before a request line are ignored (RFC 9112 section 2.2).
            let junk = input.unread().iter().take_while(|&&b| b == b'\r' || b == b'\n').count();
            input.consume(junk);
        }
        let unread = input.unread();
        if unread.is_empty() {
            return Ok(Step::Part);
        }
        // A head that comes in pieces is parsed at its first piece and at its last, not at each: linear, not quadratic.
        if searched > 0 && !has_empty_line(&unread[searched.saturating_sub(2)..]) {
            self.reading = Reading::Head { searched: unread.len() };
            return if unread.len() > HEAD_BYTES_MAX { Err(Fault::HeadTooLarge) } else { Ok(Step::Part) };
        }
        let mut slots: Slots<'_> = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let Some((head, request)) = head::parse(unread, &mut slots, BODY_MAX)? else {
            self.reading = Reading::Head { searched: unread.len() };
            return Ok(Step::Part);
        };
        // The usual case: the whole request came with one read, and its head need not be parsed again.
        if let Framing::Sized(size) = head.framing
            && let Some(body) = unread.get(head.length..head.length + size)
        {
            let request = Request::new(&request, body, self.peer);
            let is_answered = self.answer(now, &head, &request, output);
            return Ok(self.finish(now, &head, head.length + size, is_answered, input));
        }
        if head.expects {
            output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.step_body(head, now, input, output)
    }

    fn step_body(
        &mut self,
        mut head: Head,
        now: Timestamp,
        input: &mut Input,
        output: &mut Vec<u8>,
    ) -> Result<Step, Fault> {
        let body_end = match &mut head.framing {
            Framing::Sized(size) => Some(head.length + *size).filter(|end| *end <= input.unread().len()),
            Framing::Chunked(chunked) => {
                let (left, end) = chunked.decode(input.unread_mut())?;
                input.keep(left);
                end
            }
        };
        let Some(body_end) = body_end else {
            self.reading = Reading::Body(head);
            return Ok(Step::Part);
        };
        let unread = input.unread();
        let mut slots: Slots<'_> = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        // The head was read before, so that reading it again finds it; only its borrows are new.
        let (_, request) = head::parse(&unread[..head.length], &mut slots, BODY_MAX)?.ok_or(Fault::Malformed)?;
        let request = Request::new(&request, &unread[head.length..body_end], self.peer);
        let is_answered = self.answer(now, &head, &request, output);
        Ok(self.finish(now, &head, body_end, is_answered, input))
    }

    /// Has a whole request answered, and writes the reply unless it is put off; returns whether it is written.
    fn answer(&mut self, now: Timestamp, head: &Head, request: &Request<'_>, output: &mut Vec<u8>) -> bool {
        let Memory { headers, body } = &mut self.memory;
        headers.clear();
        body.clear();
        let waited = self.waits_since.map_or(Duration::ZERO, |since| now.since(since));
        let mut reply = Reply { status: Status::Ok, kind: Kind::Json, headers, body, waited, is_later: false };
        self.service.answer(now, request, &mut reply);
        let Reply { status, kind, is_later, .. } = reply;
        if !is_later {
            reply::write(output, &Written { status, kind, headers, body, after: head.after, bodiless: head.bodiless });
        }
        !is_later
    }

    /// Drops an answered request of `length` bytes from the input, or notes since when it is put off.
    fn finish(&mut self, now: Timestamp, head: &Head, length: usize, is_answered: bool, input: &mut Input) -> Step {
        if !is_answered {
            // A body in chunks was decoded in place, so that from now on it is one of known size.
            self.reading = Reading::Body(Head { framing: Framing::Sized(length - head.length), ..*head });
            self.waits_since.get_or_insert(now);
            return Step::Later;
        }
        self.waits_since = None;
        input.consume(length);
        self.reading = Reading::Head { searched: 0 };
        if head.after == After::Close { Step::End } else { Step::Taken }
    }

    fn fail(&mut self, fault: Fault, output: &mut Vec<u8>) -> Step {
        self.service.failed(fault);
        let body = &mut self.memory.body;
        body.clear();
        reply::write_failure(body, &fault.to_string());
        let (status, after) = (Status::Fault(fault), After::Close);
        let written = Written { status, kind: Kind::Json, headers: &[], body, after, bodiless: false };
        reply::write(output, &written);
        Step::Fault
    }
}

/// Whether an empty line lies in `bytes`, with either line end, as the parser takes both.
fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}
