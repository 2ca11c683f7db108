//! What a server shows to clients that come by TLS: its certificates and the key that belongs to them.

use std::sync::Arc;

use base::Timestamp;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Largest file of certificates or of a key, in octets: a chain has a few thousand.
pub const PEM_BYTES_MAX: usize = 256 * 1024;

/// The name of DNS over TLS for clients that choose among protocols (RFC 7858 section 3.1, ALPN).
const PROTOCOL: &[u8] = b"dot";

/// Certificates and their key, checked.
#[derive(Clone, Debug)]
pub struct Identity {
    pub(super) config: Arc<ServerConfig>,
    ends: Timestamp,
}

/// Why files make no identity.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file of certificates has none, or one that is damaged.
    #[error("{0}")]
    Certificate(String),
    /// The file of the key has none, or one that is damaged or of a kind that is not known.
    #[error("{0}")]
    Key(String),
    /// They do not belong together.
    #[error("the key does not belong to the first certificate")]
    OfAnother,
}

impl Identity {
    /// The identity of these files' texts (PEM): certificates, the server's own first and those who vouch for it behind; and the
    /// key, as PKCS#8, SEC1 or PKCS#1. Client certificates are not asked for.
    pub fn of(certificates: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let damaged = |error: rustls::pki_types::pem::Error| IdentityError::Certificate(error.to_string());
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates).collect::<Result<_, _>>().map_err(damaged)?;
        let first = chain.first().ok_or_else(|| IdentityError::Certificate("no certificate in it".into()))?;
        let ends = end_of(first)
            .ok_or_else(|| IdentityError::Certificate("the certificate says not until when it is valid".into()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| IdentityError::Key(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| IdentityError::Key(error.to_string()))?.with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key).map_err(|error| fault_of(&error))?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self { config: Arc::new(config), ends })
    }

    /// Until when clients take the certificate for valid.
    pub const fn ends(&self) -> Timestamp {
        self.ends
    }
}

fn fault_of(error: &rustls::Error) -> IdentityError {
    if let rustls::Error::InvalidCertificate(why) = error {
        return IdentityError::Certificate(format!("{why:?}"));
    }
    let is_of_another = matches!(error, rustls::Error::InconsistentKeys(_));
    if is_of_another { IdentityError::OfAnother } else { IdentityError::Key(error.to_string()) }
}

/// Until when a certificate is valid (RFC 5280 section 4.1): the second time of the fourth or fifth part of its first part.
fn end_of(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(certificate)?;
    let (_, signed, _) = element(certificate)?;
    // The version, which only newer ones have, the number, the algorithm, the issuer; then the times.
    let (tag, _, behind) = element(signed)?;
    let mut rest = if tag == 0xa0 { behind } else { signed };
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, times, _) = element(rest)?;
    let (_, _, second) = element(times)?;
    let (tag, text, _) = element(second)?;
    time(tag, text)
}

/// The tag, the content and what stands behind an element of DER.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Lengths of up to four octets.
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((tag, content, behind))
}

/// `YYMMDDHHMMSSZ` (tag 23, years from 1950 to 2049) or `YYYYMMDDHHMMSSZ` (tag 24).
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let digits = core::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = digits.split_at_checked(if tag == 23 { 2 } else { 4 })?;
    let two = |at: usize| rest.get(at..at + 2).and_then(|part| part.parse::<i64>().ok());
    let year: i64 = year.parse().ok()?;
    let year = match tag {
        23 if year < 50 => 2000 + year,
        23 => 1900 + year,
        24 => year,
        _ => return None,
    };
    let (month, day) = (two(0)?, two(2)?);
    let seconds = days(year, month, day) * 86_400 + two(4)? * 3600 + two(6)? * 60 + two(8)?;
    Some(Timestamp::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// Days since the epoch of a date, by the calendar that begins its years in March.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_certificates() {
        let cases = [
            (23, "700101000000Z", Some(0)),
            (23, "260228235959Z", Some(1_772_323_199)),
            (23, "491231235959Z", Some(2_524_607_999)),
            (24, "20500101000000Z", Some(2_524_608_000)),
            (24, "20240229120000Z", Some(1_709_208_000)),
            (23, "500101000000Z", Some(0)),
            (24, "99991231235959Z", Some(253_402_300_799)),
            (23, "26022823595Z", None),
            (22, "260228235959Z", None),
            (23, "260228235959", None),
            (23, "", None),
        ];
        for (tag, text, wanted) in cases {
            assert_eq!(time(tag, text.as_bytes()), wanted.map(Timestamp::from_secs), "{text}");
        }
    }

    #[test]
    fn elements_are_never_longer_than_what_is_there() {
        for der in
            [&[][..], &[0x30], &[0x30, 5, 1], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0], &[0x30, 0x85, 0, 0, 0, 0, 1]]
        {
            assert_eq!(element(der), None);
            assert_eq!(end_of(der), None);
        }
        assert_eq!(element(&[0x30, 0x81, 1, 7, 9]), Some((0x30, &[7][..], &[9][..])));
    }

    #[test]
    fn files_that_make_no_identity() {
        for (certificates, key) in [("", ""), ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "")] {
            let error = Identity::of(certificates.as_bytes(), key.as_bytes()).expect_err("no identity");
            assert!(matches!(error, IdentityError::Certificate(_)), "{error}");
        }
    }
}
