//! Sockets at which the process before this one was asked: questions that came meanwhile wait there for their answer.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

/// A socket that is asked.
#[derive(Debug)]
pub enum Asked {
    /// For datagrams; several may share one address.
    Udp(UdpSocket),
    /// For streams.
    Tcp(TcpListener),
}

/// What was handed to this process and is still to be used.
static INHERITED: Mutex<Vec<(SocketAddr, Asked)>> = Mutex::new(Vec::new());

/// Servers that are started from now on listen with this socket instead of one of their own, if they shall listen at that
/// address. To be called for each socket that is handed over and belongs here, which must be bound to it.
pub fn inherit(address: SocketAddr, socket: Asked) {
    INHERITED.lock().unwrap_or_else(PoisonError::into_inner).push((address, socket));
}

/// The listener at an address, if there is one.
pub(super) fn take_tcp(address: SocketAddr) -> Option<TcpListener> {
    take(address, |socket| matches!(socket, Asked::Tcp(_))).and_then(|socket| match socket {
        Asked::Tcp(listener) => Some(listener),
        Asked::Udp(_) => None,
    })
}

/// One of the sockets for datagrams at an address, if there is one.
pub(super) fn take_udp(address: SocketAddr) -> Option<UdpSocket> {
    take(address, |socket| matches!(socket, Asked::Udp(_))).and_then(|socket| match socket {
        Asked::Udp(socket) => Some(socket),
        Asked::Tcp(_) => None,
    })
}

/// Closes what nobody wanted.
pub fn close_inherited() {
    INHERITED.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

fn take(address: SocketAddr, is_wanted: impl Fn(&Asked) -> bool) -> Option<Asked> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = inherited.iter().position(|(at, socket)| *at == address && is_wanted(socket))?;
    Some(inherited.remove(place).1)
}
