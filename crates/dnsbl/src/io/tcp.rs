//! Streams: one thread serves all connections from memory, so it never waits for a client. Those within TLS have a thread
//! of the same kind, so that handshakes delay nobody else.
//!
//! A client may send queries one after another without waiting (RFC 7766); replies come in the same order, because
//! each is made at once. A connection costs what its unread query and its unsent replies take, both bounded.

#![expect(clippy::disallowed_methods, reason = "connections have deadlines, and this is the shell that has a clock")]

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;
use std::{mem, thread};

use base::{Address, Network};
use listings::Reader;
use rustix::event::{Timespec, epoll};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Shared;
use super::inherited::take_tcp;
use super::stream::{Found, READ_BYTES, Stream};
use super::tls::Tls;
use super::transfer::{self, Handover};
use crate::serve::{Asker, Counters, Transport};

/// Most connections at a time. One more is let in, and the one that has been silent for longest goes.
pub const TCP_CONNECTIONS_MAX: usize = 512;

/// Most connections of one IPv4 address or one IPv6 /64; one more is closed at once.
pub const TCP_CONNECTIONS_PER_CLIENT_MAX: usize = 64;

/// How long a connection may take for the next whole query and for taking the replies before it.
pub const TCP_IDLE: Duration = Duration::from_secs(10);

/// From so many octets of unsent replies on, no further query of a connection is read.
const UNSENT_BYTES_MAX: usize = 16 * 1024;

/// Buffers beyond this are given back when they are empty.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// Largest message of a stream: the length before it has two octets (RFC 1035 section 4.2.2).
pub(super) const MESSAGE_BYTES_MAX: usize = 0xffff;

/// How often deadlines are looked at, and whether the thread shall stop.
const TICK: Duration = Duration::from_millis(250);

/// How long connections are answered whose listener is handed over to another process, and how often it is looked.
const LAST_QUERIES_MAX: Duration = Duration::from_millis(100);
const LAST_TICK: Duration = Duration::from_millis(5);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 256;

/// Connections accepted before others get their turn.
const ACCEPTED_PER_TURN_MAX: usize = 64;

/// What the TCP thread counts besides the outcomes.
#[derive(Debug, Default)]
pub(super) struct TcpCounters {
    /// Connections accepted.
    pub(super) accepted: AtomicU64,
    /// Connections closed because there were too many, in all or of one client.
    pub(super) shed: AtomicU64,
    /// Connections closed because the client was too slow or silent.
    pub(super) idle: AtomicU64,
    /// Connections closed because the client's TLS made no sense or did not suit.
    pub(super) broken: AtomicU64,
}

/// A listening socket: the one that was handed over, or a new one.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if let Some(listener) = take_tcp(address) {
        return listener.set_nonblocking(true).map(|()| listener);
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a server that ended a moment ago must not keep this one from starting.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

struct Connection {
    stream: Stream,
    peer: Address,
    client: Network,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    deadline: Instant,
    /// What the poll is asked for.
    interest: epoll::EventFlags,
    /// The client has sent its last octet.
    is_ending: bool,
    /// Its next query is not for this thread.
    is_leaving: bool,
    /// Whether a query of it was answered.
    has_asked: bool,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stay,
    Close,
    /// Its next query asks for a zone.
    Leave,
}

pub(super) struct Tcp<'a> {
    shared: &'a Arc<Shared>,
    reader: Reader,
    counters: &'a Counters,
    own: &'a TcpCounters,
    poll: rustix::fd::OwnedFd,
    listeners: &'a [TcpListener],
    /// What clients are shown if the listeners are for TLS.
    tls: Option<&'a Tls>,
    connections: Vec<Option<Connection>>,
    reply: Vec<u8>,
    scratch: Box<[u8; READ_BYTES]>,
}

impl<'a> Tcp<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        reader: Reader,
        listeners: &'a [TcpListener],
        tls: Option<&'a Tls>,
        counters: &'a Counters,
        own: &'a TcpCounters,
    ) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (token, listener) in listeners.iter().enumerate() {
            epoll::add(&poll, listener, epoll::EventData::new_u64(token as u64), epoll::EventFlags::IN)?;
        }
        let (reply, scratch) = (vec![0; MESSAGE_BYTES_MAX], Box::new([0; READ_BYTES]));
        let connections = Vec::new();
        Ok(Self { shared, reader, counters, own, poll, listeners, tls, connections, reply, scratch })
    }

    /// Answers until it shall stop.
    pub(super) fn serve(&mut self) {
        let tick = Timespec { tv_sec: 0, tv_nsec: TICK.as_nanos() as _ };
        let mut events = Vec::with_capacity(64);
        let mut next_sweep = Instant::now() + TICK;
        while !self.shared.is_closing() {
            events.clear();
            if epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&tick)).is_err() {
                events.clear();
            }
            let now = Instant::now();
            for event in &events {
                let token = event.data.u64() as usize;
                match token.checked_sub(self.listeners.len()) {
                    None => self.accept(token, now),
                    Some(slot) => self.turn(slot, now),
                }
            }
            if now >= next_sweep {
                self.sweep(now);
                next_sweep = now + TICK;
            }
        }
    }

    /// Takes no new connections, and answers those that have asked, or are about to, for a moment more.
    pub(super) fn close(&mut self) {
        for listener in self.listeners {
            // It is in the poll.
            _ = epoll::delete(&self.poll, listener);
        }
        let end = Instant::now() + LAST_QUERIES_MAX;
        let tick = Timespec { tv_sec: 0, tv_nsec: LAST_TICK.as_nanos() as _ };
        let mut events = Vec::with_capacity(64);
        let is_asking =
            |connection: &Connection| !connection.input.is_empty() || connection.is_waiting() || !connection.has_asked;
        while self.connections.iter().flatten().any(is_asking) && Instant::now() < end && !self.shared.is_stopping() {
            events.clear();
            if epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&tick)).is_err() {
                events.clear();
            }
            for event in &events {
                if let Some(slot) = (event.data.u64() as usize).checked_sub(self.listeners.len()) {
                    self.turn(slot, Instant::now());
                }
            }
        }
    }

    fn accept(&mut self, listener: usize, now: Instant) {
        for _ in 0..ACCEPTED_PER_TURN_MAX {
            match self.listeners[listener].accept() {
                Ok((stream, peer)) => self.admit(stream, peer, now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Out of descriptors, most likely: rest a little, because the listener stays ready.
                Err(_) => return thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, now: Instant) {
        self.own.accepted.fetch_add(1, Ordering::Relaxed);
        let peer = Address::new(peer.ip());
        let client = peer.aggregate();
        let of_client = self.connections.iter().flatten().filter(|other| other.client == client).count();
        if of_client >= TCP_CONNECTIONS_PER_CLIENT_MAX || stream.set_nonblocking(true).is_err() {
            self.own.shed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let slot = self.free_slot();
        let interest = epoll::EventFlags::IN;
        let token = epoll::EventData::new_u64((self.listeners.len() + slot) as u64);
        // A connection for which there is no TLS has a system without randomness: there is nothing to say to it.
        let stream = match self.tls.map(Tls::connection) {
            None => Stream::plain(stream),
            Some(Ok(tls)) => Stream::tls(stream, tls),
            Some(Err(_)) => return,
        };
        if epoll::add(&self.poll, &stream.socket, token, interest).is_ok() {
            let (input, output) = (Vec::new(), Vec::new());
            let deadline = now + TCP_IDLE;
            let connection = Connection {
                stream,
                peer,
                client,
                input,
                output,
                sent: 0,
                deadline,
                interest,
                is_ending: false,
                is_leaving: false,
                has_asked: false,
            };
            self.connections[slot] = Some(connection);
        }
    }

    /// A slot without a connection; where all have one, the one that has been silent for longest is closed.
    fn free_slot(&mut self) -> usize {
        if let Some(slot) = self.connections.iter().position(Option::is_none) {
            return slot;
        }
        if self.connections.len() < TCP_CONNECTIONS_MAX {
            self.connections.push(None);
            return self.connections.len() - 1;
        }
        let deadline = |slot: &usize| self.connections[*slot].as_ref().map(|connection| connection.deadline);
        let oldest = (0..self.connections.len()).min_by_key(deadline).expect("the table is full, not empty");
        self.connections[oldest] = None;
        self.own.shed.fetch_add(1, Ordering::Relaxed);
        oldest
    }

    /// Lets a connection go on. Closing it takes it out of the poll.
    fn turn(&mut self, slot: usize, now: Instant) {
        let Some(mut connection) = self.connections.get_mut(slot).and_then(Option::take) else { return };
        match self.advance(&mut connection, now) {
            Fate::Stay if self.watch(&mut connection, slot).is_ok() => self.connections[slot] = Some(connection),
            Fate::Leave => self.hand_over(connection),
            Fate::Stay | Fate::Close => {}
        }
    }

    /// Writes what waits, reads what came, answers it, and writes again.
    fn advance(&mut self, connection: &mut Connection, now: Instant) -> Fate {
        if connection.flush().is_err() {
            return Fate::Close;
        }
        if connection.unsent() < UNSENT_BYTES_MAX && !connection.is_ending {
            match connection.stream.read(&mut self.scratch, &mut connection.input) {
                Ok(found) => connection.is_ending = found == Found::End,
                Err(error) => {
                    let is_broken = error.kind() == io::ErrorKind::InvalidData;
                    self.own.broken.fetch_add(u64::from(is_broken), Ordering::Relaxed);
                    return Fate::Close;
                }
            }
        }
        loop {
            let is_done = self.answer(connection, now);
            if connection.is_leaving {
                return Fate::Leave;
            }
            if connection.flush().is_err() {
                return Fate::Close;
            }
            // What is left unanswered because of unsent replies goes on as soon as they are gone.
            if is_done || connection.unsent() > 0 {
                break;
            }
        }
        if connection.is_ending && !connection.is_waiting() {
            connection.stream.close();
            return Fate::Close;
        }
        Fate::Stay
    }

    /// Answers the whole queries of the input, until too much is unsent. Returns whether none is left.
    fn answer(&mut self, connection: &mut Connection, now: Instant) -> bool {
        let snapshot = self.reader.snapshot();
        let transport = if connection.stream.is_tls() { Transport::Tls } else { Transport::Tcp };
        let asker = Asker { address: connection.peer, transport, now: super::now() };
        let mut input = mem::take(&mut connection.input);
        let mut at = 0;
        let is_done = loop {
            let Some(query) = whole_message(&input[at..]) else { break true };
            if connection.unsent() >= UNSENT_BYTES_MAX {
                break false;
            }
            // A transfer goes over a plain stream; within TLS it is refused like any that is not allowed.
            if transport == Transport::Tcp && self.shared.responder.is_transfer(query) {
                connection.is_leaving = true;
                break true;
            }
            at += 2 + query.len();
            let length = self.shared.responder.answer(snapshot, &asker, query, &mut self.reply, self.counters);
            if length > 0 {
                connection.output.extend_from_slice(&(length as u16).to_be_bytes());
                connection.output.extend_from_slice(&self.reply[..length]);
            }
            self.counters.count_client(connection.peer, 1);
            connection.deadline = now + TCP_IDLE;
            connection.has_asked = true;
        };
        input.drain(..at);
        if input.is_empty() && input.capacity() > KEPT_BYTES_MAX {
            input = Vec::new();
        }
        connection.input = input;
        is_done
    }

    /// Gives the connection to a thread of its own, because a transfer takes its time.
    fn hand_over(&self, connection: Connection) {
        if epoll::delete(&self.poll, &connection.stream.socket).is_err() {
            return;
        }
        let Connection { stream, peer, input, mut output, sent, .. } = connection;
        output.drain(..sent);
        transfer::start(
            self.shared,
            Handover { stream: stream.socket, peer, input, output, reader: self.reader.clone() },
        );
    }

    /// Asks the poll for what the connection waits for.
    fn watch(&self, connection: &mut Connection, slot: usize) -> io::Result<()> {
        let mut interest = epoll::EventFlags::empty();
        if connection.is_waiting() {
            interest |= epoll::EventFlags::OUT;
        }
        if connection.unsent() < UNSENT_BYTES_MAX && !connection.is_ending {
            interest |= epoll::EventFlags::IN;
        }
        if interest != connection.interest {
            let token = epoll::EventData::new_u64((self.listeners.len() + slot) as u64);
            epoll::modify(&self.poll, &connection.stream.socket, token, interest)?;
            connection.interest = interest;
        }
        Ok(())
    }

    /// Closes the connections whose time is over, and lets an old snapshot go.
    fn sweep(&mut self, now: Instant) {
        for place in &mut self.connections {
            if place.as_ref().is_some_and(|connection| connection.deadline <= now) {
                *place = None;
                self.own.idle.fetch_add(1, Ordering::Relaxed);
            }
        }
        let _newest = self.reader.snapshot();
    }
}

impl Connection {
    fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Whether something waits for the client to take it.
    fn is_waiting(&self) -> bool {
        self.unsent() > 0 || self.stream.is_waiting()
    }

    /// Writes as much as the client takes now.
    fn flush(&mut self) -> io::Result<()> {
        self.sent += self.stream.write(&self.output[self.sent..])?;
        if self.unsent() > 0 {
            return Ok(());
        }
        self.sent = 0;
        self.output.clear();
        if self.output.capacity() > KEPT_BYTES_MAX {
            self.output = Vec::new();
        }
        Ok(())
    }
}

/// The first message of a stream, if it is there whole.
pub(super) fn whole_message(input: &[u8]) -> Option<&[u8]> {
    let (&[high, low], rest) = input.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes([high, low])))
}
