//! The client's side of IMAP, just enough to try passwords from any address.
//!
//! Dovecot believes an `ID` command from its trusted networks: `x-originating-ip` becomes the client's address, in its
//! log as in what it asks Ratter. So one machine plays the whole internet.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::time::Stopwatch;

/// Dovecot itself gives up a login after 150 s.
const PATIENCE: Duration = Duration::from_secs(160);

/// An IMAP connection before the login.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    commands: u32,
}

/// Answer to a `LOGIN`.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Whether the client is logged in.
    pub ok: bool,
    /// The whole tagged line, or what was wrong with the connection.
    pub text: String,
    /// How long the answer took.
    pub took: Duration,
}

impl Client {
    /// Connects and says to be a client from `address`.
    pub fn connect(server: SocketAddr, address: &str) -> Self {
        Self::try_connect(server, address).unwrap_or_else(|error| panic!("IMAP from {address}: {error}"))
    }

    fn try_connect(server: SocketAddr, address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream: BufReader::new(stream), commands: 0 };
        client.line()?;
        let id = format!(r#"ID ("name" "tests" "x-originating-ip" "{address}" "x-originating-port" "4711")"#);
        let answer = client.command(&id)?;
        if answer.contains(" OK ") { Ok(client) } else { Err(io::Error::other(answer)) }
    }

    /// Tries a password. The names go out as quoted strings; those that cannot be written so go out as literals.
    pub fn login(&mut self, login: &str, password: &str) -> Reply {
        let watch = Stopwatch::start();
        let command = format!("LOGIN {} {}", astring(login), astring(password));
        let text = self.command(&command).unwrap_or_else(|error| format!("connection lost: {error}"));
        Reply { ok: text.contains(" OK "), text, took: watch.elapsed() }
    }

    /// Sends a command, which may hold literals, and returns the tagged answer.
    fn command(&mut self, command: &str) -> io::Result<String> {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        let mut parts = format!("{tag} {command}\r\n").into_bytes();
        // What follows a literal's length is sent when the server asks for it.
        while let Some(end) = literal_end(&parts) {
            let rest = parts.split_off(end);
            self.stream.get_mut().write_all(&parts)?;
            let answer = self.line()?;
            if !answer.starts_with('+') {
                return Ok(answer);
            }
            parts = rest;
        }
        self.stream.get_mut().write_all(&parts)?;
        loop {
            let line = self.line()?;
            if line.starts_with(&tag) || line.starts_with("* BYE") {
                return Ok(line);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// A string as IMAP writes it: quoted, or a literal if it holds what must not be quoted.
fn astring(text: &str) -> String {
    if text.contains(['\r', '\n']) {
        return format!("{{{}}}\r\n{text}", text.len());
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Where the first `{N}\r\n` ends, if something follows it.
fn literal_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(3).position(|three| three == b"}\r\n")? + 3;
    (end < bytes.len()).then_some(end)
}

/// One attempt on a connection of its own.
pub fn login(server: SocketAddr, address: &str, login: &str, password: &str) -> Reply {
    Client::connect(server, address).login(login, password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_imap_writes_them() {
        let cases = [("alice", "\"alice\""), ("a \"b\" \\", r#""a \"b\" \\""#), ("a\nb", "{3}\r\na\nb"), ("", "\"\"")];
        for (text, wanted) in cases {
            assert_eq!(astring(text), wanted, "{text:?}");
        }
    }
}
