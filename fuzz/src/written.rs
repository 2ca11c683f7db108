//! What operators write, or take from others: the configuration, patterns, filters of fail2ban, list files.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use base::EventKind;
use ratter::config::{self, Probe, Transport};
use sensors::import;
use sensors::patterns::{Pattern, Patterns, Spec};

use crate::Target;

/// A machine on which nothing is in the way, so that a configuration is judged by its text alone.
struct Anywhere;

impl Probe for Anywhere {
    fn read(&self, _path: &Path, _bytes_max: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn can_follow(&self, _path: &Path) -> io::Result<bool> {
        Ok(true)
    }

    fn is_private(&self, _path: &Path) -> io::Result<bool> {
        Ok(true)
    }

    fn can_write_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn can_write_in(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn can_bind(&self, _address: SocketAddr, _transport: Transport) -> io::Result<()> {
        Ok(())
    }

    fn can_bind_unix(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn knows_time_zone(&self, name: &str) -> bool {
        name == "UTC"
    }
}

pub(crate) fn targets() -> Vec<Target> {
    let shipped = include_bytes!("../../crates/ratter/src/config/default.toml").to_vec();
    let small = b"[node]\nname = \"a\"\nnever-list = [\"192.0.2.0/24\", \"login:b\"]\n[[rule]]\nname = \"c\"\non = \"login-failed\"\nby = \"address\"\ncount = 5\nwithin = \"1m\"\nblock = { for = \"5m\" }\n".to_vec();
    let pattern =
        b"^x login failed for (?P<login>[a-z]+) from (?P<address>[0-9.]+)$\nx login failed for alice from 203.0.113.5"
            .to_vec();
    let filter = b"[INCLUDES]\nbefore = common.conf\n[Definition]\n_daemon = x\nfailregex = ^%(__prefix_line)sfailed <HOST>$\n            ^no <F-USER>\\S+</F-USER> from <ADDR>$\nignoreregex =\n".to_vec();
    vec![
        Target::new("configuration", vec![shipped, small], |input| {
            let text = String::from_utf8_lossy(input);
            if let Err(faults) = config::load(None, &text, &Anywhere) {
                assert!(!faults.render(false).is_empty());
            }
        }),
        Target::new("pattern", vec![pattern], |input| {
            let text = String::from_utf8_lossy(input);
            let (regex, line) = text.split_once('\n').unwrap_or((&text, ""));
            let kind = EventKind::LoginFailed;
            let spec = Spec { name: "fuzz", program: None, regex, unless: None, kind, service: "x" };
            if let Ok(pattern) = Pattern::new(spec) {
                Patterns::new(vec![pattern]).read(line, &sensors::frame::read(line));
            }
        }),
        Target::new("fail2ban-filter", vec![filter], |input| {
            let text = String::from_utf8_lossy(input);
            let mut read = |path: &str| (path == "x.conf").then(|| text.clone().into_owned());
            drop(import::fail2ban("x.conf", None, &mut read));
        }),
    ]
}
