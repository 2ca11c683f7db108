//! A connection's octets, plain or within TLS: read and written as far as they come and go without waiting.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use rustls::ServerConnection;

/// Octets that are read into one buffer before they are taken over.
pub(super) const READ_BYTES: usize = 16 * 1024;

/// Most octets that TLS keeps which the client has not taken yet.
const TLS_BYTES_MAX: usize = 64 * 1024;

/// One end of a connection, which does not wait.
pub(super) struct Stream {
    pub(super) socket: TcpStream,
    tls: Option<Box<ServerConnection>>,
}

/// What a look for new octets found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Perhaps some, perhaps none.
    Some,
    /// The client has sent its last octet.
    End,
}

impl Stream {
    pub(super) const fn plain(socket: TcpStream) -> Self {
        Self { socket, tls: None }
    }

    /// The server's end of a TLS connection; the handshake goes on as the stream is read and flushed.
    pub(super) fn tls(socket: TcpStream, mut tls: ServerConnection) -> Self {
        tls.set_buffer_limit(Some(TLS_BYTES_MAX));
        Self { socket, tls: Some(Box::new(tls)) }
    }

    /// Whether nobody else can read it.
    pub(super) const fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Appends to `input` what has come, which is not much more than [`READ_BYTES`].
    pub(super) fn read(&mut self, scratch: &mut [u8; READ_BYTES], input: &mut Vec<u8>) -> io::Result<Found> {
        let Some(tls) = &mut self.tls else {
            return match self.socket.read(scratch) {
                Ok(0) => Ok(Found::End),
                Ok(length) => {
                    input.extend_from_slice(&scratch[..length]);
                    Ok(Found::Some)
                }
                Err(error) if would_wait(&error) => Ok(Found::Some),
                Err(error) => Err(error),
            };
        };
        let is_end = match tls.read_tls(&mut self.socket) {
            Ok(length) => length == 0,
            Err(error) if would_wait(&error) => false,
            Err(error) => return Err(error),
        };
        if let Err(error) = tls.process_new_packets() {
            // The client is told why, if it takes it at once.
            drop(tls.write_tls(&mut self.socket));
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        // All of it: what stays inside would wake nobody.
        loop {
            match tls.reader().read(scratch) {
                Ok(0) => return Ok(Found::End),
                Ok(length) => input.extend_from_slice(&scratch[..length]),
                Err(error) if would_wait(&error) => return Ok(if is_end { Found::End } else { Found::Some }),
                // Without a word of farewell: what came before was whole all the same.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Found::End),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as much of `output` as is taken now, and returns how much.
    pub(super) fn write(&mut self, output: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        loop {
            if let Some(tls) = &mut self.tls {
                // Before the handshake is over nothing is taken.
                if !tls.is_handshaking() {
                    sent += tls.writer().write(&output[sent..])?;
                }
                if !tls.wants_write() {
                    return Ok(sent);
                }
            } else if sent == output.len() {
                return Ok(sent);
            }
            let written = match &mut self.tls {
                Some(tls) => tls.write_tls(&mut self.socket),
                None => self.socket.write(&output[sent..]),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) if self.tls.is_none() => sent += length,
                Ok(_) => {}
                Err(error) if would_wait(&error) => return Ok(sent),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether TLS has octets that the client has not taken yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Says farewell, as far as it is taken at once.
    pub(super) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            drop(tls.write_tls(&mut self.socket));
        }
    }
}

fn would_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
