//! What an operator sets, and what can be wrong with it.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use base::ListId;

use super::name::{Name, NameError};
use super::text::TemplateError;

/// Most zones that one node answers for: the origin, each list, and the combinations.
pub const ZONES_MAX: usize = 64;

/// Most name servers of the zones, so that they fit into a reply of 512 octets.
pub const NAME_SERVERS_MAX: usize = 13;

/// Longest time to live: one week. RFC 8767 section 4 advises resolvers to cap at that order of magnitude, and no
/// listing is worth being remembered longer than its removal takes.
pub const TTL_MAX: Duration = Duration::from_hours(168);

/// Longest identity of the server, in octets.
pub const NSID_BYTES_MAX: usize = 64;

/// What the server publishes, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name under which the zones stand, such as `bl.example.org`.
    pub origin: String,
    /// The published lists; each has its own zone.
    pub lists: Vec<PublishedList>,
    /// Zones that answer for several lists at once.
    pub combined: Vec<CombinedZone>,
    /// The zones' name servers; the first is named as the primary one.
    pub name_servers: Vec<NameServer>,
    /// The mail address of those who are responsible.
    pub contact: String,
    /// The template of the URL under which people look an address up; `{ip}` and `{list}` are filled in. It stands
    /// in texts as `{url}`.
    pub look_up_url: String,
    /// The web page's addresses, which every zone's own name answers with (RFC 5782 section 5); may be empty.
    pub web_addresses: Vec<IpAddr>,
    /// How long resolvers may remember that an address is not listed (RFC 2308).
    pub negative_ttl: Duration,
    /// How long resolvers may remember what stands at a zone's own name.
    pub apex_ttl: Duration,
    /// What secondaries are told.
    pub timers: SoaTimers,
    /// The text that names this server to clients that ask for it (RFC 5001); at most 64 octets.
    pub nsid: Option<String>,
}

/// A list that is published.
#[derive(Clone, Debug)]
pub struct PublishedList {
    /// The list; never [`ListId::BLOCKED`].
    pub id: ListId,
    /// The label of its zone below the origin.
    pub name: String,
    /// The address that a listed one answers with: in 127.0.0.0/8, not 127.0.0.0 or 127.0.0.1, and not in
    /// 127.255.255.0/24, by which lists report errors.
    pub code: Ipv4Addr,
    /// How long resolvers may remember a listing.
    pub ttl: Duration,
    /// The template of the reason; `{ip}`, `{list}` and `{url}` are filled in, and the text is cut at 255 octets.
    pub text: String,
}

/// A zone that answers for several lists.
#[derive(Clone, Debug)]
pub struct CombinedZone {
    /// Its label below the origin, such as `all`; or, with dots, its whole name, wherever that is.
    pub name: String,
    /// The lists.
    pub lists: Members,
}

/// The lists of a combined zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Members {
    /// Every published list.
    All,
    /// Those.
    These(Vec<ListId>),
}

/// A name server of the zones.
#[derive(Clone, Debug)]
pub struct NameServer {
    /// Its host name.
    pub name: String,
    /// Its addresses; needed if the name is below the origin, because nobody else can tell them then.
    pub addresses: Vec<IpAddr>,
}

/// Times of the SOA record (RFC 1035 section 3.3.13), for secondaries that miss a NOTIFY.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoaTimers {
    /// How often they look for a new serial.
    pub refresh: Duration,
    /// How soon they try again.
    pub retry: Duration,
    /// After what time without contact they cease to answer.
    pub expire: Duration,
}

impl Default for SoaTimers {
    fn default() -> Self {
        Self { refresh: Duration::from_mins(10), retry: Duration::from_mins(5), expire: Duration::from_hours(168) }
    }
}

/// A fault of [`Settings`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// A name that is none.
    #[error("name `{name}` {why}")]
    Name {
        /// The text.
        name: String,
        /// What is wrong with it.
        why: NameError,
    },
    /// A zone's name that is a number or a hexadecimal digit: it could not be told from a part of an address.
    #[error("zone `{0}` would be taken for a part of an address")]
    NumericZone(String),
    /// A zone of lists inside of another one, where only addresses have names; or around the origin.
    #[error("zone `{zone}` overlaps the zone `{other}`")]
    Overlap {
        /// The zone.
        zone: String,
        /// The other one.
        other: Name,
    },
    /// Two zones of one name.
    #[error("zone `{0}` is there twice")]
    SameZone(String),
    /// The local list, which is never published.
    #[error("list `{0}` is the local list of blocks, which is never published")]
    LocalList(String),
    /// One list published twice.
    #[error("list `{0}` is published already under another name")]
    SameList(String),
    /// Nothing to publish.
    #[error("no list is published")]
    NoLists,
    /// A return code that cannot be one.
    #[error(
        "list `{list}`: return code {code} must be in 127.0.0.0/8, but not 127.0.0.0, 127.0.0.1 or in 127.255.255.0/24"
    )]
    Code {
        /// The list.
        list: String,
        /// The code.
        code: Ipv4Addr,
    },
    /// Two lists of one zone that answer alike.
    #[error("zone `{zone}`: two of its lists have the return code {code}, so nobody could tell them apart")]
    SameCode {
        /// The zone.
        zone: String,
        /// The code.
        code: Ipv4Addr,
    },
    /// A combined zone without lists.
    #[error("zone `{0}` has no lists")]
    EmptyZone(String),
    /// A combined zone with a list that is not published.
    #[error("zone `{zone}`: list number {} is not published", list.index())]
    UnknownList {
        /// The zone.
        zone: String,
        /// The list.
        list: ListId,
    },
    /// More zones than [`ZONES_MAX`].
    #[error("more than {ZONES_MAX} zones")]
    TooManyZones,
    /// No name server: resolvers would not ask at all.
    #[error("no name server")]
    NoNameServer,
    /// More name servers than [`NAME_SERVERS_MAX`].
    #[error("more than {NAME_SERVERS_MAX} name servers")]
    TooManyNameServers,
    /// A name server of which nobody could tell the address.
    #[error("name server `{0}` is below the origin and needs its addresses")]
    NameServerWithoutAddress(String),
    /// A name server inside of a list's zone, where only addresses have names.
    #[error("name server `{0}` stands in the zone of a list; put it beside the lists")]
    NameServerInList(String),
    /// One name server twice.
    #[error("name server `{0}` is there twice")]
    SameNameServer(String),
    /// A text that cannot be filled in.
    #[error("text `{text}` {why}")]
    Text {
        /// The template.
        text: String,
        /// What is wrong with it.
        why: TemplateError,
    },
    /// A time to live beyond [`TTL_MAX`].
    #[error("{what} is more than {} days", TTL_MAX.as_secs() / 86_400)]
    Ttl {
        /// Which one.
        what: String,
    },
    /// A time for secondaries that does not fit into 31 bits of seconds.
    #[error("{0} is more than 68 years")]
    Timer(&'static str),
    /// An identity that is empty or longer than [`NSID_BYTES_MAX`].
    #[error("the server's identity must have 1 to {NSID_BYTES_MAX} octets")]
    Nsid,
}
