//! What is pushed and what is read back, as owned values.

use base::{Address, Channel, Event, EventKind, ListId, Login, PasswordTag, Reporter, RuleId, Tally, Timestamp};

use crate::limits::{REPORTER_BYTES_MAX, SERVICE_BYTES_MAX, SESSION_BYTES_MAX};
use rules::Owner;

/// The owned form of [`Event`], with the login made canonical and the texts cut to their limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptEvent {
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The service, at most [`SERVICE_BYTES_MAX`] bytes.
    pub service: Box<str>,
    /// The client's address, if known.
    pub address: Option<Address>,
    /// The login in canonical form, if known.
    pub login: Option<Login>,
    /// The mail server's name for the connection, at most [`SESSION_BYTES_MAX`] bytes.
    pub session: Option<Box<str>>,
    /// What is known of the password.
    pub password: Option<PasswordTag>,
    /// Who says so.
    pub channel: Channel,
    /// How many attempts it stands for.
    pub tally: Tally,
    /// The name of whoever reported it and his weight; none for what was seen here.
    pub reporter: Option<(Box<str>, u8)>,
    /// The name of the limit that was exceeded, and the domain of the envelope's sender.
    pub exceeded: Option<(Box<str>, Option<Box<str>>)>,
}

impl From<&Event<'_>> for KeptEvent {
    fn from(event: &Event<'_>) -> Self {
        Self {
            time: event.time,
            kind: event.kind,
            service: cut(event.service, SERVICE_BYTES_MAX).into(),
            address: event.address,
            login: event.login.and_then(Login::new),
            session: event.session.map(|session| cut(session, SESSION_BYTES_MAX).into()),
            password: event.password,
            channel: event.channel,
            tally: event.tally,
            reporter: event.reporter.map(|reporter| (cut(reporter.name, REPORTER_BYTES_MAX).into(), reporter.weight)),
            exceeded: None,
        }
    }
}

impl KeptEvent {
    /// The event as the engine takes it.
    pub fn as_event(&self) -> Event<'_> {
        Event {
            time: self.time,
            kind: self.kind,
            service: &self.service,
            address: self.address,
            login: self.login.as_ref().map(Login::as_str),
            session: self.session.as_deref(),
            password: self.password,
            channel: self.channel,
            tally: self.tally,
            reporter: self.reporter.as_ref().map(|(name, weight)| Reporter { name, weight: *weight }),
        }
    }
}

/// How far a sensor has read a file. The counters are cumulative over the life of the file's path, so that anybody can
/// check that no line was skipped or counted twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    /// The path as configured: the key.
    pub path: Box<str>,
    /// The device of the file that was read.
    pub device: u64,
    /// The inode of the file that was read.
    pub inode: u64,
    /// How many bytes of it are done.
    pub offset: u64,
    /// The sensor's mark of the file's beginning, to know another file under the same inode.
    pub fingerprint: u64,
    /// Lines read under this path so far.
    pub lines: u64,
    /// Events made of them so far.
    pub events: u64,
}

/// What belongs together: the events of a stretch of input, the owners they proved, and the position behind it. It is
/// written in one transaction or not at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    /// The events in the order in which they were observed.
    pub events: Vec<KeptEvent>,
    /// The owners' addresses that they proved.
    pub owners: Vec<Owner>,
    /// The position behind them; none for events of a gate.
    pub position: Option<Position>,
}

/// The names that the configuration gives to lists and rules, by their ids' places. Rows hold names, because places
/// change with the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// The lists' names; that of [`ListId::BLOCKED`] first.
    pub lists: Vec<String>,
    /// The rules' names.
    pub rules: Vec<String>,
}

impl Names {
    /// The name of `list`. Ids are made from the same configuration, so that one without a name is a mistake of ours;
    /// its rows then say so and are left out at the next start.
    pub(crate) fn list(&self, list: ListId) -> &str {
        self.lists.get(list.index()).map_or("(unnamed list)", String::as_str)
    }

    /// The name of `rule`.
    pub(crate) fn rule(&self, rule: RuleId) -> &str {
        self.rules.get(usize::from(rule.0)).map_or("(unnamed rule)", String::as_str)
    }

    /// The list of that name.
    pub(crate) fn list_id(&self, name: &str) -> Option<ListId> {
        let index = self.lists.iter().position(|list| list == name)?;
        (index < base::limits::LISTS_MAX).then(|| ListId::new(index))
    }

    /// The rule of that name.
    pub(crate) fn rule_id(&self, name: &str) -> Option<RuleId> {
        let index = self.rules.iter().position(|rule| rule == name)?;
        u16::try_from(index).ok().map(RuleId)
    }
}

/// The longest beginning of `text` with at most `bytes` bytes that ends at a character.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
