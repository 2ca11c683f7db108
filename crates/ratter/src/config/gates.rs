//! `[gate]`: the protocols by which mail servers ask.

use std::path::PathBuf;

use gates::io::Place;

use super::diagnose::Fault;
use super::dovecot::{self, DovecotGate};
use super::forms::{Form, Mismatch, read_socket};
use super::listeners::is_public;
use super::probe::Transport;
use super::reader::{Placed, Section};

/// The gates that are wanted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Gates {
    /// The server of Dovecot's auth policy protocol.
    pub dovecot: Option<DovecotGate>,
    /// The server of one-line questions.
    pub line: Option<LineGate>,
}

/// The server of one-line questions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineGate {
    /// Where it listens.
    pub listen: Vec<Place>,
}

pub(super) fn read(section: &Section<'_>) -> Gates {
    Gates { dovecot: section.part("dovecot", dovecot::read), line: section.part("line", |section| Some(line(section))) }
}

fn line(section: &Section<'_>) -> LineGate {
    let listen = section.required_each("listen", &place(section));
    note_places(section, &listen, "[gate.line]");
    LineGate { listen: listen.into_iter().map(|place| place.value).collect() }
}

/// An address with a port, or the path of a unix socket.
fn place<'f>(section: &Section<'f>) -> Form<'f, Place> {
    let path = section.desk.path("/run/ratter/gate.sock");
    Form::of_text("an address with a port, such as `127.0.0.1:4002`, or a path, such as `/run/ratter/gate.sock`", {
        move |text| {
            let socket = text.strip_prefix("unix:").or_else(|| text.contains('/').then_some(text));
            let Some(socket) = socket else { return read_socket(text).map(Place::Tcp) };
            let path: PathBuf = (path.read)(&toml::de::DeValue::String(socket.into()))?;
            if path.as_os_str().len() > super::node::SOCKET_PATH_BYTES_MAX {
                let most = super::node::SOCKET_PATH_BYTES_MAX;
                return Err(
                    Mismatch::new("too long a path for a socket").hint(format!("the system allows {most} bytes"))
                );
            }
            Ok(Place::Unix(path))
        }
    })
}

/// Has the ports tried, and warns of those that strangers can reach, because such a gate asks nobody for a password.
fn note_places(section: &Section<'_>, places: &[Placed<Place>], title: &str) {
    for place in places {
        let Place::Tcp(address) = place.value else { continue };
        section.desk.listens(place.place.clone(), address, Transport::Tcp);
        if is_public(address.ip()) {
            let fault = Fault::warning(place.place.clone(), format!("anybody can ask and report to {title}"));
            let hint = "listen on 127.0.0.1, on a private network, or on a unix socket";
            section.desk.report(fault.label("reachable from outside, without a password").hint(hint.to_owned()));
        }
    }
}
