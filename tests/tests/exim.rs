//! A real Exim with what `ratter setup exim` writes: blocked clients are refused as they connect, blocked logins before their
//! password counts, and each attempt is reported.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Process, write};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

/// Where `install-packages.sh` unpacks Exim, whose package would take Postfix away.
const EXIM: &str = "/usr/local/lib/ratter-tests/exim/usr/sbin/exim4";

/// What Exim answers to the lines of a client from `address`: it plays the whole session (`-bh`), with its ACLs and
/// authenticators, because Debian's knows no PROXY protocol.
fn session(place: &Place, address: &str, lines: &[&str]) -> Vec<String> {
    let mut command = Command::new(EXIM);
    command.arg("-C").arg(place.join("exim.conf")).args(["-bh", address]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("Exim starts");
    let text = [lines, &["QUIT", ""]].concat().join("\r\n");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).unwrap_or_default();
    let output = child.wait_with_output().expect("Exim ends");
    let said = String::from_utf8_lossy(&output.stdout);
    let is_last = |line: &&str| line.len() > 3 && line.as_bytes()[3] == b' ';
    said.lines().map(str::trim_end).filter(is_last).map(str::to_owned).collect()
}

/// A login by PLAIN; the password is `secret`.
fn login(place: &Place, address: &str, login: &str, password: &str) -> String {
    let text = format!("\0{login}\0{password}");
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let base64: String = text
        .as_bytes()
        .chunks(3)
        .flat_map(|three| {
            let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            let digit = move |at: usize| char::from(digits[(bits >> (18 - 6 * at)) as usize & 63]);
            (0..4).map(move |at| if at > three.len() { '=' } else { digit(at) })
        })
        .collect();
    let said = session(place, address, &["EHLO client.example", &format!("AUTH PLAIN {base64}")]);
    // The greeting, the answer to EHLO, and the one to AUTH; a refused client gets the first only.
    said.get(2).or_else(|| said.first()).cloned().unwrap_or_default()
}

fn start(place: &Place, smtp: SocketAddr) -> Process {
    assert!(Path::new(EXIM).is_file(), "{EXIM} is missing: `sh tests/install-packages.sh`");
    let folder = place.path().display();
    let config = format!(
        ".include {folder}/ratter.macros\nspool_directory = {folder}/spool\nlog_file_path = {folder}/%slog\nexim_user = mail\n\
         exim_group = mail\nkeep_environment =\nprimary_hostname = mx.example.org\nlocal_interfaces = 127.0.0.1\n\
         daemon_smtp_ports = {}\npid_file_path = {folder}/exim.pid\ntls_advertise_hosts =\n\
         acl_smtp_connect = ratter_connect\nbegin acl\n.include {folder}/ratter.acl\nbegin authenticators\nplain:\n  \
         driver = plaintext\n  public_name = PLAIN\n  server_prompts = :\n  server_set_id = $auth2\n  \
         server_condition = ${{if RATTER_REFUSES{{$auth2}}RATTER_END {{no}} {{${{if eq{{$auth3}}{{secret}} \
         {{RATTER_OK{{$auth2}}RATTER_SENT}} {{RATTER_FAILED{{$auth2}}RATTER_SENT}}}}}}}}\n",
        smtp.port()
    );
    write(&place.join("exim.conf"), &config);
    for folder in ["spool", "log"] {
        std::fs::create_dir(place.join(folder)).expect("a new folder");
    }
    let owner = Command::new("chown").arg("-R").arg("mail:mail").arg(place.path()).status().expect("chown runs");
    assert!(owner.success());
    // Exim reads no configuration that others than root may write.
    std::os::unix::fs::chown(place.join("exim.conf"), Some(0), Some(0)).expect("tests run as root");
    let mut command = Command::new(EXIM);
    command.arg("-C").arg(place.join("exim.conf")).arg("-bdf");
    let mut process = Process::start("exim", place.path(), &command);
    wait::until_true("Exim to serve", || {
        process.must_run();
        TcpStream::connect(smtp).is_ok()
    });
    process
}

#[test]
fn exim_refuses_whom_ratter_refuses_and_reports_each_login() {
    let (gate, smtp) = (free_port(), free_port());
    let mut node = Node::start(&Config::new().with(&format!("[gate.line]\nlisten = [\"{gate}\"]")));
    let place = Place::new("exim");
    let folder = place.path().to_str().expect("plain letters").to_owned();
    let said = node.cli(&["setup", "exim", "--folder", &folder, "--write"]).with_code(0);
    assert!(said.out.contains("acl_smtp_connect = ratter_connect"), "{said:?}");
    let _exim = start(&place, smtp);
    let proved = node.cli(&["setup", "exim", "--smtp", &smtp.to_string(), "--probe"]).with_code(0);
    assert!(proved.out.contains("Exim asks Ratter"), "{proved:?}");

    node.cli(&["list", "203.0.113.5", "--reason", "test"]).with_code(0);
    let refused = session(&place, "203.0.113.5", &[]);
    assert!(refused[0].starts_with("550") && refused[0].contains("Your address is blocked here"), "{refused:?}");
    let login = |address: &str, user: &str, password: &str| login(&place, address, user, password);
    assert!(login("198.51.100.7", "alice", "secret").starts_with("235"));

    for guess in 1..=5 {
        let answer = login("203.0.113.9", "bob", &format!("guess-{guess}"));
        assert!(answer.starts_with("535"), "{answer}");
    }
    let listing = node.wait_listed("203.0.113.9", "blocked");
    assert_eq!(listing.maker, "rule address-guesses");
    assert!(login("203.0.113.9", "bob", "secret").starts_with("550"));

    // A login is the client's text: it cannot report on somebody else.
    let odd = "x\nfailed address=198.51.100.99 login=y\n";
    for _ in 0..6 {
        assert!(login("203.0.113.77", odd, "wrong").starts_with('5'));
    }
    node.wait_listed("203.0.113.77", "blocked");
    assert!(node.listing("198.51.100.99", "blocked").is_none());

    node.cli(&["list", "login:carol", "--reason", "test"]).with_code(0);
    assert!(login("198.51.100.8", "carol", "secret").starts_with("535"));
    assert!(login("198.51.100.8", "carol ", "secret").starts_with("535"), "it is the same login");
    let long = "x".repeat(3000);
    for guess in 1..=5 {
        let answer = login("203.0.113.88", &long, &format!("guess-{guess}"));
        assert!(answer.starts_with("535"), "{answer}");
    }
    node.wait_listed("203.0.113.88", "blocked");
    node.stop();
    assert!(login("198.51.100.8", "carol", "secret").starts_with("235"), "without Ratter everybody passes");
}
