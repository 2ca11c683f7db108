use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long a whole delivery may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest line of a reply, in bytes (RFC 5321 section 4.5.3.1.5 allows 512).
const REPLY_BYTES_MAX: u64 = 4096;

/// Most lines of one reply.
const REPLY_LINES_MAX: usize = 100;

/// Hands a letter to a mail server (RFC 5321), with the null sender, so that nothing comes back.
///
/// # Errors
/// A sentence that says at which step it went wrong.
pub(super) fn deliver(server: SocketAddr, node: &str, to: &[String], letter: &str) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    let stream = TcpStream::connect_timeout(&server, PATIENCE).map_err(|error| format!("{server}: {error}"))?;
    let mut session = Session { stream: BufReader::new(stream), until, server };
    session.expect("the greeting", b"2")?;
    session.say(&format!("EHLO {node}"), b"2")?;
    session.say("MAIL FROM:<>", b"2")?;
    for recipient in to {
        session.say(&format!("RCPT TO:<{recipient}>"), b"2")?;
    }
    session.say("DATA", b"3")?;
    session.send(stuffed(letter).as_bytes())?;
    session.expect("the end of the letter", b"2")?;
    // It has the letter: what it says to the end of the session changes nothing.
    drop(session.say("QUIT", b"2"));
    Ok(())
}

/// The letter as it is sent: a dot at the beginning of a line is doubled, and one alone ends it.
fn stuffed(letter: &str) -> String {
    let mut out = String::with_capacity(letter.len() + 8);
    for line in letter.split_terminator("\r\n") {
        if line.starts_with('.') {
            out.push('.');
        }
        out.push_str(line);
        out.push_str("\r\n");
    }
    out + ".\r\n"
}

struct Session {
    stream: BufReader<TcpStream>,
    until: Instant,
    server: SocketAddr,
}

impl Session {
    fn say(&mut self, line: &str, wanted: &[u8]) -> Result<(), String> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.expect(line, wanted)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let left = self.left()?;
        let stream = self.stream.get_mut();
        let sent = stream.set_write_timeout(Some(left)).and_then(|()| stream.write_all(bytes));
        sent.map_err(|error| format!("{}: {error}", self.server))
    }

    fn expect(&mut self, what: &str, wanted: &[u8]) -> Result<(), String> {
        for _ in 0..REPLY_LINES_MAX {
            let left = self.left()?;
            let read = self.stream.get_ref().set_read_timeout(Some(left));
            let mut line = Vec::new();
            let read = read.and_then(|()| self.stream.by_ref().take(REPLY_BYTES_MAX).read_until(b'\n', &mut line));
            read.map_err(|error| format!("{}: {error}", self.server))?;
            if line.is_empty() {
                return Err(format!("{} has closed the connection at {what}", self.server));
            }
            if line.get(3) == Some(&b'-') {
                continue;
            }
            if line.starts_with(wanted) {
                return Ok(());
            }
            let said: String = String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(format!("{} says to {what}: {said}", self.server));
        }
        Err(format!("{} talks without end at {what}", self.server))
    }

    fn left(&self) -> Result<Duration, String> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Err(format!("{} took longer than {} s", self.server, PATIENCE.as_secs()))
        } else {
            Ok(left)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_letter_ends_it() {
        assert_eq!(stuffed("a\r\n.\r\n..b\r\nc\r\n"), "a\r\n..\r\n...b\r\nc\r\n.\r\n");
    }
}
