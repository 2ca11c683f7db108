//! A private Dovecot from the system's packages: own configuration, ports, users and log file, nothing of the system's
//! own is touched.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, PoisonError};

use rustix::process::Signal;

use crate::imap::{Client, Reply, login};
use crate::place::{Place, free_port};
use crate::process::{Process, program, text_of, write};
use crate::ratter::NONCE;
use crate::wait;

const TEMPLATE: &str = include_str!("../dovecot/dovecot.conf");
const POLICY: &str = include_str!("../dovecot/policy.conf");

/// The password of every user.
pub const PASSWORD: &str = "correct-horse";

/// The users.
pub const USERS: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

/// How many servers run at the same time at most: each is about ten processes.
const RUNNING_MAX: usize = 3;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    policy: Option<SocketAddr>,
    auth_verbose: bool,
    username_chars: Option<&'static str>,
    failure_delay: &'static str,
    log_elements: Option<&'static str>,
    more: String,
}

impl Setup {
    /// A server that asks the auth policy server at `gate`.
    pub fn asking(gate: SocketAddr) -> Self {
        Self { policy: Some(gate), ..Self::alone() }
    }

    /// A server that asks nobody.
    pub fn alone() -> Self {
        Self {
            policy: None,
            auth_verbose: false,
            username_chars: None,
            failure_delay: "0 secs",
            log_elements: None,
            more: String::new(),
        }
    }

    /// Lets `auth` log each wrong password, which it does not by default.
    #[must_use]
    pub fn auth_verbose(mut self) -> Self {
        self.auth_verbose = true;
        self
    }

    /// Lets user names hold only these characters, all if empty.
    #[must_use]
    pub fn username_chars(mut self, chars: &'static str) -> Self {
        self.username_chars = Some(chars);
        self
    }

    /// Holds the answer to a wrong password so long; Dovecot's own default is 2 s.
    #[must_use]
    pub fn failure_delay(mut self, delay: &'static str) -> Self {
        self.failure_delay = delay;
        self
    }

    /// Adds lines to the end of the configuration.
    #[must_use]
    pub fn with(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.more);
        self
    }

    /// Lets the login processes write these elements in their lines.
    #[must_use]
    pub fn log_elements(mut self, elements: &'static str) -> Self {
        self.log_elements = Some(elements);
        self
    }
}

/// A running server.
#[derive(Debug)]
pub struct Dovecot {
    process: Process,
    imap: SocketAddr,
    pop3: SocketAddr,
    place: Place,
    _slot: Slot,
}

impl Dovecot {
    /// The log file of a server that will run in `place`, for the configuration of who shall follow it.
    pub fn log_in(place: &Place) -> PathBuf {
        place.join("dovecot.log")
    }

    /// Starts a server in a folder of its own and waits until it serves.
    pub fn start(setup: &Setup) -> Self {
        Self::start_in(Place::new("dovecot"), setup)
    }

    /// Starts a server in `place` and waits until it serves.
    pub fn start_in(place: Place, setup: &Setup) -> Self {
        let slot = Slot::take();
        let dovecot = program("dovecot", "dovecot-imapd");
        for (module, package) in [("imap", "dovecot-imapd"), ("pop3", "dovecot-pop3d")] {
            let file = Path::new("/usr/lib/dovecot").join(module);
            assert!(file.is_file(), "{} is missing: `apt-get install {package}`", file.display());
        }
        assert!(rustix::process::geteuid().is_root(), "Dovecot changes between users: run this test as root");
        let (imap, pop3) = (free_port(), free_port());
        let config = place.join("dovecot.conf");
        write(&config, &configuration(&place, setup, imap, pop3));
        let users: Vec<String> = USERS.iter().map(|user| format!("{user}:{{PLAIN}}{PASSWORD}\n")).collect();
        write(&place.join("users"), &users.concat());
        std::fs::create_dir(place.join("mail")).expect("a new folder");
        let (user, group) = (id_of("mail", "-u"), id_of("mail", "-g"));
        chown(place.join("mail"), Some(user), Some(group)).expect("root gives files away");
        let mut command = Command::new(dovecot);
        command.arg("-F").arg("-c").arg(&config);
        let mut process = Process::start("dovecot", place.path(), &command);
        wait::until_true("Dovecot to serve", || {
            process.must_run();
            [imap, pop3].iter().all(|address| TcpStream::connect(address).is_ok())
        });
        Self { process, imap, pop3, place, _slot: slot }
    }

    /// One attempt by IMAP from any address, on a connection of its own.
    pub fn login(&self, address: &str, user: &str, password: &str) -> Reply {
        login(self.imap, address, user, password)
    }

    /// Several wrong passwords from one address on one connection, all different; `first` begins their numbering, so
    /// that two calls do not try the same ones.
    pub fn guess(&self, address: &str, user: &str, first: u32, count: u32) {
        let mut client = Client::connect(self.imap, address);
        for number in first..first + count {
            let reply = client.login(user, &format!("guess-{number}"));
            assert!(!reply.ok, "a guess at {user} is right: {reply:?}");
        }
    }

    /// Where it serves IMAP.
    pub fn imap(&self) -> SocketAddr {
        self.imap
    }

    /// Where it serves POP3.
    pub fn pop3(&self) -> SocketAddr {
        self.pop3
    }

    /// Its log file.
    pub fn log(&self) -> PathBuf {
        Self::log_in(&self.place)
    }

    /// Waits until its log holds `count` lines that contain `text`: its processes write them in their own time.
    pub fn wait_logged(&self, text: &str, count: usize) {
        wait::until_true(&format!("{count} log lines with `{text}`"), || {
            text_of(&self.log()).lines().filter(|line| line.contains(text)).count() >= count
        });
    }

    /// Lets it read its configuration again, and waits until it has.
    pub fn reload(&mut self) {
        self.process.signal(Signal::HUP);
        self.wait_logged("SIGHUP received", 1);
    }

    /// What it has to complain about the auth policy server: answers that it does not understand, or that never came.
    pub fn complaints(&self) -> Vec<String> {
        let log = text_of(&self.log());
        let is_complaint = |line: &&str| line.contains("Error: policy(") || line.contains("Warning: policy(");
        log.lines().filter(is_complaint).map(str::to_owned).collect()
    }

    /// Rotates its log as Debian's logrotate would: renames the file and tells Dovecot to open a new one.
    pub fn rotate(&mut self, old: &Path) {
        std::fs::rename(self.log(), old).expect("a file can be renamed");
        self.process.signal(Signal::USR1);
        wait::until_true("Dovecot to open a new log", || self.log().exists());
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // In order first, so that its own processes are told; what is left is killed with the process below.
        self.process.end();
    }
}

fn configuration(place: &Place, setup: &Setup, imap: SocketAddr, pop3: SocketAddr) -> String {
    let policy = setup.policy.map_or_else(String::new, |gate| POLICY.replace("@GATE@", &gate.to_string()));
    let chars = setup.username_chars.map_or_else(String::new, |chars| format!("auth_username_chars = {chars}"));
    let elements = setup.log_elements.map_or_else(String::new, |list| format!("login_log_format_elements = {list}"));
    TEMPLATE
        .replace("@LOG_ELEMENTS@", &elements)
        .replace("@FAILURE_DELAY@", setup.failure_delay)
        .replace("@POLICY@", &(policy.replace("@NONCE@", NONCE) + &setup.more))
        .replace("@BASE@", &place.path().display().to_string())
        .replace("@IMAP@", &imap.port().to_string())
        .replace("@POP3@", &pop3.port().to_string())
        .replace("@AUTH_VERBOSE@", if setup.auth_verbose { "yes" } else { "no" })
        .replace("@USERNAME_CHARS@", &chars)
}

fn id_of(user: &str, which: &str) -> u32 {
    let said = crate::process::run(Command::new(program("id", "coreutils")).args([which, user])).with_code(0);
    said.out.trim().parse().expect("`id` prints a number")
}

/// One of the [`RUNNING_MAX`] places for a server, given back when dropped.
#[derive(Debug)]
struct Slot;

static RUNNING: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Slot {
    fn take() -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running =
            FREED.wait_while(running, |running| *running >= RUNNING_MAX).unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREED.notify_one();
    }
}
