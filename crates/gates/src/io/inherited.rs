//! Listening sockets that a process hands to the program that takes its place, so that clients who come meanwhile wait to be
//! accepted instead of being refused.
#![expect(
    unsafe_code,
    reason = "descriptors that another program left open: the standard library has no safe way to them"
)]

use std::fmt::{self, Write as _};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::sync::{Mutex, PoisonError};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use super::stream::{Listener, Place};

/// What was handed to this process and is still to be used.
static INHERITED: Mutex<Vec<(Place, Listener)>> = Mutex::new(Vec::new());

/// The same of sockets for datagrams, of which several may share an address.
static DATAGRAMS: Mutex<Vec<(SocketAddr, UdpSocket)>> = Mutex::new(Vec::new());

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

/// Names sockets for [`inherit`]; they must be open when the other program begins.
pub fn handed_over(sockets: &[(Spot, OwnedFd)]) -> String {
    sockets.iter().fold(String::new(), |mut text, (spot, socket)| {
        // A String takes all.
        _ = writeln!(text, "{} {spot}", socket.as_raw_fd());
        text
    })
}

/// Takes over what [`handed_over`] has named; what does not listen where it should is left alone. To be called once, before
/// anything else is opened. Where they are.
pub fn inherit(text: &str) -> Vec<Spot> {
    text.lines().filter_map(one).collect()
}

/// Closes what nobody wanted.
pub fn close_inherited() {
    INHERITED.lock().unwrap_or_else(PoisonError::into_inner).clear();
    DATAGRAMS.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The sockets that take datagrams there already, if some were handed over.
pub fn take_datagrams(address: SocketAddr) -> Vec<UdpSocket> {
    let mut inherited = DATAGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = inherited.extract_if(.., |(other, _)| *other == address);
    taken.map(|(_, socket)| socket).collect()
}

/// The socket that listens there already, if one was handed over.
pub fn take(place: &Place) -> Option<Listener> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    let number = inherited.iter().position(|(other, _)| other == place)?;
    Some(inherited.swap_remove(number).1)
}

fn one(line: &str) -> Option<Spot> {
    let (number, place) = line.split_once(' ')?;
    let number = number.parse::<RawFd>().ok().filter(|number| *number >= FIRST)?;
    // SAFETY: it is only asked whether there is such a descriptor; the system says if not.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed).ok()?;
    // What this process has opened itself goes no further; what it was handed does.
    if flags.contains(FdFlags::CLOEXEC) {
        return None;
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, and nobody in this process has it: what the process opens itself is closed on exec.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    if let Some(address) = place.strip_prefix("udp:") {
        let (address, socket) = (address.parse().ok()?, UdpSocket::from(socket));
        if socket.local_addr().is_ok_and(|there| there == address) {
            DATAGRAMS.lock().unwrap_or_else(PoisonError::into_inner).push((address, socket));
            return Some(Spot::Datagrams(address));
        }
        return None;
    }
    let listener = match place.strip_prefix("unix:") {
        Some(_) => Listener::Unix(UnixListener::from(socket)),
        None => Listener::Tcp(TcpListener::from(socket)),
    };
    let place = match place.strip_prefix("unix:") {
        Some(path) => Place::Unix(path.into()),
        None => Place::Tcp(place.parse().ok()?),
    };
    if listener.place().is_ok_and(|there| there == place) {
        INHERITED.lock().unwrap_or_else(PoisonError::into_inner).push((place.clone(), listener));
        return Some(Spot::Stream(place));
    }
    None
}
