use std::io::Write as _;
use std::sync::Arc;

use base::Timestamp;
use memchr::memmem;

use super::REQUEST_BYTES_MAX;
use super::gate::{Action, Gate};
use crate::input::Input;
use crate::session::Session;

/// Input that a connection starts with, in bytes: a request has about 720.
const INPUT_BYTES: usize = 4096;
/// Answers that are collected before they must be written.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// What is known of the message that is on its way on a connection.
#[derive(Default, Debug)]
pub struct Open {
    /// Its instance; empty if none is on its way.
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
        self.instance.is_empty() || instance.is_empty() || self.instance == instance
    }

    /// Whether it was reserved for on this connection.
    pub(super) fn is_known(&self, instance: &str) -> bool {
        self.instance == instance
    }

    /// Whether it is the recipient for whom room was reserved by the request before.
    pub(super) fn has_just_asked(&self, instance: &str, recipient: &str) -> bool {
        self.instance == instance && self.recipient == recipient
    }

    /// Room was reserved.
    pub(super) fn asked(&mut self, instance: &str, recipient: &str) {
        if self.instance != instance {
            self.instance.clear();
            self.instance.push_str(instance);
        }
        self.recipient.clear();
        self.recipient.push_str(recipient);
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
    pub(super) fn take(&mut self) -> Option<String> {
        (self.is_queued, self.is_marked) = (false, false);
        self.recipient.clear();
        let instance = core::mem::take(&mut self.instance);
        (!instance.is_empty()).then_some(instance)
    }
}

/// One connection of Postfix.
pub struct PolicySession {
    gate: Arc<Gate>,
    input: Input,
    /// How many unread bytes are known to hold no end, so that a request that comes byte by byte costs linear time.
    searched: usize,
    /// The request is longer than allowed: it is passed over, and answered when its end comes.
    is_skipping: bool,
    open: Open,
    output: Vec<u8>,
}

impl PolicySession {
    /// A connection on which nothing was asked yet.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            input: Input::new(INPUT_BYTES, REQUEST_BYTES_MAX + INPUT_BYTES),
            searched: 0,
            is_skipping: false,
            open: Open::default(),
            output: Vec::new(),
        }
    }
}

impl Session for PolicySession {
    fn space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    fn filled(&mut self, count: usize) {
        self.input.filled(count);
    }

    fn serve(&mut self, now: Timestamp) -> usize {
        let mut answered = 0;
        while self.output.len() < OUTPUT_BYTES_MAX {
            let unread = self.input.unread();
            let Some(end) = memmem::find(&unread[self.searched..], b"\n\n").map(|end| self.searched + end) else {
                // The first half of the end may be there.
                self.searched = unread.len().saturating_sub(1);
                if unread.len() > REQUEST_BYTES_MAX {
                    self.is_skipping = true;
                    self.input.consume(self.searched);
                    self.searched = 0;
                }
                break;
            };
            let is_whole = !core::mem::take(&mut self.is_skipping) && end <= REQUEST_BYTES_MAX;
            let action = if is_whole {
                // What is no UTF-8 is replaced, so that an odd sender is still a message.
                let text = String::from_utf8_lossy(&unread[..end]);
                self.gate.answer(now, &text, &mut self.open)
            } else {
                self.gate.not_understood()
            };
            write(&mut self.output, &action);
            self.input.consume(end + 2);
            self.searched = 0;
            answered += 1;
        }
        answered
    }

    fn output(&self) -> &[u8] {
        &self.output
    }

    fn written(&mut self) {
        self.output.clear();
    }

    /// Never: Postfix would refuse the mail that it was about to ask about.
    fn is_closing(&self) -> bool {
        false
    }

    fn is_idle(&self) -> bool {
        self.input.is_empty()
    }

    fn is_faulty(&self) -> bool {
        false
    }

    fn ended(&mut self, _: Timestamp) {
        self.gate.give_up(&mut self.open);
    }
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
