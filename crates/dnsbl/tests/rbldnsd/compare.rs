//! Two replies to the same question, and the names of their differences.

use std::collections::BTreeSet;

use super::questions::Question;

/// The differences that `docs/rbldnsd.md` names.
pub(super) const DIFFERENCES: [&str; 15] = [
    "opt",
    "ns-in-authority",
    "any",
    "empty-non-terminal",
    "leading-zeros",
    "mapped-text",
    "text-255",
    "truncation",
    "meta-types",
    "other-types",
    "classes",
    "operations",
    "behind-the-question",
    "flags",
    "test-entries",
];

/// Most octets of a text in an answer of rbldnsd.
const THEIR_TEXT_MAX: usize = 254;

/// A reply, decoded.
#[derive(Debug)]
struct Reply {
    flags: u16,
    rcode: u16,
    answers: BTreeSet<(u16, u32, Vec<u8>)>,
    /// The SOA in the authority section, without its serial: it is the time of the files.
    soa: Option<(u32, Vec<u8>)>,
    servers: usize,
    has_opt: bool,
}

const QUESTION_AT: usize = 12;

/// The differences, if all of them are known ones.
pub(super) fn difference(question: &Question, ours: &[u8], theirs: &[u8]) -> Result<Vec<&'static str>, String> {
    if question.operation() != 0 {
        let is_known = ours.get(3).is_some_and(|flags| matches!(flags & 15, 1 | 4));
        return if is_known { Ok(vec!["operations"]) } else { Err("another operation".into()) };
    }
    if !question.behind.is_empty() {
        let is_known = ours.get(3).is_some_and(|flags| flags & 15 == 1);
        return if is_known { Ok(vec!["behind-the-question"]) } else { Err("octets behind".into()) };
    }
    let (ours, theirs) = (decode(ours)?, decode(theirs)?);
    if question.class != 1 {
        // A question for changes (IXFR) that does not say since when is malformed, whatever its class.
        let is_malformed = question.kind == 251 && ours.rcode == 1;
        let is_known = (ours.rcode == 5 || is_malformed) && ours.answers.is_empty();
        return if is_known { Ok(vec!["classes"]) } else { Err(format!("class\n{ours:?}\n{theirs:?}")) };
    }
    let mut names = Vec::new();
    if question.edns.is_some() != ours.has_opt {
        return Err("OPT comes back exactly where it came".into());
    }
    if ours.has_opt && !theirs.has_opt {
        names.push("opt");
    }
    if ours.servers > 0 {
        return Err("name servers in authority".into());
    }
    if theirs.servers > 0 {
        names.push("ns-in-authority");
    }
    if ours.flags & 0x0430 != theirs.flags & 0x0430 {
        names.push("flags");
    }
    content(question, &ours, &theirs, &mut names).map(|()| names).map_err(|why| format!("{why}\n{ours:?}\n{theirs:?}"))
}

fn content(question: &Question, ours: &Reply, theirs: &Reply, names: &mut Vec<&'static str>) -> Result<(), String> {
    let is_ours_nothing = ours.answers.is_empty() && ours.soa.is_some();
    match question.kind {
        250..=254 if theirs.rcode == 4 => {
            names.push("meta-types");
            return if ours.rcode == 4 { Err("NOTIMP".into()) } else { Ok(()) };
        }
        256.. if theirs.rcode == 4 => {
            names.push("other-types");
            let is_known = ours.rcode == 5 || is_ours_nothing;
            return if is_known { Ok(()) } else { Err("a type that nobody has".into()) };
        }
        _ => {}
    }
    if ours.flags & 0x0200 != 0 {
        names.push("truncation");
        let is_known = ours.answers.is_empty() && question.edns.unwrap_or(0) < 1232 && !theirs.answers.is_empty();
        return if is_known { Ok(()) } else { Err("truncated".into()) };
    }
    if is_test(question) && (ours.rcode, &ours.answers) != (theirs.rcode, &theirs.answers) {
        names.push("test-entries");
        return Ok(());
    }
    if (ours.rcode, theirs.rcode) == (0, 3) && is_ours_nothing && ours.soa == theirs.soa {
        names.push("empty-non-terminal");
        return if is_known_above(question) { Ok(()) } else { Err("nothing is below".into()) };
    }
    // They may find an address with zeros before its octets, and we nothing or what names have.
    if question.labels.iter().any(|label| label.len() > 1 && label[0] == b'0')
        && (ours.rcode, theirs.rcode) != (0, 3)
        && ours.answers != theirs.answers
        && ours.answers.is_subset(&theirs.answers)
    {
        names.push("leading-zeros");
        return Ok(());
    }
    if question.labels.iter().any(|label| label.len() > 1 && label[0] == b'0') && (ours.rcode, theirs.rcode) == (3, 0) {
        names.push("leading-zeros");
        return Ok(());
    }
    if ours.rcode != theirs.rcode {
        return Err("response code".into());
    }
    if question.kind == 255 {
        names.push("any");
        let kinds: BTreeSet<u16> = ours.answers.iter().map(|answer| answer.0).collect();
        let is_known = kinds.len() <= 1 && ours.answers.is_empty() == theirs.answers.is_empty();
        let of_kind = theirs.answers.iter().filter(|answer| kinds.contains(&answer.0)).count();
        return if is_known && of_kind == ours.answers.len() { Ok(()) } else { Err("ANY".into()) };
    }
    if ours.answers != theirs.answers {
        let shortened = |all: &BTreeSet<(u16, u32, Vec<u8>)>| -> BTreeSet<(u16, u32, Vec<u8>)> {
            all.iter()
                .map(|(kind, ttl, data)| (*kind, *ttl, data[1..].iter().take(THEIR_TEXT_MAX).copied().collect()))
                .collect()
        };
        if question.kind == 16 && shortened(&ours.answers) == shortened(&theirs.answers) {
            names.push("text-255");
        } else if question.kind == 16 && is_mapped(question) && ours.answers.len() == theirs.answers.len() {
            names.push("mapped-text");
        } else if theirs.answers.len() < ours.answers.len() && theirs.answers.is_subset(&ours.answers) {
            // What does not fit into 512 octets is left out there, without a word.
            names.push("truncation");
        } else {
            return Err("answers".into());
        }
    }
    if ours.soa == theirs.soa { Ok(()) } else { Err("SOA".into()) }
}

/// Whether an IPv4-mapped address is asked about in a zone of IPv6 networks.
fn is_mapped(question: &Question) -> bool {
    let nibbles = |range: core::ops::Range<usize>, nibble: &[u8]| {
        question.labels.get(range).is_some_and(|labels| labels.iter().all(|label| label.eq_ignore_ascii_case(nibble)))
    };
    let zone = question.labels.get(32).map(|label| label.to_ascii_lowercase()).unwrap_or_default();
    nibbles(8..12, b"f") && nibbles(12..32, b"0") && zone.starts_with(b"six")
}

/// Whether the name may be the end of one that is listed: it has fewer labels than an address, or a list of names.
fn is_known_above(question: &Question) -> bool {
    question.labels.len() < 36
}

fn number(bytes: &[u8], at: usize) -> Result<u16, String> {
    let pair = bytes.get(at..at + 2).ok_or("cut off")?;
    Ok(u16::from_be_bytes([pair[0], pair[1]]))
}

/// The name at `at` in small letters, and where it ends.
fn name(bytes: &[u8], mut at: usize) -> Result<(Vec<u8>, usize), String> {
    let (mut name, mut end) = (Vec::new(), None);
    for _ in 0..300 {
        match *bytes.get(at).ok_or("cut off")? {
            0 => return Ok((name, end.unwrap_or(at + 1))),
            0xc0.. => {
                end = end.or(Some(at + 2));
                at = usize::from(number(bytes, at)? & 0x3fff);
            }
            length => {
                let label = bytes.get(at..=at + usize::from(length)).ok_or("cut off")?;
                name.extend(label.to_ascii_lowercase());
                at += 1 + usize::from(length);
            }
        }
    }
    Err("a loop of names".into())
}

fn decode(bytes: &[u8]) -> Result<Reply, String> {
    let flags = number(bytes, 2)?;
    let mut reply = Reply { flags, rcode: flags & 15, answers: BTreeSet::new(), soa: None, servers: 0, has_opt: false };
    let mut at = QUESTION_AT;
    if number(bytes, 4)? == 1 {
        at = name(bytes, at)?.1 + 4;
    }
    for section in 0..3 {
        for _ in 0..number(bytes, 6 + 2 * section)? {
            let fixed = name(bytes, at)?.1;
            let (kind, length) = (number(bytes, fixed)?, usize::from(number(bytes, fixed + 8)?));
            let ttl = u32::from(number(bytes, fixed + 4)?) << 16 | u32::from(number(bytes, fixed + 6)?);
            let data = bytes.get(fixed + 10..fixed + 10 + length).ok_or("cut off")?;
            at = fixed + 10 + length;
            let data = match kind {
                2 => name(bytes, fixed + 10)?.0,
                15 => [&data[..2], &name(bytes, fixed + 12)?.0].concat(),
                6 => {
                    let (primary, next) = name(bytes, fixed + 10)?;
                    let (contact, next) = name(bytes, next)?;
                    [&primary[..], &contact, &bytes[next + 4..next + 20]].concat()
                }
                _ => data.to_vec(),
            };
            match (section, kind) {
                (0, _) => drop(reply.answers.insert((kind, ttl, data))),
                (1, 6) => reply.soa = Some((ttl, data)),
                (1, 2) => reply.servers += 1,
                (2, 41) => reply.has_opt = true,
                _ => return Err(format!("a record of type {kind} in section {section}")),
            }
        }
    }
    if at == bytes.len() { Ok(reply) } else { Err("octets behind the reply".into()) }
}

/// Whether it asks for one of the test entries of RFC 5782 section 5, or for a name on the way to one.
fn is_test(question: &Question) -> bool {
    let name = question.labels.iter().map(|label| label.to_ascii_lowercase()).collect::<Vec<_>>().join(&b'.');
    let texts: [&[u8]; 5] = [b"127.", b"0.0.7.f.f.f.f.", b"7.f.f.f.f.0", b"test.", b"invalid."];
    texts.iter().any(|text| name.windows(text.len()).any(|part| part == *text))
}
