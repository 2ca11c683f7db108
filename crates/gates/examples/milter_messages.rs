//! Load on a milter: messages with ten headers and two recipients each, in lock-step as a mail server sends them.
//!
//! ```text
//! cargo run --release -p ratter-gates --example milter_messages ADDRESS PID CONNECTIONS SECONDS
//! ```
//!
//! It prints messages a second, and the CPU time per message of the process with that number, as the system says
//! (`/proc/PID/stat`).

#![expect(clippy::disallowed_methods, reason = "a measurement reads clocks and files")]
#![expect(clippy::print_stdout, reason = "it prints its figures")]

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;
use std::{fs, thread};

fn packet(command: u8, data: &[u8]) -> Vec<u8> {
    [&(1 + data.len() as u32).to_be_bytes()[..], &[command], data].concat()
}

/// One connection after its negotiation.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(address: &str, number: usize) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, buffer: Vec::new() };
        client.say(&packet(b'O', &[0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0x1f, 0xff, 0xff]), b"O")?;
        let from = format!("client.example\x004\u{1}\u{1}198.51.100.{}\0", number % 250);
        client.say(&packet(b'C', from.as_bytes()), b"ctyr")?;
        Ok(client)
    }

    /// Sends packets, and reads up to the answer that is one of these.
    fn say(&mut self, packets: &[u8], wanted: &[u8]) -> io::Result<()> {
        self.stream.write_all(packets)?;
        loop {
            while let Some((length, rest)) = self.buffer.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                let Some(answer) = rest.get(..length) else { break };
                let is_wanted = answer.first().is_some_and(|first| wanted.contains(first));
                self.buffer.drain(..4 + length);
                if is_wanted {
                    return Ok(());
                }
            }
            let mut space = [0; 4096];
            match self.stream.read(&mut space)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.buffer.extend_from_slice(&space[..count]),
            }
        }
    }

    /// A message: the recipients and headers want no answer, as was agreed.
    fn message(&mut self, login: &str, queue_id: &str) -> io::Result<()> {
        let mut mail = packet(b'D', format!("M{{auth_authen}}\0{login}\0").as_bytes());
        mail.extend(packet(b'M', b"<alice@example.org>\0size=1800\0"));
        self.say(&mail, b"ctyr")?;
        let mut rest = Vec::new();
        for recipient in ["<bob@example.net>\0", "<carol@example.net>\0"] {
            rest.extend(packet(b'D', b"R{rcpt_mailer}\0smtp\0"));
            rest.extend(packet(b'R', recipient.as_bytes()));
        }
        for header in 0..10 {
            rest.extend(packet(
                b'L',
                format!("X-Header-{header}\0 a value of some length, as headers have\0").as_bytes(),
            ));
        }
        rest.extend(packet(b'D', format!("Ei\0{queue_id}\0").as_bytes()));
        rest.extend(packet(b'E', b""));
        self.say(&rest, b"ctyra")?;
        self.stream.write_all(&packet(b'A', b""))
    }
}

/// What `/proc/PID/stat` counts in: a hundredth of a second (`USER_HZ`).
const TICK_NS: u64 = 10_000_000;

/// CPU time of a process, in nanoseconds, with that of its threads that have ended: each connection has one of its own.
fn cpu_ns(process: &str) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Ok(ticks.sum::<u64>() * TICK_NS)
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, process, connections, seconds] = arguments.as_slice() else {
        return Err(io::Error::other("usage: milter_messages ADDRESS PID CONNECTIONS SECONDS"));
    };
    let number = |text: &str| text.parse::<u64>().map_err(io::Error::other);
    let (connections, span) = (number(connections)?, Duration::from_secs(number(seconds)?));
    let (before, started) = (cpu_ns(process)?, Instant::now());
    let clients = (0..connections).map(|at| {
        let address = address.clone();
        thread::spawn(move || {
            let mut client = Client::connect(&address, at as usize)?;
            let mut sent = 0_u64;
            while started.elapsed() < span {
                client.message(&format!("user{}@example.org", sent % 1000), &format!("4XYZ{at:02X}{sent:08X}"))?;
                sent += 1;
            }
            io::Result::Ok(sent)
        })
    });
    let mut sent = 0;
    for client in clients.collect::<Vec<_>>() {
        sent += client.join().map_err(|_| io::Error::other("a client panicked"))??;
    }
    let (cpu, rate) = (cpu_ns(process)? - before, sent as f64 / started.elapsed().as_secs_f64());
    println!(
        "{connections} connections: {rate:.0} messages/s, {:.1} us of CPU each",
        cpu as f64 / sent as f64 / 1000.0
    );
    Ok(())
}
