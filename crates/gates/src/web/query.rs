use std::borrow::Cow;

use crate::escapes::decode_text;

/// The value of a parameter without its escapes (`%20`, and `+` for a space); none if its escapes are none.
pub(super) fn decode(value: &str) -> Option<Cow<'_, str>> {
    if value.contains('+') {
        return decode_text(value.replace('+', " ").as_bytes()).map(|text| Cow::Owned(text.into_owned()));
    }
    decode_text(value.as_bytes())
}

/// The value of a header of nginx, which writes `%20` for odd bytes and leaves a `+` alone. One that is odd is taken as
/// it is.
pub(super) fn header(value: &[u8]) -> String {
    decode_text(value).unwrap_or_else(|| String::from_utf8_lossy(value)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (value, wanted) in
            [("a+b%20c%2Bd", Some("a b c+d")), ("%2b+", Some("+ ")), ("%+1", None), ("+%", None), ("", Some(""))]
        {
            assert_eq!(decode(value).as_deref(), wanted, "{value}");
        }
        assert_eq!(header(b"p+%20w"), "p+ w");
        assert_eq!(header(b"50%"), "50%");
    }
}
