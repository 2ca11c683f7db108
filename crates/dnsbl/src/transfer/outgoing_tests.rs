use base::Network;
use listings::tree::Changes;

use super::*;
use crate::transfer::rows::outermost;
use crate::transfer::testing::zones;

const ALL: usize = 3;

/// The beginning of a request for `all.bl.example.org`.
fn opening() -> Vec<u8> {
    let mut out = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    out.extend_from_slice(b"\x03all\x02bl\x07example\x03org\0\0\xfc\0\x01");
    out
}

fn tree(listed: &[(&str, u32)]) -> Tree {
    let (mut tree, mut changes) = (Tree::default(), Changes::default());
    for (text, bits) in listed {
        changes.set(text.parse().unwrap(), ListSet::from_bits(*bits));
    }
    tree.apply(&mut changes);
    tree
}

fn messages(mut outgoing: Outgoing<'_>) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut message = Vec::new();
    while outgoing.next_message(&mut message) {
        out.push(message.clone());
    }
    out
}

/// Each record as `NAME TYPE LAST-OCTET-OR-TEXT`, names without the zone's own.
fn records(messages: &[Vec<u8>]) -> Vec<String> {
    let mut out = Vec::new();
    for message in messages {
        assert!(message.len() <= MESSAGE_BYTES + OPT.len());
        assert_eq!((message[2], message[3], &message[4..6], message[11]), (0x85, 0, &[0, 1][..], 1));
        let word = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
        let mut at = opening().len();
        for _ in 0..word(6) {
            let (name, fixed) = name_at(message, at);
            let end = fixed + 10 + word(fixed + 8);
            let data = &message[fixed + 10..end];
            let data = match word(fixed) {
                1 => data[3].to_string(),
                16 => String::from_utf8(data[1..].to_vec()).unwrap(),
                6 => u32::from_be_bytes(*data[data.len() - 20..].first_chunk().unwrap()).to_string(),
                _ => String::new(),
            };
            out.push(format!("{name} {} {data}", word(fixed)).trim().to_string());
            at = end;
        }
        assert_eq!(message[at..], OPT);
    }
    out
}

fn name_at(message: &[u8], mut at: usize) -> (String, usize) {
    let (mut name, mut end) = (Vec::new(), None);
    loop {
        let length = usize::from(message[at]);
        if length >= 0xc0 {
            end = end.or(Some(at + 2));
            at = (length & 0x3f) << 8 | usize::from(message[at + 1]);
        } else if at == HEADER_BYTES {
            return (name.join("."), end.unwrap_or(at));
        } else if length == 0 {
            return (name.join("."), end.unwrap_or(at + 1));
        } else {
            name.push(String::from_utf8(message[at + 1..at + 1 + length].to_vec()).unwrap());
            at += 1 + length;
        }
    }
}

fn request<'a>(zones: &'a Zones, opening: &'a [u8]) -> Request<'a> {
    Request { zones, zone: ALL, opening, has_edns: true }
}

#[test]
fn a_whole_zone() {
    let (zones, opening) = (zones(), opening());
    let tree = tree(&[("192.0.2.7", 0b110), ("192.0.2.0/24", 0b010), ("192.0.3.1", 0b1000)]);
    let all = records(&messages(Outgoing::whole(request(&zones, &opening), &tree, 5)));
    let mapped = |last: &str| format!("{last}.0.0.0.0.0.f.7.f.f.f.f.{}0", "0.".repeat(19));
    let mut wanted = vec![
        " 6 5".trim().to_string(),
        "2".into(),
        "16 DNS blocklist all.bl.example.org, operated by hostmaster@example.org".into(),
    ];
    for (last, nibbles, codes) in [("2", "2.0", &["36", "43"][..]), ("36", "4.2", &["36"]), ("43", "b.2", &["43"])] {
        for name in [format!("{last}.0.0.127"), mapped(nibbles).replacen(".0.0.0.0.0.f", ".0.0.0.0.f", 1)] {
            wanted.extend(codes.iter().map(|code| format!("{name} 1 {code}")));
            wanted.push(format!("{name} 16 127.0.0.{last}"));
        }
    }
    for record in
        ["*.2.0.192 1 36", "*.2.0.192 16 192.0.2.0/24", "7.2.0.192 1 36", "7.2.0.192 1 43", "7.2.0.192 16 192.0.2.7"]
    {
        wanted.push(record.into());
    }
    wanted.push("6 5".into());
    assert_eq!(all, wanted);
}

#[test]
fn a_delta_leaves_what_two_lists_share() {
    let (zones, opening) = (zones(), opening());
    let old = tree(&[("192.0.2.7", 0b010), ("192.0.2.8", 0b100), ("192.0.2.9", 0b1000)]);
    let new = tree(&[("192.0.2.7", 0b110), ("192.0.2.9", 0b100)]);
    let touched: Vec<Network> = (7..10).map(|last| format!("192.0.2.{last}").parse().unwrap()).collect();
    let past = Past { tree: old, touched: outermost(touched) };
    let all = records(&messages(Outgoing::delta(request(&zones, &opening), &new, 9, &past, 4)));
    let wanted = [
        "6 9",
        "6 4",
        "8.2.0.192 1 43",
        "8.2.0.192 16 192.0.2.8",
        "6 9",
        "7.2.0.192 1 43",
        "9.2.0.192 1 43",
        "9.2.0.192 16 192.0.2.9",
        "6 9",
    ];
    assert_eq!(all, wanted);
}

#[test]
fn many_records_take_few_messages() {
    let (zones, opening) = (zones(), opening());
    let hosts: Vec<String> = (0..5000).map(|n| format!("192.0.{}.{}", n / 200, n % 200)).collect();
    let tree = tree(&hosts.iter().map(|host| (host.as_str(), 0b110)).collect::<Vec<_>>());
    let messages = messages(Outgoing::whole(request(&zones, &opening), &tree, 5));
    // Two codes and a text each: 3 * 12 octets, 8 of the codes, some 12 of the text and 4 of the name.
    assert!((18..25).contains(&messages.len()), "{}", messages.len());
    let all = records(&messages);
    assert_eq!(all.iter().filter(|record| record.contains(".0.192 1 43")).count(), 5000);
    assert_eq!(all.len(), 5000 * 3 + 3 + 2 * (3 + 2 + 2) + 1);
}
