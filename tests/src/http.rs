//! A small HTTP/1.1 client for the control socket, the metrics and the Dovecot gate. It sends bytes as the test wants
//! them, which no library would: half requests, several at once, wrong lengths.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{program, run};

/// How long an answer may take: no answer of the node waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names (lower-case) and values of the header.
    pub header: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Response {
    /// The value of a header field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.header.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not the JSON expected: {error}\n{self:?}"))
    }
}

/// A connection that stays open between requests.
#[derive(Debug)]
pub struct Connection<S: Read + Write>(BufReader<S>);

impl Connection<TcpStream> {
    /// Connects by TCP.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends no more, and reads until the other side has closed the connection too, whatever it says. Panics if it
    /// does not.
    pub fn finish(&mut self) {
        // It fails when the other side has closed already.
        if self.0.get_ref().shutdown(Shutdown::Write).is_ok() {
            match self.0.read_to_end(&mut Vec::new()) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    panic!("the connection stays open after its end")
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
}

impl Connection<UnixStream> {
    /// Connects to a socket file.
    pub fn unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }
}

impl<S: Read + Write> Connection<S> {
    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// `GET`s a path.
    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        self.receive()
    }

    /// `POST`s a JSON body with further header lines, each with its `\r\n`.
    pub fn post(&mut self, path: &str, header: &str, body: &str) -> io::Result<Response> {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{header}\r\n{body}"
        );
        self.send(request.as_bytes())?;
        self.receive()
    }

    /// Reads one answer.
    pub fn receive(&mut self) -> io::Result<Response> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| odd(&status))?;
        let mut header = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| odd(&line))?;
            header.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response { status, header, body: String::new() };
        let length = response.field("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.ok_or_else(|| odd("no Content-Length"))?];
        self.0.read_exact(&mut body)?;
        response.body = String::from_utf8(body).map_err(|_| odd("a body that is not UTF-8"))?;
        Ok(response)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Has a reporter with that key send what he saw, with `curl`, which must be taken.
pub fn report(to: SocketAddr, key: &str, body: &serde_json::Value) {
    let mut curl = Command::new(program("curl", "curl"));
    curl.args(["--silent", "--fail", "-H", &format!("Authorization: Bearer {key}")]);
    curl.args(["-H", "Content-Type: application/json", "--data-binary", &body.to_string()]);
    run(curl.arg(format!("http://{to}/v1/reports"))).with_code(0);
}
