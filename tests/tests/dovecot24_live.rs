//! Dovecot 2.4 itself, which Debian 12 does not have, in a folder with Debian 13: with what `ratter setup dovecot` writes
//! it asks, obeys and reports, and each helper refuses a listed address where there is no auth policy.
//!
//! The folder is filled before the tests run (`ratter_tests::trixie`). Where that cannot be, because there is no root or no
//! network, the tests are not run: they count as ignored, and the reason is printed.

#![expect(clippy::print_stderr, reason = "tests that cannot be run say so")]

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use ratter_tests::dovecot::PASSWORD;
use ratter_tests::imap::{Reply, login};
use ratter_tests::place::{Place, free_port};
use ratter_tests::process::{Process, program, text_of, write};
use ratter_tests::ratter::{Config, Node, helper};
use ratter_tests::rules::login_attacked;
use ratter_tests::{trixie, wait};

const TEMPLATE: &str = include_str!("../dovecot/dovecot-2.4.conf");
const LISTED: &str = "203.0.113.5";
const OTHER: &str = "198.51.100.7";

/// The numbers of `mail` in every Debian.
const MAIL: u32 = 8;

/// A test with the folder of Debian 13, by its name.
type Test = (&'static str, fn(&Path));

const TESTS: [Test; 3] = [
    ("dovecot_2_4_asks_obeys_and_reports", dovecot_2_4_asks_obeys_and_reports),
    ("its_lua_passdb_refuses_before_the_password_is_checked", its_lua_passdb_refuses_before_the_password_is_checked),
    ("it_tells_a_listed_address_goodbye_behind_the_login", it_tells_a_listed_address_goodbye_behind_the_login),
];

/// Runs them where there is a Dovecot 2.4, or can be; says that they were not run, and why, where not.
fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_wanted = |name: &str| arguments.filter.as_deref().is_none_or(|filter| name.contains(filter));
    let are_run = !arguments.list && TESTS.iter().any(|(name, _)| is_wanted(name));
    let folder = if are_run { trixie::folder() } else { Err("not asked for".to_owned()) };
    if let (true, Err(why)) = (are_run, &folder) {
        eprintln!("NOT RUN: the {} tests with Dovecot 2.4 itself, because {why}", TESTS.len());
    }
    let trials = TESTS.into_iter().map(|(name, test)| {
        let (root, is_ignored) = (folder.clone().unwrap_or_default(), folder.is_err());
        let run = move || {
            test(&root);
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_ignored && are_run)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Dovecot 2.4 with what `setup` wrote.
struct Dovecot {
    process: Process,
    imap: SocketAddr,
    place: Place,
}

impl Dovecot {
    /// Starts it in a mount namespace of its own, in which its folder has the same name inside and outside of Debian 13.
    fn start(root: &Path, node: &Node, arguments: &[&str], is_alone: bool) -> Self {
        let (place, imap) = (Place::new("dovecot24"), free_port());
        let folder = place.path().to_str().expect("plain letters").to_owned();
        std::fs::create_dir(place.join("conf.d")).expect("a new folder");
        std::fs::create_dir(place.join("mail")).expect("a new folder");
        chown(place.join("mail"), Some(MAIL), Some(MAIL)).expect("root gives files away");
        std::fs::copy(helper("ratter-postlogin"), place.join("ratter-postlogin")).expect("a copy");
        // The machine may be busy: who is refused shall not depend on that.
        let fixed = [
            "setup",
            "dovecot",
            "--syntax",
            "2.4",
            "--folder",
            &folder,
            "--helpers",
            &folder,
            "--wait",
            "5s",
            "--write",
        ];
        node.cli(&[&fixed, arguments].concat()).with_code(0);
        if is_alone {
            std::fs::remove_file(place.join("ratter-secrets.conf.ext")).expect("setup wrote it");
        }
        let config = TEMPLATE.replace("@BASE@", &folder).replace("@IMAP@", &imap.port().to_string());
        write(&place.join("dovecot.conf"), &config);
        write(&place.join("users"), &format!("alice:{PASSWORD}\nbob:{PASSWORD}\n"));
        let root = root.display();
        let script = format!(
            "set -e; mount --bind '{root}' '{root}'; mkdir -p '{root}{folder}'; mount --bind '{folder}' '{root}{folder}'\n\
             mount --bind /dev '{root}/dev'; mount -t proc proc '{root}/proc'\n\
             exec chroot '{root}' /usr/sbin/dovecot -F -c '{folder}/dovecot.conf'"
        );
        let mut command = Command::new(program("unshare", "util-linux"));
        command.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        let mut process = Process::start("dovecot", place.path(), &command);
        wait::until_true("Dovecot 2.4 to serve", || {
            process.must_run();
            TcpStream::connect(imap).is_ok()
        });
        Self { process, imap, place }
    }

    fn login(&self, address: &str, user: &str, password: &str) -> Reply {
        login(self.imap, address, user, password)
    }

    /// What it says of answers that it does not understand, or that never came.
    fn complaints(&self) -> Vec<String> {
        let log = text_of(&self.place.join("dovecot.log"));
        log.lines().filter(|line| line.contains("Error:") || line.contains("Fatal:")).map(str::to_owned).collect()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // In order first, so that its own processes are told; what is left is killed with the process below.
        self.process.end();
    }
}

/// A node with a line gate and a short tarpit, and a listed address.
fn node() -> Node {
    let rule = login_attacked("10m", "4s");
    let config = Config::new().with(&format!("[gate.line]\nlisten = [\"{}\"]\n{rule}", free_port()));
    let node = Node::start(&config);
    node.cli(&["list", LISTED, "--reason", "test"]).with_code(0);
    node
}

fn dovecot_2_4_asks_obeys_and_reports(root: &Path) {
    let (node, owner, new) = (node(), "198.51.100.20", "198.51.100.99");
    let dovecot = Dovecot::start(root, &node, &[], false);
    assert!(dovecot.login(OTHER, "bob", PASSWORD).ok);
    let refused = dovecot.login(LISTED, "bob", PASSWORD);
    assert!(!refused.ok && refused.text.contains("AUTHENTICATIONFAILED"), "{refused:?}");

    assert!(dovecot.login(owner, "alice", PASSWORD).ok);
    for (address, password) in [("203.0.113.1", "guess-1"), ("203.0.113.1", "guess-2"), ("203.0.113.2", "guess-3")] {
        assert!(!dovecot.login(address, "alice", password).ok);
    }
    node.wait_listed("login:alice", "blocked");
    let held = dovecot.login(new, "alice", PASSWORD);
    assert!(!held.ok, "the right password from a new address: {held:?}");
    assert!(held.took >= Duration::from_secs(4), "it was held for {:?} only", held.took);
    assert_eq!(held.text, refused.text, "nobody learns that the password was right");
    assert!(dovecot.login(owner, "alice", PASSWORD).ok, "the owner gets in");

    // What ended because of us is told as such, and is no failure.
    let gate = node.status().gates.into_iter().find(|gate| gate.name == "dovecot").expect("it is shown");
    assert_eq!(gate.malformed, 0);
    assert_eq!(node.quick_status().engine.counted, 3);
    assert_eq!(dovecot.complaints(), Vec::<String>::new());
}

fn its_lua_passdb_refuses_before_the_password_is_checked(root: &Path) {
    let node = node();
    let dovecot = Dovecot::start(root, &node, &["--lua"], true);
    assert!(dovecot.login(OTHER, "bob", PASSWORD).ok, "{:?}", dovecot.complaints());
    assert!(!dovecot.login(OTHER, "bob", "wrong").ok);
    let refused = dovecot.login(LISTED, "bob", PASSWORD);
    assert!(!refused.ok && refused.text.contains("AUTHENTICATIONFAILED"), "{refused:?}");
    let mut node = node;
    node.freeze();
    let reply = dovecot.login(LISTED, "bob", PASSWORD);
    assert!(reply.ok, "a node that does not answer refuses nobody: {reply:?}");
    node.thaw();
}

fn it_tells_a_listed_address_goodbye_behind_the_login(root: &Path) {
    let node = node();
    let dovecot = Dovecot::start(root, &node, &["--post-login"], true);
    let welcome = dovecot.login(OTHER, "bob", PASSWORD);
    assert!(welcome.ok, "{welcome:?} {:?}", dovecot.complaints());
    let reply = dovecot.login(LISTED, "bob", PASSWORD);
    assert!(reply.text.starts_with("* BYE"), "{reply:?}");
}
