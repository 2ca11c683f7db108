//! Lines of Postfix' `main.cf`, as `ratter setup` writes them and warnings name them.

use std::net::SocketAddr;
use std::time::Duration;

use gates::io::Place;

use crate::config::{AskingGate, Config};

/// The parameter whose checks are asked at the end of a message.
pub(crate) const END_OF_DATA: &str = "smtpd_end_of_data_restrictions";

/// Where Debian's smtpd has its root.
pub(crate) const QUEUE: &str = "/var/spool/postfix";

/// The line by which Postfix asks at the end of a message; none if the gate listens nowhere.
pub(crate) fn end_of_data(config: &Config) -> Option<String> {
    let place = config.gates.postfix.as_ref()?.listen.first()?;
    let [before, after] = policy_check(seconds(config.asked_wait(AskingGate::Postfix)));
    Some(format!("{END_OF_DATA} = {before}{}{after}", inet(place)))
}

/// What stands around the policy gate's place, which may be waited for so many seconds.
pub(crate) fn policy_check(seconds: u64) -> [String; 2] {
    ["check_policy_service { ".to_owned(), format!(", default_action=DUNNO, timeout={seconds}s }}")]
}

/// How long Postfix waits: it counts in whole seconds, so one is the least, and a gate that waits for other people's lists has
/// as many more.
pub(crate) fn seconds(wait: Duration) -> u64 {
    1 + wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A place as Postfix writes it.
pub(crate) fn inet(place: &Place) -> String {
    match place {
        Place::Tcp(SocketAddr::V6(address)) => format!("inet:[{}]:{}", address.ip(), address.port()),
        Place::Tcp(address) => format!("inet:{}:{}", address.ip(), address.port()),
        // smtpd runs below its root, and wants the path from there.
        Place::Unix(path) => {
            let below = path.strip_prefix(QUEUE).unwrap_or(path);
            format!("unix:{}", below.display())
        }
    }
}
