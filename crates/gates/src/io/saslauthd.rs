use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::Timestamp;
use rules::Door;

use super::server::{Connections, Limits, Server, StartError};
use super::stream::{Listener, Place};
use crate::saslauthd::{ANSWER_BYTES_MAX, Counters, Gate, Reply, Upstream};

/// Questions to the real saslauthd at once; it has five processes by itself.
const QUESTIONS_MAX: usize = 64;
/// How long it may take: PAM holds a wrong password for seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The gate before saslauthd on sockets. Dropping it stops it.
pub struct SaslGate {
    gate: Arc<Gate>,
    server: Server,
}

impl SaslGate {
    /// Answers on `listeners` until it is dropped, and passes on to the socket at `upstream`.
    pub fn start(
        listeners: Vec<Listener>,
        door: Arc<dyn Door>,
        upstream: &Path,
        clock: fn() -> Timestamp,
        limits: Limits,
    ) -> Result<Self, StartError> {
        let real = Real { path: upstream.to_owned(), open: Arc::default() };
        let gate = Arc::new(Gate::new(door, Arc::new(real)));
        let server = Server::start("saslauthd-gate", listeners, gate.clone(), clock, limits)?;
        Ok(Self { gate, server })
    }

    /// Where it listens.
    pub fn places(&self) -> &[Place] {
        self.server.places()
    }

    /// What was asked and answered.
    pub fn counters(&self) -> &Counters {
        self.gate.counters()
    }

    /// What happened to connections.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }
}

/// The socket of the real saslauthd.
struct Real {
    path: PathBuf,
    /// Questions that are open.
    open: Arc<AtomicUsize>,
}

/// One of the open questions; its place is free again when it is dropped.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Upstream for Real {
    fn pass_on(&self, question: Vec<u8>) -> Reply {
        let reply = Reply::default();
        let no_answer = |reply: &Reply| drop(reply.set(None));
        let open = Open(Arc::clone(&self.open));
        if self.open.fetch_add(1, Ordering::Relaxed) >= QUESTIONS_MAX {
            no_answer(&reply);
            return reply;
        }
        let (path, answer) = (self.path.clone(), Arc::clone(&reply));
        let thread = std::thread::Builder::new().name("saslauthd".to_owned()).spawn(move || {
            let _open = open;
            // It is set once; nobody else does.
            drop(answer.set(exchange(&path, &question).ok()));
        });
        if thread.is_err() {
            no_answer(&reply);
        }
        reply
    }
}

fn exchange(path: &Path, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(question)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length)).min(ANSWER_BYTES_MAX)];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
