//! `[[list]]`: the lists beside `blocked`, and how they are published.

use core::net::Ipv4Addr;
use core::ops::{Range, RangeInclusive};
use core::time::Duration;

use base::ListId;
use base::limits::LISTS_MAX;

use super::diagnose::Fault;
use super::forms::{Form, Mismatch, duration, ipv4, name, template};
use super::reader::{Placed, Section};
use super::units::days;
use super::words::{enumerate, nearest};

/// A list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// Its name, which is also its label below the origin of the zone.
    pub name: String,
    /// The address by which DNS says that somebody is on it; none if it is not published.
    pub code: Option<Ipv4Addr>,
    /// How long a listing lasts if neither rule nor person says otherwise.
    pub lifetime: Duration,
    /// How long others may remember an answer; that of `[dnsbl]` if not given.
    pub ttl: Option<Duration>,
    /// The reason that DNS gives as TXT; `{ip}`, `{list}` and `{url}` in it are filled in.
    pub text: Option<String>,
}

/// Name of the list that always exists, at index 0: refused here, and not published.
const BLOCKED: &str = "blocked";

/// How long a person's block lasts if no end is given.
const BLOCKED_LIFETIME: Duration = Duration::from_hours(1);

/// From a minute to ten years.
const LIFETIME: RangeInclusive<Duration> = Duration::from_mins(1)..=days(3660);

/// Resolvers cap the time at a week or less.
pub(super) const TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=days(7);

/// Longest text of a list before its words are replaced: with an IPv6 address and a link it still fits one string of TXT.
const TEXT_BYTES_MAX: usize = 180;

/// The lists of a file while its rules are read.
pub(super) struct Lists {
    /// In the order of their ids; a list with a fault of its own has only its name here.
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    code: Option<Placed<Ipv4Addr>>,
    place: Range<usize>,
    list: Option<List>,
}

impl Lists {
    /// The list `blocked` and those of every `[[list]]` in the file.
    pub(super) fn read(section: &Section<'_>) -> Self {
        let blocked = List { name: BLOCKED.into(), code: None, lifetime: BLOCKED_LIFETIME, ttl: None, text: None };
        let blocked = Entry { name: BLOCKED.into(), code: None, place: 0..0, list: Some(blocked) };
        let mut entries = vec![blocked];
        for entry in section.tables("list", one).into_iter().flatten() {
            if entries.len() == LISTS_MAX {
                let title = format!("more than {} lists", LISTS_MAX - 1);
                section.desk.report(Fault::error(entry.place, title).label("one too many"));
                break;
            }
            refuse_twins(section, &entries, &entry);
            entries.push(entry);
        }
        Self { entries }
    }

    /// Whether there is none but `blocked`.
    pub(super) fn is_bare(&self) -> bool {
        self.entries.len() == 1
    }

    /// Whether any of them is published.
    pub(super) fn any_published(&self) -> bool {
        self.entries.iter().any(|entry| entry.code.is_some() || entry.list.is_none())
    }

    /// The names of those that are published.
    pub(super) fn published(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|entry| entry.code.is_some()).map(|entry| entry.name.as_str())
    }

    /// The names of all.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The list of that name.
    pub(super) fn find(&self, name: &str) -> Option<ListId> {
        self.entries.iter().position(|entry| entry.name == name).map(ListId::new)
    }

    /// The name of a list of this file.
    pub(super) fn name(&self, id: ListId) -> &str {
        &self.entries[id.index()].name
    }

    /// How long its listings last; an hour for a list that has a fault, which nobody will see.
    pub(super) fn lifetime(&self, id: ListId) -> Duration {
        self.entries[id.index()].list.as_ref().map_or(BLOCKED_LIFETIME, |list| list.lifetime)
    }

    /// A list that `[[rule]]` names.
    pub(super) fn form(&self) -> Form<'_, ListId> {
        let names = || self.entries.iter().skip(1).map(|entry| entry.name.as_str());
        Form::of_text("the name of a [[list]]", move |typed| {
            if typed == BLOCKED {
                let hint = "write `block = { for = \"…\" }` instead of `list`";
                return Err(Mismatch::new("blocks are local and not published").hint(hint));
            }
            self.find(typed).ok_or_else(|| {
                let mismatch = Mismatch::new("no such list");
                match nearest(typed, names()) {
                    Some(name) => mismatch.hint(format!("did you mean `\"{name}\"`?")),
                    None if self.is_bare() => mismatch.hint("there is no [[list]]"),
                    None => mismatch.hint(format!("known are {}", enumerate(names()))),
                }
            })
        })
    }

    /// The lists in the order of their ids, without those that have faults.
    pub(super) fn into_lists(self) -> Vec<List> {
        self.entries.into_iter().filter_map(|entry| entry.list).collect()
    }
}

fn one(section: &Section<'_>) -> Option<Entry> {
    let name = section.required("name", &name());
    let code = section.optional("code", &code());
    let lifetime = section.required("lifetime", &duration(LIFETIME));
    let ttl = section.optional("ttl", &duration(TTL));
    let text = section.optional("text", &text());

    let name = name?;
    let code = code.map(|value| Placed { value, place: section.place("code") });
    let published = code.as_ref().map(|code| code.value);
    let list = lifetime.map(|lifetime| List { name: name.clone(), code: published, lifetime, ttl, text });
    Some(Entry { name, code, place: section.place("name"), list })
}

/// Reports a name or code that `entry` shares with an earlier list.
fn refuse_twins(section: &Section<'_>, earlier: &[Entry], entry: &Entry) {
    let is_number = entry.name.bytes().all(|byte| byte.is_ascii_digit());
    if is_number || entry.name.len() == 1 && entry.name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let fault = Fault::error(entry.place.clone(), "a list is not named like a part of an address");
        section.desk.report(fault.label("questions about it could not be told from others"));
    }
    if entry.name == BLOCKED {
        let fault = Fault::error(entry.place.clone(), "the list `blocked` exists already");
        section.desk.report(fault.label("it cannot be changed or published"));
    } else if entry.name == "all" {
        let fault = Fault::error(entry.place.clone(), "`all` is the zone that combines the lists");
        section.desk.report(fault.label("no name for a list"));
    } else if let Some(twin) = earlier.iter().find(|other| other.name == entry.name) {
        let fault = Fault::error(entry.place.clone(), format!("two lists named `{}`", entry.name));
        section.desk.report(fault.label("the second").also(twin.place.clone(), "the first"));
    }
    let Some(code) = &entry.code else { return };
    let twin = earlier.iter().filter_map(|other| other.code.as_ref()).find(|other| other.value == code.value);
    if let Some(twin) = twin {
        let fault = Fault::error(code.place.clone(), format!("two lists with the code {}", code.value));
        let hint = "mail servers could not tell them apart in `all`; give each its own".to_owned();
        section.desk.report(fault.label("the second").also(twin.place.clone(), "the first").hint(hint));
    }
}

/// A return code (RFC 5782 section 2.1, and what mail servers take for a sign of trouble).
fn code() -> Form<'static, Ipv4Addr> {
    let ipv4 = ipv4();
    Form::of_text("an address of 127.0.0.0/8, such as `127.0.0.43`", move |text| {
        let code = (ipv4.read)(&toml::de::DeValue::String(text.into()))?;
        match code.octets() {
            [127, 0, 0, 0] => Err(Mismatch::new("the network itself")),
            [127, 0, 0, 1] => Err(Mismatch::new("the address that is never listed")
                .hint("RFC 5782 wants 127.0.0.1 not to be listed; codes begin at 127.0.0.2")),
            [127, 255, 255, _] => Err(Mismatch::new("means an error, not a listing")
                .hint("answers of 127.255.255.0/24 tell a mail server that its question was refused")),
            [127, ..] => Ok(code),
            _ => Err(Mismatch::new("not in 127.0.0.0/8").hint("other answers are taken for a hijacked domain")),
        }
    })
}

fn text() -> Form<'static, String> {
    let read = |text: &str| {
        if text.trim().is_empty() {
            Err(Mismatch::new("empty"))
        } else if text.len() > TEXT_BYTES_MAX {
            Err(Mismatch::new(format!("{} bytes long, {TEXT_BYTES_MAX} are allowed", text.len())))
        } else {
            template(text, &["{ip}", "{list}", "{url}"])
        }
    };
    Form::of_text("a text of one line", read)
}
