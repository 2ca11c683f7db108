use core::net::{IpAddr, Ipv4Addr};
use std::io::{self, Write};

use base::{Address, Network, Timestamp};

use super::labels::{filled, host_name, names};

/// A listed network, for files of any form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row<'a> {
    /// The network.
    pub network: Network,
    /// Excluded from a wider one instead of listed.
    pub is_excluded: bool,
    /// What it is answered with; the default if there is none.
    pub code: Option<Ipv4Addr>,
    /// The name of its list.
    pub list: &'a str,
    /// Why it is listed; anybody may have written that.
    pub reason: &'a str,
    /// When the listing ends, if it does by itself.
    pub until: Option<Timestamp>,
}

/// The forms of files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// rbldnsd's `ip4set`; IPv6 has no place in it.
    Ip4Set,
    /// rbldnsd's `ip4tset`; only single IPv4 addresses have a place in it.
    Ip4TSet,
    /// rbldnsd's `ip4trie`; IPv6 has no place in it.
    Ip4Trie,
    /// rbldnsd's `ip6tset`; only /64 networks have a place in it, and no test entry has: its /64 would list more.
    Ip6TSet,
    /// rbldnsd's `ip6trie`; IPv4 has no place in it.
    Ip6Trie,
    /// rbldnsd's `dnset`: addresses as the names that resolvers ask for.
    DnSet,
    /// rbldnsd's `generic`, an A and a TXT record for each; only single addresses have a place in it, as it knows no
    /// wildcards.
    Generic,
    /// rbldnsd's `combined`: an `ip4trie` and an `ip6trie` in one file.
    Combined,
    /// rbldnsd's `acl`, for a server that does not answer whoever is listed.
    Acl,
    /// One network in a line.
    Plain,
    /// `network,list,code,until,reason`, with a line of titles (RFC 4180).
    Csv,
    /// One JSON object in a line.
    Ndjson,
    /// A response policy zone: a resolver that takes it does not answer clients that are listed (`rpz-client-ip`).
    Rpz,
}

/// How the lines of a form are laid out.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// Plain text, a network at the beginning of each.
    Lines,
    Csv,
    Ndjson,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Ip4Set,
        Self::Ip4TSet,
        Self::Ip4Trie,
        Self::Ip6TSet,
        Self::Ip6Trie,
        Self::DnSet,
        Self::Generic,
        Self::Combined,
        Self::Acl,
        Self::Plain,
        Self::Csv,
        Self::Ndjson,
        Self::Rpz,
    ];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip4Set => "ip4set",
            Self::Ip4TSet => "ip4tset",
            Self::Ip4Trie => "ip4trie",
            Self::Ip6TSet => "ip6tset",
            Self::Ip6Trie => "ip6trie",
            Self::DnSet => "dnset",
            Self::Generic => "generic",
            Self::Combined => "combined",
            Self::Acl => "acl",
            Self::Plain => "plain",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Rpz => "rpz",
        }
    }

    /// Whether end and reason of each listing have a place in it.
    pub const fn tells(self) -> bool {
        !matches!(self.layout(), Layout::Lines)
    }

    /// How its lines are laid out.
    pub(crate) const fn layout(self) -> Layout {
        match self {
            Self::Csv => Layout::Csv,
            Self::Ndjson => Layout::Ndjson,
            Self::Ip4Set
            | Self::Ip4TSet
            | Self::Ip4Trie
            | Self::Ip6TSet
            | Self::Ip6Trie
            | Self::DnSet
            | Self::Generic
            | Self::Combined
            | Self::Acl
            | Self::Plain
            | Self::Rpz => Layout::Lines,
        }
    }

    /// The form of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }
}

/// What stands before the rows.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// The zone's name, without a dot at its end.
    pub zone: &'a str,
    /// The primary name server.
    pub primary: &'a str,
    /// All name servers.
    pub servers: &'a [&'a str],
    /// The mail address of those who are responsible, as a name.
    pub contact: &'a str,
    /// The serial.
    pub serial: u32,
    /// The code of entries that have none of their own.
    pub code: Ipv4Addr,
    /// The template of the text, in rbldnsd's way; on one line.
    pub text: &'a str,
    /// How long resolvers may remember an entry, in seconds.
    pub ttl: u32,
    /// How long resolvers may remember that somebody is not listed, in seconds.
    pub negative_ttl: u32,
}

/// Writes rows in one form. It buffers nothing.
#[derive(Debug)]
pub struct Writer<W> {
    form: Form,
    out: W,
    code: Ipv4Addr,
    /// The default value with its template.
    value: String,
    /// Whether the part of a combined dataset with IPv6 networks has begun.
    is_in_ip6: bool,
    written: u64,
    skipped: u64,
}

impl<W: Write> Writer<W> {
    /// Writes what stands before the rows.
    pub fn new(form: Form, head: &Head<'_>, mut out: W) -> io::Result<Self> {
        let Head { zone, primary, servers, contact, serial, code, text, ttl, negative_ttl } = head;
        match form {
            Form::Ip4Set
            | Form::Ip4TSet
            | Form::Ip4Trie
            | Form::Ip6TSet
            | Form::Ip6Trie
            | Form::DnSet
            | Form::Generic
            | Form::Combined => {
                writeln!(out, "$SOA {negative_ttl} {primary} {contact} {serial} 10m 5m 1w {negative_ttl}")?;
                writeln!(out, "$NS {ttl} {}\n$TTL {ttl}", servers.join(" "))?;
            }
            Form::Acl => writeln!(out, ":refuse")?,
            Form::Csv => writeln!(out, "network,list,code,until,reason")?,
            Form::Rpz => {
                writeln!(
                    out,
                    "$ORIGIN {zone}.\n$TTL {ttl}\n@ SOA {primary}. {contact}. {serial} 600 300 604800 {negative_ttl}"
                )?;
                servers.iter().try_for_each(|server| writeln!(out, "@ NS {server}."))?;
            }
            Form::Plain | Form::Ndjson => {}
        }
        let value = one_line(text);
        let mut writer = Self { form, out, code: *code, value, is_in_ip6: false, written: 0, skipped: 0 };
        writer.begin()?;
        Ok(writer)
    }

    /// Writes the default value, and the entries by which clients test a list.
    fn begin(&mut self) -> io::Result<()> {
        let (form, Self { out, code, value, .. }) = (self.form, &mut *self);
        match form {
            Form::Ip4Set | Form::Ip4TSet | Form::Ip4Trie | Form::Ip6TSet | Form::Ip6Trie | Form::DnSet => {
                writeln!(out, ":{code}:{value}")?;
            }
            Form::Combined => writeln!(out, "$DATASET ip4trie @\n:{code}:{value}")?,
            Form::Generic | Form::Acl | Form::Plain | Form::Csv | Form::Ndjson | Form::Rpz => {}
        }
        match form {
            Form::Generic => tests(self.code).try_for_each(|entry| self.records(entry.into(), None)),
            Form::Ip4Set | Form::Ip4TSet | Form::Ip4Trie | Form::Ip6Trie | Form::DnSet | Form::Combined => {
                write_tests(form, self.code, &mut self.out)
            }
            Form::Ip6TSet | Form::Acl | Form::Plain | Form::Csv | Form::Ndjson | Form::Rpz => Ok(()),
        }
    }

    /// Writes the records of a single address.
    fn records(&mut self, address: IpAddr, code: Option<Ipv4Addr>) -> io::Result<()> {
        let host = Network::containing(Address::new(address), if address.is_ipv4() { 32 } else { 128 });
        let text = filled(&self.value, &address.to_string());
        names(host)
            .try_for_each(|name| writeln!(self.out, "{name} A {}\n{name} TXT \"{text}\"", code.unwrap_or(self.code)))
    }

    /// Writes one row; one that has no place in the form is counted.
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        let Row { network, is_excluded, code, list, reason, until } = row;
        let is_ip4 = network.base().is_ipv4();
        let has_place = match self.form {
            Form::Ip4Set | Form::Ip4Trie => is_ip4,
            Form::Ip4TSet => is_ip4 && network.is_host() && !is_excluded,
            Form::Ip6TSet => !is_ip4 && if *is_excluded { network.is_host() } else { network.length() == 64 },
            Form::Ip6Trie => !is_ip4,
            Form::Generic => network.is_host() && !is_excluded,
            Form::Plain | Form::Csv | Form::Ndjson => !is_excluded,
            Form::DnSet => network.length() > 0,
            // The part with IPv6 has no end.
            Form::Combined => !is_ip4 || !self.is_in_ip6,
            Form::Acl | Form::Rpz => true,
        };
        if !has_place {
            self.skipped += 1;
            return Ok(());
        }
        self.written += 1;
        if self.form == Form::Combined && !is_ip4 && !self.is_in_ip6 {
            self.is_in_ip6 = true;
            writeln!(self.out, "$DATASET ip6trie @\n:{}:{}", self.code, self.value)?;
        }
        let out = &mut self.out;
        let mark = if *is_excluded { "!" } else { "" };
        let other = code.filter(|code| *code != self.code && !is_excluded).map(|code| format!(" :{code}"));
        let other = other.unwrap_or_default();
        match self.form {
            Form::Ip4TSet | Form::Plain => writeln!(out, "{network}"),
            Form::Ip6TSet => match network.base() {
                IpAddr::V6(v6) if !is_excluded => {
                    let [a, b, c, d, ..] = v6.segments();
                    writeln!(out, "{a:x}:{b:x}:{c:x}:{d:x}")
                }
                IpAddr::V4(_) | IpAddr::V6(_) => writeln!(out, "!{}", network.base()),
            },
            Form::Ip4Set | Form::Ip4Trie | Form::Ip6Trie | Form::Combined => writeln!(out, "{mark}{network}{other}"),
            Form::DnSet => {
                let below = if network.is_host() { "" } else { "*." };
                names(*network).try_for_each(|name| writeln!(out, "{mark}{below}{name}{other}"))
            }
            Form::Generic => self.records(network.base(), *code),
            Form::Acl => writeln!(out, "{network}{}", if *is_excluded { " :pass" } else { "" }),
            Form::Csv => {
                let until = until.map(|until| until.to_string()).unwrap_or_default();
                let code = code.unwrap_or(self.code);
                writeln!(out, "{network},{},{code},{until},{}", csv(list), csv(reason))
            }
            Form::Ndjson => {
                write!(
                    out,
                    "{{\"network\":\"{network}\",\"list\":{},\"code\":\"{}\"",
                    json(list),
                    code.unwrap_or(self.code)
                )?;
                if let Some(until) = until {
                    write!(out, ",\"until\":\"{until}\"")?;
                }
                writeln!(out, ",\"reason\":{}}}", json(reason))
            }
            Form::Rpz => {
                let action = if *is_excluded { "rpz-passthru." } else { "rpz-drop." };
                writeln!(out, "{}.rpz-client-ip CNAME {action}", rpz_name(*network))
            }
        }
    }

    /// How many rows were written, and how many have no place in the form.
    pub const fn counts(&self) -> (u64, u64) {
        (self.written, self.skipped)
    }

    /// Gives the output back.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// A text without what would end its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A field of CSV, quoted if it must be. What spreadsheets would take for a formula begins with an apostrophe.
pub(crate) fn csv(text: &str) -> String {
    let text = one_line(text);
    let mark = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if text.contains([',', '"']) { format!("\"{mark}{}\"", text.replace('"', "\"\"")) } else { format!("{mark}{text}") }
}

/// A string of JSON (RFC 8259 section 7).
pub(crate) fn json(text: &str) -> String {
    use core::fmt::Write as _;

    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c)).expect("a string takes everything"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The entries by which clients test a list (RFC 5782 section 5): 127.0.0.2, and the list's own code.
fn tests(code: Ipv4Addr) -> impl Iterator<Item = Ipv4Addr> {
    let second = Ipv4Addr::new(127, 0, 0, 2);
    [Some(second), Some(code).filter(|code| *code != second)].into_iter().flatten()
}

/// Writes [`tests`].
fn write_tests(form: Form, code: Ipv4Addr, out: &mut impl Write) -> io::Result<()> {
    for entry in tests(code) {
        if form == Form::Ip6Trie {
            let [.., high, low] = entry.to_ipv6_mapped().segments();
            writeln!(out, "0:0:0:0:0:ffff:{high:x}:{low:x}/128")?;
        } else if form == Form::DnSet {
            writeln!(out, "{}", host_name(entry))?;
        } else {
            writeln!(out, "{entry}")?;
        }
    }
    Ok(())
}

/// The name that stands for a network in a response policy zone: the length, then the parts, the last one first, and
/// for IPv6 `zz` for the longest run of zeros.
fn rpz_name(network: Network) -> String {
    let length = network.length();
    match network.base() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{length}.{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(v6) => {
            let text = v6.to_string();
            let parts: Vec<&str> = match text.split_once("::") {
                Some((before, behind)) => {
                    let before = before.split(':').filter(|word| !word.is_empty());
                    before.chain(["zz"]).chain(behind.split(':').filter(|word| !word.is_empty())).collect()
                }
                None => text.split(':').collect(),
            };
            let reversed: Vec<&str> = parts.into_iter().rev().collect();
            format!("{length}.{}", reversed.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::{Kind, Options, Source, read};

    const HEAD: Head<'_> = Head {
        zone: "bl.example.org",
        primary: "ns.example.org",
        servers: &["ns.example.org", "ns2.example.org"],
        contact: "admin.example.org",
        serial: 7,
        code: Ipv4Addr::new(127, 0, 0, 2),
        text: "see $\nnext",
        ttl: 300,
        negative_ttl: 60,
    };

    fn written(form: Form) -> String {
        let row = |network: &str| Row {
            network: network.parse().unwrap(),
            is_excluded: false,
            code: None,
            list: "auth",
            reason: "=1,\"x\"\n",
            until: Some(Timestamp::from_secs(1)),
        };
        let mut writer = Writer::new(form, &HEAD, Vec::new()).unwrap();
        writer.row(&row("192.0.2.0/24")).unwrap();
        writer.row(&Row { is_excluded: true, ..row("192.0.2.7") }).unwrap();
        writer.row(&Row { code: Some(Ipv4Addr::new(127, 0, 0, 9)), until: None, ..row("2001:db8::/32") }).unwrap();
        if [Form::Ip4Set, Form::Ip4TSet, Form::Ip4Trie, Form::Generic].contains(&form) {
            writer.row(&row("198.51.100.4")).unwrap();
        }
        if form == Form::Ip6TSet {
            writer.row(&row("2001:db8:0:1::/64")).unwrap();
        }
        let counts = writer.counts();
        assert!(counts.0 + counts.1 >= 3);
        String::from_utf8(writer.into_inner()).unwrap()
    }

    #[test]
    fn forms() {
        let head = "$SOA 60 ns.example.org admin.example.org 7 10m 5m 1w 60\n$NS 300 ns.example.org ns2.example.org\n$TTL 300\n\
            :127.0.0.2:see $ next\n";
        let cases = [
            (Form::Ip4Set, format!("{head}127.0.0.2\n192.0.2.0/24\n!192.0.2.7\n198.51.100.4\n")),
            (Form::Ip4TSet, format!("{head}127.0.0.2\n198.51.100.4\n")),
            (Form::Ip4Trie, format!("{head}127.0.0.2\n192.0.2.0/24\n!192.0.2.7\n198.51.100.4\n")),
            (Form::Ip6TSet, format!("{head}2001:db8:0:1\n")),
            (Form::Ip6Trie, format!("{head}0:0:0:0:0:ffff:7f00:2/128\n2001:db8::/32 :127.0.0.9\n")),
            (
                Form::DnSet,
                format!(
                    "{head}2.0.0.127\n*.2.0.192\n!7.2.0.192\n*.8.b.d.0.1.0.0.2 :127.0.0.9\n"
                ),
            ),
            (
                Form::Generic,
                format!(
                    "{}2.0.0.127 A 127.0.0.2\n2.0.0.127 TXT \"see 127.0.0.2 next\"\n\
                    4.100.51.198 A 127.0.0.2\n4.100.51.198 TXT \"see 198.51.100.4 next\"\n",
                    head.trim_end_matches(":127.0.0.2:see $ next\n")
                ),
            ),
            (
                Form::Combined,
                format!(
                    "{}$DATASET ip4trie @\n:127.0.0.2:see $ next\n127.0.0.2\n192.0.2.0/24\n!192.0.2.7\n\
                    $DATASET ip6trie @\n:127.0.0.2:see $ next\n2001:db8::/32 :127.0.0.9\n",
                    head.trim_end_matches(":127.0.0.2:see $ next\n")
                ),
            ),
            (Form::Acl, ":refuse\n192.0.2.0/24\n192.0.2.7 :pass\n2001:db8::/32\n".into()),
            (Form::Plain, "192.0.2.0/24\n2001:db8::/32\n".into()),
            (
                Form::Csv,
                "network,list,code,until,reason\n\
                192.0.2.0/24,auth,127.0.0.2,1970-01-01T00:00:01.000Z,\"'=1,\"\"x\"\" \"\n\
                2001:db8::/32,auth,127.0.0.9,,\"'=1,\"\"x\"\" \"\n"
                    .into(),
            ),
            (
                Form::Ndjson,
                "{\"network\":\"192.0.2.0/24\",\"list\":\"auth\",\"code\":\"127.0.0.2\",\
                \"until\":\"1970-01-01T00:00:01.000Z\",\"reason\":\"=1,\\\"x\\\"\\u000a\"}\n\
                {\"network\":\"2001:db8::/32\",\"list\":\"auth\",\"code\":\"127.0.0.9\",\"reason\":\"=1,\\\"x\\\"\\u000a\"}\n"
                    .into(),
            ),
            (
                Form::Rpz,
                "$ORIGIN bl.example.org.\n$TTL 300\n\
                @ SOA ns.example.org. admin.example.org. 7 600 300 604800 60\n@ NS ns.example.org.\n@ NS ns2.example.org.\n\
                24.0.2.0.192.rpz-client-ip CNAME rpz-drop.\n32.7.2.0.192.rpz-client-ip CNAME rpz-passthru.\n\
                32.zz.db8.2001.rpz-client-ip CNAME rpz-drop.\n"
                    .into(),
            ),
        ];
        for (form, wanted) in cases {
            assert_eq!(written(form), wanted, "{}", form.name());
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for (form, kind) in [
            (Form::Ip4Set, Kind::Ip4Set),
            (Form::Ip4TSet, Kind::Ip4TSet),
            (Form::Ip4Trie, Kind::Ip4Trie),
            (Form::Ip6TSet, Kind::Ip6TSet),
            (Form::Ip6Trie, Kind::Ip6Trie),
            (Form::DnSet, Kind::DnSet),
            (Form::Generic, Kind::Generic),
            (Form::Combined, Kind::Combined),
            (Form::Acl, Kind::Acl),
        ] {
            let text = written(form);
            let source = Source { name: "list", bytes: text.as_bytes(), modified: 0 };
            let dataset = read(kind, &[source], Timestamp::EPOCH, Options::default()).unwrap();
            assert!(!dataset.is_empty() && dataset.header.soa.is_some() == (form != Form::Acl));
        }
    }
}
