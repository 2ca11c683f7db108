//! Reads a query: header, one question, and what matters of the additional records.
//!
//! Whatever comes in, the work is linear in the message and nothing is allocated.

use super::name::{QuestionName, skip_name};
use crate::access::{CLIENT_BYTES, SERVER_BYTES};

/// Octets of a message's header (RFC 1035 section 4.1.1).
pub(crate) const HEADER_BYTES: usize = 12;

/// Record types, question types and classes by their numbers.
pub(crate) mod code {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const MX: u16 = 15;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const DS: u16 = 43;
    pub(crate) const TSIG: u16 = 250;
    pub(crate) const IXFR: u16 = 251;
    pub(crate) const AXFR: u16 = 252;
    pub(crate) const ANY: u16 = 255;
    pub(crate) const CLASS_IN: u16 = 1;
}

/// EDNS option "cookie" (RFC 7873).
pub(crate) const OPTION_COOKIE: u16 = 10;

/// EDNS option "padding" (RFC 7830).
pub(crate) const OPTION_PADDING: u16 = 12;

/// EDNS option "extended error" (RFC 8914).
pub(crate) const OPTION_ERROR: u16 = 15;

/// EDNS option "name server identifier" (RFC 5001).
pub(crate) const OPTION_NSID: u16 = 3;

/// Smallest payload that every client takes, whatever it says (RFC 6891 section 6.2.5).
const UDP_BYTES_MIN: u16 = 512;

/// A query with one question.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    /// The whole message up to the end of the question: what a reply begins with.
    pub(crate) opening: &'a [u8],
    /// The name asked about.
    pub(crate) name: QuestionName<'a>,
    /// The type asked for.
    pub(crate) kind: u16,
    /// The class asked for.
    pub(crate) class: u16,
    /// What the client said about extensions, if it did.
    pub(crate) edns: Option<Edns>,
    /// Whether the message carries a signature (RFC 8945).
    pub(crate) signed: bool,
    /// Whether the operation is another than QUERY.
    pub(crate) is_other_operation: bool,
}

/// What an OPT record says (RFC 6891).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Edns {
    /// Largest reply that the client takes over UDP, at least 512 octets.
    pub(crate) udp_bytes: u16,
    /// The version of the extension; 0 is the only one there is.
    pub(crate) version: u8,
    /// Whether the client understands DNSSEC.
    pub(crate) dnssec_ok: bool,
    /// Whether the client wants to know which server answers.
    pub(crate) nsid: bool,
    /// The client's cookie.
    pub(crate) cookie: Option<Cookie>,
}

/// A cookie (RFC 7873 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cookie {
    /// The client's part.
    pub(crate) client: [u8; CLIENT_BYTES],
    /// The server's part, if it is as long as ours.
    pub(crate) server: Option<[u8; SERVER_BYTES]>,
}

impl Cookie {
    /// None if it is shorter or longer than a cookie can be.
    fn read(data: &[u8]) -> Option<Self> {
        let (client, server) = data.split_first_chunk()?;
        let is_possible = matches!(server.len(), 0 | 8..=32);
        is_possible.then(|| Self { client: *client, server: server.try_into().ok() })
    }
}

/// Why a message is no query to be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Too short to have a header, or itself a response: answering would let two servers talk for ever.
    Ignore,
    /// An operation other than QUERY, whose message is not built like a query.
    Operation,
    /// Not as RFC 1035 and RFC 6891 want it: other than one question, records where a query has none, two OPT
    /// records, a name that is cut off or compressed, octets behind the last record.
    Format,
}

impl<'a> Query<'a> {
    /// The query in `message`.
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, Fault> {
        let Some((header, body)) = message.split_first_chunk::<HEADER_BYTES>() else { return Err(Fault::Ignore) };
        if header[2] & 0x80 != 0 {
            return Err(Fault::Ignore);
        }
        let is_other_operation = header[2] & 0x78 != 0;
        let query = Self::parse_body(message, header, body, is_other_operation);
        query.ok_or(if is_other_operation { Fault::Operation } else { Fault::Format })
    }

    fn parse_body(
        message: &'a [u8],
        header: &[u8; HEADER_BYTES],
        body: &'a [u8],
        is_other_operation: bool,
    ) -> Option<Self> {
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        if count(4) != 1 || count(6) != 0 {
            return None;
        }
        let name = QuestionName::read(body)?;
        let end = HEADER_BYTES + name.wire().len() + 4;
        let &[.., k0, k1, c0, c1] = message.get(..end)? else { return None };
        let (kind, class) = (u16::from_be_bytes([k0, k1]), u16::from_be_bytes([c0, c1]));
        // Only a question for an incremental transfer has an authority record, the SOA that the client holds, and it has one
        // (RFC 1995 section 3).
        if count(8) != u16::from(kind == code::IXFR) || kind == code::OPT {
            return None;
        }
        let opening = &message[..end];
        let mut query = Query { opening, name, kind, class, edns: None, signed: false, is_other_operation };
        query.read_records(message, end, count(8), count(10))?;
        Some(query)
    }

    /// Reads the records behind the question, and nothing may stand behind them.
    fn read_records(&mut self, message: &[u8], mut at: usize, authority: u16, additional: u16) -> Option<()> {
        for index in 0..u32::from(authority) + u32::from(additional) {
            let record = Record::read(message, at)?;
            at = record.end;
            let is_additional = index >= u32::from(authority);
            match record.kind {
                code::OPT if is_additional && self.edns.is_none() && record.at_root => {
                    self.edns = Some(Edns::read(&record)?);
                }
                // A signature is the last record, or it is none (RFC 8945 section 5.1).
                code::TSIG if is_additional && at == message.len() => self.signed = true,
                code::OPT | code::TSIG => return None,
                _ => {}
            }
        }
        (at == message.len()).then_some(())
    }
}

/// What the OPT record says of a message that is no query, where one stands in its additional part: the reply has one too then
/// (RFC 6891 section 6.1.1), and a message without a question that carries a cookie asks for ours (RFC 7873 section 5.4).
pub(crate) struct Stray {
    /// The cookie of a message that is without fault but for the question that it has not.
    pub(crate) cookie: Option<Cookie>,
}

impl Stray {
    /// None without an OPT record, or with more than one, or where what stands before it cannot be read.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER_BYTES>()?;
        let count = |at: usize| u32::from(u16::from_be_bytes([header[at], header[at + 1]]));
        let mut at = HEADER_BYTES;
        for _ in 0..count(4) {
            at = skip_name(message, at)? + 4;
        }
        let (before, mut opt) = (count(6) + count(8), None);
        for index in 0..before + count(10) {
            let record = Record::read(message, at)?;
            at = record.end;
            if record.kind == code::OPT && (index < before || !record.at_root || opt.replace(record).is_some()) {
                return None;
            }
        }
        let opt = opt?;
        let is_alone = count(4) == 0 && before == 0 && count(10) == 1 && at == message.len() && header[2] & 0x78 == 0;
        Some(Self { cookie: Edns::read(&opt).filter(|_| is_alone).and_then(|edns| edns.cookie) })
    }
}

/// One record, as far as it matters here.
struct Record<'a> {
    at_root: bool,
    kind: u16,
    class: u16,
    ttl: [u8; 4],
    data: &'a [u8],
    end: usize,
}

impl<'a> Record<'a> {
    fn read(message: &'a [u8], at: usize) -> Option<Self> {
        let fixed = skip_name(message, at)?;
        let &[k0, k1, c0, c1, t0, t1, t2, t3, l0, l1] = message.get(fixed..)?.first_chunk::<10>()?;
        let end = fixed + 10 + usize::from(u16::from_be_bytes([l0, l1]));
        Some(Self {
            at_root: message[at] == 0,
            kind: u16::from_be_bytes([k0, k1]),
            class: u16::from_be_bytes([c0, c1]),
            ttl: [t0, t1, t2, t3],
            data: message.get(fixed + 10..end)?,
            end,
        })
    }
}

impl Edns {
    /// None if the options do not fill the record exactly. Unknown options are passed over (RFC 6891 section 6.1.2).
    fn read(record: &Record<'_>) -> Option<Self> {
        let (mut nsid, mut cookie) = (false, None);
        let mut rest = record.data;
        while !rest.is_empty() {
            let (&[o0, o1, l0, l1], behind) = rest.split_first_chunk::<4>()?;
            let (data, next) = behind.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
            rest = next;
            match u16::from_be_bytes([o0, o1]) {
                OPTION_NSID => nsid = true,
                // Of several the first counts (RFC 7873 section 5.2).
                OPTION_COOKIE if cookie.is_none() => cookie = Some(Cookie::read(data)?),
                _ => {}
            }
        }
        let [_, version, flags, _] = record.ttl;
        Some(Self { udp_bytes: record.class.max(UDP_BYTES_MIN), version, dnssec_ok: flags & 0x80 != 0, nsid, cookie })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query for `a.` with these counts and this tail behind the question.
    fn message(counts: [u8; 4], kind: u8, tail: &[u8]) -> Vec<u8> {
        let mut out = vec![1, 2, 1, 0, 0, counts[0], 0, counts[1], 0, counts[2], 0, counts[3]];
        out.extend_from_slice(&[1, b'a', 0, 0, kind, 0, 1]);
        out.extend_from_slice(tail);
        out
    }

    const OPT: &[u8] = &[0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 0];

    /// What it is, the four counts, the type, what stands behind the question, and whether it is a query.
    type Shape<'a> = (&'a str, [u8; 4], u8, &'a [u8], Result<(), Fault>);

    #[test]
    fn shapes() {
        let two = [OPT, OPT].concat();
        let named_opt = [&[1, b'a'], OPT].concat();
        let other = [1, b'x', 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4];
        let tsig = [1, b'x', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0];
        let cases: [Shape<'_>; 15] = [
            ("plain", [1, 0, 0, 0], 1, &[], Ok(())),
            ("edns", [1, 0, 0, 1], 1, OPT, Ok(())),
            ("edns and another record", [1, 0, 0, 2], 1, &[OPT, &other].concat(), Ok(())),
            ("signed", [1, 0, 0, 2], 1, &[OPT, &tsig].concat(), Ok(())),
            ("signature not last", [1, 0, 0, 2], 1, &[&tsig, OPT].concat(), Err(Fault::Format)),
            ("no question", [0, 0, 0, 0], 1, &[], Err(Fault::Format)),
            ("two questions", [2, 0, 0, 0], 1, &[1, b'a', 0, 0, 1, 0, 1], Err(Fault::Format)),
            ("an answer", [1, 1, 0, 0], 1, &other, Err(Fault::Format)),
            ("an authority record", [1, 0, 1, 0], 1, &other, Err(Fault::Format)),
            ("an incremental transfer", [1, 0, 1, 0], 251, &other, Ok(())),
            ("an incremental transfer from nowhere", [1, 0, 0, 0], 251, &[], Err(Fault::Format)),
            ("two OPT", [1, 0, 0, 2], 1, &two, Err(Fault::Format)),
            ("OPT with a name", [1, 0, 0, 1], 1, &named_opt, Err(Fault::Format)),
            ("octets behind", [1, 0, 0, 0], 1, &[0], Err(Fault::Format)),
            ("record missing", [1, 0, 0, 1], 1, &[], Err(Fault::Format)),
        ];
        for (what, counts, kind, tail, wanted) in cases {
            assert_eq!(Query::parse(&message(counts, kind, tail)).map(|_| ()), wanted, "{what}");
        }
    }

    #[test]
    fn opt_records_of_what_is_no_query() {
        let cookie = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        let alone = |opt: &[u8]| [&[1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], opt].concat();
        let cases = [
            ("octets behind", message([1, 0, 0, 1], 1, &[OPT, &[0]].concat()), Some(false)),
            (
                "two questions",
                message([2, 0, 0, 1], 1, &[&[1, b'a', 0, 0, 1, 0, 1], &cookie[..]].concat()),
                Some(false),
            ),
            ("two OPT", message([1, 0, 0, 2], 1, &[OPT, OPT].concat()), None),
            ("none", message([1, 0, 0, 0], 1, &[0]), None),
            ("cut off", message([1, 0, 0, 1], 1, &OPT[..10]), None),
            ("an OPT as answer", message([1, 1, 0, 0], 1, OPT), None),
            ("a cookie cut off", alone(&cookie[..22]), None),
            ("no question", alone(OPT), Some(false)),
            ("no question and a cookie", alone(&cookie), Some(true)),
        ];
        for (what, message, wanted) in cases {
            assert_eq!(Stray::read(&message).map(|stray| stray.cookie.is_some()), wanted, "{what}");
        }
    }

    #[test]
    fn what_is_said_about_extensions() {
        let edns = |opt: &[u8]| Query::parse(&message([1, 0, 0, 1], 1, opt)).map(|query| query.edns.unwrap());
        let wanted = Edns { udp_bytes: 1232, version: 0, dnssec_ok: true, nsid: false, cookie: None };
        assert_eq!(edns(OPT), Ok(wanted));
        assert_eq!(edns(&[0, 0, 41, 0, 1, 0, 7, 0, 0, 0, 0]).map(|e| (e.udp_bytes, e.version)), Ok((512, 7)));
        let options = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 10, 0, 99, 0, 2, 1, 2, 0, 3, 0, 0];
        assert_eq!(edns(&options).map(|e| e.nsid), Ok(true));
        let with_cookie = |length: u8| {
            let opt =
                [&[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 4 + length, 0, 10, 0, length][..], &[7; 41][..length.into()]];
            edns(&opt.concat()).map(|edns| edns.cookie.unwrap().server.is_some())
        };
        for (length, wanted) in [
            (8, Ok(false)),
            (24, Ok(true)),
            (16, Ok(false)),
            (40, Ok(false)),
            (7, Err(Fault::Format)),
            (9, Err(Fault::Format)),
            (41, Err(Fault::Format)),
        ] {
            assert_eq!(with_cookie(length), wanted, "{length}");
        }
        let cut_option = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 5, 0, 99, 0, 2, 1];
        assert_eq!(edns(&cut_option), Err(Fault::Format));
    }

    #[test]
    fn responses_and_other_operations() {
        let mut bytes = message([1, 0, 0, 0], 1, &[]);
        for length in 0..HEADER_BYTES {
            assert_eq!(Query::parse(&bytes[..length]).map(|_| ()), Err(Fault::Ignore));
        }
        bytes[2] = 0x80;
        assert_eq!(Query::parse(&bytes).map(|_| ()), Err(Fault::Ignore));
        bytes[2] = 0x28;
        assert!(Query::parse(&bytes).unwrap().is_other_operation);
        bytes.push(0);
        assert_eq!(Query::parse(&bytes).map(|_| ()), Err(Fault::Operation));
    }
}
