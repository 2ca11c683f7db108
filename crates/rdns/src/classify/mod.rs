//! What a reverse name says about the host behind it.
//!
//! ```text
//!   name ── Name ──> facts (words, characters, shape, form of the address) ──> Model (learnt weights) ─┐
//!                    marks (words of the tables), brand, known network ──> prior ──────────────────────┴─> judge ─> Verdict
//!   names seen before ──> Conventions (which forms a zone makes from addresses) ────────────────────────^
//! ```
//!
//! Two questions are asked of each name: did a machine make it, and if so, for a line on which addresses change? Rules that
//! everybody knows give the first answer; the weights, learnt from names with known classes, add what those leave open;
//! and a mail server's mark is a veto. Nothing here asks the network.

mod brand;
mod conventions;
mod facts;
mod features;
mod forms;
mod judge;
mod model;
mod name;
mod numbers;
mod prior;
mod session;
mod spelled;
mod suffix;
mod template;
#[cfg(test)]
mod tests;
#[cfg(feature = "train")]
pub mod train;
mod words;
mod zones;

use std::fmt;
use std::net::IpAddr;

pub use conventions::{ADDRESSES_MIN, Conventions, FORMS_MAX};
pub use forms::{Form, Writing};
pub use judge::{Piece, Reason, Verdict};
pub use model::Model;
pub use name::NAME_MAX;
pub use session::{SESSION_ZONES, Session};
pub use template::SESSION_TEMPLATES;
pub use words::Mark;
pub use zones::Network;

use brand::Kinds;
use facts::{Facts, Word};
use features::{Marks, Seen, Tables};
use judge::Case;
use name::Name;
use numbers::Numbers;
use zones::Zones;

/// What a reverse name says about the host behind it. A name alone lists nobody; it says which list an abuser goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Made by an access network for whoever holds the address just now: dial-up, DSL, cable, mobile, pools.
    Dynamic,
    /// Made by a machine as well, but for a rented server or a line sold as static or business.
    StaticGeneric,
    /// A name that somebody chose for this host.
    Mailserver,
}

impl Class {
    /// The word by which commands, listings and documents call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::StaticGeneric => "static-generic",
            Self::Mailserver => "mailserver",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Judges names.
pub struct Classifier {
    tables: Tables,
    zones: Zones,
    model: Model,
}

impl Classifier {
    /// With the model that comes with the program.
    pub fn shipped() -> Self {
        Self::new(Model::shipped())
    }

    /// With a model of one's own.
    pub fn new(model: Model) -> Self {
        Self { tables: Tables::new(), zones: Zones::known(), model }
    }

    /// Without what is known of big networks, for figures that must not owe anything to it.
    #[cfg(feature = "train")]
    pub fn without_zones(model: Model) -> Self {
        Self { zones: Zones::none(), ..Self::new(model) }
    }

    /// The class of the name that an address has, and why. An address that is not known may be none.
    pub fn classify(&self, address: Option<IpAddr>, name: &[u8]) -> Verdict {
        judged(address, name, &mut Anew(self), |_| false)
    }

    /// For many names one after the other.
    pub fn session(&self) -> Session<'_> {
        Session::new(self)
    }

    /// The same with what was learnt of the zone.
    pub fn classify_with(&self, conventions: &Conventions, address: Option<IpAddr>, name: &[u8]) -> Verdict {
        judged(address, name, &mut Anew(self), |name| conventions.knows(name))
    }
}

/// The class of a name, by what the reader says of its parts.
fn judged(
    address: Option<IpAddr>,
    name: &[u8],
    reader: &mut impl Reader,
    is_learnt: impl Fn(&[u8]) -> bool,
) -> Verdict {
    let Some(name) = Name::read(name) else { return judge::no_name() };
    let OfZone { sums: of_zone, facts: first, kinds, network } = reader.of_zone(&name);
    let numbers = Numbers::read(name.chosen());
    let form = forms::find(address, name.chosen(), &numbers);
    let Said { sums, marks, strongest } = reader.of_host(&name, Seen { numbers: &numbers, form, kinds, first });
    let sums = [0, 1].map(|i| of_zone[i].wrapping_add(sums[i]));
    let prior = prior::of_name(&marks, kinds);
    let zone = prior::of_zone(&marks, network);
    let [generated, dynamic] = [0, 1].map(|i| model::log_odds(sums[i]) + prior[i] + zone[i]);
    let is_learnt = is_learnt(name.text());
    judge::decide(&Case { name: &name, generated, dynamic, marks, network, is_learnt, strongest })
}

/// What the registrable domain of a name says, which is the same for all names below it.
#[derive(Clone, Copy)]
struct OfZone {
    sums: [i32; 2],
    /// How many facts that was.
    facts: usize,
    kinds: Kinds,
    network: Option<Network>,
}

/// What the host part of a name says.
struct Said {
    sums: [i32; 2],
    marks: Marks,
    /// The words with the strongest learnt weights for [dynamic, static-generic, mailserver].
    strongest: [Option<(u8, u8)>; 3],
}

/// Who reads the parts of names, and may remember them.
trait Reader {
    fn of_zone(&mut self, name: &Name) -> OfZone;
    fn of_host(&mut self, name: &Name, seen: Seen<'_>) -> Said;
}

/// Reads each anew.
struct Anew<'a>(&'a Classifier);

impl Reader for Anew<'_> {
    fn of_zone(&mut self, name: &Name) -> OfZone {
        self.0.of_zone(name)
    }

    fn of_host(&mut self, name: &Name, seen: Seen<'_>) -> Said {
        self.0.host_says(name, seen)
    }
}

impl Classifier {
    fn host_says(&self, name: &Name, seen: Seen<'_>) -> Said {
        let mut facts = Facts::new();
        facts.leave(seen.first);
        let marks = features::read_host(name, &seen, &self.tables, &mut facts);
        let sums = self.model.weigh([0; 2], facts.since(seen.first));
        let mut strongest = Strongest::default();
        for &word in facts.words() {
            strongest.see(word, self.model.of_word(word));
        }
        Said { sums, marks, strongest: strongest.places }
    }

    fn of_zone(&self, name: &Name) -> OfZone {
        let mut facts = Facts::new();
        let kinds = features::read_zone(name, &self.tables, &mut facts);
        let sums = self.model.weigh(self.model.bias(), facts.since(0));
        OfZone { sums, facts: facts.len(), kinds, network: self.zones.get(name.zone()) }
    }
}

/// The words with the strongest learnt weights for [dynamic, static-generic, mailserver].
#[derive(Default)]
struct Strongest {
    steps: [i32; 3],
    places: [Option<(u8, u8)>; 3],
}

impl Strongest {
    /// Weights below this say too little to be named: a quarter of a unit.
    const STEPS_MIN: i32 = 256;

    fn see(&mut self, word: Word, [generated, dynamic]: [i32; 2]) {
        for (i, steps) in [generated.max(0) + dynamic, generated.max(0) - dynamic, -generated].into_iter().enumerate() {
            if steps > self.steps[i].max(Self::STEPS_MIN) {
                self.steps[i] = steps;
                self.places[i] = Some((word.from, word.to));
            }
        }
    }
}
