//! Base64 as RFC 4648 section 4 has it: in HTTP's `Basic`, in logs, in keys of zone transfers, in reports.

/// The digits by their value.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text of `octets`, with its padding.
pub fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for three in octets.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| char::from(DIGITS[bits >> (18 - 6 * at) & 63]);
        text.extend((0..4).map(|at| if at <= three.len() { digit(at) } else { '=' }));
    }
    text
}

/// The octets of a text, with its padding or without any; none if it is none.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut octets = vec![0; text.len().div_ceil(4) * 3];
    let length = decode_into(text, &mut octets)?.len();
    octets.truncate(length);
    Some(octets)
}

/// The same without allocation; none also if the octets do not fit into `buffer`.
pub fn decode_into<'b>(text: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let padding = text.iter().rev().take_while(|digit| **digit == b'=').count();
    let digits = &text[..text.len() - padding];
    let is_padded_right = padding == 0 || padding <= 2 && text.len().is_multiple_of(4);
    if !is_padded_right || digits.len() % 4 == 1 {
        return None;
    }
    let (mut bits, mut have, mut length) = (0_u32, 0, 0);
    for digit in digits {
        bits = bits << 6 | value(*digit)?;
        have += 6;
        if have >= 8 {
            have -= 8;
            *buffer.get_mut(length)? = (bits >> have) as u8;
            length += 1;
        }
    }
    buffer.get(..length)
}

const fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_of_rfc_4648() {
        for (octets, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"fooba", "Zm9vYmE="),
            (b"foobar", "Zm9vYmFy"),
            (&[0xfb, 0xff, 0xbf], "+/+/"),
        ] {
            assert_eq!(encode(octets), text);
            for text in [text, text.trim_end_matches('=')] {
                assert_eq!(decode(text.as_bytes()).as_deref(), Some(octets), "{text}");
            }
        }
        for text in ["Z", "Zm9vZ", "Zm-v", "Zm 9v", "Zm9 v", "Zg=", "Zg===", "Z===", "Zg==Zm9v", "====", "=", "Zm9v="] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decode_into(b"Zm9vYmFy", &mut [0; 5]), None, "does not fit");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(encode(&octets).as_bytes()), Some(octets));
        }

        #[test]
        fn any_bytes(text in proptest::collection::vec(any::<u8>(), 0..100)) {
            decode(&text);
        }
    }
}
