//! Hosts of a test: network namespaces with addresses of their own, of which this machine's network sees nothing.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::{Said, program, run};

/// Two hosts on a cable: a server and its clients, who have several addresses.
#[derive(Debug)]
pub struct Namespaces {
    server: String,
    client: String,
}

impl Namespaces {
    /// Makes them with these addresses, such as `203.0.113.1/24`.
    pub fn new(server: &[&str], client: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |role: &str| format!("ratter-{role}-{}-{number}", std::process::id());
        let namespaces = Self { server: name("server"), client: name("client") };
        let (ours, theirs) = (&namespaces.server, &namespaces.client);
        ip(&["netns", "add", ours]);
        ip(&["netns", "add", theirs]);
        ip(&["-n", ours, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", theirs]);
        for (host, addresses) in [(ours, server), (theirs, client)] {
            for address in addresses {
                // Without a search for others of the same address, which would take a second.
                let more: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
                ip(&[&["-n", host, "address", "add", address, "dev", "wire"], more].concat());
            }
            ip(&["-n", host, "link", "set", "lo", "up"]);
            ip(&["-n", host, "link", "set", "wire", "up"]);
        }
        namespaces
    }

    /// What starts a program on the server.
    pub fn on_server(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.server]
    }

    /// What starts a program on the host of the clients.
    pub fn on_client(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.client]
    }

    /// Runs `nft` on the server.
    pub fn nft(&self, arguments: &[&str]) -> Said {
        let nft = program("nft", "nftables");
        run(Command::new(program("ip", "iproute2")).args(["netns", "exec", &self.server]).arg(nft).args(arguments))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for host in [&self.server, &self.client] {
            // It fails only where it was never made.
            drop(run(Command::new(program("ip", "iproute2")).args(["netns", "del", host])));
        }
    }
}

fn ip(arguments: &[&str]) {
    run(Command::new(program("ip", "iproute2")).args(arguments)).with_code(0);
}
