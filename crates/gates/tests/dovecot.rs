//! The gate asked by the real Dovecot 2.3 (Debian: dovecot-imapd, dovecot-pop3d), which must be installed and be started by
//! root.

#![expect(
    clippy::disallowed_methods,
    reason = "the test writes Dovecot's configuration and measures how long it waits"
)]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use core::time::Duration;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base::{Decision, Event, Reason, Timestamp, Verdict};
use gates::dovecot::{Access, Count, Gate, PasswordHash, Settings};
use gates::http::Http;
use gates::io::{Limits, Listener, Server};
use rules::{Door, Question, Stage};
use tempfile::TempDir;

/// Decides by the login, and keeps what it was asked and told as lines of text.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Door for Recorder {
    fn ask(&self, _: Timestamp, question: &Question<'_>) -> Decision {
        let Question { address, login, stage, service } = question;
        let (address, login) = (address.expect("an address"), login.expect("a login"));
        self.0.lock().unwrap().push(format!("{stage:?} {login} {address} {service}"));
        let verdict = match (login, stage) {
            ("panic1", _) => panic!("this panic is part of a test"),
            ("deny1", _) | ("late1" | "hold1", Stage::After) => Verdict::Refuse,
            ("tarpit1", _) => Verdict::Tarpit(Duration::from_millis(900)),
            ("hold1", Stage::Before) => Verdict::Tarpit(Duration::from_secs(1)),
            ("defer1", _) => Verdict::Defer,
            _ => Verdict::Pass,
        };
        Decision { verdict, reason: Reason::Unlisted }
    }

    fn observe(&self, event: &Event<'_>) -> Decision {
        let tag = event.password.map_or_else(|| "-".to_owned(), |tag| format!("{:03x}", tag.0));
        let session = if event.session.is_some() { "session" } else { "-" };
        let (login, address) = (event.login.unwrap_or("-"), event.address.expect("an address"));
        let line = format!("{} {:?} {login} {address} {} {session} {tag}", event.kind, event.tally, event.service);
        self.0.lock().unwrap().push(line);
        Decision::PASS
    }
}

impl Recorder {
    /// What was heard since the last call, once it is so many lines: reports come after the client has its answer.
    fn heard(&self, wanted: &[&str]) {
        let started = Instant::now();
        while self.0.lock().unwrap().len() < wanted.len() && started.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_millis(5));
        }
        assert_eq!(core::mem::take(&mut *self.0.lock().unwrap()), wanted);
    }
}

fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since.as_millis() as u64)
}

/// A Dovecot of its own in a temporary folder; it ends with the value.
struct Dovecot {
    folder: TempDir,
    process: Child,
    imap: u16,
    pop3: u16,
}

impl Dovecot {
    /// Starts one that asks the policy server at `url` with this API header (none if empty).
    fn start(url: &str, api_header: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        // Dovecot's unprivileged processes walk through it.
        fs::set_permissions(base, Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(base.join("mail")).unwrap();
        fs::set_permissions(base.join("mail"), Permissions::from_mode(0o777)).unwrap();
        let users = ["alice", "deny1", "late1", "tarpit1", "hold1", "defer1", "panic1"];
        fs::write(base.join("users"), users.join(":{PLAIN}correct-horse\n") + ":{PLAIN}correct-horse\n").unwrap();
        let (imap, pop3) = (free_port(), free_port());
        let config = include_str!("data/dovecot-2.3.conf")
            .replace("@BASE@", base.to_str().unwrap())
            .replace("@URL@", url)
            .replace("@HEADER@", api_header)
            .replace("@IMAP@", &imap.to_string())
            .replace("@POP3@", &pop3.to_string());
        fs::write(base.join("dovecot.conf"), config).unwrap();
        let process = Command::new("dovecot")
            .args(["-F", "-c"])
            .arg(base.join("dovecot.conf"))
            .stdin(Stdio::null())
            .spawn()
            .expect("Dovecot is installed: dovecot-imapd, dovecot-pop3d");
        let dovecot = Self { folder, process, imap, pop3 };
        for port in [imap, pop3] {
            let started = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(started.elapsed() < Duration::from_secs(20), "Dovecot does not start: {}", dovecot.log());
                sleep(Duration::from_millis(20));
            }
        }
        dovecot
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("dovecot.log")).unwrap_or_default()
    }

    /// Logs in by IMAP as a client at `address`; the last line of the answer.
    fn imap(&self, address: &str, login: &str, password: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.imap)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut command = |tag: &str, text: &str| {
            (&stream).write_all(format!("{tag} {text}\r\n").as_bytes()).unwrap();
            lines.by_ref().map(Result::unwrap).find(|line| line.starts_with(tag)).expect("an answer")
        };
        if address != "127.0.0.1" {
            command("i1", &format!("ID (\"name\" \"probe\" \"x-originating-ip\" \"{address}\")"));
        }
        command("a1", &format!("LOGIN {login} \"{password}\""))
    }

    fn pop3(&self, login: &str, password: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.pop3)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        lines.next().expect("a greeting");
        (&stream).write_all(format!("USER {login}\r\nPASS {password}\r\n").as_bytes()).unwrap();
        lines.nth(1).expect("an answer")
    }

    /// The way that Postfix' SASL takes.
    fn auth_test(&self, address: &str, login: &str, password: &str) {
        let mut doveadm = Command::new("doveadm");
        doveadm.arg("-c").arg(self.folder.path().join("dovecot.conf")).args(["auth", "test", "-x", "service=smtp"]);
        doveadm.args(["-x", &format!("rip={address}"), login, password]).stdout(Stdio::null()).stderr(Stdio::null());
        doveadm.status().expect("doveadm is installed");
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Asked to end, Dovecot ends its children; killed, it would leave them.
        _ = Command::new("kill").arg(self.process.id().to_string()).status();
        for _ in 0..100 {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    ratter_tests::place::free_port().port()
}

/// A gate at that port, with what it asks.
struct Running {
    gate: Arc<Gate>,
    address: SocketAddr,
    server: Server,
}

fn start_gate(port: u16, access: Access) -> (Arc<Recorder>, Running) {
    let door = Arc::new(Recorder::default());
    let settings =
        Settings { access, password_hash: Some(PasswordHash::new("localrandomstring")), ..Settings::default() };
    let gate = Arc::new(Gate::new(settings, door.clone()));
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let address = listener.local_addr().unwrap();
    let spoken = vec![(Http::new(gate.clone()), vec![Listener::Tcp(listener)])];
    let server = Server::start("dovecot-gate", spoken, clock, Limits::default()).unwrap();
    (door, Running { gate, address, server })
}

const GOOD: &str = "correct-horse";
const OK: &str = "a1 OK";
/// The answer to a refusal is the one to a wrong password, word for word.
const NO: &str = "a1 NO [AUTHENTICATIONFAILED] Authentication failed.";

#[test]
fn dovecot_asks_and_obeys() {
    let (door, running) = start_gate(0, Access::open().with_header("sesame"));
    let url = format!("http://{}/", running.address);
    let dovecot = Dovecot::start(&url, "sesame");

    assert!(dovecot.imap("198.51.100.7", "alice", GOOD).starts_with(OK));
    door.heard(&[
        "Before alice 198.51.100.7 imap",
        "After alice 198.51.100.7 imap",
        "login-ok One alice 198.51.100.7 imap session 810",
    ]);
    assert_eq!(dovecot.imap("198.51.100.7", "alice", "wrong1"), NO);
    door.heard(&["Before alice 198.51.100.7 imap", "login-failed One alice 198.51.100.7 imap session acf"]);
    assert_eq!(dovecot.imap("2001:db8::7", "nobody", "wrong1"), NO);
    door.heard(&["Before nobody 2001:db8::7 imap", "login-failed One nobody 2001:db8::7 imap session 3cf"]);
    // The empty password has the hash that says nothing.
    assert_eq!(dovecot.imap("127.0.0.1", "alice", ""), NO);
    door.heard(&["Before alice 127.0.0.1 imap", "login-failed One alice 127.0.0.1 imap session -"]);
    assert_eq!(running.gate.counters().get(Count::ConstantTags), 1);

    assert_eq!(dovecot.imap("203.0.113.9", "deny1", GOOD), NO);
    door.heard(&["Before deny1 203.0.113.9 imap", "login-failed Refused deny1 203.0.113.9 imap session 2d4"]);
    assert_eq!(dovecot.imap("203.0.113.9", "late1", GOOD), NO);
    door.heard(&[
        "Before late1 203.0.113.9 imap",
        "After late1 203.0.113.9 imap",
        "login-failed Refused late1 203.0.113.9 imap session 248",
    ]);
    for login in ["defer1", "panic1"] {
        assert!(dovecot.imap("203.0.113.9", login, GOOD).starts_with(OK), "{login}");
    }
    assert_eq!(running.gate.counters().get(Count::DoorPanics), 2);
    door.0.lock().unwrap().clear();

    assert!(dovecot.pop3("alice", GOOD).starts_with("+OK"));
    assert!(dovecot.pop3("deny1", GOOD).starts_with("-ERR"));
    dovecot.auth_test("198.51.100.7", "alice", "wrong2");
    door.heard(&[
        "Before alice 127.0.0.1 pop3",
        "After alice 127.0.0.1 pop3",
        "login-ok One alice 127.0.0.1 pop3 session 810",
        "Before deny1 127.0.0.1 pop3",
        "login-failed Refused deny1 127.0.0.1 pop3 session 2d4",
        "Before alice 198.51.100.7 smtp",
        "login-failed One alice 198.51.100.7 smtp - 44e",
    ]);

    let log = dovecot.log();
    assert!(!log.contains("JSON parse error") && !log.contains("Error: policy("), "{log}");
    assert!(running.gate.warnings().is_empty());
    let odd = [Count::OddFields, Count::NotJson, Count::Unauthorized, Count::UnknownCommand, Count::UnusedTags];
    assert_eq!(odd.map(|count| running.gate.counters().get(count)), [0; 5]);
    assert_eq!(running.server.connections().faulty, 0);
}

#[test]
fn dovecot_holds_the_client() {
    let (door, running) = start_gate(0, Access::open());
    let dovecot = Dovecot::start(&format!("http://{}/", running.address), "");
    let cases = [("tarpit1", GOOD, OK), ("tarpit1", "wrong1", NO), ("hold1", GOOD, NO), ("hold1", "wrong1", NO)];
    for (login, password, wanted) in cases {
        let started = Instant::now();
        let answer = dovecot.imap("203.0.113.9", login, password);
        let waited = started.elapsed().as_millis();
        assert!(answer.starts_with(wanted), "{login} {password}: {answer}");
        assert!((950..20_000).contains(&waited), "{login} {password}: {waited} ms");
    }
    assert_eq!(running.gate.counters().get(Count::Tarpitted), 4);
    assert_eq!(door.0.lock().unwrap().iter().filter(|line| line.starts_with("After")).count(), 2);
    assert!(!dovecot.log().contains("Error: policy("), "{}", dovecot.log());
}

#[test]
fn dovecot_lets_in_when_the_gate_is_away_or_locked() {
    let locked = || Access::open().with_password("super");
    let (door, running) = start_gate(0, locked());
    let address = running.address;
    let by_password = Dovecot::start(&format!("http://anybody:super@{address}"), "");
    assert!(by_password.imap("198.51.100.7", "alice", GOOD).starts_with(OK));
    door.heard(&[
        "Before alice 198.51.100.7 imap",
        "After alice 198.51.100.7 imap",
        "login-ok One alice 198.51.100.7 imap session 810",
    ]);
    let without = Dovecot::start(&format!("http://{address}/"), "");
    assert!(without.imap("198.51.100.7", "deny1", GOOD).starts_with(OK));
    assert!(running.gate.counters().get(Count::Unauthorized) >= 2);
    door.heard(&[]);

    drop(running);
    assert!(by_password.imap("198.51.100.7", "deny1", GOOD).starts_with(OK));
    let (door, running) = start_gate(address.port(), locked());
    let started = Instant::now();
    while by_password.imap("198.51.100.7", "deny1", GOOD) != NO {
        assert!(started.elapsed() < Duration::from_secs(30), "Dovecot does not come back");
    }
    assert!(door.0.lock().unwrap().iter().any(|line| line.starts_with("Before deny1")));
    for dovecot in [&by_password, &without] {
        assert!(!dovecot.log().contains("JSON parse error"), "{}", dovecot.log());
    }
    assert_eq!(running.server.connections().faulty, 0);
}
