//! Lists as data over HTTP, for subscribers who want the whole list and its changes rather than to ask about each
//! address.
//!
//! ```text
//!  GET /feed/LIST             -> the list, with its serial and an ETag
//!  GET /feed/LIST?since=N     -> what changed after the serial N, at once or when something does
//! ```
//!
//! It promises: who applies the changes to the list that he has, has the list; whoever has no key of the list's zone
//! gets nothing; a list is read from a snapshot, so that nothing waits for a subscriber.
//!
//! It reads no clock and opens no connection; `io` does.

mod request;

use core::hash::{Hash as _, Hasher as _};
use core::sync::atomic::{AtomicU64, Ordering};
use std::hash::DefaultHasher;
use std::io::{self, Write};
use std::sync::Arc;

use base::{Address, ListId, ListSet, Network, Timestamp};
use listings::Snapshot;

use crate::access::{Access, Judged, Permit, Reason, Verdict};
use crate::datasets::{About, Form, Layout, Told, csv, json};
use crate::transfer::{History, SETTLE_MAX};

pub(crate) use request::{Coding, Request, Wrong};
pub use request::{HEAD_BYTES_MAX, WAIT_MAX};

/// Changes after which a reply ends, so that the rest comes with the next one.
const CHANGES_MAX: usize = 20_000;

/// Says what is known of a listing. It may take a lock for a moment.
pub type Tell = Box<dyn Fn(ListId, Network) -> Told + Send + Sync>;

/// The lists that are given away, and to whom.
pub struct Feed {
    lists: Box<[Fed]>,
    access: Arc<Access>,
    history: Arc<History>,
    tell: Tell,
    counts: [AtomicU64; Count::ALL.len()],
}

/// One list.
#[derive(Debug)]
pub(crate) struct Fed {
    pub(crate) id: ListId,
    pub(crate) about: About,
    /// The place of its zone in the rules.
    place: usize,
    /// Tells the list's settings from others, which make other files of the same networks.
    mark: u32,
}

/// What became of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// A whole list was sent.
    Whole,
    /// Changes were sent.
    Changes,
    /// There was nothing new, at once or after waiting.
    Unchanged,
    /// The changes asked for are not known any more.
    Gone,
    /// The client may not have it.
    Denied,
    /// No such list, or no request that is understood.
    Wrong,
    /// The client was too slow.
    Slow,
    /// There were too many connections.
    Shed,
}

impl Count {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Whole, Self::Changes, Self::Unchanged, Self::Gone, Self::Denied, Self::Wrong, Self::Slow, Self::Shed];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Changes => "changes",
            Self::Unchanged => "unchanged",
            Self::Gone => "gone",
            Self::Denied => "denied",
            Self::Wrong => "wrong",
            Self::Slow => "slow",
            Self::Shed => "shed",
        }
    }
}

/// Changes of a list, from one serial to another.
pub(crate) struct Changes {
    pub(crate) until: u64,
    networks: Vec<(Network, bool)>,
}

impl Feed {
    /// Gives away `lists` as `access` has it for their zones. A list without a zone of its own there is left out. `tell`
    /// knows the listings' ends and reasons.
    pub fn new(
        lists: impl IntoIterator<Item = (ListId, About)>,
        access: Arc<Access>,
        history: Arc<History>,
        tell: Tell,
    ) -> Self {
        let fed = |(id, about): (ListId, About)| {
            let place = access.zones().position(|zone| zone.eq_ignore_ascii_case(&about.list))?;
            let mut hasher = DefaultHasher::new();
            about.hash(&mut hasher);
            Some(Fed { id, mark: hasher.finish() as u32, place, about })
        };
        Self { lists: lists.into_iter().filter_map(fed).collect(), access, history, tell, counts: Default::default() }
    }

    /// How often something became of a request.
    pub fn count_of(&self, count: Count) -> u64 {
        self.counts[count as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, count: Count) {
        self.counts[count as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn list(&self, name: &str) -> Option<&Fed> {
        self.lists.iter().find(|list| list.about.list == name)
    }

    /// Why the client may not have the list, if so. A request with a key counts as one question.
    pub(crate) fn refused(&self, list: &Fed, client: Address, key: Option<&str>, now: Timestamp) -> Option<Reason> {
        match self.access.permit(list.place, client) {
            Permit::Free => return None,
            Permit::Refuse | Permit::Ignore => return Some(Reason::Network),
            Permit::ByPolicy => {}
        }
        // Whoever may ask about every address still may not have all of them: that takes a key.
        let Some(key) = key else { return Some(Reason::KeyWanted) };
        let judged = Judged { zone: list.place, key: Some(key.as_bytes()), is_whole: true };
        match self.access.judge(&judged, &self.access.keys(), client, now) {
            Verdict::Answer => None,
            Verdict::Nothing => Some(Reason::KeyUnknown),
            Verdict::Refuse(reason) => Some(reason),
        }
    }

    /// Waits a while until lists may be given away.
    pub(crate) fn wait_open(&self) {
        self.history.wait_open(SETTLE_MAX);
    }

    /// Whether lists may be given away as they are in `snapshot`, under its serial. It may wait for that.
    pub(crate) fn gives(&self, snapshot: &Snapshot) -> bool {
        !snapshot.is_torn() && self.history.wait_for(snapshot.serial(), SETTLE_MAX)
    }

    /// The serial of the list's last change.
    pub(crate) fn serial(&self, list: &Fed) -> u64 {
        self.history.newest_of(ListSet::EMPTY.with(list.id))
    }

    /// What changed after `since`; none if that is too long ago, or not yet.
    pub(crate) fn changes(&self, list: &Fed, since: u64) -> Option<Changes> {
        let (until, networks) = self.history.changes_of(list.id, since, CHANGES_MAX)?;
        Some(Changes { until, networks })
    }

    /// A network of the list as the form wants it.
    pub(crate) fn told(&self, list: &Fed, form: Form, network: Network) -> Told {
        if form.tells() { (self.tell)(list.id, network) } else { network.into() }
    }

    /// Writes changes of a list, one in a line.
    pub(crate) fn write(&self, list: &Fed, changes: &Changes, form: Form, out: &mut dyn Write) -> io::Result<()> {
        if form == Form::Csv {
            out.write_all(b"network,listed,until,reason\r\n")?;
        }
        for (network, is_listed) in &changes.networks {
            if !form.tells() {
                writeln!(out, "{}{network}", if *is_listed { '+' } else { '-' })?;
                continue;
            }
            let told = if *is_listed { Some((self.tell)(list.id, *network)) } else { None };
            let until = told.as_ref().and_then(|told| told.until).map(|until| until.to_string()).unwrap_or_default();
            let reason = told.as_ref().map(|told| list.about.reason_of(told));
            if form == Form::Csv {
                write!(out, "{network},{is_listed},{until},{}\r\n", csv(&reason.unwrap_or_default()))?;
                continue;
            }
            write!(out, "{{\"network\":\"{network}\",\"listed\":{is_listed}")?;
            if !until.is_empty() {
                write!(out, ",\"until\":\"{until}\"")?;
            }
            if let Some(reason) = reason {
                write!(out, ",\"reason\":{}", json(&reason))?;
            }
            writeln!(out, "}}")?;
        }
        Ok(())
    }
}

impl Fed {
    /// The tag of the list at a serial in a form: weak, because it is the same in each coding.
    pub(crate) fn tag(&self, serial: u64, form: Form) -> String {
        format!("W/\"{serial}-{:08x}-{}\"", self.mark, form.name())
    }
}

/// Whether a client that sent `known` has what is tagged `tag` (RFC 9110 section 13.1.2).
pub(crate) fn is_known(known: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.trim() == "*" || known.split(',').any(|one| opaque(one) == opaque(tag))
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }
}

/// The media type of a form.
pub(crate) const fn media_type(form: Form) -> &'static str {
    match form.layout() {
        Layout::Csv => "text/csv; charset=utf-8",
        Layout::Ndjson => "application/x-ndjson",
        Layout::Lines => "text/plain; charset=utf-8",
    }
}
