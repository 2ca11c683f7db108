use core::net::Ipv4Addr;

use base::Timestamp;
use memchr::memchr;

use super::Kind;
use super::access::{Access, AccessRule};
use super::entries::{Body, Dataset, Ip4Entry, Ip6Entry, NameEntry, Part, Record, RecordData};
use super::fault::{Fault, Report, Severity, Wrong};
use super::ip::{Ip4Form, ends, ip4_aton, ip4_entry, ip4_prefix, ip6_network, ip6_prefix};
use super::specials::{self, Header, Headers, Special, reversed, time, wire_name};
use super::values::{Defaults, EXCLUDED, TEXT_BYTES_MAX, ValueId, Values, is_over, skip_space};

/// A file of a dataset, unpacked.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name, for faults.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// When it was changed, in seconds since the epoch.
    pub modified: u64,
}

/// How strictly files are read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each allows something of its own")]
pub struct Options {
    /// Networks may have bits behind their prefix length, which are cleared (`rbldnsd -e`).
    pub host_bits: bool,
    /// A dataset may be empty. If not, it is refused: mostly it is the result of something that went wrong.
    pub may_be_empty: bool,
    /// A file may end within a line. If not, it is refused: it was cut off, or is still being written.
    pub may_lack_newline: bool,
    /// Entries may be as wide as they like. If not, those that list a part of the world are refused: an IPv4 network wider
    /// than a /8 below 224.0.0.0, an IPv6 one wider than a /16 where addresses are given out (`2000::/3`), and all names
    /// below a top-level domain.
    pub may_be_wide: bool,
}

/// Reads the files of a dataset as if they were one. The report has faults if they must be refused.
pub fn read(kind: Kind, files: &[Source<'_>], now: Timestamp, options: Options) -> Result<Dataset, Report> {
    Reader::new(kind, now, options).read(files)
}

/// The line because of which the zone's own name lists `address`: that of the narrowest entry with it, as a fault that says
/// `message`. None if there is none.
pub fn line_that_lists(
    address: Ipv4Addr,
    kind: Kind,
    files: &[Source<'_>],
    now: Timestamp,
    options: Options,
    message: &str,
) -> Option<Fault> {
    let mut reader = Reader::new(kind, now, options);
    reader.sought = Some(Sought { address: address.to_bits(), message, found: None });
    for file in files {
        reader.begin_file(file);
    }
    reader.sought?.found.map(|(_, fault)| fault)
}

/// What stands behind the mark by which editors of other systems begin a file of UTF-8 (RFC 3629 section 6).
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// The last line that has an end, or what stands there without one, with its number.
pub(super) fn last_line(bytes: &[u8]) -> (u64, &[u8]) {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    (memchr::memchr_iter(b'\n', bytes).count() as u64 + 1, trim(line))
}

struct Reader<'a> {
    options: Options,
    now: u64,
    report: Report,
    whole: Building,
    parts: Vec<BuildingPart>,
    is_in_part: bool,
    lines: u64,
    sought: Option<Sought<'a>>,
}

/// An address whose line is sought.
struct Sought<'a> {
    address: u32,
    /// What the fault says.
    message: &'a str,
    /// The line of the narrowest entry with it, and how many addresses that has less one.
    found: Option<(u32, Fault)>,
}

/// A part of a combined dataset in the making: its name, the names below the zone, and itself.
type BuildingPart = (Box<str>, Vec<Box<[u8]>>, Building);

/// A dataset in the making.
struct Building {
    kind: Kind,
    header: Header,
    values: Values,
    body: Body,
    defaults: Defaults,
    /// `ip4tset` and `ip6tset` have one value for all, the first one.
    has_default: bool,
    access: Access,
}

impl Reader<'_> {
    fn new(kind: Kind, now: Timestamp, options: Options) -> Self {
        Self {
            options,
            now: now.as_secs(),
            report: Report::default(),
            whole: Building::new(kind, Header::default()),
            parts: Vec::new(),
            is_in_part: false,
            lines: 0,
            sought: None,
        }
    }

    fn begin_file(&mut self, file: &Source<'_>) {
        self.whole.start_file();
        self.is_in_part = false;
        self.read_file(file);
    }

    fn read(mut self, files: &[Source<'_>]) -> Result<Dataset, Report> {
        for file in files {
            self.begin_file(file);
        }
        let modified = files.iter().map(|file| file.modified).max().unwrap_or_default();
        let Self { mut report, whole, parts, lines, options, .. } = self;
        let mut dataset = whole.finish(lines, modified);
        if let Body::Parts(all) = &mut dataset.body {
            for (name, zones, part) in parts {
                all.push(Part { name, zones, dataset: part.finish(0, modified) });
            }
        }
        let name = files.first().map_or("", |file| file.name);
        if dataset.is_empty() && !options.may_be_empty && !report.is_refused() {
            report.refuse(
                name,
                "there is no entry at all",
                Some("an empty dataset must be allowed in the configuration"),
            );
        }
        if report.is_refused() {
            return Err(report);
        }
        Ok(Dataset { report, ..dataset })
    }

    fn read_file(&mut self, file: &Source<'_>) {
        let (mut rest, mut number) = (without_mark(file.bytes), 0);
        while !rest.is_empty() {
            number += 1;
            let line = match memchr(b'\n', rest) {
                Some(end) => {
                    let (line, behind) = rest.split_at(end);
                    rest = &behind[1..];
                    line
                }
                None => {
                    let line = core::mem::take(&mut rest);
                    if !self.options.may_lack_newline {
                        let wrong = Wrong::new(line.len(), "the file ends within a line: it may be cut off");
                        self.note(wrong.hint("write a newline at its end"), file, number, line);
                    }
                    line
                }
            };
            if let Err(wrong) = self.line(trim(line)) {
                self.note(wrong, file, number, trim(line));
            } else if self.sought.is_some() {
                self.look(file, number, trim(line));
            }
        }
        self.lines += number;
    }

    #[cold]
    fn note(&mut self, wrong: Wrong, file: &Source<'_>, number: u64, line: &[u8]) {
        let severity: Severity = wrong.severity;
        self.report.add(severity, wrong.place(file.name, number, line));
    }

    /// Whether the line has made an entry with the address that is sought.
    #[cold]
    fn look(&mut self, file: &Source<'_>, number: u64, line: &[u8]) {
        let building = match self.parts.last() {
            Some((_, zones, part)) if self.is_in_part => zones.iter().any(|zone| zone.is_empty()).then_some(part),
            _ => Some(&self.whole),
        };
        let (Some(Body::Ip4(entries)), Some(sought)) = (building.map(|b| &b.body), &mut self.sought) else { return };
        let Some(Ip4Entry { first, last, value }) = entries.last() else { return };
        // A line without an entry is behind that of the last one, and no narrower.
        let is_narrower = sought.found.as_ref().is_none_or(|(width, _)| last - first < *width);
        if (*first..=*last).contains(&sought.address) && *value != EXCLUDED && is_narrower {
            sought.found = Some((last - first, Wrong::new(0, sought.message).place(file.name, number, line)));
        }
    }

    #[inline]
    fn line(&mut self, line: &[u8]) -> Result<(), Wrong> {
        match line {
            [b'$', ..] => return self.special(line, 1),
            // Files shared with djbdns's rbldns hide the lines that it does not know.
            [b'#' | b';' | b':', b'$', ..] => return self.special(line, 2),
            [] | [b'#' | b';', ..] => return Ok(()),
            _ => {}
        }
        let range_max = self.whole.header.range_max;
        let building = match self.parts.last_mut() {
            Some((_, _, part)) if self.is_in_part => part,
            _ => &mut self.whole,
        };
        building.line(line, self.options, range_max)
    }

    fn special(&mut self, line: &[u8], at: usize) -> Result<(), Wrong> {
        let part = self.parts.last_mut().filter(|_| self.is_in_part).map(|(_, _, part)| &mut part.header);
        let mut headers = Headers { whole: &mut self.whole.header, part };
        let is_access = self.whole.kind == Kind::Acl;
        match specials::read(line, at, &mut headers, self.now, is_access)? {
            Special::Done => Ok(()),
            Special::Part(at) if self.whole.kind == Kind::Combined => self.part(line, at),
            Special::Part(_) => Err(Wrong::new(at, "`$DATASET` stands in combined datasets only")),
            Special::Unknown(word) => {
                let word = String::from_utf8_lossy(word).into_owned();
                let wrong = Wrong::new(at, format!("`${word}` is unknown"));
                Err(wrong.hint("known are $SOA, $NS, $TTL, $TIMESTAMP, $MAXRANGE4, $DATASET, $0 to $9 and $="))
            }
        }
    }

    /// `$DATASET type[:name] zone zone...`
    fn part(&mut self, line: &[u8], at: usize) -> Result<(), Wrong> {
        let arguments = &line[at..];
        let is_comment = |i: usize| is_over(arguments, i) && (i == 0 || matches!(arguments[i - 1], b' ' | b'\t'));
        let end = (0..arguments.len()).find(|i| is_comment(*i)).unwrap_or(arguments.len());
        let text = String::from_utf8_lossy(&arguments[..end]).into_owned();
        let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
        let word = words.next().unwrap_or_default();
        let (kind, name) = word.split_once(':').unwrap_or((word, ""));
        let kind = Kind::from_name(kind).filter(|kind| !matches!(kind, Kind::Combined | Kind::Acl));
        let kind = kind.ok_or_else(|| {
            let wrong = Wrong::new(at, format!("`{word}` is no type of dataset that can stand here"));
            wrong.hint("ip4set, ip4tset, ip4trie, ip6tset, ip6trie, dnset and generic can")
        })?;
        let mut zones = Vec::new();
        for zone in words {
            let key = match zone {
                "@" => Box::default(),
                zone => {
                    let wire = wire_name(zone.as_bytes());
                    reversed(&wire.map_err(|why| Wrong::new(at, format!("name `{zone}` {why}")))?)
                }
            };
            zones.push(key);
        }
        if zones.is_empty() {
            let wrong = Wrong::new(line.len(), "the names below the zone are wanted here");
            return Err(wrong.hint("`@` is the zone itself"));
        }
        let Header { ttl, variables, base, .. } = self.whole.header.clone();
        let header = Header { ttl, variables, base, ..Header::default() };
        self.parts.push((name.into(), zones, Building::new(kind, header)));
        self.is_in_part = true;
        Ok(())
    }
}

/// A line without the white space around it, and without the carriage return of other systems.
fn trim(mut line: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = line {
        line = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r'] = line {
        line = rest;
    }
    line
}

impl Building {
    fn new(kind: Kind, header: Header) -> Self {
        let body = match kind {
            Kind::Ip4Set | Kind::Ip4TSet | Kind::Ip4Trie => Body::Ip4(Vec::new()),
            Kind::Ip6TSet | Kind::Ip6Trie => Body::Ip6(Vec::new()),
            Kind::DnSet => Body::Names(Vec::new()),
            Kind::Generic => Body::Records(Vec::new()),
            Kind::Combined => Body::Parts(Vec::new()),
            Kind::Acl => Body::Access(Vec::new()),
        };
        let values = Values::default();
        let defaults = if kind == Kind::Acl { Defaults::of_clients() } else { Defaults::default() };
        Self { kind, header, values, body, defaults, has_default: false, access: Access::Ignore }
    }

    /// Default values hold up to the end of a file.
    fn start_file(&mut self) {
        if !matches!(self.kind, Kind::Ip4TSet | Kind::Ip6TSet) {
            self.defaults.forget();
            self.access = Access::Ignore;
        }
    }

    fn finish(mut self, lines: u64, modified: u64) -> Dataset {
        // One value for all may stand behind the entries.
        if matches!(self.kind, Kind::Ip4TSet | Kind::Ip6TSet) {
            let id = self.defaults.id(&mut self.values);
            let own = |value: &mut ValueId| {
                if *value != EXCLUDED {
                    *value = id;
                }
            };
            match &mut self.body {
                Body::Ip4(entries) => entries.iter_mut().for_each(|entry| own(&mut entry.value)),
                Body::Ip6(entries) => entries.iter_mut().for_each(|entry| own(&mut entry.value)),
                Body::Names(_) | Body::Records(_) | Body::Parts(_) | Body::Access(_) => {}
            }
        }
        let Self { kind, header, values, body, .. } = self;
        Dataset { kind, header, values, body, lines, modified, report: Report::default() }
    }

    #[inline]
    fn line(&mut self, line: &[u8], options: Options, range_max: Option<u64>) -> Result<(), Wrong> {
        match self.kind {
            Kind::Ip4Set => self.ip4(line, Ip4Form::Range, options, range_max),
            Kind::Ip4TSet => self.ip4(line, Ip4Form::Address, options, range_max),
            Kind::Ip4Trie => self.ip4(line, Ip4Form::Network, options, range_max),
            Kind::Ip6TSet => self.ip6_halves(line),
            Kind::Ip6Trie => self.ip6(line, options),
            Kind::DnSet => self.name(line, options),
            Kind::Generic => self.record(line),
            Kind::Acl => self.access(line, options.host_bits),
            Kind::Combined => {
                let wrong = Wrong::new(0, "an entry stands before the first `$DATASET`");
                Err(wrong.hint("`$DATASET ip4set:name zone @` begins a dataset"))
            }
        }
    }

    /// A line with the default value.
    fn default_value(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let is_single = matches!(self.kind, Kind::Ip4TSet | Kind::Ip6TSet);
        if is_single && self.has_default {
            return Err(Wrong::warning(0, "the first value is that of all entries; this one is passed over"));
        }
        self.has_default = true;
        self.defaults.set(line, 0)
    }

    #[inline]
    fn ip4(&mut self, line: &[u8], form: Ip4Form, options: Options, range_max: Option<u64>) -> Result<(), Wrong> {
        if line[0] == b':' {
            return self.default_value(line);
        }
        let is_excluded = line[0] == b'!' && form != Ip4Form::Address;
        let start = if is_excluded { skip_space(line, 1) } else { 0 };
        let (first, last, _, end) = ip4_entry(line, start, form, options.host_bits)?;
        if !options.may_be_wide && is_wide4(first, last) && !is_excluded {
            return Err(too_wide(start, "lists more than a /8"));
        }
        if range_max.is_some_and(|most| u64::from(last - first) >= most) {
            let message = format!("{} addresses are more than $MAXRANGE4 allows", u64::from(last - first) + 1);
            return Err(Wrong::warning(start, message));
        }
        let value = match form {
            _ if is_excluded => EXCLUDED,
            Ip4Form::Address => ValueId(1),
            Ip4Form::Network | Ip4Form::Range => self.defaults.read(line, end, &mut self.values)?,
        };
        if let Body::Ip4(entries) = &mut self.body {
            entries.push(Ip4Entry { first, last, value });
        }
        Ok(())
    }

    /// /64 networks, and single addresses excluded from them.
    fn ip6_halves(&mut self, line: &[u8]) -> Result<(), Wrong> {
        if line[0] == b':' {
            return self.default_value(line);
        }
        let is_excluded = line[0] == b'!';
        let start = if is_excluded { skip_space(line, 1) } else { 0 };
        let (bits, written, end) = ip6_prefix(line, start)?;
        if !ends(line, end) {
            return Err(Wrong::new(start, "this is no IPv6 address"));
        }
        let (wanted, what) = if is_excluded {
            (128, "a whole address is excluded here")
        } else {
            (64, "four words are wanted here: a /64")
        };
        if written != wanted {
            return Err(Wrong::new(start, what).hint("ip6tset has /64 networks without single addresses; use ip6trie"));
        }
        let value = if is_excluded { EXCLUDED } else { ValueId(1) };
        self.push6(Ip6Entry { base: bits, length: written as u8, value });
        Ok(())
    }

    fn ip6(&mut self, line: &[u8], options: Options) -> Result<(), Wrong> {
        // `::` begins an address and cannot begin a value.
        if line[0] == b':' && line.get(1) != Some(&b':') {
            return self.default_value(line);
        }
        let is_excluded = line[0] == b'!';
        let start = if is_excluded { skip_space(line, 1) } else { 0 };
        let (base, length, end) = ip6_network(line, start, options.host_bits)?;
        if !options.may_be_wide && is_wide6(base, length) && !is_excluded {
            return Err(too_wide(start, "lists more than a /16, or than a /8 of IPv4"));
        }
        let value = if is_excluded { EXCLUDED } else { self.defaults.read(line, end, &mut self.values)? };
        self.push6(Ip6Entry { base, length: length as u8, value });
        Ok(())
    }

    fn push6(&mut self, entry: Ip6Entry) {
        if let Body::Ip6(entries) = &mut self.body {
            entries.push(entry);
        }
    }

    fn name(&mut self, line: &[u8], options: Options) -> Result<(), Wrong> {
        if line[0] == b':' {
            return self.default_value(line);
        }
        let is_excluded = line[0] == b'!';
        let mut start = if is_excluded { skip_space(line, 1) } else { 0 };
        let (is_name, is_below) = match &line[start..] {
            [b'.', ..] => (true, true),
            [b'*', b'.', ..] => (false, true),
            _ => (true, false),
        };
        start += usize::from(is_below) + usize::from(!is_name);
        let end = line[start..].iter().position(|b| matches!(b, b' ' | b'\t')).map_or(line.len(), |at| start + at);
        let wire = wire_name(&line[start..end]).map_err(|why| Wrong::new(start, format!("the name {why}")))?;
        if !options.may_be_wide && is_below && !is_excluded && is_top(&wire) {
            return Err(too_wide(start, "lists all names below a top-level domain"));
        }
        let value = if is_excluded { EXCLUDED } else { self.defaults.read(line, end, &mut self.values)? };
        if let Body::Names(entries) = &mut self.body {
            entries.push(NameEntry { key: reversed(&wire), is_name, is_below, value });
        }
        Ok(())
    }

    /// `name [ttl] type data`
    fn record(&mut self, line: &[u8]) -> Result<(), Wrong> {
        let word = |at: usize| {
            let start = skip_space(line, at);
            let end = line[start..].iter().position(|b| matches!(b, b' ' | b'\t')).map_or(line.len(), |n| start + n);
            (start, end)
        };
        let (_, name_end) = word(0);
        let key = match &line[..name_end] {
            b"@" => Box::default(),
            name => reversed(&wire_name(name).map_err(|why| Wrong::new(0, format!("the name {why}")))?),
        };
        let (mut start, mut end) = word(name_end);
        let mut ttl = 0;
        if line.get(start).is_some_and(u8::is_ascii_digit) {
            ttl = time(&line[start..end]).ok_or_else(|| Wrong::new(start, "this is no time to live"))?;
            (start, end) = word(end);
        }
        let ttl = if ttl > 0 { ttl } else { self.header.ttl.unwrap_or(super::TTL_DEFAULT) };
        let from = skip_space(line, end);
        let data = match line[start..end].to_ascii_lowercase().as_slice() {
            b"a" => {
                let (bits, length, end) = ip4_prefix(line, from)?;
                over(line, end)?;
                RecordData::A(ip4_aton(bits, length))
            }
            b"txt" => {
                let text = &line[from..];
                let text = text.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(text);
                RecordData::Txt(text[..text.len().min(TEXT_BYTES_MAX)].into())
            }
            b"mx" => {
                let (_, end) = word(from);
                let preference = core::str::from_utf8(&line[from..end]).ok().and_then(|number| number.parse().ok());
                let preference =
                    preference.ok_or_else(|| Wrong::new(from, "a preference (0 to 65535) is wanted here"))?;
                let (start, end) = word(end);
                let host = wire_name(&line[start..end]).map_err(|why| Wrong::new(start, format!("the name {why}")))?;
                over(line, end)?;
                RecordData::Mx(preference, host)
            }
            _ => return Err(Wrong::new(start, "a record is of type A, TXT or MX").hint("`name [ttl] type data`")),
        };
        if let Body::Records(records) = &mut self.body {
            records.push(Record { key, ttl, data });
        }
        Ok(())
    }

    fn access(&mut self, line: &[u8], host_bits: bool) -> Result<(), Wrong> {
        // `::/0` is a network; any other colon begins an action.
        if matches!(line[0], b':' | b'=') && line.get(1) != Some(&b':') {
            if let Some(access) = keyword(line, 0) {
                self.access = access;
            } else {
                self.default_value(line)?;
                self.access = Access::Listed(self.defaults.id(&mut self.values));
            }
            return Ok(());
        }
        let is_ip4 =
            line.iter().take_while(|b| !matches!(b, b' ' | b'\t')).all(|b| b.is_ascii_digit() || b"./".contains(b));
        let is_ip4 = is_ip4 || line.iter().find(|b| !b.is_ascii_hexdigit()) == Some(&b'.');
        let (base, length, end) = if is_ip4 {
            let (first, last, _, end) = ip4_entry(line, 0, Ip4Form::Network, host_bits)?;
            let length = 96 + (first ^ last).leading_zeros();
            (Ipv4Addr::from_bits(first).to_ipv6_mapped().to_bits(), length, end)
        } else {
            ip6_network(line, 0, host_bits)?
        };
        let at = skip_space(line, end);
        let access = if is_over(line, at) {
            self.access
        } else if let Some(access) = keyword(line, at) {
            access
        } else {
            Access::Listed(self.defaults.read(line, at, &mut self.values)?)
        };
        if let Body::Access(rules) = &mut self.body {
            rules.push(AccessRule { base, length: length as u8, access });
        }
        Ok(())
    }
}

/// An entry that lists a part of the world and not somebody in it.
#[cold]
fn too_wide(start: usize, what: &str) -> Wrong {
    Wrong::new(start, what).hint("a mistake mostly; `may-be-wide` in the configuration allows it")
}

/// Whether more than a /8 is listed of the addresses from which somebody can send, those below 224.0.0.0.
const fn is_wide4(first: u32, last: u32) -> bool {
    last - first > 0xff_ffff && first < 224 << 24
}

/// Whether a network has more than a /16 of `2000::/3`, of which addresses are given out, or more than a /8 of the mapped
/// IPv4 ones.
fn is_wide6(base: u128, length: u32) -> bool {
    let meets = |other: u128, bits: u32| (base ^ other).leading_zeros() >= bits.min(length);
    length < 16 && meets(0x2000 << 112, 3) || length < 104 && meets(0xffff << 32, 96)
}

/// Whether a name in wire form is that of a top-level domain, or of the root. Those of tests (RFC 5782 section 5) and parts of
/// addresses are none.
fn is_top(wire: &[u8]) -> bool {
    match wire {
        [1, _, 0] | [4, b't', b'e', b's', b't', 0] => false,
        [length, label @ .., 0] if label.len() == usize::from(*length) => !label.iter().all(u8::is_ascii_digit),
        wire => wire.len() < 2,
    }
}

/// `:refuse` and its like.
fn keyword(line: &[u8], at: usize) -> Option<Access> {
    let [b':' | b'=', rest @ ..] = &line[at..] else { return None };
    let end = rest.iter().position(|b| matches!(b, b' ' | b'\t' | b':' | b'#' | b';')).unwrap_or(rest.len());
    Access::from_keyword(&rest[..end])
}

fn over(line: &[u8], at: usize) -> Result<(), Wrong> {
    let at = skip_space(line, at);
    if is_over(line, at) { Ok(()) } else { Err(Wrong::new(at, "nothing more is wanted here")) }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
