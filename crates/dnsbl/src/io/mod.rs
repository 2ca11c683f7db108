//! Sockets and threads around [`crate::serve`].

mod mmsg;
mod tcp;
mod udp;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use listings::Book;
use socket2::Socket;

use crate::serve::{Counters, Responder, Totals};
use tcp::{Tcp, TcpCounters};
use udp::UdpCounters;

pub use tcp::{TCP_CONNECTIONS_MAX, TCP_CONNECTIONS_PER_CLIENT_MAX, TCP_IDLE};

/// Most threads, and sockets, for the datagrams of one address.
pub const UDP_THREADS_MAX: usize = 256;

/// How often a port that the system chooses is tried for both UDP and TCP.
const PORT_ATTEMPTS_MAX: usize = 16;

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had: in use, not ours, or a port that needs a privilege.
    #[error("cannot listen on {transport} {address}")]
    Bind {
        /// `UDP` or `TCP`.
        transport: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no thread or no poll for us.
    #[error("cannot start a DNS thread")]
    Thread(#[source] io::Error),
}

/// What all threads look at.
struct Shared {
    responder: Arc<Responder>,
    stop: AtomicBool,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A running server: threads that answer from the newest snapshot of the book.
pub struct Server {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
    receive_buffer: usize,
    udp: Vec<Arc<(Counters, UdpCounters)>>,
    tcp: Arc<(Counters, TcpCounters)>,
}

/// What the server counted since its start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Outcomes of datagrams.
    pub udp: Totals,
    /// Outcomes of messages in streams.
    pub tcp: Totals,
    /// Replies that the kernel did not take.
    pub udp_unsent: u64,
    /// Errors of receiving datagrams.
    pub udp_errors: u64,
    /// Connections accepted.
    pub tcp_accepted: u64,
    /// Connections closed because there were too many, in all or of one client.
    pub tcp_shed: u64,
    /// Connections closed because the client was silent or slow.
    pub tcp_idle: u64,
}

/// The sockets of one address.
struct Bound {
    address: SocketAddr,
    udp: Vec<Socket>,
    tcp: TcpListener,
    receive_buffer: usize,
}

impl Server {
    /// Listens on each address by UDP, with `threads` threads, and by TCP. Either all addresses are served or none.
    pub fn start(
        listen: &[SocketAddr],
        responder: Arc<Responder>,
        book: &Arc<Book>,
        threads: usize,
    ) -> Result<Self, ServerError> {
        let threads = threads.clamp(1, UDP_THREADS_MAX);
        let bound = listen.iter().map(|address| bind(*address, threads)).collect::<Result<Vec<_>, _>>()?;
        let tcp = Arc::new((responder.counters(), TcpCounters::default()));
        let mut server = Self {
            shared: Arc::new(Shared { responder, stop: AtomicBool::new(false) }),
            threads: Vec::new(),
            addresses: bound.iter().map(|bound| bound.address).collect(),
            receive_buffer: bound.iter().map(|bound| bound.receive_buffer).min().unwrap_or_default(),
            udp: Vec::new(),
            tcp,
        };
        // If a thread cannot be had, dropping the server stops those that run.
        let mut listeners = Vec::new();
        for bound in bound {
            for socket in bound.udp {
                server.spawn_udp(socket, book)?;
            }
            listeners.push(bound.tcp);
        }
        server.spawn_tcp(listeners, book)?;
        Ok(server)
    }

    fn spawn_udp(&mut self, socket: Socket, book: &Arc<Book>) -> Result<(), ServerError> {
        let counters = Arc::new((self.shared.responder.counters(), UdpCounters::default()));
        self.udp.push(Arc::clone(&counters));
        let (shared, book) = (Arc::clone(&self.shared), Arc::clone(book));
        self.spawn("dns-udp", move || udp::serve(&shared, &book, &socket, &counters.0, &counters.1))
    }

    fn spawn_tcp(&mut self, listeners: Vec<TcpListener>, book: &Arc<Book>) -> Result<(), ServerError> {
        let counters = Arc::clone(&self.tcp);
        let (shared, book) = (Arc::clone(&self.shared), Arc::clone(book));
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        self.spawn("dns-tcp", move || {
            let mut tcp = match Tcp::new(&shared, &book, &listeners, &counters.0, &counters.1) {
                Ok(tcp) => tcp,
                Err(error) => return drop(tell.send(Err(error))),
            };
            drop(tell.send(Ok(())));
            tcp.serve();
        })?;
        let started = told.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended at once")));
        started.map_err(ServerError::Thread)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), ServerError> {
        let thread = thread::Builder::new().name(name.into()).spawn(run).map_err(ServerError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    /// The addresses served, in the order given; where a port 0 was wanted, with the one that the system chose.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The smallest receive buffer that a UDP socket got, in octets. Where it is far below 4 MiB, bursts are lost, and
    /// `net.core.rmem_max` should be raised.
    pub const fn receive_buffer(&self) -> usize {
        self.receive_buffer
    }

    /// What was counted until now.
    pub fn statistics(&self) -> Statistics {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut sums = Statistics::default();
        for thread in &self.udp {
            sums.udp.add(&thread.0);
            sums.udp_unsent += load(&thread.1.unsent);
            sums.udp_errors += load(&thread.1.errors);
        }
        let (outcomes, own) = &*self.tcp;
        sums.tcp.add(outcomes);
        sums.tcp_accepted = load(&own.accepted);
        sums.tcp_shed = load(&own.shed);
        sums.tcp_idle = load(&own.idle);
        sums
    }

    /// Ends all threads and waits for them, which takes up to a quarter of a second.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already; there is nothing left to save.
            drop(thread.join());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.join();
    }
}

/// The sockets for one address. The stream comes first, because its port cannot be shared: a second server on the same
/// address is found out, though datagram sockets of one user can share theirs.
fn bind(wanted: SocketAddr, threads: usize) -> Result<Bound, ServerError> {
    let mut attempts = if wanted.port() == 0 { PORT_ATTEMPTS_MAX } else { 1 };
    loop {
        attempts -= 1;
        let failed = |transport, address| move |source| ServerError::Bind { transport, address, source };
        let tcp = tcp::bind(wanted).map_err(failed("TCP", wanted))?;
        let address = tcp.local_addr().map_err(failed("TCP", wanted))?;
        match (0..threads).map(|_| udp::bind(address, threads > 1)).collect::<io::Result<Vec<_>>>() {
            Ok(sockets) => {
                let receive_buffer = sockets.iter().map(|(_, granted)| *granted).min().unwrap_or_default();
                let udp = sockets.into_iter().map(|(socket, _)| socket).collect();
                return Ok(Bound { address, udp, tcp, receive_buffer });
            }
            Err(error) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(failed("UDP", address)(error)),
        }
    }
}
