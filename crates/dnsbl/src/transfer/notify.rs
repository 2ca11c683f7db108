//! Telling secondaries that a zone has changed (RFC 1996): what is to be sent when, as a state machine without a clock.
//!
//! Changes are coalesced: a zone is announced to a secondary at most once in a while, however often it changes. An
//! announcement is repeated, at longer and longer intervals, until the secondary answers; a newer change replaces it.

use core::net::SocketAddr;
use core::time::Duration;

use base::Timestamp;

use super::tsig::{Session, sign_request};
use super::{Transfers, bump};
use crate::serve::wire::{HEADER_BYTES, Zones, code};

/// The shortest time between two announcements of a zone to a secondary.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the first answer is waited for; each time twice as long as before (RFC 1996 section 3.6 allows as much).
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// How often an announcement is sent.
const ATTEMPTS_MAX: u32 = 6;

/// The operation NOTIFY, with the bit of authoritative answers (RFC 1996 section 3.7).
const NOTIFY_FLAGS: u8 = 4 << 3 | 0x04;

/// A message to be sent.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) to: SocketAddr,
    pub(crate) message: Vec<u8>,
}

/// What each secondary has been told of each zone.
pub(crate) struct Announcer<'a> {
    zones: &'a Zones,
    transfers: &'a Transfers,
    talks: Vec<Talk<'a>>,
    next_id: u16,
}

/// One zone and one secondary.
struct Talk<'a> {
    zone: usize,
    to: SocketAddr,
    key: Option<usize>,
    /// The last change of the zone that was announced.
    announced: Option<u64>,
    /// The announcement that has no answer yet.
    open: Option<Open<'a>>,
    /// Not before this moment is the next one sent.
    not_before: Timestamp,
}

struct Open<'a> {
    id: u16,
    attempts: u32,
    again_at: Timestamp,
    session: Option<Session<'a>>,
}

impl<'a> Announcer<'a> {
    /// One that has told nobody anything. `first_id` shall be hard to guess.
    pub(crate) fn new(zones: &'a Zones, transfers: &'a Transfers, first_id: u16) -> Self {
        let each_zone = |(to, key): &(SocketAddr, Option<usize>)| {
            let talk =
                |zone| Talk { zone, to: *to, key: *key, announced: None, open: None, not_before: Timestamp::EPOCH };
            (0..zones.all.len()).map(talk).collect::<Vec<_>>()
        };
        let talks = transfers.access.notify.iter().flat_map(each_zone).collect();
        Self { zones, transfers, talks, next_id: first_id }
    }

    /// What is to be sent now.
    pub(crate) fn poll(&mut self, now: Timestamp) -> Vec<Telling> {
        let mut out = Vec::new();
        if !self.transfers.history.wait_open(Duration::ZERO) {
            return out;
        }
        for talk in &mut self.talks {
            let newest = self.transfers.history.newest_of(self.zones.all[talk.zone].members);
            if talk.open.as_ref().is_some_and(|open| open.again_at <= now && open.attempts >= ATTEMPTS_MAX) {
                talk.open = None;
                bump(&self.transfers.counters.unheard);
            }
            let is_new = talk.announced != Some(newest) && talk.not_before <= now;
            let attempts = match &talk.open {
                _ if is_new => 1,
                Some(open) if open.again_at <= now => open.attempts + 1,
                _ => continue,
            };
            talk.announced = Some(newest);
            talk.not_before = now.plus(PAUSE);
            self.next_id = self.next_id.wrapping_mul(25_173).wrapping_add(13_849);
            let id = self.next_id;
            let mut message = notification(id, self.zones.all[talk.zone].name.wire());
            let key = talk.key.map(|key| &self.transfers.access.keys[key]);
            let session = key.map(|key| sign_request(key, &mut message, now.as_secs()));
            let again_at = now.plus(FIRST_WAIT * (1 << (attempts - 1)));
            talk.open = Some(Open { id, attempts, again_at, session });
            out.push(Telling { to: talk.to, message });
        }
        out
    }

    /// Takes an answer in. Whatever the secondary says, it has heard.
    pub(crate) fn heard(&mut self, from: SocketAddr, message: &[u8], now: Timestamp) {
        let Some(header) = message.first_chunk::<HEADER_BYTES>() else { return };
        if header[2] & 0xf8 != 0x80 | 4 << 3 {
            return;
        }
        let id = u16::from_be_bytes([header[0], header[1]]);
        let is_answer = |talk: &Talk<'_>| {
            talk.to == from
                && talk.open.as_ref().is_some_and(|open| {
                    open.id == id && open.session.as_ref().is_none_or(|s| s.is_answer(message, now.as_secs()))
                })
        };
        if let Some(talk) = self.talks.iter_mut().find(|talk| is_answer(talk)) {
            talk.open = None;
            bump(&self.transfers.counters.notified);
        }
    }
}

/// A NOTIFY for the zone of this name.
fn notification(id: u16, name: &[u8]) -> Vec<u8> {
    let mut out = id.to_be_bytes().to_vec();
    out.extend_from_slice(&[NOTIFY_FLAGS, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(name);
    out.extend_from_slice(&code::SOA.to_be_bytes());
    out.extend_from_slice(&code::CLASS_IN.to_be_bytes());
    out
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
