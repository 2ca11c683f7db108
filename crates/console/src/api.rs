//! The JSON forms of the control socket and of `--json`, version 1.
//!
//! Times are RFC 3339 in UTC, subjects are written as the command line takes them, lists and rules by name. A field may be
//! added in version 1; none is renamed or removed.

mod accounts;
mod bulk;
mod evidence;
mod keys;
mod publish;
mod removal;
mod reporters;
mod would_have;

use serde::{Deserialize, Serialize};

pub use accounts::{AccountView, SignView};
pub use bulk::{ImportWish, Imported, TOLD_END, ToldView};
pub use evidence::{CountView, ProtectionView};
pub use keys::{KeyQuota, KeySpan, KeyView, KeyWish, NewKey, RevokeWish};
pub use publish::{HeldView, PublishWish, Published};
pub use removal::{LookedUp, PublicListing, Removal, RemovalFault, Way};
pub use reporters::{ReporterStatus, ResetWish};
pub use would_have::{DayWouldHave, HurtUser, RuleWouldHave, SubjectWouldHave, WouldHave};

/// Longest reason that a person may give, in bytes.
pub const REASON_BYTES_MAX: usize = 500;

/// Answer of `GET /v1/status`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Name of the node.
    pub node: String,
    /// Version of the program.
    pub version: String,
    /// When the node started.
    pub started: String,
    /// Number of the last change to the book, which is the DNS serial.
    pub serial: u64,
    /// The lists with the number of their listings.
    pub lists: Vec<ListStatus>,
    /// How many exceptions are in force: who passes, or is refused, beside the lists.
    #[serde(default)]
    pub exceptions: usize,
    /// The log files that are followed.
    pub sensors: Vec<SensorStatus>,
    /// The gates that answer mail servers.
    pub gates: Vec<GateStatus>,
    /// Those who may report, in the order of the configuration.
    #[serde(default)]
    pub reporters: Vec<ReporterStatus>,
    /// The DNS server, if it is switched on.
    pub dnsbl: Option<DnsblStatus>,
    /// What is done outside.
    #[serde(default)]
    pub actions: Vec<ActionStatus>,
    /// What the engine counted since the start.
    pub engine: EngineStatus,
    /// The store.
    pub store: StoreStatus,
    /// What the administrator should look at.
    pub warnings: Vec<String>,
}

/// A list in [`Status`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct ListStatus {
    /// Its name.
    pub name: String,
    /// The return code under which it is published; none for local lists.
    pub code: Option<String>,
    /// How many subjects are on it.
    pub listings: usize,
}

/// A followed log file in [`Status`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct SensorStatus {
    /// The file.
    pub path: String,
    /// `reading`, or what keeps it from being read.
    pub state: String,
    /// Lines read since the file was first followed, over all restarts.
    pub lines: u64,
    /// Events found in them.
    pub events: u64,
    /// Lines and connections that a syslog listener refused or cut since the start.
    #[serde(default)]
    pub shed: u64,
}

/// A gate in [`Status`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct GateStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Where it listens.
    pub listen: String,
    /// Questions answered since the start.
    pub asked: u64,
    /// Events reported since the start.
    pub reported: u64,
    /// Requests that could not be understood and got the neutral answer.
    pub malformed: u64,
}

/// The DNS server in [`Status`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct DnsblStatus {
    /// Name under which the lists are published.
    pub origin: String,
    /// Where it listens.
    pub listen: Vec<String>,
    /// Where it listens for TLS.
    #[serde(default)]
    pub tls: Vec<String>,
    /// Queries answered since the start.
    pub queries: u64,
    /// Of them, those that found a listing.
    pub listed: u64,
    /// Of them, those of clients that may not ask.
    #[serde(default)]
    pub denied: u64,
    /// Keys in force.
    #[serde(default)]
    pub keys: usize,
    /// What secondaries were sent and told since the start; none if there are none.
    #[serde(default)]
    pub transfers: Option<TransferStatus>,
    /// The zones that are answered from files.
    #[serde(default)]
    pub files: Vec<FileZoneStatus>,
    /// The zones that are taken from other servers.
    #[serde(default)]
    pub mirrors: Vec<MirrorStatus>,
}

/// A zone that is taken from another server, in [`DnsblStatus`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct MirrorStatus {
    /// Its name.
    pub name: String,
    /// The serial of what is held; none before the first transfer, and when its time was over.
    pub serial: Option<u32>,
    /// Records that are held.
    pub records: u64,
    /// When this state came.
    pub since: Option<String>,
    /// The primary that it came from, as address and port.
    #[serde(default)]
    pub from: Option<String>,
    /// Until when it is served if no primary can be reached.
    pub expires: Option<String>,
    /// What kept the last attempt from success, if anything did.
    pub fault: Option<String>,
}

/// What was done for secondaries, in [`DnsblStatus`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct TransferStatus {
    /// Whole zones sent.
    pub whole: u64,
    /// Differences sent.
    pub incremental: u64,
    /// Transfers refused to those who may not have them, or whose signature was not believed.
    pub refused: u64,
    /// Notifications that a secondary took.
    pub notified: u64,
    /// Notifications given up because no answer came.
    pub unheard: u64,
}

/// A zone from files, in [`DnsblStatus`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct FileZoneStatus {
    /// Its name.
    pub name: String,
    /// Entries that are served; none before the first good content.
    pub entries: Option<usize>,
    /// Why newer files are not served, if they are not.
    pub fault: Option<String>,
    /// Whether what is served is a copy from before the start.
    #[serde(default)]
    pub is_copy: bool,
}

/// Something that is done outside, in [`Status`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct ActionStatus {
    /// Its name in the configuration.
    pub name: String,
    /// What it does, and where.
    pub what: String,
    /// Milliseconds since the oldest change that is not carried out; 0 if there is none.
    pub behind_ms: u64,
    /// Why the last attempt failed, if it did.
    pub fault: Option<String>,
    /// How often it was carried out since the start.
    pub done: u64,
    /// Attempts that failed since the start.
    pub failed: u64,
    /// Changes that found no room in its queue since the start.
    pub shed: u64,
    /// Notices that wait for a letter, or for the one before them.
    #[serde(default)]
    pub waiting: usize,
    /// Listings that it keeps outside now.
    pub entries: usize,
    /// Listings that it cannot tell, or has no room for.
    pub left_out: usize,
}

/// What the engine counted, in [`Status`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct EngineStatus {
    /// Attempts that the rules counted.
    pub counted: u64,
    /// Attempts told again by another channel, and so not counted.
    pub duplicates: u64,
    /// The same wrong password sent again, and so not counted.
    pub repeated: u64,
    /// Listings that rules made.
    pub listings: u64,
    /// Until when counting is paused because the password database seems to be down.
    pub paused_until: Option<String>,
}

/// The store in [`Status`].
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct StoreStatus {
    /// The database file.
    pub path: String,
    /// Events that were not kept because the store could not follow.
    pub shed: u64,
    /// The fault that keeps it from writing, if any.
    pub failing: Option<String>,
    /// From which moment on it can tell what was listed; none if it can since its file was made.
    #[serde(default)]
    pub past_from: Option<String>,
}

/// Answer of `GET /v1/why?subject=…`, or with `&at=…` of a past moment.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct Why {
    /// The subject as it was understood.
    pub subject: String,
    /// The past moment that is told of, if one was asked for; then there are no levels, limits and known addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether it can never be listed.
    pub never_listed: bool,
    /// What keeps it, or a part of it, off lists.
    #[serde(default)]
    pub protections: Vec<ProtectionView>,
    /// The listings in force, of it and of networks around it.
    pub listings: Vec<ListingView>,
    /// What lets it pass, or refuses it, beside the lists.
    #[serde(default)]
    pub exceptions: Vec<ExceptionView>,
    /// What waits for a person to let go of the brake of a list, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// What other people's lists say of an address, as far as gates have asked lately, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
    /// Reverse names that decided about its listings, newest first.
    pub reverse_names: Vec<ReverseNameView>,
    /// How near it is to each rule.
    pub levels: Vec<LevelView>,
    /// How full its buckets are, for a login or an address.
    #[serde(default)]
    pub limits: Vec<LimitView>,
    /// For a login that sends: how it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountView>,
    /// For a login: the addresses from which its owner logged in.
    pub known_addresses: Vec<KnownAddress>,
    /// How often each kind of event was seen of it, and by whom, as far as events are kept.
    #[serde(default)]
    pub counts: Vec<CountView>,
    /// Some of the last events as lines that may be handed to others: logins are cut, moments are those of the minute.
    #[serde(default)]
    pub samples: Vec<String>,
    /// The last events about it, newest first.
    pub events: Vec<EventView>,
    /// The last changes to the book about it, newest first.
    pub history: Vec<HistoryView>,
}

/// What the gates answer about somebody beside the lists.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct ExceptionView {
    /// From which addresses; none means from anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// By which login; none means by any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// Whether they pass; they are refused otherwise.
    pub passes: bool,
    /// When it ends.
    pub until: String,
    /// Who made it.
    pub maker: String,
    /// Why, in his words.
    pub reason: String,
}

/// A reverse name that decided about a listing.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct ReverseNameView {
    /// When.
    pub at: String,
    /// The name with what it was taken for and whether it leads back to the address, or that there is none.
    pub name: String,
}

/// A listing.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of its own about what became of a listing")]
#[serde(rename_all = "kebab-case")]
pub struct ListingView {
    /// Whom it is about.
    pub subject: String,
    /// The list.
    pub list: String,
    /// When it came into force.
    pub since: String,
    /// When it ends; none if it does not by itself.
    pub until: Option<String>,
    /// Who made it: `rule NAME` or `person NAME`.
    pub maker: String,
    /// The reason in a sentence.
    pub reason: String,
    /// What its rule was when it was made: a mark that is another for each wording of the rule; none if that is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_version: Option<String>,
    /// When the first of the events was that it rests on.
    #[serde(default)]
    pub first: String,
    /// When the last of them was.
    #[serde(default)]
    pub last: String,
    /// Who did it together, if it does not rest on what the subject alone did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprits: Option<String>,
    /// What would end it earlier than its time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends_earlier_by: Vec<String>,
    /// Whether it was none yet, and waited for a person to let go of the brake.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub waited: bool,
    /// Whether it was none, but a suspicion that was forgotten.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub forgiven: bool,
    /// Whether it was none, but the levels of limits on sending that were emptied.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub emptied: bool,
    /// Whether a person's change of it is in force, and not in the file yet: the end of the process would undo it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub unsaved: bool,
}

/// How near a subject is to a rule.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct LevelView {
    /// The rule.
    pub rule: String,
    /// How many events it counts now.
    pub count: u16,
    /// At how many it makes a listing.
    pub limit: u16,
    /// Among how many different ones, where the rule tells them apart; else 0.
    pub distinct: u16,
    /// How many different ones it wants; else 0.
    pub distinct_limit: u16,
    /// When the oldest of the events no longer counts.
    pub falls_out: Option<String>,
}

/// How full a bucket of a subject is.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct LimitView {
    /// The limit.
    pub limit: String,
    /// Whose bucket it is, if it is not the subject's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// Recipients that were accepted and have not leaked, in thousandths, rounded up.
    pub level_milli: u64,
    /// Recipients of messages on their way.
    pub reserved: u64,
    /// How many the bucket holds.
    pub burst: u32,
    /// How fast it leaks.
    pub rate: String,
    /// From when on the next recipient passes; none while messages on their way fill the bucket.
    pub passes_at: Option<String>,
}

/// An address from which a login's owner logged in.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct KnownAddress {
    /// The address, or the /64 of an IPv6 address.
    pub network: String,
    /// When the last login from there was.
    pub last: String,
}

/// An event.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct EventView {
    /// When it happened.
    pub time: String,
    /// What happened.
    pub kind: String,
    /// At which service.
    pub service: String,
    /// The client's address.
    pub address: Option<String>,
    /// The login as the client gave it.
    pub login: Option<String>,
    /// Who says so: `gate`, `front` or `auth`.
    pub channel: String,
    /// Who reported it, if it was not seen by this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<String>,
    /// Of `rate-exceeded`: which of the configured limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

/// A change to the book.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct HistoryView {
    /// Its number.
    pub serial: u64,
    /// When it was made.
    pub at: String,
    /// What was changed, in words.
    pub change: String,
}

/// Body of `POST /v1/list`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListWish {
    /// Whom to list.
    pub subject: String,
    /// On which list.
    pub list: String,
    /// Whether also a network is listed that is wider than a /16, or a /32 of IPv6.
    #[serde(default)]
    pub force: bool,
    /// For how long.
    pub span: WishedSpan,
    /// Why, in the person's words.
    pub reason: String,
    /// Who wants it.
    pub person: String,
}

/// How long a listing shall last that a person wants.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum WishedSpan {
    /// As long as the list's own lifetime.
    #[default]
    Lifetime,
    /// Until somebody takes it off.
    Endless,
    /// So many seconds.
    Seconds(u64),
}

/// Body of `POST /v1/unlist`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct UnlistWish {
    /// Whom to take off.
    pub subject: String,
    /// Off which list; none for all.
    pub list: Option<String>,
    /// Who wants it.
    pub person: String,
}

/// One line of `GET /v1/watch`: something that just happened.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// An event was observed.
    Event(EventView),
    /// A subject was listed.
    Listed(ListingView),
    /// A listing ended.
    Unlisted {
        /// The listing.
        listing: ListingView,
        /// Why it ended: `expired`, `removed by NAME` or `replaced`.
        cause: String,
    },
    /// What was imported to a list was replaced as a whole, or its end came.
    Replaced {
        /// When.
        at: String,
        /// The list.
        list: String,
        /// How many networks are in force now.
        listed: usize,
        /// Who did it, and why; none if the end came.
        maker: Option<String>,
    },
    /// Something that the administrator should know at once.
    Notice {
        /// When.
        at: String,
        /// What, in a sentence.
        text: String,
    },
    /// The watcher was too slow, and so many happenings were passed over.
    Missed(u64),
}

/// Why a request was not carried out.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub struct Fault {
    /// What kind of fault it is.
    pub kind: FaultKind,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
}

/// What kind of fault a [`Fault`] is.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The request itself is wrong.
    Bad,
    /// The request is well-formed, but the node will not do it, such as listing what is on the never-list.
    Refused,
    /// There is nothing there.
    Absent,
}

impl Fault {
    /// The request itself is wrong.
    pub fn bad(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Bad, message: message.into() }
    }

    /// The node will not do it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Refused, message: message.into() }
    }

    /// There is nothing there.
    pub fn absent(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Absent, message: message.into() }
    }
}
