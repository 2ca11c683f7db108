//! A node under test: its configuration, its process and the commands that people give it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use console::api::{ListingView, SensorStatus, Status, Why};
use rustix::process::Signal;

use crate::dns::Dig;
use crate::http::Connection;
use crate::place::{Place, free_port};
use crate::policy::Gate;
use crate::process::{Process, Said, run, text_of, write};
use crate::wait;

/// Password of the nodes' Dovecot gates.
pub const GATE_PASSWORD: &str = "super secret";

/// The nonce of Dovecot's password hashes, here and in the node's configuration.
pub const NONCE: &str = "localrandomstring";

/// Name under which the nodes publish their lists.
pub const ORIGIN: &str = "bl.example.org";

/// A helper program, built beside the node's.
pub fn helper(name: &str) -> PathBuf {
    let path = binary().with_file_name(name);
    assert!(path.is_file(), "{} is not built: `cargo build -p ratter-checkpassword` first", path.display());
    path
}

/// The built program: the one that the variable `RATTER_BIN` names, else the one that stands beside the test programs.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("RATTER_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("a test program has a path");
    // target/debug/deps/TEST-HASH -> target/debug/ratter
    let folder = test.parent().and_then(Path::parent).expect("cargo puts test programs into target/PROFILE/deps");
    let binary = folder.join("ratter");
    assert!(binary.is_file(), "{} is not built: `cargo build -p ratter` first", binary.display());
    binary
}

/// The configuration of a node: everything switched on at ports of its own, the shipped rules and lists, and what a
/// test adds.
#[derive(Clone, Debug, Default)]
pub struct Config {
    never: Vec<String>,
    node: String,
    files: Vec<PathBuf>,
    dnsbl: String,
    more: String,
    is_open: bool,
}

impl Config {
    /// The plain one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a subject on the never-list.
    #[must_use]
    pub fn never(mut self, subject: &str) -> Self {
        self.never.push(subject.to_owned());
        self
    }

    /// Adds a line to `[node]`.
    #[must_use]
    pub fn node(mut self, line: &str) -> Self {
        self.node.push_str(line);
        self.node.push('\n');
        self
    }

    /// Follows a log file, from its start.
    #[must_use]
    pub fn follow(mut self, log: &Path) -> Self {
        self.files.push(log.to_owned());
        self
    }

    /// Adds a line to `[dnsbl]`.
    #[must_use]
    pub fn dnsbl(mut self, line: &str) -> Self {
        self.dnsbl.push_str(line);
        self.dnsbl.push('\n');
        self
    }

    /// Adds sections as they stand in the file; a rule with the name of a shipped one replaces it.
    #[must_use]
    pub fn with(mut self, toml: &str) -> Self {
        self.more.push_str(toml);
        self.more.push('\n');
        self
    }

    /// Lets Dovecot's gate ask for no password.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    fn text(&self, node: &Addresses) -> String {
        let Addresses { state, gate, dns, metrics, .. } = node;
        let never = self.never.iter().map(|subject| format!("{subject:?}")).collect::<Vec<_>>().join(", ");
        let mut text =
            format!("[node]\nname = \"tests\"\nstate = \"{}\"\nnever-list = [{never}]\n{}", state.display(), self.node);
        for file in &self.files {
            let path = file.display();
            write!(text, "\n[[sensor.file]]\npath = \"{path}\"\nfrom = \"start\"\n").expect("a String takes all");
        }
        let password = if self.is_open { String::new() } else { format!("password = {GATE_PASSWORD:?}\n") };
        write!(
            text,
            "\n[gate.dovecot]\nlisten = \"{gate}\"\n{password}nonce = {NONCE:?}\n\
             \n[dnsbl]\norigin = {ORIGIN:?}\nlisten = [\"{dns}\"]\nlookup = \"https://{ORIGIN}/why?address={{ip}}\"\n{}\
             \n[console]\nlisten = \"{metrics}\"\n\n{}",
            self.dnsbl, self.more
        )
        .expect("a String takes all");
        text
    }
}

/// Where a node keeps its state and listens.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The configuration file.
    pub config: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// The Dovecot gate.
    pub gate: SocketAddr,
    /// The DNS server.
    pub dns: SocketAddr,
    /// The metrics.
    pub metrics: SocketAddr,
}

/// A node, running or not.
#[derive(Debug)]
pub struct Node {
    process: Option<Process>,
    addresses: Addresses,
    place: Place,
    /// What the program is started by, such as `ip netns exec NAME`.
    prefix: Vec<String>,
}

impl Node {
    /// Starts a node in a folder of its own, and waits until it serves.
    pub fn start(config: &Config) -> Self {
        let mut node = Self::prepare(config);
        node.start_again();
        node
    }

    /// Writes a configuration, but does not start the node.
    pub fn prepare(config: &Config) -> Self {
        let place = Place::new("node");
        let addresses = Addresses {
            config: place.join("ratter.toml"),
            state: place.join("state"),
            gate: free_port(),
            dns: free_port(),
            metrics: free_port(),
        };
        write(&addresses.config, &config.text(&addresses));
        Self { process: None, addresses, place, prefix: Vec::new() }
    }

    /// Starts a node by another program, and waits until its control socket answers: its ports may be elsewhere.
    pub fn start_by(prefix: &[&str], config: &Config) -> Self {
        let mut node = Self::prepare(config);
        node.prefix = prefix.iter().map(|word| (*word).to_owned()).collect();
        node.start_again();
        node
    }

    /// Starts a node whose clock is behind by so much, such as `9d`: what it learns now was long ago when it is started again.
    pub fn start_in_the_past(behind: &str, config: &Config) -> Self {
        let library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
        assert!(Path::new(library).is_file(), "{library} is missing: `apt-get install faketime`");
        // The wrapper of that package would stand between us and the process.
        let preload = format!("LD_PRELOAD={library}");
        let shift = format!("FAKETIME=-{behind}");
        let mut node = Self::start_by(&["env", &preload, &shift, "FAKETIME_DONT_FAKE_MONOTONIC=1"], config);
        node.prefix.clear();
        node
    }

    /// Writes another configuration, for the next start.
    pub fn configure(&self, config: &Config) {
        write(&self.addresses.config, &config.text(&self.addresses));
    }

    /// Starts the node after it ended, and waits until it serves.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the node runs already");
        let run = self.command(&["run"]);
        let command = match self.prefix.split_first() {
            None => run,
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(run.get_program()).args(run.get_args()).current_dir(self.place.path());
                command
            }
        };
        let mut process = Process::start("ratter", self.place.path(), &command);
        let Addresses { gate, dns, metrics, .. } = self.addresses;
        let ports: &[SocketAddr] = if self.prefix.is_empty() { &[gate, dns, metrics] } else { &[] };
        wait::until_true("the node to serve", || {
            process.must_run();
            ports.iter().all(|address| TcpStream::connect(address).is_ok()) && self.try_status().is_some()
        });
        self.process = Some(process);
    }

    /// Has it start anew with the configuration as it is now, by so many signals right after each other, and waits until it
    /// answers again.
    pub fn begin_anew(&mut self, signals: usize) {
        let told = |node: &mut Self| node.process().stdout().matches("Ratter ").count();
        let before = told(self);
        for _ in 0..signals {
            self.process().signal(Signal::HUP);
        }
        wait::until_true("the node to begin anew", || told(self) > before);
        wait::until_true("the node to answer", || self.cli(&["status"]).code == 0);
    }

    /// A `ratter` command with this node's configuration, to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--config").arg(&self.addresses.config).args(arguments).current_dir(self.place.path());
        command
    }

    /// Runs a `ratter` command to its end.
    pub fn cli(&self, arguments: &[&str]) -> Said {
        run(&mut self.command(arguments))
    }

    /// Runs a `ratter` command that must succeed, with `--json`, and returns what it says.
    pub fn json<T: serde::de::DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let said = self.cli(&[arguments, &["--json"]].concat());
        said.with_code(0).json()
    }

    /// Starts a command that goes on, such as `watch`.
    pub fn start_command(&self, name: &str, arguments: &[&str]) -> Process {
        Process::start(name, self.place.path(), &self.command(arguments))
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Its folder, in which tests may put files of their own.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the node runs")
    }

    /// Plays Dovecot at its gate.
    pub fn gate(&self) -> Gate {
        Gate::new(self.addresses.gate)
    }

    /// Asks its DNS server.
    pub fn dig(&self) -> Dig {
        Dig::at(self.addresses.dns)
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.process.take().expect("the node runs").kill();
    }

    /// Ends it in order, which must succeed.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("the node runs");
        process.signal(Signal::TERM);
        let status = process.wait();
        assert!(status.success(), "after SIGTERM the node ended with {status}:\n{}", process.stderr());
    }

    /// Stops it without ending it: it answers nothing, and its sockets stay open.
    pub fn freeze(&mut self) {
        self.process().signal(Signal::STOP);
    }

    /// Lets it go on after [`Self::freeze`].
    pub fn thaw(&mut self) {
        self.process().signal(Signal::CONT);
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.json(&["status"])
    }

    /// What Prometheus scrapes of it.
    pub fn metrics(&self) -> String {
        let connection = Connection::tcp(self.addresses.metrics);
        connection.and_then(|mut node| node.get("/metrics")).expect("a running node serves its metrics").body
    }

    fn try_status(&self) -> Option<Status> {
        let socket = self.addresses.state.join("control.sock");
        let response = Connection::unix(&socket).ok()?.get("/v1/status").ok()?;
        (response.status == 200).then(|| response.json())
    }

    /// How it is, over the control socket, for looking again and again without a new process each time.
    pub fn quick_status(&self) -> Status {
        self.try_status().expect("a running node tells how it is")
    }

    /// The sensor of its only log file.
    pub fn sensor(&self) -> SensorStatus {
        let mut sensors = self.quick_status().sensors;
        assert_eq!(sensors.len(), 1, "one file is followed");
        sensors.remove(0)
    }

    /// All that it knows of a subject.
    pub fn why(&self, subject: &str) -> Why {
        let said = self.cli(&["why", subject, "--json"]);
        assert!(matches!(said.code, 0 | 3), "{said:?}");
        said.json()
    }

    /// What is on a list.
    pub fn listings(&self, list: &str) -> Vec<ListingView> {
        self.get(&format!("/v1/listings?list={list}"))
    }

    /// What is on all lists.
    pub fn all_listings(&self) -> Vec<ListingView> {
        self.get("/v1/listings")
    }

    /// What its control socket answers to a path.
    pub fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let socket = self.addresses.state.join("control.sock");
        let response = Connection::unix(&socket).and_then(|mut node| node.get(path)).expect("a running node answers");
        assert_eq!(response.status, 200, "{path}: {response:?}");
        response.json()
    }

    /// The subjects on a list.
    pub fn listed(&self, list: &str) -> BTreeSet<String> {
        self.listings(list).into_iter().map(|listing| listing.subject).collect()
    }

    /// The listing of a subject on a list.
    pub fn listing(&self, subject: &str, list: &str) -> Option<ListingView> {
        self.listings(list).into_iter().find(|listing| listing.subject == subject)
    }

    /// Waits until a subject is on a list, and returns the listing.
    pub fn wait_listed(&self, subject: &str, list: &str) -> ListingView {
        wait::until(&format!("{subject} on {list}"), || self.listing(subject, list))
    }

    /// Waits until the node has read so many lines of its only log file.
    pub fn wait_lines(&self, lines: u64) {
        let is_read = wait::try_until(|| (self.sensor().lines >= lines).then_some(()));
        assert!(is_read.is_some(), "waited in vain for {lines} lines to be read: {:?}", self.sensor());
    }

    /// Waits until the node has read all of its only log file; panics if it has read more than stands there, which is
    /// to say something twice.
    pub fn wait_whole(&self, log: &Path) {
        wait::until_true(&format!("all lines of {} to be read", log.display()), || {
            // First what was read, then what is there: somebody may write between the two.
            let read = self.sensor().lines;
            let written = text_of(log).matches('\n').count() as u64;
            assert!(read <= written, "{read} lines were read of {written} in {}", log.display());
            read == written
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The process goes before its folder does.
        drop(self.process.take());
    }
}
