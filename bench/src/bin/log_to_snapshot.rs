//! How long after a log line is written its address is in the snapshot that gates and DNS look at, without a question or an
//! answer in the figure: the sensor, the grammar, the rule and the book in this process, as the node's own thread has
//! them.
//!
//! ```text
//! log_to_snapshot [TRIALS] [LINES-PER-SECOND] [inotify|MICROSECONDS]
//! log_to_snapshot TRIALS wake
//! ```
//!
//! With a rate, another thread writes so many lines of ordinary mail a second into the same log meanwhile. The last word
//! is how the sensor learns that there is something to read: the kernel tells it, or it looks every so many
//! microseconds (0: without a pause). `wake` measures only how long a thread that sleeps in `read` on a pipe needs to be
//! awake after a write: no program that waits for the kernel is quicker than that on the machine.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads clocks and files, and prints"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::{EventKind, ListId, Timestamp};
use listings::{Book, NeverList};
use rules::{By, Effect, Engine, Rule, Settings, Trigger};
use sensors::io::FileSensor;
use sensors::tail::Start;
use sensors::{Reader, TimeZone, Timing};

/// Between trials, so that the sensor waits when the line comes.
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(5);

fn main() {
    // Sleeps of microseconds are what they say only if the kernel may not gather timers.
    fs::write("/proc/self/timerslack_ns", "1").expect("timers can be made exact");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.get(1).is_some_and(|word| word == "wake") {
        show("byte written -> the reader is awake", wakes(arguments[0].parse().expect("a number")), "");
        return;
    }
    let number = |at: usize, other: u32| arguments.get(at).map_or(other, |text| text.parse().expect("a number"));
    let (trials, rate) = (number(0, 1000), number(1, 0));
    let pause = arguments.get(2).filter(|way| *way != "inotify");
    let pause = pause.map(|micros| Duration::from_micros(micros.parse().expect("microseconds")));
    let path = std::env::temp_dir().join(format!("ratter-log-to-snapshot-{}", std::process::id()));
    let mut log = appended(&path);
    let stop = Arc::new(AtomicBool::new(false));
    let (sensor, listed) = start_sensor(&path, pause, &stop);
    let writer = (rate > 0).then(|| start_writer(&path, rate, &stop));
    std::thread::sleep(Duration::from_millis(100));
    let times: Vec<Duration> = (0..trials).map(|trial| trial_of(&mut log, &listed, trial)).collect();
    stop.store(true, Ordering::Relaxed);
    let lines = sensor.join().expect("the sensor ends");
    let written = writer.map_or(0, |writer| writer.join().expect("the writer ends"));
    fs::remove_file(&path).expect("the log can be removed");
    let read = format!("; {lines} lines read, {written} of them in the background");
    show("line written -> in the snapshot", times, &read);
}

fn show(what: &str, mut times: Vec<Duration>, more: &str) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)].as_secs_f64() * 1e6;
    let [half, most, nearly, all] = [500, 900, 990, 999].map(at);
    println!(
        "{what}: p50 {half:.0} us, p90 {most:.0} us, p99 {nearly:.0} us, p99.9 {all:.0} us ({} trials{more})",
        times.len()
    );
}

/// From the write of a byte until the thread that slept for it says so.
fn wakes(trials: u32) -> Vec<Duration> {
    let (mut from, mut to) = std::io::pipe().expect("a pipe");
    let (said, awake) = sync_channel(1);
    let reader = std::thread::spawn(move || {
        while from.read_exact(&mut [0]).is_ok() {
            said.try_send(Instant::now()).unwrap_or_default();
        }
    });
    let trial = |_| {
        std::thread::sleep(PAUSE);
        let start = Instant::now();
        to.write_all(b"x").expect("the pipe can be written");
        let end = awake.recv_timeout(PATIENCE).expect("the reader wakes");
        end.saturating_duration_since(start)
    };
    let times = (0..trials).map(trial).collect();
    drop(to);
    reader.join().expect("the reader ends");
    times
}

fn appended(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a log file")
}

/// From the write until the sensor's thread has seen the listing.
fn trial_of(log: &mut File, listed: &Receiver<Instant>, trial: u32) -> Duration {
    std::thread::sleep(PAUSE);
    let [_, _, high, low] = trial.to_be_bytes();
    let address = Ipv4Addr::new(203, 0, high, low);
    let line = format!(
        "{} mx1 dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<alice>, \
         method=PLAIN, rip={address}, lip=192.0.2.1, TLS, session=<s{address}>\n",
        stamp()
    );
    let start = Instant::now();
    log.write_all(line.as_bytes()).expect("the log can be written");
    let end = listed.recv_timeout(PATIENCE).expect("the address is listed");
    end.saturating_duration_since(start)
}

/// The sensor's thread, which says when something was listed; it ends with the count of lines.
fn start_sensor(
    path: &Path,
    pause: Option<Duration>,
    stop: &Arc<AtomicBool>,
) -> (std::thread::JoinHandle<u64>, Receiver<Instant>) {
    let (said, listed) = sync_channel(1);
    let rule = Rule {
        name: "one".into(),
        on: Trigger::Event(EventKind::LoginFailed),
        by: By::Address,
        count: 1,
        within: Duration::from_mins(1),
        distinct: None,
        unless_known: false,
        per_good: 0,
        reverse: None,
        effect: Effect::List { list: ListId::new(4), span: Duration::from_hours(1) },
    };
    let book = Arc::new(Book::new(NeverList::new([], [])));
    let engine = Engine::new(Settings { rules: vec![rule], ..Settings::default() }, book, [7; 16]);
    let sensor = FileSensor::new(path, Start::Beginning, None);
    let stop = Arc::clone(stop);
    let thread = std::thread::spawn(move || follow(sensor, &engine, pause, &stop, &said));
    (thread, listed)
}

fn follow(
    mut sensor: FileSensor,
    engine: &Engine,
    pause: Option<Duration>,
    stop: &AtomicBool,
    said: &SyncSender<Instant>,
) -> u64 {
    let mut reader = Reader::new(TimeZone::UTC, Timing::Live);
    sensors::io::ask_for_short_turns();
    let timeout = if pause.is_some() { Duration::ZERO } else { Duration::from_millis(100) };
    while !stop.load(Ordering::Relaxed) {
        let Some(batch) = sensor.next(timeout).expect("the log can be read") else {
            if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                std::thread::sleep(pause);
            }
            continue;
        };
        let now = Timestamp::EPOCH.plus(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970"));
        for line in batch.lines {
            reader.read(line, now, &mut |event| {
                let serial = engine.book().serial();
                engine.observe(now, &event);
                if engine.book().serial() != serial {
                    // Nobody waits any more at the end.
                    said.try_send(Instant::now()).unwrap_or_default();
                }
            });
        }
    }
    sensor.counters().lines
}

/// A thread that writes `rate` lines a second of mail that was delivered, a millisecond's worth at a time.
fn start_writer(path: &Path, rate: u32, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    let (mut log, stop) = (appended(path), Arc::clone(stop));
    std::thread::spawn(move || {
        let begin = Instant::now();
        let mut written = 0;
        while !stop.load(Ordering::Relaxed) {
            let due = begin.elapsed().as_micros() as u64 * u64::from(rate) / 1_000_000;
            let head = stamp();
            let mut text = String::new();
            for number in written..due {
                text.push_str(&head);
                text.push_str(match number % 4 {
                    0 => " mx1 postfix/smtpd[7]: connect from mail7.example.edu[203.0.113.77]\n",
                    1 => " mx1 postfix/cleanup[8]: 3F1A2B4C5D: message-id=<7.8.9@mail7.example.edu>\n",
                    2 => " mx1 postfix/qmgr[9]: 3F1A2B4C5D: from=<news@mail7.example.edu>, size=9000, nrcpt=1 (queue active)\n",
                    _ => " mx1 dovecot: lmtp(anna)<7><ABCDEFGH>: msgid=<7@sender.example>: saved mail to INBOX\n",
                });
            }
            log.write_all(text.as_bytes()).expect("the log can be written");
            written = due.max(written);
            std::thread::sleep(Duration::from_millis(1));
        }
        written
    })
}

/// The time now in UTC by RFC 3339.
fn stamp() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    Timestamp::from_secs(seconds).to_string()
}
