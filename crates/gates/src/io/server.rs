#![expect(clippy::disallowed_methods, reason = "this file is the shell: it owns the thread and spawns its tasks")]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use base::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use crate::http::{Connection, Service};

/// What one client may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Most connections at once; further ones are closed as they come.
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
/// Pause after the system refused a connection, for want of descriptors mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened at: it is in use, not ours, or a port below 1024.
    #[error("cannot listen at {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
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
    /// Accepted, without the shed ones.
    pub accepted: u64,
    /// Closed at once because [`Limits::connections_max`] were open.
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

/// An HTTP server for one [`Service`]: one thread, any number of keep-alive connections.
///
/// One thread is enough, because an answer takes microseconds; more would only make the door's locks contended.
pub struct HttpServer {
    local_addr: SocketAddr,
    tallies: Arc<Tallies>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What every connection needs.
struct Shared {
    service: Arc<dyn Service>,
    clock: fn() -> Timestamp,
    limits: Limits,
    tallies: Arc<Tallies>,
}

impl HttpServer {
    /// Starts a thread of that name that answers on `listener`.
    pub fn start(
        name: &str,
        listener: TcpListener,
        service: Arc<dyn Service>,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let local_addr = listener.local_addr().map_err(StartError::Resources)?;
        listener.set_nonblocking(true).map_err(StartError::Resources)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(StartError::Resources)?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(StartError::Resources)?
        };
        let tallies = Arc::new(Tallies::default());
        let shared = Arc::new(Shared { service, clock, limits, tallies: tallies.clone() });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, shared) => {}
                        _ = stopped => {}
                    }
                });
            })
            .map_err(StartError::Resources)?;
        Ok(Self { local_addr, tallies, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Closes the listener and all connections, and waits for the thread to end.
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

impl Drop for HttpServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread ends by itself or has panicked, which its message has said; either way it is gone.
            _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            bump(&shared.tallies.accept_failed);
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if shared.tallies.open.load(Ordering::Relaxed) >= shared.limits.connections_max {
            bump(&shared.tallies.shed);
            continue;
        }
        bump(&shared.tallies.accepted);
        let open = Open::new(&shared.tallies);
        let shared = shared.clone();
        tokio::spawn(async move {
            let _open = open;
            // Without it a reply that follows `100 Continue` would wait for the client's acknowledgement; where it
            // cannot be set the reply is only later.
            _ = stream.set_nodelay(true);
            // An error of the socket ends this connection; the client sees it as well and asks again.
            _ = converse(stream, &shared).await;
        });
    }
}

/// One open connection in the count, also when its task panics.
struct Open(Arc<Tallies>);

impl Open {
    fn new(tallies: &Arc<Tallies>) -> Self {
        tallies.open.fetch_add(1, Ordering::Relaxed);
        Self(tallies.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn bump(tally: &AtomicU64) {
    tally.fetch_add(1, Ordering::Relaxed);
}

/// Reads, answers and writes until either side has enough.
async fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut connection = Connection::new();
    // Whoever connects has something to ask: a long pause is for those who have asked before.
    let mut deadline = Instant::now() + shared.limits.request_max;
    let alarm = sleep_until(deadline);
    tokio::pin!(alarm);
    loop {
        let was_idle = connection.is_idle();
        let count = tokio::select! {
            biased;
            count = stream.read(connection.space()) => count?,
            () = &mut alarm => {
                // The alarm is not moved with each request, which would cost more than the request; it looks when it rings.
                if Instant::now() >= deadline {
                    bump(&shared.tallies.timed_out);
                    return Ok(());
                }
                alarm.as_mut().reset(deadline);
                continue;
            }
        };
        if count == 0 {
            return Ok(());
        }
        connection.filled(count);
        let answered = answer(&mut stream, &mut connection, shared).await?;
        if connection.is_closing() {
            if connection.fault().is_some() {
                bump(&shared.tallies.faulty);
            }
            return linger(stream).await;
        }
        if connection.is_idle() {
            deadline = Instant::now() + shared.limits.idle_max;
        } else if was_idle || answered > 0 {
            // A new request has begun to arrive.
            deadline = Instant::now() + shared.limits.request_max;
            alarm.as_mut().reset(deadline);
        }
    }
}

/// Answers what is there, usually by one write, which the socket takes at once; returns how many requests it was.
async fn answer(stream: &mut TcpStream, connection: &mut Connection, shared: &Shared) -> io::Result<usize> {
    let now = (shared.clock)();
    let mut answered = 0;
    loop {
        answered += connection.serve(now, shared.service.as_ref());
        if connection.output().is_empty() {
            return Ok(answered);
        }
        let written = match stream.try_write(connection.output()) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if written < connection.output().len() {
            timeout(shared.limits.request_max, stream.write_all(&connection.output()[written..])).await??;
        }
        connection.written();
        if connection.is_closing() {
            return Ok(answered);
        }
    }
}

/// Ends the sending side, and waits a little for the client to end its own.
async fn linger(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut dropped = [0; 4096];
    let drain = async {
        while stream.read(&mut dropped).await? > 0 {}
        io::Result::Ok(())
    };
    timeout(LINGER_MAX, drain).await?
}
