//! A private Redis, in which rspamd keeps its buckets.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use crate::place::{Place, free_port};
use crate::process::{Process, program};
use crate::wait;

/// A running Redis that keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    _process: Process,
    _place: Place,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Redis {
    /// Starts one, and waits until it serves.
    pub fn start() -> Self {
        let (place, address) = (Place::new("redis"), free_port());
        let mut command = Command::new(program("redis-server", "redis-server"));
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", "", "--dir"]);
        command.arg(place.path());
        let mut process = Process::start("redis", place.path(), &command);
        wait::until_true("Redis to serve", || {
            process.must_run();
            TcpStream::connect(address).is_ok()
        });
        Self { _process: process, _place: place, address }
    }
}
