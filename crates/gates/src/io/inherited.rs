//! Sockets that a process hands to the program that takes its place, so that clients who come meanwhile wait to be accepted
//! instead of being refused, and those who have come are still connected.
#![expect(
    unsafe_code,
    reason = "descriptors that another program left open: the standard library has no safe way to them"
)]

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use super::handover::{Parted, Told};
use super::stream::{Listener, Place, Stream};

/// What was handed to this process and is still to be used.
static INHERITED: Mutex<Inherited> = Mutex::new(Inherited { sockets: Vec::new(), clients: Vec::new() });

struct Inherited {
    sockets: Vec<(Place, Listener)>,
    clients: Vec<(Place, Parted)>,
}

/// The lowest descriptor that is no standard stream.
const FIRST: RawFd = 3;

/// Takes over what a [`super::HandedOver`] has named; what does not listen where it should is left alone. To be called once,
/// before anything else is opened. Where it listens.
pub fn inherit(sockets: &str, clients: &str) -> Vec<Place> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.sockets.extend(sockets.lines().filter_map(listener));
    inherited.clients.extend(told_of(clients).unwrap_or_default());
    inherited.sockets.iter().map(|(place, _)| place.clone()).collect()
}

/// Closes what nobody wanted.
pub fn close_inherited() {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.sockets.clear();
    inherited.clients.clear();
}

/// The socket that listens there already, if one was handed over.
pub(super) fn take(place: &Place) -> Option<Listener> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    let number = inherited.sockets.iter().position(|(other, _)| other == place)?;
    Some(inherited.sockets.swap_remove(number).1)
}

/// The clients that came there.
pub(super) fn take_clients(place: &Place) -> Vec<Parted> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.clients.extract_if(.., |(other, _)| other == place).map(|(_, client)| client).collect()
}

fn listener(line: &str) -> Option<(Place, Listener)> {
    let (number, place) = line.split_once(' ')?;
    let (socket, place) = (owned(number.parse().ok()?)?, parse(place)?);
    let listener = match place {
        Place::Unix(_) => Listener::Unix(UnixListener::from(socket)),
        Place::Tcp(_) => Listener::Tcp(TcpListener::from(socket)),
    };
    listener.place().is_ok_and(|there| there == place).then_some((place, listener))
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
