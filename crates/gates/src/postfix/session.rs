use std::io::Write as _;
use std::sync::Arc;

use base::Timestamp;

use super::REQUEST_BYTES_MAX;
use super::gate::{Action, Gate};
use crate::session::{Dialogue, Frame, Input, Step, is_http};

/// What ends a request.
const END: &[u8] = b"\n\n";
/// What ends that of a client whose lines end as SMTP's do: it is not understood, and answered.
const ODD_END: &[u8] = b"\n\r\n";

/// What is known of the message that is on its way on a connection.
#[derive(Default, Debug)]
pub struct Open {
    /// Whether room was reserved for it.
    is_reserved: bool,
    /// Its instance, if so.
    instance: String,
    /// The recipient for whom room was reserved last.
    recipient: String,
    /// Whether its name in the queue was told.
    is_queued: bool,
    /// Whether its header was asked for.
    is_marked: bool,
}

impl Open {
    /// Whether a request with this instance is about the message, or no message is on its way.
    pub(super) fn is_about(&self, instance: &str) -> bool {
        !self.is_reserved || instance.is_empty() || self.instance == instance
    }

    /// Whether it was reserved for on this connection.
    pub(super) fn is_known(&self, instance: &str) -> bool {
        self.is_reserved && self.instance == instance
    }

    /// Whether it is the recipient for whom room was reserved by the request before.
    pub(super) fn has_just_asked(&self, instance: &str, recipient: &str) -> bool {
        self.is_known(instance) && self.recipient == recipient
    }

    /// Room was reserved.
    pub(super) fn asked(&mut self, instance: &str, recipient: &str) {
        self.is_reserved = true;
        for (kept, told) in [(&mut self.instance, instance), (&mut self.recipient, recipient)] {
            kept.clear();
            kept.push_str(told);
        }
    }

    /// Whether this is the first time that its name in the queue is told.
    pub(super) const fn is_new_in_queue(&mut self) -> bool {
        !core::mem::replace(&mut self.is_queued, true)
    }

    /// Whether this is the first time that its header is asked for.
    pub(super) const fn is_unmarked(&mut self) -> bool {
        !core::mem::replace(&mut self.is_marked, true)
    }

    /// The message is no longer on its way; its instance if room was reserved for it.
    pub(super) fn end(&mut self) -> Option<&str> {
        (self.is_queued, self.is_marked) = (false, false);
        core::mem::take(&mut self.is_reserved).then_some(&self.instance)
    }
}

/// One connection of Postfix.
pub struct PolicyDialogue {
    gate: Arc<Gate>,
    /// The request is longer than allowed: it is passed over, and answered when its end comes.
    is_skipping: bool,
    open: Open,
}

impl PolicyDialogue {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, is_skipping: false, open: Open::default() }
    }
}

/// The connection of a Postfix is never closed from here: it would refuse the mail that it was about to ask about.
impl Dialogue for PolicyDialogue {
    /// A request has about 720.
    const INPUT_BYTES: usize = 4096;
    const REQUEST_BYTES_MAX: usize = REQUEST_BYTES_MAX;

    fn step(&mut self, now: Timestamp, input: &mut Input, output: &mut Vec<u8>) -> Step {
        if !self.is_skipping && is_http(input.unread()) {
            write(output, &self.gate.not_understood());
            return Step::Fault;
        }
        // Whoever ends lines so waits for an answer at the end of what he sent.
        if !self.is_skipping && input.unread().ends_with(ODD_END) && is_odd(input.unread()) {
            input.consume(input.unread().len());
            write(output, &self.gate.not_understood());
            return Step::Taken;
        }
        let action = match input.frame(END, REQUEST_BYTES_MAX) {
            Frame::Whole(end) if !self.is_skipping => {
                // What is no UTF-8 is replaced, so that an odd sender is still a message.
                let bytes = &input.unread()[..end];
                let text = core::str::from_utf8(bytes)
                    .map_or_else(|_| String::from_utf8_lossy(bytes), std::borrow::Cow::Borrowed);
                let action = self.gate.answer(now, &text, &mut self.open);
                input.consume(end + END.len());
                action
            }
            Frame::Part if !self.is_skipping => return Step::Part,
            Frame::Whole(_) | Frame::Part | Frame::TooLong => {
                self.is_skipping = !input.drop_frame(END);
                if self.is_skipping {
                    return Step::Part;
                }
                self.gate.not_understood()
            }
        };
        write(output, &action);
        Step::Taken
    }

    fn carried(&self) -> Option<Vec<u8>> {
        // A message that is on its way is asked about anew, as on a new connection.
        (!self.is_skipping).then(Vec::new)
    }

    fn ended(&mut self, _: Timestamp) {
        self.gate.give_up(&mut self.open);
    }
}

/// Whether the first line ends as SMTP's do.
fn is_odd(input: &[u8]) -> bool {
    memchr::memchr(b'\n', input).is_some_and(|at| input[..at].ends_with(b"\r"))
}

fn write(output: &mut Vec<u8>, action: &Action) {
    let written = match action {
        // By far the most frequent, and the cheapest.
        Action::Dunno => output.write_all(b"action=DUNNO\n\n"),
        Action::Reject(text) => write!(output, "action=REJECT 5.7.1 {text}\n\n"),
        Action::DeferIfPermit(text) => write!(output, "action=DEFER_IF_PERMIT 4.7.1 {text}\n\n"),
        Action::Defer(text) => write!(output, "action=451 4.7.1 {text}\n\n"),
        Action::Drop(text) => write!(output, "action=521 5.7.1 {text}\n\n"),
        Action::Hold(text) => write!(output, "action=HOLD {text}\n\n"),
        Action::Mark(lists) => write!(output, "action=PREPEND X-Ratter-Lists: {lists}\n\n"),
    };
    debug_assert!(written.is_ok(), "memory takes what is written to it");
}
