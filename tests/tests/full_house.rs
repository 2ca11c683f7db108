//! All seats of a gate taken: who has been silent for longest leaves, whoever asks is answered, other gates do not notice, and
//! the node takes no more memory and threads than its seats are worth. `RATTER_SOAK=1` tries it with the most that can be
//! configured.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use ratter_tests::place::Place;
use ratter_tests::policy::Attempt;
use ratter_tests::process::{program, text_of};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const QUESTION: &str = "check address=198.51.100.7\n";
/// Its words but the last: on a busy machine the node may be too slow to look, and says so there.
const ANSWER: &str = "0 pass";

/// Bytes of memory that a seat may cost; 19 KiB were measured.
const SEAT_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of memory, and threads, that a node may take beside its seats between two looks.
const BESIDE: (u64, u64) = (32 << 20, 100);

/// Seats of each of two gates: few, or as many as can be configured.
fn seats() -> usize {
    if std::env::var_os("RATTER_SOAK").is_some() { 6_000 } else { 200 }
}

/// A node with a line gate and so many seats, and where that gate is.
fn node_with(place: &Place, seats: usize) -> (Config, PathBuf) {
    let path = place.join("gate.sock");
    let text = format!("[limits]\nconnections = {seats}\n[gate.line]\nlisten = [\"{}\"]", path.display());
    (Config::new().with(&text), path)
}

/// Lets this test hold as many connections as the system allows.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("a soft limit may rise");
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("the gate listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("it is a socket");
    stream
}

/// The answer to a question; none if the connection is gone.
fn ask(stream: &mut UnixStream) -> Option<String> {
    stream.write_all(QUESTION.as_bytes()).ok()?;
    let mut answer = String::new();
    let count = BufReader::new(stream).read_line(&mut answer).ok()?;
    (count > 0).then(|| answer.rsplit_once(' ').map(|(words, _)| words.to_owned()))?
}

/// Clients that have asked once, and stay.
fn askers(path: &Path, count: usize) -> Vec<UnixStream> {
    let asker = |_| {
        let mut stream = connect(path);
        assert_eq!(ask(&mut stream).as_deref(), Some(ANSWER));
        stream
    };
    (0..count).map(asker).collect()
}

/// Whether the gate has ended a connection on which nothing is owed.
fn is_ended(mut stream: &UnixStream) -> bool {
    stream.set_nonblocking(true).expect("it is a socket");
    let read = stream.read(&mut [0]);
    stream.set_nonblocking(false).expect("it is a socket");
    matches!(read, Ok(0))
}

/// Bytes of memory and number of threads of a process.
fn use_of(process: u32) -> (u64, u64) {
    let status = text_of(Path::new(&format!("/proc/{process}/status")));
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("Linux tells it");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    (field("VmRSS:") * 1024, field("Threads:"))
}

#[test]
fn who_has_been_silent_for_longest_leaves_for_one_who_asks() {
    raise_file_limit();
    let (place, seats) = (Place::new("full"), seats());
    let (config, path) = node_with(&place, seats);
    let node = Node::start(&config);
    let mut dovecot = node.gate();
    assert_eq!(dovecot.before(&Attempt::new("198.51.100.7", "alice")), 0);
    let (early, new) = (seats / 4, seats / 5);
    let mut first = askers(&path, early);
    sleep(Duration::from_secs(1));
    let mut later = askers(&path, seats - early);
    sleep(Duration::from_secs(1));
    // One of the first is not silent: he asks again.
    assert_eq!(ask(&mut first[0]).as_deref(), Some(ANSWER));
    let mut newcomers = askers(&path, new);

    assert!(!is_ended(&first[0]), "he had asked again");
    wait::until_true("those that were silent for longest to leave", || {
        first[1..].iter().filter(|stream| is_ended(stream)).count() == new
    });
    for stream in later.iter_mut().chain(&mut newcomers).chain(&mut first[..1]) {
        assert_eq!(ask(stream).as_deref(), Some(ANSWER), "nobody else leaves");
    }
    assert_eq!(dovecot.before(&Attempt::new("198.51.100.7", "alice")), 0, "another gate has its own seats");
    let metrics = node.metrics();
    assert!(metrics.contains(&format!("ratter_line_connections_open {seats}\n")), "{metrics}");
    assert!(metrics.contains(&format!("ratter_line_connections_total{{end=\"shed\"}} {new}\n")), "{metrics}");
}

#[test]
fn a_flood_of_halves_of_questions_keeps_nobody_out_and_takes_no_memory() {
    raise_file_limit();
    let (place, seats) = (Place::new("flood"), seats());
    let (config, path) = node_with(&place, seats);
    let mut node = Node::start(&config);
    let mut steady = connect(&path);
    assert_eq!(ask(&mut steady).as_deref(), Some(ANSWER));
    let process = node.process().id();
    let before = use_of(process);
    let (mut halves, mut most) = (Vec::new(), before);
    for _ in 0..40 {
        for _ in 0..seats / 4 {
            let mut stream = connect(&path);
            // The gate may have sent it away already.
            drop(stream.write_all(b"check addr"));
            halves.push(stream);
        }
        halves.drain(..halves.len().saturating_sub(seats));
        assert_eq!(ask(&mut steady).as_deref(), Some(ANSWER), "who asks keeps his seat");
        assert_eq!(ask(&mut connect(&path)).as_deref(), Some(ANSWER), "who comes to ask gets one");
        let now = use_of(process);
        most = (most.0.max(now.0), most.1.max(now.1));
    }
    let room = (seats as u64 * SEAT_BYTES_MAX + BESIDE.0, seats as u64 + BESIDE.1);
    let more = (most.0 - before.0, most.1 - before.1);
    assert!(more.0 < room.0 && more.1 < room.1, "bytes and threads more: {more:?}, at most {room:?}");
    drop(halves);
    wait::until_true("the seats to be free again", || use_of(process).1 < before.1 + BESIDE.1);
    node.stop();
}

#[test]
fn a_system_with_few_open_files_gives_fewer_seats_and_a_node_that_serves() {
    let place = Place::new("few");
    let (config, path) = node_with(&place, 2_000);
    let prlimit = program("prlimit", "util-linux");
    let prlimit = prlimit.to_str().expect("plain letters");
    let mut node = Node::start_by(&[prlimit, "--nofile=300:300"], &config);
    wait::until_true("the gate to listen", || UnixStream::connect(&path).is_ok());
    let held = askers(&path, 200);
    assert_eq!(ask(&mut connect(&path)).as_deref(), Some(ANSWER));
    let gate = node.status().gates.into_iter().find(|gate| gate.name == "line").expect("it is shown");
    assert!(gate.asked > 200, "{gate:?}");
    // 150 of the files are for the gates, of which there are two.
    let said = node.process().stderr();
    assert!(said.contains("each gate holds at most 75"), "{said}");
    drop(held);
    node.stop();
}
