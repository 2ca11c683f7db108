//! Connections on which zones are transferred: each has a thread that waits for the secondary, because it may take long
//! and others shall not wait for it. The TCP thread hands a connection over when the first such query comes.

#![expect(clippy::disallowed_methods, reason = "transfers have deadlines, and this is the shell that has a clock")]

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use base::Address;
use listings::{Reader, Snapshot};

use super::tcp::{MESSAGE_BYTES_MAX, TCP_IDLE, whole_message};
use super::{Shared, now};
use crate::serve::{Asker, Responder, Transport};
use crate::transfer::{Decision, SETTLE_MAX, Transfers, Wanted, bump};

/// Most connections with transfers at a time; one more is closed, and counted.
pub const TRANSFERS_MAX: usize = 64;

/// How long a secondary may take for one message of a transfer.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(30);

/// How long one transfer may take in all. It holds an old state of the book in memory for that time.
const TRANSFER_TIME_MAX: Duration = Duration::from_hours(2);

/// How long reading or writing waits before it is looked whether the thread shall stop.
const TICK: Duration = Duration::from_millis(250);

/// How often it is looked whether a list that is being exchanged is whole again.
const TORN_TICK: Duration = Duration::from_millis(20);

/// A connection, and what was read from and not yet written to it.
pub(super) struct Handover {
    pub(super) stream: TcpStream,
    pub(super) peer: Address,
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
    pub(super) reader: Reader,
}

/// Transfers under way, of all servers of this process.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

/// Counts a transfer as long as it lives.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let place = Self;
        // If it is one too many, dropping it counts it back.
        (UNDER_WAY.fetch_add(1, Ordering::Relaxed) < TRANSFERS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves the connection in a thread of its own. The thread ends with the connection or the server.
pub(super) fn start(shared: &Arc<Shared>, handover: Handover) {
    let Some(transfers) = shared.responder.transfers() else { return };
    let Some(place) = Place::take() else { return bump(&transfers.counters.shed) };
    let (own, transfers) = (Arc::clone(shared), Arc::clone(transfers));
    let run = move || {
        let _place = place;
        let mut connection = Connection { shared: &own, transfers: &transfers, handover };
        // Whatever went wrong, the secondary sees the connection end and tries again; broken transfers are counted.
        drop(connection.serve());
    };
    if thread::Builder::new().name("dns-transfer".into()).spawn(run).is_err() {
        bump(&shared.responder.transfers().expect("as above").counters.shed);
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    transfers: &'a Transfers,
    handover: Handover,
}

impl Connection<'_> {
    /// Answers until the secondary goes away, is silent for too long, or the server stops.
    fn serve(&mut self) -> io::Result<()> {
        let stream = &self.handover.stream;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        stream.set_nodelay(true)?;
        let waiting = core::mem::take(&mut self.handover.output);
        self.write(&waiting)?;
        let mut reply = vec![0; MESSAGE_BYTES_MAX];
        let counters = self.shared.responder.counters();
        while let Some(message) = self.next_message()? {
            let asker = Asker { address: self.handover.peer, transport: Transport::Tcp, now: now() };
            let responder = &self.shared.responder;
            if responder.is_transfer(&message) {
                match self.transfers.decide(responder.zones(), &asker, &message) {
                    Decision::Reply(reply) => self.write_message(&reply)?,
                    Decision::Send(wanted) => self.transfer(responder, wanted)?,
                }
            } else {
                let snapshot = self.handover.reader.snapshot();
                let length = responder.answer(snapshot, &asker, &message, &mut reply, &counters);
                if length > 0 {
                    self.write_message(&reply[..length])?;
                }
            }
        }
        Ok(())
    }

    fn transfer(&mut self, responder: &Responder, wanted: Wanted<'_>) -> io::Result<()> {
        // The snapshot is this moment's, however long the transfer takes.
        let snapshot = self.settled();
        let sent = self.send(responder, &snapshot, wanted);
        if sent.is_err() {
            bump(&self.transfers.counters.broken);
        }
        sent
    }

    /// The book as it is when it may be given away, or as it is after a while.
    fn settled(&mut self) -> Snapshot {
        let end = Instant::now() + SETTLE_MAX;
        self.transfers.history().wait_open(SETTLE_MAX);
        while self.handover.reader.snapshot().is_torn() && Instant::now() < end && !self.shared.is_stopping() {
            thread::sleep(TORN_TICK);
        }
        self.handover.reader.snapshot().clone()
    }

    fn send(&mut self, responder: &Responder, snapshot: &Snapshot, mut wanted: Wanted<'_>) -> io::Result<()> {
        let zones = responder.zones();
        let mut session = wanted.session.take();
        let Some(content) = self.transfers.content(zones, snapshot, &wanted) else {
            let mut message = Transfers::not_now(&wanted);
            if let Some(session) = &mut session {
                session.sign(&mut message, now().as_secs());
            }
            return self.write_message(&message);
        };
        let mut outgoing = wanted.outgoing(zones, snapshot.tree(), snapshot.serial(), &content);
        let end = Instant::now() + TRANSFER_TIME_MAX;
        let mut message = Vec::new();
        while outgoing.next_message(&mut message) {
            if let Some(session) = &mut session {
                session.sign(&mut message, now().as_secs());
            }
            if Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.write_message(&message)?;
            let counters = &self.transfers.counters;
            bump(&counters.messages);
            counters.bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The next message; none if the connection shall end.
    fn next_message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let end = Instant::now() + TCP_IDLE;
        let mut buffer = [0; 4096];
        loop {
            let input = &mut self.handover.input;
            if let Some(message) = whole_message(input) {
                let message = message.to_vec();
                input.drain(..2 + message.len());
                return Ok(Some(message));
            }
            if self.shared.is_stopping() || Instant::now() > end {
                return Ok(None);
            }
            match self.handover.stream.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(length) => input.extend_from_slice(&buffer[..length]),
                Err(error) if would_wait(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn write_message(&mut self, message: &[u8]) -> io::Result<()> {
        let mut framed = Vec::with_capacity(2 + message.len());
        framed.extend_from_slice(&(message.len() as u16).to_be_bytes());
        framed.extend_from_slice(message);
        self.write(&framed)
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let end = Instant::now() + MESSAGE_TIME_MAX;
        while !bytes.is_empty() {
            if self.shared.is_stopping() || Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.handover.stream.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => bytes = &bytes[length..],
                Err(error) if would_wait(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn would_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
