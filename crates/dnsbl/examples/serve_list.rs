//! Serves a list from a file, for measuring: `serve_list PORT LISTFILE ZONE [THREADS [KEY]]`.
//!
//! The file has lines `ADDRESS CODE`, where CODE is the last octet of the return code. The lists are named after their
//! codes, and all of them are published in the combined zone ZONE, such as `all.bl.test`, which wants
//! KEY before its name if there is one.

#![expect(clippy::disallowed_methods, reason = "reads the file that it is to serve")]
#![expect(clippy::print_stderr, reason = "says why it cannot run")]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use dnsbl::access::{Access, AccessSettings, KeyRecord, KeySecret, Policy, ZoneAccess, ZoneLabel};
use dnsbl::io::Server;
use dnsbl::serve::{Responder, Zones};

#[path = "common/mod.rs"]
mod common;
#[path = "common/list.rs"]
mod list;
use common::settings;
use list::load;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serve_list: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [port, file, zone, rest @ ..] = &arguments[..] else {
        return Err("usage: serve_list PORT LISTFILE ZONE [THREADS [KEY]]".into());
    };
    let port: u16 = port.parse().map_err(|_| "PORT is a number")?;
    let threads = rest.first().map_or(Ok(1), |text| text.parse()).map_err(|_| "THREADS is a number")?;
    let (replica, codes) = load(file)?;
    let (label, origin) = zone.split_once('.').ok_or("ZONE has two labels at least")?;

    let zones = Zones::new(&settings(origin, label, &codes)).map_err(|faults| format!("{faults:?}"))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let access = rest.get(1).map_or_else(|| Ok(Access::open(&zones)), |key| with_key(&zones, key));
    let responder = Arc::new(Responder::with_access(zones, Arc::new(access?)));
    let server = Server::start_reading(&[address], responder, &replica.reader(), threads)
        .map_err(|error| format!("{error:?}"))?;
    eprintln!("listening on {address}, receive buffer {} octets", server.receive_buffer());
    loop {
        thread::sleep(Duration::from_hours(1));
    }
}

/// Zones that want this key.
fn with_key(zones: &Zones, key: &str) -> Result<Access, String> {
    let secret = KeySecret::new([0; 16]);
    let rules = ZoneAccess { policy: Policy::Key, ..ZoneAccess::default() };
    let settings = AccessSettings { zones: vec![(ZoneLabel::Others, rules)], ..AccessSettings::default() };
    let access = Access::new(zones, None, &settings, secret, [0; 16]).map_err(|faults| format!("{faults:?}"))?;
    let (hash, name, owner) = (secret.hash(key.as_bytes()), "key".into(), "owner".into());
    let record = KeyRecord { hash, name, owner, zones: None, quota: None, until: None };
    access.set_keys(vec![record]).map_err(|faults| format!("{faults:?}"))?;
    Ok(access)
}
