use std::net::IpAddr;

use base::Address;

/// Longest packet that is read, in bytes, with its command. Longer headers are passed over; Postfix cuts bodies into pieces
/// of 65535.
pub const PACKET_BYTES_MAX: usize = 64 * 1024;

/// Newest version that is spoken.
pub(super) const VERSION_MAX: u32 = 6;

/// Oldest version that is spoken: the one in which steps can be left out.
pub(super) const VERSION_MIN: u32 = 2;

/// What is done at the end of a message (`SMFIF_*`): headers added and changed, messages held.
pub(super) mod actions {
    pub(crate) const ADD_HEADERS: u32 = 0x01;
    pub(crate) const CHANGE_HEADERS: u32 = 0x10;
    pub(crate) const QUARANTINE: u32 = 0x20;
    /// All that is asked for.
    pub(crate) const WANTED: u32 = ADD_HEADERS | CHANGE_HEADERS | QUARANTINE;
}

/// What need not be sent or answered (`SMFIP_*`).
pub(super) mod steps {
    pub(crate) const NO_HELO: u32 = 0x02;
    pub(crate) const NO_END_OF_HEADERS: u32 = 0x40;
    /// No answer to a header is waited for.
    pub(crate) const QUIET_HEADER: u32 = 0x80;
    pub(crate) const NO_UNKNOWN: u32 = 0x100;
    pub(crate) const NO_DATA: u32 = 0x200;
    /// The rest of a body need not be sent.
    pub(crate) const SKIP: u32 = 0x400;
    /// Recipients that the server refuses are shown too.
    pub(crate) const REFUSED_RECIPIENTS: u32 = 0x800;
    /// No answer to a recipient is waited for.
    pub(crate) const QUIET_RECIPIENT: u32 = 0x8000;
    /// All that is asked for.
    pub(crate) const WANTED: u32 =
        NO_HELO | NO_END_OF_HEADERS | QUIET_HEADER | NO_UNKNOWN | NO_DATA | SKIP | REFUSED_RECIPIENTS | QUIET_RECIPIENT;
}

/// A packet that was understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command<'a> {
    /// What the server offers.
    Negotiate {
        /// Its version of the protocol.
        version: u32,
        /// The actions that it allows.
        actions: u32,
        /// The steps that it can leave out.
        steps: u32,
    },
    /// Macros for a command.
    Macros {
        /// The command that they belong to.
        of: u8,
        /// Names and values, each with a NUL behind it.
        pairs: &'a [u8],
    },
    /// A client has connected; its address if it has one.
    Connect(Option<Address>),
    /// A message begins: the sender without its brackets.
    Mail {
        /// The envelope sender; empty for the null sender.
        sender: &'a [u8],
        /// How large the client says that the message is; zero if it does not.
        size: u64,
    },
    /// A recipient without its brackets.
    Recipient(&'a [u8]),
    /// A header.
    Header {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// The message is there.
    EndOfMessage,
    /// The message is given up.
    Abort,
    /// The client has gone.
    Quit,
    /// The client has gone, and another one comes on the same connection.
    QuitForNext,
    /// A step of the session that says nothing here.
    Step,
    /// A part of the body.
    Body(&'a [u8]),
}

/// Why a packet was not understood: what follows cannot be trusted either.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// It is empty, or so long that nobody sends it.
    #[error("an odd length")]
    Length,
    /// Its command is none.
    #[error("an unknown command")]
    Command,
    /// Its data are cut short, or of a version that is not spoken.
    #[error("odd data")]
    Data,
}

impl<'a> Command<'a> {
    /// Reads a packet without its length.
    pub fn parse(packet: &'a [u8]) -> Result<Self, Malformed> {
        let (&command, data) = packet.split_first().ok_or(Malformed::Length)?;
        Ok(match command {
            b'O' => {
                let number = |at: usize| {
                    let bytes = data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
                    bytes.map(u32::from_be_bytes).ok_or(Malformed::Data)
                };
                let (version, actions, steps) = (number(0)?, number(4)?, number(8)?);
                if version < VERSION_MIN {
                    return Err(Malformed::Data);
                }
                Self::Negotiate { version, actions, steps }
            }
            b'D' => {
                let (&of, pairs) = data.split_first().ok_or(Malformed::Data)?;
                Self::Macros { of, pairs }
            }
            b'C' => Self::Connect(address_of(data)),
            b'M' => Self::Mail { sender: bare(first(data)), size: size_of_mail(data) },
            b'R' => Self::Recipient(bare(first(data))),
            b'L' => Self::Header { name: first(data), value: second(data) },
            b'E' => Self::EndOfMessage,
            b'A' => Self::Abort,
            b'Q' => Self::Quit,
            b'K' => Self::QuitForNext,
            b'H' | b'T' | b'N' | b'U' => Self::Step,
            b'B' => Self::Body(data),
            _ => return Err(Malformed::Command),
        })
    }
}

/// The bytes before the first NUL.
fn first(data: &[u8]) -> &[u8] {
    data.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The bytes between the first NUL and the second.
fn second(data: &[u8]) -> &[u8] {
    data.split(|&byte| byte == 0).nth(1).unwrap_or_default()
}

/// How large the client says that its message is: `SIZE=18` among what follows the sender (RFC 1870).
fn size_of_mail(data: &[u8]) -> u64 {
    let is_size = |field: &&[u8]| field.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"size="));
    let size =
        data.split(|&byte| byte == 0).skip(1).find(is_size).and_then(|field| core::str::from_utf8(&field[5..]).ok());
    size.and_then(|size| size.parse().ok()).unwrap_or_default()
}

/// An envelope address without its brackets.
fn bare(address: &[u8]) -> &[u8] {
    address.strip_prefix(b"<").and_then(|inner| inner.strip_suffix(b">")).unwrap_or(address)
}

/// The address of a connection: a name, NUL, the family, a port, the address, NUL. A client on a unix socket, or one that
/// the server knows nothing of, has none; nor has one of whom odd things are told, because a connection that closes here would
/// make a server refuse him that is set up to.
fn address_of(data: &[u8]) -> Option<Address> {
    let name = data.iter().position(|&byte| byte == 0)?;
    let (family, rest) = data[name + 1..].split_first()?;
    if !matches!(family, b'4' | b'6') {
        return None;
    }
    let text = core::str::from_utf8(first(rest.get(2..)?)).ok()?;
    // Sendmail writes the family before an IPv6 address.
    let text = text.strip_prefix("IPv6:").unwrap_or(text);
    text.parse::<IpAddr>().ok().map(Address::new)
}

/// Adds a packet to what shall be written.
pub(super) fn put(output: &mut Vec<u8>, command: u8, parts: &[&[u8]]) {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    output.extend_from_slice(&(length as u32).to_be_bytes());
    output.push(command);
    for part in parts {
        output.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets() {
        let address = |text: &str| Some(text.parse().unwrap());
        let cases: &[(&[u8], Result<Command<'_>, Malformed>)] = &[
            (b"", Err(Malformed::Length)),
            (b"?", Err(Malformed::Command)),
            (
                b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
                Ok(Command::Negotiate { version: 6, actions: 0x1ff, steps: 0x1f_ffff }),
            ),
            (b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff", Err(Malformed::Data)),
            (b"O\0\0\0\x01\0\0\x01\xff\0\x1f\xff\xff", Err(Malformed::Data)),
            (b"Cclient.example\x004\x9cA203.0.113.7\0", Ok(Command::Connect(address("203.0.113.7")))),
            (b"Cx\x006\x9cA2001:db8::1\0", Ok(Command::Connect(address("2001:db8::1")))),
            (b"Cx\x006\x9cAIPv6:2001:db8::1\0", Ok(Command::Connect(address("2001:db8::1")))),
            (b"Clocalhost\0L\0\0/run/socket\0", Ok(Command::Connect(None))),
            (b"Cunknown\0U", Ok(Command::Connect(None))),
            (b"Cx\x004\x9cA", Ok(Command::Connect(None))),
            (b"Cx\x004\x9cAnonsense\0", Ok(Command::Connect(None))),
            (b"Cx", Ok(Command::Connect(None))),
            (b"M<alice@example.org>\0size=18\0", Ok(Command::Mail { sender: b"alice@example.org", size: 18 })),
            (b"M<>\0", Ok(Command::Mail { sender: b"", size: 0 })),
            (b"Malice\0", Ok(Command::Mail { sender: b"alice", size: 0 })),
            (b"R<bob@example.net>\0", Ok(Command::Recipient(b"bob@example.net"))),
            (b"LSubject\0x\0", Ok(Command::Header { name: b"Subject", value: b"x" })),
            (b"DMi\0ABC\0", Ok(Command::Macros { of: b'M', pairs: b"i\0ABC\0" })),
            (b"D", Err(Malformed::Data)),
        ];
        for (packet, wanted) in cases {
            assert_eq!(Command::parse(packet), *wanted, "{}", packet.escape_ascii());
        }
    }
}
