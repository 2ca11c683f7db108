//! Texts of TXT records: a template is cut into its pieces once, and filled in when it is asked for.

use core::fmt::{self, Write as _};

/// Longest character string of a TXT record (RFC 1035 section 3.3.14); mail servers quote the first one only.
pub(crate) const TEXT_BYTES_MAX: usize = 255;

/// A text with places for the address.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// What stands before, between and behind the places; one more than there are places.
    literals: Box<[Box<str>]>,
}

/// Why a text is no template.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TemplateError {
    /// `{word}` that means nothing.
    #[error("`{{{0}}}` is unknown; `{{ip}}`, `{{list}}` and `{{url}}` are filled in")]
    Placeholder(Box<str>),
    /// A brace without its other one.
    #[error("has a `{{` or `}}` without its other one")]
    Brace,
    /// Mail servers put the text in SMTP replies, which take printable ASCII only.
    #[error("may have printable ASCII characters only")]
    Character,
}

impl Template {
    /// Cuts `text`; `{list}` becomes `list`, and `{url}` the template `url`, in which the same is done.
    pub(crate) fn parse(text: &str, list: &str, url: &str) -> Result<Self, TemplateError> {
        let mut literals = vec![String::new()];
        expand(text, list, Some(url), &mut literals)?;
        Ok(Self { literals: literals.into_iter().map(String::into_boxed_str).collect() })
    }

    /// Writes the text for `address` behind an octet with its length, cut at 255 octets. Returns the octets used.
    pub(crate) fn write(&self, address: &AddressText, out: &mut [u8; TEXT_BYTES_MAX + 1]) -> usize {
        let mut text = Cursor { out: &mut out[1..], at: 0 };
        for (index, literal) in self.literals.iter().enumerate() {
            if index > 0 {
                text.put(address.as_bytes());
            }
            text.put(literal.as_bytes());
        }
        let length = text.at;
        out[0] = length as u8;
        length + 1
    }
}

fn expand(text: &str, list: &str, url: Option<&str>, literals: &mut Vec<String>) -> Result<(), TemplateError> {
    if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Err(TemplateError::Character);
    }
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, behind) = rest.split_at(at);
        append(literals, before);
        let (word, behind) = behind.strip_prefix('{').and_then(|b| b.split_once('}')).ok_or(TemplateError::Brace)?;
        match (word, url) {
            ("ip", _) => literals.push(String::new()),
            ("list", _) => append(literals, list),
            ("url", Some(url)) => expand(url, list, None, literals)?,
            _ => return Err(TemplateError::Placeholder(word.into())),
        }
        rest = behind;
    }
    append(literals, rest);
    Ok(())
}

fn append(literals: &mut [String], text: &str) {
    if let Some(last) = literals.last_mut() {
        last.push_str(text);
    }
}

/// An address as text, without allocation.
pub(crate) struct AddressText {
    bytes: [u8; Self::BYTES_MAX],
    length: usize,
}

impl AddressText {
    /// The longest text of an IPv6 address.
    const BYTES_MAX: usize = 45;

    /// The text of an address: digits, letters a to f, dots and colons only, so it needs no escaping in a URL. A network's has a
    /// slash too.
    pub(crate) fn new(address: impl fmt::Display) -> Self {
        let mut bytes = [0; Self::BYTES_MAX];
        let mut cursor = Cursor { out: &mut bytes, at: 0 };
        write!(cursor, "{address}").expect("a cursor takes everything, and cuts what does not fit");
        let length = cursor.at;
        Self { bytes, length }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Writes as much as fits.
struct Cursor<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Cursor<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let room = &mut self.out[self.at..];
        let length = room.len().min(bytes.len());
        room[..length].copy_from_slice(&bytes[..length]);
        self.at += length;
    }
}

impl fmt::Write for Cursor<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, address: &str) -> Result<String, TemplateError> {
        let template = Template::parse(text, "auth", "https://example.org/{list}?ip={ip}")?;
        let mut out = [0; TEXT_BYTES_MAX + 1];
        let used = template.write(&AddressText::new(address.parse::<base::Address>().unwrap()), &mut out);
        assert_eq!(usize::from(out[0]) + 1, used);
        Ok(String::from_utf8(out[1..used].to_vec()).unwrap())
    }

    #[test]
    fn templates() {
        let cases = [
            ("", Ok("")),
            ("plain \"text\" \\", Ok("plain \"text\" \\")),
            ("{ip} is on {list}, see {url}", Ok("192.0.2.1 is on auth, see https://example.org/auth?ip=192.0.2.1")),
            ("{ip}{ip}", Ok("192.0.2.1192.0.2.1")),
            ("{name}", Err(TemplateError::Placeholder("name".into()))),
            ("{ip", Err(TemplateError::Brace)),
            ("ip}", Err(TemplateError::Brace)),
            ("caf\u{e9}", Err(TemplateError::Character)),
            ("a\nb", Err(TemplateError::Character)),
        ];
        for (text, wanted) in cases {
            assert_eq!(filled(text, "192.0.2.1"), wanted.map(String::from), "{text}");
        }
        assert!(Template::parse("{url}", "auth", "{url}").is_err(), "a URL does not hold itself");
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "x".repeat(300);
        assert_eq!(filled(&long, "192.0.2.1").unwrap().len(), 255);
        let text = filled(&format!("{}{{ip}}", "x".repeat(250)), "2001:db8::1").unwrap();
        assert!(text.len() == 255 && text.ends_with("x2001:"));
        assert_eq!(filled("{ip}", "::ffff:192.0.2.1").unwrap(), "192.0.2.1");
        let longest = "2001:db88:3c4d:5e6f:7a8b:9cad:bebf:1234";
        assert_eq!(filled("{ip}", longest).unwrap(), longest);
    }
}
