//! How long after a log line is written the whole world is told: the time from `write` of the failure that overflows a rule
//! until DNS answers that its address is listed, on a node that is otherwise idle.
//!
//! ```text
//! log_to_block RATTER-BINARY [TRIALS]
//! ```
//!
//! The node is a process of its own with a log file, as in production; what is measured includes inotify, reading, the
//! grammar, the rule, the book, and one DNS round trip over loopback, whose own median is printed beside it.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads clocks and files, and prints"
)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a trial may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between trials, so that the node is idle when the line comes.
const PAUSE: Duration = Duration::from_millis(5);

/// Between questions: without a pause, question and answer would keep both processors of a small machine busy, and the
/// node would be anything but idle.
const BETWEEN: Duration = Duration::from_micros(20);

fn main() {
    // Sleeps of microseconds are what they say only if the kernel may not gather timers.
    fs::write("/proc/self/timerslack_ns", "1").expect("timers can be made exact");
    let mut arguments = std::env::args().skip(1);
    let binary = arguments.next().expect("usage: log_to_block RATTER-BINARY [TRIALS]");
    let trials: u32 = arguments.next().map_or(500, |text| text.parse().expect("TRIALS is a number"));
    let folder = std::env::temp_dir().join(format!("ratter-log-to-block-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for the node");
    let dns = free_port();
    let config = write_config(&folder, dns);
    let mut log = OpenOptions::new().create(true).append(true).open(folder.join("mail.log")).expect("a log file");
    let node = Node::start(&binary, &config, &folder);
    let resolver = Resolver::new(dns);
    resolver.wait_until_ready();

    let mut idle: Vec<Duration> = (0..trials).map(|_| resolver.timed(Ipv4Addr::new(203, 0, 113, 1)).1).collect();
    let mut times = Vec::new();
    for trial in 0..trials {
        let [_, _, high, low] = trial.to_be_bytes();
        let address = Ipv4Addr::new(203, 0, high, low);
        write_failure(&mut log, address, "first");
        std::thread::sleep(PAUSE);
        let start = Instant::now();
        write_failure(&mut log, address, "second");
        while !resolver.timed(address).0 {
            assert!(start.elapsed() < PATIENCE, "{address} was never listed; see {}", folder.display());
            std::thread::sleep(BETWEEN);
        }
        times.push(start.elapsed());
    }
    drop(node);
    fs::remove_dir_all(&folder).expect("the folder can be removed");
    report("DNS round trip alone", &mut idle);
    report("line written -> listed in DNS", &mut times);
}

/// The node, which is ended when this is dropped.
struct Node(Child);

impl Node {
    fn start(binary: &str, config: &Path, folder: &Path) -> Self {
        let errors = File::create(folder.join("stderr")).expect("a file for the node's log");
        let mut command = Command::new(binary);
        command.arg("--config").arg(config).arg("run").stdout(Stdio::null()).stderr(errors);
        Self(command.spawn().expect("the binary starts"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("it has an address").port()
}

fn write_config(folder: &Path, dns: u16) -> PathBuf {
    let path = folder.join("ratter.toml");
    let state = folder.join("state");
    let text = format!(
        r#"[node]
name = "bench"
state = "{state}"
[[sensor.file]]
path = "{log}"
from = "start"
[dnsbl]
origin = "bl.test"
listen = ["127.0.0.1:{dns}"]
[rules]
shipped = false
[[rule]]
name = "two"
on = "login-failed"
by = "address"
count = 2
within = "1m"
list = {{ on = "auth", for = "1h" }}
"#,
        state = state.display(),
        log = folder.join("mail.log").display(),
    );
    fs::write(&path, text).expect("the configuration can be written");
    path
}

fn write_failure(log: &mut File, address: Ipv4Addr, session: &str) {
    let line = format!(
        "mx1 dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<alice>, \
         method=PLAIN, rip={address}, lip=192.0.2.1, TLS, session=<{session}{address}>\n"
    );
    // A stamp of now in UTC; the day does not matter, as the node takes the time of arrival for a line of the present.
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let line = format!("{} {line}", stamp(seconds));
    log.write_all(line.as_bytes()).expect("the log can be written");
}

/// RFC 3339 by `date`'s rules, from the days since 1970 (Howard Hinnant's civil calendar).
fn stamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Asks the node's list `auth`.
struct Resolver(UdpSocket);

impl Resolver {
    fn new(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).expect("loopback is there");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out can be set");
        Self(socket)
    }

    /// Whether `address` is listed, and how long the answer took.
    fn timed(&self, address: Ipv4Addr) -> (bool, Duration) {
        let start = Instant::now();
        let mut reply = [0; 512];
        self.0.send(&question(address)).unwrap_or_default();
        let is_listed = self.0.recv(&mut reply).is_ok_and(|length| length > 12 && reply[3] % 16 == 0 && reply[7] > 0);
        (is_listed, start.elapsed())
    }

    /// Waits until the test entry answers.
    fn wait_until_ready(&self) {
        let start = Instant::now();
        while !self.timed(Ipv4Addr::new(127, 0, 0, 2)).0 {
            assert!(start.elapsed() < PATIENCE, "the node does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A query for the A record of `address` in `auth.bl.test`.
fn question(address: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let octets = address.octets().into_iter().rev().map(|octet| octet.to_string());
    for label in octets.chain(["auth", "bl", "test"].map(str::to_owned)) {
        message.push(u8::try_from(label.len()).expect("labels are short"));
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    message
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)].as_secs_f64() * 1e6;
    println!("{what}: p50 {:.0} us, p90 {:.0} us, p99 {:.0} us ({} trials)", at(500), at(900), at(990), times.len());
}
