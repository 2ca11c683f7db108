//! The syslog listener and the real `logger` of util-linux.

#![cfg(feature = "io")]
#![expect(clippy::disallowed_methods, reason = "the test waits for what another program sends")]

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use base::Timestamp;
use sensors::io::{CONNECTIONS_MAX, SyslogListener, SyslogSettings};
use sensors::{Reader, TimeZone, Timing};

const MESSAGE: &str = "imap-login: Login: user=<alice>, method=PLAIN, rip=198.51.100.7, session=<S>";

fn listener(allow: &str) -> (SyslogListener, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let any = Some("127.0.0.1:0".parse().expect("it is an address"));
    let allow = vec![allow.parse().expect("it is a network")];
    let settings = SyslogSettings { udp: any, tcp: any, unix: Some(folder.path().join("log")), allow };
    (SyslogListener::bind(settings).expect("loopback and a folder of the test's own"), folder)
}

/// Lines until there are `count`, or for a moment if none are wanted.
fn lines(listener: &mut SyslogListener, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let patience = if count == 0 { Duration::from_millis(100) } else { Duration::from_secs(20) };
    let deadline = Instant::now() + patience;
    while (lines.len() < count || count == 0) && Instant::now() < deadline {
        let take = &mut |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
        listener.next(Duration::from_millis(20), take).expect("it listens");
    }
    lines
}

fn logger(arguments: &[&str]) {
    let status = Command::new("logger").args(["-t", "dovecot", "-p", "mail.info"]).args(arguments).status();
    assert!(status.expect("`logger` is in Debian's package bsdutils").success());
}

#[test]
fn logger_is_understood_in_every_form() {
    let (mut listener, folder) = listener("127.0.0.0/8");
    let udp = listener.udp_address().expect("it listens").port().to_string();
    let tcp = listener.tcp_address().expect("it listens").port().to_string();
    let unix = folder.path().join("log");
    let unix = unix.to_str().expect("it is text");
    let network = |transport: &'static str, port: &str, form: &[&str]| {
        let base = ["-n", "127.0.0.1", transport, "-P", port];
        let all: Vec<&str> = base.iter().chain(form).chain(&[MESSAGE]).copied().collect();
        logger(&all);
    };
    for form in [&["--rfc3164"][..], &["--rfc5424"], &["--rfc5424=notime"]] {
        network("-d", &udp, form);
        network("-T", &tcp, form);
        network("-T", &tcp, &[form, &["--octet-count"]].concat());
    }
    logger(&["-u", unix, "-d", MESSAGE]);
    let lines = lines(&mut listener, 10);
    let mut reader = Reader::new(TimeZone::system(), Timing::Live);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later");
    let now = Timestamp::EPOCH.plus(now);
    for line in &lines {
        let mut found = Vec::new();
        reader.read(line.as_bytes(), now, &mut |event| {
            found.push((event.login.map(str::to_owned), event.address.map(|a| a.to_string()), event.time));
        });
        let wanted = (Some("alice".to_owned()), Some("198.51.100.7".to_owned()));
        assert!(found.len() == 1 && (found[0].0.clone(), found[0].1.clone()) == wanted, "{line}: {found:?}");
        assert!(now.since(found[0].2) < Duration::from_mins(5), "{line}: {found:?}");
    }
    assert_eq!((lines.len(), listener.counters().lines), (10, 10));
}

#[test]
fn strangers_are_counted_and_dropped() {
    let (mut listener, _folder) = listener("192.0.2.0/24");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    udp.send_to(b"<22>dovecot: x", listener.udp_address().expect("it listens")).expect("loopback");
    let mut tcp = TcpStream::connect(listener.tcp_address().expect("it listens")).expect("loopback");
    tcp.write_all(b"<22>dovecot: x\n").expect("loopback");
    assert_eq!(lines(&mut listener, 0), [""; 0]);
    assert_eq!(listener.counters().refused, 2);
}

#[test]
fn connections_are_bounded_and_the_busy_ones_stay() {
    let (mut listener, _folder) = listener("127.0.0.1");
    let to = listener.tcp_address().expect("it listens");
    let mut busy = TcpStream::connect(to).expect("loopback");
    busy.write_all(b"<22>a: 1\n").expect("loopback");
    assert_eq!(lines(&mut listener, 1), ["<22>a: 1"]);
    let mut idle = Vec::new();
    for at in 0..CONNECTIONS_MAX + 20 {
        idle.push(TcpStream::connect(to).expect("loopback"));
        if at % 50 == 0 {
            busy.write_all(b"<22>a: 2\n").expect("loopback");
            lines(&mut listener, 1);
        }
    }
    busy.write_all(b"<22>a: 3\n").expect("loopback");
    // What it sent before may come together with it.
    let mut last = lines(&mut listener, 1);
    last.extend(lines(&mut listener, 0));
    assert_eq!(last.last().map(String::as_str), Some("<22>a: 3"));
    assert!(listener.counters().displaced >= 20, "{:?}", listener.counters());
}

#[test]
fn a_socket_that_was_left_is_replaced_and_a_file_is_not() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("log");
    let settings = SyslogSettings { unix: Some(path.clone()), ..SyslogSettings::default() };
    drop(std::os::unix::net::UnixDatagram::bind(&path).expect("a folder of the test's own"));
    drop(SyslogListener::bind(settings.clone()).expect("the socket is nobody's"));
    assert!(!path.exists());
    std::fs::write(&path, "precious").expect("a folder of the test's own");
    assert!(SyslogListener::bind(settings).is_err());
}
