use core::net::Ipv4Addr;

use crate::datasets::{Header, TEXT_BYTES_MAX, Value};

/// A text with the places where the entry stands in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Text {
    bytes: Box<[u8]>,
    places: Box<[u16]>,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub(super) code: Ipv4Addr,
    /// None if there is no TXT record.
    pub(super) text: Option<Text>,
}

impl Answer {
    /// The answer for a value, with the variables of its dataset filled in.
    pub(super) fn new(value: &Value, header: &Header) -> Self {
        let mut text = Builder { header, own: &value.text, bytes: Vec::new(), places: Vec::new() };
        match (&*value.text, &header.base) {
            ([], None) => return Self { code: value.code, text: None },
            ([b'=', own @ ..], _) => {
                text.own = own;
                text.expand(own);
            }
            (_, Some(base)) => text.expand(base),
            (own, None) => text.expand(own),
        }
        let (bytes, places) = (text.bytes.into(), text.places.into());
        Self { code: value.code, text: Some(Text { bytes, places }) }
    }
}

struct Builder<'a> {
    header: &'a Header,
    own: &'a [u8],
    bytes: Vec<u8>,
    places: Vec<u16>,
}

impl Builder<'_> {
    /// `$` is the entry, `$$` a dollar sign, `$0` to `$9` are variables and stay if there is none, `$=` is the entry's
    /// own text, in which nothing is filled in any more, or the entry if it has none.
    fn expand(&mut self, template: &[u8]) {
        let mut rest = template;
        while let Some(at) = memchr::memchr(b'$', rest) {
            self.bytes.extend_from_slice(&rest[..at]);
            let used = match rest[at + 1..] {
                [b'$', ..] => {
                    self.bytes.push(b'$');
                    2
                }
                [digit @ b'0'..=b'9', ..] => {
                    match &self.header.variables[usize::from(digit - b'0')] {
                        Some(variable) => self.bytes.extend_from_slice(variable),
                        None => self.bytes.extend_from_slice(&[b'$', digit]),
                    }
                    2
                }
                [b'=', ..] if !self.own.is_empty() => {
                    self.bytes.extend_from_slice(self.own);
                    2
                }
                [b'=', ..] => {
                    self.place();
                    2
                }
                _ => {
                    self.place();
                    1
                }
            };
            rest = &rest[at + used..];
        }
        self.bytes.extend_from_slice(rest);
    }

    fn place(&mut self) {
        self.places.push(self.bytes.len() as u16);
    }
}

impl Text {
    /// Writes the text with `entry` at its places behind an octet with its length, cut at 255 octets. Returns the
    /// octets used.
    pub(super) fn write(&self, entry: &[u8], out: &mut [u8; TEXT_BYTES_MAX + 1]) -> usize {
        let mut end = 1;
        let mut put = |bytes: &[u8]| {
            let length = bytes.len().min(out.len() - end);
            out[end..end + length].copy_from_slice(&bytes[..length]);
            end += length;
        };
        let mut from = 0;
        for place in &self.places {
            let place = usize::from(*place);
            put(&self.bytes[from..place]);
            put(entry);
            from = place;
        }
        put(&self.bytes[from..]);
        out[0] = (end - 1) as u8;
        end
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.places.len() * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(own: &str, base: Option<&str>) -> Option<String> {
        let mut header = Header { base: base.map(|base| base.as_bytes().into()), ..Header::default() };
        header.variables[1] = Some(b"one $ $1"[..].into());
        let value = Value { code: Ipv4Addr::LOCALHOST, text: own.as_bytes().into() };
        let mut out = [0; TEXT_BYTES_MAX + 1];
        let used = Answer::new(&value, &header).text?.write(b"192.0.2.1", &mut out);
        assert_eq!(usize::from(out[0]) + 1, used);
        Some(String::from_utf8(out[1..used].to_vec()).unwrap())
    }

    /// As rbldnsd was seen to answer.
    #[test]
    fn templates() {
        let base = Some("See $= ($) $1 $$ end");
        let cases = [
            ("", None, None),
            ("plain", None, Some("plain")),
            ("=raw $", None, Some("raw 192.0.2.1")),
            ("$ $$ x$1y $2 z$", None, Some("192.0.2.1 $ xone $ $1y $2 z192.0.2.1")),
            ("r123", base, Some("See r123 (192.0.2.1) one $ $1 $ end")),
            ("", base, Some("See 192.0.2.1 (192.0.2.1) one $ $1 $ end")),
            ("=raw $ $1 $= x", base, Some("raw 192.0.2.1 one $ $1 raw $ $1 $= x x")),
            ("own $ $1 $= z", base, Some("See own $ $1 $= z (192.0.2.1) one $ $1 $ end")),
        ];
        for (own, base, wanted) in cases {
            assert_eq!(filled(own, base).as_deref(), wanted, "{own}");
        }
        assert_eq!(filled(&"$".repeat(255), None).unwrap().len(), 136);
        assert_eq!(filled(&format!("{}$", "x".repeat(250)), None).unwrap(), format!("{}192.0", "x".repeat(250)));
    }
}
