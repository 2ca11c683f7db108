//! Announcements of primaries (RFC 1996): heeded when they come from one, signed where it has a key.

use core::sync::atomic::Ordering;

use super::{Mirrors, Slot};
use crate::serve::Asker;
use crate::serve::name::QuestionName;
use crate::serve::reply::{Rcode, header_only};
use crate::serve::wire::{HEADER_BYTES, code, skip_name};
use crate::transfer::{Checked, check, refusal};

/// The operation in the header's third octet.
const NOTIFY: u8 = 4 << 3;

impl Mirrors {
    /// Whether the message is an announcement, which is then for [`Mirrors::notified`].
    pub(crate) fn is_notify(message: &[u8]) -> bool {
        message.len() >= HEADER_BYTES && message[2] & 0xf8 == NOTIFY
    }

    /// Takes an announcement in and writes the answer. Returns its length.
    pub(crate) fn notified(&self, asker: &Asker, message: &[u8], out: &mut [u8]) -> usize {
        let Some((name, end)) = question(message) else { return header_only(message, Rcode::FormErr, out) };
        let Some(slot) = self.slots.iter().find(|slot| slot.is_zone(name.wire())) else {
            return header_only(message, Rcode::NotAuth, out);
        };
        let primaries = || slot.primaries_at(asker.address.ip());
        let is_signed = ends_with_signature(message);
        let plain = |rcode| {
            let mut reply = message[..end].to_vec();
            reply[2] = 0x80 | NOTIFY | 0x04;
            reply[3] = rcode as u8;
            reply[4..HEADER_BYTES].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
            reply
        };
        let keys: Vec<_> = primaries().filter_map(|primary| primary.key.clone()).collect();
        let reply = if is_signed {
            match check(&keys, message, asker.now.as_secs()) {
                Checked::Signed { mut session, .. } => {
                    slot.heed();
                    let mut reply = plain(Rcode::NoError);
                    session.sign(&mut reply, asker.now.as_secs());
                    reply
                }
                Checked::Refused { message, record } => {
                    slot.count_stranger();
                    refusal(&message, &record)
                }
                Checked::Malformed => {
                    slot.count_stranger();
                    return header_only(message, Rcode::FormErr, out);
                }
            }
        } else if primaries().any(|primary| primary.key.is_none()) {
            slot.heed();
            plain(Rcode::NoError)
        } else {
            slot.count_stranger();
            plain(Rcode::Refused)
        };
        let length = reply.len().min(out.len());
        out[..length].copy_from_slice(&reply[..length]);
        length
    }
}

impl Slot {
    fn heed(&self) {
        self.counters.announced.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn count_stranger(&self) {
        self.counters.strangers.fetch_add(1, Ordering::Relaxed);
    }
}

/// The question's name, and where the question ends.
fn question(message: &[u8]) -> Option<(QuestionName<'_>, usize)> {
    if message[4..6] != [0, 1] {
        return None;
    }
    let name = QuestionName::read(&message[HEADER_BYTES..])?;
    let end = HEADER_BYTES + name.wire().len() + 4;
    let wanted = [code::SOA.to_be_bytes(), code::CLASS_IN.to_be_bytes()].concat();
    (message.get(end - 4..end)? == wanted).then_some((name, end))
}

/// Whether the last record is a signature.
fn ends_with_signature(message: &[u8]) -> bool {
    let count = |at: usize| u32::from(u16::from_be_bytes([message[at], message[at + 1]]));
    let last = || {
        let mut at = skip_name(message, HEADER_BYTES)? + 4;
        let mut kind = 0;
        for _ in 0..count(6) + count(8) + count(10) {
            let fixed = skip_name(message, at)?;
            let &[k0, k1, .., l0, l1] = message.get(fixed..)?.first_chunk::<10>()?;
            kind = u16::from_be_bytes([k0, k1]);
            at = fixed + 10 + usize::from(u16::from_be_bytes([l0, l1]));
        }
        Some(kind)
    };
    count(10) > 0 && last() == Some(code::TSIG)
}
