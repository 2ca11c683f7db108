//! Who is on the never-list is never listed, by any road.

use ratter_tests::dns::entry;
use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::lines::{self, Log};
use ratter_tests::place::Place;
use ratter_tests::policy::Attempt;
use ratter_tests::ratter::{Config, Node, ORIGIN};

const OFFICE: &str = "203.0.113.5";

fn config() -> Config {
    Config::new().never("203.0.113.0/24").never("login:postmaster@example.org")
}

#[test]
fn not_by_guesses_at_a_dovecot() {
    let node = Node::start(&config());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    for (number, user) in ["alice", "bob", "carol", "alice", "bob", "carol"].into_iter().enumerate() {
        dovecot.guess(OFFICE, user, number as u32, 1);
    }
    let reply = dovecot.login(OFFICE, "alice", PASSWORD);
    assert!(reply.ok, "{reply:?}");
    assert!(node.all_listings().is_empty(), "{:?}", node.all_listings());
    assert!(node.dig().addresses(&entry(OFFICE, "all", ORIGIN)).is_empty());
    assert!(node.why(OFFICE).never_listed);
}

#[test]
fn not_a_login_either() {
    let node = Node::start(&config());
    let mut gate = node.gate();
    for host in 1..=6 {
        let address = format!("198.51.100.{host}");
        assert_eq!(gate.login(&Attempt::new(&address, "Postmaster@Example.org"), false), (false, 0));
    }
    assert!(node.all_listings().is_empty(), "{:?}", node.all_listings());
    assert!(node.why("login:postmaster@example.org").never_listed);
}

#[test]
fn not_by_the_log_and_not_loopback() {
    let place = Place::new("log");
    let mut log = Log::open(&place.join("mail.log"));
    let node = Node::start(&config().follow(log.path()));
    for address in [OFFICE, "127.0.0.1", "::1", "0.0.0.0", "::ffff:203.0.113.5"] {
        for login in ["alice", "bob", "carol", "dave", "erin", "frank"] {
            log.line(&lines::failed(address, &format!("{login}{address}"), 3));
        }
    }
    node.wait_whole(log.path());
    assert!(node.all_listings().is_empty(), "{:?}", node.all_listings());
}

#[test]
fn not_by_a_person() {
    let node = Node::start(&config());
    for subject in
        [OFFICE, "203.0.113.0/28", "203.0.112.0/20", "0.0.0.0/0", "127.0.0.1", "::1", "login:postmaster@example.org"]
    {
        let said = node.cli(&["list", subject, "--for", "1h", "--reason", "a test", "--force"]).with_code(1);
        assert!(said.err.contains("never-list"), "{said:?}");
    }
    assert!(node.all_listings().is_empty());
}

#[test]
fn who_comes_on_it_is_off_every_list() {
    let mut node = Node::start(&Config::new());
    node.cli(&["list", OFFICE, "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    node.cli(&["list", "198.51.100.7", "--on", "auth", "--for", "1h", "--reason", "a test"]).with_code(0);
    node.stop();
    node.configure(&config());
    node.start_again();
    let left: Vec<_> = node.all_listings().into_iter().map(|listing| listing.subject).collect();
    assert_eq!(left, ["198.51.100.7"]);
    assert!(node.dig().addresses(&entry(OFFICE, "auth", ORIGIN)).is_empty());
}
