//! Lines that nobody understood, by what they say: formats drift, and the commonest of them show where a grammar or a
//! pattern is missing.
//!
//! A line becomes a *template*: its words, with what varies from line to line masked (numbers, addresses, names with an `@`,
//! quoted text, ids). Lines of one template are counted together. Memory is bounded: when the table is full, the template that
//! was seen least makes room, and its count is kept as how much the count of the one that took its place may be too high
//! (Space-Saving; Metwally, Agrawal, El Abbadi 2005). So whatever makes up more than 1 of [`TEMPLATES_MAX`] lines is in it.

use core::fmt::Write;
use std::collections::HashMap;

use base::Address;

use crate::frame;

/// Most templates that are told apart at one time.
pub const TEMPLATES_MAX: usize = 4096;

/// Longest template, in bytes; what follows is one `…`.
const TEMPLATE_BYTES_MAX: usize = 512;

/// Longest sample that is kept, in bytes.
const SAMPLE_BYTES_MAX: usize = 1024;

/// Words that a line has which somebody should know of.
const TELLING: [&str; 14] = [
    "fail",
    "invalid",
    "denied",
    "refused",
    "reject",
    "unknown user",
    "bad ",
    "illegal",
    "incorrect",
    "mismatch",
    "abuse",
    "attack",
    "too many",
    "not allowed",
];

/// Lines of one template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// The program and the template, as `program: template`.
    pub template: String,
    /// How many lines there were, at most.
    pub count: u64,
    /// By how much `count` may be too high.
    pub uncertain: u64,
    /// The last of the lines, cut to 1 KiB. A client may have written into it: escape it before it is shown.
    pub sample: String,
    /// Whether it names an address, or has a word by which refusals are told: where an event is missing, it is there.
    pub is_telling: bool,
}

/// Collects lines.
#[derive(Debug, Default)]
pub struct Unknown {
    clusters: HashMap<String, Counted>,
    lines: u64,
    template: String,
}

#[derive(Debug)]
struct Counted {
    count: u64,
    uncertain: u64,
    sample: String,
    is_telling: bool,
}

impl Unknown {
    /// An empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a line that made no event.
    pub fn add(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        self.lines += 1;
        self.template.clear();
        let frame = frame::read(&line);
        if !frame.program.is_empty() {
            mask(frame.program, &mut self.template);
            self.template.push_str(": ");
        }
        let has_address = mask(frame.message, &mut self.template);
        if !self.clusters.contains_key(&self.template) {
            let (count, uncertain) = (0, self.make_room());
            let is_telling = has_address || is_telling(&self.template);
            let new = Counted { count: count + uncertain, uncertain, sample: String::new(), is_telling };
            self.clusters.insert(self.template.clone(), new);
        }
        if let Some(cluster) = self.clusters.get_mut(&self.template) {
            cluster.count += 1;
            cluster.sample.clear();
            cluster.sample.push_str(line.get(..floor(&line, SAMPLE_BYTES_MAX)).unwrap_or_default());
        }
    }

    /// How many lines were taken.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// The commonest templates, the telling ones first if they are `preferred`.
    pub fn commonest(&self, most: usize, only_telling: bool) -> Vec<Cluster> {
        let wanted = self.clusters.iter().filter(|(_, counted)| counted.is_telling || !only_telling);
        let mut all: Vec<_> = wanted.collect();
        all.sort_by(|a, b| (b.1.count, a.0).cmp(&(a.1.count, b.0)));
        let cluster = |(template, counted): (&String, &Counted)| Cluster {
            template: template.clone(),
            count: counted.count,
            uncertain: counted.uncertain,
            sample: counted.sample.clone(),
            is_telling: counted.is_telling,
        };
        all.into_iter().take(most).map(cluster).collect()
    }

    /// Makes room for one template; the count of the one that had to go, 0 if there was room.
    fn make_room(&mut self) -> u64 {
        if self.clusters.len() < TEMPLATES_MAX {
            return 0;
        }
        // A sixteenth goes at once, so that a flood of different lines costs little each.
        let mut counts: Vec<u64> = self.clusters.values().map(|counted| counted.count).collect();
        let rank = TEMPLATES_MAX / 16;
        let (_, limit, _) = counts.select_nth_unstable(rank);
        let limit = *limit;
        let mut left = rank + 1;
        self.clusters.retain(|_, counted| {
            let goes = counted.count <= limit && left > 0;
            left -= usize::from(goes);
            !goes
        });
        limit
    }
}

/// Writes `text` with what varies masked; whether there is an address in it.
fn mask(text: &str, into: &mut String) -> bool {
    let begin = into.len();
    let mut has_address = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if into.len() - begin >= TEMPLATE_BYTES_MAX {
            into.push('…');
            break;
        }
        let quoted = matches!(first, '"' | '\'' | '<' | '`').then(|| quoted(rest, first)).flatten();
        let length = match quoted {
            Some(length) => {
                let inside = &rest[1..length - 1];
                has_address |= is_address(inside);
                into.push_str(if is_address(inside) { "‹address›" } else { "‹text›" });
                length
            }
            None if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                has_address |= mask_word(&rest[..length], into);
                length
            }
            None => {
                into.push(if first.is_control() { ' ' } else { first });
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    has_address
}

/// The length of what is quoted at the beginning of `text`, with its quotes.
fn quoted(text: &str, open: char) -> Option<usize> {
    /// Longest text that counts as quoted, in bytes: an apostrophe is no quote.
    const QUOTED_BYTES_MAX: usize = 256;
    let close = match open {
        '<' => '>',
        '`' => '\'',
        other => other,
    };
    let head = text.get(1..floor(text, QUOTED_BYTES_MAX))?;
    let end = head.find(close)?;
    Some(1 + end + close.len_utf8())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | ':' | '@' | '_' | '-' | '+' | '/' | '%')
}

/// Writes a word, masked where it varies; whether it is an address.
fn mask_word(word: &str, into: &mut String) -> bool {
    let core = word.trim_end_matches(['.', ':']);
    let end = &word[core.len()..];
    // `192.0.2.1:25`, of which the port varies too.
    let host = core.rsplit_once(':').map_or(core, |(host, _)| host);
    let is_address = is_address(core) || is_v4(host);
    let has_digit = core.bytes().any(|byte| byte.is_ascii_digit());
    let mask = if is_address {
        Some("‹address›")
    } else if core.contains('@') {
        Some("‹mail›")
    } else if core.bytes().all(|byte| byte.is_ascii_digit()) && !core.is_empty() {
        Some("‹n›")
    } else if has_digit && core.len() > 4 {
        Some("‹id›")
    } else if core.len() > 40 {
        Some("‹text›")
    } else {
        None
    };
    match mask {
        Some(mask) => into.push_str(mask),
        // Small numbers within words vary too: `try2`, `v3`.
        None => core.chars().for_each(|c| into.push(if c.is_ascii_digit() { '#' } else { c })),
    }
    // Writing to a string cannot fail.
    write!(into, "{end}").unwrap_or_default();
    is_address
}

fn is_address(text: &str) -> bool {
    text.len() <= 45 && text.len() > 2 && text.contains(['.', ':']) && text.parse::<Address>().is_ok()
}

fn is_v4(text: &str) -> bool {
    text.len() <= 15 && text.parse::<core::net::Ipv4Addr>().is_ok()
}

fn is_telling(template: &str) -> bool {
    let lower = template.to_lowercase();
    TELLING.iter().any(|word| lower.contains(word))
}

/// The place of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn templates() {
        let cases = [
            (
                "Nov 21 07:44:14 mx app[7]: login of alice@example.org from 198.51.100.7 failed",
                "app: login of ‹mail› from ‹address› failed",
            ),
            (
                "app: from 198.51.100.7:4711, id=7f3a9b2c. user=\"a b\" it's 12 v2",
                "app: from ‹address›, id=‹id›. user=‹text› it's ‹n› v#",
            ),
            ("app: <alice> [2001:db8::1]: x", "app: ‹text› [‹address›]: x"),
            ("no frame at all", "no frame at all"),
            ("app: <198.51.100.7>\u{1b}[2J", "app: ‹address› [#J"),
            ("", ""),
        ];
        for (line, wanted) in cases {
            let mut unknown = Unknown::new();
            unknown.add(line.as_bytes());
            assert_eq!(unknown.commonest(1, false)[0].template, wanted, "{line}");
        }
    }

    #[test]
    fn the_commonest_first_and_the_telling_alone() {
        let mut unknown = Unknown::new();
        for at in 0..100 {
            unknown.add(format!("app: queue {at} runs").as_bytes());
            if at % 3 == 0 {
                unknown.add(format!("app: connection from 198.51.100.{at}").as_bytes());
            }
            if at % 9 == 0 {
                unknown.add(format!("app: bad day number {at}").as_bytes());
            }
        }
        let shown = |only| -> Vec<_> {
            unknown.commonest(9, only).into_iter().map(|c| (c.template, c.count, c.uncertain)).collect()
        };
        let (runs, from, bad) = ("app: queue ‹n› runs", "app: connection from ‹address›", "app: bad day number ‹n›");
        let wanted = [(runs.to_owned(), 100, 0), (from.to_owned(), 34, 0), (bad.to_owned(), 12, 0)];
        assert_eq!((shown(false), shown(true), unknown.lines()), (wanted.to_vec(), wanted[1..].to_vec(), 146));
        assert_eq!(unknown.commonest(1, false)[0].sample, "app: queue 99 runs");
    }

    #[test]
    fn a_flood_of_different_lines_is_bounded_and_hides_nothing_common() {
        let mut unknown = Unknown::new();
        let letters = |mut at: usize| {
            let mut word = String::new();
            while at > 0 {
                word.push(char::from(b'a' + (at % 26) as u8));
                at /= 26;
            }
            word
        };
        for at in 0..200_000 {
            unknown.add(format!("app: word {}", letters(at)).as_bytes());
            if at % 100 == 0 {
                unknown.add(b"app: the common one");
            }
        }
        assert!(unknown.clusters.len() <= TEMPLATES_MAX);
        let common = &unknown.commonest(1, false)[0];
        assert_eq!(common.template, "app: the common one");
        assert!((2000..=2000 + common.uncertain).contains(&common.count), "{common:?}");
        unknown.add("x".repeat(1 << 20).as_bytes());
        unknown.add("x ".repeat(1 << 19).as_bytes());
        assert!(
            unknown.clusters.iter().all(|(template, counted)| template.len() < 2000 && counted.sample.len() <= 1024)
        );
    }

    proptest! {
        #[test]
        fn any_line_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "(['\"<>`@.:0-9a-z ]|\\PC){0,40}") {
            let mut unknown = Unknown::new();
            unknown.add(&bytes);
            unknown.add(text.as_bytes());
            prop_assert!(unknown.commonest(2, false).iter().all(|c| !c.template.chars().any(char::is_control)));
        }
    }
}
