use core::fmt;
use core::hint::black_box;

use base::base64;
use sha2::{Digest, Sha256};

use crate::http::Request;

/// Header that Dovecot sends when `auth_policy_server_api_header` holds a bare value.
const API_HEADER: &str = "X-API-Key";
/// Longest credentials of Basic authentication after decoding, in bytes.
const CREDENTIALS_BYTES_MAX: usize = 384;

/// Who may ask: whoever knows the password or sends the header, if either is configured.
#[derive(Clone, Default, Debug)]
pub struct Access {
    password: Option<Secret>,
    header: Option<(Box<str>, Secret)>,
}

impl Access {
    /// Everybody who reaches the listener; for loopback.
    pub fn open() -> Self {
        Self::default()
    }

    /// Also whoever authenticates by Basic with this password, under any user name, as weakforced does.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = Some(Secret::new(password.as_bytes()));
        self
    }

    /// Also whoever sends this header, written as Dovecot's `auth_policy_server_api_header`: `Name: value`, or the value
    /// of `X-API-Key` alone.
    #[must_use]
    pub fn with_header(mut self, header: &str) -> Self {
        let (name, value) = header.split_once(':').unwrap_or((API_HEADER, header));
        self.header = Some((name.trim().into(), Secret::new(value.trim().as_bytes())));
        self
    }

    /// Whether everybody may ask.
    pub fn is_open(&self) -> bool {
        self.password.is_none() && self.header.is_none()
    }

    /// Whether a page in somebody's browser sends this. It can have the browser post to whatever that reaches, loopback too, but
    /// not without the browser's saying so; no mail server sends these headers. Whoever only looks may use a browser.
    pub fn is_of_page(request: &Request<'_>) -> bool {
        let is_said = || ["origin", "sec-fetch-mode"].iter().any(|name| request.header(name).is_some());
        !matches!(request.method(), "GET" | "HEAD") && is_said()
    }

    /// Whether this request may be answered.
    pub fn admits(&self, request: &Request<'_>) -> bool {
        if Self::is_of_page(request) {
            return false;
        }
        if self.is_open() {
            return true;
        }
        let by_header = self
            .header
            .as_ref()
            .is_some_and(|(name, secret)| request.header(name).is_some_and(|value| secret.equals(value.trim_ascii())));
        let by_password = self.password.as_ref().is_some_and(|secret| {
            request.header("authorization").is_some_and(|value| basic_password_is(value.trim_ascii(), secret))
        });
        by_header || by_password
    }
}

/// A secret, kept as its hash: comparing two hashes in constant time tells neither length nor beginning, and there is
/// nothing to print by mistake.
#[derive(Clone)]
struct Secret([u8; 32]);

impl Secret {
    fn new(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    fn equals(&self, given: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        let difference = self.0.iter().zip(&given).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
        difference == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Whether an `Authorization` header is `Basic` with that password behind the first colon (RFC 7617).
fn basic_password_is(value: &[u8], secret: &Secret) -> bool {
    let Some((scheme, encoded)) = value.split_at_checked(5) else { return false };
    if !scheme.eq_ignore_ascii_case(b"basic") || !encoded.starts_with(b" ") {
        return false;
    }
    let mut buffer = [0; CREDENTIALS_BYTES_MAX];
    let Some(credentials) = base64::decode_into(encoded.trim_ascii(), &mut buffer) else { return false };
    let Some(colon) = credentials.iter().position(|&b| b == b':') else { return false };
    secret.equals(&credentials[colon + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        assert!(
            !format!("{:?}", Access::open().with_password("hunter2").with_header("k: hunter2")).contains("hunter2")
        );
    }
}
