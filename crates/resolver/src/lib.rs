//! Questions to recursive DNS servers: their form, and in `io` the servers themselves.
//!
//! Whoever asks decides who is asked, how often, and what is remembered; here one question goes to one server, once.
//! A [`Reply`] keeps apart what others mix up: a proof that nothing is there, and a server that could not tell.

#[cfg(feature = "io")]
pub mod io;

use core::net::IpAddr;
use core::time::Duration;

/// Most records of a reply that are looked at.
pub const RECORDS_MAX: usize = 64;

/// A question for a recursive server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question<'a> {
    /// The names of an address (PTR).
    Names(IpAddr),
    /// The IPv4 addresses of a name, which has no last dot (A).
    V4(&'a str),
    /// The IPv6 addresses of a name, which has no last dot (AAAA).
    V6(&'a str),
    /// The texts of a name, which has no last dot (TXT).
    Texts(&'a str),
}

/// What a recursive server replies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Records of the type that was asked for, and the aliases on the way to them.
    Records {
        /// In the order of the reply, [`RECORDS_MAX`] of them at most.
        data: Vec<Data>,
        /// How long they hold.
        ttl: Duration,
    },
    /// There is no such name (`NXDOMAIN`), and how long that holds, if the server says.
    NoName(Option<Duration>),
    /// `NOERROR` without a record.
    Empty {
        /// Whether an SOA proves that the name has none (RFC 2308); else it is a referral that leads nowhere.
        is_proven: bool,
        /// How long that holds, if the server says.
        ttl: Option<Duration>,
    },
    /// `SERVFAIL`, and whatever else means that the server could not find out.
    ServerFailed,
    /// `REFUSED`.
    Refused,
    /// No answer in time, or nobody there.
    Silent,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Data {
    /// A name of an address, in small letters or not, with the last dot.
    Name(Box<str>),
    /// The name that was asked for is another's (CNAME): that name in small letters, without the last dot.
    Alias(Box<str>),
    /// An address.
    Address(IpAddr),
    /// A text, its strings put together; what is no UTF-8 in it is replaced.
    Text(Box<str>),
}
