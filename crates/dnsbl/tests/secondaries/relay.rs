//! A bad line: a relay that loses datagrams, holds streams up and breaks them, until it is told to stop that.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) struct Relay {
    address: SocketAddr,
    line: Arc<Line>,
}

struct Line {
    to: SocketAddr,
    is_bad: AtomicBool,
    is_over: AtomicBool,
    dice: AtomicU64,
    lost: AtomicU64,
    broken: AtomicU64,
}

impl Line {
    /// Whether it happens once in `in` times; never on a good line.
    fn rolls(&self, once_in: u64) -> bool {
        let next =
            |dice: u64| Some(dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
        let dice = self.dice.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap();
        self.is_bad.load(Ordering::Relaxed) && (dice >> 33).is_multiple_of(once_in)
    }
}

impl Relay {
    /// A bad line to this server.
    pub(crate) fn start(to: SocketAddr) -> Self {
        let (listener, socket) = (0..50)
            .find_map(|_| {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
                let socket = UdpSocket::bind(listener.local_addr().ok()?).ok()?;
                Some((listener, socket))
            })
            .expect("a port that is free for both");
        let address = listener.local_addr().unwrap();
        let (is_bad, is_over) = (AtomicBool::new(true), AtomicBool::new(false));
        let (lost, broken) = (AtomicU64::new(0), AtomicU64::new(0));
        let line = Arc::new(Line { to, is_bad, is_over, dice: AtomicU64::new(7), lost, broken });
        listener.set_nonblocking(true).unwrap();
        let (streams, datagrams) = (Arc::clone(&line), Arc::clone(&line));
        thread::spawn(move || carry_streams(&listener, &streams));
        thread::spawn(move || carry_datagrams(&socket, &datagrams));
        Self { address, line }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing is lost.
    pub(crate) fn mend(&self) {
        self.line.is_bad.store(false, Ordering::Relaxed);
    }

    /// How many datagrams were lost and how many streams were broken.
    pub(crate) fn damage(&self) -> (u64, u64) {
        (self.line.lost.load(Ordering::Relaxed), self.line.broken.load(Ordering::Relaxed))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.line.is_over.store(true, Ordering::Relaxed);
    }
}

const TICK: Duration = Duration::from_millis(20);

fn carry_streams(listener: &TcpListener, line: &Arc<Line>) {
    while !line.is_over.load(Ordering::Relaxed) {
        let Ok((client, _)) = listener.accept() else {
            thread::sleep(TICK);
            continue;
        };
        let Ok(server) = TcpStream::connect(line.to) else { continue };
        client.set_nonblocking(false).unwrap();
        for (from, to) in [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))] {
            let (from, to, line) = (from.unwrap(), to.unwrap(), Arc::clone(line));
            thread::spawn(move || {
                drop(carry_stream(&from, &to, &line));
                drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
            });
        }
    }
}

fn carry_stream(mut from: &TcpStream, mut to: &TcpStream, line: &Line) -> io::Result<()> {
    let mut buffer = [0; 2048];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 || line.is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
        if line.rolls(12) {
            // In the middle of a message.
            to.write_all(&buffer[..length / 2])?;
            line.broken.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        if line.rolls(6) {
            thread::sleep(5 * TICK);
        }
        to.write_all(&buffer[..length])?;
    }
}

/// Each client has a socket to the server of its own.
fn carry_datagrams(socket: &UdpSocket, line: &Line) {
    socket.set_read_timeout(Some(TICK)).unwrap();
    let mut clients: HashMap<SocketAddr, UdpSocket> = HashMap::new();
    let mut buffer = vec![0; 65_535];
    while !line.is_over.load(Ordering::Relaxed) {
        if let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let own = clients.entry(client).or_insert_with(|| {
                let own = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                own.set_nonblocking(true).unwrap();
                own
            });
            send(line, || own.send_to(&buffer[..length], line.to));
        }
        for (client, own) in &clients {
            while let Ok(length) = own.recv(&mut buffer) {
                send(line, || socket.send_to(&buffer[..length], client));
            }
        }
    }
}

fn send(line: &Line, send: impl FnOnce() -> io::Result<usize>) {
    if line.rolls(3) {
        line.lost.fetch_add(1, Ordering::Relaxed);
    } else {
        drop(send());
    }
}
