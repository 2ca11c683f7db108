//! Sends notifications to secondaries, and waits for their answers: one thread, one socket for each family.

use core::hash::BuildHasher as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::hash::RandomState;
use std::net::UdpSocket;

use super::{Shared, now};
use crate::transfer::{Announcer, Telling};

/// How long an answer is waited for before it is looked what has changed.
const TICK: Duration = Duration::from_millis(250);

/// Most answers that are read before it is looked what has changed.
const ANSWERS_PER_TURN_MAX: usize = 64;

/// Announces changes until the server stops. Messages leave from the first of our own addresses of the family, because
/// secondaries heed only those of the servers that they know.
pub(super) fn run(shared: &Shared, own: &[SocketAddr]) {
    let Some(transfers) = shared.responder.transfers() else { return };
    let first_id = RandomState::new().hash_one("the first notification") as u16;
    let mut announcer = Announcer::new(shared.responder.zones(), transfers, first_id);
    let sockets = [socket(own, true), socket(own, false)];
    let mut buffer = [0; 1024];
    while !shared.is_stopping() {
        for Telling { to, message } in announcer.poll(now()) {
            if let Some(socket) = &sockets[usize::from(to.is_ipv6())] {
                // What cannot be sent now is sent again, like what is lost on the way.
                drop(socket.send_to(&message, to));
            }
        }
        let mut waited = false;
        for socket in sockets.iter().flatten() {
            for _ in 0..ANSWERS_PER_TURN_MAX {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { break };
                announcer.heard(from, &buffer[..length], now());
            }
            waited = true;
        }
        if !waited {
            std::thread::sleep(TICK);
        }
    }
}

/// A socket that sends from the address at which we are asked.
fn socket(own: &[SocketAddr], is_v4: bool) -> Option<UdpSocket> {
    let any: IpAddr = if is_v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let ip = own.iter().map(SocketAddr::ip).find(|ip| ip.is_ipv4() == is_v4)?;
    let socket = UdpSocket::bind((ip, 0)).or_else(|_| UdpSocket::bind((any, 0))).ok()?;
    socket.set_read_timeout(Some(TICK)).ok()?;
    Some(socket)
}
