//! Whether everything that wants to listen can, all of it together.

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;
use std::io;

use gates::io::{Place, Spot};

use super::diagnose::Fault;
use super::probe::{Probe, Transport};

/// Where something listens, and what it speaks there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listening {
    /// Where.
    pub place: Place,
    /// What; of a unix socket TCP.
    pub transport: Transport,
}

impl Listening {
    /// Whether the socket is one of those that it wants.
    pub fn is_at(&self, spot: &Spot) -> bool {
        match spot {
            Spot::Stream(place) => *place == self.place && self.transport != Transport::Udp,
            Spot::Datagrams(address) => Place::Tcp(*address) == self.place && self.transport != Transport::Tcp,
        }
    }

    /// Whether the other cannot listen where it wants to while this does.
    pub(super) fn is_in_the_way_of(&self, other: &Self) -> bool {
        match (&self.place, &other.place) {
            (Place::Tcp(held), Place::Tcp(wanted)) => share(self.transport, other.transport) && collide(*held, *wanted),
            (Place::Unix(held), Place::Unix(wanted)) => held == wanted,
            (Place::Tcp(_), Place::Unix(_)) | (Place::Unix(_), Place::Tcp(_)) => false,
        }
    }
}

/// Something that will listen, and where the file says so.
pub(super) struct Listener {
    pub(super) place: Range<usize>,
    pub(super) listening: Listening,
}

/// Reports listeners that take each other's address, and those whose address cannot be had.
pub(super) fn check(listeners: &[Listener], probe: &dyn Probe, faults: &mut Vec<Fault>) {
    for (index, listener) in listeners.iter().enumerate() {
        let takes = |other: &&Listener| other.listening.is_in_the_way_of(&listener.listening);
        let earlier = listeners[..index].iter().find(takes);
        if let Some(earlier) = earlier {
            let title = format!("two listeners on {}", listener.listening.place);
            let fault = Fault::error(listener.place.clone(), title).label("taken already");
            faults.push(fault.also(earlier.place.clone(), "by this").hint("give one of them another port".to_owned()));
            continue;
        }
        let tried = match &listener.listening.place {
            Place::Tcp(address) => probe.can_bind(*address, listener.listening.transport),
            Place::Unix(path) => probe.can_bind_unix(path),
        };
        if let Err(error) = tried {
            faults.push(refused(listener, &error));
        }
    }
}

/// Whether the two have a protocol in common.
fn share(a: Transport, b: Transport) -> bool {
    !matches!((a, b), (Transport::Tcp, Transport::Udp) | (Transport::Udp, Transport::Tcp))
}

/// Whether the two cannot both listen: the same port on the same address, or on all addresses of its family.
/// Port 0 is any free one.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let (one, other) = (a.ip(), b.ip());
    let same_family = one.is_ipv4() == other.is_ipv4();
    let overlap = one == other || same_family && (one.is_unspecified() || other.is_unspecified());
    a.port() == b.port() && a.port() != 0 && overlap
}

fn refused(listener: &Listener, error: &io::Error) -> Fault {
    let place = &listener.listening.place;
    let fault = Fault::error(listener.place.clone(), format!("cannot listen on {place}")).label(reason(error));
    let Place::Tcp(address) = place else { return fault };
    let (kind, port) = (error.kind(), address.port());
    let hint = if kind == io::ErrorKind::AddrInUse {
        Some(format!("`ss -lntup 'sport = :{port}'` shows who has it; stop that, or choose another port"))
    } else if kind == io::ErrorKind::AddrNotAvailable {
        Some("no interface of this machine has the address; `ip address` shows them".into())
    } else if kind == io::ErrorKind::PermissionDenied && port < 1024 {
        Some("ports below 1024 want the capability CAP_NET_BIND_SERVICE".into())
    } else {
        None
    };
    fault.hint(hint)
}

/// What the system says, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// Whether strangers can reach a listener there: neither loopback nor an address of a private network.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_collides() {
        let cases = [
            ("127.0.0.1:53", "127.0.0.1:53", true),
            ("127.0.0.1:53", "127.0.0.1:54", false),
            ("127.0.0.1:53", "127.0.0.2:53", false),
            ("0.0.0.0:53", "127.0.0.2:53", true),
            ("0.0.0.0:53", "[::]:53", false),
            ("[::]:53", "[::1]:53", true),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ];
        for (a, b, wanted) in cases {
            assert_eq!(collide(a.parse().unwrap(), b.parse().unwrap()), wanted, "{a} {b}");
            assert_eq!(collide(b.parse().unwrap(), a.parse().unwrap()), wanted, "{b} {a}");
        }
    }

    #[test]
    fn what_strangers_reach() {
        for (address, wanted) in [
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("fd00::1", false),
            ("::ffff:192.168.0.1", false),
            ("0.0.0.0", true),
            ("::", true),
            ("203.0.113.1", true),
            ("2001:db8::1", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), wanted, "{address}");
        }
    }
}
