//! What the letters before a registrable domain say, remembered: networks make their names by few templates, which differ
//! in digits only.

use super::features::{self, Marks};
use super::forms::Form;
use super::name::Name;
use super::session::{self, WAYS};
use super::words::Words;
use super::{Classifier, Said};

/// Templates that are remembered.
pub const SESSION_TEMPLATES: usize = 8192;

/// Longer ones are read each time.
const KEY_LEN_MAX: usize = 48;

/// A name's letters with a mark for each run of digits, behind what else its facts depend on. Behind its end stand zeros, which no
/// name has.
struct Key {
    text: [u8; KEY_LEN_MAX],
    len: usize,
    /// Where each character stands in the name.
    at: [u8; KEY_LEN_MAX],
    labels: usize,
}

/// A template, and what it says. Places are those in the key.
#[derive(Clone, Copy)]
pub(super) struct Template {
    text: [u8; KEY_LEN_MAX],
    sums: [i32; 2],
    counts: [u8; 7],
    places: [(u8, u8); 7],
    strongest: [Option<(u8, u8)>; 3],
}

/// What the name says before its registrable domain; the same as [`Classifier::host_says`] does.
pub(super) fn host_says(
    classifier: &Classifier,
    known: &mut [Option<Template>],
    name: &Name,
    seen: features::Seen<'_>,
) -> Said {
    let Some(key) = Key::of(name.host(), &seen, &classifier.tables.words) else {
        return classifier.host_says(name, seen);
    };
    let slot = session::slot(&key.text, SESSION_TEMPLATES);
    let of_digits = classifier.model.weigh([0; 2], &features::digits(name.host(), seen.numbers, key.labels));
    if let Some(known) = known[slot..slot + WAYS].iter().flatten().find(|known| known.text == key.text) {
        let sums = [0, 1].map(|i| known.sums[i].wrapping_add(of_digits[i]));
        let counts = known.counts;
        let places = known.places.map(|place| key.to_name(place));
        let strongest = known.strongest.map(|place| place.map(|place| key.to_name(place)));
        return Said { sums, marks: Marks { counts, places, ..Marks::of(&seen, false) }, strongest };
    }
    let said = classifier.host_says(name, seen);
    let (counts, places) = (said.marks.counts, said.marks.places.map(|place| key.of_name(place)));
    let template = Template {
        text: key.text,
        sums: [0, 1].map(|i| said.sums[i].wrapping_sub(of_digits[i])),
        counts,
        places,
        strongest: said.strongest.map(|place| place.map(|place| key.of_name(place))),
    };
    session::put(known, slot, template);
    said
}

impl Key {
    /// None where more than the letters decides, or the name is too long.
    fn of(host: &[u8], seen: &features::Seen<'_>, words: &Words) -> Option<Self> {
        if host.is_empty() || seen.form.is_some_and(|form: Form| form.is_spelled()) {
            return None;
        }
        let mut key = Self { text: [0; KEY_LEN_MAX], len: 4, at: [0; KEY_LEN_MAX], labels: 1 };
        key.text[..4].copy_from_slice(&[
            features::form_mark(seen.form),
            features::owner_mark(seen.form),
            seen.kinds.bits(),
            seen.numbers.runs.min(255) as u8,
        ]);
        // Where the letters and digits began that are read, and whether digits are among them.
        let (mut token, mut has_digits, mut at) = (0, false, 0);
        while at < host.len() {
            let mut mark = host[at];
            let from = at;
            at += 1;
            if mark.is_ascii_digit() {
                while host.get(at).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                }
                mark = if at - from <= 3 { b'0' } else { b'9' };
                has_digits = true;
            } else if !mark.is_ascii_alphabetic() {
                key.labels += usize::from(mark == b'.');
                if has_digits && features::mixed(&host[token..from], words).is_some() {
                    return None;
                }
                (token, has_digits) = (at, false);
            }
            *key.text.get_mut(key.len)? = mark;
            key.at[key.len] = from as u8;
            key.len += 1;
        }
        let is_mixed = has_digits && features::mixed(&host[token..], words).is_some();
        (!is_mixed).then_some(key)
    }

    /// A run of letters by its place in the key and its length, as it stands in the name.
    const fn to_name(&self, (from, len): (u8, u8)) -> (u8, u8) {
        let from = self.at[from as usize % KEY_LEN_MAX];
        (from, from.wrapping_add(len))
    }

    /// A run of letters of the name, by its place in the key and its length.
    fn of_name(&self, (from, to): (u8, u8)) -> (u8, u8) {
        let place = (4..self.len).find(|place| self.at[*place] == from).unwrap_or_default();
        (place as u8, to - from)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::Classifier;

    /// Ways in which networks make names: `A` to `D` the address, `H` the same in hexadecimal, `N` any number.
    const WAYS: [&str; 20] = [
        "dsl-A-B-C-D.pool.example.net",
        "D.C.B.A.static.example.com",
        "A-B-C-D.dynamic.example.co.uk",
        "host-C-D.example.org",
        "pH.dip0.example.net",
        "ipH.example.net",
        "ec2-A-B-C-D.compute.example.com",
        "adsl2-N.b2b.example.it",
        "adsl2N.example.it",
        "mailN.example.org",
        "mxN-N.out.example.org",
        "N.example.net",
        "xN.N.N.cable.example.net",
        "0N-00N-dyn.example.net",
        "client-N-N.customers.example.ne.jp",
        "ns1.example.net",
        "a-b.c_d.example.net",
        "exampleN.net",
        "a-name-that-is-longer-than-all-that-are-remembered-D.pool.example.net",
        "static-A-B-C-D.res.spam.example.net",
    ];

    #[test]
    fn what_is_remembered_of_a_template_changes_no_verdict() {
        let classifier = Classifier::shipped();
        let mut session = classifier.session();
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for round in 0..400 {
            let [a, b, c, d] = [1 + next() % 223, next() % 256, next() % 256, next() % 256].map(|part| part as u8);
            let own = Ipv4Addr::new(a, b, c, d);
            let address = [Some(own), None, Some(Ipv4Addr::from_bits(next()))][round % 3].map(Into::into);
            for way in WAYS {
                let mut name = way.to_owned();
                for (mark, part) in ["A", "B", "C", "D"].into_iter().zip(own.octets()) {
                    name = name.replace(mark, &part.to_string());
                }
                name = name.replace('H', &format!("{:08x}", own.to_bits()));
                while name.contains('N') {
                    name = name.replacen('N', &(next() % [10, 100, 1000, 100_000][round % 4]).to_string(), 1);
                }
                let wanted = classifier.classify(address, name.as_bytes());
                assert_eq!(session.classify(address, name.as_bytes()), wanted, "{name} {address:?}");
            }
        }
    }
}
