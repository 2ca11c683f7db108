use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::saslauthd::{ANSWER_BYTES_MAX, Reply, Upstream};

/// Questions to the real saslauthd at once; it has five processes by itself.
const QUESTIONS_MAX: usize = 64;
/// Questions that wait for one of those places; beyond them saslauthd counts as away.
const WAITING_MAX: usize = 1024;
/// How long it may take: PAM holds a wrong password for seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The real saslauthd behind a socket, with those who wait for a place.
pub struct Saslauthd {
    path: PathBuf,
    queue: Arc<Mutex<Queue>>,
}

impl Saslauthd {
    /// The one at that path; it need not be there yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), queue: Arc::default() }
    }
}

/// Questions that are open, and those whose turn has not come.
#[derive(Default)]
struct Queue {
    open: usize,
    waiting: VecDeque<(Vec<u8>, Reply)>,
}

impl Queue {
    /// Gives a question a place, here or among those who wait; given back if there is neither.
    fn enter(&mut self, question: Vec<u8>, reply: &Reply) -> Option<Vec<u8>> {
        if self.open < QUESTIONS_MAX {
            self.open += 1;
            return Some(question);
        }
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.retain(|(_, reply)| is_wanted(reply));
        }
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back((question, Arc::clone(reply)));
        } else {
            drop(reply.set(None));
        }
        None
    }

    /// The next question for a place that is free again; the place is given up if nobody waits.
    fn next(&mut self) -> Option<(Vec<u8>, Reply)> {
        while let Some((question, reply)) = self.waiting.pop_front() {
            if is_wanted(&reply) {
                return Some((question, reply));
            }
        }
        self.open -= 1;
        None
    }
}

/// Whether whoever asked still waits: his connection holds the reply as well.
fn is_wanted(reply: &Reply) -> bool {
    Arc::strong_count(reply) > 1
}

fn hold(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Upstream for Saslauthd {
    fn pass_on(&self, question: Vec<u8>) -> Reply {
        let reply = Reply::default();
        let Some(question) = hold(&self.queue).enter(question, &reply) else { return reply };
        let (path, queue, answer) = (self.path.clone(), Arc::clone(&self.queue), Arc::clone(&reply));
        let thread = std::thread::Builder::new().name("saslauthd".to_owned()).spawn(move || {
            let mut next = Some((question, answer));
            while let Some((question, answer)) = next {
                // It is set once; nobody else does.
                drop(answer.set(exchange(&path, &question).ok()));
                next = hold(&queue).next();
            }
        });
        if thread.is_err() {
            hold(&self.queue).open -= 1;
            drop(reply.set(None));
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
