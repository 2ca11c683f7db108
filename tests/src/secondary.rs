//! NSD as a secondary of a node, in a folder of its own.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::free_port;
use crate::process::{Process, program, run, write};

/// The key that node and secondary share.
const KEY: &str = "hmac-sha256:mirror:c2VjcmV0IG9mIG91ciBvd24sIDMyIG9jdGV0cyBsb25n";

/// Where a secondary listens, known before it is started so that the node can be told.
#[derive(Clone, Copy, Debug)]
pub struct Secondary(SocketAddr);

impl Secondary {
    /// A secondary that does not run yet.
    #[expect(clippy::new_without_default, reason = "each one is another")]
    pub fn new() -> Self {
        Self(free_port())
    }

    /// Where it listens.
    pub fn address(self) -> SocketAddr {
        self.0
    }

    /// The sections of a node that it follows.
    pub fn sections(self, keys: &Path) -> String {
        write(keys, &format!("{KEY}\n"));
        std::fs::set_permissions(keys, Permissions::from_mode(0o600)).expect("our own file");
        format!(
            "[dnsbl.transfer]\nkeys = \"{}\"\nallow = [{{ from = [\"127.0.0.0/8\"], key = \"mirror\" }}]\n\
             notify = [{{ to = \"{}\", key = \"mirror\" }}]\n",
            keys.display(),
            self.0
        )
    }

    /// Starts it with these zones, of which it has nothing.
    pub fn start(self, folder: &Path, primary: SocketAddr, zones: &[&str]) -> Process {
        let conf = folder.join("nsd.conf");
        write(&conf, &self.configuration(folder, primary, zones));
        let mut command = Command::new(program("nsd", "nsd"));
        command.arg("-d").arg("-c").arg(&conf);
        Process::start("nsd", folder, &command)
    }

    fn configuration(self, folder: &Path, primary: SocketAddr, zones: &[&str]) -> String {
        let (folder, port, secret) = (folder.display(), self.0.port(), KEY.rsplit(':').next().unwrap_or_default());
        let from = format!("127.0.0.1@{}", primary.port());
        let zone = |zone: &&str| {
            format!(
                "zone:\n  name: {zone}\n  zonefile: {zone}.zone\n  request-xfr: {from} mirror\n  \
                 allow-notify: 127.0.0.1 mirror\n  provide-xfr: 127.0.0.1 mirror\n"
            )
        };
        format!(
            "server:\n  ip-address: 127.0.0.1\n  port: {port}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: {folder}\n  \
             database: \"\"\n  pidfile: {folder}/pid\n  logfile: {folder}/log\n  xfrdfile: {folder}/xfrd.state\n  \
             zonelistfile: {folder}/zone.list\n  xfrdir: {folder}\n  verbosity: 2\n  server-count: 1\n\
             remote-control:\n  control-enable: no\n\
             key:\n  name: mirror\n  algorithm: hmac-sha256\n  secret: {secret}\n{}",
            zones.iter().map(zone).collect::<String>()
        )
    }
}

/// A transfer of a whole zone by `dig`, its records sorted, the SOA record among them; or what `dig` says instead.
pub fn transfer(server: SocketAddr, zone: &str, with_key: bool) -> Result<Vec<String>, String> {
    let mut command = Command::new(dig());
    command.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string(), "+noall", "+answer", "+onesoa"]);
    if with_key {
        command.args(["-y", KEY]);
    }
    let said = run(command.args([zone, "AXFR"]));
    let is_record = |line: &&str| !line.is_empty() && !line.starts_with(';') && !line.contains("\tTSIG\t");
    let mut records: Vec<String> = said.out.lines().filter(is_record).map(str::to_owned).collect();
    if records.is_empty() {
        return Err(said.out);
    }
    records.sort_unstable();
    Ok(records)
}

/// What changed in a zone after a serial, as `dig` gets it: the records that went, and those that came, each with the SOA record;
/// nothing if that is the newest one. None if the server sends the whole zone.
pub fn differences(server: SocketAddr, zone: &str, serial: u32) -> Option<[Vec<String>; 2]> {
    let mut command = Command::new(dig());
    command.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string(), "+noall", "+answer", "-y", KEY]);
    let said = run(command.args([zone, &format!("IXFR={serial}")]));
    let is_record = |line: &&str| !line.is_empty() && !line.starts_with(';') && !line.contains("\tTSIG\t");
    let records: Vec<String> = said.out.lines().filter(is_record).map(str::to_owned).collect();
    let is_soa = |record: &String| record.contains("\tSOA\t");
    let soas: Vec<usize> = (0..records.len()).filter(|at| is_soa(&records[*at])).collect();
    match soas[..] {
        [0, 1, came, end] if end + 1 == records.len() => Some([records[1..came].to_vec(), records[came..end].to_vec()]),
        [0, end] if end + 1 == records.len() && end > 1 => None,
        [0] if records.len() == 1 => Some([Vec::new(), Vec::new()]),
        _ => panic!("neither changes nor a zone: {}", said.out),
    }
}

/// The serial in the SOA record of a transfer.
pub fn serial_of(records: &[String]) -> u32 {
    let soa = records.iter().find(|record| record.contains("\tSOA\t")).expect("a zone has an SOA");
    soa.split_whitespace().nth(6).and_then(|serial| serial.parse().ok()).expect("an SOA has a serial")
}

fn dig() -> PathBuf {
    program("dig", "bind9-dnsutils")
}
