//! Sockets and threads around [`crate::serve`], and around [`crate::ask`].

mod ask;
mod body;
mod copies;
mod feed;
mod files;
mod identity;
mod inherited;
mod mirror;
mod mmsg;
mod notify;
mod reload;
mod stream;
mod tcp;
mod tls;
mod transfer;
mod udp;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base::Timestamp;
use listings::{Book, Reader};
use socket2::Socket;

use crate::access::ClientCount;
use crate::serve::{Counters, Responder, Totals};
use crate::transfer::TransferTotals;
use tcp::{Tcp, TcpCounters};
use udp::UdpCounters;

pub use ask::{Asker, AskerError};
pub use feed::{FEED_CONNECTIONS_MAX, FEED_CONNECTIONS_PER_CLIENT_MAX, FeedServer};
pub use files::{Stamp, read_whole, stamp, write_whole};
pub use identity::{Identity, IdentityError, PEM_BYTES_MAX};
pub use inherited::{Asked, close_inherited, inherit};
pub use reload::{DatasetFiles, Gates, ReloadError, Reloaded, SMALL_MAX, StaticFiles, ZoneFault, ZoneFiles};
pub use tcp::{TCP_CONNECTIONS_MAX, TCP_CONNECTIONS_PER_CLIENT_MAX, TCP_IDLE};
pub use tls::{Tls, TlsError, TlsFiles};
pub use transfer::TRANSFERS_MAX;

/// Most threads, and sockets, for the datagrams of one address.
pub const UDP_THREADS_MAX: usize = 256;

/// How often a port that the system chooses is tried for both UDP and TCP.
const PORT_ATTEMPTS_MAX: usize = 16;

/// How long streams may take to end when the sockets are handed over; datagrams are answered meanwhile.
const STREAMS_END_MAX: Duration = Duration::from_millis(600);

/// How long threads may take to answer what they have: each looks four times a second whether it shall stop.
const DATAGRAMS_END_MAX: Duration = Duration::from_millis(400);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had: in use, not ours, or a port that needs a privilege.
    #[error("cannot listen on {transport} {address}")]
    Bind {
        /// `UDP`, `TCP` or `TLS`.
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
    /// Whether streams shall end, which takes a moment, while datagrams are answered as before.
    is_closing: AtomicBool,
    /// Threads that answer streams, and those that answer datagrams.
    streams: AtomicUsize,
    datagrams: AtomicUsize,
}

impl Shared {
    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed) || self.is_stopping()
    }
}

/// A thread that answers, as long as this lives.
struct Answering<'a>(&'a AtomicUsize);

impl<'a> Answering<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
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
    tls: Option<TlsSide>,
    /// The sockets once more, for the process that takes this one's place.
    sockets: Vec<(SocketAddr, Asked)>,
}

/// The listeners for TLS.
struct TlsSide {
    identity: Arc<Tls>,
    counters: Arc<(Counters, TcpCounters)>,
    addresses: Vec<SocketAddr>,
}

/// What the server counted since its start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Outcomes of datagrams.
    pub udp: Totals,
    /// Outcomes of messages in streams, those within TLS among them.
    pub tcp: Totals,
    /// Messages within TLS.
    pub tls_messages: u64,
    /// Connections accepted for TLS; they are not among those of TCP.
    pub tls_accepted: u64,
    /// Of those, closed because there were too many, because the client was silent or slow, or because its TLS did not suit.
    pub tls_closed: [u64; 3],
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
    /// What was done for secondaries.
    pub transfers: TransferTotals,
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
        Self::start_reading(listen, responder, &book.reader(), threads)
    }

    /// [`Server::start`] for whatever `reader` sees: a book, or a [`listings::Replica`] of one.
    pub fn start_reading(
        listen: &[SocketAddr],
        responder: Arc<Responder>,
        reader: &Reader,
        threads: usize,
    ) -> Result<Self, ServerError> {
        let threads = threads.clamp(1, UDP_THREADS_MAX);
        let bound = listen.iter().map(|address| bind(*address, threads)).collect::<Result<Vec<_>, _>>()?;
        let tcp = Arc::new((responder.counters(), TcpCounters::default()));
        let mut server = Self {
            shared: Arc::new(Shared {
                responder,
                stop: AtomicBool::new(false),
                is_closing: AtomicBool::new(false),
                streams: AtomicUsize::new(0),
                datagrams: AtomicUsize::new(0),
            }),
            threads: Vec::new(),
            addresses: bound.iter().map(|bound| bound.address).collect(),
            receive_buffer: bound.iter().map(|bound| bound.receive_buffer).min().unwrap_or_default(),
            udp: Vec::new(),
            tcp,
            tls: None,
            sockets: Vec::new(),
        };
        // If a thread cannot be had, dropping the server stops those that run.
        let mut listeners = Vec::new();
        for bound in bound {
            for socket in bound.udp {
                let again = socket.try_clone().map_err(ServerError::Thread)?;
                server.sockets.push((bound.address, Asked::Udp(again.into())));
                server.spawn_udp(socket, reader)?;
            }
            server.keep(&bound.tcp, bound.address)?;
            listeners.push(bound.tcp);
        }
        let counters = Arc::clone(&server.tcp);
        server.spawn_tcp(listeners, reader, None, counters)?;
        server.spawn_notify()?;
        server.spawn_mirrors()?;
        Ok(server)
    }

    /// Listens for TLS too, on these addresses.
    pub fn listen_for_tls(
        &mut self,
        listen: &[SocketAddr],
        identity: Arc<Tls>,
        reader: &Reader,
    ) -> Result<(), ServerError> {
        let bind = |address: &SocketAddr| {
            tcp::bind(*address).map_err(|source| ServerError::Bind { transport: "TLS", address: *address, source })
        };
        let listeners = listen.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>();
        let addresses = addresses.map_err(ServerError::Thread)?;
        for (listener, address) in listeners.iter().zip(&addresses) {
            self.keep(listener, *address)?;
        }
        let counters = Arc::new((self.shared.responder.counters(), TcpCounters::default()));
        self.spawn_tcp(listeners, reader, Some(Arc::clone(&identity)), Arc::clone(&counters))?;
        self.tls = Some(TlsSide { identity, counters, addresses });
        Ok(())
    }

    fn keep(&mut self, listener: &TcpListener, address: SocketAddr) -> Result<(), ServerError> {
        let again = listener.try_clone().map_err(ServerError::Thread)?;
        self.sockets.push((address, Asked::Tcp(again)));
        Ok(())
    }

    /// Ends answering for the process that takes this one's place, and gives it the sockets: who asks meanwhile waits for that
    /// one. What came before is answered, by streams as far as it comes within a moment.
    pub fn hand_over(&self) -> &[(SocketAddr, Asked)] {
        let shared = &self.shared;
        shared.is_closing.store(true, Ordering::SeqCst);
        wait_until(STREAMS_END_MAX, || shared.streams.load(Ordering::SeqCst) == 0, || ());
        shared.stop.store(true, Ordering::SeqCst);
        let wake = || udp::wake(&self.addresses);
        wait_until(DATAGRAMS_END_MAX, || shared.datagrams.load(Ordering::SeqCst) == 0, wake);
        &self.sockets
    }

    /// What clients are shown that come by TLS.
    pub fn identity(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref().map(|tls| &tls.identity)
    }

    /// The addresses for TLS, in the order given.
    pub fn tls_addrs(&self) -> &[SocketAddr] {
        self.tls.as_ref().map_or(&[], |tls| &tls.addresses)
    }

    fn spawn_notify(&mut self) -> Result<(), ServerError> {
        if self.shared.responder.transfers().is_none_or(|transfers| !transfers.has_notify()) {
            return Ok(());
        }
        let (shared, own) = (Arc::clone(&self.shared), self.addresses.clone());
        self.spawn("dns-notify", move || notify::run(&shared, &own))
    }

    fn spawn_mirrors(&mut self) -> Result<(), ServerError> {
        let mirrors = self.shared.responder.mirrors().map(Arc::clone);
        for zone in 0..mirrors.as_ref().map_or(0, |mirrors| mirrors.slots().len()) {
            let (shared, mirrors) = (Arc::clone(&self.shared), mirrors.clone());
            self.spawn("dns-mirror", move || {
                if let Some(mirrors) = &mirrors {
                    mirror::run(&shared, &mirrors.slots()[zone]);
                }
            })?;
        }
        Ok(())
    }

    fn spawn_udp(&mut self, socket: Socket, reader: &Reader) -> Result<(), ServerError> {
        let counters = Arc::new((self.shared.responder.counters(), UdpCounters::default()));
        self.udp.push(Arc::clone(&counters));
        let (shared, reader) = (Arc::clone(&self.shared), reader.clone());
        self.spawn("dns-udp", move || {
            let _answering = Answering::begin(&shared.datagrams);
            udp::serve(&shared, reader, &socket, &counters.0, &counters.1);
        })
    }

    fn spawn_tcp(
        &mut self,
        listeners: Vec<TcpListener>,
        reader: &Reader,
        tls: Option<Arc<Tls>>,
        counters: Arc<(Counters, TcpCounters)>,
    ) -> Result<(), ServerError> {
        let (shared, reader) = (Arc::clone(&self.shared), reader.clone());
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        self.spawn(if tls.is_some() { "dns-tls" } else { "dns-tcp" }, move || {
            let mut tcp = match Tcp::new(&shared, reader, &listeners, tls.as_deref(), &counters.0, &counters.1) {
                Ok(tcp) => tcp,
                Err(error) => return drop(tell.send(Err(error))),
            };
            let _answering = Answering::begin(&shared.streams);
            drop(tell.send(Ok(())));
            tcp.serve();
            tcp.close();
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
        sums.transfers = self.shared.responder.transfers().map(|transfers| transfers.totals()).unwrap_or_default();
        let (outcomes, own) = &*self.tcp;
        sums.tcp.add(outcomes);
        sums.tcp_accepted = load(&own.accepted);
        sums.tcp_shed = load(&own.shed);
        sums.tcp_idle = load(&own.idle);
        if let Some(TlsSide { counters, .. }) = &self.tls {
            let (outcomes, own) = &**counters;
            let mut messages = Totals::default();
            messages.add(outcomes);
            sums.tls_messages = messages.messages();
            sums.tcp.add(outcomes);
            sums.tls_accepted = load(&own.accepted);
            sums.tls_closed = [load(&own.shed), load(&own.idle), load(&own.broken)];
        }
        sums
    }

    /// The networks of clients that asked most since the start, the busiest first, at most `limit`.
    pub fn clients(&self, limit: usize) -> Vec<ClientCount> {
        let udp = self.udp.iter().map(|thread| &thread.0);
        let tls = self.tls.as_ref().map(|tls| &tls.counters.0);
        Counters::clients(udp.chain(core::iter::once(&self.tcp.0)).chain(tls), limit)
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
        match (0..threads).map(|_| udp::bound(address, threads > 1)).collect::<io::Result<Vec<_>>>() {
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

/// Waits until it is so, at most for `limit`, and does something each time that it is not.
#[expect(clippy::disallowed_methods, reason = "the shell has a clock")]
fn wait_until(limit: Duration, is_so: impl Fn() -> bool, otherwise: impl Fn()) {
    let end = Instant::now() + limit;
    while !is_so() && Instant::now() < end {
        otherwise();
        thread::sleep(Duration::from_millis(1));
    }
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the shell tells the core the time")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as u64)
}
