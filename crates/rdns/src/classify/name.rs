//! A reverse name, made comparable and taken apart.

use super::suffix;

/// Longest name in text form (RFC 1035 section 3.1: 255 bytes on the wire, fewer as text).
pub const NAME_MAX: usize = 255;

/// Each byte that a host can be called with, in lower case; 0 for all others.
const HOST: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// A host name in lower case without its last dot, with the places where its registrable domain begins and ends.
pub(super) struct Name {
    text: [u8; NAME_MAX],
    len: usize,
    /// Where the registrable domain begins: `example.co.uk` in `a.b.example.co.uk`.
    zone: usize,
    /// Where the public suffix begins: `co.uk`.
    suffix: usize,
}

impl Name {
    /// None for what no host can be called: empty, too long, without a dot, or with other bytes than letters, digits,
    /// `-`, `_` and dots between labels.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
        if bytes.len() > NAME_MAX {
            return None;
        }
        let mut text = [0; NAME_MAX];
        let (mut before, mut is_none, mut has_dot) = (b'.', false, false);
        for (to, &byte) in text.iter_mut().zip(bytes) {
            let byte = HOST[usize::from(byte)];
            is_none |= byte == 0 || (byte == b'.' && before == b'.');
            has_dot |= byte == b'.';
            *to = byte;
            before = byte;
        }
        if is_none || before == b'.' || !has_dot {
            return None;
        }
        let lower = &text[..bytes.len()];
        let suffix = suffix::start(lower);
        let zone = lower[..suffix.saturating_sub(1)].iter().rposition(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
        Some(Self { len: bytes.len(), text, zone, suffix })
    }

    /// The whole name.
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// What stands before the registrable domain, without the dot between; empty for the bare domain.
    pub(super) fn host(&self) -> &[u8] {
        &self.text[..self.zone.saturating_sub(1)]
    }

    /// The name without its public suffix: all that somebody chose.
    pub(super) fn chosen(&self) -> &[u8] {
        &self.text[..self.suffix.saturating_sub(1)]
    }

    /// The registrable domain's own label: `example` of `example.co.uk`.
    pub(super) fn brand(&self) -> &[u8] {
        &self.text[self.zone..self.suffix.saturating_sub(1).max(self.zone)]
    }

    /// The registrable domain: `example.co.uk`.
    pub(super) fn zone(&self) -> &[u8] {
        &self.text[self.zone..self.len]
    }

    /// The public suffix: `co.uk`.
    pub(super) fn suffix(&self) -> &[u8] {
        &self.text[self.suffix..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::{NAME_MAX, Name};

    #[test]
    fn names_are_taken_apart() {
        let parts = |text: &str| {
            let name = Name::read(text.as_bytes()).expect("a host name");
            [name.host(), name.zone(), name.brand(), name.suffix()]
                .map(|part| String::from_utf8_lossy(part).into_owned())
        };
        assert_eq!(parts("A.b.Example.CO.UK."), ["a.b", "example.co.uk", "example", "co.uk"]);
        assert_eq!(parts("example.org"), ["", "example.org", "example", "org"]);
        assert_eq!(parts("co.uk"), ["", "co.uk", "", "co.uk"]);
        assert_eq!(parts("h1.p.example.ne.jp"), ["h1.p", "example.ne.jp", "example", "ne.jp"]);
    }

    #[test]
    fn what_no_host_is_called_is_no_name() {
        for text in ["", ".", "localhost", "a..b", ".a.b", "a.b..", "a b.c", "a\0.b", "ä.de", "a.b\n", "*.a.b"] {
            assert!(Name::read(text.as_bytes()).is_none(), "{text:?}");
        }
        let long = |len: usize| [&b"a."[..], &vec![b'x'; len - 2]].concat();
        assert!(Name::read(&long(NAME_MAX)).is_some());
        assert!(Name::read(&long(NAME_MAX + 1)).is_none());
    }
}
