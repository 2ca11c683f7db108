//! Zones for secondaries: whole (AXFR, RFC 5936), in parts (IXFR, RFC 1995), announced (NOTIFY, RFC 1996) and signed
//! (TSIG, RFC 8945).
//!
//! ```text
//!  journal ──> history ──┐
//!  snapshot ─────────────┴──> rows, changes of rows ──> outgoing ──> messages ──> tsig ──> stream
//! ```
//!
//! A secondary that holds a zone answers for every address as this server does: `rows` says how networks become
//! wildcards. What differs: a wildcard's text names the network instead of the address; IPv4 addresses in IPv6 notation
//! (`::ffff:192.0.2.1`) have no names but for the test entries; and parts of addresses inside of a listed network have
//! the network's records, where we say that they have none.
//!
//! Nothing of a zone is kept for transfers: a whole zone is walked in a snapshot of the book, and an incremental one is
//! the difference of that to the same tree with the last changes taken back. Both go message by message at the pace
//! of the secondary, without a lock on the book.

mod access;
mod form;
mod history;
mod key;
mod node;
mod notify;
mod outgoing;
mod rows;
mod serial;
#[cfg(test)]
mod testing;
mod tsig;

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use base::Address;
use listings::Snapshot;
use listings::tree::Tree;

use crate::serve::wire::{
    Extras, HEADER_BYTES, NO_TRANSFER, NOT_AUTHORITATIVE, Query, Rcode, Reply, Zones, code, header_only, skip_name,
    soa_serial,
};
use crate::serve::{Asker, REPLY_BYTES_MIN, Transport};
use history::Past;
use tsig::Session;

pub use access::{Allow, Notify, SECONDARIES_MAX, Settings, SettingsFault};
pub use form::forms;
pub use history::{DELTA_CHANGES_MAX, HISTORY_MAX, History};
pub use key::{Algorithm, Key, KeyError};
pub(crate) use notify::{Announcer, Telling};
pub(crate) use outgoing::{Outgoing, Request};
use serial::{is_ahead, is_current};
pub(crate) use tsig::{Checked, Listening, Unbelieved, check, refusal, sign_request};

/// How long a transfer waits at most until the zone can be given away as it is: for the end of a start, for the journal to come up with
/// the book, for the disk. Some secondaries wait for five seconds.
pub(crate) const SETTLE_MAX: Duration = Duration::from_secs(4);

/// Who gets the zones, and what was done for them.
#[derive(Debug)]
pub struct Transfers {
    access: access::Access,
    history: Arc<History>,
    /// For each zone from which number on its records say what they say now, beside what is listed.
    since: Box<[u64]>,
    pub(crate) counters: Counters,
}

/// What was done for secondaries; read it by [`Transfers::totals`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) whole: AtomicU64,
    pub(crate) incremental: AtomicU64,
    pub(crate) fallen_back: AtomicU64,
    pub(crate) current: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) bad_signatures: AtomicU64,
    pub(crate) shed: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) notified: AtomicU64,
    pub(crate) unheard: AtomicU64,
    /// One more than the last serial of a secondary that was newer than ours; 0 if none was.
    pub(crate) ahead: AtomicU64,
}

/// What was done for secondaries since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransferTotals {
    /// Whole zones sent.
    pub whole: u64,
    /// Incremental transfers sent.
    pub incremental: u64,
    /// Incremental transfers asked for, but answered with the whole zone because the history did not reach back.
    pub fallen_back: u64,
    /// Secondaries that asked and had the newest zone.
    pub current: u64,
    /// Transfers refused to those who may not have them.
    pub refused: u64,
    /// Requests whose signature was not believed.
    pub bad_signatures: u64,
    /// Transfers refused because too many were under way.
    pub shed: u64,
    /// Transfers given up because the secondary went away or was too slow.
    pub broken: u64,
    /// Messages of transfers.
    pub messages: u64,
    /// Octets of those.
    pub bytes: u64,
    /// Notifications that a secondary took.
    pub notified: u64,
    /// Notifications given up because no answer came.
    pub unheard: u64,
    /// The last serial of a secondary that was newer than ours: such a one takes nothing from us.
    pub ahead: Option<u32>,
}

/// One more.
pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A request of a secondary that may have what it asks for.
#[derive(Debug)]
pub(crate) struct Wanted<'k> {
    /// The request without its signature.
    pub(crate) message: Vec<u8>,
    /// Octets up to the end of the question.
    opening: usize,
    has_edns: bool,
    zone: usize,
    /// What the secondary has; nothing if it wants the whole zone.
    theirs: Option<u32>,
    /// For signing the answer.
    pub(crate) session: Option<Session<'k>>,
}

/// What a request for a transfer leads to.
#[derive(Debug)]
pub(crate) enum Decision<'k> {
    /// The transfer.
    Send(Wanted<'k>),
    /// This message.
    Reply(Vec<u8>),
}

/// What is sent of a zone.
pub(crate) enum Content {
    /// The newest SOA record.
    Current,
    /// The whole zone.
    Whole,
    /// What changed since.
    Delta(Past, u32),
}

impl Transfers {
    /// Transfers by these settings, out of this history; or all faults of the settings. Of what was before the history's start nothing is
    /// sent, because the zones may have been others.
    pub fn new(settings: Settings, history: Arc<History>) -> Result<Self, Vec<SettingsFault>> {
        Ok(Self {
            access: access::Access::new(settings)?,
            history,
            since: Box::default(),
            counters: Counters::default(),
        })
    }

    /// Each zone has had its form ([`forms`]) from the number at its place on: who has it since then is sent what changed.
    #[must_use]
    pub fn with_since(self, since: Vec<u64>) -> Self {
        Self { since: since.into(), ..self }
    }

    /// The history, which must be given every entry of the book's journal.
    pub const fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// Whether anybody is told of changes.
    pub(crate) const fn has_notify(&self) -> bool {
        !self.access.notify.is_empty()
    }

    /// What was done until now.
    pub fn totals(&self) -> TransferTotals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let own = &self.counters;
        TransferTotals {
            whole: load(&own.whole),
            incremental: load(&own.incremental),
            fallen_back: load(&own.fallen_back),
            current: load(&own.current),
            refused: load(&own.refused),
            bad_signatures: load(&own.bad_signatures),
            shed: load(&own.shed),
            broken: load(&own.broken),
            messages: load(&own.messages),
            bytes: load(&own.bytes),
            notified: load(&own.notified),
            unheard: load(&own.unheard),
            ahead: load(&own.ahead).checked_sub(1).and_then(|serial| u32::try_from(serial).ok()),
        }
    }

    /// Whether the query is for [`Transfers::reply`]. `is_in_book` says whether it is about a zone that is transferred.
    pub(crate) fn is_for(query: &Query<'_>, transport: Transport, is_in_book: impl FnOnce(&Query<'_>) -> bool) -> bool {
        query.signed || query.kind == code::IXFR && !transport.is_stream() && is_in_book(query)
    }

    /// Answers a query that is signed, or asks for an incremental transfer of a zone of the book in a datagram. `plain` answers
    /// queries without either into the buffer that it is given. Returns the reply's length in `out`; 0 if there is none.
    pub(crate) fn reply(
        &self,
        asker: &Asker,
        message: &[u8],
        out: &mut [u8],
        is_in_book: impl FnOnce(&Query<'_>) -> bool,
        plain: impl Fn(&[u8], &mut [u8]) -> usize,
    ) -> usize {
        let (message, session) = match self.unwrap(asker, message) {
            Ok(unwrapped) => unwrapped,
            Err(reply) => return put(out, &reply),
        };
        let length = match Query::parse(&message) {
            // The answer to a datagram is the newest serial, with which the client comes by TCP; what changed does not fit
            // (RFC 1995 sections 2 and 4). Who would be refused there is refused here.
            Ok(query) if query.kind == code::IXFR && !asker.transport.is_stream() && is_in_book(&query) => {
                if !self.access.allows(asker.address, session.as_ref().map(|session| session.key)) {
                    bump(&self.counters.refused);
                    let length = error_reply(&message, Rcode::Refused, out);
                    return Self::signed(length, session, asker, out);
                }
                let question = query.opening.len();
                let mut as_soa = query.opening.to_vec();
                as_soa[6..HEADER_BYTES].fill(0);
                as_soa[question - 4..question - 2].copy_from_slice(&code::SOA.to_be_bytes());
                let length = plain(&as_soa, out);
                if length >= question {
                    out[question - 4..question - 2].copy_from_slice(&code::IXFR.to_be_bytes());
                    if let (Some(ours), Some(theirs)) = (soa_in(&out[..length], question), soa_in(&message, question)) {
                        self.compare(ours, theirs);
                    }
                }
                length
            }
            _ => plain(&message, out),
        };
        Self::signed(length, session, asker, out)
    }

    /// Signs the reply in `out` if the query was signed. Returns its length then.
    fn signed(length: usize, session: Option<Session<'_>>, asker: &Asker, out: &mut [u8]) -> usize {
        let Some(mut session) = session.filter(|_| length > 0) else { return length };
        let mut reply = out[..length].to_vec();
        let limit = match asker.transport {
            Transport::Tcp | Transport::Tls => out.len(),
            // Whoever signs has a server's buffers; the reply that did not fit without is short already.
            Transport::Udp { max } => out.len().min(usize::from(max)),
        };
        if reply.len() + session.record_bytes() > limit {
            reply = truncated(reply);
        }
        session.sign(&mut reply, asker.now.as_secs());
        put(out, &reply)
    }

    /// Decides about a message of a stream that asks for a transfer.
    pub(crate) fn decide(&self, zones: &Zones, asker: &Asker, message: &[u8]) -> Decision<'_> {
        let (message, mut session) = match self.unwrap(asker, message) {
            Ok(unwrapped) => unwrapped,
            Err(reply) => return Decision::Reply(reply),
        };
        match self.wanted(zones, asker.address, &message, session.as_ref()) {
            Ok((zone, theirs, opening, has_edns)) => {
                Decision::Send(Wanted { message, opening, has_edns, zone, theirs, session })
            }
            Err(rcode) => {
                if rcode == Rcode::Refused {
                    bump(&self.counters.refused);
                }
                let mut reply = vec![0; REPLY_BYTES_MIN.max(HEADER_BYTES + message.len())];
                let length = error_reply(&message, rcode, &mut reply);
                reply.truncate(length);
                if let Some(session) = &mut session {
                    session.sign(&mut reply, asker.now.as_secs());
                }
                Decision::Reply(reply)
            }
        }
    }

    fn wanted(
        &self,
        zones: &Zones,
        client: Address,
        message: &[u8],
        session: Option<&Session<'_>>,
    ) -> Result<(usize, Option<u32>, usize, bool), Rcode> {
        let query = Query::parse(message).map_err(|_| Rcode::FormErr)?;
        let zone = zones.all.iter().position(|zone| query.name.is_exactly(&zone.name));
        let zone = zone.filter(|_| query.class == code::CLASS_IN).ok_or(Rcode::NotAuth)?;
        if !self.access.allows(client, session.map(|session| session.key)) {
            return Err(Rcode::Refused);
        }
        let theirs = match query.kind {
            code::IXFR => Some(soa_in(message, query.opening.len()).ok_or(Rcode::FormErr)?),
            _ => None,
        };
        Ok((zone, theirs, query.opening.len(), query.edns.is_some()))
    }

    /// The message without its signature, if it has one; or the reply to one that is not believed.
    fn unwrap(&self, asker: &Asker, message: &[u8]) -> Result<(Vec<u8>, Option<Session<'_>>), Vec<u8>> {
        if !Query::parse(message).is_ok_and(|query| query.signed) {
            return Ok((message.to_vec(), None));
        }
        match check(&self.access.keys, message, asker.now.as_secs()) {
            Checked::Signed { message, session } => Ok((message, Some(session))),
            Checked::Refused { message, record } => {
                bump(&self.counters.bad_signatures);
                Err(refusal(&message, &record))
            }
            Checked::Malformed => {
                bump(&self.counters.bad_signatures);
                let mut reply = vec![0; HEADER_BYTES];
                header_only(message, Rcode::FormErr, &mut reply);
                Err(reply)
            }
        }
    }

    /// Remembers a secondary that is ahead of us.
    fn compare(&self, ours: u32, theirs: u32) {
        if is_ahead(ours, theirs) {
            self.counters.ahead.store(u64::from(theirs) + 1, Ordering::Relaxed);
        }
    }

    /// What a secondary is sent out of `snapshot`; nothing if that cannot be given away under its serial. It may wait for that.
    pub(crate) fn content(&self, zones: &Zones, snapshot: &Snapshot, wanted: &Wanted<'_>) -> Option<Content> {
        let serial = snapshot.serial();
        if let Some(theirs) = wanted.theirs.filter(|theirs| is_current(serial, *theirs)) {
            self.compare(soa_serial(serial), theirs);
            bump(&self.counters.current);
            return Some(Content::Current);
        }
        if snapshot.is_torn() || !self.history.wait_for(serial, SETTLE_MAX) {
            return None;
        }
        let since = self.since.get(wanted.zone).copied().unwrap_or_else(|| self.history.start());
        let members = zones.all[wanted.zone].members;
        let past = |theirs| Some((self.history.past(snapshot.tree(), serial, members, theirs, since)?, theirs));
        if let Some((past, theirs)) = wanted.theirs.and_then(past) {
            bump(&self.counters.incremental);
            return Some(Content::Delta(past, theirs));
        }
        if wanted.theirs.is_some() {
            bump(&self.counters.fallen_back);
        }
        bump(&self.counters.whole);
        Some(Content::Whole)
    }

    /// The answer to a request for what cannot be given away now: the secondary shall come again.
    pub(crate) fn not_now(wanted: &Wanted<'_>) -> Vec<u8> {
        let mut reply = vec![0; REPLY_BYTES_MIN.max(HEADER_BYTES + wanted.message.len())];
        let length = error_reply(&wanted.message, Rcode::ServFail, &mut reply);
        reply.truncate(length);
        reply
    }
}

impl Wanted<'_> {
    /// The messages of the answer.
    pub(crate) fn outgoing<'a>(
        &'a self,
        zones: &'a Zones,
        tree: &'a Tree,
        serial: u64,
        content: &'a Content,
    ) -> Outgoing<'a> {
        let opening = &self.message[..self.opening];
        let request = Request { zones, zone: self.zone, opening, has_edns: self.has_edns };
        let serial = soa_serial(serial);
        match content {
            Content::Current => Outgoing::single(request, serial),
            Content::Whole => Outgoing::whole(request, tree, serial),
            Content::Delta(past, theirs) => Outgoing::delta(request, tree, serial, past, *theirs),
        }
    }
}

/// The serial of the SOA record that follows the question of a request.
fn soa_in(message: &[u8], at: usize) -> Option<u32> {
    let fixed = skip_name(message, at)?;
    if message.get(fixed..fixed + 2)? != code::SOA.to_be_bytes() {
        return None;
    }
    let at = skip_name(message, skip_name(message, fixed + 10)?)?;
    Some(u32::from_be_bytes(*message.get(at..)?.first_chunk()?))
}

/// A reply to a request that could be read: with its question, and for who speaks EDNS with an OPT record (RFC 6891 section
/// 6.1.1), which says why.
fn error_reply(message: &[u8], rcode: Rcode, out: &mut [u8]) -> usize {
    let Ok(query) = Query::parse(message) else { return header_only(message, rcode, out) };
    let limit = out.len();
    let mut reply = Reply::begin(&query, out, limit, Extras::default());
    reply.rcode = rcode;
    let reasons = [(Rcode::Refused, NO_TRANSFER), (Rcode::NotAuth, (NOT_AUTHORITATIVE, ""))];
    reply.error = reasons.into_iter().find(|(of, _)| *of == rcode).map(|(_, error)| error);
    reply.finish()
}

/// The reply cut after its question: the client shall come by TCP.
fn truncated(mut reply: Vec<u8>) -> Vec<u8> {
    let end = skip_name(&reply, HEADER_BYTES).map_or(HEADER_BYTES, |name| name + 4);
    reply.truncate(end);
    reply[2] |= 0x02;
    reply[6..HEADER_BYTES].fill(0);
    reply
}

fn put(out: &mut [u8], reply: &[u8]) -> usize {
    let length = reply.len().min(out.len());
    out[..length].copy_from_slice(&reply[..length]);
    length
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod refusal_tests;
