//! Whatever is imported and listed, by whichever road: who is protected stands in no answer, transfer, feed, export or
//! map, of the lists made here, and nobody is told of him out of files and zones of others, mirrored ones among them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

use console::api::NewKey;
use ratter_tests::dns::entry;
use ratter_tests::lines::{Log, failed};
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Process, run, text_of, write};
use ratter_tests::ratter::{Config, Node, ORIGIN};
use ratter_tests::secondary::{Secondary, transfer};
use ratter_tests::wait;

/// Addresses from the first to the last; those of IPv4 in their mapped form.
type Span = (u128, u128);

/// Protected from the start, by the configuration, by an allow file, and by what they are.
const PROTECTED: [&str; 6] = ["20.1.0.0/16", "20.2.3.4", "2a0a:1::/32", "10.0.0.0/8", "198.41.0.4", "2001::/32"];
/// Protected later.
const LATER: &str = "20.3.0.0/20";
/// Those of them that the allow file has.
const ALLOWED: &str = "20.2.3.4\n";

fn span(text: &str) -> Span {
    let (base, length) = text.split_once('/').unwrap_or((text, ""));
    let (bits, own) = match base.parse::<IpAddr>().unwrap_or_else(|_| panic!("no address: {text}")) {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), 96 + length.parse::<u32>().unwrap_or(32)),
        IpAddr::V6(v6) => (v6.to_bits(), length.parse().unwrap_or(128)),
    };
    let rest = u128::MAX.checked_shr(own).unwrap_or(0);
    (bits & !rest, bits | rest)
}

/// The network of a name in a zone: `4.3.2.1`, `*.3.2.1`, nibbles.
fn span_of_name(labels: &str) -> Span {
    let labels: Vec<&str> = labels.split('.').filter(|label| *label != "*").collect();
    if labels.len() <= 4 {
        let mut octets = [0; 4];
        labels.iter().rev().zip(&mut octets).for_each(|(label, octet)| *octet = label.parse().expect("an octet"));
        return span(&format!("{}/{}", Ipv4Addr::from(octets), 8 * labels.len()));
    }
    let digit = |label: &&str| u128::from_str_radix(label, 16).expect("a nibble");
    let bits = labels.iter().rev().enumerate().fold(0, |bits, (at, label)| bits | digit(label) << (124 - 4 * at));
    span(&format!("{}/{}", Ipv6Addr::from_bits(bits), 4 * labels.len()))
}

/// The same numbers every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// An address or network near those that are protected, or around them.
    fn network(&mut self) -> String {
        let text = self.any();
        let Some((base, length)) = text.split_once('/') else { return text };
        let first = span(&text).0;
        if base.contains(':') {
            format!("{}/{length}", Ipv6Addr::from_bits(first))
        } else {
            format!("{}/{length}", Ipv4Addr::from_bits(first as u32))
        }
    }

    fn any(&mut self) -> String {
        match self.roll(10) {
            0 => format!("2a0a:{:x}:{:x}::/{}", self.roll(3), self.roll(4), 20 + self.roll(45)),
            1 => format!("10.{}.{}.{}", self.roll(256), self.roll(256), self.roll(256)),
            2 => format!("20.{}.0.0/{}", self.roll(5), 10 + self.roll(7)),
            3 => format!("20.2.3.{}/{}", self.roll(8) & !3, 29 + self.roll(4)),
            4 => "198.41.0.4".to_owned(),
            5 => format!("2001:0:{:x}::/64", self.roll(65_536)),
            _ => format!("20.{}.{}.{}", self.roll(5), self.roll(24), self.roll(256)),
        }
    }
}

/// Who guesses at five logins: two whom the never-list protects, one of the allow file, one who is protected later, and one
/// whom nobody protects.
const GUESSERS: [&str; 5] = ["20.1.2.9", "2a0a:1::9", "20.2.3.4", "20.3.0.9", "20.9.7.7"];

/// Writes how each of them guesses.
fn guess(log: &mut Log) {
    for address in GUESSERS {
        for login in 0..5 {
            log.line(&failed(address, &format!("user{login}"), 1));
        }
    }
}

/// A zone of somebody else's, on a server of his.
const MIRRORED: &str = "mirrored.example.org";

fn primary(place: &Place, server: Secondary) -> Process {
    let folder = place.join("primary");
    std::fs::create_dir(&folder).expect("a new folder");
    let entries = ["20.1.2.3", "20.2.3.4", "20.9.9.9", "10.1.1.1"].map(|address| {
        let labels = address.rsplit('.').collect::<Vec<_>>().join(".");
        format!("{labels} 300 IN A 127.0.0.2\n")
    });
    let head = "@ 300 IN SOA ns.example.org. root.example.org. 1 600 300 86400 60\n@ 300 IN NS ns.example.org.\n";
    write(&folder.join(format!("{MIRRORED}.zone")), &format!("$ORIGIN {MIRRORED}.\n{head}{}", entries.concat()));
    server.start(&folder, free_port(), &[MIRRORED])
}

/// The beginning of a zone of files.
const HEAD: &str =
    "$SOA 300 ns.example.org. root.example.org. 1 600 300 86400 60\n$NS 300 ns.example.org.\n:127.0.0.2:listed\n";

fn config(place: &Place, feed: &str, secondary: Secondary, primary: Secondary) -> Config {
    let file = |name: &str| place.join(name).display().to_string();
    write(&place.join("allow"), ALLOWED);
    // Zones of files: one of our own name, and one beside the lists of the book.
    write(&place.join("foreign"), &format!("{HEAD}20.1.2.3\n20.2.3.4\n20.9.9.9\n10.1.1.1\n"));
    write(&place.join("allowed-ones"), &format!("{HEAD}20.1.2.3\n"));
    let exports = ["plain", "ip4set", "ip6trie", "rpz", "csv"].map(|format| {
        format!(
            "[[action.export]]\nname = \"{format}\"\nlist = \"auth\"\nformat = \"{format}\"\npath = \"{}\"\nevery = \"1s\"\n",
            file(format)
        )
    });
    let map =
        format!("[[action.map]]\nname = \"map\"\npath = \"{}\"\nformat = \"plain\"\nlists = [\"auth\"]\n", file("map"));
    Config::new()
        .never("20.1.0.0/16")
        .never("2a0a:1::/32")
        .node(&format!("allow-files = [\"{}\"]", file("allow")))
        .dnsbl("unfiltered = [\"allowed.example.org\"]")
        .follow(&place.join("mail.log"))
        .with(&secondary.sections(&place.join("tsig")))
        .with(&format!(
            "[[dnsbl.mirror]]\nzone = \"{MIRRORED}\"\nprimaries = [\"{}\"]\nkeys = \"{}\"\nkey = \"mirror\"\n",
            primary.address(),
            file("tsig")
        ))
        .with(&format!(
            "[publish]\nchange = 100\nfloor = 1000000\n[feed]\nlisten = [\"{feed}\"]\n\
             [dnsbl.static]\nzones = [\"foreign.example.org:ip4set:{}\", \"allowed.example.org:ip4set:{}\"]\n{map}{}",
            file("foreign"),
            file("allowed-ones"),
            exports.concat()
        ))
}

/// Everything that is published, by where.
fn published(node: &Node, place: &Path, feed: &str, key: &str) -> Vec<(String, Vec<Span>)> {
    let networks = |text: &str| -> Vec<Span> {
        let lines = text.lines().map(|line| line.split([' ', ',', '\t']).next().unwrap_or_default());
        lines
            .filter(|word| word.starts_with(|c: char| c.is_ascii_hexdigit()) && word.contains(['.', ':']))
            .map(span)
            .collect()
    };
    let mut all = Vec::new();
    for list in ["auth", "all"] {
        let zone = format!("{list}.{ORIGIN}");
        let records = transfer(node.addresses().dns, &zone, true).expect("the node gives its zone");
        let names =
            records.iter().filter_map(|record| record.split_whitespace().next()?.strip_suffix(&format!(".{zone}.")));
        let names = names.filter(|name| !name.ends_with(".127") && !name.contains("f.f.f.f.0.0.0.0"));
        all.push((format!("transfer of {list}"), names.map(span_of_name).collect()));
    }
    for format in ["plain", "csv", "ip4set", "ip4trie", "ip6trie"] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail", "--max-time", "20", "-H", &format!("Authorization: Bearer {key}")]);
        let text = run(curl.arg(format!("http://{feed}/feed/auth?format={format}"))).with_code(0).out;
        all.push((format!("feed, {format}"), networks(&text)));
    }
    for format in ["plain", "csv"] {
        let text = node.cli(&["export", "--list", "auth", "--format", format]).with_code(0).out;
        all.push((format!("export, {format}"), networks(&text)));
    }
    for file in ["plain", "csv", "ip4set", "map"] {
        all.push((format!("file, {file}"), networks(&text_of(&place.join(file)))));
    }
    all
}

/// What of it must not be there.
fn leaks(published: &[(String, Vec<Span>)], protected: &[&str]) -> Vec<String> {
    let mut leaks = Vec::new();
    for (place, spans) in published {
        for text in protected {
            let (first, last) = span(text);
            let is_in = |(begin, end): &&Span| *begin <= last && first <= *end;
            leaks.extend(spans.iter().find(is_in).map(|_| format!("{text} in {place}")));
        }
    }
    leaks
}

#[test]
fn who_is_protected_is_published_by_no_road() {
    let (place, secondary, feed) = (Place::new("never"), Secondary::new(), free_port().to_string());
    let others = Secondary::new();
    let _primary = primary(&place, others);
    let mut log = Log::open(&place.join("mail.log"));
    let mut node = Node::start(&config(&place, &feed, secondary, others));
    let key = node.json::<NewKey>(&["key", "new", "taker", "--owner", "somebody", "--zone", "auth"]).key;
    let mut dice = Dice(20_261_121);
    for round in 0..3 {
        // By an import, by a person, and by rules.
        guess(&mut log);
        node.wait_listed("20.9.7.7", "auth");
        let list: String = (0..300).map(|_| dice.network() + "\n").collect();
        let path = place.join(&format!("import{round}"));
        write(&path, &list);
        let said = node.cli(&["import", "--list", "auth", "--reason", "a test", &path.display().to_string()]);
        assert!(said.out.contains("networks are on auth"), "{said:?}");
        for _ in 0..6 {
            let subject = dice.network();
            node.cli(&["list", &subject, "--on", "auth", "--for", "1h", "--reason", "a test", "--force"]);
        }
        node.cli(&["list", &format!("20.9.{round}.1"), "--on", "auth", "--for", "1h", "--reason", "a test"])
            .with_code(0);
        if round == 1 {
            node.kill();
            node.start_again();
        }
        if round == 2 {
            // Who comes to be protected is off everything.
            write(&place.join("allow"), &format!("{ALLOWED}{LATER}\n"));
        }
        let protected: Vec<&str> = PROTECTED.into_iter().chain((round == 2).then_some(LATER)).collect();
        let newest = format!("20.9.{round}.1");
        let (mut all, mut found) = (Vec::new(), Vec::new());
        wait::until_true(&format!("everything to be published and nobody who is protected, in round {round}"), || {
            all = published(&node, place.path(), &feed, &key);
            found = leaks(&all, &protected);
            // Exports and maps follow a moment later; what was there at first is judged when they have the newest.
            let v4 = all.iter().filter(|(place, _)| !place.contains("ip6"));
            let has_newest = v4.clone().all(|(_, spans)| spans.iter().any(|(first, _)| *first == span(&newest).0));
            has_newest && (found.is_empty() || round < 2)
        });
        assert!(found.is_empty(), "{found:?}");
        assert!(all.iter().filter(|(place, _)| !place.contains("ip6")).all(|(_, spans)| spans.len() > 20), "{all:?}");
        for address in ["20.1.2.3", "20.2.3.4", "10.1.1.1", "198.41.0.4", "2a0a:1::7"] {
            assert!(node.dig().addresses(&entry(address, "all", ORIGIN)).is_empty(), "{address}");
        }
    }
    let asked = |address: &str, zone: &str| {
        let name = address.rsplit('.').collect::<Vec<_>>().join(".");
        node.dig().addresses(&format!("{name}.{zone}"))
    };
    // Zones from files: whom we protect is not told of, but in a list of the allowed.
    assert_eq!(asked("20.9.9.9", "foreign.example.org"), ["127.0.0.2"]);
    assert_eq!(asked("10.1.1.1", "foreign.example.org"), ["127.0.0.2"], "its maker's affair");
    for address in ["20.1.2.3", "20.2.3.4"] {
        assert!(asked(address, "foreign.example.org").is_empty(), "{address}");
    }
    assert_eq!(asked("20.1.2.3", "allowed.example.org"), ["127.0.0.2"]);
    // The same of a zone that is taken from another server.
    wait::until_true("the mirrored zone", || asked("20.9.9.9", MIRRORED) == ["127.0.0.2"]);
    assert_eq!(asked("10.1.1.1", MIRRORED), ["127.0.0.2"], "its maker's affair");
    for address in ["20.1.2.3", "20.2.3.4"] {
        assert!(asked(address, MIRRORED).is_empty(), "{address}");
    }
    // What rules made: blocks here, for him of the allow file, and a listing for whom nobody protects.
    let blocked = node.listed("blocked");
    let is_blocked = |address: &&str| blocked.contains(*address) || blocked.contains(&format!("{address}/64"));
    assert_eq!(GUESSERS.iter().filter(|address| is_blocked(address)).count(), 3, "{blocked:?}");
    assert_eq!(node.listing("20.9.7.7", "auth").expect("it guessed").maker, "rule many-logins");
}
