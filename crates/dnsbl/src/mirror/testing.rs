//! Messages of primaries, from short texts.

use crate::serve::Name;
use crate::serve::wire::code;

pub(super) fn zone() -> Name {
    Name::parse("bl.example.org").expect("a name")
}

/// The answer to the request `to` with these records, one after another: `soa 7`, `soa 7 REFRESH RETRY EXPIRE`, `ns`,
/// `a LABELS 2` for 127.0.0.2 at the labels below the zone (`@` for its own name), `out` for a record elsewhere.
pub(super) fn answer(to: &[u8], records: &str) -> Vec<u8> {
    let end = 12 + zone().wire().len() + 4;
    let mut out = to[..end].to_vec();
    (out[2], out[3]) = (0x84, 0);
    out[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    let mut count = 0u16;
    for record in records.split(',').map(str::trim).filter(|record| !record.is_empty()) {
        put(&mut out, &record.split(' ').collect::<Vec<_>>());
        count += 1;
    }
    out[6..8].copy_from_slice(&count.to_be_bytes());
    out
}

fn put(out: &mut Vec<u8>, words: &[&str]) {
    let number = |at: usize| words.get(at).map_or(0, |word| word.parse::<u32>().expect("a number"));
    match words {
        ["a", labels, _] if *labels != "@" => {
            for label in labels.split('.') {
                out.push(label.len() as u8);
                out.extend_from_slice(label.as_bytes());
            }
            out.extend_from_slice(&[0xc0, 12]);
        }
        ["out"] => out.extend_from_slice(b"\x01x\0"),
        _ => out.extend_from_slice(&[0xc0, 12]),
    }
    let (kind, data) = match words[0] {
        "soa" => {
            let mut data = b"\x02ns\xc0\x0c\x01h\xc0\x0c".to_vec();
            let minimum = [number(1), number(2), number(3), number(4), 60];
            data.extend(minimum.iter().flat_map(|number| number.to_be_bytes()));
            (code::SOA, data)
        }
        "ns" => (code::NS, b"\x02ns\xc0\x0c".to_vec()),
        _ => (code::A, vec![127, 0, 0, words.get(2).map_or(9, |word| word.parse().expect("an octet"))]),
    };
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
    out.extend_from_slice(&(data.len() as u16).to_be_bytes());
    out.extend_from_slice(&data);
}
