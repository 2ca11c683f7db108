//! Writes a reply into a buffer that is there already.

use super::query::{Edns, HEADER_BYTES, OPTION_NSID, Query, code};
use super::records::Records;

/// The largest reply that we take over UDP and send over it: what fits into one packet nearly everywhere (RFC 9715).
pub const UDP_BYTES_MAX: u16 = 1232;

/// The smallest buffer for a reply: what clients without EDNS take.
pub const REPLY_BYTES_MIN: usize = 512;

/// The name of the question, as a compression pointer.
const QUESTION_NAME: [u8; 2] = [0xc0, HEADER_BYTES as u8];

/// Octets of an OPT record without options.
const OPT_BYTES: usize = 11;

/// Response codes (RFC 1035 section 4.1.1, RFC 2136, RFC 6891).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rcode {
    NoError = 0,
    FormErr = 1,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    NotAuth = 9,
    BadVers = 16,
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

/// A reply to a query in the making.
pub(crate) struct Reply<'a> {
    out: &'a mut [u8],
    at: usize,
    /// Where records must end, so that the OPT record has room.
    limit: usize,
    opening: usize,
    counts: [u16; 2],
    overflow: bool,
    pub(crate) rcode: Rcode,
    pub(crate) authoritative: bool,
}

impl<'a> Reply<'a> {
    /// Begins with the header and the question of `query`, letter case and all. `out` has at least
    /// [`REPLY_BYTES_MIN`] octets, of which the reply will take no more than `limit`, itself at least that many.
    pub(crate) fn begin(query: &Query<'_>, out: &'a mut [u8], limit: usize, nsid: &[u8]) -> Self {
        let opening = query.opening.len();
        out[..opening].copy_from_slice(query.opening);
        let limit = limit.min(out.len()) - query.edns.map_or(0, |edns| opt_bytes(edns, nsid));
        let rcode = Rcode::NoError;
        Self { out, at: opening, limit, opening, counts: [0; 2], overflow: false, rcode, authoritative: false }
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
        let mut fixed = [0; 12];
        fixed[..2].copy_from_slice(&QUESTION_NAME);
        fixed[2..4].copy_from_slice(&kind.to_be_bytes());
        fixed[4..6].copy_from_slice(&code::CLASS_IN.to_be_bytes());
        fixed[6..10].copy_from_slice(&ttl.to_be_bytes());
        fixed[10..].copy_from_slice(&(data.len() as u16).to_be_bytes());
        self.put(&fixed);
        self.put(data);
        self.counts[Section::Answer as usize] += 1;
    }

    /// Ready records, where the name that they point to begins at `name` in the question's name.
    pub(crate) fn records(&mut self, section: Section, records: &Records, name: usize, serial: u32) {
        let start = self.at;
        self.put(&records.bytes);
        if self.overflow {
            return;
        }
        let bytes = &mut self.out[start..self.at];
        for place in &records.pointers {
            let place = usize::from(*place);
            let pointer = u16::from_be_bytes([bytes[place], bytes[place + 1]]) + (HEADER_BYTES + name) as u16;
            bytes[place..place + 2].copy_from_slice(&pointer.to_be_bytes());
        }
        if let Some(place) = records.serial {
            bytes[place..place + 4].copy_from_slice(&serial.to_be_bytes());
        }
        self.counts[section as usize] += records.count;
    }

    /// Whether a record did not fit, so that the client will be told to come by TCP.
    pub(crate) const fn is_truncated(&self) -> bool {
        self.overflow
    }

    /// Writes the header and the OPT record. Returns the length.
    pub(crate) fn finish(mut self, edns: Option<Edns>, nsid: &[u8]) -> usize {
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
        header[10..12].copy_from_slice(&u16::from(edns.is_some()).to_be_bytes());
        if let Some(edns) = edns {
            self.limit += opt_bytes(edns, nsid);
            self.put_opt(edns, nsid);
        }
        self.at
    }

    /// The OPT record: our size and version, the upper bits of the response code, and the client's DO bit, which comes
    /// back as it was (RFC 3225 section 3).
    fn put_opt(&mut self, edns: Edns, nsid: &[u8]) {
        let mut opt = [0; OPT_BYTES];
        opt[1..3].copy_from_slice(&code::OPT.to_be_bytes());
        opt[3..5].copy_from_slice(&UDP_BYTES_MAX.to_be_bytes());
        opt[5] = (self.rcode as u16 >> 4) as u8;
        opt[7] = u8::from(edns.dnssec_ok) << 7;
        let options = opt_bytes(edns, nsid) - OPT_BYTES;
        opt[9..].copy_from_slice(&(options as u16).to_be_bytes());
        self.put(&opt);
        if options > 0 {
            self.put(&OPTION_NSID.to_be_bytes());
            self.put(&(nsid.len() as u16).to_be_bytes());
            self.put(nsid);
        }
    }
}

/// Octets of the OPT record of a reply.
const fn opt_bytes(edns: Edns, nsid: &[u8]) -> usize {
    OPT_BYTES + if edns.nsid && !nsid.is_empty() { 4 + nsid.len() } else { 0 }
}
