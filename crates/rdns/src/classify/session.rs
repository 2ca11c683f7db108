//! Many names, one after the other: those of one network come again and again.

use std::net::IpAddr;

use super::name::Name;
use super::{Classifier, OfZone, Verdict};

/// Registrable domains of which is remembered what they say.
pub const SESSION_ZONES: usize = 4096;

/// Longer ones are read each time.
const ZONE_LEN_MAX: usize = 47;

/// Judges names as its classifier does, and remembers what their registrable domains say.
pub struct Session<'a> {
    classifier: &'a Classifier,
    known: Box<[Option<Known>]>,
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
        Self { classifier, known: vec![None; SESSION_ZONES].into() }
    }

    /// The class of the name that an address has, and why. An address that is not known may be none.
    pub fn classify(&mut self, address: Option<IpAddr>, name: &[u8]) -> Verdict {
        let (classifier, known) = (self.classifier, &mut self.known);
        classifier.judge(address, name, |name| of_zone(classifier, known, name), |_| false)
    }
}

fn of_zone(classifier: &Classifier, known: &mut [Option<Known>], name: &Name) -> OfZone {
    let text = name.zone();
    let place = &mut known[slot(text)];
    if let Some(known) = place
        && known.zone[..usize::from(known.len)] == *text
    {
        return known.says;
    }
    let says = classifier.of_zone(name);
    let mut zone = [0; ZONE_LEN_MAX];
    if let Some(start) = zone.get_mut(..text.len()) {
        start.copy_from_slice(text);
        *place = Some(Known { zone, len: text.len() as u8, says });
    }
    says
}

/// Two domains that meet in one slot cost each other time and nothing else, so that the hash needs no secret.
fn slot(zone: &[u8]) -> usize {
    let hash = zone.chunks(8).fold(zone.len() as u64, |hash, chunk| {
        let mut eight = [0; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        (hash ^ u64::from_le_bytes(eight)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    (hash >> 20) as usize % SESSION_ZONES
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
