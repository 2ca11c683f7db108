use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::{NETFILTER, SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with, sockopt,
};

use crate::nft::{Answer, answers};

/// How long the kernel may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that are read at a time: more than the kernel puts into one answer.
const READ_BYTES: usize = 64 * 1024;

/// Room for answers and questions, in bytes.
const SOCKET_BYTES: usize = 4 * 1024 * 1024;

/// A socket to a part of the kernel.
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
    read: Vec<u8>,
}

impl Netlink {
    /// To nftables.
    pub(super) fn nftables() -> io::Result<Self> {
        Self::open(NETFILTER)
    }

    /// To what knows of connections.
    pub(super) fn connections() -> io::Result<Self> {
        Self::open(SOCK_DIAG)
    }

    fn open(protocol: rustix::net::Protocol) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol))?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        // Without the right to more room the usual must do, and large answers take more turns.
        sockopt::set_socket_send_buffer_size_force(&socket, SOCKET_BYTES).unwrap_or_default();
        sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BYTES).unwrap_or_default();
        Ok(Self { socket, sequence: 0, read: vec![0; READ_BYTES] })
    }

    /// A number for the next message. Batches number their own on from it.
    pub(super) fn next_sequence(&mut self, messages: u32) -> u32 {
        let first = self.sequence.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(messages + 1);
        first
    }

    /// Sends messages and hands out the answers until that to the message `last` says that it is over.
    pub(super) fn ask(&mut self, bytes: &[u8], last: u32, mut take: impl FnMut(&Answer<'_>)) -> io::Result<()> {
        let sent = send(&self.socket, bytes, SendFlags::empty())?;
        if sent != bytes.len() {
            return Err(io::Error::other("the kernel took a part of a message only"));
        }
        let mut failure = None;
        loop {
            let length = self.receive()?;
            for answer in answers(&self.read[..length]) {
                match answer {
                    // Of a batch that failed each message may have its own error; the first one says why.
                    Answer::Status { errno, .. } if errno != 0 => {
                        failure.get_or_insert_with(|| io::Error::from_raw_os_error(errno));
                    }
                    Answer::Status { sequence, .. } | Answer::Done { sequence } if sequence == last => {
                        return failure.map_or(Ok(()), Err);
                    }
                    Answer::Status { .. } | Answer::Done { .. } | Answer::Data { .. } => take(&answer),
                }
            }
            if let Some(failure) = failure.take() {
                // What else was said to the same message is of no use.
                self.drain();
                return Err(failure);
            }
        }
    }

    /// Sends a question that has one answer.
    pub(super) fn ask_one<T>(&mut self, bytes: &[u8], of: impl Fn(&Answer<'_>) -> Option<T>) -> io::Result<T> {
        send(&self.socket, bytes, SendFlags::empty())?;
        let length = self.receive()?;
        for answer in answers(&self.read[..length]) {
            if let Answer::Status { errno, .. } = answer
                && errno != 0
            {
                return Err(io::Error::from_raw_os_error(errno));
            }
            if let Some(found) = of(&answer) {
                return Ok(found);
            }
        }
        Err(io::Error::other("the kernel answered something else"))
    }

    fn receive(&mut self) -> io::Result<usize> {
        // The kernel answers while it is asked, so that the answer is there.
        match recv(&self.socket, &mut self.read[..], RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => {}
            result => return Ok(result?.1.min(READ_BYTES)),
        }
        let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
        let mut ready = [PollFd::new(&self.socket, PollFlags::IN)];
        if poll(&mut ready, Some(&patience))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let (_, length) = recv(&self.socket, &mut self.read[..], RecvFlags::empty())?;
        Ok(length.min(READ_BYTES))
    }

    fn drain(&mut self) {
        loop {
            match recv(&self.socket, &mut self.read[..], RecvFlags::DONTWAIT) {
                // It overflowed, which is told once, or there is something that nobody wants.
                Err(Errno::NOBUFS) | Ok((_, 1..)) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}
