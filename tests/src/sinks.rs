//! Servers that take what a node sends, and show it: a mail server and a web server, of Debian's Python.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::place::{Place, free_port};
use crate::process::{Process, text_of, write};
use crate::wait;

const SMTP: &str = include_str!("../sinks/smtp.py");
const HTTP: &str = include_str!("../sinks/http.py");

/// A running server.
#[derive(Debug)]
pub struct Sink {
    process: Process,
    place: Place,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Sink {
    /// A mail server. Each mail has `from`, `to` and `data`.
    pub fn smtp() -> Self {
        Self::start(SMTP, free_port(), Place::new("sink"), &[])
    }

    /// A web server, which answers the first requests with 503. Each request has `method`, `path`, `header`, `body` and the
    /// `status` it was answered with.
    pub fn http(refusals: u32) -> Self {
        Self::http_at(free_port(), refusals)
    }

    /// The same at a given port.
    pub fn http_at(address: SocketAddr, refusals: u32) -> Self {
        Self::start(HTTP, address, Place::new("sink"), &[refusals.to_string()])
    }

    /// A web server with TLS, and the certificate that it shows.
    pub fn https() -> (Self, PathBuf) {
        let place = Place::new("sink");
        let (certificate, key) = (place.join("cert.pem"), place.join("key.pem"));
        crate::certificate::make("127.0.0.1", "IP:127.0.0.1", &key, &certificate);
        let paths = [certificate.display().to_string(), key.display().to_string()];
        let arguments = ["0".to_owned(), paths[0].clone(), paths[1].clone()];
        (Self::start(HTTP, free_port(), place, &arguments), certificate)
    }

    fn start(script: &str, address: SocketAddr, place: Place, more: &[String]) -> Self {
        let path = place.join("sink.py");
        write(&path, script);
        // Debian's own, for which its packages are.
        let python = Path::new("/usr/bin/python3");
        assert!(python.is_file(), "{} is missing: `apt-get install python3-aiosmtpd`", python.display());
        let mut command = Command::new(python);
        command.arg(&path).arg(address.port().to_string()).arg(place.join("taken")).args(more);
        let mut process = Process::start("sink", place.path(), &command);
        wait::until_true("the sink to listen", || {
            process.must_run();
            TcpStream::connect(address).is_ok()
        });
        Self { process, place, address }
    }

    /// What it has taken so far.
    pub fn taken(&mut self) -> Vec<Value> {
        self.process.must_run();
        let text = text_of(&self.place.join("taken"));
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).expect("it writes JSON"))
            .collect()
    }

    /// Waits until it has taken so many, and returns them.
    pub fn wait_for(&mut self, count: usize) -> Vec<Value> {
        wait::until_true(&format!("{count} at the sink"), || self.taken().len() >= count);
        self.taken()
    }
}
