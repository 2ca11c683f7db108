//! Haraka's connections.
//!
//! ```text
//! [NOTICE] [UUID] [core] connect ip=ADDRESS port=…
//! [INFO] [UUID] [core] HAProxy proto=TCP4 src_ip=ADDRESS:PORT dst_ip=ADDRESS:PORT        earlier HAProxy: proto=…
//! [NOTICE] [UUID] [auth/…] delaying for 2 seconds
//! [INFO] [UUID] [auth/auth_proxy] AUTH user="LOGIN" host="SERVER:PORT" success=true
//! [PROTOCOL] [UUID] [core] C: AUTH PLAIN …        S: 235 2.7.0 Authentication successful
//! [NOTICE] [UUID] [core] disconnect ip=ADDRESS rdns="NAME" helo="…" relay="N" early="N" … lr="535 …" time=…
//! level=NOTICE uuid=UUID origin=core message=connect ip=ADDRESS port=…
//! {"level":"NOTICE","uuid":"UUID","origin":"core","message":"connect","ip":"ADDRESS","port":…}
//! ```
//!
//! Earlier versions wrote `source` for `origin`. The last two are the formats `LOGFMT` and `JSON` of its `log.ini`: `log_if_level()` writes the same values in the same order, and
//! a quote or backslash within one behind a backslash.
//!
//! A connection's address is told before any text of the client, at its beginning and at its end. What was last refused
//! (`lr`) stands behind the client's HELO, and is read only where it is there once.
//!
//! Behind `HAProxy` a connection's client is whom the `PROXY` of the proxy names, which is told at level INFO. Haraka obeys a later
//! `PROXY`, too, which the client itself may send: the first one of a connection counts, and not what stands at its end. Where none is
//! told and the end names another address than the beginning, either may be wrong.
//!
//! `auth_base`, from which the plugins of logins are made, logs a wrong password (at level NOTICE, which is `delaying for …`),
//! and of a right one nothing: only `auth_proxy` tells it, and the conversation where the level is PROTOCOL.

use std::mem;

use base::EventKind::{self, LoginFailed, LoginOk, ProtocolAbuse, RelayDenied, SpamSeen, UnknownRecipient};
use base::{Address, Timestamp};

use super::parts::{Recent, Told};
use super::sasl::Conversation;
use super::{Grammar, Hinted, Sink};
use crate::frame::Frame;
use crate::text::{
    address, address_of_port, behind_quote, contains, find_byte, rsplit, split, split_only, take_while, word,
};

/// How many connections are remembered.
const CONNECTIONS_MAX: usize = 16_384;

/// How many proxies are remembered.
const PROXIES_MAX: usize = 64;

/// The grammar of Haraka's log.
pub(super) struct Haraka {
    connections: Recent<Connection>,
    /// Whoever connected on behalf of somebody else.
    proxies: Vec<Address>,
}

struct Connection {
    address: Address,
    client: Client,
    /// How many failed logins were told.
    failures: u16,
    /// What was said, where that is logged.
    conversation: Conversation,
}

/// Who has the address of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    /// Whoever connected, who is the client as far as is known.
    Connected,
    /// The client, whom the proxy named.
    Named,
    /// A proxy, which named nobody so far.
    Unknown,
}

impl Default for Haraka {
    fn default() -> Self {
        Self { connections: Recent::new(CONNECTIONS_MAX), proxies: Vec::new() }
    }
}

impl Grammar for Haraka {
    fn name(&self) -> &'static str {
        "haraka"
    }

    fn speaks(&self, program: &str) -> bool {
        program.eq_ignore_ascii_case("haraka")
    }

    fn hinted(&self) -> Hinted {
        Hinted::Bare
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        if let Some(told) = self.told(frame.host, frame.message.trim_ascii_end()) {
            out(told.event(time, "smtp"));
        }
    }
}

impl Haraka {
    fn told<'a>(&'a mut self, host: &str, text: &'a str) -> Option<Told<'a>> {
        let Record { id, plugin, message, values } = record(text)?;
        let key = Recent::<Connection>::key(host, id, 0);
        if plugin == "core" {
            if message == "connect" {
                let address = client(values)?;
                let client = if self.proxies.contains(&address) { Client::Unknown } else { Client::Connected };
                let conversation = Conversation::default();
                self.connections.insert(key, Connection { address, client, failures: 0, conversation });
                return None;
            }
            if message == "disconnect" {
                return self.ended(key, values);
            }
            if let Some(named) = named_by_proxy(message, values) {
                let connection = self.connections.get_mut(key).filter(|at| at.client != Client::Named)?;
                connection.client = Client::Named;
                let proxy = mem::replace(&mut connection.address, named);
                self.is_proxy(proxy);
                return None;
            }
        }
        self.connections.get_mut(key).filter(|at| at.client != Client::Unknown)?.told(plugin, message)
    }

    /// What the end of a connection tells, with these values.
    fn ended(&mut self, key: u64, values: &str) -> Option<Told<'static>> {
        let (kind, last) = (end(values), client(values));
        let Some(connection) = self.connections.remove(key) else { return Some(Told::new(kind?, last?)) };
        if connection.client != Client::Named && last? != connection.address {
            self.is_proxy(connection.address);
            return None;
        }
        let is_told = connection.client != Client::Unknown && connection.failures > 0;
        let kind = kind.filter(|kind| *kind != LoginFailed || !is_told)?;
        Some(Told::new(kind, connection.address))
    }

    /// Remembers a proxy, so that no failure of its further connections is taken for its own.
    fn is_proxy(&mut self, proxy: Address) {
        if self.proxies.contains(&proxy) {
            return;
        }
        if self.proxies.len() >= PROXIES_MAX {
            self.proxies.remove(0);
        }
        self.proxies.push(proxy);
    }
}

impl Connection {
    /// What `text` of the plugin tells.
    fn told<'a>(&'a mut self, plugin: &str, text: &'a str) -> Option<Told<'a>> {
        if plugin.starts_with("auth") && text.starts_with("delaying for ") {
            self.failures = self.failures.saturating_add(1);
            return Some(Told::new(LoginFailed, self.address));
        }
        if plugin == "auth/auth_proxy" {
            // That it failed, the delay tells.
            let rest = text.strip_prefix("AUTH user=")?.strip_suffix(" success=true")?;
            let (login, _server) = match rest.strip_prefix("\\\"") {
                // In quotes themselves: a login with more of them is not read.
                Some(rest) => rsplit(rest, "\\\" host=\\\"").filter(|(login, _)| !contains(login, "\\"))?,
                None => rsplit(rest.strip_prefix('"')?, "\" host=\"")?,
            };
            return Some(Told::new(LoginOk, self.address).by(login));
        }
        if let Some(said) = text.strip_prefix("C: ") {
            // The state of the connection follows.
            let said = split(said, " state=").map_or(said, |(said, _)| said);
            self.conversation.received(said);
            return None;
        }
        let said = text.strip_prefix("S: ").filter(|_| plugin == "core")?;
        let is_question = self.conversation.sent(said);
        (!is_question && said.starts_with("235 "))
            .then(|| Told::new(LoginOk, self.address).by(self.conversation.login()))
    }
}

/// A line, taken apart.
struct Record<'a> {
    /// The connection's, without the number of the transaction.
    id: &'a str,
    plugin: &'a str,
    message: &'a str,
    /// What follows the message `connect` or `disconnect`.
    values: &'a str,
}

fn record(text: &str) -> Option<Record<'_>> {
    let (id, plugin, message, values) = if let Some(rest) = text.strip_prefix("level=") {
        let (_level, rest) = word(rest);
        let (id, rest) = word(rest.strip_prefix("uuid=")?);
        let (plugin, rest) = value(rest.strip_prefix("origin=").or_else(|| rest.strip_prefix("source="))?)?;
        let (message, values) = value(rest.strip_prefix(" message=")?)?;
        (id, plugin, message, values.trim_ascii_start())
    } else if let Some(rest) = text.strip_prefix("{\"level\":") {
        let (_level, rest) = value(rest)?;
        let (id, rest) = value(rest.strip_prefix(",\"uuid\":")?)?;
        let (plugin, rest) = value(rest.strip_prefix(",\"origin\":").or_else(|| rest.strip_prefix(",\"source\":"))?)?;
        let (message, values) = value(rest.strip_prefix(",\"message\":")?)?;
        (id, plugin, message, values.strip_prefix(',').unwrap_or(""))
    } else {
        let (_level, rest) = split(text.strip_prefix('[')?, "] [")?;
        let (id, rest) = split(rest, "] [")?;
        let (plugin, rest) = split(rest, "] ")?;
        let said = ["connect", "disconnect"]
            .into_iter()
            .find(|said| rest.strip_prefix(said).is_some_and(|rest| rest.starts_with(" ip=")));
        let (message, values) = said.map_or((rest, ""), |_| word(rest));
        (id, plugin, message, values)
    };
    let (id, _transaction) = take_while(id, |byte| byte.is_ascii_hexdigit() || byte == b'-');
    Some(Record { id, plugin, message, values })
}

/// The value that `text` begins with, in quotes or up to a space, and what follows.
fn value(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('"') {
        Some(inside) => {
            let rest = behind_quote(inside)?;
            Some((inside.get(..inside.len() - rest.len() - 1)?, rest))
        }
        None => {
            let end = find_byte(text, b' ').unwrap_or(text.len());
            text.split_at_checked(end)
        }
    }
}

/// The client, which is the first of the values.
fn client(values: &str) -> Option<Address> {
    let (client, _) = value(values.strip_prefix("ip=").or_else(|| values.strip_prefix("\"ip\":"))?)?;
    address(client)
}

/// Whom a proxy names as the client. An earlier version wrote all of it as the message.
fn named_by_proxy(message: &str, values: &str) -> Option<Address> {
    let rest = message.strip_prefix("HAProxy")?;
    let values = if rest.is_empty() { values } else { rest.strip_prefix(':').unwrap_or(rest).trim_ascii_start() };
    let (_protocol, rest) = value(values.strip_prefix("proto=").or_else(|| values.strip_prefix("\"proto\":"))?)?;
    let (client, _) = value(rest.strip_prefix(" src_ip=").or_else(|| rest.strip_prefix(",\"src_ip\":"))?)?;
    address_of_port(client)
}

/// What the end of a connection tells.
fn end(text: &str) -> Option<EventKind> {
    let is_json = text.starts_with('"');
    let (_, refused) = split_only(text, if is_json { ",\"lr\":" } else { " lr=" })?;
    let refused = refused.strip_prefix('"').unwrap_or(refused);
    if refused.starts_with("535 ") {
        Some(LoginFailed)
    } else if refused.starts_with("550 I cannot deliver mail for ") {
        Some(RelayDenied)
    } else if refused.starts_with("550 5.1.1 ") || refused.starts_with("550 No such user") {
        Some(UnknownRecipient)
    } else if refused.starts_with("550 ") && (contains(refused, "listed") || contains(refused, "dnsbl")) {
        Some(SpamSeen)
    } else if split_only(text, if is_json { ",\"early\":" } else { " early=" })
        .is_some_and(|(_, early)| early.trim_start_matches('"').starts_with('Y'))
    {
        Some(ProtocolAbuse)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_a_proxy_names() {
        let cases = [
            ("HAProxy proto=TCP6 src_ip=2001:db8::5:1234 dst_ip=2001:db8::3:25", "", Some("2001:db8::5")),
            ("HAProxy", "proto=TCP4 src_ip=203.0.113.5:1234 dst_ip=192.0.2.3:25", Some("203.0.113.5")),
            ("HAProxy", "proto=TCP4 src_ip=\"203.0.113.5:1234\" dst_ip=\"192.0.2.3:25\"", Some("203.0.113.5")),
            ("HAProxy", r#""proto":"TCP6","src_ip":"2001:db8::5:1234","dst_ip":"::1:25""#, Some("2001:db8::5")),
            ("HAProxy", "", None),
            ("HAProxy", "proto=UNKNOWN", None),
            ("HAProxies proto=TCP4 src_ip=203.0.113.5:1234", "", None),
        ];
        for (message, values, wanted) in cases {
            let wanted = wanted.map(|wanted| wanted.parse().unwrap());
            assert_eq!(named_by_proxy(message, values), wanted, "{message} {values}");
        }
    }
}
