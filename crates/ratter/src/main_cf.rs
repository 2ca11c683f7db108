//! Lines of Postfix' `main.cf`, as `ratter setup` writes them and warnings name them.

use std::net::SocketAddr;
use std::time::Duration;

use gates::io::Place;

use crate::config::{AskPolicy, MailGate};

/// The parameter whose checks are asked at the end of a message.
pub(crate) const END_OF_DATA: &str = "smtpd_end_of_data_restrictions";

/// The line by which Postfix asks at the end of a message; none if the gate listens nowhere.
pub(crate) fn end_of_data(gate: &MailGate) -> Option<String> {
    let [before, after] = policy_check(seconds(gate.ask.as_ref()));
    let place = gate.listen.first()?;
    Some(format!("{END_OF_DATA} = {before}{}{after}", inet(place)))
}

/// What stands around the policy gate's place, which may be waited for so many seconds.
pub(crate) fn policy_check(seconds: u64) -> [String; 2] {
    ["check_policy_service { ".to_owned(), format!(", default_action=DUNNO, timeout={seconds}s }}")]
}

/// How long Postfix waits: it counts in whole seconds, so one is the least, and a gate that waits for other people's lists has
/// as many more.
pub(crate) fn seconds(ask: Option<&AskPolicy>) -> u64 {
    let wait = ask.map_or(Duration::ZERO, |policy| policy.wait);
    1 + wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A place as Postfix writes it.
pub(crate) fn inet(place: &Place) -> String {
    match place {
        Place::Tcp(SocketAddr::V6(address)) => format!("inet:[{}]:{}", address.ip(), address.port()),
        Place::Tcp(address) => format!("inet:{}:{}", address.ip(), address.port()),
        // smtpd runs below its root, and wants the path from there.
        Place::Unix(path) => {
            let below = path.strip_prefix("/var/spool/postfix").unwrap_or(path);
            format!("unix:{}", below.display())
        }
    }
}
