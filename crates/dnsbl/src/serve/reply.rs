//! Writes a reply into a buffer that is there already.

use super::query::{Edns, HEADER_BYTES, OPTION_COOKIE, OPTION_ERROR, OPTION_NSID, OPTION_PADDING, Query, code};
use super::records::{POINTER, Records};
use crate::access::{CLIENT_BYTES, SERVER_BYTES};

/// The largest reply that we take over UDP and send over it: what fits into one packet nearly everywhere (RFC 9715).
pub const UDP_BYTES_MAX: u16 = 1232;

/// The smallest buffer for a reply: what clients without EDNS take.
pub const REPLY_BYTES_MIN: usize = 512;

/// Octets of an OPT record without options.
pub(crate) const OPT_BYTES: usize = 11;

/// Replies are padded to a multiple of so many octets (RFC 8467 section 4.1).
const PADDED_BYTES: usize = 468;

/// Response codes (RFC 1035 section 4.1.1, RFC 2136, RFC 6891).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    NotAuth = 9,
    BadVers = 16,
    /// RFC 7873.
    BadCookie = 23,
}

/// Where a record stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    Answer = 0,
    Authority = 1,
}

/// A reply with nothing but a header, for what could not be read as a query: the identity, the operation and the wish
/// for recursion come back. Returns its length; `message` has a header, and `out` has room.
pub(crate) fn header_only(message: &[u8], rcode: Rcode, out: &mut [u8]) -> usize {
    out[..HEADER_BYTES].fill(0);
    out[..2].copy_from_slice(&message[..2]);
    out[2] = 0x80 | message[2] & 0x79;
    out[3] = rcode as u8;
    HEADER_BYTES
}

/// A reply of a header and an OPT record, with a cookie if there is one: 51 octets, less than one and a half times the
/// question.
pub(crate) fn header_and_opt(
    message: &[u8],
    rcode: Rcode,
    cookie: Option<[u8; CLIENT_BYTES + SERVER_BYTES]>,
    out: &mut [u8],
) -> usize {
    let mut at = header_only(message, rcode, out);
    out[11] = 1;
    let data = cookie.map_or(0, |cookie| 4 + cookie.len() as u8);
    let [size_high, size_low] = UDP_BYTES_MAX.to_be_bytes();
    let opt = [0, 0, code::OPT as u8, size_high, size_low, 0, 0, 0, 0, 0, data];
    out[at..at + OPT_BYTES].copy_from_slice(&opt);
    at += OPT_BYTES;
    if let Some(cookie) = cookie {
        out[at..at + 4].copy_from_slice(&[0, OPTION_COOKIE as u8, 0, cookie.len() as u8]);
        out[at + 4..at + 4 + cookie.len()].copy_from_slice(&cookie);
        at += 4 + cookie.len();
    }
    at
}

/// What a reply says in its OPT record besides.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extras<'a> {
    /// The server's identity, for who asks for it.
    pub(crate) nsid: &'a [u8],
    /// The client's part of a cookie and ours.
    pub(crate) cookie: Option<[u8; CLIENT_BYTES + SERVER_BYTES]>,
    /// Whether the length shall tell nothing (RFC 7830).
    pub(crate) is_padded: bool,
}

/// Why a question was refused (RFC 8914): a number and a text.
pub(crate) type ExtendedError = (u16, &'static str);

/// Octets of a record before its data, with a pointer for its name.
const FIXED_BYTES: usize = 12;

/// Octets of the record of ours that begins here.
fn record_bytes(record: &[u8]) -> usize {
    FIXED_BYTES + usize::from(u16::from_be_bytes([record[10], record[11]]))
}

/// Type and time to live of a record that is written already.
struct Kept {
    kind: u16,
    ttl: u32,
}

impl Kept {
    fn read(record: &[u8]) -> Self {
        let kind = u16::from_be_bytes([record[2], record[3]]);
        Self { kind, ttl: u32::from_be_bytes([record[6], record[7], record[8], record[9]]) }
    }
}

/// A reply to a query in the making.
pub(crate) struct Reply<'a> {
    out: &'a mut [u8],
    at: usize,
    /// Where records must end, so that the OPT record has room.
    limit: usize,
    opening: usize,
    counts: [u16; 2],
    overflow: bool,
    edns: Option<Edns>,
    extras: Extras<'a>,
    pub(crate) rcode: Rcode,
    pub(crate) authoritative: bool,
    /// Only where there are no records, so that there is room.
    pub(crate) error: Option<ExtendedError>,
    /// There shall be no reply.
    pub(crate) is_silent: bool,
}

/// A place in a reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    at: usize,
    counts: [u16; 2],
    overflow: bool,
}

impl<'a> Reply<'a> {
    /// Begins with the header and the question of `query`, letter case and all. `out` has at least
    /// [`REPLY_BYTES_MIN`] octets, of which the reply will take no more than `limit`, itself at least that many.
    pub(crate) fn begin(query: &Query<'_>, out: &'a mut [u8], limit: usize, extras: Extras<'a>) -> Self {
        let opening = query.opening.len();
        out[..opening].copy_from_slice(query.opening);
        let edns = query.edns.map(|edns| Edns { nsid: edns.nsid && !extras.nsid.is_empty(), ..edns });
        Self {
            limit: limit.min(out.len()) - edns.map_or(0, |edns| opt_bytes(edns, &extras)),
            out,
            at: opening,
            opening,
            counts: [0; 2],
            overflow: false,
            edns,
            extras,
            rcode: Rcode::NoError,
            authoritative: false,
            error: None,
            is_silent: false,
        }
    }

    /// Where the reply stands, to come back to.
    pub(crate) const fn mark(&self) -> Mark {
        Mark { at: self.at, counts: self.counts, overflow: self.overflow }
    }

    /// Forgets the records since then.
    pub(crate) const fn back_to(&mut self, mark: Mark) {
        (self.at, self.counts, self.overflow) = (mark.at, mark.counts, mark.overflow);
    }

    /// Makes whole sets of the answers that several sources have given: a record that is there twice stands once, and those
    /// of a type have one time to live, the smallest (RFC 2181 sections 5 and 5.2). To be called before anything stands
    /// behind them.
    pub(crate) fn unite_answers(&mut self) {
        if self.overflow {
            return;
        }
        let (count, end) = (self.counts[Section::Answer as usize], self.at);
        self.at = self.opening;
        self.counts[Section::Answer as usize] = 0;
        let mut from = self.opening;
        while from < end {
            let next = from + record_bytes(&self.out[from..]);
            let own = Kept::read(&self.out[from..next]);
            let mut is_new = true;
            let mut at = self.opening;
            while at < self.at {
                let behind = at + record_bytes(&self.out[at..]);
                let other = Kept::read(&self.out[at..behind]);
                is_new &=
                    other.kind != own.kind || self.out[at + FIXED_BYTES..behind] != self.out[from + FIXED_BYTES..next];
                if other.kind == own.kind {
                    let ttl = other.ttl.min(own.ttl).to_be_bytes();
                    self.out[at + 6..at + 10].copy_from_slice(&ttl);
                    self.out[from + 6..from + 10].copy_from_slice(&ttl);
                }
                at = behind;
            }
            if is_new {
                self.out.copy_within(from..next, self.at);
                self.at += next - from;
                self.counts[Section::Answer as usize] += 1;
            }
            from = next;
        }
        debug_assert!(self.counts[Section::Answer as usize] <= count, "no record is made");
    }

    /// How many answers there are.
    pub(crate) const fn answers(&self) -> usize {
        self.counts[Section::Answer as usize] as usize
    }

    /// The addresses of the A records among the answers behind the first `skipped`; none if they did not fit.
    pub(crate) fn codes(&self, skipped: usize) -> impl Iterator<Item = [u8; 4]> {
        let mut rest = &self.out[self.opening..if self.overflow { self.opening } else { self.at }];
        let mut left = self.answers();
        let records = core::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let length = rest.get(..FIXED_BYTES).map(record_bytes)?;
            let (record, behind) = rest.split_at_checked(length)?;
            rest = behind;
            Some(record)
        });
        records.skip(skipped).filter_map(|record| {
            let is_a = Kept::read(record).kind == code::A;
            record.last_chunk().filter(|_| is_a && record.len() == FIXED_BYTES + 4).copied()
        })
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        if end > self.limit {
            self.overflow = true;
        } else {
            self.out[self.at..end].copy_from_slice(bytes);
            self.at = end;
        }
    }

    /// A record in the answer, under the question's own name.
    pub(crate) fn answer(&mut self, kind: u16, ttl: u32, data: &[u8]) {
        self.record(Section::Answer, 0, kind, ttl, data);
    }

    /// A record whose owner begins at `name` in the question's name.
    pub(crate) fn record(&mut self, section: Section, name: usize, kind: u16, ttl: u32, data: &[u8]) {
        let mut fixed = [0; FIXED_BYTES];
        fixed[..2].copy_from_slice(&(POINTER | (HEADER_BYTES + name) as u16).to_be_bytes());
        fixed[2..4].copy_from_slice(&kind.to_be_bytes());
        fixed[4..6].copy_from_slice(&code::CLASS_IN.to_be_bytes());
        fixed[6..10].copy_from_slice(&ttl.to_be_bytes());
        fixed[10..].copy_from_slice(&(data.len() as u16).to_be_bytes());
        self.put(&fixed);
        self.put(data);
        self.counts[section as usize] += 1;
    }

    /// Ready records, where the name that they point to begins at `name` in the question's name.
    pub(crate) fn records(&mut self, section: Section, records: &Records, name: usize, serial: u32) {
        if self.at + records.bytes.len() > self.limit {
            self.overflow = true;
            return;
        }
        self.at = records.write(self.out, self.at, HEADER_BYTES + name, serial);
        self.counts[section as usize] += records.count;
    }

    /// Whether a record did not fit, so that the client will be told to come by TCP.
    pub(crate) const fn is_truncated(&self) -> bool {
        self.overflow
    }

    /// Tells the client to come by TCP.
    pub(crate) const fn truncate(&mut self) {
        self.overflow = true;
    }

    /// Writes the header and the OPT record. Returns the length; 0 if there shall be no reply.
    pub(crate) fn finish(mut self) -> usize {
        if self.is_silent {
            return 0;
        }
        // Half an answer is worse than none: lists would be missing in it.
        if self.overflow {
            (self.at, self.counts) = (self.opening, [0; 2]);
        }
        // The operation, RD and CD come back (RFC 1035, RFC 4035 section 3.1.6); RA, AD and the reserved bit are clear.
        let header = &mut self.out[..HEADER_BYTES];
        header[2] = 0x80 | u8::from(self.authoritative) << 2 | u8::from(self.overflow) << 1 | header[2] & 0x79;
        header[3] = header[3] & 0x10 | self.rcode as u8 & 0x0f;
        header[6..8].copy_from_slice(&self.counts[0].to_be_bytes());
        header[8..10].copy_from_slice(&self.counts[1].to_be_bytes());
        header[10..12].copy_from_slice(&u16::from(self.edns.is_some()).to_be_bytes());
        if let Some(edns) = self.edns {
            self.put_opt(edns);
        }
        self.at
    }

    /// The OPT record: our size and version, the upper bits of the response code, and the client's DO bit, which comes
    /// back as it was (RFC 3225 section 3).
    fn put_opt(&mut self, edns: Edns) {
        let Extras { nsid, cookie, is_padded } = self.extras;
        // The text goes where it has no room; the number says enough.
        let room = (self.limit - self.at).saturating_sub(6);
        let error = self.error.map(|(number, text)| (number, if text.len() <= room { text } else { "" }));
        let error = error.filter(|_| self.limit - self.at >= 6);
        let mut options = opt_bytes(edns, &self.extras) - OPT_BYTES + error.map_or(0, |(_, text)| 6 + text.len());
        self.limit += opt_bytes(edns, &self.extras);
        let length = self.at + OPT_BYTES + options + 4;
        // The largest reply of all has no whole block left.
        let padding = is_padded.then(|| length.next_multiple_of(PADDED_BYTES).min(self.limit));
        let padding = padding.and_then(|end| end.checked_sub(length));
        options += padding.map_or(0, |padding| 4 + padding);
        let mut opt = [0; OPT_BYTES];
        opt[1..3].copy_from_slice(&code::OPT.to_be_bytes());
        opt[3..5].copy_from_slice(&UDP_BYTES_MAX.to_be_bytes());
        opt[5] = (self.rcode as u16 >> 4) as u8;
        opt[7] = u8::from(edns.dnssec_ok) << 7;
        opt[9..].copy_from_slice(&(options as u16).to_be_bytes());
        self.put(&opt);
        if edns.nsid {
            self.put_option(OPTION_NSID, &[nsid]);
        }
        if let Some(cookie) = cookie {
            self.put_option(OPTION_COOKIE, &[&cookie]);
        }
        if let Some((number, text)) = error {
            self.put_option(OPTION_ERROR, &[&number.to_be_bytes(), text.as_bytes()]);
        }
        if let Some(padding) = padding {
            self.put_option(OPTION_PADDING, &[&[0; PADDED_BYTES][..padding]]);
        }
    }

    fn put_option(&mut self, number: u16, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.put(&number.to_be_bytes());
        self.put(&(length as u16).to_be_bytes());
        for part in parts {
            self.put(part);
        }
    }
}

/// Octets of the OPT record of a reply, without an extended error.
const fn opt_bytes(edns: Edns, extras: &Extras<'_>) -> usize {
    let nsid = if edns.nsid { 4 + extras.nsid.len() } else { 0 };
    let cookie = if extras.cookie.is_some() { 4 + CLIENT_BYTES + SERVER_BYTES } else { 0 };
    OPT_BYTES + nsid + cookie
}
