//! What a reply means.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use resolver::{Data, Reply};

use super::List;

/// How long a verdict is remembered at least, so that a list with a TTL of 0 is not asked at each question.
const HOLDS_MIN: Duration = Duration::from_secs(5);
/// How long a verdict is remembered at most: people ask to be taken off.
const HOLDS_MAX: Duration = Duration::from_hours(1);
/// How long it is remembered that an address is not listed if the answer does not say.
const NOTHING_FOR: Duration = Duration::from_mins(1);
/// How long it is remembered that nothing could be found out.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);

/// What a list says of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is listed, for these reasons.
    Listed(Codes),
    /// It is not listed.
    NotListed,
    /// Nobody can tell, and nobody is refused.
    Unknown(Cause),
}

/// Some of a list's codes, by their places among [`List::codes`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Codes(u32);

impl Codes {
    /// The places, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..super::CODES_MAX).filter(move |place| self.0 >> place & 1 == 1)
    }
}

/// Why nothing is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cause {
    /// The list has not been tested yet.
    Untested,
    /// The list is off.
    Off,
    /// Too many questions wait.
    Busy,
    /// No answer in time.
    Silent,
    /// `SERVFAIL`, or an answer that makes no sense.
    ServerFailed,
    /// `REFUSED`.
    Refused,
    /// An answer without a record.
    Empty,
    /// The name leads to another outside the zone.
    Alias,
    /// 127.255.255.x: the list tells that it will not answer us.
    Blocked(Ipv4Addr),
    /// A code that the list is not known to have.
    UnknownCode(Ipv4Addr),
    /// An address outside 127.0.0.0/8, which no list answers: a resolver lies, or the zone has changed hands.
    Outside(IpAddr),
}

impl Cause {
    /// The name of the cause, for metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Untested => "untested",
            Self::Off => "off",
            Self::Busy => "busy",
            Self::Silent => "silent",
            Self::ServerFailed => "server-failed",
            Self::Refused => "refused",
            Self::Empty => "empty",
            Self::Alias => "alias",
            Self::Blocked(_) => "blocked",
            Self::UnknownCode(_) => "unknown-code",
            Self::Outside(_) => "outside",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untested => f.write_str("not tested yet"),
            Self::Off => f.write_str("the list is off"),
            Self::Busy => f.write_str("too many questions at once"),
            Self::Silent => f.write_str("no answer in time"),
            Self::ServerFailed => f.write_str("the resolver could not find out (SERVFAIL)"),
            Self::Refused => f.write_str("the resolver refused the question (REFUSED)"),
            Self::Empty => f.write_str("an answer without a record"),
            Self::Alias => f.write_str("the name leads out of the zone (CNAME)"),
            Self::Blocked(code) => write!(f, "the list will not answer us ({code})"),
            Self::UnknownCode(code) => write!(f, "{code}, which is no code of this list"),
            Self::Outside(address) => write!(f, "{address}, which no blocklist answers"),
        }
    }
}

/// What a reply means, and how long that is remembered.
pub fn judge(list: &List, reply: &Reply) -> (Verdict, Duration) {
    let unknown = |cause| (Verdict::Unknown(cause), UNKNOWN_FOR);
    let held = |ttl: Duration| ttl.clamp(HOLDS_MIN, HOLDS_MAX);
    match reply {
        Reply::Records { data, ttl } => match codes(list, data) {
            Ok(codes) => (Verdict::Listed(codes), held(*ttl)),
            Err(cause) => unknown(cause),
        },
        Reply::NoName(ttl) => (Verdict::NotListed, held(ttl.unwrap_or(NOTHING_FOR))),
        Reply::Empty { .. } => unknown(Cause::Empty),
        Reply::ServerFailed => unknown(Cause::ServerFailed),
        Reply::Refused => unknown(Cause::Refused),
        Reply::Silent => unknown(Cause::Silent),
    }
}

/// The codes of an answer. Each of its addresses must be one: an answer that is odd in one part is not relied on in another.
fn codes(list: &List, data: &[Data]) -> Result<Codes, Cause> {
    let (mut codes, mut worst) = (Codes::default(), None);
    for data in data {
        let address = match data {
            Data::Alias(name) if is_within(name, &list.zone) => continue,
            Data::Alias(_) => return Err(Cause::Alias),
            Data::Name(_) | Data::Text(_) => return Err(Cause::ServerFailed),
            Data::Address(address) => *address,
        };
        let IpAddr::V4(code) = address else { return Err(Cause::Outside(address)) };
        match code.octets() {
            // Spamhaus' range for "no answer for you" (2019), which other lists have taken over.
            [127, 255, 255, _] => return Err(Cause::Blocked(code)),
            [127, ..] => match list.codes.iter().position(|known| known.code == code) {
                Some(place) => codes.0 |= 1 << place,
                None => worst = worst.or(Some(Cause::UnknownCode(code))),
            },
            _ => return Err(Cause::Outside(address)),
        }
    }
    match worst {
        Some(cause) => Err(cause),
        None if codes == Codes::default() => Err(Cause::Empty),
        None => Ok(codes),
    }
}

fn is_within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}
