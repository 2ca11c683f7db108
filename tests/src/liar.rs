//! A DNS server that lies as it is told: what a public resolver, a captive portal or a dead blocklist may answer.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::place::free_port;

/// What is done with each question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lie {
    /// The truth: what is listed has its code, all else does not exist.
    None,
    /// Every name has this address.
    Address(Ipv4Addr),
    /// This response code (RFC 1035 section 4.1.1) and nothing else; 0 is an empty answer.
    Code(u8),
    /// Nothing is answered.
    Silence,
    /// The answer that somebody is listed, to another question than the one that was asked.
    WrongId,
    /// Every name is another's, which is listed.
    Alias,
}

/// The server, which ends with the test.
pub struct Liar {
    /// Where it answers.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    lie: Mutex<Lie>,
    listed: BTreeMap<String, Ipv4Addr>,
    is_ending: AtomicBool,
}

impl Liar {
    /// A server that knows these names, and tells the truth at first.
    pub fn start(listed: &[(&str, Ipv4Addr)]) -> Self {
        let address = free_port();
        let socket = UdpSocket::bind(address).expect("the port is free");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket has a time-out");
        let listed = listed.iter().map(|(name, code)| ((*name).to_owned(), *code)).collect();
        let shared = Arc::new(Shared { lie: Mutex::new(Lie::None), listed, is_ending: AtomicBool::new(false) });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || theirs.serve(&socket));
        Self { address, shared, thread: Some(thread) }
    }

    /// From now on.
    pub fn tell(&self, lie: Lie) {
        *self.shared.lie.lock().unwrap_or_else(PoisonError::into_inner) = lie;
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_default();
        }
    }
}

impl Shared {
    fn serve(&self, socket: &UdpSocket) {
        let mut query = [0; 1500];
        while !self.is_ending.load(Ordering::Relaxed) {
            let Ok((length, asker)) = socket.recv_from(&mut query) else { continue };
            let lie = *self.lie.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(reply) = self.reply(&query[..length], lie) {
                // The asker may be gone.
                socket.send_to(&reply, asker).unwrap_or_default();
            }
        }
    }

    fn reply(&self, query: &[u8], lie: Lie) -> Option<Vec<u8>> {
        let (name, end) = name_in(query)?;
        let question = query.get(12..end + 4)?;
        let known = self.listed.get(&name).copied();
        let (code, answer) = match lie {
            Lie::Silence => return None,
            Lie::None => known.map_or((3, None), |address| (0, Some(address))),
            Lie::Address(address) => (0, Some(address)),
            Lie::Code(code) => (code, None),
            Lie::WrongId | Lie::Alias => (0, Some(Ipv4Addr::new(127, 0, 0, 2))),
        };
        let mut reply = vec![query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0];
        if lie == Lie::WrongId {
            reply[1] ^= 1;
        }
        reply.extend_from_slice(question);
        let mut owner = vec![0xc0, 12];
        if lie == Lie::Alias {
            reply[7] += 1;
            let target = [1, b'x', 7, b'e', b'x', b'a', b'm', b'p', b'l', b'e', 3, b'n', b'e', b't', 0];
            let data_at = reply.len() + 12;
            record(&mut reply, &owner, 5, &target);
            owner = vec![0xc0 | u8::try_from(data_at >> 8).ok()?, u8::try_from(data_at & 255).ok()?];
        }
        if let Some(address) = answer {
            reply[7] += 1;
            record(&mut reply, &owner, 1, &address.octets());
        }
        Some(reply)
    }
}

/// Adds a record that holds for a second.
fn record(reply: &mut Vec<u8>, owner: &[u8], kind: u8, data: &[u8]) {
    reply.extend_from_slice(owner);
    reply.extend_from_slice(&[0, kind, 0, 1, 0, 0, 0, 1, 0, u8::try_from(data.len()).expect("it is short")]);
    reply.extend_from_slice(data);
}

/// The name of the question in small letters, and where it ends.
fn name_in(query: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*query.get(at)?);
        if length == 0 {
            return Some((labels.join("."), at + 1));
        }
        let label = query.get(at + 1..at + 1 + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += 1 + length;
    }
}
