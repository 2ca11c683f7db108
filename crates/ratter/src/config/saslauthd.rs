//! `[gate.saslauthd]`: the socket that stands before saslauthd's own.

use std::path::PathBuf;

use gates::io::Place;

use super::diagnose::Fault;
use super::gates::place;
use super::probe::Transport;
use super::reader::Section;

/// The gate before saslauthd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaslGate {
    /// Where it listens.
    pub listen: Vec<Place>,
    /// The socket of the real saslauthd.
    pub upstream: PathBuf,
}

pub(super) fn read(section: &Section<'_>) -> Option<SaslGate> {
    let listen = section.required_each("listen", &place(section));
    let upstream = section.required("upstream", &section.desk.path("/run/saslauthd/mux"));
    for place in &listen {
        if matches!(place.value, Place::Tcp(_)) {
            let fault =
                Fault::error(place.place.clone(), "saslauthd is asked over a unix socket, never over a network");
            section.desk.report(fault.label("no path").hint("write a path, such as `/run/ratter/mux`".to_owned()));
        }
        if matches!((&place.value, &upstream), (Place::Unix(path), Some(upstream)) if path == upstream) {
            let fault = Fault::error(place.place.clone(), "the gate would ask itself");
            section.desk.report(fault.label("the same as `upstream`"));
        }
        section.desk.listens_at(place.place.clone(), place.value.clone(), Transport::Tcp);
    }
    Some(SaslGate { listen: listen.into_iter().map(|place| place.value).collect(), upstream: upstream? })
}
