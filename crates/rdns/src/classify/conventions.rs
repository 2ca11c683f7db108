//! How zones make names from addresses, learnt from the names that pass by.
//!
//! A form is a name with its numbers reduced to marks, `cm0.gamma0.example.net`. Once enough addresses have a name of the
//! same form, and the names differ as the addresses do, the zone is known to generate it, and then the next name of
//! this form is known as generated though its own address cannot be read in it.
//!
//! What an attacker can do here is small. A form holds all the letters of the name, its domain included, so that names of one
//! domain say nothing about another's. Only names that lead back to their address may be learnt, so that nobody
//! teaches the form of a domain that is not his. The table has a fixed size; whoever floods it pushes out forms seen once,
//! not those known. And a learnt form makes a name generated, never dynamic against its marks.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use super::forms;
use super::name::Name;
use super::numbers::Numbers;

/// Most forms that are kept: 1.5 MiB.
pub const FORMS_MAX: usize = 1 << 16;

/// Places in which a form may stand.
const WAYS: usize = 8;

/// Different addresses that must have had a name of a form before it is known.
pub const ADDRESSES_MIN: u32 = 12;

/// One form of names.
#[derive(Clone, Copy, Default)]
struct Seen {
    key: u64,
    /// One bit for each of 64 classes of addresses that had a name of the form: counts different addresses, roughly and
    /// never too many.
    addresses: u64,
    /// Names seen, halved when it is full.
    names: u16,
    /// How many of them carried at least the last octet of their address.
    telling: u16,
}

impl Seen {
    /// Known are forms whose names differ as the addresses do.
    const fn is_known(&self) -> bool {
        self.addresses.count_ones() >= ADDRESSES_MIN && self.telling as u32 * 4 >= self.names as u32 * 3
    }
}

/// The forms of names seen.
pub struct Conventions {
    forms: Vec<Seen>,
    hasher: RandomState,
}

impl Conventions {
    /// Knows nothing yet. The hasher's seed keeps outsiders from choosing which forms collide.
    pub fn new(hasher: RandomState) -> Self {
        Self { forms: vec![Seen::default(); FORMS_MAX], hasher }
    }

    /// Takes note of an address and its name. The caller must have confirmed that the name leads back to the address:
    /// else whoever owns an address would teach what names of any domain mean.
    pub fn learn(&mut self, address: IpAddr, name: &[u8]) {
        let Some((name, key)) = self.key(name) else { return };
        let numbers = Numbers::read(name.chosen());
        let is_telling = forms::find(Some(address), name.chosen(), &numbers).is_some_and(|form| form.own);
        let class = self.hasher.hash_one(unit(address)) % 64;
        let way = Self::ways(key);
        let place = self.forms[way.clone()].iter().position(|seen| seen.key == key).or_else(|| {
            // The form seen least goes; one that is known only for another that is.
            let rank = |seen: &Seen| (seen.is_known(), seen.addresses.count_ones());
            (0..WAYS).min_by_key(|&at| rank(&self.forms[way.start + at]))
        });
        let Some(seen) = place.and_then(|at| self.forms.get_mut(way.start + at)) else { return };
        if seen.key != key {
            if seen.is_known() {
                return;
            }
            *seen = Seen { key, ..Seen::default() };
        }
        if seen.names == u16::MAX {
            seen.names /= 2;
            seen.telling /= 2;
        }
        seen.addresses |= 1 << class;
        seen.names += 1;
        seen.telling += u16::from(is_telling);
    }

    /// Whether the zone is known to make names of this form from addresses.
    pub fn knows(&self, name: &[u8]) -> bool {
        self.key(name)
            .is_some_and(|(_, key)| self.forms[Self::ways(key)].iter().any(|seen| seen.key == key && seen.is_known()))
    }

    const fn ways(key: u64) -> std::ops::Range<usize> {
        let start = key as usize % (FORMS_MAX / WAYS) * WAYS;
        start..start + WAYS
    }

    /// The name and the hash of its form; none for names without a number before their domain, which nothing can vary in.
    fn key(&self, name: &[u8]) -> Option<(Name, u64)> {
        let name = Name::read(name)?;
        let mut form = Vec::with_capacity(name.text().len());
        let mut numbers = 0;
        for &byte in name.host() {
            let byte = if byte.is_ascii_digit() { b'0' } else { byte };
            if byte == b'0' && form.last() == Some(&b'0') {
                continue;
            }
            numbers += u32::from(byte == b'0');
            form.push(byte);
        }
        form.push(b'.');
        form.extend_from_slice(name.zone());
        // Zero marks an empty place.
        (numbers > 0).then(|| (name, self.hasher.hash_one(&form).max(1)))
    }
}

/// What counts as one address: an IPv4 address, or a /64 of IPv6, which one customer has whole.
fn unit(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;
    use std::net::IpAddr;

    use super::{ADDRESSES_MIN, Conventions, FORMS_MAX};

    fn address(number: u32) -> IpAddr {
        IpAddr::from((0xc633_6400 + number).to_be_bytes())
    }

    fn teach(conventions: &mut Conventions, addresses: u32, name: impl Fn(u32) -> String) {
        for number in 20..20 + addresses {
            conventions.learn(address(number), name(number).as_bytes());
        }
    }

    #[test]
    fn a_zone_that_names_by_address_is_learnt_before_the_twentieth_name_or_soon_after() {
        let mut conventions = Conventions::new(RandomState::new());
        let form = |number: u32| format!("cm{number}.gamma7.example.net");
        teach(&mut conventions, ADDRESSES_MIN - 1, form);
        assert!(!conventions.knows(b"cm9.gamma155.example.net"));
        teach(&mut conventions, 30, form);
        assert!(conventions.knows(b"cm9.gamma155.example.net"));
        for other in ["cm9.gamma155.example.org", "cm9.delta155.example.net", "cm.gamma.example.net", "example.net"] {
            assert!(!conventions.knows(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn counted_hosts_are_no_convention() {
        let mut conventions = Conventions::new(RandomState::new());
        teach(&mut conventions, 60, |number| format!("r{}.example.net", 600 + number));
        assert!(!conventions.knows(b"r1.example.net"), "its numbers do not follow the addresses");
        let mut conventions = Conventions::new(RandomState::new());
        for _ in 0..500 {
            conventions.learn(address(77), b"h77.example.net");
        }
        assert!(!conventions.knows(b"h1.example.net"), "one address is no convention, however often it comes");
    }

    #[test]
    fn a_flood_of_other_zones_pushes_no_known_form_out() {
        let mut conventions = Conventions::new(RandomState::new());
        teach(&mut conventions, 40, |number| format!("h{number}.example.net"));
        for number in 0..2 * FORMS_MAX as u32 {
            conventions.learn(address(number), format!("h1.x{}y.example.org", letters(number)).as_bytes());
        }
        assert!(conventions.knows(b"h1.example.net"));
    }

    fn letters(number: u32) -> String {
        (0..6).map(|at| char::from(b'a' + (number / 26_u32.pow(at) % 26) as u8)).collect()
    }
}
