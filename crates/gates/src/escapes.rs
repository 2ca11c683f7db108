//! Values with escapes (`%20`), as lines, tables and addresses of the web have them.

use std::borrow::Cow;

/// A value without its escapes; none if one of them has no two hexadecimal digits.
pub(crate) fn decode(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !value.contains(&b'%') {
        return Some(Cow::Borrowed(value));
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digit = |at: usize| after.get(at).and_then(|&digit| char::from(digit).to_digit(16));
            bytes.push((digit(0)? << 4 | digit(1)?) as u8);
            rest = &after[2..];
        } else {
            bytes.push(byte);
        }
    }
    Some(Cow::Owned(bytes))
}

/// The same as text. Bytes that are no UTF-8 are replaced, so that an odd login is still counted.
pub(crate) fn decode_text(value: &[u8]) -> Option<Cow<'_, str>> {
    Some(match decode(value)? {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (value, wanted) in [
            ("alice", Some("alice")),
            ("a+b%20c%2Bd", Some("a+b c+d")),
            ("%c3%a4%25", Some("ä%")),
            ("%ff", Some("\u{fffd}")),
            ("%", None),
            ("a%2", None),
            ("%+1", None),
            ("%zz", None),
            ("", Some("")),
        ] {
            assert_eq!(decode_text(value.as_bytes()).as_deref(), wanted, "{value}");
        }
        assert_eq!(decode_text(b"\xff").as_deref(), Some("\u{fffd}"));
        assert_eq!(decode(b"%ff").as_deref(), Some(&[0xff][..]));
    }
}
