//! A mail server shows each message on its way: the milter protocol, version 6, of Sendmail and Postfix.
//!
//! ```text
//! O negotiation ── C connect ── M MAIL ── R RCPT … ── L header … ── E end of message ──┐
//!                                ^                                                      │ the next message
//!                                └──────────────────────── A abort <────────────────────┘
//! ```
//!
//! A packet is its length (four bytes, network order), a command, and data; macros come in packets of their own (`D`) before
//! the command that they belong to. There is no standard: the protocol is what Sendmail's `libmilter/mfdef.h` and Postfix'
//! `src/milter/milter8.c` do.
//!
//! Only what is needed is asked for: of bodies the first piece, by which a text is known that is sent again and again, and no
//! answers where nothing can be said.

mod carried;
mod digest;
mod gate;
mod macros;
mod packet;
mod session;

pub use gate::{Count, Counters, Gate, HEADER};
pub use packet::{Command, PACKET_BYTES_MAX};
pub use session::MilterDialogue;
