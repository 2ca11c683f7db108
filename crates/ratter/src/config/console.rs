//! `[console]`: metrics and pages over HTTP.

use core::net::SocketAddr;

use super::diagnose::Fault;
use super::forms::socket;
use super::listeners::is_public;
use super::probe::Transport;
use super::reader::Section;

/// The console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Console {
    /// Where it listens.
    pub listen: SocketAddr,
}

pub(super) fn read(section: &Section<'_>) -> Option<Console> {
    let listen = section.setting("listen", &socket())?;
    section.desk.listens(section.place("listen"), listen, Transport::Tcp);
    if is_public(listen.ip()) {
        let fault = Fault::warning(section.place("listen"), "anybody can read the console");
        let hint = "listen on 127.0.0.1, and put a web server with passwords before it";
        section.desk.report(fault.label("reachable from outside, without a password").hint(hint.to_owned()));
    }
    Some(Console { listen })
}
