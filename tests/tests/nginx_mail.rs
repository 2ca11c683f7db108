//! A real nginx mail proxy with what `ratter setup nginx` writes, in front of a real Dovecot, which asks Ratter as well.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Process, program, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::rules::login_attacked;
use ratter_tests::wait;
use rustix::process::Signal;

/// Where Debian's package puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_mail_module.so";

/// nginx for IMAP with what `ratter setup nginx` writes for a node. It believes the PROXY protocol about where clients come from.
struct Nginx {
    listen: SocketAddr,
    _process: Process,
    _place: Place,
}

impl Nginx {
    fn start(node: &Node) -> Self {
        assert!(Path::new(MODULE).is_file(), "{MODULE} is missing: `apt-get install libnginx-mod-mail`");
        let (place, listen, front) = (Place::new("nginx"), free_port(), free_port().to_string());
        let path = |name: &str| place.join(name).to_str().expect("plain letters").to_owned();
        let (mail, http, imap) = (path("ratter-mail.conf"), path("ratter-http.conf"), listen.to_string());
        // The machine may be busy: who is refused shall not depend on that.
        let files = ["--file", &mail, "--http-file", &http, "--front", &front, "--imap", &imap, "--wait", "5s"];
        node.cli(&[&["setup", "nginx", "--write"], &files[..]].concat()).with_code(0);
        let folder = place.path().display();
        let config = format!(
            "load_module {MODULE};\ndaemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
             events {{ worker_connections 64; }}\nhttp {{ access_log off; include {http}; }}\n\
             mail {{\n  server_name mx.example.org;\n  include {mail};\n  server {{\n    listen {listen} proxy_protocol;\n    \
             set_real_ip_from 127.0.0.1;\n    protocol imap;\n    imap_auth plain;\n  }}\n}}\n",
        );
        write(&place.join("nginx.conf"), &config);
        let mut command = Command::new(program("nginx", "nginx-light"));
        command.args(["-c", &path("nginx.conf"), "-e", &path("error.log"), "-p"]).arg(place.path());
        let mut process = Process::start("nginx", place.path(), &command);
        wait::until_true("nginx to serve", || {
            process.must_run();
            TcpStream::connect(listen).is_ok()
        });
        Self { listen, _process: process, _place: place }
    }
}

/// The answer to a login through nginx; what stands for a connection that is closed is empty.
fn login(nginx: SocketAddr, address: &str, user: &str, password: &str) -> String {
    let stream = TcpStream::connect(nginx).expect("nginx listens");
    stream.set_read_timeout(Some(Duration::from_secs(100))).expect("a socket");
    let mut stream = BufReader::new(stream);
    let hello = format!("PROXY TCP4 {address} 127.0.0.1 4711 143\r\n");
    stream.get_mut().write_all(hello.as_bytes()).expect("nginx reads");
    let mut line = String::new();
    stream.read_line(&mut line).expect("a greeting");
    assert!(line.starts_with("* OK"), "{line}");
    stream.get_mut().write_all(format!("a1 LOGIN {user} {password}\r\n").as_bytes()).expect("nginx reads");
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 || line.starts_with("a1 ") {
            return line.trim_end().to_owned();
        }
    }
}

#[test]
fn nginx_refuses_whom_ratter_refuses_and_passes_the_others_to_dovecot() {
    let (gate, behind) = (free_port(), free_port());
    let section = format!(
        "[gate.http]\nlisten = [\"{gate}\"]\napi-key = \"se\\\"same\"\n[gate.http.nginx]\nimap = \"{behind}\"\n"
    );
    let mut node = Node::start(&Config::new().with(&section));
    let listener = format!(
        "haproxy_trusted_networks = 127.0.0.1\nservice imap-login {{\n  inet_listener proxied {{\n    port = {}\n    \
         address = 127.0.0.1\n    haproxy = yes\n  }}\n}}\n",
        behind.port()
    );
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate).with(&listener));
    let nginx = Nginx::start(&node);
    let listen = nginx.listen;

    assert!(login(listen, "198.51.100.7", "alice", PASSWORD).contains("a1 OK"));
    for guess in 1..=5 {
        let answer = login(listen, "203.0.113.9", "alice", &format!("guess-{guess}"));
        assert!(answer.starts_with("a1 NO"), "{answer}");
    }
    // Dovecot reports after it has answered.
    node.wait_listed("203.0.113.9", "blocked");
    let before = node.status().gates;
    let asked =
        |gates: &[console::api::GateStatus]| gates.iter().find(|gate| gate.name == "dovecot").expect("shown").asked;
    let answer = login(listen, "203.0.113.9", "alice", PASSWORD);
    assert!(!answer.contains("OK"), "{answer}");
    assert_eq!(asked(&node.status().gates), asked(&before), "nginx refused it before Dovecot saw it");
    assert!(login(listen, "198.51.100.7", "alice", PASSWORD).contains("a1 OK"));
    assert_eq!(dovecot.complaints(), Vec::<String>::new());

    // Hung or stopped, Ratter keeps nobody out: the password decides.
    node.process().signal(Signal::STOP);
    assert!(login(listen, "198.51.100.7", "alice", PASSWORD).contains("a1 OK"), "Ratter hangs");
    assert!(login(listen, "198.51.100.7", "alice", "wrong").contains("a1 NO"), "Ratter hangs");
    node.process().signal(Signal::CONT);
    node.kill();
    assert!(login(listen, "198.51.100.7", "alice", PASSWORD).contains("a1 OK"), "Ratter is away");
}

#[test]
fn a_guarded_login_is_held_and_then_refused() {
    let (gate, behind) = (free_port(), free_port());
    let rule = login_attacked("10m", "2s");
    let section = format!("[gate.http]\nlisten = [\"{gate}\"]\n[gate.http.nginx]\nimap = \"{behind}\"\n{rule}");
    let node = Node::start(&Config::new().with(&section));
    let nginx = Nginx::start(&node);
    let mut http = ratter_tests::http::Connection::tcp(gate).expect("the gate listens");
    for guess in 0..3 {
        let path = format!("/v1/report?result=failed&login=alice&address=198.51.100.{guess}");
        http.post(&path, "", "").expect("an answer");
    }
    // Nobody listens behind nginx: whoever passed would be told of a server that is away.
    let watch = ratter_tests::time::Stopwatch::start();
    let answer = login(nginx.listen, "203.0.113.9", "alice", PASSWORD);
    assert!(answer.contains("Invalid login or password"), "{answer}");
    assert!(watch.elapsed() >= Duration::from_secs(2), "{:?}", watch.elapsed());
}
