//! The server asked by BIND's `dig`, which finds fault with replies that a decoder of our own would take.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;

use crate::common::{AUTH, DYNA, list, settings};
use dnsbl::io::Server;
use dnsbl::serve::{Responder, Zones};

struct Dig {
    server: Server,
}

impl Dig {
    fn start() -> Self {
        let book = Arc::new(crate::common::book());
        list(&book, "192.0.2.1", DYNA);
        list(&book, "192.0.2.1", AUTH);
        list(&book, "2001:db8:0:1::/64", AUTH);
        let mut settings = settings();
        for list in &mut settings.lists {
            list.text = format!("{{ip}} \"quoted\" {}", "x".repeat(200));
        }
        let responder = Arc::new(Responder::new(Zones::new(&settings).unwrap()));
        let listen: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
        Self { server: Server::start(&listen, responder, &book, 1).unwrap() }
    }

    /// The output of `dig`, which must be without warnings.
    fn ask(&self, listener: usize, arguments: &str) -> String {
        let server = self.server.local_addrs()[listener];
        let output = Command::new("dig")
            .args([&format!("@{}", server.ip()), "-p", &server.port().to_string(), "+norecurse", "+tries=1", "+time=5"])
            .args(arguments.split_whitespace())
            .output()
            .expect("dig is installed (Debian: bind9-dnsutils)");
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments}: {out}");
        let bad = ["WARNING", "MALFORMED", "malformed", "parse error", "Got bad", "extra bytes"];
        assert!(!bad.iter().any(|word| out.contains(word)), "{arguments}: {out}");
        out
    }

    /// What `dig +short` prints, lines joined by `; `, over all four roads.
    fn short(&self, arguments: &str) -> String {
        let answers = [(0, "+notcp"), (0, "+tcp"), (1, "+notcp"), (1, "+tcp")].map(|(listener, road)| {
            self.ask(listener, &format!("+short {road} {arguments}")).trim_end().replace('\n', "; ")
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{arguments}: {answers:?}");
        answers[0].clone()
    }
}

#[test]
fn dig_reads_every_kind_of_reply() {
    let dig = Dig::start();
    let text = format!("\"192.0.2.1 \\\"quoted\\\" {}\"", "x".repeat(200));
    let cases = [
        ("1.2.0.192.dyna.bl.example.org A", "127.0.0.36"),
        ("1.2.0.192.ALL.bl.example.org A", "127.0.0.36; 127.0.0.43"),
        ("1.2.0.192.dyna.bl.example.org TXT", &text),
        ("2.2.0.192.dyna.bl.example.org A", ""),
        ("2.0.0.127.all.bl.example.org A", "127.0.0.36; 127.0.0.37; 127.0.0.38; 127.0.0.43"),
        ("36.0.0.127.dyna.bl.example.org A", "127.0.0.36"),
        ("1.0.0.127.dyna.bl.example.org A", ""),
        ("auth.bl.example.org SOA", "ns1.dns.bl.example.org. host\\.master.example.org. 3 600 300 604800 150"),
        ("auth.bl.example.org NS", "ns1.dns.bl.example.org.; ns.example.net."),
        ("ns1.dns.bl.example.org AAAA", "2001:db8::53"),
        ("bl.example.org A", "192.0.2.80"),
    ];
    for (question, wanted) in cases {
        assert_eq!(dig.short(question), wanted, "{question}");
    }
    let v6 = format!("{}1.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2", "5.".repeat(16));
    assert_eq!(dig.short(&format!("{v6}.auth.bl.example.org A")), "127.0.0.43");
}

#[test]
fn dig_sees_status_flags_and_extensions() {
    let dig = Dig::start();
    let cases = [
        (
            "2.2.0.192.dyna.bl.example.org A",
            &["status: NXDOMAIN", "flags: qr aa;", "AUTHORITY: 1", "IN\tSOA\tns1.dns."][..],
        ),
        ("2.0.192.dyna.bl.example.org A", &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"]),
        ("1.2.0.192.dyna.bl.example.org AAAA", &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"]),
        ("example.org A", &["status: REFUSED", "flags: qr;"]),
        ("+noedns example.org A", &["status: REFUSED", "ADDITIONAL: 0"]),
        ("version.bind CH TXT", &["status: REFUSED"]),
        ("+opcode=NOTIFY bl.example.org SOA", &["status: NOTIMP"]),
        ("+edns=1 +noednsnegotiation bl.example.org SOA", &["status: BADVERS", "EDNS: version: 0"]),
        ("+nsid bl.example.org SOA", &["NSID: 6d 78 31 (\"mx1\")"]),
        ("+dnssec bl.example.org SOA", &["EDNS: version: 0, flags: do; udp: 1232"]),
        ("+cookie +subnet=192.0.2.0/24 +ednsopt=100:beef bl.example.org SOA", &["status: NOERROR", "udp: 1232"]),
        ("+cdflag bl.example.org SOA", &["flags: qr aa cd;"]),
        ("bl.example.org ANY +notcp", &["status: NOERROR", "ANSWER: 1,"]),
        ("+bufsize=512 +ignore 2.0.0.127.all.bl.example.org TXT", &["flags: qr aa tc;", "ANSWER: 0"]),
        ("+bufsize=512 2.0.0.127.all.bl.example.org TXT", &["Truncated, retrying in TCP mode", "ANSWER: 4,"]),
        (
            "+keepopen +tcp dyna.bl.example.org SOA auth.bl.example.org SOA",
            &["dyna.bl.example.org.\t3600", "auth.bl.example.org.\t3600"],
        ),
    ];
    for (arguments, wanted) in cases {
        let out = dig.ask(0, arguments);
        for part in wanted {
            assert!(out.contains(part), "{arguments}: {part} in\n{out}");
        }
    }
}
