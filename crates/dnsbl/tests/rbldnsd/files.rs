//! Files in which entries meet: few different octets, words and labels.

use std::fmt::Write as _;

use super::random::Random;

/// Types of datasets and names of files.
type Datasets = &'static [(&'static str, &'static str)];

/// The zones, with the types and names of their files, as rbldnsd takes them. Some have several datasets.
pub(super) const ZONES: [(&str, Datasets); 10] = [
    ("set.test", &[("ip4set", "set")]),
    ("tset.test", &[("ip4tset", "tset")]),
    ("trie.test", &[("ip4trie", "trie")]),
    ("six.test", &[("ip6trie", "six")]),
    ("sixt.test", &[("ip6tset", "sixt")]),
    ("names.test", &[("dnset", "names")]),
    ("some.test", &[("generic", "some")]),
    ("many.test", &[("ip4set", "set"), ("ip4trie", "trie"), ("ip6trie", "six"), ("generic", "some")]),
    ("comb.test", &[("combined", "comb")]),
    ("sub.set.test", &[("ip4tset", "tset"), ("dnset", "names")]),
];

pub(super) const OCTETS: [u8; 6] = [0, 1, 2, 10, 127, 255];
pub(super) const WORDS: [u16; 5] = [0, 1, 0xdb8, 0x2001, 0xffff];
pub(super) const LABELS: [&str; 8] = ["a", "b", "com", "ex", "xn--y", "_s", "10", "0"];
/// The names below `comb.test` for which datasets answer.
pub(super) const PARTS: [&str; 4] = ["@", "one", "two", "x.one"];

const HEADER: &str = "$SOA 3000 ns.test. admin.test 0 1h 2h 3d 150\n$NS 1d ns1.test ns2.other\n";

/// Writes the content of one file.
type Body = fn(&mut Random) -> String;

/// The content of the files by their names.
pub(super) struct World {
    pub(super) files: Vec<(&'static str, String)>,
}

impl World {
    pub(super) fn new(random: &mut Random) -> Self {
        let mut combined = String::from(HEADER);
        combined += "$1 top\n";
        let kinds: [(&str, Body); 4] =
            [("ip4set:a", ip4set), ("dnset", names), ("ip4trie:t", ip4trie), ("generic:g", generic)];
        for _ in 0..4 {
            let (kind, body) = random.pick(&kinds);
            let (first, second) = (*random.pick(&PARTS), *random.pick(&PARTS));
            let second = if first == second { "" } else { second };
            writeln!(combined, "$DATASET {kind} {first} {second}\n{}", body(random)).unwrap();
        }
        let mut with = |body: fn(&mut Random) -> String| format!("{HEADER}{}", body(random));
        let files = vec![
            ("set", with(ip4set)),
            ("tset", with(ip4tset)),
            ("trie", with(ip4trie)),
            ("six", with(ip6trie)),
            ("sixt", with(ip6tset)),
            ("names", with(names)),
            ("some", with(generic)),
            ("comb", combined),
        ];
        Self { files }
    }

    /// All files, for whoever looks for the cause of a difference.
    pub(super) fn text(&self) -> String {
        self.files.iter().flat_map(|(name, text)| ["==> ", name, " <==\n", text]).collect()
    }
}

fn repeat(random: &mut Random, most: u64, line: fn(&mut Random) -> String) -> String {
    let mut text = specials(random);
    for _ in 0..=random.below(most) {
        if random.once_in(8) {
            text += &default_line(random);
        }
        text += &line(random);
        text.push('\n');
    }
    text
}

fn specials(random: &mut Random) -> String {
    let mut text = String::new();
    for (line, of) in [
        ("$TTL 77\n", 2),
        ("#$1 one $ $2\n", 2),
        (";$2 two\n", 3),
        (":$= base $= $1 $$ ($)\n", 4),
        ("# comment\n\n", 3),
    ] {
        if random.once_in(of) {
            text += line;
        }
    }
    text
}

fn default_line(random: &mut Random) -> String {
    let lines = [":3:default $", ":127.0.0.4", ":5 : spaced $1", ":6:", ":127.1.2:odd $$ $9"];
    format!("{}\n", random.pick(&lines))
}

fn value(random: &mut Random) -> String {
    let long = format!(" {}$", "x".repeat(240 + random.below(20) as usize));
    let values = [
        "",
        "",
        "",
        "",
        " # comment",
        " ;c",
        " :7",
        " :8:",
        " :9:own $",
        " text $1 # not",
        ":10:near",
        " =raw $",
        "\t:11: t $= ",
    ];
    if random.once_in(20) { long } else { (*random.pick(&values)).into() }
}

pub(super) fn ip4(random: &mut Random) -> [u8; 4] {
    [10, *random.pick(&OCTETS), *random.pick(&OCTETS), *random.pick(&OCTETS)]
}

fn cidr(random: &mut Random) -> String {
    let length = 7 + random.below(26) as u32;
    let bits = u32::from_be_bytes(ip4(random)) & u32::MAX << (32 - length);
    format!("{}/{length}", std::net::Ipv4Addr::from_bits(bits))
}

fn mark(random: &mut Random) -> &'static str {
    if random.once_in(6) { "!" } else { "" }
}

fn ip4set(random: &mut Random) -> String {
    repeat(random, 60, |random| {
        let [a, b, c, d] = ip4(random);
        let up = |x: u8, random: &mut Random| x.saturating_add(random.below(20) as u8);
        let range = match random.below(8) {
            0 => cidr(random),
            1 => format!("{a}.{b}.{c}"),
            2 => format!("{a}.{b}.{c}.{d}-{}", up(d, random)),
            3 => format!("{a}.{b}.{c}-{a}.{b}.{}", up(c, random)),
            4 => format!("{a}.{b}-{}", up(b, random)),
            5 => format!("{a}.{b}.{c}.{d}-{a}.{}.{c}.{d}", up(b, random)),
            _ => format!("{a}.{b}.{c}.{d}"),
        };
        format!("{}{range}{}", mark(random), value(random))
    })
}

fn ip4tset(random: &mut Random) -> String {
    repeat(random, 60, |random| {
        let [a, b, c, d] = ip4(random);
        format!("{a}.{b}.{c}.{d}{}", value(random))
    })
}

fn ip4trie(random: &mut Random) -> String {
    repeat(random, 60, |random| {
        let [a, b, c, d] = ip4(random);
        let network = match random.below(4) {
            0 => format!("{a}.{b}.{c}.{d}"),
            1 => format!("{a}.{b}"),
            _ => cidr(random),
        };
        format!("{}{network}{}", mark(random), value(random))
    })
}

pub(super) fn ip6(random: &mut Random) -> [u16; 8] {
    let mut words = [0; 8];
    for word in &mut words[1..] {
        *word = *random.pick(&WORDS);
    }
    words[0] = *random.pick(&[0x2001, 0x2001, 0x2001, 0x2002, 0]);
    words
}

fn ip6trie(random: &mut Random) -> String {
    let mapped = if random.once_in(2) { "0:0:0:0:0:ffff:a00:0/104 :12:mapped $\n" } else { "" };
    let text = repeat(random, 60, |random| {
        let words = ip6(random);
        let bits = std::net::Ipv6Addr::from(words).to_bits();
        let length = 1 + random.below(128) as u32;
        let base = |length: u32| {
            let words = std::net::Ipv6Addr::from_bits(bits & u128::MAX << (128 - length)).segments();
            words.map(|word| format!("{word:x}")).join(":")
        };
        let network = match random.below(4) {
            0 => format!("{}/{length}", base(length)),
            1 => format!("{}/64", base(64)),
            2 => base(128),
            _ => words[..4].iter().map(|word| format!("{word:X}")).collect::<Vec<_>>().join(":"),
        };
        let value = value(random);
        // A colon right behind an address would be a part of it.
        let value = if value.starts_with(':') { format!(" {value}") } else { value };
        format!("{}{network}{value}", mark(random))
    });
    text + mapped
}

fn ip6tset(random: &mut Random) -> String {
    repeat(random, 40, |random| {
        let words = ip6(random).map(|word| format!("{word:x}"));
        if random.once_in(4) { format!("!{}", words.join(":")) } else { words[..4].join(":") }
    })
}

pub(super) fn name(random: &mut Random) -> String {
    let labels: Vec<&str> = (0..=random.below(4)).map(|_| *random.pick(&LABELS)).collect();
    labels.join(".")
}

fn names(random: &mut Random) -> String {
    repeat(random, 40, |random| {
        let start = random.pick(&["", "", ".", "*."]);
        let value = value(random);
        let value = if value.starts_with(':') { format!(" {value}") } else { value };
        format!("{}{start}{}{value}", mark(random), name(random))
    })
}

fn generic(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(20) {
        let name = if random.once_in(6) { "@".into() } else { name(random) };
        let ttl = random.pick(&["", "", "300", "2h"]);
        let data =
            random.pick(&["A 192.0.2.1", "a 192.0.2.2", "TXT \"text $ $1\"", "txt plain  text", "MX 10 mail.test"]);
        writeln!(text, "{name} {ttl} {data}").unwrap();
    }
    text
}
