use base::PasswordTag;
use sha2::{Digest, Sha256};

/// Bits of the hash that Dovecot sends when nothing else is configured.
const TRUNCATE_BITS: u16 = 12;
/// Bytes of a SHA-256.
const HASH_BYTES: usize = 32;

/// How Dovecot makes `pwhash`: the first bits of `SHA-256(nonce login NUL password)`, shifted right to whole bytes, in
/// hexadecimal. Equal passwords of one login have equal ones, which is how a stale phone is told from a guesser.
///
/// Where the server never sees the password (CRAM-MD5, SCRAM, OAUTH) and where it is empty, Dovecot hashes the empty
/// password, so that all attempts on one login look alike. That constant can be computed, and such a hash says nothing.
///
/// It is understood for `auth_policy_hash_mech = sha256`, Dovecot's default; with another one configured, leave it out.
#[derive(Clone, Debug)]
pub struct PasswordHash {
    /// A hash that has taken in the nonce, copied for each login.
    seeded: Sha256,
    bits: u16,
}

/// What a `pwhash` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// It tells this password from another of the same login.
    Tag(PasswordTag),
    /// It is the one for "no password seen": it tells nothing.
    Constant,
    /// It is none: empty, or not hexadecimal of the configured length.
    Odd,
}

impl PasswordHash {
    /// With the nonce of `auth_policy_hash_nonce`, and the 12 bits of `auth_policy_hash_truncate` by default.
    pub fn new(nonce: &str) -> Self {
        Self { seeded: Sha256::new().chain_update(nonce), bits: TRUNCATE_BITS }
    }

    /// With another value of `auth_policy_hash_truncate`; 0 is the whole hash, as for Dovecot.
    #[must_use]
    pub fn truncated_to(self, bits: u16) -> Self {
        Self { bits, ..self }
    }

    /// Reads the `pwhash` of an attempt on `login`, as both stand in one request.
    pub fn read(&self, login: &str, pwhash: &str) -> Reading {
        let length = self.length();
        let mut given = [0; HASH_BYTES];
        if !decode_hex(pwhash, &mut given[..length]) {
            return Reading::Odd;
        }
        let empty: [u8; HASH_BYTES] = self.seeded.clone().chain_update(login).chain_update([0]).finalize().into();
        if given[..length] == self.truncate(empty)[..length] {
            return Reading::Constant;
        }
        // The last 32 bits of a longer one are enough to tell passwords apart, and too few to find one by.
        let tag = given[length.saturating_sub(4)..length].iter().fold(0, |tag, byte| tag << 8 | u32::from(*byte));
        Reading::Tag(PasswordTag::of_guess(tag))
    }

    /// Bytes that are sent.
    fn length(&self) -> usize {
        if self.bits == 0 { HASH_BYTES } else { usize::from(self.bits).div_ceil(8).min(HASH_BYTES) }
    }

    /// Dovecot's `buffer_truncate_rshift_bits`.
    fn truncate(&self, hash: [u8; HASH_BYTES]) -> [u8; HASH_BYTES] {
        let odd_bits = usize::from(self.bits) % 8;
        if odd_bits == 0 || usize::from(self.bits) > 8 * HASH_BYTES {
            return hash;
        }
        let shift = 8 - odd_bits;
        let mut shifted = hash;
        for at in 0..HASH_BYTES {
            let before = if at == 0 { 0 } else { u16::from(hash[at - 1]) };
            shifted[at] = ((before << 8 | u16::from(hash[at])) >> shift) as u8;
        }
        shifted
    }
}

/// Decodes exactly as many hexadecimal digits as fill `bytes`; false if they are not that.
fn decode_hex(text: &str, bytes: &mut [u8]) -> bool {
    if text.len() != 2 * bytes.len() {
        return false;
    }
    let digit = |b: u8| char::from(b).to_digit(16);
    bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)).all(|(byte, pair)| {
        let value = digit(pair[0]).zip(digit(pair[1])).map(|(high, low)| (high << 4 | low) as u8);
        *byte = value.unwrap_or_default();
        value.is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash that Dovecot would send, the long way round: bit by bit.
    fn oracle(nonce: &str, login: &str, password: &str, bits: usize) -> String {
        let hash = Sha256::digest(format!("{nonce}{login}\0{password}"));
        let kept = if bits == 0 { 256 } else { bits.min(256) };
        let all: Vec<bool> = (0..kept).map(|at| hash[at / 8] >> (7 - at % 8) & 1 == 1).collect();
        let padding = vec![false; kept.next_multiple_of(8) - kept];
        let mut text = String::new();
        for digit in [padding, all].concat().chunks(4) {
            let value = digit.iter().fold(0, |value, bit| value << 1 | u32::from(*bit));
            text.push(char::from_digit(value, 16).unwrap());
        }
        text
    }

    #[test]
    fn known_answers() {
        for (password, wanted) in [("correct-horse", "0810"), ("wrong1", "0acf"), ("wrong2", "044e"), ("", "04b4")] {
            assert_eq!(oracle("localrandomstring", "alice", password, 12), wanted, "{password}");
        }
        let hash = PasswordHash::new("localrandomstring");
        let cases = [
            ("alice", "0810", Reading::Tag(PasswordTag(0x810))),
            ("alice", "0ACF", Reading::Tag(PasswordTag(0xacf))),
            ("alice", "04b4", Reading::Constant),
            ("alicf", "04b4", Reading::Tag(PasswordTag(0x4b4))),
            ("alice", "", Reading::Odd),
            ("alice", "81", Reading::Odd),
            ("alice", "00810", Reading::Odd),
            ("alice", "+810", Reading::Odd),
            ("alice", "UNSUPPORTED_VARIABLE_x", Reading::Odd),
        ];
        for (login, pwhash, wanted) in cases {
            assert_eq!(hash.read(login, pwhash), wanted, "{login} {pwhash}");
        }
    }

    #[test]
    fn every_truncation_finds_its_constant() {
        for bits in 0..=300 {
            let hash = PasswordHash::new("n0nce").truncated_to(bits);
            let constant = oracle("n0nce", "bob", "", bits.into());
            assert_eq!(hash.read("bob", &constant), Reading::Constant, "{bits} bits: {constant}");
            if bits == 0 || bits > 24 {
                let other = oracle("n0nce", "bob", "secret", bits.into());
                assert!(matches!(hash.read("bob", &other), Reading::Tag(_)), "{bits} bits: {other}");
            }
        }
    }
}
