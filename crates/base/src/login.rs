use core::fmt;
use core::hash::{Hash, Hasher};

use crate::limits::LOGIN_BYTES_MAX;

/// A login in its canonical form, without allocation: ASCII letters lower-case, no white space around, no NUL or other
/// control characters inside, at most [`LOGIN_BYTES_MAX`] bytes (a longer one is cut at a character), no quotes around a local part
/// that needs none (RFC 5321 section 4.1.2), no dot behind the domain.
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
            return (!raw.is_empty()).then(|| Self { bytes, length: raw.len() as u8 }.as_one_mailbox());
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
        (length > 0).then(|| Self { bytes, length: length as u8 }.as_one_mailbox())
    }

    /// `"alice"@example.org` and `alice@example.org.` are the mailbox `alice@example.org`: a server that lets both in must not
    /// give each limits and a lock of its own.
    #[inline]
    fn as_one_mailbox(self) -> Self {
        let text = self.as_str();
        if text.starts_with('"') || text.ends_with('.') { self.plain() } else { self }
    }

    #[cold]
    fn plain(self) -> Self {
        let Some((local, domain)) = self.as_str().rsplit_once('@') else { return self };
        let inside = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let local = inside.filter(|inside| needs_no_quotes(inside)).unwrap_or(local);
        let domain = Some(domain.trim_end_matches('.')).filter(|domain| !domain.is_empty()).unwrap_or(domain);
        let (mut bytes, mut length) = ([0; LOGIN_BYTES_MAX], 0);
        for part in [local, "@", domain] {
            bytes[length..length + part.len()].copy_from_slice(part.as_bytes());
            length += part.len();
        }
        Self { bytes, length: length as u8 }
    }

    /// The login as text.
    pub fn as_str(&self) -> &str {
        // Whole characters were put in and taken out, so that this never fails.
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

/// Whether a local part is one without quotes around it, too.
fn needs_no_quotes(local: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte) || !byte.is_ascii();
    !local.is_empty() && local.bytes().all(is_plain)
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
            ("\"Fay\"@example.org", Some("fay@example.org")),
            ("fay@example.org.", Some("fay@example.org")),
            (" \"fay.b+x\"@Example.ORG.. ", Some("fay.b+x@example.org")),
            // Without the quotes it would be another one, or none.
            ("\"a@b\"@example.org", Some("\"a@b\"@example.org")),
            ("\"a b\"@example.org.", Some("\"a b\"@example.org")),
            ("\"a\\b\"@example.org", Some("\"a\\b\"@example.org")),
            ("\"\"@example.org", Some("\"\"@example.org")),
            ("\"@example.org", Some("\"@example.org")),
            // A name on its own is what the system calls it.
            ("fay.", Some("fay.")),
            ("\"fay\"", Some("\"fay\"")),
            ("fay@.", Some("fay@.")),
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
