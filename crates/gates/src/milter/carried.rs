//! A session as text, for the program that takes the place of this one: an SMTP session lasts for minutes, and what was said at
//! its beginning is not said again.

use base::{Address, Timestamp};
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::gate::Message;
use super::macros::{Macros, Recipient};
use super::session::MilterDialogue;

#[derive(Serialize, Deserialize)]
struct Carried {
    agreed: u32,
    allowed: u32,
    address: Option<String>,
    queue_id: String,
    login: String,
    recipient: u8,
    connection: u64,
    messages: u64,
    number: u64,
    began: u64,
    sender: String,
    size: u64,
    to: Vec<String>,
    recipients: u32,
    own_headers: u32,
    program: String,
    digest: (u64, u64),
}

/// What recipients are, by their numbers in the text.
const RECIPIENTS: [Recipient; 4] = [Recipient::Accepted, Recipient::Unknown, Recipient::Relay, Recipient::Refused];

/// All that a dialogue knows.
pub(super) fn written(dialogue: &MilterDialogue) -> Vec<u8> {
    let MilterDialogue { gate: _, agreed, allowed, address, macros, message, connection: _, messages } = dialogue;
    let Macros { queue_id, login, recipient } = macros;
    let Message { connection, number, began, sender, size, to, recipients, own_headers, program, digest } = message;
    let carried = Carried {
        agreed: *agreed,
        allowed: *allowed,
        address: address.map(|address| address.to_string()),
        queue_id: queue_id.clone(),
        login: login.clone(),
        recipient: RECIPIENTS.iter().position(|other| other == recipient).unwrap_or(0) as u8,
        connection: *connection,
        messages: *messages,
        number: *number,
        began: began.as_millis(),
        sender: sender.clone(),
        size: *size,
        to: to.clone(),
        recipients: *recipients,
        own_headers: *own_headers,
        program: program.clone(),
        digest: digest.parts(),
    };
    // Nothing in it can fail.
    serde_json::to_vec(&carried).unwrap_or_default()
}

/// Has a new dialogue know the same; what cannot be read leaves it new.
pub(super) fn read(text: &[u8], dialogue: &mut MilterDialogue) {
    let Ok(carried) = serde_json::from_slice::<Carried>(text) else { return };
    dialogue.agreed = carried.agreed;
    dialogue.allowed = carried.allowed;
    dialogue.address = carried.address.and_then(|address| address.parse::<Address>().ok());
    dialogue.messages = carried.messages;
    dialogue.macros = Macros {
        queue_id: carried.queue_id,
        login: carried.login,
        recipient: RECIPIENTS.get(usize::from(carried.recipient)).copied().unwrap_or_default(),
    };
    dialogue.message = Message {
        // It keeps its name, though the connection has got another number.
        connection: carried.connection,
        number: carried.number,
        began: Timestamp::from_millis(carried.began),
        sender: carried.sender,
        size: carried.size,
        to: carried.to,
        recipients: carried.recipients,
        own_headers: carried.own_headers,
        program: carried.program,
        digest: Digest::of(carried.digest),
    };
}
