use std::borrow::Cow;

/// The value of a parameter without its escapes (`%20`, and `+` for a space); none if it is not there or its escapes are
/// none. Bytes that are no UTF-8 are replaced, so that an odd login is still counted.
pub(super) fn decode(value: &str) -> Option<Cow<'_, str>> {
    if !value.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Some(Cow::Borrowed(value));
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |at: usize| after.get(at).and_then(|&digit| char::from(digit).to_digit(16));
                bytes.push((digit(0)? << 4 | digit(1)?) as u8);
                rest = &after[2..];
            }
            byte => bytes.push(byte),
        }
    }
    Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The value of a header of nginx, which writes `%20` for odd bytes and leaves a `+` alone. One that is odd is taken as
/// it is.
pub(super) fn header(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    decode(&text.replace('+', "%2B")).map_or_else(|| text.clone().into_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (value, wanted) in [
            ("alice", Some("alice")),
            ("a+b%20c%2Bd", Some("a b c+d")),
            ("%c3%a4", Some("ä")),
            ("%ff", Some("\u{fffd}")),
            ("%", None),
            ("%2", None),
            ("%+1", None),
            ("%zz", None),
            ("", Some("")),
        ] {
            assert_eq!(decode(value).as_deref(), wanted, "{value}");
        }
        assert_eq!(header(b"p+%20w"), "p+ w");
        assert_eq!(header(b"50%"), "50%");
    }
}
