//! The server on real sockets of the loopback interface.

#![expect(clippy::disallowed_methods, reason = "measures how long real sockets take")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{DYNA, list, query, settings, text};
use dnsbl::io::{Server, ServerError, Statistics, TCP_CONNECTIONS_PER_CLIENT_MAX};
use dnsbl::serve::{Outcome, Responder, Zones};
use listings::Book;

const LISTED: &str = "NOERROR aa; 1.2.0.192.dyna 2036 A 127.0.0.36";

fn start(listen: &[SocketAddr], threads: usize) -> (Server, Arc<Book>) {
    let book = Arc::new(crate::common::book());
    list(&book, "192.0.2.1", DYNA);
    let responder = Arc::new(Responder::new(Zones::new(&settings()).unwrap()));
    (Server::start(listen, responder, &book, threads).unwrap(), book)
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn ask(socket: &UdpSocket, question: &str) -> String {
    socket.send(&query(question)).unwrap();
    let mut reply = [0; 2048];
    let length = socket.recv(&mut reply).unwrap();
    text(&reply[..length])
}

fn client(server: SocketAddr) -> UdpSocket {
    let own: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(own).unwrap();
    // Connected: a reply from another address than the one asked would not arrive.
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

fn stream(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

fn framed(question: &str) -> Vec<u8> {
    let message = query(question);
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
}

fn read_reply(stream: &mut TcpStream) -> String {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply).unwrap();
    text(&reply)
}

/// Waits until the statistics say it.
fn wait_until(server: &Server, holds: impl Fn(&Statistics) -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds(&server.statistics()) {
        assert!(Instant::now() < end, "{:?}", server.statistics());
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn replies_come_from_the_address_that_was_asked() {
    let wild: [SocketAddr; 2] = [(Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::UNSPECIFIED, 0).into()];
    let (server, _book) = start(&wild, 2);
    let [v4, v6] = server.local_addrs() else { panic!("two addresses are served") };
    for asked in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
        let socket = client((asked.parse::<Ipv4Addr>().unwrap(), v4.port()).into());
        assert_eq!(ask(&socket, "1.2.0.192.dyna A"), LISTED, "{asked}");
    }
    assert_eq!(ask(&client((Ipv6Addr::LOCALHOST, v6.port()).into()), "1.2.0.192.dyna A"), LISTED);
    assert_eq!(server.statistics().udp.outcome(Outcome::Listed), 4);
    server.stop();
}

#[test]
fn bursts_are_answered_by_several_threads() {
    let (server, book) = start(&[loopback()], 4);
    let address = server.local_addrs()[0];
    let sockets: Vec<_> = (0..16).map(|_| client(address)).collect();
    let message = query("1.2.0.192.dyna A");
    for socket in &sockets {
        for _ in 0..100 {
            socket.send(&message).unwrap();
        }
    }
    let mut reply = [0; 512];
    for socket in &sockets {
        for _ in 0..100 {
            let length = socket.recv(&mut reply).unwrap();
            assert_eq!(text(&reply[..length]), LISTED);
        }
    }
    // A change is in the next reply of every thread.
    list(&book, "192.0.2.2", DYNA);
    for socket in &sockets {
        assert!(ask(socket, "2.2.0.192.dyna A").starts_with("NOERROR aa; "));
    }
    assert_eq!(server.statistics().udp.outcome(Outcome::Listed), 1616);
}

#[test]
fn odd_datagrams_do_not_stop_the_others() {
    let (server, _book) = start(&[loopback()], 1);
    let socket = client(server.local_addrs()[0]);
    for datagram in [&[][..], &[0; 5], &[0xff; 1232], &[0; 9000], &query("x. A +qr")] {
        socket.send(datagram).unwrap();
    }
    socket.send(&query("1.2.0.192.dyna A")).unwrap();
    let mut reply = [0; 512];
    let texts: Vec<_> = (0..2).map(|_| socket.recv(&mut reply).map(|length| text(&reply[..length])).unwrap()).collect();
    assert_eq!(texts, ["FORMERR", LISTED]);
}

#[test]
fn a_stream_takes_many_queries_in_any_pieces() {
    let (server, _book) = start(&[loopback()], 1);
    let mut stream = stream(server.local_addrs()[0]);
    let both = [framed("1.2.0.192.dyna A"), framed("2.2.0.192.dyna A +edns")].concat();
    for piece in both.chunks(7) {
        stream.write_all(piece).unwrap();
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(read_reply(&mut stream), LISTED);
    assert!(read_reply(&mut stream).starts_with("NXDOMAIN aa | dyna 150 SOA"));
    // Far more than a connection may leave unsent, written while nothing is read.
    let many = framed("2.0.0.127.all TXT").repeat(2000);
    let mut writer = stream.try_clone().unwrap();
    let writing = thread::spawn(move || writer.write_all(&many).unwrap());
    thread::sleep(Duration::from_millis(100));
    for _ in 0..2000 {
        assert_eq!(read_reply(&mut stream).matches(" TXT ").count(), 4);
    }
    writing.join().unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "the server closes when the client has");
    assert_eq!(server.statistics().tcp.messages(), 2002);
}

#[test]
fn messages_of_64_kib_are_read() {
    let (server, _book) = start(&[loopback()], 1);
    let mut stream = stream(server.local_addrs()[0]);
    let mut message = query("1.2.0.192.dyna A +edns");
    // An EDNS option that fills the message to its largest size.
    let filler = 65_535 - message.len() - 4;
    let data = u16::try_from(filler + 4).unwrap();
    let at = message.len() - 2;
    message[at..].copy_from_slice(&data.to_be_bytes());
    message.extend_from_slice(&[0, 12]);
    message.extend_from_slice(&u16::try_from(filler).unwrap().to_be_bytes());
    message.resize(65_535, 0);
    stream.write_all(&[&[0xff, 0xff], &message[..]].concat()).unwrap();
    assert_eq!(read_reply(&mut stream), format!("{LISTED}; edns 1232"));
}

#[test]
fn one_client_gets_only_so_many_streams_and_the_others_get_theirs() {
    let wild: SocketAddr = (Ipv4Addr::UNSPECIFIED, 0).into();
    let (server, _book) = start(&[wild], 1);
    let port = server.local_addrs()[0].port();
    let asked: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    let mut kept: Vec<_> = (0..TCP_CONNECTIONS_PER_CLIENT_MAX).map(|_| stream(asked)).collect();
    wait_until(&server, |sums| sums.tcp_accepted == TCP_CONNECTIONS_PER_CLIENT_MAX as u64);
    let mut over = stream(asked);
    wait_until(&server, |sums| sums.tcp_shed == 1);
    assert!(matches!(over.read(&mut [0; 1]), Ok(0) | Err(_)), "one more is closed at once");
    kept[0].write_all(&framed("1.2.0.192.dyna A")).unwrap();
    assert_eq!(read_reply(&mut kept[0]), LISTED);
    // Loopback clients choose their address by the one that they connect to.
    let other = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    other.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, 9), 0)).into()).unwrap();
    other.connect(&asked.into()).unwrap();
    let mut other = TcpStream::from(other);
    other.write_all(&framed("1.2.0.192.dyna A")).unwrap();
    assert_eq!(read_reply(&mut other), LISTED);
}

#[test]
fn silent_and_slow_streams_are_closed() {
    let (server, _book) = start(&[loopback()], 1);
    let address = server.local_addrs()[0];
    let mut silent = stream(address);
    // A client that sends the beginning of a query, octet by octet, and never ends it.
    let mut slow = stream(address);
    let started = Instant::now();
    let message = framed("1.2.0.192.dyna A");
    let mut pieces = message[..message.len() - 1].chunks(1);
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    while server.statistics().tcp_idle < 2 {
        assert!(started.elapsed() < Duration::from_mins(1));
        if let Some(piece) = pieces.next() {
            drop(slow.write_all(piece));
        }
        thread::sleep(Duration::from_millis(300));
    }
    assert!(started.elapsed() >= Duration::from_secs(9));
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn faults_of_binding_name_the_address() {
    let (server, book) = start(&[loopback()], 1);
    let taken = server.local_addrs()[0];
    let responder = Arc::new(Responder::new(Zones::new(&settings()).unwrap()));
    let foreign: SocketAddr = "192.0.2.1:5353".parse().unwrap();
    for address in [taken, foreign] {
        let error = Server::start(&[address], Arc::clone(&responder), &book, 2).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on TCP {address}"));
        assert!(matches!(error, ServerError::Bind { address: told, .. } if told == address));
    }
    // Only the datagram port is taken.
    let holder = UdpSocket::bind(loopback()).unwrap();
    let udp = holder.local_addr().unwrap();
    let error = Server::start(&[udp], responder, &book, 2).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on UDP {udp}"));
}

#[test]
fn stopping_frees_the_port() {
    let (server, _book) = start(&[loopback()], 2);
    let address = server.local_addrs()[0];
    assert!(server.receive_buffer() > 64 * 1024);
    let started = Instant::now();
    server.stop();
    assert!(started.elapsed() < Duration::from_secs(20));
    let (again, _book) = start(&[address], 2);
    assert_eq!(ask(&client(address), "1.2.0.192.dyna A"), LISTED);
    drop(again);
}
