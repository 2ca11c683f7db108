//! NSD, Knot, BIND and `PowerDNS` as secondaries, each in a folder and on a port of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::ZONES;
use super::primary::{Primary, SECRET, serial_of, wait_until};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Nsd,
    Knot,
    Bind,
    PowerDns,
}

/// A port that is free now, for UDP and TCP.
pub(crate) fn free_port() -> u16 {
    ratter_tests::place::free_port().port()
}

pub(crate) struct Peer {
    kind: Kind,
    port: u16,
    folder: PathBuf,
    child: Child,
}

impl Peer {
    pub(crate) fn start(kind: Kind, port: u16, primary: SocketAddr) -> Self {
        let folder = std::env::temp_dir().join(format!("ratter-secondary-{kind:?}-{}-{port}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let text = match kind {
            Kind::Nsd => nsd(&folder, port, primary.port()),
            Kind::Knot => knot(&folder, port, primary.port()),
            Kind::Bind => bind(&folder, port, primary.port()),
            Kind::PowerDns => powerdns(&folder, port, primary.port()),
        };
        fs::write(folder.join("conf"), text).unwrap();
        let child = run(kind, &folder);
        Self { kind, port, folder, child }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Ends the server, as its package's unit does.
    pub(crate) fn stop(&mut self) {
        if self.kind == Kind::Nsd {
            // It writes its zones by a timer of an hour, or when it is told to.
            let conf = self.folder.join("conf").display().to_string();
            let written = Command::new("/usr/sbin/nsd-control").args(["-c", &conf, "write"]).output().unwrap();
            assert!(written.status.success(), "{written:?}");
            let files = || ZONES.iter().all(|zone| self.folder.join(format!("{zone}.zone")).exists());
            wait_until(Duration::from_secs(10), files, || "NSD writes its zones".into());
            std::thread::sleep(Duration::from_millis(500));
        }
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        drop(self.child.wait());
    }

    pub(crate) fn start_again(&mut self) {
        self.child = run(self.kind, &self.folder);
    }

    /// How many whole transfers it wanted for a reason of its own: NSD 4.6 does when an update comes while it is at the
    /// one before (NLnetLabs/nsd#227).
    pub(crate) fn own_restarts(&self) -> u64 {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("update failed, restarting transfer")).count() as u64
    }

    /// Whether it has the primary's serials of all zones whose changes are announced.
    pub(crate) fn has_caught_up(&self, primary: &Primary) -> bool {
        // The zone above the lists changes with none of them: it is not announced, and is looked for by a restart only.
        ZONES[..2].iter().all(|zone| serial_of(self.address(), zone) == serial_of(primary.address(), zone))
            && ZONES.iter().all(|zone| serial_of(self.address(), zone).is_some())
    }

    /// Waits until every zone has the primary's serial.
    pub(crate) fn wait_for(&self, primary: &Primary) {
        let serials = |server| ZONES.map(|zone| serial_of(server, zone));
        let is_there = || self.has_caught_up(primary);
        let what = || {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let end: Vec<&str> = log.lines().rev().take(40).collect();
            let (theirs, ours) = (serials(self.address()), serials(primary.address()));
            format!("{:?} has {theirs:?} of {ours:?}; {:?}\n{}", self.kind, primary.totals(), end.join("\n"))
        };
        wait_until(Duration::from_secs(30), is_there, what);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

fn run(kind: Kind, folder: &Path) -> Child {
    let conf = folder.join("conf").display().to_string();
    let config_dir = format!("--config-dir={}", folder.display());
    let (program, arguments) = match kind {
        Kind::Nsd => ("/usr/sbin/nsd", vec!["-d", "-c", &conf]),
        Kind::Knot => ("/usr/sbin/knotd", vec!["-c", &conf]),
        Kind::Bind => ("/usr/sbin/named", vec!["-f", "-n", "1", "-c", &conf]),
        Kind::PowerDns => ("/usr/sbin/pdns_server", vec![&config_dir as &str]),
    };
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("out")).unwrap();
    let child = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(log).spawn();
    child.unwrap_or_else(|error| panic!("{program} is installed: {error}"))
}

fn nsd(folder: &Path, port: u16, primary: u16) -> String {
    let folder = folder.display();
    let zone = |zone: &str| {
        format!(
            "zone:\n  name: {zone}\n  zonefile: {zone}.zone\n  request-xfr: 127.0.0.1@{primary} mirror\n  \
             allow-notify: 127.0.0.1 mirror\n  provide-xfr: 127.0.0.1 mirror\n"
        )
    };
    format!(
        "server:\n  ip-address: 127.0.0.1\n  port: {port}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: {folder}\n  \
         database: \"\"\n  pidfile: {folder}/pid\n  logfile: {folder}/log\n  xfrdfile: {folder}/xfrd.state\n  \
         zonelistfile: {folder}/zone.list\n  xfrdir: {folder}\n  verbosity: 2\n  server-count: 1\n\
         remote-control:\n  control-enable: yes\n  control-interface: {folder}/control\n\
         key:\n  name: mirror\n  algorithm: hmac-sha256\n  secret: {SECRET}\n{}",
        ZONES.map(zone).concat()
    )
}

fn knot(folder: &Path, port: u16, primary: u16) -> String {
    let folder = folder.display();
    let zone = |zone: &str| format!("  - domain: {zone}\n    master: primary\n    acl: [told, given]\n");
    format!(
        "server:\n    listen: 127.0.0.1@{port}\n    rundir: {folder}\n\
         database:\n    storage: {folder}\n\
         log:\n  - target: {folder}/log\n    any: info\n\
         key:\n  - id: mirror\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
         remote:\n  - id: primary\n    address: 127.0.0.1@{primary}\n    key: mirror\n\
         acl:\n  - id: told\n    address: 127.0.0.1\n    key: mirror\n    action: notify\n  \
           - id: given\n    address: 127.0.0.1\n    key: mirror\n    action: transfer\n\
         template:\n  - id: default\n    storage: {folder}\n\
         zone:\n{}",
        ZONES.map(zone).concat()
    )
}

fn bind(folder: &Path, port: u16, primary: u16) -> String {
    let folder = folder.display();
    let zone = |zone: &str| {
        format!(
            "zone \"{zone}\" {{ type secondary; primaries port {primary} {{ 127.0.0.1 key mirror; }}; \
             file \"{zone}.db\"; allow-notify {{ key mirror; }}; allow-transfer {{ key mirror; }}; }};\n"
        )
    };
    format!(
        "key mirror {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
         options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
         pid-file \"{folder}/pid\"; session-keyfile \"{folder}/session.key\"; recursion no; notify no; \
         dnssec-validation no; minimal-responses yes; }};\ncontrols {{ }};\n\
         logging {{ channel all {{ file \"{folder}/log\"; severity info; }}; category default {{ all; }}; }};\n{}",
        ZONES.map(zone).concat()
    )
}

/// `PowerDNS` keeps its zones in a database. Two threads that retrieve zones
/// keep one another from writing into SQLite's, so it has one; and it remembers answers for a while unless it is told
/// not to.
fn powerdns(folder: &Path, port: u16, primary: u16) -> String {
    let schema = fs::read_to_string("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql").unwrap();
    let zone = |zone: &str| {
        let meta = |kind: &str, value: &str| {
            format!(
                "INSERT INTO domainmetadata (domain_id, kind, content) SELECT id, '{kind}', '{value}' FROM domains \
                 WHERE name = '{zone}';\n"
            )
        };
        format!("INSERT INTO domains (name, type, master) VALUES ('{zone}', 'SLAVE', '127.0.0.1:{primary}');\n")
            + &meta("AXFR-MASTER-TSIG", "mirror")
            + &meta("IXFR", "1")
            + &meta("TSIG-ALLOW-AXFR", "mirror")
    };
    let key = format!("INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('mirror', 'hmac-sha256', '{SECRET}');\n");
    let database = folder.join("db");
    let mut sqlite =
        Command::new("sqlite3").arg(&database).stdin(Stdio::piped()).spawn().expect("sqlite3 is installed");
    let all = schema + &ZONES.map(zone).concat() + &key;
    std::io::Write::write_all(&mut sqlite.stdin.take().unwrap(), all.as_bytes()).unwrap();
    assert!(sqlite.wait().unwrap().success());
    let text = format!(
        "launch=gsqlite3\ngsqlite3-database={}\ngsqlite3-pragma-synchronous=0\nlocal-address=127.0.0.1\n\
         local-port={port}\nsecondary=yes\nxfr-cycle-interval=1\n\
         retrieval-threads=1\ngsqlite3-pragma-journal-mode=WAL\nsocket-dir={}\nallow-notify-from=127.0.0.0/8\n\
         cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\n\
         zone-metadata-cache-ttl=0\nversion-string=anonymous\nsecurity-poll-suffix=\nguardian=no\ndaemon=no\n",
        database.display(),
        folder.display(),
    );
    fs::write(folder.join("pdns.conf"), &text).unwrap();
    text
}
