//! Listening sockets that a process hands to the program that takes its place, so that clients who come meanwhile wait to be
//! accepted instead of being refused.
#![expect(
    unsafe_code,
    reason = "descriptors that another program left open: the standard library has no safe way to them"
)]

use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::sync::{Mutex, PoisonError};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use super::stream::{Listener, Place};

/// What was handed to this process and is still to be used.
static INHERITED: Mutex<Vec<(Place, Listener)>> = Mutex::new(Vec::new());

/// The lowest descriptor that is no standard stream.
const FIRST: RawFd = 3;

/// Names sockets for [`inherit`]; they must be open when the other program begins.
pub fn handed_over(sockets: &[(Place, OwnedFd)]) -> String {
    sockets.iter().fold(String::new(), |mut text, (place, socket)| {
        // A String takes all.
        _ = writeln!(text, "{} {place}", socket.as_raw_fd());
        text
    })
}

/// Takes over what [`handed_over`] has named; what does not listen where it should is left alone. To be called once, before
/// anything else is opened. Where it listens.
pub fn inherit(text: &str) -> Vec<Place> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    inherited.extend(text.lines().filter_map(one));
    inherited.iter().map(|(place, _)| place.clone()).collect()
}

/// Closes what nobody wanted.
pub fn close_inherited() {
    INHERITED.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The socket that listens there already, if one was handed over.
pub(super) fn take(place: &Place) -> Option<Listener> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    let number = inherited.iter().position(|(other, _)| other == place)?;
    Some(inherited.swap_remove(number).1)
}

fn one(line: &str) -> Option<(Place, Listener)> {
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
    let listener = match place.strip_prefix("unix:") {
        Some(_) => Listener::Unix(UnixListener::from(socket)),
        None => Listener::Tcp(TcpListener::from(socket)),
    };
    let place = match place.strip_prefix("unix:") {
        Some(path) => Place::Unix(path.into()),
        None => Place::Tcp(place.parse().ok()?),
    };
    listener.place().is_ok_and(|there| there == place).then_some((place, listener))
}
