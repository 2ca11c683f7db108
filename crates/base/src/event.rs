use core::fmt;

use crate::{Address, Timestamp};

/// One thing that a sensor or a gate saw. It borrows from the line or request it was read from, so that observing one
/// allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The service it happened at, as the mail server calls it: `imap`, `pop3`, `smtp`, `submission`, …
    pub service: &'a str,
    /// The client's address, if known.
    pub address: Option<Address>,
    /// The login as the client gave it; the engine makes it canonical.
    pub login: Option<&'a str>,
    /// The mail server's name for the connection, by which a log line and a gate's report are known to be the same.
    pub session: Option<&'a str>,
    /// What is known of the password that was tried, to tell the same wrong one from another.
    pub password: Option<PasswordTag>,
    /// Who says so.
    pub channel: Channel,
    /// How many attempts it stands for.
    pub tally: Tally,
    /// Somebody else who says so, over HTTP or by mail; none for what this server's own sensors and gates saw.
    pub reporter: Option<Reporter<'a>>,
}

/// Somebody else who reported an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reporter<'a> {
    /// His name in the configuration, by which reporters are told apart.
    pub name: &'a str,
    /// How much his word counted then, in hundredths of an event that was seen here: 0 to 100.
    pub weight: u8,
}

/// What happened. The names are those of the configuration (`on = "login-failed"`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// A password was wrong, or the login does not exist.
    LoginFailed,
    /// A login succeeded.
    LoginOk,
    /// A client connected.
    Connect,
    /// Mail for a recipient that does not exist.
    UnknownRecipient,
    /// An attempt to use the server as an open relay.
    RelayDenied,
    /// A client broke the protocol: talked too early, sent HTTP, pipelined where it may not.
    ProtocolAbuse,
    /// A message was accepted from a login.
    MessageSent,
    /// A limit was exceeded.
    RateExceeded,
    /// A message was found to be spam.
    SpamSeen,
    /// A trap address or a trap login was used.
    TrapHit,
    /// A message was accepted from a client that had not logged in, such as another mail server.
    MessageReceived,
}

impl EventKind {
    /// All kinds, in the order of the enum.
    pub const ALL: [Self; 11] = [
        Self::LoginFailed,
        Self::LoginOk,
        Self::Connect,
        Self::UnknownRecipient,
        Self::RelayDenied,
        Self::ProtocolAbuse,
        Self::MessageSent,
        Self::RateExceeded,
        Self::SpamSeen,
        Self::TrapHit,
        Self::MessageReceived,
    ];

    /// The name in configuration and output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginFailed => "login-failed",
            Self::LoginOk => "login-ok",
            Self::Connect => "connect",
            Self::UnknownRecipient => "unknown-recipient",
            Self::RelayDenied => "relay-denied",
            Self::ProtocolAbuse => "protocol-abuse",
            Self::MessageSent => "message-sent",
            Self::RateExceeded => "rate-exceeded",
            Self::SpamSeen => "spam-seen",
            Self::TrapHit => "trap-hit",
            Self::MessageReceived => "message-received",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tag of the password that was tried, equal for equal passwords of one login: Dovecot's 12-bit `pwhash`, or the first
/// bits of the SHA-1 it logs. Never the password, never a whole hash.
///
/// Dovecot makes `pwhash` of login and password together. Only a tag of the password alone is equal for equal passwords of
/// different logins, too; it has its highest bit set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PasswordTag(pub u32);

impl PasswordTag {
    const OF_PASSWORD: u32 = 1 << 31;

    /// A tag of bits that depend on the login, too.
    pub const fn of_guess(bits: u32) -> Self {
        Self(bits & !Self::OF_PASSWORD)
    }

    /// A tag of bits that depend on the password alone.
    pub const fn of_password(bits: u32) -> Self {
        Self(bits | Self::OF_PASSWORD)
    }

    /// Whether it is equal for equal passwords of different logins.
    pub const fn is_of_password(self) -> bool {
        self.0 & Self::OF_PASSWORD != 0
    }
}

/// Who says that something happened. The same attempt may be told by several; each channel counts its own attempts of a
/// session, and the largest of the counts is the truth (see `rules::sessions`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Channel {
    /// A gate: the mail server reported it to us.
    Gate,
    /// The line of the process that talks to the client: Dovecot's `imap-login`, Postfix' `smtpd`.
    Front,
    /// The line of the process that checks the password: Dovecot's `auth`. It may speak of one password database of
    /// several, so that a success of the same session shortly after takes its failure back.
    Auth,
}

impl Channel {
    /// The name in output and store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Front => "front",
            Self::Auth => "auth",
        }
    }
}

/// How many attempts an event stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tally {
    /// One more attempt.
    One,
    /// So many attempts of this session in all, as Dovecot's login processes write at the end
    /// (`auth failed, 5 attempts in 3 secs`).
    Total(u16),
    /// An attempt that our own decision refused: it is known to have happened, so that another channel does not
    /// count it, but it is no guess.
    Refused,
}
