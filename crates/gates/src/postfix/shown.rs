use super::request::Request;

/// Longest name of a client that is told apart from others, in bytes: a domain name has 255 (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 255;
/// Longest name of a cipher.
const CIPHER_BYTES_MAX: usize = 64;

/// What a client shows of its program, put together without memory of its own: by these few bytes a thief's program differs
/// from the owner's, and the owner's is the same wherever he is.
pub(super) struct Shown {
    bytes: [u8; NAME_BYTES_MAX + 1 + CIPHER_BYTES_MAX],
}

impl Default for Shown {
    fn default() -> Self {
        Self { bytes: [0; NAME_BYTES_MAX + 1 + CIPHER_BYTES_MAX] }
    }
}

impl Shown {
    /// The name by which the client greets, without what changes with its network, and the cipher that it agreed to. Empty if
    /// it shows nothing.
    pub(super) fn of(&mut self, request: &Request<'_>) -> &str {
        let name = program_of(request.helo);
        if name.is_empty() {
            return "";
        }
        let mut length = 0;
        let parts = [(name, NAME_BYTES_MAX), (" ", 1), (request.cipher, CIPHER_BYTES_MAX)];
        for (part, most) in parts {
            let part = part.get(..part.len().min(most)).unwrap_or_default();
            self.bytes[length..length + part.len()].copy_from_slice(part.as_bytes());
            length += part.len();
        }
        self.bytes[..length].make_ascii_lowercase();
        core::str::from_utf8(&self.bytes[..length]).unwrap_or_default()
    }
}

/// Programs that greet by their address say what they are by doing so; it is another in each network.
fn program_of(helo: &str) -> &str {
    let is_address = helo.starts_with('[') || helo.parse::<core::net::IpAddr>().is_ok();
    if is_address { "[]" } else { helo }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_the_same_in_each_network() {
        let cases = [
            ("[192.168.1.7]", "TLS_AES_256_GCM_SHA384", "[] tls_aes_256_gcm_sha384"),
            ("[10.0.0.9]", "TLS_AES_256_GCM_SHA384", "[] tls_aes_256_gcm_sha384"),
            ("[IPv6:2001:db8::7]", "", "[] "),
            ("192.0.2.7", "", "[] "),
            ("smtpclient.apple", "TLS_AES_128_GCM_SHA256", "smtpclient.apple tls_aes_128_gcm_sha256"),
            ("DESKTOP-1A2B3C", "", "desktop-1a2b3c "),
            ("", "TLS_AES_128_GCM_SHA256", ""),
        ];
        for (helo, cipher, wanted) in cases {
            let request = Request { helo, cipher, ..Request::default() };
            assert_eq!(Shown::default().of(&request), wanted, "{helo}");
        }
        let long = "é".repeat(400);
        let request = Request { helo: &long, cipher: &long, ..Request::default() };
        assert!(Shown::default().of(&request).len() <= NAME_BYTES_MAX + 1 + CIPHER_BYTES_MAX);
    }
}
