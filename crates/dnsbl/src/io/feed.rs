//! The listener of [`crate::feed`]: HTTP/1.1, a thread for each connection, and a bound for everything.
#![expect(clippy::disallowed_methods, reason = "the shell has a clock, and threads")]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::io::{self, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use base::Address;
use listings::{Reader, Snapshot};
use socket2::SockRef;

use super::body::{Chunks, Paced, Packer, header};
use super::inherited::take_tcp;
use super::now;
use crate::access::{Reason, network_number};
use crate::feed::{Count, Fed, Feed, HEAD_BYTES_MAX, Request, Wrong, is_known, media_type};
use crate::transfer::SETTLE_MAX;

/// Most connections at once; most of them only wait for changes.
pub const FEED_CONNECTIONS_MAX: usize = 256;

/// Most connections of one /24 or /56.
pub const FEED_CONNECTIONS_PER_CLIENT_MAX: usize = 32;

/// How long a request may take to arrive, the pause before it included.
const REQUEST_MAX: Duration = Duration::from_secs(15);

/// How often those that wait for changes look for them.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often the listener looks whether it shall end.
const ACCEPT_WAIT: Duration = Duration::from_millis(250);

/// A running listener. Dropping it ends it and its connections.
pub struct FeedServer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
    /// The sockets once more, for the process that takes this one's place.
    sockets: Vec<TcpListener>,
}

struct Shared {
    feed: Arc<Feed>,
    reader: Reader,
    stop: AtomicBool,
    open: AtomicUsize,
    /// Connections by the client's network.
    clients: Mutex<HashMap<u64, usize>>,
}

impl FeedServer {
    /// Listens at each address and serves what `reader` sees.
    pub fn start(listen: &[SocketAddr], feed: Arc<Feed>, reader: Reader) -> io::Result<Self> {
        let (open, clients) = (AtomicUsize::new(0), Mutex::default());
        let shared = Arc::new(Shared { feed, reader, stop: AtomicBool::new(false), open, clients });
        let mut server = Self { shared, threads: Vec::new(), addresses: Vec::new(), sockets: Vec::new() };
        for address in listen {
            let listener = take_tcp(*address).map_or_else(|| TcpListener::bind(address), Ok)?;
            listener.set_nonblocking(false)?;
            SockRef::from(&listener).set_read_timeout(Some(ACCEPT_WAIT))?;
            server.addresses.push(listener.local_addr()?);
            server.sockets.push(listener.try_clone()?);
            let shared = Arc::clone(&server.shared);
            let thread = thread::Builder::new().name("feed".into()).spawn(move || accept(&shared, &listener))?;
            server.threads.push(thread);
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its sockets, for the process that takes this one's place.
    pub fn sockets(&self) -> impl Iterator<Item = (SocketAddr, &TcpListener)> {
        self.addresses.iter().copied().zip(&self.sockets)
    }

    /// What is given away.
    pub fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already; connections end with their next write or look.
            drop(thread.join());
        }
    }
}

/// A connection's place. Dropping it gives it back.
struct Seat {
    shared: Arc<Shared>,
    network: u64,
}

impl Seat {
    fn take(shared: &Arc<Shared>, client: Address) -> Option<Self> {
        let network = network_number(client);
        let mut clients = shared.clients();
        let own = clients.entry(network).or_default();
        if *own >= FEED_CONNECTIONS_PER_CLIENT_MAX || shared.open.load(Ordering::Relaxed) >= FEED_CONNECTIONS_MAX {
            if *own == 0 {
                clients.remove(&network);
            }
            return None;
        }
        *own += 1;
        shared.open.fetch_add(1, Ordering::Relaxed);
        Some(Self { shared: Arc::clone(shared), network })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
        let mut clients = self.shared.clients();
        if let Some(own) = clients.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                clients.remove(&self.network);
            }
        }
    }
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    while !shared.is_stopping() {
        let (stream, from) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                // For want of descriptors mostly; the wait for nobody has taken its time already.
                if error.kind() != io::ErrorKind::WouldBlock {
                    thread::sleep(LOOK_EVERY);
                }
                continue;
            }
        };
        let client = Address::new(from.ip());
        let Some(seat) = Seat::take(shared, client) else {
            shared.feed.count(Count::Shed);
            continue;
        };
        let run = move || {
            // An error of the socket ends this connection; the client sees it as well and asks again.
            if let Err(error) = Connection::new(&seat.shared, stream, client).and_then(|mut own| own.serve())
                && error.kind() == io::ErrorKind::TimedOut
            {
                seat.shared.feed.count(Count::Slow);
            }
        };
        if thread::Builder::new().name("feed-client".into()).spawn(run).is_err() {
            shared.feed.count(Count::Shed);
        }
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    stream: TcpStream,
    client: Address,
    /// What came and was not read yet.
    input: Vec<u8>,
}

impl<'a> Connection<'a> {
    fn new(shared: &'a Shared, stream: TcpStream, client: Address) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        Ok(Self { shared, stream, client, input: Vec::new() })
    }

    fn serve(&mut self) -> io::Result<()> {
        while !self.shared.is_stopping() {
            let Some(end) = self.head()? else { return Ok(()) };
            let request = Request::parse(&self.input[..end]);
            self.input.drain(..end);
            match request {
                Ok(request) => {
                    self.answer(&request)?;
                    if !request.stays {
                        return Ok(());
                    }
                }
                Err(wrong) => {
                    self.shared.feed.count(Count::Wrong);
                    let (status, text) = match wrong {
                        Wrong::Malformed(text) => ("400 Bad Request", text),
                        Wrong::NotFound => ("404 Not Found", "lists are at /feed/LIST"),
                        Wrong::Method => ("405 Method Not Allowed\r\nAllow: GET, HEAD", "only GET and HEAD"),
                    };
                    return self.short(status, "Connection: close\r\n", text, false);
                }
            }
        }
        Ok(())
    }

    /// Reads until a head is there; where it ends. None if the client has left, or is silent between two.
    fn head(&mut self) -> io::Result<Option<usize>> {
        let deadline = Instant::now() + REQUEST_MAX;
        loop {
            let end = self.input.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                return Ok(Some(end + 4));
            }
            if self.input.len() >= HEAD_BYTES_MAX {
                self.shared.feed.count(Count::Wrong);
                self.short("431 Request Header Fields Too Large", "Connection: close\r\n", "too long a head", false)?;
                return Ok(None);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut some = [0; 2048];
            match self.stream.read(&mut some) {
                Ok(0) => return Ok(None),
                Ok(count) => self.input.extend_from_slice(&some[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn answer(&mut self, request: &Request) -> io::Result<()> {
        let feed = &*self.shared.feed;
        let Some(list) = feed.list(&request.list) else {
            feed.count(Count::Wrong);
            return self.short("404 Not Found", "", "no such list is published", request.is_head);
        };
        if let Some(reason) = feed.refused(list, self.client, request.key.as_deref(), now()) {
            feed.count(Count::Denied);
            let (status, header) = match reason {
                Reason::KeyWanted | Reason::KeyUnknown => ("401 Unauthorized", "WWW-Authenticate: Bearer\r\n"),
                Reason::Quota | Reason::Rate => ("429 Too Many Requests", ""),
                Reason::Network | Reason::KeyOver | Reason::KeyElsewhere | Reason::NoName | Reason::PoolName => {
                    ("403 Forbidden", "")
                }
            };
            return self.short(status, header, reason.text(), request.is_head);
        }
        let snapshot = self.settled();
        if !feed.gives(&snapshot) {
            let text = "the list is being read or changed as a whole: ask again";
            return self.short("503 Service Unavailable", "Retry-After: 5\r\n", text, request.is_head);
        }
        match request.since {
            Some(since) => self.changes(request, list, since),
            None => self.whole(request, list, &snapshot),
        }
    }

    /// The book as it is when it may be given away, or as it is after a while.
    fn settled(&self) -> Snapshot {
        let (end, mut reader) = (Instant::now() + SETTLE_MAX, self.shared.reader.clone());
        self.shared.feed.wait_open();
        while reader.snapshot().is_torn() && Instant::now() < end && !self.shared.is_stopping() {
            thread::sleep(LOOK_EVERY);
        }
        reader.snapshot().clone()
    }

    fn whole(&mut self, request: &Request, list: &Fed, snapshot: &Snapshot) -> io::Result<()> {
        // That of the list's last change, for as long as it is the last.
        let serial = self.shared.feed.serial(list).min(snapshot.serial());
        let tag = list.tag(serial, request.form);
        let about = format!("ETag: {tag}\r\nRatter-Serial: {serial}\r\n");
        if request.known.as_deref().is_some_and(|known| is_known(known, &tag)) {
            self.shared.feed.count(Count::Unchanged);
            return self.head_only("304 Not Modified", &about);
        }
        self.shared.feed.count(Count::Whole);
        let tree = snapshot.tree();
        self.body(request, &about, |out| {
            let told = |network| Ok(self.shared.feed.told(list, request.form, network));
            let networks = tree.on_list(list.id).map(told);
            list.about.write(request.form, serial as u32, networks, out).map(drop)
        })
    }

    fn changes(&mut self, request: &Request, list: &Fed, since: u64) -> io::Result<()> {
        let feed = &*self.shared.feed;
        let deadline = Instant::now() + request.wait;
        while feed.serial(list) <= since && Instant::now() < deadline && !self.shared.is_stopping() {
            thread::sleep(LOOK_EVERY);
        }
        let Some(changes) = feed.changes(list, since) else {
            feed.count(Count::Gone);
            let link = format!("Link: </feed/{}>; rel=\"latest-version\"\r\n", list.about.list);
            return self.short(
                "410 Gone",
                &link,
                "these changes are not known here: take the whole list",
                request.is_head,
            );
        };
        let about = format!("Ratter-Serial: {}\r\n", changes.until);
        if changes.is_empty() {
            feed.count(Count::Unchanged);
            return self.head_only("204 No Content", &about);
        }
        feed.count(Count::Changes);
        self.body(request, &about, |out| feed.write(list, &changes, request.form, out))
    }

    /// A reply whose body `write` writes.
    fn body(
        &mut self,
        request: &Request,
        about: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut out = Paced::new(&self.stream)?;
        write!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Type: {}\r\n{about}Vary: Accept-Encoding\r\n",
            media_type(request.form)
        )?;
        out.write_all(header(request.coding).as_bytes())?;
        // Who knows no chunks is told by the end of the connection.
        out.write_all(
            if request.is_1_1 { "Transfer-Encoding: chunked\r\n" } else { "Connection: close\r\n" }.as_bytes(),
        )?;
        out.write_all(b"\r\n")?;
        if request.is_head {
            return Ok(());
        }
        let mut packer = Packer::new(request.coding, Chunks::new(out, request.is_1_1));
        write(&mut packer)?;
        packer.finish()?.finish()
    }

    fn head_only(&mut self, status: &str, about: &str) -> io::Result<()> {
        let head = format!("HTTP/1.1 {status}\r\n{about}\r\n");
        Paced::new(&self.stream)?.write_all(head.as_bytes())
    }

    fn short(&mut self, status: &str, about: &str, text: &str, is_head: bool) -> io::Result<()> {
        let (length, body) = (text.len() + 1, if is_head { "" } else { &format!("{text}\n") });
        let head =
            format!("HTTP/1.1 {status}\r\n{about}Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}");
        Paced::new(&self.stream)?.write_all(head.as_bytes())
    }
}
