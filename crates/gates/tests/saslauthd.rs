//! Many questions at once before a saslauthd that takes its time: each is answered in its turn.

#![expect(clippy::disallowed_methods, reason = "a test has files of its own")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::Timestamp;
use gates::alone::Alone;
use gates::io::{Limits, Listener, Place, Saslauthd, Server};
use gates::saslauthd::{Count, Gate};

/// Questions that the gate has open at saslauthd at once.
const AT_ONCE: usize = 64;
/// Questions in all.
const ALL: usize = 200;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    Timestamp::from_millis(since.as_millis() as u64)
}

/// Answers as saslauthd does, which reads the question first: who ends before that breaks the pipe of whoever asks.
fn answer(stream: &mut UnixStream, question: &[u8]) {
    let mut read = vec![0; question.len()];
    stream.read_exact(&mut read).expect("the gate asks");
    assert_eq!(read, question);
    stream.write_all(b"\0\x02OK").expect("the gate reads");
}

#[test]
fn more_questions_than_saslauthd_takes_wait_for_their_turn() {
    let folder = std::env::temp_dir().join(format!("ratter-sasl-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (ours, real) = (folder.join("ours"), folder.join("real"));
    let saslauthd = UnixListener::bind(&real).expect("a socket");
    let listener = Listener::bind(&Place::Unix(ours.clone())).expect("a socket");
    let gate = Arc::new(Gate::new(Arc::new(Alone::open()), Arc::new(Saslauthd::at(&real))));
    let spoken = vec![(gate.clone(), vec![listener])];
    let _server = Server::start("saslauthd-gate", spoken, now, Limits::default()).expect("it starts");
    let mut question = Vec::new();
    for text in ["alice", "secret", "imap", ""] {
        question.extend_from_slice(&(text.len() as u16).to_be_bytes());
        question.extend_from_slice(text.as_bytes());
    }
    let mut clients: Vec<_> = (0..ALL)
        .map(|_| {
            let mut client = UnixStream::connect(&ours).expect("the gate listens");
            client.set_read_timeout(Some(Duration::from_secs(50))).expect("a socket");
            client.write_all(&question).expect("the gate reads");
            client
        })
        .collect();
    // Nobody is answered until all places are taken.
    let mut held: Vec<_> = (0..AT_ONCE).map(|_| saslauthd.accept().expect("a question").0).collect();
    while gate.counters().get(Count::Asked) < ALL as u64 {
        std::thread::yield_now();
    }
    assert_eq!(gate.counters().get(Count::Away), 0);
    for stream in &mut held {
        answer(stream, &question);
    }
    for _ in AT_ONCE..ALL {
        answer(&mut saslauthd.accept().expect("a question").0, &question);
    }
    for client in &mut clients {
        let mut said = [0; 4];
        client.read_exact(&mut said).expect("an answer");
        assert_eq!(&said, b"\0\x02OK");
    }
    assert_eq!((gate.counters().get(Count::Ok), gate.counters().get(Count::Away)), (ALL as u64, 0));
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
