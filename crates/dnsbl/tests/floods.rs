//! Thousands of streams at once, most of them up to no good: the others are answered, and memory stays bounded.

#![expect(clippy::disallowed_methods, reason = "real sockets, and what the system says of this process")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use dnsbl::io::{Server, TCP_CONNECTIONS_MAX};
use dnsbl::serve::{Responder, Zones};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::common::{DYNA, book, list, query, settings, text};

const LISTED: &str = "NOERROR aa; 1.2.0.192.dyna 2036 A 127.0.0.36";

/// Streams that one client opens; so many is one allowed.
const PER_CLIENT: usize = 50;

/// Octets that this process may grow by: what as many connections as are served may hold each, a message of 64 KiB
/// and as much again in buffers that grow by doubling, and a little for the test itself.
const GROWTH_MAX: usize = TCP_CONNECTIONS_MAX * 128 * 1024 + (16 << 20);

#[test]
fn streams_without_number_keep_nobody_from_an_answer() {
    // Whoever has time opens as many as an operator will see on a bad day.
    let is_soak = std::env::var_os("RATTER_SOAK").is_some();
    flood(if is_soak { 10_000 } else { 1500 });
}

fn flood(count: usize) {
    let wanted = count as u64 + 2000;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("the system lets a process have that many files open");
    }
    let book = Arc::new(book());
    list(&book, "192.0.2.1", DYNA);
    let responder = Arc::new(Responder::new(Zones::new(&settings()).unwrap()));
    let server = Server::start(&[(Ipv4Addr::UNSPECIFIED, 0).into()], responder, &book, 1).unwrap();
    let port = server.local_addrs()[0].port();
    let before = resident();
    let mut kept = Vec::with_capacity(count);
    for number in 0..count {
        let mut stream = connect(client(number / PER_CLIENT), port);
        // Nothing; the beginning of a question; most of the largest message; a message of noise; an endless one.
        let sent: &[u8] = match number % 5 {
            0 => &[],
            1 => &[0, 40, 1, 2, 3],
            2 => &[vec![0xff; 2], vec![7; 60_000]].concat(),
            3 => &[&[1, 0][..], &[0xc0; 256]].concat(),
            _ => &[0; 3000],
        };
        // It may be closed already.
        drop(stream.write_all(sent));
        kept.push(stream);
        if number % 250 == 249 {
            honest(port);
        }
    }
    honest(port);
    let statistics = server.statistics();
    assert!(statistics.tcp_accepted >= count as u64, "{statistics:?}");
    let growth = resident().saturating_sub(before);
    assert!(growth < GROWTH_MAX, "{growth} octets more for {count} streams");
}

/// The address of a client on the loopback interface.
fn client(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x7f01_0001 + (number as u32) * 256)
}

fn connect(from: Ipv4Addr, port: u16) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // The server reads no more than it wants from a stream.
    stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    stream
}

/// Somebody who asks as one should, by UDP and by TCP.
fn honest(port: u16) {
    let message = query("1.2.0.192.dyna A");
    let mut stream = connect(Ipv4Addr::new(127, 9, 9, 9), port);
    stream.write_all(&[&(message.len() as u16).to_be_bytes()[..], &message].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(text(&reply), LISTED);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.send(&message).unwrap();
    let mut reply = [0; 512];
    let length = socket.recv(&mut reply).unwrap();
    assert_eq!(text(&reply[..length]), LISTED);
}

/// Octets of this process in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
