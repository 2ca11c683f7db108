//! From an address to its reverse name, or to the proof that it has none.
//!
//! ```text
//!  wanted ──> cache ──> job: PTR ──names──> forward questions ──> named, confirmed or not
//!                         │  └──nothing──> the same again, elsewhere or later ──> no name
//!                         └──failures──> again, a few times ──> unknown
//! ```
//!
//! That an address has **no name** is said only after two answers said so, from two servers, or from one with so much
//! time between them that the first is forgotten there. `SERVFAIL`, a refusal, silence and a referral that leads nowhere
//! prove nothing: the outcome is **unknown**, by which nobody is listed.
//!
//! The machine asks for an address once, however many want to know. It is pure: time is an argument, questions are an
//! output, answers an input. Whoever answers may be slow, may lie, and may answer what was not asked.

mod cache;
mod job;
mod machine;
#[cfg(test)]
mod tests;

use core::time::Duration;

use base::Address;

pub use cache::CACHED_MAX;
pub use machine::{Counters, FAILED_FOR, JOBS_MAX, Machine};

/// Reverse names of one address that are looked at. RFC 1035 allows any number; some hosts of shared web space have
/// hundreds, and whoever owns the zone chooses how many.
pub const NAMES_MAX: usize = 4;
/// Longest name in its textual form (RFC 1035 section 2.3.4); a longer one, with escapes, is no host's.
pub const NAME_BYTES_MAX: usize = 253;

/// What is known of an address' reverse name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It has one.
    Named {
        /// The name in small letters, without the last dot; the confirmed one of several, or else the first.
        name: Box<str>,
        /// Whether the name leads back to the address (forward-confirmed reverse DNS).
        confirmed: bool,
    },
    /// It has none, as two answers say.
    NoName,
    /// Nobody could tell.
    Unknown,
}

/// A question for a resolver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// The names of an address.
    Names(Address),
    /// The addresses of a name, of one family.
    Addresses {
        /// The name, without a last dot.
        name: Box<str>,
        /// Whether IPv6 addresses are wanted, or else IPv4.
        is_v6: bool,
    },
}

/// What a resolver answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The names of an address, and how long they hold.
    Names(Vec<Box<str>>, Duration),
    /// The addresses of a name, and how long they hold.
    Addresses(Vec<Address>, Duration),
    /// There is no such name (`NXDOMAIN`), or it has nothing of that type (`NODATA`), and how long that holds.
    Nothing(Duration),
    /// It could not tell: `SERVFAIL`, a refusal, silence, nonsense.
    Failed,
}

/// Which question an answer is to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QuestionId(pub(crate) u64);

/// What the machine is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Somebody wants to know the name of an address.
    Wanted {
        /// The address.
        address: Address,
        /// Whether what is remembered will not do.
        afresh: bool,
    },
    /// A resolver answered.
    Answered(QuestionId, Answer),
    /// Time passed.
    Tick,
}

/// What the machine wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Ask this.
    Ask {
        /// Goes back with the answer.
        id: QuestionId,
        /// The question.
        question: Question,
        /// Which of the servers.
        server: usize,
    },
    /// This is known of the address now.
    Tell(Address, Found),
}

/// How the machine asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How many servers there are to ask; at least one.
    pub servers: usize,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// Questions that are open at once.
    pub in_flight_max: usize,
}

impl Default for Settings {
    /// One server, 3 seconds, 64 questions at once.
    fn default() -> Self {
        Self { servers: 1, timeout: Duration::from_secs(3), in_flight_max: 64 }
    }
}
