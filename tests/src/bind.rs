//! BIND with zones of its own, which others ask for reverse names and for the senders of a domain.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use rustix::process::Signal;

use crate::place::{Place, free_port};
use crate::process::{Process, program, write};
use crate::wait;

/// A running BIND.
#[derive(Debug)]
pub struct Bind {
    process: Process,
    address: SocketAddr,
    place: Place,
    /// Seconds for which what it says may be remembered.
    ttl: u32,
    serial: u32,
    /// What programs are started by, such as `ip netns exec NAME`.
    prefix: Vec<String>,
}

impl Bind {
    /// Serves zones with these records, and waits until it answers for the first. A record that is none makes a zone that
    /// cannot be loaded.
    pub fn start(ttl: u32, zones: &[(&str, &[String])]) -> Self {
        Self::start_by(&[], ttl, zones)
    }

    /// The same on another host, by the program that starts others there.
    pub fn start_by(prefix: &[&str], ttl: u32, zones: &[(&str, &[String])]) -> Self {
        let (place, address) = (Place::new("bind"), free_port());
        let (path, port) = (place.path().display(), address.port());
        let mut config = format!(
            "options {{ directory \"{path}\"; pid-file none; session-keyfile none; managed-keys-directory \"{path}\";\n\
             dnssec-validation no; recursion no; notify no;\n\
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n"
        );
        for (zone, _) in zones {
            writeln!(config, "zone \"{zone}\" {{ type primary; file \"{zone}\"; }};").expect("a String takes all");
        }
        write(&place.join("conf"), &config);
        for (zone, records) in zones {
            write(&place.join(zone), &text(ttl, 1, records));
        }
        let mut command = command(prefix, "named", "bind9");
        command.args(["-g", "-n", "1", "-c"]).arg(place.join("conf"));
        let process = Process::start("named", place.path(), &command);
        let prefix = prefix.iter().map(|word| (*word).to_owned()).collect();
        let mut bind = Self { process, address, place, ttl, serial: 1, prefix };
        wait::until_true("BIND to answer", || bind.serves(zones[0].0));
        bind
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives a zone other records, as its owner writes them, and waits until they are served.
    pub fn change(&mut self, zone: &str, records: &[String]) {
        self.serial += 1;
        write(&self.place.join(zone), &text(self.ttl, self.serial, records));
        wait::until_true("BIND to have read its zone again", || {
            self.process.signal(Signal::HUP);
            self.serves(zone)
        });
    }

    /// Whether the zone is there with its last serial.
    fn serves(&mut self, zone: &str) -> bool {
        self.process.must_run();
        let mut dig = command(&self.prefix, "dig", "bind9-dnsutils");
        dig.args(["@127.0.0.1", "-p", &self.address.port().to_string(), "+short", "+time=1", "+tries=1", zone, "SOA"]);
        let said = dig.output().expect("dig runs");
        String::from_utf8_lossy(&said.stdout).contains(&format!(" {} 60 ", self.serial))
    }
}

/// A program of a package, started by others if there are any.
fn command(prefix: &[impl AsRef<OsStr>], name: &str, package: &str) -> Command {
    let program = program(name, package);
    let Some((first, rest)) = prefix.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

fn text(ttl: u32, serial: u32, records: &[String]) -> String {
    let head =
        format!("$TTL {ttl}\n@ SOA ns.example.org. root.example.org. {serial} 60 60 60 {ttl}\n@ NS ns.example.org.\n");
    head + &records.join("\n") + "\n"
}
