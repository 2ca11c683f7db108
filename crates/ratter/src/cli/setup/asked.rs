//! Whether a gate was asked: what a probe looks at before and after it has gone through the mail server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use console::api::Status;

use crate::cli::Failure;
use crate::cli::client::Client;

/// Looks at the count, and the pause between two.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// How long a server may take for a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of a line of a server.
const LINE_BYTES_MAX: usize = 4096;

/// How often the gate of that name was asked and told so far.
pub(super) fn count(client: &Client, gate: &str) -> anyhow::Result<u64> {
    let status = client.get::<Status>("/v1/status").map_err(said_by_client)?;
    let status = status.ok_or_else(|| anyhow!("the node does not say how it is"))?;
    let gate = status.gates.iter().find(|other| other.name == gate);
    let gate =
        gate.ok_or_else(|| anyhow!("the running node has no such gate; start it again with this configuration"))?;
    Ok(gate.asked + gate.reported)
}

/// Waits until the gate was asked more often than `before`; says whether it was.
pub(super) fn rose(client: &Client, gate: &str, before: u64) -> anyhow::Result<bool> {
    for _ in 0..LOOKS {
        if count(client, gate)? > before {
            return Ok(true);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(false)
}

/// Talks to a server: reads its greeting, says each line and reads one line back; returns what it said, a line each.
/// Lines of a longer reply (`250-…`) count as one.
pub(super) fn talk(server: SocketAddr, lines: &[&str]) -> anyhow::Result<Vec<String>> {
    let stream = TcpStream::connect_timeout(&server, PATIENCE);
    let stream = stream.with_context(|| format!("nobody answers at {server}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    let mut said = vec![reply(&mut stream)?];
    for line in lines {
        stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        said.push(reply(&mut stream)?);
    }
    Ok(said)
}

fn reply(stream: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    loop {
        let mut line = Vec::new();
        let read = std::io::Read::take(&mut *stream, LINE_BYTES_MAX as u64).read_until(b'\n', &mut line);
        read.context("the server does not answer")?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            bail!("the server closed the connection");
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(line);
        }
    }
}

fn said_by_client(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Usage(text) => anyhow!(text),
        Failure::TryAgain(error) | Failure::Other(error) => error,
    }
}
