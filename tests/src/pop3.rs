//! The client's side of POP3, just enough to try a password from any address.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// One attempt on a connection of its own, from an address that Dovecot believes from its trusted networks (`XCLIENT`).
/// Returns whether the client is in.
pub fn login(server: SocketAddr, address: &str, user: &str, password: &str) -> bool {
    let attempt = || -> io::Result<bool> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(stream);
        let mut answer = String::new();
        stream.read_line(&mut answer)?;
        for command in [format!("XCLIENT ADDR={address} PORT=4711"), format!("USER {user}"), format!("PASS {password}")]
        {
            stream.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
            answer.clear();
            stream.read_line(&mut answer)?;
        }
        Ok(answer.starts_with("+OK"))
    };
    attempt().unwrap_or_else(|error| panic!("POP3 from {address}: {error}"))
}
