//! Many names, one after the other: those of one network come again and again, and are made alike.

use std::net::IpAddr;

use super::features::Seen;
use super::name::Name;
use super::template::{self, SESSION_TEMPLATES, Template};
use super::{Classifier, OfZone, Reader, Said, Verdict, judged};

/// Registrable domains of which is remembered what they say.
pub const SESSION_ZONES: usize = 4096;

/// Longer ones are read each time.
const ZONE_LEN_MAX: usize = 47;

/// Judges names as its classifier does, and remembers what their registrable domains say, and their letters before those.
pub struct Session<'a>(Memory<'a>);

struct Memory<'a> {
    classifier: &'a Classifier,
    zones: Box<[Option<Known>]>,
    templates: Box<[Option<Template>]>,
}

/// A registrable domain, and what it says.
#[derive(Clone, Copy)]
struct Known {
    zone: [u8; ZONE_LEN_MAX],
    len: u8,
    says: OfZone,
}

impl<'a> Session<'a> {
    pub(super) fn new(classifier: &'a Classifier) -> Self {
        let (zones, templates) = (vec![None; SESSION_ZONES].into(), vec![None; SESSION_TEMPLATES].into());
        Self(Memory { classifier, zones, templates })
    }

    /// The class of the name that an address has, and why. An address that is not known may be none.
    pub fn classify(&mut self, address: Option<IpAddr>, name: &[u8]) -> Verdict {
        judged(address, name, &mut self.0, |_| false)
    }
}

impl Reader for Memory<'_> {
    fn of_zone(&mut self, name: &Name) -> OfZone {
        of_zone(self.classifier, &mut self.zones, name)
    }

    fn of_host(&mut self, name: &Name, seen: Seen<'_>) -> Said {
        template::host_says(self.classifier, &mut self.templates, name, seen)
    }
}

fn of_zone(classifier: &Classifier, known: &mut [Option<Known>], name: &Name) -> OfZone {
    let text = name.zone();
    let slot = slot(text, SESSION_ZONES);
    let is_it = |known: &&Known| known.zone[..usize::from(known.len)] == *text;
    if let Some(known) = known[slot..slot + WAYS].iter().flatten().find(is_it) {
        return known.says;
    }
    let says = classifier.of_zone(name);
    let mut zone = [0; ZONE_LEN_MAX];
    if let Some(start) = zone.get_mut(..text.len()) {
        start.copy_from_slice(text);
        put(known, slot, Known { zone, len: text.len() as u8, says });
    }
    says
}

/// So many that meet are remembered beside each other.
pub(super) const WAYS: usize = 2;

/// Where a text's places begin among so many. Texts that meet cost each other time and nothing else, so that the hash needs
/// no secret.
pub(super) fn slot(text: &[u8], places: usize) -> usize {
    let (eights, rest) = text.as_chunks();
    let rest = rest.iter().fold(text.len() as u64, |rest, &byte| rest << 8 | u64::from(byte));
    let hash = eights
        .iter()
        .map(|eight| u64::from_le_bytes(*eight))
        .chain([rest])
        .fold(0, |hash: u64, eight| (hash ^ eight).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
    (hash >> 20) as usize % (places / WAYS) * WAYS
}

/// Remembers it first of those that meet there; the last one gives way.
pub(super) fn put<T: Copy>(known: &mut [Option<T>], slot: usize, value: T) {
    known.copy_within(slot..slot + WAYS - 1, slot + 1);
    known[slot] = Some(value);
}

#[cfg(test)]
mod tests {
    use super::super::Classifier;

    #[test]
    fn a_session_judges_as_its_classifier_does() {
        let classifier = Classifier::shipped();
        let mut session = classifier.session();
        let long = format!("{}.example", "x".repeat(63));
        let zones = ["comcast.net", "example.org", "linode.com", "a.co.uk", "co.uk", &*long, "x", "a..b"];
        let hosts = ["", "mail.", "dsl-192-0-2-17.", "192-0-2-17.dyn.", "static.17.2.0.192.", "a.b.c.d.e.f."];
        let address = "192.0.2.17".parse().ok();
        for round in 0..3 {
            for zone in zones {
                for host in hosts {
                    let name = format!("{host}{zone}");
                    let wanted = classifier.classify(address, name.as_bytes());
                    assert_eq!(session.classify(address, name.as_bytes()), wanted, "{name}, round {round}");
                }
            }
        }
    }

    #[test]
    fn more_domains_than_are_remembered_push_one_another_out() {
        let classifier = Classifier::shipped();
        let mut session = classifier.session();
        for number in 0..3 * super::SESSION_ZONES {
            let name = format!("host-192-0-2-17.example{}.net", number % (2 * super::SESSION_ZONES));
            let address = "192.0.2.17".parse().ok();
            assert_eq!(session.classify(address, name.as_bytes()), classifier.classify(address, name.as_bytes()));
        }
    }
}
