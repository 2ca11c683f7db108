//! A syslog listener: UDP, TCP, unix datagrams, all in one thread.

use core::time::Duration;
use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Instant;

use base::limits::LINE_BYTES_MAX;
use base::{Address, Network};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::sources::syslog::{Messages, first_line};

/// Most TCP connections at one time. One more takes the place of the one that was silent longest.
pub const CONNECTIONS_MAX: usize = 256;

/// How much is taken from one socket before the others have their turn, in datagrams or reads.
const TURN_MAX: usize = 64;

/// How much is read from a connection at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where lines come in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyslogSettings {
    /// UDP, as RFC 5426 has it.
    pub udp: Option<SocketAddr>,
    /// TCP, as RFC 6587 has it.
    pub tcp: Option<SocketAddr>,
    /// A unix datagram socket, such as `/dev/log`. A socket that is there is replaced.
    pub unix: Option<PathBuf>,
    /// Who may send over the network. Everybody else's lines are counted and dropped.
    pub allow: Vec<Network>,
}

/// What a listener has met since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SyslogCounters {
    /// Lines handed out.
    pub lines: u64,
    /// Datagrams and connections of those who may not send.
    pub refused: u64,
    /// Lines that were longer than [`LINE_BYTES_MAX`], of which the end was cut off.
    pub cut: u64,
    /// Connections that made room for others.
    pub displaced: u64,
}

/// Listens; made to be asked in a loop by a thread of its own.
#[derive(Debug)]
pub struct SyslogListener {
    settings: SyslogSettings,
    udp: Option<UdpSocket>,
    tcp: Option<TcpListener>,
    unix: Option<UnixDatagram>,
    connections: Vec<Connection>,
    buffer: Box<[u8]>,
    counters: SyslogCounters,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    messages: Messages,
    /// When it last sent something.
    heard: Instant,
}

impl SyslogListener {
    /// Opens the sockets.
    pub fn bind(settings: SyslogSettings) -> io::Result<Self> {
        let udp = settings.udp.map(UdpSocket::bind).transpose()?;
        let tcp = settings.tcp.map(TcpListener::bind).transpose()?;
        let unix = settings.unix.as_ref().map(bind_unix).transpose()?;
        udp.as_ref().map_or(Ok(()), |udp| udp.set_nonblocking(true))?;
        tcp.as_ref().map_or(Ok(()), |tcp| tcp.set_nonblocking(true))?;
        unix.as_ref().map_or(Ok(()), |unix| unix.set_nonblocking(true))?;
        let buffer = vec![0; CHUNK_BYTES.max(LINE_BYTES_MAX + 1)].into_boxed_slice();
        let (connections, counters) = (Vec::new(), SyslogCounters::default());
        Ok(Self { settings, udp, tcp, unix, connections, buffer, counters })
    }

    /// Hands the next lines to `out`, as soon as there are any; none after `timeout`.
    pub fn next(&mut self, timeout: Duration, out: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        if !self.wait(timeout)? {
            return Ok(());
        }
        let counters = &mut self.counters;
        let mut lines = 0;
        let mut out = |line: &[u8]| {
            lines += 1;
            out(line);
        };
        if let Some(unix) = &self.unix {
            datagrams(&mut self.buffer, counters, |buffer| unix.recv(buffer).map(|count| (count, true)), &mut out)?;
        }
        if let Some(udp) = &self.udp {
            let allow = &self.settings.allow;
            let receive = |buffer: &mut [u8]| udp.recv_from(buffer).map(|(count, from)| (count, may_send(allow, from)));
            datagrams(&mut self.buffer, counters, receive, &mut out)?;
        }
        self.connections.retain_mut(|connection| connection.read(&mut self.buffer, counters, &mut out));
        counters.lines += lines;
        self.accept()
    }

    /// What was met so far.
    pub const fn counters(&self) -> SyslogCounters {
        self.counters
    }

    /// The address of the UDP socket, for a port that the system chose.
    pub fn udp_address(&self) -> Option<SocketAddr> {
        self.udp.as_ref().and_then(|udp| udp.local_addr().ok())
    }

    /// The address of the TCP socket.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok())
    }

    /// Waits until a socket has something; whether one has.
    fn wait(&self, timeout: Duration) -> io::Result<bool> {
        let mut all = Vec::with_capacity(3 + self.connections.len());
        all.extend(self.udp.iter().map(|socket| PollFd::new(socket, PollFlags::IN)));
        all.extend(self.tcp.iter().map(|socket| PollFd::new(socket, PollFlags::IN)));
        all.extend(self.unix.iter().map(|socket| PollFd::new(socket, PollFlags::IN)));
        all.extend(self.connections.iter().map(|connection| PollFd::new(&connection.stream, PollFlags::IN)));
        let time = Timespec { tv_sec: timeout.as_secs().cast_signed(), tv_nsec: timeout.subsec_nanos().into() };
        match poll(&mut all, Some(&time)) {
            Ok(count) => Ok(count > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let Some(tcp) = &self.tcp else { return Ok(()) };
        for _ in 0..TURN_MAX {
            let (stream, from) = match tcp.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The client went away in between.
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !may_send(&self.settings.allow, from) {
                self.counters.refused += 1;
                continue;
            }
            stream.set_nonblocking(true)?;
            if self.connections.len() >= CONNECTIONS_MAX {
                let silent = self.connections.iter().enumerate().min_by_key(|(_, c)| c.heard).map(|(at, _)| at);
                if let Some(at) = silent {
                    self.connections.swap_remove(at);
                }
                self.counters.displaced += 1;
            }
            self.connections.push(Connection { stream, messages: Messages::default(), heard: Instant::now() });
        }
        Ok(())
    }
}

impl Drop for SyslogListener {
    fn drop(&mut self) {
        if let Some(path) = &self.settings.unix {
            // The next start replaces what cannot be removed.
            drop(fs::remove_file(path));
        }
    }
}

impl Connection {
    /// Reads what is there; whether the connection is still open.
    fn read(&mut self, buffer: &mut [u8], counters: &mut SyslogCounters, out: &mut dyn FnMut(&[u8])) -> bool {
        let cut = self.messages.cut();
        let is_open = self.read_on(buffer, out);
        counters.cut += self.messages.cut() - cut;
        is_open
    }

    fn read_on(&mut self, buffer: &mut [u8], out: &mut dyn FnMut(&[u8])) -> bool {
        for _ in 0..TURN_MAX {
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.messages.close(out);
                    return false;
                }
                Ok(count) => {
                    self.heard = Instant::now();
                    self.messages.push(&buffer[..count], out);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.messages.close(out);
                    return false;
                }
            }
        }
        true
    }
}

/// Takes datagrams, each of which is a message, of which the first line counts.
fn datagrams(
    buffer: &mut [u8],
    counters: &mut SyslogCounters,
    mut receive: impl FnMut(&mut [u8]) -> io::Result<(usize, bool)>,
    out: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    for _ in 0..TURN_MAX {
        match receive(buffer) {
            Ok((_, false)) => counters.refused += 1,
            Ok((count, true)) => {
                let (message, is_cut) = first_line(&buffer[..count.min(LINE_BYTES_MAX)]);
                counters.cut += u64::from(is_cut || count > LINE_BYTES_MAX);
                if !message.is_empty() {
                    out(message);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // Interrupted, or told of a fault of an earlier datagram of somebody else.
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn may_send(allow: &[Network], from: SocketAddr) -> bool {
    let from = Address::new(from.ip());
    allow.iter().any(|network| network.contains(from))
}

/// A datagram socket at `path`, to which the owner and the group may send.
fn bind_unix(path: &PathBuf) -> io::Result<UnixDatagram> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = UnixDatagram::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(socket)
}
