//! `[gate.http]`: the server of questions over HTTP.

use std::path::PathBuf;

use gates::io::Place;
use gates::web::Backends;

use super::ask::{self, AskPolicy, AskingGate};
use super::diagnose::Fault;
use super::dovecot::{Secret, header_name, secret};
use super::forms::socket;
use super::gates::{Fail, fail, note_places, place};
use super::listeners::is_public;
use super::reader::Section;

/// The server of questions over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpGate {
    /// Where it listens.
    pub listen: Vec<Place>,
    /// Password of HTTP Basic authentication, with any user name; none asks for none.
    pub password: Option<Secret>,
    /// The value that the header must have; none asks for none.
    pub api_key: Option<Secret>,
    /// The name of that header.
    pub api_header: String,
    /// What it does about addresses that are on other people's lists; none asks none.
    pub ask: Option<AskPolicy>,
    /// What it answers when nothing can be told.
    pub fail: Fail,
    /// The mail servers behind nginx.
    pub backends: Backends,
    /// A file of stolen passwords, which are refused.
    pub breached: Option<PathBuf>,
}

impl HttpGate {
    /// Whether nobody outside this machine can read what is said: then passwords may be sent.
    pub fn is_private(&self) -> bool {
        self.listen.iter().all(|place| match place {
            Place::Tcp(address) => address.ip().is_loopback(),
            Place::Unix(_) => true,
        })
    }
}

pub(super) fn read(section: &Section<'_>) -> HttpGate {
    let listen = section.required_each("listen", &place(section));
    let password = secret(section, "password", "password-file");
    let api_key = secret(section, "api-key", "api-key-file");
    let api_header = section.optional("api-header", &header_name());
    let ask = section.part("ask", |section| Some(ask::policy(section, AskingGate::Http)));
    let breached = section.optional("breached", &section.desk.path("/var/lib/ratter/breached.filter"));
    let backends = section.part("nginx", |section| Some(backends(section)));

    let is_open = ["password", "password-file", "api-key", "api-key-file"].iter().all(|key| !section.has(key));
    let reachable = |place: &Place| matches!(place, Place::Tcp(address) if is_public(address.ip()));
    // Whoever has a password to give may listen outside.
    let (open, closed): (Vec<_>, Vec<_>) = listen.into_iter().partition(|place| is_open || !reachable(&place.value));
    note_places(section, &open, "[gate.http]");
    for place in &closed {
        if let Place::Tcp(address) = place.value {
            section.desk.listens(place.place.clone(), address, super::probe::Transport::Tcp);
        }
    }
    HttpGate {
        listen: open.into_iter().chain(closed).map(|place| place.value).collect(),
        password,
        api_key,
        api_header: api_header.unwrap_or_else(|| "X-API-Key".to_owned()),
        ask,
        fail: fail(section),
        backends: backends.unwrap_or_default(),
        breached,
    }
}

fn backends(section: &Section<'_>) -> Backends {
    if !["imap", "pop3", "smtp"].iter().any(|key| section.has(key)) {
        let fault = Fault::error(section.header(), "[gate.http.nginx] names no server behind nginx");
        let hint = "set `imap`, `pop3` or `smtp`, such as `imap = \"127.0.0.1:1143\"`";
        section.desk.report(fault.label("nginx would have nowhere to go on").hint(hint.to_owned()));
    }
    Backends {
        imap: section.optional("imap", &socket()),
        pop3: section.optional("pop3", &socket()),
        smtp: section.optional("smtp", &socket()),
    }
}
