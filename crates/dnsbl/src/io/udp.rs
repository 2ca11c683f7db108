//! Datagrams: one thread with one socket each; the kernel spreads the clients over the sockets (`SO_REUSEPORT`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::thread;

use listings::Reader;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Shared;
use super::inherited::take_udp;
use super::mmsg::{Batch, force_receive_buffer, tell_destinations};
use crate::serve::Counters;

/// The receive buffer that is asked for: some 5,000 queries, which outlasts any pause of the thread.
pub(super) const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// The send buffer that is asked for: a batch of the largest replies, as the kernel counts them, and the one before it.
const SEND_BUFFER_BYTES: usize = 512 << 10;

/// How long a thread sleeps when nothing comes: it then looks whether it shall stop, and lets an old snapshot go.
const IDLE: Duration = Duration::from_millis(250);

/// How long sending may wait for room before the reply is given up.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);

/// How long a thread rests after an error of the socket, so that a lasting one does not take the core.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// What one UDP thread counts besides the outcomes.
#[derive(Debug, Default)]
pub(super) struct UdpCounters {
    /// Replies that the kernel did not take.
    pub(super) unsent: AtomicU64,
    /// Errors of receiving.
    pub(super) errors: AtomicU64,
}

/// The socket at `address` that was handed over, or a new one, with the receive buffer that it got in octets. Where several
/// threads serve the address, their sockets share the port.
pub(super) fn bound(address: SocketAddr, is_shared: bool) -> io::Result<(Socket, usize)> {
    let socket = match take_udp(address).map(Socket::from) {
        // A second one is to be bound beside the first: the port is shared from now on.
        Some(socket) => socket.set_reuse_port(is_shared).map(|()| socket),
        None => bind(address, is_shared),
    }?;
    // The kernel doubles what it is asked for, to have room for its own bookkeeping, and reports the double.
    let granted = socket.recv_buffer_size()? / 2;
    Ok((socket, granted))
}

/// Sends a datagram of nothing to each of our own addresses, so that threads that wait for questions look up.
pub(super) fn wake(own: &[SocketAddr]) {
    for address in own {
        let loopback: IpAddr = if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        let ip = if address.ip().is_unspecified() { loopback } else { address.ip() };
        // Another port each time, so that each of the sockets that share the address gets one soon. Without it the threads look
        // up a little later.
        drop(UdpSocket::bind((ip, 0)).and_then(|socket| socket.send_to(&[], (ip, address.port()))));
    }
}

fn bind(address: SocketAddr, is_shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(is_shared)?;
    if force_receive_buffer(&socket, RECEIVE_BUFFER_BYTES).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    }
    if address.ip().is_unspecified() {
        tell_destinations(&socket, address.is_ipv4())?;
    }
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_read_timeout(Some(IDLE))?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

/// Answers until it shall stop.
pub(super) fn serve(shared: &Shared, mut reader: Reader, socket: &Socket, counters: &Counters, own: &UdpCounters) {
    let is_wild = socket.local_addr().ok().and_then(|own| own.as_socket()).is_none_or(|own| own.ip().is_unspecified());
    let mut batch = Batch::new(is_wild);
    while !shared.is_stopping() {
        let count = match batch.receive(socket) {
            Ok(count) => count,
            Err(error) => {
                if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    own.errors.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(ERROR_PAUSE);
                }
                0
            }
        };
        let snapshot = reader.snapshot();
        let (buffers, lengths, peers) = batch.messages(count);
        let client = |index| peers.address(index);
        shared.responder.answer_batch(snapshot, super::now(), buffers, lengths, client, counters);
        let unsent = batch.send(socket, count);
        if unsent > 0 {
            own.unsent.fetch_add(unsent as u64, Ordering::Relaxed);
        }
    }
}
