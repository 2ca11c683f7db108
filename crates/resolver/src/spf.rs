//! From which addresses a domain sends its mail, as its SPF policy says (RFC 7208): asked one question after the other.
//!
//! ```text
//!  let mut walk = Walk::new(domain);
//!  while let Some(question) = walk.question() { walk.told(&ask(question)); }
//!  walk.networks()
//! ```
//!
//! What a policy says is taken to keep addresses off lists, so that only what it lets pass counts (`+`), and what can not
//! be told is an error: whoever asks keeps what he knew before. `exists` and `ptr` name no addresses and are passed over,
//! and so is whatever has a macro in it.

use core::net::IpAddr;
use std::collections::VecDeque;

use base::{Address, Network};

use crate::{Data, Question, Reply};

/// Most terms that ask DNS (RFC 7208 section 4.6.4): `include`, `a`, `mx`, `redirect`; `ptr` and `exists` count too.
pub const LOOKUPS_MAX: usize = 10;

/// Most names of mail servers of one `mx` term (RFC 7208 section 4.6.4).
pub const EXCHANGES_MAX: usize = 10;

/// Most networks of one domain; what comes beyond is an error.
pub const NETWORKS_MAX: usize = 10_000;

/// Widest networks that a policy may name. `ip4:0.0.0.0/0` would let everybody pass.
pub const LENGTHS_MIN: (u8, u8) = (8, 19);

/// Why nothing is known of a domain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It has no policy, or more than one.
    NoPolicy,
    /// A policy on the way can not be read.
    Syntax,
    /// More questions would be needed than [`LOOKUPS_MAX`].
    TooManyLookups,
    /// A server could not tell.
    Unanswered,
    /// More than [`NETWORKS_MAX`] networks, or wider ones than [`LENGTHS_MIN`].
    TooWide,
}

/// A question on the way.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Task {
    /// The policy of a domain; how it is come to decides what counts in it.
    Policy(Box<str>),
    Addresses {
        name: Box<str>,
        is_v6: bool,
        lengths: (u8, u8),
    },
    Exchanges {
        name: Box<str>,
        lengths: (u8, u8),
    },
}

/// See the module.
pub struct Walk {
    tasks: VecDeque<Task>,
    /// Domains whose policies were asked for: one that includes itself asks no more.
    policies: Vec<Box<str>>,
    lookups: usize,
    networks: Vec<Network>,
    fault: Option<Fault>,
}

impl Walk {
    /// Begins with a domain, which has no last dot.
    pub fn new(domain: &str) -> Self {
        let domain: Box<str> = domain.to_ascii_lowercase().into();
        let tasks = VecDeque::from([Task::Policy(domain.clone())]);
        Self { tasks, policies: vec![domain], lookups: 0, networks: Vec::new(), fault: None }
    }

    /// The next question; none at the end.
    pub fn question(&self) -> Option<Question<'_>> {
        if self.fault.is_some() {
            return None;
        }
        Some(match self.tasks.front()? {
            Task::Policy(name) => Question::Texts(name),
            Task::Addresses { name, is_v6: true, .. } => Question::V6(name),
            Task::Addresses { name, is_v6: false, .. } => Question::V4(name),
            Task::Exchanges { name, .. } => Question::Exchanges(name),
        })
    }

    /// The reply to the last question.
    pub fn told(&mut self, reply: &Reply) {
        let Some(task) = self.tasks.pop_front() else { return };
        let data = match reply {
            Reply::Records { data, .. } => &data[..],
            Reply::NoName(_) | Reply::Empty { is_proven: true, .. } => &[],
            Reply::Empty { is_proven: false, .. } | Reply::ServerFailed | Reply::Refused | Reply::Silent => {
                return self.fail(Fault::Unanswered);
            }
        };
        match task {
            Task::Policy(name) => self.policy(&name, data),
            Task::Addresses { lengths, .. } => {
                for address in data.iter().filter_map(address_of) {
                    self.allow(address, if address.is_ipv4() { lengths.0 } else { lengths.1 });
                }
            }
            Task::Exchanges { lengths, .. } => {
                let names = data.iter().filter_map(|data| match data {
                    Data::Exchange(name) => Some(name),
                    Data::Name(_) | Data::Alias(_) | Data::Address(_) | Data::Text(_) => None,
                });
                for name in names.take(EXCHANGES_MAX) {
                    self.ask_addresses(name, lengths);
                }
            }
        }
    }

    /// The networks, after the last question.
    ///
    /// # Errors
    /// Says why nothing is known.
    pub fn networks(mut self) -> Result<Vec<Network>, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.networks.sort_unstable();
        self.networks.dedup();
        Ok(self.networks)
    }

    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn policy(&mut self, domain: &str, data: &[Data]) {
        let mut policies = data.iter().filter_map(|data| match data {
            Data::Text(text) => policy_of(text),
            Data::Name(_) | Data::Alias(_) | Data::Address(_) | Data::Exchange(_) => None,
        });
        let (Some(terms), None) = (policies.next(), policies.next()) else { return self.fail(Fault::NoPolicy) };
        let mut redirect = None;
        let mut has_all = false;
        for term in terms.split(' ').filter(|term| !term.is_empty()) {
            let term = term.to_ascii_lowercase();
            if let Some(target) = term.strip_prefix("redirect=") {
                redirect = Some(target.to_owned());
            } else if !is_modifier(&term) {
                has_all |= term.trim_start_matches(['+', '-', '~', '?']) == "all";
                self.mechanism(domain, &term);
            }
        }
        // `redirect` says nothing where `all` stands (RFC 7208 section 6.1).
        if let Some(target) = redirect.filter(|_| !has_all) {
            self.include(&target);
        }
    }

    fn mechanism(&mut self, domain: &str, term: &str) {
        let passes = !term.starts_with(['-', '~', '?']);
        let term = term.trim_start_matches(['+', '-', '~', '?']);
        let end = term.find([':', '/']).unwrap_or(term.len());
        let (kind, rest) = term.split_at(end);
        match kind {
            // They count as questions whether they let pass or not.
            "exists" | "ptr" => drop(self.lookup()),
            "ip4" | "ip6" if passes => match rest.strip_prefix(':').and_then(|text| text.parse::<Network>().ok()) {
                Some(network) if network.base().is_ipv4() == (kind == "ip4") => {
                    self.allow(network.base(), network.length());
                }
                Some(_) | None => self.fail(Fault::Syntax),
            },
            "all" | "ip4" | "ip6" => {}
            "include" => match rest.strip_prefix(':') {
                Some(target) if passes => self.include(target),
                Some(_) => drop(self.lookup()),
                None => self.fail(Fault::Syntax),
            },
            "a" | "mx" => match target(domain, rest) {
                Some((name, _)) if is_macro(name) => drop(self.lookup()),
                Some((name, lengths)) if passes && self.lookup() => {
                    if kind == "a" {
                        self.ask_addresses(name, lengths);
                    } else {
                        self.tasks.push_back(Task::Exchanges { name: name.into(), lengths });
                    }
                }
                Some(_) => {}
                None => self.fail(Fault::Syntax),
            },
            _ => self.fail(Fault::Syntax),
        }
    }

    fn include(&mut self, target: &str) {
        if !self.lookup() || is_macro(target) || self.policies.iter().any(|known| **known == *target) {
            return;
        }
        self.policies.push(target.into());
        self.tasks.push_back(Task::Policy(target.into()));
    }

    fn ask_addresses(&mut self, name: &str, lengths: (u8, u8)) {
        for is_v6 in [false, true] {
            self.tasks.push_back(Task::Addresses { name: name.into(), is_v6, lengths });
        }
    }

    /// Whether one more question is allowed.
    fn lookup(&mut self) -> bool {
        self.lookups += 1;
        if self.lookups > LOOKUPS_MAX {
            self.fail(Fault::TooManyLookups);
        }
        self.lookups <= LOOKUPS_MAX
    }

    fn allow(&mut self, address: IpAddr, length: u8) {
        let least = if address.is_ipv4() { LENGTHS_MIN.0 } else { LENGTHS_MIN.1 };
        if length < least || self.networks.len() >= NETWORKS_MAX {
            return self.fail(Fault::TooWide);
        }
        self.networks.push(Network::containing(Address::new(address), length));
    }
}

const fn address_of(data: &Data) -> Option<IpAddr> {
    match data {
        Data::Address(address) => Some(*address),
        Data::Name(_) | Data::Alias(_) | Data::Text(_) | Data::Exchange(_) => None,
    }
}

/// The terms of a policy; none if the text is none (RFC 7208 section 4.5).
fn policy_of(text: &str) -> Option<&str> {
    let (version, terms) = text.split_once(' ').unwrap_or((text, ""));
    version.eq_ignore_ascii_case("v=spf1").then_some(terms)
}

/// Whether the term is a modifier, `name=…`.
fn is_modifier(term: &str) -> bool {
    term.find('=').is_some_and(|at| !term[..at].contains([':', '/']))
}

fn is_macro(name: &str) -> bool {
    name.contains('%')
}

/// The name and the lengths of `a` and `mx`: `:name/24//64`, each part of which may be missing.
fn target<'a>(domain: &'a str, rest: &'a str) -> Option<(&'a str, (u8, u8))> {
    let (name, lengths) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let name = match name.strip_prefix(':') {
        Some(name) if !name.is_empty() => name,
        Some(_) => return None,
        None => domain,
    };
    let (v4, v6) = lengths.split_once("//").map_or((lengths, None), |(v4, v6)| (v4, Some(v6)));
    let v4 = match v4.strip_prefix('/') {
        Some(length) => length.parse().ok().filter(|length| *length <= 32)?,
        None if v4.is_empty() => 32,
        None => return None,
    };
    let v6 = match v6 {
        Some(length) => length.parse().ok().filter(|length| *length <= 128)?,
        None => 128,
    };
    Some((name, (v4, v6)))
}

#[cfg(test)]
mod tests;
