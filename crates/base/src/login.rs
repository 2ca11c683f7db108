use core::fmt;
use core::hash::{Hash, Hasher};

use crate::limits::LOGIN_BYTES_MAX;

/// A login in its canonical form, without allocation: ASCII letters lower-case, no white space around, no NUL or other
/// control characters inside, at most [`LOGIN_BYTES_MAX`] bytes (a longer one is cut at a character).
///
/// Dovecot's own `auth_username_format` is `%Lu` by default, so that one person has one login here and there.
#[derive(Clone, Copy)]
pub struct CanonicalLogin {
    bytes: [u8; LOGIN_BYTES_MAX],
    length: u8,
}

const _: () = assert!(LOGIN_BYTES_MAX <= u8::MAX as usize, "the length is kept in a byte");

impl CanonicalLogin {
    /// The canonical form of what a mail server calls the login; none if nothing is left of it.
    pub fn new(raw: &str) -> Option<Self> {
        let mut bytes = [0; LOGIN_BYTES_MAX];
        // Nearly every login is plain ASCII, and this runs for every event: it is copied at once.
        if let Some(room) = bytes.get_mut(..raw.len())
            && raw.bytes().all(|byte| byte.is_ascii_graphic())
        {
            room.copy_from_slice(raw.as_bytes());
            room.make_ascii_lowercase();
            return (!raw.is_empty()).then_some(Self { bytes, length: raw.len() as u8 });
        }
        // White space is dropped where it stands at an end of what is left, so that the canonical form of a canonical
        // form is itself: control characters do not hide it.
        let kept = raw.chars().filter(|c| !c.is_ascii_control()).skip_while(|c| c.is_whitespace());
        let mut length = 0;
        for character in kept {
            let end = length + character.len_utf8();
            if end > LOGIN_BYTES_MAX {
                break;
            }
            character.to_ascii_lowercase().encode_utf8(&mut bytes[length..end]);
            length = end;
        }
        let kept = core::str::from_utf8(&bytes[..length]).unwrap_or_default();
        let length = kept.trim_end().len();
        (length > 0).then_some(Self { bytes, length: length as u8 })
    }

    /// The login as text.
    pub fn as_str(&self) -> &str {
        // Whole characters were put in and taken out, so that this never fails.
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl PartialEq for CanonicalLogin {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for CanonicalLogin {}

impl Hash for CanonicalLogin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for CanonicalLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// An owned canonical login, for what is kept: listings and configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Login(Box<str>);

impl Login {
    /// The canonical form of `raw`; none if nothing is left of it.
    pub fn new(raw: &str) -> Option<Self> {
        CanonicalLogin::new(raw).map(|login| Self(login.as_str().into()))
    }

    /// The login as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&CanonicalLogin> for Login {
    fn from(login: &CanonicalLogin) -> Self {
        Self(login.as_str().into())
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        let cases = [
            ("Alice", Some("alice")),
            ("  alice@Example.ORG ", Some("alice@example.org")),
            ("a\0b\nc", Some("abc")),
            ("\u{c4}rger", Some("\u{c4}rger")),
            ("", None),
            (" \t", None),
            ("\u{1}", None),
            ("\u{1} alice \u{2}", Some("alice")),
        ];
        for (raw, wanted) in cases {
            let login = CanonicalLogin::new(raw);
            assert_eq!(login.as_ref().map(CanonicalLogin::as_str), wanted, "{raw:?}");
            assert_eq!(login.and_then(|login| CanonicalLogin::new(login.as_str())), login, "{raw:?}");
        }
    }

    #[test]
    fn a_long_login_is_cut_at_a_character() {
        let long = "\u{e4}".repeat(LOGIN_BYTES_MAX);
        let cut = CanonicalLogin::new(&long).unwrap();
        assert!(cut.as_str().len() <= LOGIN_BYTES_MAX && cut.as_str().chars().all(|c| c == '\u{e4}'));
    }
}
