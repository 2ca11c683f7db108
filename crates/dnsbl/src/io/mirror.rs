//! Connections to primaries: a thread for each mirrored zone, which waits for the primary so that nobody else has to.

#![expect(clippy::disallowed_methods, reason = "transfers have deadlines, and this is the shell that has a clock")]

use core::hash::BuildHasher as _;
use core::time::Duration;
use std::hash::RandomState;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use super::tcp::whole_message;
use super::{Shared, now};
use crate::mirror::{Ask, Follower, Input, Slot};

/// How long a primary may take to let us in, and for each message.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(20);

/// How long one transfer may take in all.
const TRANSFER_TIME_MAX: Duration = Duration::from_hours(1);

/// How long reading waits before it is looked whether the thread shall stop; the same for waiting for time to pass.
const TICK: Duration = Duration::from_millis(250);

/// Follows the zone until the server stops.
pub(super) fn run(shared: &Shared, slot: &Slot) {
    // Whoever tells of a change wakes this thread.
    drop(slot.waiter.set(thread::current()));
    let mut follower = Follower::new(slot, RandomState::new().hash_one("the first request"));
    while !shared.is_stopping() {
        let mut ask = follower.handle(now(), Input::Tick);
        while let Some(wanted) = ask.take() {
            ask = exchange(shared, &mut follower, &wanted);
        }
        let wait = follower.next_deadline().since(now());
        if !wait.is_zero() {
            thread::park_timeout(wait.min(TICK));
        }
    }
}

/// Sends one request and gives the follower what comes back. Returns the request that it has next.
fn exchange(shared: &Shared, follower: &mut Follower<'_>, ask: &Ask) -> Option<Ask> {
    match talk(shared, follower, ask) {
        Ok(next) => next,
        Err(error) => follower.handle(now(), Input::Lost(&error.to_string())),
    }
}

fn talk(shared: &Shared, follower: &mut Follower<'_>, ask: &Ask) -> io::Result<Option<Ask>> {
    let mut stream = TcpStream::connect_timeout(&ask.to, MESSAGE_TIME_MAX)?;
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(MESSAGE_TIME_MAX))?;
    stream.set_nodelay(true)?;
    let mut framed = (ask.message.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(&ask.message);
    stream.write_all(&framed)?;
    let end = Instant::now() + TRANSFER_TIME_MAX;
    let (mut input, mut at) = (Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    let mut message_end = Instant::now() + MESSAGE_TIME_MAX;
    loop {
        while let Some(message) = whole_message(&input[at..]) {
            at += 2 + message.len();
            let next = follower.handle(now(), Input::Message(message));
            if next.is_some() || !follower.is_asking() {
                return Ok(next);
            }
            message_end = Instant::now() + MESSAGE_TIME_MAX;
        }
        input.drain(..at);
        at = 0;
        if shared.is_stopping() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if Instant::now() > message_end.min(end) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the primary is too slow"));
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the primary closed the connection")),
            Ok(length) => input.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}
