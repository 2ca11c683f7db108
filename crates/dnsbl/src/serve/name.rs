//! Domain names in wire form (RFC 1035 section 3.1): our own, and the one in a question.
//!
//! Names compare without letter case (RFC 4343). A question's name is kept as it came, because resolvers choose its
//! letter case at random and want it back (0x20). Length octets are below 64 and so are never taken for letters.

use core::fmt;

/// Longest name in wire form, the root's octet included (RFC 1035 section 2.3.4).
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Longest label (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// Most labels of a name before the root: one octet and its length each.
const LABELS_MAX: usize = NAME_BYTES_MAX / 2;

/// A name of ours in wire form, uncompressed and not the root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    wire: Box<[u8]>,
}

/// Why a text is no name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Nothing, or two dots in a row.
    #[error("has an empty label")]
    EmptyLabel,
    /// A label beyond 63 octets.
    #[error("has a label of more than 63 characters")]
    LongLabel,
    /// A name beyond 255 octets.
    #[error("is longer than 255 octets")]
    LongName,
    /// A character that host names do not have.
    #[error("may have letters, digits, `-` and `_` only")]
    Character,
    /// A mail address without exactly one `@`.
    #[error("is no mail address")]
    Mailbox,
}

impl Name {
    /// The name of `text`, with or without a dot at its end; letters, digits, `-` and `_` only.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::from_labels(text.strip_suffix('.').unwrap_or(text).split('.').map(str::as_bytes))
    }

    /// The name that stands for a mail address in a SOA record (RFC 1035 section 8): what is before the `@` is one
    /// label, dots and all.
    pub fn mailbox(text: &str) -> Result<Self, NameError> {
        let (local, domain) = text.split_once('@').ok_or(NameError::Mailbox)?;
        let plain = |b: u8| b.is_ascii_graphic() && !b"@\"\\".contains(&b);
        if local.is_empty() || !local.bytes().all(plain) {
            return Err(NameError::Mailbox);
        }
        if local.len() > LABEL_BYTES_MAX {
            return Err(NameError::LongLabel);
        }
        let domain = Self::parse(domain)?;
        let mut wire = vec![local.len() as u8];
        wire.extend_from_slice(local.as_bytes());
        wire.extend_from_slice(&domain.wire);
        if wire.len() > NAME_BYTES_MAX { Err(NameError::LongName) } else { Ok(Self { wire: wire.into() }) }
    }

    /// This name with one label before it.
    pub fn child(&self, label: &str) -> Result<Self, NameError> {
        let own = self.labels().map(|(_, label)| label);
        Self::from_labels(core::iter::once(label.as_bytes()).chain(own))
    }

    fn from_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Result<Self, NameError> {
        let mut wire = Vec::new();
        for label in labels {
            if label.is_empty() {
                return Err(NameError::EmptyLabel);
            }
            if label.len() > LABEL_BYTES_MAX {
                return Err(NameError::LongLabel);
            }
            if !label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_') {
                return Err(NameError::Character);
            }
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        wire.push(0);
        if wire.len() > NAME_BYTES_MAX { Err(NameError::LongName) } else { Ok(Self { wire: wire.into() }) }
    }

    /// The name of these octets, the root's included; none if it is no name as [`Name::parse`] takes it.
    pub fn from_wire(wire: &[u8]) -> Option<Self> {
        let name = QuestionName::read(wire).filter(|name| name.wire().len() == wire.len() && name.labels() > 0)?;
        Self::from_labels((0..name.labels()).map(|index| name.label(index))).ok()
    }

    /// The octets, the root's included.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Each label with the place of its length octet.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut at = 0;
        core::iter::from_fn(move || {
            let start = at;
            let length = usize::from(*self.wire.get(start)?);
            at = start + 1 + length;
            let label = self.wire.get(start + 1..at)?;
            (length > 0).then_some((start, label))
        })
    }

    /// How many labels there are before the root.
    pub(crate) fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Whether `self` is the name `wire`, which is not the root, or below it.
    pub(crate) fn is_within(&self, wire: &[u8]) -> bool {
        let mut starts = self.labels().map(|(start, _)| start);
        starts.any(|start| is_same(&self.wire[start..], wire))
    }
}

/// Whether two pieces of names are the same but for letter case: `eq_ignore_ascii_case`, eight octets at a time.
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    let word = |bytes: &[u8]| u64::from_ne_bytes(*bytes.first_chunk().expect("chunks of eight have eight octets"));
    if a.len() != b.len() {
        return false;
    }
    let Some(last) = a.len().checked_sub(8) else { return a.eq_ignore_ascii_case(b) };
    let are_same = |(a, b): (&[u8], &[u8])| fold(word(a)) == fold(word(b));
    // The last word may overlap the one before.
    a.chunks_exact(8).zip(b.chunks_exact(8)).all(are_same) && are_same((&a[last..], &b[last..]))
}

/// Turns the capital letters among eight octets into small ones.
pub(crate) const fn fold(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low_bits = word & (0x7f * EACH);
    // An octet's highest bit says whether it is from `A` on, and whether it is beyond `Z`.
    let from_a = low_bits + (0x80 - b'A' as u64) * EACH;
    let beyond_z = low_bits + (0x7f - b'Z' as u64) * EACH;
    word | (from_a & !beyond_z & !word & (0x80 * EACH)) >> 2
}

/// The name without the dot at its end.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (start, label) in self.labels() {
            if start > 0 {
                f.write_str(".")?;
            }
            f.write_str(&String::from_utf8_lossy(label))?;
        }
        Ok(())
    }
}

/// The name of a question, where it stands in the message, with the places of its labels.
#[derive(Clone, Debug)]
pub(crate) struct QuestionName<'a> {
    wire: &'a [u8],
    starts: [u8; LABELS_MAX],
    labels: u8,
}

impl<'a> QuestionName<'a> {
    /// Reads an uncompressed name at the beginning of `bytes`. None if it is cut off, too long, or has a compression
    /// pointer, for which there is nothing to point to before the first name.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut starts = [0; LABELS_MAX];
        let (mut at, mut labels) = (0, 0);
        loop {
            let length = usize::from(*bytes.get(at)?);
            if length == 0 {
                return Some(Self { wire: &bytes[..=at], starts, labels: labels as u8 });
            }
            // The root must still fit behind this label.
            if length > LABEL_BYTES_MAX || at + 1 + length >= NAME_BYTES_MAX {
                return None;
            }
            starts[labels] = at as u8;
            labels += 1;
            at += 1 + length;
        }
    }

    /// The octets, the root's included.
    pub(crate) const fn wire(&self) -> &'a [u8] {
        self.wire
    }

    /// How many labels there are before the root.
    pub(crate) const fn labels(&self) -> usize {
        self.labels as usize
    }

    /// The label at `index`, counted from the left.
    pub(crate) fn label(&self, index: usize) -> &'a [u8] {
        let start = usize::from(self.starts[index]);
        let length = usize::from(self.wire[start]);
        &self.wire[start + 1..=start + length]
    }

    /// Where the last `labels` labels begin; the root if there are none.
    pub(crate) fn suffix_start(&self, labels: usize) -> usize {
        if labels == 0 { self.wire.len() - 1 } else { usize::from(self.starts[self.labels() - labels]) }
    }

    /// Whether the name is `name`.
    pub(crate) fn is_exactly(&self, name: &Name) -> bool {
        is_same(self.wire, name.wire())
    }

    /// Whether the name is `name` or below it, where `name` has so many labels.
    pub(crate) fn is_within(&self, name: &Name, labels: usize) -> bool {
        self.labels() >= labels && is_same(&self.wire[self.suffix_start(labels)..], name.wire())
    }
}

/// Where a name that begins at `at` ends; compression pointers end it and are not followed, so that the walk is
/// linear. None if it is cut off or has a label of a reserved kind.
pub(crate) fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            0xc0.. => return (at + 2 <= message.len()).then_some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_names() {
        let long_label = "a".repeat(64);
        let long_name = ["a".repeat(63).as_str(); 4].join(".");
        let cases = [
            ("bl.example.org", Ok("bl.example.org")),
            ("bl.example.org.", Ok("bl.example.org")),
            ("_x-1.Example", Ok("_x-1.Example")),
            ("", Err(NameError::EmptyLabel)),
            (".", Err(NameError::EmptyLabel)),
            ("a..b", Err(NameError::EmptyLabel)),
            ("a b", Err(NameError::Character)),
            ("\u{e4}.example", Err(NameError::Character)),
            (&long_label, Err(NameError::LongLabel)),
            (&long_name, Err(NameError::LongName)),
        ];
        for (text, wanted) in cases {
            let got = Name::parse(text).map(|name| name.to_string());
            assert_eq!(got.as_deref().map_err(|e| *e), wanted, "{text}");
        }
    }

    #[test]
    fn mailboxes_keep_their_dots() {
        let wire = |text| Name::mailbox(text).map(|name| name.wire().to_vec());
        assert_eq!(wire("a.b@c.d").unwrap(), b"\x03a.b\x01c\x01d\0");
        for text in ["hostmaster.example.org", "@example.org", "a@b@c", "a b@c", "a@"] {
            assert!(wire(text).is_err(), "{text}");
        }
    }

    #[test]
    fn question_names() {
        let cases: [(&[u8], Option<usize>); 8] = [
            (b"\0", Some(0)),
            (b"\x01a\x02bc\0rest", Some(2)),
            (b"\x01a\x02bc", None),
            (b"\x01a\xc0\x0c", None),
            (b"\x40", None),
            (b"\x80", None),
            (b"", None),
            (b"\x05abc", None),
        ];
        for (bytes, labels) in cases {
            assert_eq!(QuestionName::read(bytes).map(|name| name.labels()), labels, "{bytes:?}");
        }
        let longest = [b"\x01a".repeat(127), vec![0]].concat();
        assert_eq!(QuestionName::read(&longest).unwrap().labels(), 127);
        assert!(QuestionName::read(&[b"\x01a".repeat(128), vec![0]].concat()).is_none());
        let name = QuestionName::read(b"\x01A\x02Bc\0").unwrap();
        assert_eq!((name.label(0), name.label(1)), (&b"A"[..], &b"Bc"[..]));
        assert!(name.is_within(&Name::parse("bC").unwrap(), 1) && !name.is_within(&Name::parse("c").unwrap(), 1));
        assert_eq!((name.suffix_start(1), name.suffix_start(0)), (2, 5));
    }

    #[test]
    fn comparing_is_that_of_the_library() {
        for octet in 0..=255u8 {
            for other in [octet, octet ^ 0x20, octet ^ 0x80, octet.wrapping_add(1)] {
                for length in [1, 7, 8, 9, 16, 23] {
                    for place in 0..length {
                        let (mut a, mut b) = (vec![b'x'; length], vec![b'X'; length]);
                        (a[place], b[place]) = (octet, other);
                        assert_eq!(is_same(&a, &b), a.eq_ignore_ascii_case(&b), "{a:?} {b:?}");
                    }
                }
            }
        }
        assert!(!is_same(b"a", b"ab"));
    }

    #[test]
    fn skipping_is_bounded() {
        assert_eq!(skip_name(b"\x01a\0x", 0), Some(3));
        assert_eq!(skip_name(b"\x01a\xc0\x00", 0), Some(4));
        assert_eq!(skip_name(b"\x01a\xc0", 0), None);
        assert_eq!(skip_name(b"\x41", 0), None);
        assert_eq!(skip_name(b"\x01", 0), None);
    }
}
