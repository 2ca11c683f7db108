#![expect(clippy::disallowed_methods, reason = "this file is the shell: it owns the thread and spawns its tasks")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::seats::{Seat, Seats};
use super::stream::{AsyncListener, Listener, Place, Stream};
use crate::session::{Protocol, Session};

/// What one client may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most connections at once. For one more the client that has been silent for longest leaves; if none is, the new
    /// one is closed as it comes.
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

/// How long what a client sends after its last reply is read and dropped: closing with unread bytes would take the reply
/// back, because the system sends a reset then.
const LINGER_MAX: Duration = Duration::from_secs(1);
/// How often it is looked whether an answer that waits for something can be given.
const WAIT_STEP: Duration = Duration::from_millis(5);
/// Pause after the system refused a connection, for want of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It is in use, not ours, a port below 1024, or a file that is no socket.
    #[error("cannot listen at {place}")]
    Bind {
        /// The place that was asked for.
        place: Place,
        /// What the system says.
        source: io::Error,
    },
    /// The system gave no thread, no timer or no event queue.
    #[error("cannot start the server's thread")]
    Resources(#[source] io::Error),
}

/// What happened to connections since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connections {
    /// Open now.
    pub open: usize,
    /// Accepted, without those that found no seat.
    pub accepted: u64,
    /// Closed for want of seats: the silent ones that left for others, and those that found none.
    pub shed: u64,
    /// Closed because of what the client sent; see [`crate::http::Fault`].
    pub faulty: u64,
    /// Closed because the client was silent between requests or slow within one, beyond [`Limits`].
    pub timed_out: u64,
    /// Refused by the system while accepting.
    pub accept_failed: u64,
}

#[derive(Default)]
struct Tallies {
    open: AtomicUsize,
    accepted: AtomicU64,
    shed: AtomicU64,
    faulty: AtomicU64,
    timed_out: AtomicU64,
    accept_failed: AtomicU64,
}

/// A server for one protocol: one thread, any number of connections at any number of places.
///
/// One thread is enough, because an answer takes microseconds; more would only make the door's locks contended. When all
/// seats are taken the client that has been silent for longest leaves for the new one: a busy mail server keeps its
/// connections, and whoever only holds them open cannot keep others out.
pub struct Server {
    places: Vec<Place>,
    tallies: Arc<Tallies>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What every connection needs.
struct Shared {
    clock: fn() -> Timestamp,
    limits: Limits,
    tallies: Arc<Tallies>,
    seats: Seats,
}

impl Server {
    /// Starts a thread of that name that speaks `protocol` on `listeners`. `clock` is read once for what one read brought.
    pub fn start<P: Protocol>(
        name: &str,
        listeners: Vec<Listener>,
        protocol: P,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let places = listeners.iter().map(Listener::place).collect::<Result<_, _>>().map_err(StartError::Resources)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(StartError::Resources)?;
        let listeners = {
            let _entered = runtime.enter();
            let listeners = listeners.into_iter().map(Listener::into_async);
            listeners.collect::<Result<Vec<_>, _>>().map_err(StartError::Resources)?
        };
        let tallies = Arc::new(Tallies::default());
        let shared = Arc::new(Shared { clock, limits, tallies: tallies.clone(), seats: Seats::default() });
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let protocol = Arc::new(protocol);
                    for listener in listeners {
                        tokio::spawn(accept(listener, protocol.clone(), shared.clone()));
                    }
                    // It ends when the handle is dropped, whether it sends or not.
                    _ = stopped.await;
                });
            })
            .map_err(StartError::Resources)?;
        Ok(Self { places, tallies, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens, in the order of the listeners that it was given.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Closes the listeners and all connections, and waits for the thread to end.
    pub fn stop(self) {
        drop(self);
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        let read = |tally: &AtomicU64| tally.load(Ordering::Relaxed);
        Connections {
            open: self.tallies.open.load(Ordering::Relaxed),
            accepted: read(&self.tallies.accepted),
            shed: read(&self.tallies.shed),
            faulty: read(&self.tallies.faulty),
            timed_out: read(&self.tallies.timed_out),
            accept_failed: read(&self.tallies.accept_failed),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread ends by itself or has panicked, which its message has said; either way it is gone.
            _ = thread.join();
        }
    }
}

async fn accept<P: Protocol>(listener: AsyncListener, protocol: Arc<P>, shared: Arc<Shared>) {
    loop {
        let Ok(stream) = listener.accept().await else {
            bump(&shared.tallies.accept_failed);
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if shared.tallies.open.load(Ordering::Relaxed) >= shared.limits.connections_max {
            bump(&shared.tallies.shed);
            if !shared.seats.clear_one() {
                continue;
            }
        }
        bump(&shared.tallies.accepted);
        let seat = shared.seats.take();
        let (number, silent_since) = (seat.number, seat.silent_since.clone());
        let mut session = protocol.open();
        session.came_from(stream.peer());
        let client = Client::new(session, seat, shared.clone());
        let task = tokio::spawn(async move {
            // An error of the socket ends this connection; the client sees it as well and asks again.
            _ = converse(stream, client).await;
        });
        shared.seats.fill(number, silent_since, task.abort_handle());
    }
}

/// A session on its seat. Dropping it, also when its task panics or is taken off, gives back what it holds.
struct Client<S: Session> {
    session: S,
    seat: Seat,
    shared: Arc<Shared>,
}

impl<S: Session> Client<S> {
    fn new(session: S, seat: Seat, shared: Arc<Shared>) -> Self {
        shared.tallies.open.fetch_add(1, Ordering::Relaxed);
        Self { session, seat, shared }
    }
}

impl<S: Session> Drop for Client<S> {
    fn drop(&mut self) {
        self.shared.tallies.open.fetch_sub(1, Ordering::Relaxed);
        self.shared.seats.leave(self.seat.number);
        self.session.ended((self.shared.clock)());
    }
}

fn bump(tally: &AtomicU64) {
    tally.fetch_add(1, Ordering::Relaxed);
}

/// Reads, answers and writes until either side has enough.
async fn converse<S: Session>(mut stream: Stream, mut client: Client<S>) -> io::Result<()> {
    // Whoever connects has something to ask: a long pause is for those who have asked before.
    let mut deadline = Instant::now() + client.shared.limits.request_max;
    let alarm = sleep_until(deadline);
    tokio::pin!(alarm);
    loop {
        let was_idle = client.session.is_idle();
        let count = tokio::select! {
            biased;
            count = stream.read(client.session.space()) => count?,
            () = &mut alarm => {
                // The alarm is not moved with each request, which would cost more than the request; it looks when it rings.
                if Instant::now() >= deadline {
                    bump(&client.shared.tallies.timed_out);
                    return Ok(());
                }
                alarm.as_mut().reset(deadline);
                continue;
            }
        };
        if count == 0 {
            return Ok(());
        }
        client.session.filled(count);
        let mut answered = answer(&mut stream, &mut client).await?;
        while client.session.is_waiting() {
            tokio::time::sleep(WAIT_STEP).await;
            answered += answer(&mut stream, &mut client).await?;
        }
        if client.session.is_closing() {
            if client.session.is_faulty() {
                bump(&client.shared.tallies.faulty);
            }
            return linger(stream).await;
        }
        if client.session.is_idle() {
            let now = Instant::now();
            deadline = now + client.shared.limits.idle_max;
            client.seat.is_silent_since(now);
        } else if was_idle || answered > 0 {
            // A new request has begun to arrive.
            deadline = Instant::now() + client.shared.limits.request_max;
            alarm.as_mut().reset(deadline);
            client.seat.is_busy();
        }
    }
}

/// Answers what is there, usually by one write, which the socket takes at once; returns how many requests it was.
async fn answer<S: Session>(stream: &mut Stream, client: &mut Client<S>) -> io::Result<usize> {
    let now = (client.shared.clock)();
    let mut answered = 0;
    loop {
        answered += client.session.serve(now);
        let output = client.session.output();
        if output.is_empty() {
            return Ok(answered);
        }
        let written = match stream.try_write(output) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if written < output.len() {
            timeout(client.shared.limits.request_max, stream.write_all(&output[written..])).await??;
        }
        client.session.written();
        if client.session.is_closing() {
            return Ok(answered);
        }
    }
}

/// Ends the sending side, and waits a little for the client to end its own.
async fn linger(mut stream: Stream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut dropped = [0; 4096];
    let drain = async {
        while stream.read(&mut dropped).await? > 0 {}
        io::Result::Ok(())
    };
    timeout(LINGER_MAX, drain).await?
}
