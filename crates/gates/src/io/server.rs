#![expect(clippy::disallowed_methods, reason = "this file is the shell: it owns the threads and their clock")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::Timestamp;

use super::handover::{HandedOver, Parted};
use super::inherited::{self, Spot};
use super::seats::{Seat, Seats};
use super::stream::{Listener, Place, Stream};
use super::wake::Sleeper;
use crate::session::{Dialogue, Protocol, Session};

/// What one client may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most connections at once. For one more the client that has been silent for longest leaves; if none is, the new one is
    /// closed as it comes. All servers of a process shall not be allowed more than [`CONNECTIONS_MAX`] together.
    pub connections_max: usize,
    /// How long a client may stay between two requests.
    pub idle_max: Duration,
    /// How long a request may take to arrive whole, and a reply to leave.
    pub request_max: Duration,
}

impl Default for Limits {
    /// 1024 connections, because Dovecot's auth process keeps at most 100; 60 s between requests; 10 s for one.
    fn default() -> Self {
        Self { connections_max: 1024, idle_max: Duration::from_mins(1), request_max: Duration::from_secs(10) }
    }
}

/// Most connections that all servers of a process may be allowed together, by whoever starts them. Each has a thread, a thread
/// has four mappings of memory (its stack, the one for signals, and a guard for each), and Linux gives a process 65,530 of them
/// (`vm.max_map_count`). Beyond them not threads fail but any allocation of some size, and with it the process.
pub const CONNECTIONS_MAX: usize = 12_000;

/// Threads of connections: those that are held, and some of clients that were sent away and have not ended yet.
const THREADS_MAX: usize = CONNECTIONS_MAX + 1_000;

/// Threads of connections of all servers of this process.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// How long what a client sends after its last reply is read and dropped: closing with unread bytes would take the reply
/// back, because the system sends a reset then.
const LINGER_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether an answer that waits for something can be given.
const WAIT_STEP: Duration = Duration::from_millis(5);
/// How long somebody's leaving is waited for when the system refused a connection or a thread, for want of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often threads that wait are called back while clients are handed over.
const CALL_STEP: Duration = Duration::from_millis(5);
/// Stack of a connection's thread, in bytes. Only what is used of it is memory.
const STACK_BYTES: usize = 512 * 1024;

/// What happened to connections since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connections {
    /// Open now.
    pub open: usize,
    /// Accepted, without those that found no seat.
    pub accepted: u64,
    /// Closed for want of seats: the silent ones that left for others, and those that found none.
    pub shed: u64,
    /// Closed because of what the client sent.
    pub faulty: u64,
    /// Closed because the client was silent between requests or slow within one, beyond [`Limits`].
    pub timed_out: u64,
    /// Refused by the system while accepting.
    pub accept_failed: u64,
}

#[derive(Default)]
struct Tallies {
    accepted: AtomicU64,
    shed: AtomicU64,
    faulty: AtomicU64,
    timed_out: AtomicU64,
    accept_failed: AtomicU64,
}

/// A server for one protocol, with a thread for each connection, and one for each place that it listens at. Dropping it
/// stops it.
///
/// A thread that waits in `read` costs two calls of the system for a request, which is the least there is, and an answer
/// that takes long, as that about a password does, holds up nobody else. When all seats are taken the client that has been
/// silent for longest leaves for the new one: a busy mail server keeps its connections, and whoever only holds them open,
/// with half a request or none, cannot keep others out.
pub struct Server {
    places: Vec<Place>,
    listeners: Vec<Arc<Listener>>,
    shared: Arc<Shared>,
    accepting: Vec<(JoinHandle<()>, Arc<Sleeper>)>,
}

/// What every connection needs.
struct Shared {
    name: String,
    clock: fn() -> Timestamp,
    limits: Limits,
    tallies: Tallies,
    seats: Seats,
    is_stopping: AtomicBool,
    /// No client is begun with any more; each is passed on as soon as nothing is owed to it.
    is_leaving: AtomicBool,
    /// Those that were passed on, with the number of the listener that they came by.
    parted: Mutex<Vec<(usize, Parted)>>,
}

impl Server {
    /// Starts threads of that name, which speak each protocol at its listeners. `clock` is read once for what one read
    /// brought. Fails if the system gives no thread.
    pub fn start<P: Protocol>(
        name: &str,
        spoken: Vec<(P, Vec<Listener>)>,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            clock,
            limits: Limits { idle_max: P::IDLE_MAX.unwrap_or(limits.idle_max), ..limits },
            tallies: Tallies::default(),
            seats: Seats::new(Instant::now()),
            is_stopping: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            parted: Mutex::default(),
        });
        let mut server = Self { places: Vec::new(), listeners: Vec::new(), shared, accepting: Vec::new() };
        for (protocol, listeners) in spoken {
            let protocol = Arc::new(protocol);
            for listener in listeners {
                let place = listener.place()?;
                let known = inherited::take_clients(&place);
                let entrance = server.places.len();
                server.places.push(place);
                let listener = Arc::new(listener);
                server.listeners.push(listener.clone());
                let (protocol, shared, sleeper) = (protocol.clone(), server.shared.clone(), Arc::<Sleeper>::default());
                let thread = sleeper.clone();
                let accept = move || {
                    sleeper.is_here();
                    accept(&listener, entrance, known, protocol.as_ref(), &shared);
                };
                let accepting = std::thread::Builder::new().name(name.to_owned()).spawn(accept)?;
                server.accepting.push((accepting, thread));
            }
        }
        Ok(server)
    }

    /// Where it listens, in the order of the listeners that it was given.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// What several have, for the program that takes the place of this one: every request that has come is answered before,
    /// unless that takes longer than `patience` for all of them together, when the client is closed. Clients that come later
    /// wait at the sockets.
    pub fn hand_over(servers: &[&Self], patience: Duration) -> io::Result<HandedOver> {
        let end = Instant::now() + patience;
        for server in servers {
            server.shared.is_leaving.store(true, Ordering::SeqCst);
        }
        loop {
            let left = servers.iter().filter(|server| server.has_left()).count();
            if left == servers.len() || Instant::now() >= end {
                break;
            }
        }
        servers.iter().try_fold(HandedOver::default(), |mut all, server| {
            all.add(server.leaves()?);
            Ok(all)
        })
    }

    /// Calls back the threads that wait, and says whether all are gone a moment later.
    fn has_left(&self) -> bool {
        let accepting: Vec<_> = self.accepting.iter().filter(|(thread, _)| !thread.is_finished()).collect();
        for (_, sleeper) in &accepting {
            sleeper.wake();
        }
        // Whoever was accepted last has a seat by the time that its thread has ended.
        self.shared.seats.call_back(CALL_STEP) && accepting.is_empty()
    }

    /// Its sockets, and the clients that were passed on.
    fn leaves(&self) -> io::Result<HandedOver> {
        let pairs = self.places.iter().zip(&self.listeners);
        let sockets = pairs.map(|(place, listener)| Ok((Spot::Stream(place.clone()), listener.lasting()?)));
        let parted = core::mem::take(&mut *self.shared.parted());
        let clients =
            parted.into_iter().filter_map(|(entrance, parted)| Some((self.places.get(entrance)?.clone(), parted)));
        Ok(HandedOver { sockets: sockets.collect::<io::Result<_>>()?, clients: clients.collect() })
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        let read = |tally: &AtomicU64| tally.load(Ordering::Relaxed);
        let Shared { tallies, seats, .. } = self.shared.as_ref();
        Connections {
            open: seats.taken(),
            accepted: read(&tallies.accepted),
            shed: read(&tallies.shed),
            faulty: read(&tallies.faulty),
            timed_out: read(&tallies.timed_out),
            accept_failed: read(&tallies.accept_failed),
        }
    }
}

/// Closes the listeners and all connections, and waits for their threads to end.
impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        for listener in self.listeners.drain(..) {
            listener.stop();
        }
        for (thread, _) in self.accepting.drain(..) {
            // The thread ends by itself or has panicked, which its message has said; either way it is gone.
            _ = thread.join();
        }
        self.shared.seats.clear_all();
    }
}

fn accept<P: Protocol>(listener: &Listener, entrance: usize, known: Vec<Parted>, protocol: &P, shared: &Arc<Shared>) {
    for Parted { stream, state, unread } in known {
        let session = protocol.session_of(stream.peer(), &state, &unread);
        // Whoever finds no seat comes again.
        _ = welcome(Guest { session, stream, entrance, is_known: true }, shared);
    }
    while !shared.is_leaving.load(Ordering::SeqCst) {
        let accepted = listener.accept();
        if shared.is_stopping.load(Ordering::SeqCst) {
            return;
        }
        let is_open = accepted.and_then(|stream| {
            let session = protocol.session(stream.peer());
            welcome(Guest { session, stream: Arc::new(stream), entrance, is_known: false }, shared)
        });
        if is_open.is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            bump(&shared.tallies.accept_failed);
            // The system's limit is a full house, too: whoever waits for a seat shall not be kept out by those who are silent.
            if shared.seats.make_room(ACCEPT_PAUSE) {
                bump(&shared.tallies.shed);
            }
        }
    }
}

/// Somebody who has no seat yet.
struct Guest<D> {
    session: Session<D>,
    stream: Arc<Stream>,
    /// The number of the listener.
    entrance: usize,
    /// It was a client of the program before.
    is_known: bool,
}

/// Gives a client a seat and a thread.
fn welcome<D: Dialogue + 'static>(guest: Guest<D>, shared: &Arc<Shared>) -> io::Result<()> {
    if shared.seats.taken() >= shared.limits.connections_max {
        bump(&shared.tallies.shed);
        if !shared.seats.clear_one() {
            return Ok(());
        }
    }
    if THREADS.load(Ordering::Relaxed) >= THREADS_MAX {
        bump(&shared.tallies.shed);
        return Ok(());
    }
    let Guest { session, stream, entrance, is_known } = guest;
    let seat = shared.seats.take(Instant::now(), stream.clone());
    THREADS.fetch_add(1, Ordering::Relaxed);
    let mut client = Client { session, seat, stream, entrance, is_known, is_passed_on: false, shared: shared.clone() };
    let converse = move || {
        client.seat.is_here();
        // An error of the socket ends this connection; the client sees it as well and asks again.
        _ = client.converse();
    };
    std::thread::Builder::new().name(shared.name.clone()).stack_size(STACK_BYTES).spawn(converse)?;
    bump(&shared.tallies.accepted);
    Ok(())
}

/// A session on its seat. Dropping it, also when its thread panics, gives back what it holds.
struct Client<D: Dialogue> {
    session: Session<D>,
    seat: Seat,
    stream: Arc<Stream>,
    entrance: usize,
    is_known: bool,
    is_passed_on: bool,
    shared: Arc<Shared>,
}

impl<D: Dialogue> Drop for Client<D> {
    fn drop(&mut self) {
        // First, so that nobody waits for it where the end of the session panics.
        self.shared.seats.leave(&self.seat);
        THREADS.fetch_sub(1, Ordering::Relaxed);
        // What is open goes on elsewhere.
        if !self.is_passed_on {
            self.session.ended((self.shared.clock)());
        }
    }
}

fn bump(tally: &AtomicU64) {
    tally.fetch_add(1, Ordering::Relaxed);
}

impl Shared {
    fn parted(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Parted)>> {
        self.parted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dialogue> Client<D> {
    /// Leaves the client to the program that takes the place of this one, if nothing is owed to it.
    fn pass_on(&mut self) -> bool {
        if !self.shared.is_leaving.load(Ordering::SeqCst) || self.seat.is_gone() {
            return false;
        }
        let Some((state, unread)) = self.session.carried() else { return false };
        self.shared.parted().push((self.entrance, Parted { stream: self.stream.clone(), state, unread }));
        self.is_passed_on = true;
        true
    }

    /// Reads, answers and writes until either side has enough.
    fn converse(&mut self) -> io::Result<()> {
        let Limits { idle_max, request_max, .. } = self.shared.limits;
        self.stream.set_write_timeout(request_max)?;
        // Whoever connects has something to ask: a long pause is for those who have asked before and owe nothing.
        let mut patience = if self.is_known && self.session.is_idle() { idle_max } else { request_max };
        self.stream.set_read_timeout(patience)?;
        let mut began = Instant::now();
        loop {
            if self.pass_on() {
                return Ok(());
            }
            let was_idle = self.session.is_idle();
            let count = match self.stream.read(self.session.space()) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_late(&error) => {
                    bump(&self.shared.tallies.timed_out);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            self.session.filled(count);
            self.seat.is_busy();
            let mut answered = self.answer()?;
            while self.session.is_waiting() {
                if self.seat.is_gone() {
                    return Ok(());
                }
                std::thread::sleep(WAIT_STEP);
                answered += self.answer()?;
            }
            if self.session.is_closing() {
                if self.session.is_faulty() {
                    bump(&self.shared.tallies.faulty);
                }
                return self.linger();
            }
            let wanted = if self.session.is_idle() {
                idle_max
            } else {
                // A part of a request has as long as is left of the time for the whole.
                let now = Instant::now();
                if was_idle || answered > 0 {
                    began = now;
                }
                // It is the client who owes something: whoever holds a seat by half a request leaves before one who comes.
                self.seat.is_silent_since(began);
                (began + request_max).saturating_duration_since(now).max(Duration::from_millis(1))
            };
            if wanted != patience {
                patience = wanted;
                self.stream.set_read_timeout(patience)?;
            }
        }
    }

    /// Answers what is there, usually by one write; returns how many requests it was.
    fn answer(&mut self) -> io::Result<usize> {
        let now = (self.shared.clock)();
        let mut answered = 0;
        loop {
            answered += self.session.serve(now);
            if self.session.output().is_empty() {
                if self.session.is_idle() {
                    self.seat.is_silent_since(Instant::now());
                }
                return Ok(answered);
            }
            self.stream.write_all(self.session.output())?;
            self.session.written();
            if self.session.is_closing() {
                return Ok(answered);
            }
        }
    }

    /// Ends the sending side, and waits a little for the client to end its own.
    fn linger(&self) -> io::Result<()> {
        self.stream.end_sending()?;
        self.seat.is_silent_since(Instant::now());
        let end = Instant::now() + LINGER_MAX;
        self.stream.set_read_timeout(LINGER_MAX)?;
        let mut dropped = [0; 4096];
        while Instant::now() < end {
            match self.stream.read(&mut dropped) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Whether a time-out of the socket has passed.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
