use std::sync::Arc;

use base::{Address, Timestamp};

use super::gate::{End, Gate, HEADER, Message, Reply};
use super::macros::{Macros, Recipient};
use super::packet::{Command, Malformed, PACKET_BYTES_MAX, VERSION_MAX, actions, put, steps};
use crate::input::Input;
use crate::session::Session;

/// Input that a connection starts with, in bytes.
const INPUT_BYTES: usize = 4096;
/// Answers that are collected before they must be written.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;
/// Longest packet that is passed over rather than taken for nonsense, in bytes: more than any header that a server takes.
const PASSED_OVER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most headers of our own name that are removed from one message; the server refuses one with so many headers anyway.
const OWN_HEADERS_MAX: u32 = 1000;
/// Longest sender or recipient that is kept, in bytes (RFC 5321 section 4.5.3.1.3 allows 254).
const PATH_BYTES_MAX: usize = 1024;
/// Most recipients of one message that are kept; the others are only counted.
const RECIPIENTS_KEPT_MAX: usize = 100;

/// One connection of a mail server: one SMTP session with any number of messages.
pub struct MilterSession {
    gate: Arc<Gate>,
    input: Input,
    /// How much of a packet that is too long is still to come.
    passing_over: usize,
    /// Steps that the server has agreed to leave out or not to wait at.
    agreed: u32,
    /// What may be done at the end of a message.
    allowed: u32,
    address: Option<Address>,
    macros: Macros,
    message: Message,
    output: Vec<u8>,
    is_faulty: bool,
    is_over: bool,
}

impl MilterSession {
    /// A connection that has not been negotiated yet.
    pub fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            input: Input::new(INPUT_BYTES, PACKET_BYTES_MAX + INPUT_BYTES),
            passing_over: 0,
            agreed: 0,
            allowed: 0,
            address: None,
            macros: Macros::default(),
            message: Message::default(),
            output: Vec::new(),
            is_faulty: false,
            is_over: false,
        }
    }

    /// Takes one whole packet off the input; none if it has not come whole. One that is too long is passed over.
    fn step(&mut self, now: Timestamp) -> Result<Option<()>, Malformed> {
        if self.passing_over > 0 {
            let count = self.passing_over.min(self.input.unread().len());
            self.input.consume(count);
            self.passing_over -= count;
            return Ok((self.passing_over == 0).then_some(()));
        }
        let Some((length, rest)) = self.input.unread().split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length == 0 || length > PASSED_OVER_BYTES_MAX {
            return Err(Malformed::Length);
        }
        if length > PACKET_BYTES_MAX {
            let Some(&command) = rest.first() else { return Ok(None) };
            return self.pass_over(command, length).map(Some);
        }
        if rest.len() < length {
            return Ok(None);
        }
        // The packet is taken out of the input, because what it says changes the session.
        let input = core::mem::replace(&mut self.input, Input::new(0, 0));
        let done = Command::parse(&input.unread()[4..4 + length]).map(|command| self.follow(now, command));
        self.input = input;
        self.input.consume(4 + length);
        done.map(Some)
    }

    /// Only what is not looked at may be so long.
    fn pass_over(&mut self, command: u8, length: usize) -> Result<(), Malformed> {
        match command {
            b'L' => self.answer_unless(steps::QUIET_HEADER, Reply::Continue),
            b'B' => self.reply_to_body(),
            b'U' => self.reply(Reply::Continue),
            b'D' => {}
            _ => return Err(Malformed::Length),
        }
        self.passing_over = 4 + length;
        Ok(())
    }

    fn follow(&mut self, now: Timestamp, command: Command<'_>) {
        match command {
            Command::Negotiate { version, actions, steps } => self.negotiate(version, actions, steps),
            Command::Macros { of, pairs } => self.macros.read(of, pairs),
            Command::Connect(address) => {
                self.address = address;
                let reply = self.gate.connected(now, address);
                self.reply(reply);
            }
            Command::Mail { sender, size } => {
                self.message = Message { sender: kept(sender), size, ..Message::default() };
                let reply = self.gate.mail(now, self.address, &self.macros);
                self.reply(reply);
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
                self.answer_unless(steps::QUIET_RECIPIENT, Reply::Continue);
            }
            Command::Header { name, value } => {
                self.message.header(name, value);
                let is_own = name.eq_ignore_ascii_case(HEADER.as_bytes());
                self.message.own_headers += u32::from(is_own && self.message.own_headers < OWN_HEADERS_MAX);
                self.answer_unless(steps::QUIET_HEADER, Reply::Continue);
            }
            Command::Body(piece) => {
                self.message.digest.body(piece);
                self.reply_to_body();
            }
            Command::EndOfMessage => self.end_message(),
            Command::Abort => self.forget_message(),
            Command::Quit => self.is_over = true,
            Command::QuitForNext => {
                self.forget_message();
                self.address = None;
            }
            Command::Step => self.reply(Reply::Continue),
        }
    }

    fn negotiate(&mut self, version: u32, offered_actions: u32, offered_steps: u32) {
        self.allowed = offered_actions & actions::WANTED;
        self.agreed = offered_steps & steps::WANTED;
        let version = version.min(VERSION_MAX);
        let numbers = [version, self.allowed, self.agreed].map(u32::to_be_bytes);
        put(&mut self.output, b'O', &[numbers.as_flattened()]);
    }

    /// One piece of a body is enough, where the server can leave out the others.
    fn reply_to_body(&mut self) {
        let reply = if self.agreed & steps::SKIP == 0 { b'c' } else { b's' };
        put(&mut self.output, reply, &[]);
    }

    fn end_message(&mut self) {
        match self.gate.end(self.address, &self.macros, &self.message) {
            End::Refuse { code, text } => self.reply(Reply::Refuse { code, text }),
            End::Accept { verdict, is_held } => {
                if self.allowed & actions::CHANGE_HEADERS != 0 {
                    // From the last to the first, so that those before keep their numbers.
                    for number in (1..=self.message.own_headers).rev() {
                        put(&mut self.output, b'm', &[&number.to_be_bytes(), HEADER.as_bytes(), b"\0\0"]);
                    }
                }
                if self.allowed & actions::ADD_HEADERS != 0 {
                    put(&mut self.output, b'h', &[HEADER.as_bytes(), b"\0", verdict.as_bytes(), b"\0"]);
                }
                if is_held && self.allowed & actions::QUARANTINE != 0 {
                    put(&mut self.output, b'q', &[b"sending limit reached\0"]);
                }
                // Other milters of the server have their say too: this one has no more to say.
                put(&mut self.output, b'c', &[]);
            }
        }
        self.forget_message();
    }

    fn forget_message(&mut self) {
        self.message = Message::default();
        self.macros.forget_message();
    }

    fn answer_unless(&mut self, quiet: u32, reply: Reply) {
        if self.agreed & quiet == 0 {
            self.reply(reply);
        }
    }

    fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Continue => put(&mut self.output, b'c', &[]),
            Reply::Refuse { code, text } => {
                put(&mut self.output, b'y', &[code.as_bytes(), b" ", text.as_bytes(), b"\0"]);
            }
        }
    }
}

/// An address of the envelope as text.
fn kept(path: &[u8]) -> String {
    String::from_utf8_lossy(&path[..path.len().min(PATH_BYTES_MAX)]).into_owned()
}

impl Session for MilterSession {
    fn space(&mut self) -> &mut [u8] {
        self.input.space()
    }

    fn filled(&mut self, count: usize) {
        self.input.filled(count);
    }

    fn serve(&mut self, now: Timestamp) -> usize {
        let mut served = 0;
        while !self.is_closing() && self.output.len() < OUTPUT_BYTES_MAX {
            match self.step(now) {
                Ok(Some(())) => served += 1,
                Ok(None) => break,
                Err(_) => {
                    self.gate.malformed();
                    self.is_faulty = true;
                }
            }
        }
        served
    }

    fn output(&self) -> &[u8] {
        &self.output
    }

    fn written(&mut self) {
        self.output.clear();
    }

    fn is_closing(&self) -> bool {
        self.is_faulty || self.is_over
    }

    /// Also within a message: its client may take long over it.
    fn is_idle(&self) -> bool {
        self.input.is_empty() && self.passing_over == 0
    }

    fn is_faulty(&self) -> bool {
        self.is_faulty
    }
}
