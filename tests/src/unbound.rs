//! Debian's unbound, between a client and a node: it asks the node for one zone, and nobody for anything else.

use std::net::SocketAddr;
use std::process::Command;

use crate::dns::{Answer, Dig};
use crate::place::{Place, free_port};
use crate::process::{Process, program, run, write};
use crate::wait;

/// A running unbound.
pub struct Unbound {
    process: Process,
    address: SocketAddr,
    _place: Place,
}

impl Unbound {
    /// One that asks `server` for what is below `zone`; `lines` stand in its section `server`, and `stub` in that of the zone.
    pub fn start(zone: &str, server: &str, lines: &str, stub: &str) -> Self {
        let (place, address) = (Place::new("unbound"), free_port());
        let folder = place.path().display();
        let config = format!(
            "server:\n  interface: 127.0.0.1\n  port: {}\n  do-ip6: no\n  username: \"\"\n  chroot: \"\"\n  \
             directory: \"{folder}\"\n  pidfile: \"{folder}/pid\"\n  use-syslog: no\n  do-daemonize: no\n  \
             do-not-query-localhost: no\n  module-config: \"iterator\"\n  access-control: 127.0.0.0/8 allow\n  \
             local-zone: \"127.in-addr.arpa.\" static\n  root-hints: \"\"\n{lines}\n\
             stub-zone:\n  name: \"{zone}\"\n  stub-addr: {server}\n{stub}\n\
             stub-zone:\n  name: \".\"\n  stub-addr: 127.0.0.1@9\nremote-control:\n  control-enable: no\n",
            address.port()
        );
        let path = place.join("unbound.conf");
        write(&path, &config);
        let mut command = Command::new(program("unbound", "unbound"));
        let process = Process::start("unbound", place.path(), command.args(["-d", "-c"]).arg(&path));
        let mut unbound = Self { process, address, _place: place };
        wait::until_true("unbound", || {
            unbound.process.must_run();
            let port = unbound.address.port().to_string();
            let mut dig = Command::new(program("dig", "bind9-dnsutils"));
            run(dig.args(["@127.0.0.1", "-p", &port, "+time=2", "+tries=1", zone, "SOA"])).out.contains("SOA")
        });
        unbound
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it for the records of one type.
    pub fn ask(&self, name: &str, kind: &str) -> Answer {
        Dig::at(self.address).ask_with(name, kind, &["+recurse"])
    }

    /// The addresses that a name answers with.
    pub fn addresses(&self, name: &str) -> Vec<String> {
        let answer = self.ask(name, "A").answer.into_iter();
        answer.filter(|record| record.kind == "A").map(|record| record.data).collect()
    }
}
