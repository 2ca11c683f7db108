//! Signed messages (RFC 8945): checking a request, signing the messages of its answer, and the same the other way round.

use super::key::{Digest, Key};
use crate::serve::wire::{HEADER_BYTES, code, skip_name};

/// How far the clocks of two servers may differ, in seconds; RFC 8945 section 10 advises this.
pub(super) const FUDGE: u16 = 300;

/// Octets of a TSIG record's fixed part, and of its data without names, signature and other data.
const RECORD_BYTES: usize = 10;

/// The class ANY, and a TTL of 0: what every TSIG record has.
const CLASS_AND_TTL: [u8; 6] = [0, 255, 0, 0, 0, 0];

/// The error codes of TSIG records: BADSIG, BADKEY, BADTIME and BADTRUNC (RFC 8945 section 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The signature is not that of the message.
    Signature = 16,
    /// We do not have the key, or have it for another algorithm.
    Key = 17,
    /// The clocks differ by more than the message allows.
    Time = 18,
    /// The signature was cut short, which we do not take.
    Truncated = 22,
}

/// A TSIG record at the end of a message.
#[derive(Debug)]
struct Signature<'a> {
    /// Where the record begins.
    at: usize,
    key: &'a [u8],
    algorithm: &'a [u8],
    time: [u8; 6],
    fudge: [u8; 2],
    mac: &'a [u8],
    id: [u8; 2],
    error: [u8; 2],
    other: &'a [u8],
}

/// A message without its signature.
#[derive(Debug)]
pub(crate) enum Checked<'k> {
    /// It is signed well.
    Signed {
        /// The message.
        message: Vec<u8>,
        /// For the answer.
        session: Session<'k>,
    },
    /// It is signed, and must not be believed.
    Refused {
        /// The message, for the answer's beginning.
        message: Vec<u8>,
        /// The record that the answer ends with, which says why.
        record: Vec<u8>,
    },
    /// The record makes no sense.
    Malformed,
}

/// The exchange of signed messages that one request began. What is signed covers what was signed before.
#[derive(Debug)]
pub(crate) struct Session<'k> {
    pub(crate) key: &'k Key,
    last: Vec<u8>,
    is_first: bool,
}

/// Checks the signature of a request that has one; `now` is in seconds since 1970.
pub(crate) fn check<'k>(keys: &'k [Key], message: &[u8], now: u64) -> Checked<'k> {
    let Some(signature) = Signature::find(message) else { return Checked::Malformed };
    let stripped = signature.strip(message);
    let refuse = |record| Checked::Refused { message: stripped.clone(), record };
    let has_name = |key: &&Key| key.canonical().eq_ignore_ascii_case(signature.key);
    let key = keys.iter().find(has_name).filter(|key| signature.algorithm.eq_ignore_ascii_case(key.algorithm().wire()));
    let Some(key) = key else { return refuse(signature.error_record(Fault::Key)) };
    if signature.mac.len() != key.algorithm().mac_bytes() {
        let is_short = signature.mac.len() < key.algorithm().mac_bytes();
        let fault = if is_short { Fault::Truncated } else { Fault::Signature };
        return refuse(signature.error_record(fault));
    }
    let mut digest = key.begin();
    digest.update(&signed_part(&stripped, signature.id));
    digest.update(&signature.variables(key));
    if !digest.is(signature.mac) {
        return refuse(signature.error_record(Fault::Signature));
    }
    let mut session = Session { key, last: signature.mac.to_vec(), is_first: true };
    if seconds(signature.time).abs_diff(now) > u64::from(u16::from_be_bytes(signature.fudge)) {
        // The answer is signed, and says our time, so that the other side can find out which clock is wrong.
        let terms = Terms { time: signature.time, error: Fault::Time as u16, other: &time_bytes(now) };
        let mut answer = error_head(&stripped);
        let begin = answer.len();
        session.put_record(&mut answer, &terms);
        return refuse(answer.split_off(begin));
    }
    Checked::Signed { message: stripped, session }
}

/// The answer to a request that was refused for its signature, `record` at its end.
pub(crate) fn refusal(message: &[u8], record: &[u8]) -> Vec<u8> {
    let mut out = error_head(message);
    out.extend_from_slice(record);
    set_count(&mut out, 1);
    out
}

/// Header and question of a refused request, with NOTAUTH, and without additional records.
fn error_head(message: &[u8]) -> Vec<u8> {
    let mut end = HEADER_BYTES;
    if message[4..6] == [0, 1] {
        end = skip_name(message, end).map_or(HEADER_BYTES, |name| name + 4);
    }
    let has_question = end > HEADER_BYTES && end <= message.len();
    let mut out = message[..if has_question { end } else { HEADER_BYTES }].to_vec();
    out[2] = 0x80 | message[2] & 0x79;
    out[3] = message[3] & 0x10 | NOT_AUTH;
    out[4..HEADER_BYTES].fill(0);
    out[5] = u8::from(has_question);
    out
}

/// The response code of answers to badly signed requests.
const NOT_AUTH: u8 = 9;

/// Signs a request, and gives the session that checks the answer.
pub(crate) fn sign_request<'k>(key: &'k Key, message: &mut Vec<u8>, now: u64) -> Session<'k> {
    let mut session = Session { key, last: Vec::new(), is_first: true };
    session.sign(message, now);
    session.is_first = true;
    session
}

impl<'k> Session<'k> {
    /// Signs the next message of the answer: appends the record, and counts it in the header.
    pub(crate) fn sign(&mut self, message: &mut Vec<u8>, now: u64) {
        let terms = Terms { time: time_bytes(now), error: 0, other: &[] };
        self.put_record(message, &terms);
        let count = additional_count(message);
        set_count(message, count + 1);
        self.is_first = false;
    }

    /// Octets that a signature adds to a message.
    pub(crate) fn record_bytes(&self) -> usize {
        let algorithm = self.key.algorithm();
        self.key.canonical().len() + RECORD_BYTES + algorithm.wire().len() + 16 + algorithm.mac_bytes()
    }

    /// Whether `message` is the answer that the holder of the key gave to our request.
    pub(crate) fn is_answer(&self, message: &[u8], now: u64) -> bool {
        let Some(signature) = Signature::find(message) else { return false };
        let mut digest = self.key.begin();
        digest.update(&(self.last.len() as u16).to_be_bytes());
        digest.update(&self.last);
        digest.update(&signed_part(&signature.strip(message), signature.id));
        digest.update(&signature.variables(self.key));
        signature.key.eq_ignore_ascii_case(self.key.canonical())
            && digest.is(signature.mac)
            && seconds(signature.time).abs_diff(now) <= u64::from(FUDGE)
    }

    /// Begins to check the messages of the answer, of which there may be many.
    pub(crate) fn listen(self) -> Listening<'k> {
        Listening { key: self.key, last: self.last, is_first: true, digest: None, unsigned: 0 }
    }

    /// Appends the record that signs `message`, whose additional count does not count it yet.
    fn put_record(&mut self, message: &mut Vec<u8>, terms: &Terms<'_>) {
        let mut digest = self.key.begin();
        if !self.last.is_empty() {
            digest.update(&(self.last.len() as u16).to_be_bytes());
            digest.update(&self.last);
        }
        digest.update(message);
        if self.is_first {
            digest.update(&terms.variables(self.key, FUDGE.to_be_bytes()));
        } else {
            digest.update(&terms.time);
            digest.update(&FUDGE.to_be_bytes());
        }
        self.last = digest.finish();
        let id = [message[0], message[1]];
        let (key, algorithm) = (self.key.canonical(), self.key.algorithm().wire());
        put_tsig(message, &Record { key, algorithm, fudge: FUDGE.to_be_bytes(), mac: &self.last, id, terms });
    }
}

/// Most messages between two signed ones (RFC 8945 section 5.3.1).
const UNSIGNED_MAX: u32 = 99;

/// Checks the messages of an answer to a signed request, one by one. Not each has a signature, but the first and the
/// last must have one, and each covers the messages since the one before (RFC 8945 section 5.3.1).
pub(crate) struct Listening<'k> {
    key: &'k Key,
    last: Vec<u8>,
    is_first: bool,
    /// Of the messages since the last signature.
    digest: Option<Digest>,
    unsigned: u32,
}

impl Listening<'_> {
    /// Takes the next message. Returns whether it may be believed so far; what is wrong with it, if not.
    pub(crate) fn hear(&mut self, message: &[u8], now: u64) -> Result<(), Unbelieved> {
        let mut digest = self.digest.take().unwrap_or_else(|| {
            let mut digest = self.key.begin();
            digest.update(&(self.last.len() as u16).to_be_bytes());
            digest.update(&self.last);
            digest
        });
        let Some(signature) = Signature::find(message) else {
            self.unsigned += 1;
            if self.is_first || self.unsigned > UNSIGNED_MAX {
                return Err(Unbelieved::Unsigned);
            }
            digest.update(message);
            self.digest = Some(digest);
            return Ok(());
        };
        let told = u16::from_be_bytes(signature.error);
        if signature.mac.is_empty() && told > 0 {
            return Err(Unbelieved::Told(told));
        }
        digest.update(&signed_part(&signature.strip(message), signature.id));
        if self.is_first {
            digest.update(&signature.variables(self.key));
        } else {
            digest.update(&signature.time);
            digest.update(&signature.fudge);
        }
        let is_ours = signature.key.eq_ignore_ascii_case(self.key.canonical())
            && signature.algorithm.eq_ignore_ascii_case(self.key.algorithm().wire());
        if !is_ours || !digest.is(signature.mac) {
            return Err(Unbelieved::Wrong);
        }
        if told > 0 {
            return Err(Unbelieved::Told(told));
        }
        if seconds(signature.time).abs_diff(now) > u64::from(FUDGE) {
            return Err(Unbelieved::Time);
        }
        (self.last, self.is_first, self.unsigned) = (signature.mac.to_vec(), false, 0);
        Ok(())
    }

    /// Whether the last message was signed, so that no message after it is needed to believe it.
    pub(crate) const fn is_whole(&self) -> bool {
        !self.is_first && self.digest.is_none()
    }
}

/// Why a message of a signed answer is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Unbelieved {
    /// There is no signature where one must be.
    #[error("an answer is not signed")]
    Unsigned,
    /// The signature is not that of the message, or not by our key.
    #[error("the signature of an answer is wrong")]
    Wrong,
    /// The clocks differ.
    #[error("the primary's clock and ours differ by more than {FUDGE} seconds")]
    Time,
    /// The primary does not believe our signature.
    #[error("the primary does not take our signature: {}", told(*.0))]
    Told(u16),
}

/// The error of a TSIG record in words.
const fn told(error: u16) -> &'static str {
    match error {
        16 => "it is not that of its key",
        17 => "it does not know the key",
        18 => "its clock and ours differ",
        _ => "it is odd",
    }
}

/// What a signature says besides the signature.
struct Terms<'a> {
    time: [u8; 6],
    error: u16,
    other: &'a [u8],
}

impl Terms<'_> {
    /// What the first signature covers (RFC 8945 section 4.3.3).
    fn variables(&self, key: &Key, fudge: [u8; 2]) -> Vec<u8> {
        let mut out = key.canonical().to_vec();
        out.extend_from_slice(&CLASS_AND_TTL);
        out.extend_from_slice(key.algorithm().wire());
        out.extend_from_slice(&self.time);
        out.extend_from_slice(&fudge);
        out.extend_from_slice(&self.error.to_be_bytes());
        out.extend_from_slice(&(self.other.len() as u16).to_be_bytes());
        out.extend_from_slice(self.other);
        out
    }
}

struct Record<'a> {
    key: &'a [u8],
    algorithm: &'a [u8],
    fudge: [u8; 2],
    mac: &'a [u8],
    id: [u8; 2],
    terms: &'a Terms<'a>,
}

fn put_tsig(out: &mut Vec<u8>, record: &Record<'_>) {
    let Record { key, algorithm, fudge, mac, id, terms } = record;
    out.extend_from_slice(key);
    out.extend_from_slice(&code::TSIG.to_be_bytes());
    out.extend_from_slice(&CLASS_AND_TTL);
    let length = algorithm.len() + 16 + mac.len() + terms.other.len();
    out.extend_from_slice(&(length as u16).to_be_bytes());
    out.extend_from_slice(algorithm);
    out.extend_from_slice(&terms.time);
    out.extend_from_slice(fudge);
    out.extend_from_slice(&(mac.len() as u16).to_be_bytes());
    out.extend_from_slice(mac);
    out.extend_from_slice(id);
    out.extend_from_slice(&terms.error.to_be_bytes());
    out.extend_from_slice(&(terms.other.len() as u16).to_be_bytes());
    out.extend_from_slice(terms.other);
}

impl<'a> Signature<'a> {
    /// The record at the end of `message`, which is one of its additional ones.
    fn find(message: &'a [u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER_BYTES>()?;
        let count = |at: usize| u32::from(u16::from_be_bytes([header[at], header[at + 1]]));
        let mut at = HEADER_BYTES;
        for _ in 0..count(4) {
            at = skip_name(message, at)? + 4;
        }
        let records = count(6) + count(8) + count(10);
        for _ in 1..records {
            let fixed = skip_name(message, at)?;
            let length = message.get(fixed + 8..fixed + RECORD_BYTES)?;
            at = fixed + RECORD_BYTES + usize::from(u16::from_be_bytes([length[0], length[1]]));
        }
        if count(10) == 0 {
            return None;
        }
        Self::read(message, at)
    }

    fn read(message: &'a [u8], at: usize) -> Option<Self> {
        let mut rest = Cursor(message.get(at..)?);
        let key = rest.name()?;
        if rest.take(8)? != [&code::TSIG.to_be_bytes()[..], &CLASS_AND_TTL].concat() {
            return None;
        }
        let length = rest.word()?;
        if rest.0.len() != length {
            return None;
        }
        let algorithm = rest.name()?;
        let time = *rest.take(6)?.first_chunk()?;
        let fudge = *rest.take(2)?.first_chunk()?;
        let mac_bytes = rest.word()?;
        let mac = rest.take(mac_bytes)?;
        let id = *rest.take(2)?.first_chunk()?;
        let error = *rest.take(2)?.first_chunk()?;
        let other_bytes = rest.word()?;
        let other = rest.take(other_bytes)?;
        rest.0.is_empty().then_some(Self { at, key, algorithm, time, fudge, mac, id, error, other })
    }

    /// The message without this record.
    fn strip(&self, message: &[u8]) -> Vec<u8> {
        let mut out = message[..self.at].to_vec();
        set_count(&mut out, additional_count(message).wrapping_sub(1));
        out
    }

    fn variables(&self, key: &Key) -> Vec<u8> {
        let terms = Terms { time: self.time, error: u16::from_be_bytes(self.error), other: self.other };
        terms.variables(key, self.fudge)
    }

    /// The unsigned record of a refusal (RFC 8945 section 5.2).
    fn error_record(&self, fault: Fault) -> Vec<u8> {
        let terms = Terms { time: self.time, error: fault as u16, other: &[] };
        let mut out = Vec::new();
        let (key, algorithm) = (self.key, self.algorithm);
        put_tsig(&mut out, &Record { key, algorithm, fudge: self.fudge, mac: &[], id: self.id, terms: &terms });
        out
    }
}

/// The message as it was signed: with the identity that it had then, which forwarders change.
fn signed_part(message: &[u8], id: [u8; 2]) -> Vec<u8> {
    let mut out = message.to_vec();
    out[..2].copy_from_slice(&id);
    out
}

fn additional_count(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[10], message[11]])
}

fn set_count(message: &mut [u8], additional: u16) {
    message[10..12].copy_from_slice(&additional.to_be_bytes());
}

fn seconds(time: [u8; 6]) -> u64 {
    time.iter().fold(0, |seconds, byte| seconds << 8 | u64::from(*byte))
}

fn time_bytes(now: u64) -> [u8; 6] {
    let [_, _, rest @ ..] = now.to_be_bytes();
    rest
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<usize> {
        let bytes = self.take(2)?;
        Some(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    }

    /// A name, which must not be compressed (RFC 8945 sections 4.2 and 5.2).
    fn name(&mut self) -> Option<&'a [u8]> {
        let end = skip_name(self.0, 0)?;
        let name = self.take(end)?;
        (name.last() == Some(&0)).then_some(name)
    }
}

#[cfg(test)]
#[path = "tsig_tests.rs"]
mod tests;
