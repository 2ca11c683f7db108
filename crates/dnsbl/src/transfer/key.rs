//! Shared secrets for signed messages (RFC 8945).

use core::fmt;

use base::base64;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::{Sha256, Sha512};

use crate::serve::{Name, NameError};

/// Longest secret, in octets.
const SECRET_BYTES_MAX: usize = 512;

/// Shortest secret: RFC 8945 section 8 wants as many octets as the hash has, and half of SHA-256's are a lot already.
const SECRET_BYTES_MIN: usize = 16;

/// How a key signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// HMAC with SHA-256, which every server has (RFC 8945 section 6).
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
}

impl Algorithm {
    /// The name in configurations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
        }
    }

    /// The name in messages.
    pub(super) const fn wire(self) -> &'static [u8] {
        match self {
            Self::HmacSha256 => b"\x0bhmac-sha256\0",
            Self::HmacSha512 => b"\x0bhmac-sha512\0",
        }
    }

    /// Octets of a signature.
    pub(super) const fn mac_bytes(self) -> usize {
        match self {
            Self::HmacSha256 => 32,
            Self::HmacSha512 => 64,
        }
    }
}

/// A key that we share with somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    name: Name,
    /// The name in wire form and small letters, as signatures cover it.
    canonical: Box<[u8]>,
    algorithm: Algorithm,
    secret: Box<[u8]>,
}

/// Why something is no key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Not three parts.
    #[error("a key is written `hmac-sha256:name:secret`, the secret in base64")]
    Form,
    /// An algorithm that there is not.
    #[error("a key's algorithm is `hmac-sha256` or `hmac-sha512`")]
    Algorithm,
    /// The name is none.
    #[error("a key's name {0}")]
    Name(NameError),
    /// The secret is not base64.
    #[error("the secret is not base64")]
    Base64,
    /// The secret is too short or too long.
    #[error("the secret must have {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} octets")]
    Length,
}

impl Key {
    /// A key from its parts.
    pub fn new(name: &str, algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len()) {
            return Err(KeyError::Length);
        }
        let name = Name::parse(name).map_err(KeyError::Name)?;
        let canonical = name.wire().to_ascii_lowercase().into();
        Ok(Self { name, canonical, algorithm, secret: secret.into() })
    }

    /// A key as `dig -y` takes it: `hmac-sha256:name:secret`, the secret in base64.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.trim().splitn(3, ':');
        let (Some(algorithm), Some(name), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let all = [Algorithm::HmacSha256, Algorithm::HmacSha512];
        let algorithm = all.into_iter().find(|one| one.name().eq_ignore_ascii_case(algorithm));
        let secret = base64::decode(secret.as_bytes()).ok_or(KeyError::Base64)?;
        Self::new(name, algorithm.ok_or(KeyError::Algorithm)?, &secret)
    }

    /// The name.
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Begins a signature.
    pub(super) fn begin(&self) -> Digest {
        const WHY: &str = "HMAC takes keys of every length";
        match self.algorithm {
            Algorithm::HmacSha256 => Digest::Sha256(Box::new(Hmac::new_from_slice(&self.secret).expect(WHY))),
            Algorithm::HmacSha512 => Digest::Sha512(Box::new(Hmac::new_from_slice(&self.secret).expect(WHY))),
        }
    }
}

/// Without the secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.algorithm.name(), self.name)
    }
}

/// A signature in the making.
pub(super) enum Digest {
    Sha256(Box<Hmac<Sha256>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl Digest {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(mac) => mac.update(bytes),
            Self::Sha512(mac) => mac.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(mac) => mac.finalize().into_bytes().to_vec(),
            Self::Sha512(mac) => mac.finalize().into_bytes().to_vec(),
        }
    }

    /// Whether the signature is `mac`; takes the same time wherever they differ.
    pub(super) fn is(self, mac: &[u8]) -> bool {
        match self {
            Self::Sha256(own) => own.verify_slice(mac).is_ok(),
            Self::Sha512(own) => own.verify_slice(mac).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let secret = "MDEyMzQ1Njc4OWFiY2RlZg==";
        let parse = |text: &str| Key::parse(&text.replace("SECRET", secret)).map(|key| format!("{key:?}"));
        assert_eq!(parse("hmac-sha256:Mirror.example:SECRET"), Ok("Key(hmac-sha256 Mirror.example)".into()));
        assert_eq!(parse("HMAC-SHA512:m:SECRET"), Ok("Key(hmac-sha512 m)".into()));
        let faults = [
            ("m:SECRET", KeyError::Form),
            ("hmac-md5:m:SECRET", KeyError::Algorithm),
            ("hmac-sha256::SECRET", KeyError::Name(NameError::EmptyLabel)),
            ("hmac-sha256:m:!", KeyError::Base64),
            ("hmac-sha256:m:Zm9v", KeyError::Length),
        ];
        for (text, fault) in faults {
            assert_eq!(parse(text), Err(fault), "{text}");
        }
        assert_eq!(&*Key::parse(&format!("hmac-sha256:MiRRor:{secret}")).unwrap().canonical, b"\x06mirror\0");
    }

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        // Test case 6 of section 4.7: a key larger than the block.
        let key = Key::new("a", Algorithm::HmacSha256, &[0xaa; 131]).unwrap();
        let sign = |key: &Key| {
            let mut digest = key.begin();
            digest.update(b"Test Using Larger Than Block-Size Key - Hash Key First");
            digest.finish()
        };
        assert_eq!(sign(&key)[..8], [0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f]);
        let key = Key::new("a", Algorithm::HmacSha512, &[0xaa; 131]).unwrap();
        assert_eq!(sign(&key)[..8], [0x80, 0xb2, 0x42, 0x63, 0xc7, 0xc1, 0xa3, 0xeb]);
        assert_eq!(sign(&key).len(), key.algorithm().mac_bytes());
    }
}
