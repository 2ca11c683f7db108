use std::sync::Arc;

use base::{Address, Timestamp};

use super::carried;
use super::gate::{End, Gate, HEADER, Message, Reply};
use super::macros::{Macros, Recipient};
use super::packet::{Command, Malformed, PACKET_BYTES_MAX, VERSION_MAX, actions, put, steps};
use crate::session::{Dialogue, Input, Step};

/// Bytes of a packet's length.
const LENGTH_BYTES: usize = 4;
/// Longest packet that is passed over rather than taken for nonsense, in bytes: more than any header that a server takes.
const PASSED_OVER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most headers of our own name that are removed from one message; the server refuses one with so many headers anyway.
const OWN_HEADERS_MAX: u32 = 1000;
/// Longest sender or recipient that is kept, in bytes (RFC 5321 section 4.5.3.1.3 allows 254).
const PATH_BYTES_MAX: usize = 1024;
/// Most recipients of one message that are kept; the others are only counted.
const RECIPIENTS_KEPT_MAX: usize = 100;

/// One connection of a mail server: one SMTP session with any number of messages.
pub struct MilterDialogue {
    pub(super) gate: Arc<Gate>,
    /// Steps that the server has agreed to leave out or not to wait at.
    pub(super) agreed: u32,
    /// What may be done at the end of a message.
    pub(super) allowed: u32,
    pub(super) address: Option<Address>,
    pub(super) macros: Macros,
    pub(super) message: Message,
    /// Which connection this is, and how many messages began on it.
    pub(super) connection: u64,
    pub(super) messages: u64,
}

impl MilterDialogue {
    /// A connection that has not been negotiated yet.
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        let (macros, message) = (Macros::default(), Message::default());
        let connection = gate.next_connection();
        Self { gate, agreed: 0, allowed: 0, address: None, macros, message, connection, messages: 0 }
    }

    /// Takes one whole packet off the input. One that is too long is passed over.
    fn take(&mut self, now: Timestamp, input: &mut Input, output: &mut Vec<u8>) -> Result<Step, Malformed> {
        let Some((length, rest)) = input.unread().split_first_chunk::<LENGTH_BYTES>() else { return Ok(Step::Part) };
        let length = u32::from_be_bytes(*length) as usize;
        if length == 0 || length > PASSED_OVER_BYTES_MAX {
            return Err(Malformed::Length);
        }
        let step = if length > PACKET_BYTES_MAX {
            let Some(&command) = rest.first() else { return Ok(Step::Part) };
            self.pass_over(command, output)?;
            Step::Taken
        } else {
            let Some(packet) = rest.get(..length) else { return Ok(Step::Part) };
            self.follow(now, Command::parse(packet)?, output)
        };
        input.pass_over(LENGTH_BYTES + length);
        Ok(step)
    }

    /// Only what is not looked at may be so long.
    fn pass_over(&self, command: u8, output: &mut Vec<u8>) -> Result<(), Malformed> {
        match command {
            b'L' => self.answer_unless(steps::QUIET_HEADER, output),
            b'B' => self.reply_to_body(output),
            b'U' => reply(output, Reply::Continue),
            b'D' => {}
            _ => return Err(Malformed::Length),
        }
        Ok(())
    }

    fn follow(&mut self, now: Timestamp, command: Command<'_>, output: &mut Vec<u8>) -> Step {
        match command {
            Command::Negotiate { version, actions, steps } => self.negotiate(version, actions, steps, output),
            Command::Macros { of, pairs } => self.macros.read(of, pairs),
            Command::Connect(address) => {
                self.address = address;
                reply(output, self.gate.connected(now, address));
            }
            Command::Mail { sender, size } => {
                self.messages += 1;
                let (connection, number) = (self.connection, self.messages);
                let sender = kept(sender);
                self.message = Message { connection, number, began: now, sender, size, ..Message::default() };
                reply(output, self.gate.mail(now, self.address, &self.macros));
            }
            Command::Recipient(recipient) => {
                if self.macros.recipient == Recipient::Accepted {
                    if self.message.to.len() < RECIPIENTS_KEPT_MAX {
                        self.message.to.push(kept(recipient));
                    }
                    self.message.recipients += 1;
                } else {
                    self.gate.recipient_refused(now, self.address, &self.macros);
                }
                self.macros.recipient = Recipient::Accepted;
                self.answer_unless(steps::QUIET_RECIPIENT, output);
            }
            Command::Header { name, value } => {
                self.message.header(name, value);
                let is_own = name.eq_ignore_ascii_case(HEADER.as_bytes());
                self.message.own_headers += u32::from(is_own && self.message.own_headers < OWN_HEADERS_MAX);
                self.answer_unless(steps::QUIET_HEADER, output);
            }
            Command::Body(piece) => {
                self.message.digest.body(piece);
                self.reply_to_body(output);
            }
            Command::EndOfMessage => self.end_message(output),
            Command::Abort => self.forget_message(),
            Command::Quit => return Step::End,
            Command::QuitForNext => {
                self.forget_message();
                self.address = None;
            }
            Command::Step => reply(output, Reply::Continue),
        }
        Step::Taken
    }

    fn negotiate(&mut self, version: u32, offered_actions: u32, offered_steps: u32, output: &mut Vec<u8>) {
        self.allowed = offered_actions & actions::WANTED;
        self.agreed = offered_steps & steps::WANTED;
        let version = version.min(VERSION_MAX);
        let numbers = [version, self.allowed, self.agreed].map(u32::to_be_bytes);
        put(output, b'O', &[numbers.as_flattened()]);
    }

    /// One piece of a body is enough, where the server can leave out the others.
    fn reply_to_body(&self, output: &mut Vec<u8>) {
        let reply = if self.agreed & steps::SKIP == 0 { b'c' } else { b's' };
        put(output, reply, &[]);
    }

    fn end_message(&mut self, output: &mut Vec<u8>) {
        match self.gate.end(self.address, &self.macros, &self.message) {
            End::Refuse { code, text } => reply(output, Reply::Refuse { code, text }),
            End::Accept { verdict, is_held } => {
                if self.allowed & actions::CHANGE_HEADERS != 0 {
                    // From the last to the first, so that those before keep their numbers.
                    for number in (1..=self.message.own_headers).rev() {
                        put(output, b'm', &[&number.to_be_bytes(), HEADER.as_bytes(), b"\0\0"]);
                    }
                }
                if self.allowed & actions::ADD_HEADERS != 0 {
                    put(output, b'h', &[HEADER.as_bytes(), b"\0", verdict.as_bytes(), b"\0"]);
                }
                if is_held && self.allowed & actions::QUARANTINE != 0 {
                    put(output, b'q', &[b"sending limit reached\0"]);
                }
                // Other milters of the server have their say too: this one has no more to say.
                put(output, b'c', &[]);
            }
        }
        self.forget_message();
    }

    fn forget_message(&mut self) {
        self.message = Message::default();
        self.macros.forget_message();
    }

    /// Goes on, where the server waits for being told.
    fn answer_unless(&self, quiet: u32, output: &mut Vec<u8>) {
        if self.agreed & quiet == 0 {
            reply(output, Reply::Continue);
        }
    }
}

fn reply(output: &mut Vec<u8>, reply: Reply) {
    match reply {
        Reply::Continue => put(output, b'c', &[]),
        Reply::Refuse { code, text } => put(output, b'y', &[code.as_bytes(), b" ", text.as_bytes(), b"\0"]),
    }
}

/// An address of the envelope as text.
fn kept(path: &[u8]) -> String {
    String::from_utf8_lossy(&path[..path.len().min(PATH_BYTES_MAX)]).into_owned()
}

impl Dialogue for MilterDialogue {
    const INPUT_BYTES: usize = 4096;
    const REQUEST_BYTES_MAX: usize = LENGTH_BYTES + PACKET_BYTES_MAX;

    fn step(&mut self, now: Timestamp, input: &mut Input, output: &mut Vec<u8>) -> Step {
        self.take(now, input, output).unwrap_or_else(|_| {
            self.gate.malformed();
            Step::Fault
        })
    }

    fn carried(&self) -> Option<Vec<u8>> {
        Some(carried::written(self))
    }
}
