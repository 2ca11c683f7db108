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
use ratter_tests::wait;
use rustix::process::Signal;

/// Where Debian's package puts the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_mail_module.so";

/// nginx for IMAP at `listen`, which believes the PROXY protocol about where clients come from.
fn nginx(place: &Place, listen: SocketAddr, include: &Path) -> Process {
    assert!(Path::new(MODULE).is_file(), "{MODULE} is missing: `apt-get install libnginx-mod-mail`");
    let folder = place.path().display();
    let config = format!(
        "load_module {MODULE};\ndaemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 64; }}\nhttp {{ access_log off; include {folder}/ratter-http.conf; }}\nmail {{\n  server_name mx.example.org;\n  include {};\n  server {{\n    \
         listen {listen} proxy_protocol;\n    set_real_ip_from 127.0.0.1;\n    protocol imap;\n    imap_auth plain;\n  }}\n}}\n",
        include.display()
    );
    write(&place.join("nginx.conf"), &config);
    let mut command = Command::new(program("nginx", "nginx-light"));
    command.arg("-c").arg(place.join("nginx.conf")).arg("-e").arg(place.join("error.log")).arg("-p").arg(place.path());
    let mut process = Process::start("nginx", place.path(), &command);
    wait::until_true("nginx to serve", || {
        process.must_run();
        TcpStream::connect(listen).is_ok()
    });
    process
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
    let (gate, behind, listen) = (free_port(), free_port(), free_port());
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
    let place = Place::new("nginx");
    let file = place.join("ratter-mail.conf");
    let file_text = file.to_str().expect("plain letters");
    let (http_file, front) = (place.join("ratter-http.conf").display().to_string(), free_port().to_string());
    let imap = listen.to_string();
    let setup = [
        "setup",
        "nginx",
        "--file",
        file_text,
        "--http-file",
        &http_file,
        "--front",
        &front,
        "--imap",
        &imap,
        "--wait",
        "5s",
    ];
    node.cli(&[&setup[..], &["--write"]].concat()).with_code(0);
    let _nginx = nginx(&place, listen, &file);

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
    let (gate, behind, listen) = (free_port(), free_port(), free_port());
    let rule = "[[rule]]\nname = \"login-attacked\"\non = \"login-failed\"\nby = \"login\"\ncount = 3\nwithin = \"1m\"\n\
                block = { for = \"10m\", then = \"tarpit\", tarpit = \"2s\" }\n";
    let section = format!("[gate.http]\nlisten = [\"{gate}\"]\n[gate.http.nginx]\nimap = \"{behind}\"\n{rule}");
    let node = Node::start(&Config::new().with(&section));
    let place = Place::new("nginx");
    let file = place.join("ratter-mail.conf");
    let file_text = file.to_str().expect("plain letters");
    let (http_file, front) = (place.join("ratter-http.conf").display().to_string(), free_port().to_string());
    node.cli(&[
        "setup",
        "nginx",
        "--file",
        file_text,
        "--http-file",
        &http_file,
        "--front",
        &front,
        "--wait",
        "5s",
        "--write",
    ])
    .with_code(0);
    let _nginx = nginx(&place, listen, &file);
    let mut http = ratter_tests::http::Connection::tcp(gate).expect("the gate listens");
    for guess in 0..3 {
        let path = format!("/v1/report?result=failed&login=alice&address=198.51.100.{guess}");
        http.post(&path, "", "").expect("an answer");
    }
    // Nobody listens behind nginx: whoever passed would be told of a server that is away.
    let watch = ratter_tests::time::Stopwatch::start();
    let answer = login(listen, "203.0.113.9", "alice", PASSWORD);
    assert!(answer.contains("Invalid login or password"), "{answer}");
    assert!(watch.elapsed() >= Duration::from_secs(2), "{:?}", watch.elapsed());
}
