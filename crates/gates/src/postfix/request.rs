use std::net::IpAddr;

use base::Address;
use memchr::memchr_iter;

/// Where in an SMTP session Postfix asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// A client has connected; also when it is another by `XCLIENT`.
    Connect,
    /// A client has said who it is.
    Hello,
    /// A message begins.
    Mail,
    /// A recipient.
    Recipient,
    /// All recipients are known.
    Data,
    /// The message is there.
    EndOfMessage,
    /// `VRFY`, `ETRN`, and what later versions may have.
    #[default]
    Other,
}

impl State {
    /// The state of that name in `protocol_state`.
    fn from_name(name: &str) -> Self {
        match name {
            "CONNECT" | "XCLIENT" => Self::Connect,
            "HELO" | "EHLO" => Self::Hello,
            "MAIL" => Self::Mail,
            "RCPT" => Self::Recipient,
            "DATA" => Self::Data,
            "END-OF-MESSAGE" => Self::EndOfMessage,
            _ => Self::Other,
        }
    }

    /// Whether no message is on its way at this point, so that the one before it has ended or was given up.
    pub(super) const fn is_before_message(self) -> bool {
        matches!(self, Self::Connect | Self::Hello | Self::Mail)
    }
}

/// A request that was understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Request<'a> {
    /// Where Postfix asks.
    pub state: State,
    /// The client's address; none if Postfix does not know it.
    pub address: Option<Address>,
    /// The authenticated login; none if the client has not logged in.
    pub login: Option<&'a str>,
    /// The name that the client gives itself.
    pub helo: &'a str,
    /// The cipher of its connection; empty without TLS.
    pub cipher: &'a str,
    /// How large the client says that the message is, in bytes; zero if it does not.
    pub size: u64,
    /// The envelope sender; empty for the null sender.
    pub sender: &'a str,
    /// The recipient, at [`State::Recipient`].
    pub recipient: &'a str,
    /// How many recipients the message has; told at [`State::Data`] and [`State::EndOfMessage`] only.
    pub recipients: u32,
    /// The queue's name for the message; empty before its first accepted recipient.
    pub queue_id: &'a str,
    /// Postfix' name for the message, the same from its first recipient to its end; empty before.
    pub instance: &'a str,
}

/// Why a request was not understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// A line has no `=`.
    #[error("a line without a name")]
    Name,
    /// It does not say `request=smtpd_access_policy`.
    #[error("no request of an access policy")]
    Kind,
}

impl<'a> Request<'a> {
    /// Reads a request without the empty line at its end. Of a name that is there twice the last one holds. What is no
    /// address or no number counts as not told.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut request = Self::default();
        let mut is_policy = false;
        let mut start = 0;
        for end in memchr_iter(b'\n', text.as_bytes()).chain(Some(text.len())) {
            let line = &text[start..end];
            start = end + 1;
            // Names are short: to look at their letters takes less than to begin a search.
            let equals = line.bytes().position(|byte| byte == b'=').ok_or(Malformed::Name)?;
            let value = &line[equals + 1..];
            match &line[..equals] {
                "request" => is_policy = value == "smtpd_access_policy",
                "protocol_state" => request.state = State::from_name(value),
                "client_address" => request.address = value.parse::<IpAddr>().ok().map(Address::new),
                "sasl_username" => request.login = Some(value).filter(|login| !login.is_empty()),
                "helo_name" => request.helo = value,
                "encryption_cipher" => request.cipher = value,
                "size" => request.size = value.parse().unwrap_or_default(),
                "sender" => request.sender = value,
                "recipient" => request.recipient = value,
                "recipient_count" => request.recipients = value.parse().unwrap_or_default(),
                "queue_id" => request.queue_id = value,
                "instance" => request.instance = value,
                _ => {}
            }
        }
        if is_policy { Ok(request) } else { Err(Malformed::Kind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<(State, Option<String>, Option<String>, u32), Malformed> {
        let text = ["request=smtpd_access_policy"].iter().chain(lines).copied().collect::<Vec<_>>().join("\n");
        let request = Request::parse(&text)?;
        let address = request.address.map(|address| address.to_string());
        Ok((request.state, address, request.login.map(str::to_owned), request.recipients))
    }

    #[test]
    fn what_lines_say() {
        let cases: &[(&[&str], _)] = &[
            (&[], Ok((State::Other, None, None, 0))),
            (&["protocol_state=RCPT"], Ok((State::Recipient, None, None, 0))),
            (&["protocol_state=XCLIENT"], Ok((State::Connect, None, None, 0))),
            (&["protocol_state=ETRN"], Ok((State::Other, None, None, 0))),
            (&["protocol_state=MAIL", "protocol_state=DATA"], Ok((State::Data, None, None, 0))),
            (&["client_address=203.0.113.7"], Ok((State::Other, Some("203.0.113.7".into()), None, 0))),
            (&["client_address=2001:db8::1"], Ok((State::Other, Some("2001:db8::1".into()), None, 0))),
            (&["client_address=unknown"], Ok((State::Other, None, None, 0))),
            (&["sasl_username="], Ok((State::Other, None, None, 0))),
            (&["sasl_username=a=b@c"], Ok((State::Other, None, Some("a=b@c".into()), 0))),
            (&["recipient_count=17", "tls_sni="], Ok((State::Other, None, None, 17))),
            (&["recipient_count=-1"], Ok((State::Other, None, None, 0))),
            (&["request=junk"], Err(Malformed::Kind)),
            (&["no name"], Err(Malformed::Name)),
        ];
        for (lines, wanted) in cases {
            assert_eq!(read(lines), *wanted, "{lines:?}");
        }
    }
}
