//! Sockets that a process hands to the program that takes its place, so that clients who come meanwhile wait to be accepted
//! instead of being refused, and those who have come are still connected.
#![expect(
    unsafe_code,
    reason = "descriptors that another program left open: the standard library has no safe way to them"
)]

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use super::handover::{Parted, Told};
use super::stream::{Listener, Place, Stream};

/// What was handed to this process and is still to be used.
static INHERITED: Mutex<Inherited> =
    Mutex::new(Inherited { sockets: Vec::new(), datagrams: Vec::new(), clients: Vec::new() });

struct Inherited {
    sockets: Vec<(Place, Listener)>,
    /// Of these several may share an address.
    datagrams: Vec<(SocketAddr, UdpSocket)>,
    clients: Vec<(Place, Parted)>,
}

/// Where a socket is that is handed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Spot {
    /// It listens there.
    Stream(Place),
    /// It takes datagrams there.
    Datagrams(SocketAddr),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(place) => place.fmt(f),
            Self::Datagrams(address) => write!(f, "udp:{address}"),
        }
    }
}

/// A second descriptor of a socket, which stays open when another program takes the place of this one.
pub fn lasting(socket: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::dup(socket)?)
}

/// The lowest descriptor that is no standard stream.
const FIRST: RawFd = 3;

/// Takes over what a [`super::HandedOver`] has named; what does not listen where it should is left alone. To be called once,
/// before anything else is opened. Where the sockets are.
pub fn inherit(sockets: &str, clients: &str) -> Vec<Spot> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.clients.extend(told_of(clients).unwrap_or_default());
    sockets.lines().filter_map(|line| inherited.socket(line)).collect()
}

/// Closes the sockets that are not wanted.
pub fn keep_inherited(is_wanted: impl Fn(&Spot) -> bool) {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.sockets.retain(|(place, _)| is_wanted(&Spot::Stream(place.clone())));
    inherited.datagrams.retain(|(address, _)| is_wanted(&Spot::Datagrams(*address)));
}

/// Closes what nobody wanted.
pub fn close_inherited() {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.sockets.clear();
    inherited.datagrams.clear();
    inherited.clients.clear();
}

/// The socket that listens there already, if one was handed over.
pub fn take(place: &Place) -> Option<Listener> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    let number = inherited.sockets.iter().position(|(other, _)| other == place)?;
    Some(inherited.sockets.swap_remove(number).1)
}

/// The sockets that take datagrams there already, if some were handed over.
pub fn take_datagrams(address: SocketAddr) -> Vec<UdpSocket> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.datagrams.extract_if(.., |(other, _)| *other == address).map(|(_, socket)| socket).collect()
}

/// The clients that came there.
pub(super) fn take_clients(place: &Place) -> Vec<Parted> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.clients.extract_if(.., |(other, _)| other == place).map(|(_, client)| client).collect()
}

impl Inherited {
    /// The socket that a line names.
    fn socket(&mut self, line: &str) -> Option<Spot> {
        let (number, spot) = line.split_once(' ')?;
        let socket = owned(number.parse().ok()?)?;
        if let Some(address) = spot.strip_prefix("udp:") {
            let (address, socket) = (address.parse().ok()?, UdpSocket::from(socket));
            let is_there = socket.local_addr().is_ok_and(|there| there == address);
            is_there.then(|| self.datagrams.push((address, socket)))?;
            return Some(Spot::Datagrams(address));
        }
        let place = parse(spot)?;
        let listener = match place {
            Place::Unix(_) => Listener::Unix(UnixListener::from(socket)),
            Place::Tcp(_) => Listener::Tcp(TcpListener::from(socket)),
        };
        let is_there = listener.place().is_ok_and(|there| there == place);
        is_there.then(|| self.sockets.push((place.clone(), listener)))?;
        Some(Spot::Stream(place))
    }
}

fn told_of(file: &str) -> Option<Vec<(Place, Parted)>> {
    let mut file = File::from(owned(file.parse().ok()?)?);
    let mut told = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut told)).ok()?;
    let mut rest = &told[..];
    Some(core::iter::from_fn(|| Told::next(&mut rest)).filter_map(|told| client(&told)).collect())
}

fn client(told: &Told<'_>) -> Option<(Place, Parted)> {
    let socket = owned(told.number)?;
    let place = parse(core::str::from_utf8(told.place).ok()?)?;
    let stream = match place {
        Place::Unix(_) => Stream::Unix(UnixStream::from(socket)),
        Place::Tcp(_) => Stream::Tcp(TcpStream::from(socket)),
    };
    let (stream, state, unread) = (Arc::new(stream), told.state.to_vec(), told.unread.to_vec());
    Some((place, Parted { stream, state, unread }))
}

fn parse(place: &str) -> Option<Place> {
    match place.strip_prefix("unix:") {
        Some(path) => Some(Place::Unix(path.into())),
        None => place.parse().ok().map(Place::Tcp),
    }
}

/// A descriptor that was left open for this process.
fn owned(number: RawFd) -> Option<OwnedFd> {
    if number < FIRST {
        return None;
    }
    // SAFETY: it is only asked whether there is such a descriptor; the system says if not.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed).ok()?;
    // What this process has opened itself goes no further; what it was handed does.
    if flags.contains(FdFlags::CLOEXEC) {
        return None;
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, and nobody in this process has it: what the process opens itself is closed on exec.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}
