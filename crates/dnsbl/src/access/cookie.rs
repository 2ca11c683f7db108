//! DNS cookies (RFC 7873) as all servers make them (RFC 9018): a client that shows one has got a reply of ours before,
//! so that its address is not forged.

use core::hash::Hasher as _;
use core::net::IpAddr;

use base::{Address, Timestamp};
use siphasher::sip::SipHasher24;

/// Octets of a client's part.
pub(crate) const CLIENT_BYTES: usize = 8;

/// Octets of the server's part.
pub(crate) const SERVER_BYTES: usize = 16;

/// How old a cookie may be, in seconds (RFC 9018 section 4.3).
const AGE_MAX: u32 = 3600;

/// How far ahead of our clock it may be: other servers of the same secret make cookies too.
const AHEAD_MAX: u32 = 300;

/// The secrets of the server's part: the first makes cookies, all of them are recognised.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    secrets: Box<[[u8; 16]]>,
}

impl Cookies {
    /// None without a secret.
    pub(crate) fn new(secrets: &[[u8; 16]]) -> Option<Self> {
        (!secrets.is_empty()).then(|| Self { secrets: secrets.into() })
    }

    /// The server's part for a client's.
    pub(crate) fn make(&self, client: [u8; CLIENT_BYTES], address: Address, now: Timestamp) -> [u8; SERVER_BYTES] {
        server_part(&self.secrets[0], client, now.as_secs() as u32, address)
    }

    /// Whether `server` is what we gave this client not long ago.
    pub(crate) fn is_ours(
        &self,
        client: [u8; CLIENT_BYTES],
        server: &[u8; SERVER_BYTES],
        address: Address,
        now: Timestamp,
    ) -> bool {
        let &[_, _, _, _, t0, t1, t2, t3, ..] = server;
        let made = u32::from_be_bytes([t0, t1, t2, t3]);
        // Serial number arithmetic, as the times have 32 bits.
        let age = (now.as_secs() as u32).wrapping_sub(made);
        let is_recent = age <= AGE_MAX || age.wrapping_neg() <= AHEAD_MAX;
        let is_same = |secret: &[u8; 16]| {
            // Without a hint of how many octets were right.
            let wanted = server_part(secret, client, made, address);
            wanted.iter().zip(server).fold(0, |wrong, (a, b)| wrong | a ^ b) == 0
        };
        is_recent && self.secrets.iter().any(is_same)
    }
}

fn server_part(secret: &[u8; 16], client: [u8; CLIENT_BYTES], made: u32, address: Address) -> [u8; SERVER_BYTES] {
    let mut cookie = [0; SERVER_BYTES];
    cookie[0] = 1;
    cookie[4..8].copy_from_slice(&made.to_be_bytes());
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&client);
    hasher.write(&cookie[..8]);
    match address.ip() {
        IpAddr::V4(v4) => hasher.write(&v4.octets()),
        IpAddr::V6(v6) => hasher.write(&v6.octets()),
    }
    cookie[8..].copy_from_slice(&hasher.finish().to_le_bytes());
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        core::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    /// RFC 9018 appendix A: client's part, address, secret, time, server's part.
    #[test]
    fn vectors_of_the_standard() {
        let cases = [
            (
                "2464c4abcf10c957",
                "198.51.100.100",
                "e5e973e5a6b2a43f48e7dc849e37bfcf",
                1_559_731_985,
                "010000005cf79f111f8130c3eee29480",
            ),
            (
                "fc93fc62807ddb86",
                "203.0.113.203",
                "e5e973e5a6b2a43f48e7dc849e37bfcf",
                1_559_734_700,
                "010000005cf7a9acf73a7810aca2381e",
            ),
            (
                "22681ab97d52c298",
                "2001:db8:220:1:59de:d0f4:8769:82b8",
                "dd3bdf9344b678b185a6f5cb60fca715",
                1_559_741_817,
                "010000005cf7c57926556bd0934c72f8",
            ),
            (
                "22681ab97d52c298",
                "2001:db8:220:1:59de:d0f4:8769:82b8",
                "445536bcd2513298075a5d379663c962",
                1_559_741_961,
                "010000005cf7c609a6bb79d16625507a",
            ),
        ];
        for (client, address, secret, made, wanted) in cases {
            let got = server_part(&bytes(secret), bytes(client), made, address.parse().unwrap());
            assert_eq!(got, bytes(wanted), "{address}");
        }
    }

    #[test]
    fn cookies_are_ours_for_an_hour_and_their_client_only() {
        let (old, new) = ([1; 16], [2; 16]);
        let cookies = Cookies::new(&[new, old]).unwrap();
        let (client, address) = ([7; 8], "192.0.2.1".parse().unwrap());
        let at = |secs| Timestamp::from_secs(secs);
        let cookie = cookies.make(client, address, at(10_000));
        let is_ours =
            |cookie: &[u8; 16], address: &str, now| cookies.is_ours(client, cookie, address.parse().unwrap(), at(now));
        for (address, now, wanted) in [
            ("192.0.2.1", 10_000, true),
            ("192.0.2.1", 13_600, true),
            ("192.0.2.1", 13_601, false),
            ("192.0.2.1", 9_700, true),
            ("192.0.2.1", 9_699, false),
            ("192.0.2.2", 10_000, false),
        ] {
            assert_eq!(is_ours(&cookie, address, now), wanted, "{address} {now}");
        }
        assert!(is_ours(&server_part(&old, client, 10_000, address), "192.0.2.1", 10_000));
        assert!(!is_ours(&server_part(&[3; 16], client, 10_000, address), "192.0.2.1", 10_000));
        assert!(!cookies.is_ours([8; 8], &cookie, address, at(10_000)));
        assert!(Cookies::new(&[]).is_none());
    }
}
