//! OpenSSH's sshd, of any version (`sshd`, and `sshd-session` since 9.8).
//!
//! | line | event |
//! |---|---|
//! | `Failed METHOD for [invalid user ]LOGIN from ADDRESS port N ssh2[: …]` | login-failed; a key that is not the right one is not yet a failure |
//! | `error: PAM: Authentication failure for [illegal user ]LOGIN from ADDRESS[ via LOCAL]` | login-failed |
//! | `Invalid user LOGIN from ADDRESS[ port N]`, `User LOGIN from ADDRESS not allowed because …`, `ROOT LOGIN REFUSED FROM ADDRESS`, `maximum authentication attempts exceeded for …`, `Disconnecting … user LOGIN ADDRESS port N: Change of username …`, `Received disconnect from ADDRESS: 3: …: Auth fail` | login-failed |
//! | `Disconnecting: Too many authentication failures …` after wrong keys | login-failed |
//! | `Accepted METHOD for LOGIN from ADDRESS port N ssh2[: …]` | login-ok, and login-failed for other names that PAM had refused before |
//! | `Bad protocol version …`, `Unable to negotiate …`, `kex_exchange_identification: …`, `banner exchange: …` | protocol-abuse |
//! | `Connection closed by …[preauth]`, `Did not receive identification string from …`, … | connect |
//!
//! A login and what a client says of itself may hold anything. Where they stand before the address, it is read from the
//! right; where after it, from the left; see `origin.rs` for lines where they stand on both sides. What has no address in
//! its line is joined by the process number with a line that had one.

mod origin;

use base::EventKind::{Connect, LoginFailed, LoginOk, ProtocolAbuse};
use base::{Address, Channel, Event, Timestamp};

use super::parts::{Recent, Told};
use super::{Grammar, Sink, pam};
use crate::frame::Frame;
use crate::text::{address, address_of_port, contains, digits, rsplit, split, split_only, take_while, word};
use origin::{Behind, beside, leading, origin, trailing};

/// How many connections are remembered.
const CONNECTIONS_MAX: usize = 8_192;

/// Most names that PAM refused in one connection that are remembered.
const NAMES_MAX: usize = 16;

/// What sshd says when a client has failed too often; the failures themselves were told before, but for wrong keys.
const TOO_MANY: &str = "maximum authentication attempts exceeded for ";

/// The grammar of sshd's log.
pub(super) struct Sshd {
    connections: Recent<Connection>,
}

/// What is known of a process, which serves one connection.
struct Connection {
    address: Address,
    /// Failures that were told: what sshd says of too many of them is none of its own.
    failures: u16,
    /// Wrong keys, which no event told.
    keys: u16,
    /// Whom PAM refused, which no event told.
    names: Vec<Box<str>>,
}

impl Default for Sshd {
    fn default() -> Self {
        Self { connections: Recent::new(CONNECTIONS_MAX) }
    }
}

impl Grammar for Sshd {
    fn name(&self) -> &'static str {
        "sshd"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["ssh", "openssh"]
    }

    fn speaks(&self, program: &str) -> bool {
        matches!(program, "sshd" | "sshd-session" | "sshd-auth")
    }

    fn read(&mut self, frame: &Frame<'_>, time: Timestamp, out: Sink<'_>) {
        let text = frame.message.trim_ascii_end();
        let text = without_kernel(text);
        let pid = frame.pid.map(|pid| Recent::<Connection>::key(frame.host, "", pid));
        if text.starts_with("pam_") {
            if let (Some(pid), Some(told)) = (pid, pam::told(text)) {
                self.refused_by_pam(pid, &told);
            }
            return;
        }
        let text = text.strip_prefix("error: ").or_else(|| text.strip_prefix("fatal: ")).unwrap_or(text);
        // Some write it without saying that it was PAM.
        let pam = ["uthentication failure for ", "uthentication error for ", "uthentication failed for "];
        let is_pam = text.get(1..).is_some_and(|text| pam.iter().any(|pam| text.starts_with(pam)));
        if let Some(rest) = text.strip_prefix("PAM: ").or_else(|| is_pam.then_some(text)) {
            if let Some(told) = pam_error(rest) {
                out(Event { channel: Channel::Auth, ..told.event(time, "ssh") });
            }
            return;
        }
        let mut told = told(text).or_else(|| self.joined(pid?, text));
        if let (Some(pid), Some(told)) = (pid, &mut told)
            && told.kind == LoginFailed
        {
            let connection = self.connection(pid, told.address);
            if !text.starts_with(TOO_MANY) {
                connection.failures = connection.failures.saturating_add(1);
            } else if connection.failures > 0 {
                told.tally = base::Tally::Total(0);
            }
        }
        if let (Some(pid), Some(told)) = (pid, &told)
            && told.kind == LoginOk
            && let Some(connection) = self.connections.remove(pid)
        {
            let others = connection.names.iter().filter(|name| Some(&***name) != told.login);
            for name in others {
                out(Told::new(LoginFailed, told.address).by(name).event(time, "ssh"));
            }
        }
        if let Some(told) = told {
            out(told.event(time, "ssh"));
        }
    }
}

impl Sshd {
    fn connection(&mut self, pid: u64, address: Address) -> &mut Connection {
        if self.connections.get(pid).is_none_or(|connection| connection.address != address) {
            self.connections.insert(pid, Connection { address, failures: 0, keys: 0, names: Vec::new() });
        }
        self.connections.get_mut(pid).expect("it was put there if it was not")
    }

    fn refused_by_pam(&mut self, pid: u64, told: &Told<'_>) {
        let connection = self.connection(pid, told.address);
        if connection.names.len() < NAMES_MAX {
            connection.names.push(told.login.unwrap_or("").into());
        }
    }

    /// Lines that need an earlier one, and those that are needed.
    fn joined(&mut self, pid: u64, text: &str) -> Option<Told<'static>> {
        if let Some(rest) = text.strip_prefix("Connection from ") {
            let (address, _) = leading(rest)?;
            self.connections.remove(pid);
            self.connection(pid, address);
        } else if let Some(rest) = text.strip_prefix("SSH: Server;Ltype: ") {
            let (_, rest) = split(rest, ";Remote: ")?;
            let (client, _) = split(rest, ";")?;
            self.connection(pid, address(rsplit(client, "-")?.0)?);
        } else if text.starts_with("Failed publickey for ") {
            let (_, address) = origin(text, behind_key(text))?;
            self.connection(pid, address).keys += 1;
        } else if text.starts_with("Disconnecting: Too many authentication failures")
            || text.starts_with("Disconnecting authenticating user ")
                && contains(text, ": Too many authentication failures")
        {
            let connection = self.connections.get_mut(pid)?;
            let keys = core::mem::take(&mut connection.keys);
            return (keys > 0).then(|| Told::new(LoginFailed, connection.address));
        } else if is_reset(text) {
            return Some(Told::new(Connect, self.connections.get(pid)?.address));
        } else if is_nonsense(text) {
            return Some(Told::new(ProtocolAbuse, self.connections.get(pid)?.address));
        }
        None
    }
}

/// The connection ended before anything was said.
fn is_reset(text: &str) -> bool {
    let text = text.strip_suffix(" [preauth]").unwrap_or(text);
    let (about, what) = split(text, ": ").unwrap_or(("", text));
    match about {
        "Read from socket failed" => what == "Connection reset by peer",
        "kex_exchange_identification" | "ssh_exchange_identification" => {
            let what = what.strip_prefix("read: ").unwrap_or(what);
            what.eq_ignore_ascii_case("connection closed by remote host")
                || what.eq_ignore_ascii_case("connection reset by peer")
        }
        _ => false,
    }
}

/// What the client said was no SSH, or none that the server speaks.
fn is_nonsense(text: &str) -> bool {
    let beginnings = [
        "kex_exchange_identification: client sent invalid protocol identifier",
        "kex_exchange_identification: Client sent invalid protocol identifier",
        "kex_exchange_identification: banner line ",
        "Unable to negotiate a ",
        "no matching ",
    ];
    beginnings.iter().any(|beginning| text.starts_with(beginning))
}

/// `kernel:[  970.699396]: `, where a relay took sshd's line for the kernel's.
fn without_kernel(text: &str) -> &str {
    let rest = text.strip_prefix("kernel:[").map(|rest| {
        let (_, rest) = take_while(rest, |byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'.'));
        rest.strip_prefix(']').map(|rest| rest.strip_prefix(':').unwrap_or(rest).trim_ascii_start())
    });
    rest.flatten().unwrap_or(text)
}

/// `Authentication failure for [illegal user ]LOGIN from ADDRESS[ via LOCAL]`.
fn pam_error(text: &str) -> Option<Told<'_>> {
    // The longest answer of a module holds the mark itself.
    let (what, rest) = match text.strip_prefix("Have exhausted maximum number of retries for service for ") {
        Some(rest) => ("permission denied", rest),
        None => split(text, " for ")?,
    };
    let is_refusal = ["authentication failure", "authentication error", "authentication failed", "permission denied"]
        .iter()
        .any(|refusal| what.eq_ignore_ascii_case(refusal))
        || what == "User not known to the underlying authentication module";
    let rest = is_refusal.then_some(rest)?;
    let rest = rest.strip_suffix(" [preauth]").unwrap_or(rest);
    let rest = match rsplit(rest, " via ") {
        Some((before, local)) if !local.contains(' ') => before,
        _ => rest,
    };
    let (user, address) = match rsplit(rest, " from ") {
        Some((user, client)) => (user, address(client.trim_ascii_end())?),
        None => beside(rest.trim_ascii_end())?,
    };
    Some(Told::new(LoginFailed, address).by(login(user)))
}

/// The login without what sshd says of it.
fn login(text: &str) -> &str {
    text.strip_prefix("invalid user ").or_else(|| text.strip_prefix("illegal user ")).unwrap_or(text)
}

/// Lines that tell by themselves.
fn told(text: &str) -> Option<Told<'_>> {
    if let Some(rest) = text.strip_prefix("Failed ") {
        let (method, rest) = word(rest);
        let is_invalid = rest.starts_with("for invalid user ") || rest.starts_with("for illegal user ");
        // A client offers its keys one by one; the wrong ones are no guesses.
        // Nor is the question which methods there are, with which many clients of real users begin.
        if matches!(method, "publickey" | "none") && !is_invalid {
            return None;
        }
        let behind = match method {
            "hostbased" => Behind::Anything,
            "publickey" => behind_key(rest),
            _ => Behind::RemoteUser,
        };
        let (before, address) = origin(rest.strip_prefix("for ")?, behind)?;
        return Some(Told::new(LoginFailed, address).by(login(before)));
    }
    if let Some(rest) = text.strip_prefix("Accepted ") {
        let (_method, rest) = word(rest);
        let (before, address) = origin(rest.strip_prefix("for ")?, Behind::Anything)?;
        return Some(Told::new(LoginOk, address).by(before));
    }
    refused(text).or_else(|| abuse(text)).or_else(|| visit(text))
}

/// What a line about a key holds behind the address: the name in a certificate is the client's, and sshd writes the key of
/// its authority behind that.
fn behind_key(text: &str) -> Behind {
    if contains(text, " CA ") { Behind::Anything } else { Behind::RemoteUser }
}

/// Logins that were refused before a password was checked.
fn refused(text: &str) -> Option<Told<'_>> {
    let without = text.strip_suffix(" [preauth]").unwrap_or(text);
    let invalid = ["Invalid user ", "invalid user ", "Illegal user ", "illegal user "];
    if let Some(rest) = invalid.iter().find_map(|prefix| without.strip_prefix(prefix)) {
        // A login may begin with `from `, too; only where it is empty is that sshd's own word.
        let (before, address) = match origin(rest, Behind::Nothing).or_else(|| beside(rest)) {
            Some(found) => found,
            None => {
                let (address, behind) = leading(rest.strip_prefix("from ")?)?;
                ("", behind.is_empty().then_some(address)?)
            }
        };
        return Some(Told::new(LoginFailed, address).by(before));
    }
    if let Some(rest) = without.strip_prefix("User ") {
        let (before, why) = rsplit(rest, " not allowed because ")?;
        let whys = ["not listed in AllowUsers", "listed in DenyUsers", "not in any group", "account is locked"];
        let is_known = whys.contains(&why)
            || why.starts_with("a group is listed in DenyGroups")
            || why.starts_with("none of user's groups are listed in AllowGroups")
            || why.starts_with("shell ") && (why.ends_with(" does not exist") || why.ends_with(" is not executable"));
        let before = is_known.then_some(before)?;
        let (login, address) = match rsplit(before, " from ") {
            Some((login, client)) => (login, address(client)?),
            None => beside(before)?,
        };
        return Some(Told::new(LoginFailed, address).by(login));
    }
    // A key with `from=`, or a certificate with `source-address`, that came from elsewhere.
    if let Some(rest) = without.strip_prefix("Authentication tried for ") {
        let whys = [
            (" with correct key but not from a permitted host (host=", ", ip=", ")"),
            (" with valid certificate but not from a permitted source address (", "", ")"),
            (" with valid certificate but not from a permitted host (ip=", "", ")"),
        ];
        let (login, client) = whys.iter().find_map(|(why, before, after)| {
            let (login, rest) = rsplit(rest, why)?;
            let client = if before.is_empty() { rest } else { rsplit(rest, before)?.1 };
            Some((login, client.trim_end_matches('.').strip_suffix(after)?))
        })?;
        return Some(Told::new(LoginFailed, address(client)?).by(login));
    }
    if let Some(rest) = without.strip_prefix("ROOT LOGIN REFUSED FROM ") {
        return Some(Told::new(LoginFailed, leading(rest)?.0).by("root"));
    }
    if let Some(rest) = without.strip_prefix(TOO_MANY) {
        let (before, address) = origin(rest, Behind::Nothing).or_else(|| beside(rest))?;
        return Some(Told::new(LoginFailed, address).by(login(before)));
    }
    if let Some(rest) = without.strip_prefix("Disconnecting ") {
        let (before, _) = split_only(rest, ": Change of username or service not allowed: ")?;
        let (login, address) = trailing(before.strip_prefix("from ").unwrap_or(before))?;
        return Some(Told::new(LoginFailed, address).by(login));
    }
    let rest = without.strip_prefix("Received disconnect from ")?;
    let (address, rest) = leading(rest)?;
    let is_refusal =
        rest.trim_start_matches(':').trim_ascii_start().starts_with("3: ") && rest.ends_with(": Auth fail");
    is_refusal.then(|| Told::new(LoginFailed, address))
}

/// Clients that do not speak SSH, or none that the server speaks.
fn abuse(text: &str) -> Option<Told<'_>> {
    let told = |address| Some(Told::new(ProtocolAbuse, address));
    if text.starts_with("Bad protocol version identification ") {
        let client = |mark| {
            let (address, rest) = leading(rsplit(text, mark)?.1)?;
            matches!(rest, "" | " [preauth]").then_some(address)
        };
        return told(client("' from ").or_else(|| client("' "))?);
    }
    if let Some(rest) = text.strip_prefix("Unable to negotiate with ") {
        let (address, rest) = leading(rest)?;
        return if rest.starts_with(": no matching ") { told(address) } else { None };
    }
    if let Some(rest) = text.strip_prefix("Protocol major versions differ for ") {
        return told(leading(rest)?.0);
    }
    let scans = ["scanned from ", "probed from "];
    if let Some(rest) = scans.iter().find_map(|scan| text.strip_prefix(scan)) {
        let (address, rest) = leading(rest)?;
        return if rest.starts_with(" with ") { told(address) } else { None };
    }
    let beginnings = ["banner exchange: Connection from ", "ssh_dispatch_run_fatal: Connection from "];
    if let Some(rest) = beginnings.iter().find_map(|beginning| text.strip_prefix(beginning)) {
        let (address, rest) = leading(rest)?;
        let reasons =
            ["invalid format", "message authentication code incorrect", "connection corrupted", "could not read"];
        let is_known = reasons.iter().any(|reason| contains(&rest.to_ascii_lowercase(), reason));
        return if is_known { told(address) } else { Some(Told::new(Connect, address)) };
    }
    None
}

/// Clients that came and went.
fn visit(text: &str) -> Option<Told<'_>> {
    let beginnings = ["Did not receive identification string from ", "Timeout before authentication for "];
    if let Some(rest) = beginnings.iter().find_map(|beginning| text.strip_prefix(beginning)) {
        return Some(Told::new(Connect, leading(rest.strip_prefix("connection from ").unwrap_or(rest))?.0));
    }
    if text.starts_with("refused connect from ") {
        let (_, client) = rsplit(text.strip_suffix(')')?, " (")?;
        return Some(Told::new(Connect, address(client)?));
    }
    // What sshd refuses for its own limits and, since 9.8, for earlier guesses.
    if let Some(rest) = text.strip_prefix("drop connection #") {
        let (_number, rest) = digits(rest)?;
        let (client, _) = split(rest.strip_prefix(" from ")?, " on ")?;
        return Some(Told::new(Connect, address_of_port(client)?));
    }
    if let Some(rest) = text.strip_prefix("srclimit_penalise: ") {
        return penalised(rest);
    }
    let before = text.strip_suffix(" [preauth]")?;
    if let Some(rest) = before.strip_prefix("Received disconnect from ") {
        return Some(Told::new(Connect, leading(rest)?.0));
    }
    let beginnings = ["Connection closed by ", "Connection reset by ", "Disconnected from "];
    let rest = beginnings.iter().find_map(|beginning| before.strip_prefix(beginning))?;
    let (login, address) = trailing(rest)?;
    Some(Told::new(Connect, address).by(login))
}

/// `ADDRESS/BITS: activating ipv4 penalty of 18.071 seconds for penalty: …` and `ipv4: new ADDRESS/BITS deferred penalty of …`
/// (since 9.8): what the other lines told already. A network of more than one address is nobody's.
fn penalised(text: &str) -> Option<Told<'_>> {
    let text = text.strip_prefix("ipv4: new ").or_else(|| text.strip_prefix("ipv6: new ")).unwrap_or(text);
    let (client, rest) = split(text, "/")?;
    let (bits, _) = digits(rest)?;
    let address = address(client)?;
    (bits == if address.ip().is_ipv4() { "32" } else { "128" }).then(|| Told::new(Connect, address))
}
