use core::fmt::Write;
use core::net::IpAddr;

use base::{Maker, Network, Until};

use crate::Words;

/// Longest comment, in bytes.
const COMMENT_BYTES_MAX: usize = 160;

/// Who reads the map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// An address or network a line, and nothing else.
    Plain,
    /// rspamd's ip maps (multimap `type = "ip"`, radix maps): the comment stands behind `#`.
    Rspamd,
    /// Postfix's `cidr:` tables (`cidr_table(5)`): `#` only begins a line.
    PostfixCidr,
    /// Postfix's `access(5)` tables (`texthash:`, `hash:`, `lmdb:`), whose keys are cut at dots and colons.
    PostfixAccess,
    /// Exim's `net-iplsearch` and `iplsearch`: IPv6 keys in double quotes, a colon, and the comment as the value.
    Exim,
    /// Lines `deny …;` for nginx' `include`.
    Nginx,
    /// `HAProxy`'s files of `acl … src -f` and of maps without values.
    Haproxy,
}

/// How a map is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Style {
    /// Who reads it.
    pub format: Format,
    /// What Postfix answers to who is in it, such as `REJECT`; printable ASCII. The other formats have no answer.
    pub answer: String,
}

/// What a comment tells of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// When it ends.
    pub until: Until,
    /// Who made it.
    pub maker: Maker,
}

impl Format {
    /// Their names in the configuration.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("plain", Self::Plain),
        ("rspamd", Self::Rspamd),
        ("postfix-cidr", Self::PostfixCidr),
        ("postfix-access", Self::PostfixAccess),
        ("exim", Self::Exim),
        ("nginx", Self::Nginx),
        ("haproxy", Self::Haproxy),
    ];

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, format)| *format == self).map_or("plain", |(name, _)| name)
    }

    /// Whether what is written can name the network, no wider and no narrower.
    pub fn can_name(self, network: Network) -> bool {
        self != Self::PostfixAccess || access_key(network).is_some()
    }
}

impl Style {
    /// Adds the lines of one network. A single host never has a mask behind it: no reader can misread what is not there.
    pub fn write(&self, network: Network, mark: &Mark, words: &Words, out: &mut String) {
        let comment = || comment(mark, words);
        let done = match self.format {
            Format::Plain => writeln!(out, "{network}"),
            Format::Rspamd => writeln!(out, "{network} # {}", comment()),
            Format::PostfixCidr => writeln!(out, "# {}\n{network} {}", comment(), self.answer),
            Format::PostfixAccess => match access_key(network) {
                Some(key) => writeln!(out, "# {}\n{key} {}", comment(), self.answer),
                None => Ok(()),
            },
            Format::Exim if network.base().is_ipv4() => writeln!(out, "{network}: {}", comment()),
            Format::Exim => writeln!(out, "\"{network}\": {}", comment()),
            Format::Nginx => writeln!(out, "deny {network}; # {}", comment()),
            Format::Haproxy => writeln!(out, "# {}\n{network}", comment()),
        };
        // A String takes all.
        debug_assert!(done.is_ok());
    }

    /// The lines above the first entry.
    pub fn head(&self) -> &'static str {
        match self.format {
            Format::Plain => "",
            Format::Rspamd
            | Format::PostfixCidr
            | Format::PostfixAccess
            | Format::Exim
            | Format::Nginx
            | Format::Haproxy => "# Written by Ratter: changes made here are lost.\n",
        }
    }
}

/// Who made the listing and when it ends, in characters that mean nothing to any reader: a person's words may hold what
/// would end a comment or begin an entry.
fn comment(mark: &Mark, words: &Words) -> String {
    let end = mark.until.moment().map_or_else(|| "without end".to_owned(), |end| format!("until {end}"));
    let who = words.maker(&mark.maker);
    let harmless = |c: char| if c.is_ascii_alphanumeric() || " .,:@/()-_".contains(c) { c } else { '?' };
    let room = COMMENT_BYTES_MAX - end.len() - 1;
    let who: String = who.chars().take(room).map(harmless).collect();
    format!("{} {end}", who.trim())
}

/// The key under which `access(5)` finds a network: Postfix looks for the whole address, and then cuts it at the last dot
/// or colon again and again. None where no key means just that network: IPv4 lengths that are no multiples of 8, IPv6
/// lengths that are no multiples of 16, and IPv6 networks with a group of zeros, which Postfix shortens to `::`.
fn access_key(network: Network) -> Option<String> {
    if network.is_host() {
        return Some(network.to_string());
    }
    let length = usize::from(network.length());
    if length == 0 {
        return None;
    }
    match network.base() {
        IpAddr::V4(v4) if length.is_multiple_of(8) => {
            Some(v4.octets()[..length / 8].iter().map(u8::to_string).collect::<Vec<_>>().join("."))
        }
        IpAddr::V6(v6) if length.is_multiple_of(16) && v6.segments()[..length / 16].iter().all(|group| *group != 0) => {
            Some(v6.segments()[..length / 16].iter().map(|group| format!("{group:x}")).collect::<Vec<_>>().join(":"))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use base::{RuleId, Timestamp};

    use super::*;

    fn written(format: Format, network: &str) -> String {
        let words = Words { lists: vec!["blocked".into()], rules: vec!["address-guesses".into()] };
        let mark = Mark { until: Until::At(Timestamp::from_secs(1_800_000_000)), maker: Maker::Rule(RuleId(0)) };
        let style = Style { format, answer: "REJECT".into() };
        let mut out = String::new();
        style.write(network.parse().unwrap(), &mark, &words, &mut out);
        out
    }

    #[test]
    fn each_reader_gets_its_own_form() {
        const WHY: &str = "rule address-guesses until 2027-01-15T08:00:00.000Z";
        let cases = [
            (Format::Plain, "192.0.2.7", "192.0.2.7\n"),
            (Format::Plain, "2001:db8::/64", "2001:db8::/64\n"),
            (Format::Rspamd, "192.0.2.7", "192.0.2.7 # WHY\n"),
            (Format::Rspamd, "2001:db8::/64", "2001:db8::/64 # WHY\n"),
            (Format::PostfixCidr, "192.0.2.0/24", "# WHY\n192.0.2.0/24 REJECT\n"),
            (Format::PostfixCidr, "2001:db8::7", "# WHY\n2001:db8::7 REJECT\n"),
            (Format::PostfixAccess, "192.0.2.7", "# WHY\n192.0.2.7 REJECT\n"),
            (Format::PostfixAccess, "192.0.2.0/24", "# WHY\n192.0.2 REJECT\n"),
            (Format::PostfixAccess, "192.0.2.0/25", ""),
            (Format::PostfixAccess, "2001:db8:1:2::/64", "# WHY\n2001:db8:1:2 REJECT\n"),
            (Format::PostfixAccess, "2001:db8::/64", ""),
            (Format::PostfixAccess, "2001:db8:1:2::/63", ""),
            (Format::Exim, "192.0.2.0/24", "192.0.2.0/24: WHY\n"),
            (Format::Exim, "2001:db8::/64", "\"2001:db8::/64\": WHY\n"),
            (Format::Nginx, "192.0.2.7", "deny 192.0.2.7; # WHY\n"),
            (Format::Haproxy, "192.0.2.7", "# WHY\n192.0.2.7\n"),
        ];
        for (format, network, wanted) in cases {
            assert_eq!(written(format, network), wanted.replace("WHY", WHY), "{} {network}", format.name());
            assert_eq!(format.can_name(network.parse().unwrap()), !wanted.is_empty());
        }
    }

    #[test]
    fn a_persons_words_stay_within_the_comment() {
        let reason = "x\n0.0.0.0/0 REJECT; } # \u{2028}ü\"$(reboot)\\";
        let maker = Maker::Person { name: "eve\r".into(), reason: format!("{reason}{}", "y".repeat(500)).into() };
        let comment = comment(&Mark { until: Until::Never, maker }, &Words::default());
        assert!(comment.starts_with("eve?: x?0.0.0.0/0 REJECT? ? ? ????(reboot)?yyy"), "{comment}");
        assert!(comment.ends_with("y without end") && comment.len() <= COMMENT_BYTES_MAX, "{comment}");
    }
}
