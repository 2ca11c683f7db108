//! Bodies on their way out: packed, in chunks, and not to those who do not take them.
#![expect(clippy::disallowed_methods, reason = "the shell has a clock, and threads")]

use core::time::Duration;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::feed::Coding;

/// Octets of a chunk.
const CHUNK_BYTES: usize = 32 * 1024;

/// Octets that are packed as one frame of zstd; a body is a row of frames (RFC 8878 section 3).
const FRAME_BYTES: usize = 1024 * 1024;

/// How long one write may wait for the client.
const WRITE_MAX: Duration = Duration::from_secs(5);

/// How slowly a client may read, in octets a second, once it has had [`WRITE_MAX`].
const RATE_MIN: u128 = 8 * 1024;

/// A socket whose client must read at a rate. Otherwise writing fails with [`io::ErrorKind::TimedOut`].
pub(super) struct Paced<'a> {
    stream: &'a TcpStream,
    waited: Duration,
    written: usize,
}

impl<'a> Paced<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITE_MAX))?;
        Ok(Self { stream, waited: Duration::ZERO, written: 0 })
    }
}

impl Write for Paced<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let began = Instant::now();
        let is_late = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
        let written = self.stream.write(bytes);
        let written = written.map_err(|error| if is_late(&error) { io::ErrorKind::TimedOut.into() } else { error })?;
        self.waited += began.elapsed();
        self.written += written;
        let allowed = WRITE_MAX.as_millis() + self.written as u128 * 1000 / RATE_MIN;
        if self.waited.as_millis() > allowed { Err(io::ErrorKind::TimedOut.into()) } else { Ok(written) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body in chunks (RFC 9112 section 7.1), or as it is.
pub(super) struct Chunks<W: Write> {
    out: W,
    held: Vec<u8>,
    is_chunked: bool,
}

impl<W: Write> Chunks<W> {
    pub(super) fn new(out: W, is_chunked: bool) -> Self {
        Self { out, held: Vec::with_capacity(CHUNK_BYTES), is_chunked }
    }

    fn send(&mut self) -> io::Result<()> {
        if self.is_chunked {
            write!(self.out, "{:x}\r\n", self.held.len())?;
            self.held.extend_from_slice(b"\r\n");
        }
        self.out.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }

    /// Sends what is held, and the end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            self.send()?;
        }
        if self.is_chunked { self.out.write_all(b"0\r\n\r\n") } else { Ok(()) }
    }
}

impl<W: Write> Write for Chunks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.held.len());
        self.held.extend_from_slice(&bytes[..taken]);
        if self.held.len() == CHUNK_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The header that tells of a coding.
pub(super) const fn header(coding: Coding) -> &'static str {
    match coding {
        Coding::Identity => "",
        Coding::Gzip => "Content-Encoding: gzip\r\n",
        Coding::Zstd => "Content-Encoding: zstd\r\n",
    }
}

/// A body in a coding.
pub(super) enum Packer<W: Write> {
    Identity(W),
    Gzip(GzEncoder<W>),
    Zstd(W, Vec<u8>),
}

impl<W: Write> Packer<W> {
    pub(super) fn new(coding: Coding, out: W) -> Self {
        match coding {
            Coding::Identity => Self::Identity(out),
            Coding::Gzip => Self::Gzip(GzEncoder::new(out, Compression::fast())),
            Coding::Zstd => Self::Zstd(out, Vec::with_capacity(FRAME_BYTES)),
        }
    }

    /// Writes what is held, and gives back what is below.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Identity(out) => Ok(out),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(mut out, held) => {
                out.write_all(&compress_to_vec(&held[..], CompressionLevel::Fastest))?;
                Ok(out)
            }
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Identity(out) => out.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(out, held) => {
                let taken = bytes.len().min(FRAME_BYTES - held.len());
                held.extend_from_slice(&bytes[..taken]);
                if held.len() == FRAME_BYTES {
                    out.write_all(&compress_to_vec(&held[..], CompressionLevel::Fastest))?;
                    held.clear();
                }
                Ok(taken)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
