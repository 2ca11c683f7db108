use std::fmt;

use super::files::{LABELS, PARTS, World, ZONES, ip4, ip6, name};
use super::random::Random;

/// A question, and what is odd about it.
pub(super) struct Question {
    pub(super) labels: Vec<Vec<u8>>,
    pub(super) kind: u16,
    pub(super) class: u16,
    /// The header's flags.
    flags: u16,
    pub(super) edns: Option<u16>,
    /// Octets behind the message.
    pub(super) behind: &'static [u8],
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { labels, kind, class, flags, edns, behind } = self;
        let name: Vec<_> = labels.iter().map(|label| label.escape_ascii().to_string()).collect();
        write!(f, "{} type {kind} class {class} flags {flags:#x} edns {edns:?} behind {behind:?}", name.join("."))
    }
}

impl Question {
    pub(super) fn message(&self, id: u16) -> Vec<u8> {
        let mut message = Vec::new();
        for number in [id, self.flags, 1, 0, 0, u16::from(self.edns.is_some())] {
            message.extend_from_slice(&number.to_be_bytes());
        }
        for label in &self.labels {
            message.push(label.len() as u8);
            message.extend_from_slice(label);
        }
        message.push(0);
        message.extend_from_slice(&self.kind.to_be_bytes());
        message.extend_from_slice(&self.class.to_be_bytes());
        if let Some(size) = self.edns {
            message.extend_from_slice(&[0, 0, 41]);
            message.extend_from_slice(&size.to_be_bytes());
            message.extend_from_slice(&[0; 6]);
        }
        message.extend_from_slice(self.behind);
        message
    }

    pub(super) const fn operation(&self) -> u16 {
        self.flags >> 11 & 15
    }
}

fn nibbles(words: [u16; 8]) -> String {
    let bits = std::net::Ipv6Addr::from(words).to_bits();
    (0..32).map(|n| format!("{:x}", bits >> (4 * n) & 15)).collect::<Vec<_>>().join(".")
}

/// Test entries, and names on the way to them.
const TESTS: [&str; 6] = ["2.0.0.127", "1.0.0.127", "0.0.127", "127", "test", "invalid"];

/// A name that means something in one of the zones.
fn sensible(random: &mut Random) -> String {
    let (zone, datasets) = random.pick(&ZONES);
    if random.once_in(40) {
        return format!("{}.{zone}", random.pick(&TESTS));
    }
    let below = match random.pick(datasets).0 {
        "ip4set" | "ip4tset" | "ip4trie" => {
            let [a, b, c, d] = ip4(random);
            match random.below(12) {
                0 => nibbles(std::net::Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().segments()),
                1 => nibbles([0x2002, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), 0, 1, 0, 0, 2]),
                _ => format!("{d}.{c}.{b}.{a}"),
            }
        }
        "ip6trie" | "ip6tset" if random.once_in(12) => {
            nibbles(std::net::Ipv4Addr::from(ip4(random)).to_ipv6_mapped().segments())
        }
        "ip6trie" | "ip6tset" => nibbles(ip6(random)),
        "dnset" | "generic" => name(random),
        _ => {
            let [a, b, c, d] = ip4(random);
            let below = if random.once_in(2) { name(random) } else { format!("{d}.{c}.{b}.{a}") };
            match *random.pick(&PARTS) {
                "@" => below,
                part => format!("{below}.{part}"),
            }
        }
    };
    format!("{below}.{zone}")
}

fn labels(name: &str) -> Vec<Vec<u8>> {
    name.split('.').filter(|label| !label.is_empty()).map(|label| label.as_bytes().to_vec()).collect()
}

/// What resolvers ask.
pub(super) fn generated(_world: &World, random: &mut Random) -> Question {
    let kind = *random.pick(&[1, 1, 1, 1, 16, 16, 28, 15]);
    let edns = random.once_in(2).then_some(1232);
    Question { labels: labels(&sensible(random)), kind, class: 1, flags: 0x0100, edns, behind: &[] }
}

/// What else can be asked.
pub(super) fn adversarial(_world: &World, random: &mut Random) -> Question {
    let zone = random.pick(&ZONES).0;
    let sensible = labels(&sensible(random));
    let mut labels = match random.below(10) {
        0 => labels(zone),
        1 => labels(&format!("{}.{zone}", name(random))),
        2 => labels(&format!("{}.test", name(random))),
        3 => {
            let from = random.below(sensible.len() as u64) as usize;
            sensible[from..].to_vec()
        }
        4 => [labels(random.pick::<&str>(&LABELS)), sensible].concat(),
        5 => {
            let mut labels = sensible;
            let at = random.below(labels.len() as u64) as usize;
            let with_zero = [b"0", &*labels[at]].concat();
            labels[at] = with_zero;
            labels
        }
        6 => {
            let mut labels = sensible;
            let at = random.below(labels.len() as u64) as usize;
            labels[at] =
                random.pick(&[&b"256"[..], b"g", b"*", b"\0", b"\xff", b"a.b", b"00", b"1 ", &[b'x'; 63]]).to_vec();
            labels
        }
        7 => {
            let at = random.below(sensible.len() as u64) as usize;
            [&sensible[..at], &sensible[at + 1..]].concat()
        }
        _ => sensible,
    };
    if random.once_in(3) {
        for octet in labels.iter_mut().flatten() {
            if random.once_in(2) {
                *octet = octet.to_ascii_uppercase();
            }
        }
    }
    if labels.is_empty() {
        labels = vec![b"test".to_vec()];
    }
    Question {
        labels,
        kind: *random.pick(&[1, 1, 1, 16, 16, 2, 6, 255, 255, 15, 12, 28, 43, 48, 65, 99, 249, 251, 252, 257, 65535]),
        class: if random.once_in(12) { *random.pick(&[255, 3, 4, 0, 254]) } else { 1 },
        flags: if random.once_in(16) { *random.pick(&[0x2000, 0x2800, 0x1000, 0x0800, 0x0010, 0x0130]) } else { 0 },
        edns: random.once_in(2).then(|| *random.pick(&[0, 512, 513, 1232, 4096, 65535])),
        behind: if random.once_in(40) { &[1, 2, 3] } else { &[] },
    }
}
