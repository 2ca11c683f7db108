//! The search for one address' name: what to ask next, and what an answer means.

use core::time::Duration;

use base::{Address, Timestamp};

use super::{Answer, Found, NAME_BYTES_MAX, NAMES_MAX, Question};

/// How often a question that was not answered is asked, the first time included.
const TRIES_MAX: u8 = 3;
/// The pause before a question is asked again; the next is twice as long.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// What one server said is asked again after the time for which it holds, so that the server has to ask again as well;
/// within these bounds.
const PROOF_PAUSE_MIN: Duration = Duration::from_secs(1);
const PROOF_PAUSE_MAX: Duration = Duration::from_mins(5);
/// How long a name is remembered, whatever its zone says.
const NAMED_FOR: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(6));
/// How long it is remembered that there is none: shorter, because that is what people mend.
const NO_NAME_FOR: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(30));

/// What an answer brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Ask the next question at this moment.
    Ask(Timestamp),
    /// The search is over; what was found holds for so long.
    Over(Found, Duration),
    /// The search is over without a result.
    Failed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    /// The names are asked for.
    Names,
    /// One server said that there are none; whether that is so is asked again.
    Proof,
    /// There are names; those from `next` on are to be confirmed.
    Forward { names: Vec<Box<str>>, next: usize, ttl: Duration },
}

/// The search for one address' name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Job {
    address: Address,
    stage: Stage,
    /// Questions asked in this stage so far that were not answered.
    failed: u8,
    /// Which server is asked next.
    pub(super) server: usize,
    servers: usize,
}

impl Job {
    /// A search that begins with one of so many servers.
    pub(super) const fn new(address: Address, server: usize, servers: usize) -> Self {
        Self { address, stage: Stage::Names, failed: 0, server, servers }
    }

    /// The question to ask now.
    pub(super) fn question(&self) -> Question {
        match &self.stage {
            Stage::Names | Stage::Proof => Question::Names(self.address),
            Stage::Forward { names, next, .. } => {
                Question::Addresses { name: names[*next].clone(), is_v6: self.address.ip().is_ipv6() }
            }
        }
    }

    /// What follows from the answer to [`Job::question`]. An answer of another kind than was asked for is none.
    pub(super) fn answered(&mut self, now: Timestamp, answer: Answer) -> Step {
        match (&mut self.stage, answer) {
            (Stage::Names | Stage::Proof, Answer::Names(names, ttl)) => self.named(now, &names, ttl),
            (Stage::Names, Answer::Nothing(ttl)) => {
                self.stage = Stage::Proof;
                self.failed = 0;
                let pause = match self.servers {
                    1 => ttl.clamp(PROOF_PAUSE_MIN, PROOF_PAUSE_MAX),
                    _ => Duration::ZERO,
                };
                self.next_server();
                Step::Ask(now.plus(pause))
            }
            (Stage::Proof, Answer::Nothing(ttl)) => Step::Over(Found::NoName, ttl.clamp(NO_NAME_FOR.0, NO_NAME_FOR.1)),
            (Stage::Forward { names, next, ttl }, Answer::Addresses(addresses, other)) => {
                if addresses.contains(&self.address) {
                    let name = names.swap_remove(*next);
                    let ttl = other.min(*ttl).clamp(NAMED_FOR.0, NAMED_FOR.1);
                    return Step::Over(Found::Named { name, confirmed: true }, ttl);
                }
                self.next_name(now)
            }
            (Stage::Forward { .. }, Answer::Nothing(_)) => self.next_name(now),
            (Stage::Names | Stage::Proof, Answer::Addresses(..) | Answer::Failed)
            | (Stage::Forward { .. }, Answer::Names(..) | Answer::Failed) => self.failed(now),
        }
    }

    fn named(&mut self, now: Timestamp, names: &[Box<str>], ttl: Duration) -> Step {
        let mut fit: Vec<Box<str>> = names.iter().filter_map(|name| host_name(name)).collect();
        fit.truncate(NAMES_MAX);
        if fit.is_empty() {
            // Something stands there that is no name: neither a name nor the proof that there is none.
            return self.failed(now);
        }
        self.stage = Stage::Forward { names: fit, next: 0, ttl };
        self.failed = 0;
        Step::Ask(now)
    }

    fn next_name(&mut self, now: Timestamp) -> Step {
        let Stage::Forward { names, next, ttl } = &mut self.stage else { return Step::Failed };
        *next += 1;
        self.failed = 0;
        if *next < names.len() {
            return Step::Ask(now);
        }
        let ttl = (*ttl).clamp(NAMED_FOR.0, NAMED_FOR.1);
        Step::Over(Found::Named { name: names.swap_remove(0), confirmed: false }, ttl)
    }

    /// Asks again elsewhere, after a pause that grows. A name whose addresses cannot be had is one all the same.
    fn failed(&mut self, now: Timestamp) -> Step {
        self.failed += 1;
        self.next_server();
        if self.failed < TRIES_MAX {
            return Step::Ask(now.plus(RETRY_PAUSE * u32::from(self.failed)));
        }
        match self.stage {
            Stage::Names | Stage::Proof => Step::Failed,
            Stage::Forward { .. } => self.next_name(now),
        }
    }

    const fn next_server(&mut self) {
        self.server = (self.server + 1) % self.servers;
    }
}

/// The name in small letters without its last dot, if it could be a host's: not the root, not too long, of visible ASCII.
fn host_name(name: &str) -> Option<Box<str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_fit = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_fit.then(|| name.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_hosts() {
        let long = "a".repeat(254);
        let cases = [
            ("Mail.Example.ORG.", Some("mail.example.org")),
            ("mail.example.org", Some("mail.example.org")),
            ("10_1.example.org.", Some("10_1.example.org")),
            (".", None),
            ("", None),
            ("two words.example.org", None),
            ("m\u{fc}ller.example.org", None),
            ("line\nfeed.example.org", None),
            (&long, None),
        ];
        for (name, wanted) in cases {
            assert_eq!(host_name(name).as_deref(), wanted, "{name:?}");
        }
    }
}
