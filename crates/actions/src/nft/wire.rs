//! Netlink messages (netlink(7), `linux/netlink.h`, `linux/netfilter/nfnetlink.h`): a header of the host's byte order, then
//! attributes, each padded to four bytes. Numbers inside nftables' attributes are big-endian.

/// Bytes before the content of a message.
const HEADER: usize = 16;
/// Bytes of `nfgenmsg` behind it.
const FAMILY_HEADER: usize = 4;

const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
/// With a request that asks for all of something.
pub(super) const NLM_F_DUMP: u16 = 0x300;
/// With a request that makes something, if it is not there.
pub(super) const NLM_F_CREATE: u16 = 0x400;
/// With a request that adds behind what is there.
pub(super) const NLM_F_APPEND: u16 = 0x800;
/// An attribute with attributes inside.
const NLA_F_NESTED: u16 = 0x8000;
const NLA_TYPE_MASK: u16 = 0x3fff;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;

/// The subsystem of nftables in the type of a message.
const NFTABLES: u16 = 10 << 8;
const GETGEN: u16 = NFTABLES | 16;
const NEWGEN: u16 = NFTABLES | 15;
const NFTA_GEN_ID: u16 = 1;

/// `NFPROTO_INET`: IPv4 and IPv6.
pub(super) const INET: u8 = 1;

/// Bytes of messages while they are made.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    /// Begins a message; [`Buffer::end`] wants what this returns.
    pub(super) fn begin(&mut self, kind: u16, flags: u16, sequence: u32) -> usize {
        let start = self.0.len();
        self.0.extend([0; 4]);
        self.0.extend(kind.to_ne_bytes());
        self.0.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        self.0.extend(sequence.to_ne_bytes());
        self.0.extend([0; 4]);
        start
    }

    pub(super) fn end(&mut self, start: usize) {
        let length = (self.0.len() - start) as u32;
        self.0[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// An attribute of any bytes.
    pub(super) fn put(&mut self, kind: u16, value: &[u8]) {
        self.0.extend((4 + value.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// A name, with the NUL that ends it.
    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.put(kind, &[text.as_bytes(), b"\0"].concat());
    }

    pub(super) fn number(&mut self, kind: u16, number: u32) {
        self.put(kind, &number.to_be_bytes());
    }

    /// An attribute with those inside that `content` puts.
    pub(super) fn nest(&mut self, kind: u16, content: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend((kind | NLA_F_NESTED).to_ne_bytes());
        content(self);
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Messages that the kernel carries out all or none of.
#[derive(Debug)]
pub struct Batch {
    buffer: Buffer,
    sequence: u32,
    /// Where the last message begins, which asks for an answer.
    last: Option<usize>,
}

impl Batch {
    /// An empty one, whose messages are numbered from `sequence` on.
    pub fn new(sequence: u32) -> Self {
        let mut batch = Self { buffer: Buffer::default(), sequence, last: None };
        batch.frame(BATCH_BEGIN);
        batch
    }

    fn frame(&mut self, kind: u16) {
        let start = self.buffer.begin(kind, 0, self.sequence);
        // Unspecified family, version 0, and the subsystem that the batch is for.
        self.buffer.bytes(&[0, 0]);
        self.buffer.bytes(&(NFTABLES >> 8).to_be_bytes());
        self.buffer.end(start);
    }

    /// Adds a message of nftables.
    pub(super) fn add(&mut self, kind: u16, flags: u16, content: impl FnOnce(&mut Buffer)) {
        self.sequence = self.sequence.wrapping_add(1);
        self.last = Some(message(&mut self.buffer, kind, flags, self.sequence, content));
    }

    /// The bytes, and the number of the message that the kernel answers if all went well; none if there is nothing in it.
    pub fn finish(mut self) -> Option<(Vec<u8>, u32)> {
        let last = self.last?;
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.frame(BATCH_END);
        let mut bytes = self.buffer.into_bytes();
        let flags = u16::from_ne_bytes([bytes[last + 6], bytes[last + 7]]) | NLM_F_ACK;
        bytes[last + 6..last + 8].copy_from_slice(&flags.to_ne_bytes());
        Some((bytes, sequence))
    }
}

/// Adds a message of nftables with its family's header; where it begins.
pub(super) fn message(
    buffer: &mut Buffer,
    kind: u16,
    flags: u16,
    sequence: u32,
    content: impl FnOnce(&mut Buffer),
) -> usize {
    let start = buffer.begin(NFTABLES | kind, flags, sequence);
    buffer.bytes(&[INET, 0, 0, 0]);
    content(buffer);
    buffer.end(start);
    start
}

/// The question how often the ruleset was changed.
pub fn generation(sequence: u32) -> Vec<u8> {
    let mut buffer = Buffer::default();
    message(&mut buffer, GETGEN & 0xff, 0, sequence, |_| {});
    buffer.into_bytes()
}

/// The answer to it.
pub fn generation_of(answer: &Answer<'_>) -> Option<u32> {
    let Answer::Data { kind: NEWGEN, body, .. } = answer else { return None };
    let attribute = attributes(body.get(FAMILY_HEADER..)?).find(|(kind, _)| *kind == NFTA_GEN_ID)?;
    number(attribute.1)
}

/// Something the kernel answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// It went well, or as this error says; of which message it speaks.
    Status {
        /// The number of the message.
        sequence: u32,
        /// Zero, or an error of the system.
        errno: i32,
    },
    /// All was told.
    Done {
        /// The number of the message.
        sequence: u32,
    },
    /// What was asked for.
    Data {
        /// The number of the message.
        sequence: u32,
        /// Its type.
        kind: u16,
        /// What follows the header.
        body: &'a [u8],
    },
}

/// The messages in what the kernel sent; what is cut short ends them.
pub fn answers(mut bytes: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    core::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let sequence = u32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?);
        let body = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(match kind {
            NLMSG_ERROR => {
                let errno = body.get(..4).and_then(|number| number.try_into().ok()).map_or(0, i32::from_ne_bytes);
                Answer::Status { sequence, errno: -errno }
            }
            NLMSG_DONE => Answer::Done { sequence },
            kind => Answer::Data { sequence, kind, body },
        })
    })
}

/// The attributes in some bytes; what is cut short ends them.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    core::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A number of nftables.
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_or_nonsense_ends_it() {
        let mut batch = Batch::new(7);
        batch.add(0, NLM_F_CREATE, |buffer| buffer.text(1, "ratter"));
        let (bytes, sequence) = batch.finish().expect("there is something in it");
        assert_eq!(sequence, 8);
        let kinds: Vec<u16> = answers(&bytes)
            .filter_map(|answer| match answer {
                Answer::Data { kind, .. } => Some(kind),
                Answer::Status { .. } | Answer::Done { .. } => None,
            })
            .collect();
        assert_eq!(kinds, [BATCH_BEGIN, NFTABLES, BATCH_END]);
        for length in 0..bytes.len() {
            assert!(answers(&bytes[..length]).count() < 3);
            assert!(attributes(&bytes[..length]).count() <= length / 4 + 1);
        }
        // A length of zero must not be gone through for ever.
        assert_eq!((answers(&[0; 64]).count(), attributes(&[0; 64]).count()), (0, 0));
    }

    #[test]
    fn an_empty_batch_is_none() {
        assert!(Batch::new(1).finish().is_none());
    }
}
