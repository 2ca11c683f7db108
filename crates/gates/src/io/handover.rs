use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};

use super::inherited::Spot;
use super::stream::{Place, Stream};

/// Most that clients have said of requests that are not there whole, and what their dialogues know, in bytes, of all clients
/// together. Beyond it such clients are not handed over: they come again.
const SAID_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a process leaves to the program that takes its place: the sockets at which it listens, and its clients, each between a
/// whole answer and the next request. Dropping it closes them.
#[derive(Default)]
pub struct HandedOver {
    pub(super) sockets: Vec<(Spot, OwnedFd)>,
    pub(super) clients: Vec<(Place, Parted)>,
}

/// A client that somebody else goes on with.
pub(super) struct Parted {
    pub(super) stream: Arc<Stream>,
    /// What its dialogue knows ([`crate::session::Dialogue::carried`]).
    pub(super) state: Vec<u8>,
    /// The first part of its next request.
    pub(super) unread: Vec<u8>,
}

impl HandedOver {
    /// Adds what another server leaves.
    pub fn add(&mut self, other: Self) {
        self.sockets.extend(other.sockets);
        self.clients.extend(other.clients);
    }

    /// Adds sockets at which others than gates are asked.
    pub fn add_sockets(&mut self, sockets: Vec<(Spot, OwnedFd)>) {
        self.sockets.extend(sockets);
    }

    /// How many clients there are.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Names the sockets for [`super::inherit`].
    pub fn sockets_named(&self) -> String {
        self.sockets.iter().fold(String::new(), |mut text, (spot, socket)| {
            // A String takes all.
            _ = writeln!(text, "{} {spot}", socket.as_raw_fd());
            text
        })
    }

    /// Has the clients' connections stay open when another program begins, and names a file without a name that tells of them,
    /// for [`super::inherit`]: variables of the environment are too short for all of them.
    pub fn clients_named(&self) -> io::Result<String> {
        let (mut told, mut said) = (Vec::new(), 0);
        for (place, Parted { stream, state, unread }) in &self.clients {
            said += state.len() + unread.len();
            if state.len() + unread.len() > 0 && said > SAID_BYTES_MAX {
                continue;
            }
            fcntl_setfd(stream.as_fd(), FdFlags::empty())?;
            told.extend_from_slice(&stream.as_fd().as_raw_fd().to_le_bytes());
            for part in [place.to_string().as_bytes(), state, unread] {
                told.extend_from_slice(&(part.len() as u32).to_le_bytes());
                told.extend_from_slice(part);
            }
        }
        let mut file = File::from(memfd_create("ratter-clients", MemfdFlags::empty())?);
        file.write_all(&told)?;
        // It is closed by the program that reads it.
        Ok(std::os::fd::IntoRawFd::into_raw_fd(file).to_string())
    }
}

/// One client as [`HandedOver::clients_named`] has told of it.
pub(super) struct Told<'a> {
    pub(super) number: RawFd,
    pub(super) place: &'a [u8],
    pub(super) state: &'a [u8],
    pub(super) unread: &'a [u8],
}

impl<'a> Told<'a> {
    /// The next of those that `bytes` tell of.
    pub(super) fn next(bytes: &mut &'a [u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        let number = RawFd::from_le_bytes(*number);
        Some(Self { number, place: part(bytes)?, state: part(bytes)?, unread: part(bytes)? })
    }
}

fn part<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    Some(part)
}
