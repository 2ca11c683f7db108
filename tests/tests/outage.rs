//! Whoever is wrong is let through: a Ratter that is slow, stopped or gone keeps nobody out, and counts nobody wrongly
//! when it is back.

use std::net::TcpListener;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup, USERS};
use ratter_tests::policy::{Attempt, End, Gate};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::wait;

const GUESSER: &str = "203.0.113.5";

fn home(number: usize) -> String {
    format!("198.51.100.{}", number + 1)
}

/// All users log in at the same time, each from home; all must be let in.
fn all_get_in(dovecot: &Dovecot, when: &str) {
    std::thread::scope(|scope| {
        for (number, user) in USERS.iter().enumerate() {
            scope.spawn(move || {
                let reply = dovecot.login(&home(number), user, PASSWORD);
                assert!(reply.ok, "{user} while Ratter is {when}: {reply:?}");
            });
        }
    });
}

/// After an outage Dovecot waits longer and longer before it asks again; waits until it does.
fn wait_asked(node: &Node, dovecot: &Dovecot) {
    let before = node.quick_status().gates[0].reported;
    wait::until_true("Dovecot to ask again", || {
        assert!(dovecot.login(&home(0), USERS[0], PASSWORD).ok);
        node.quick_status().gates[0].reported > before
    });
}

fn nobody_was_counted(node: &Node) {
    let engine = node.quick_status().engine;
    assert_eq!(engine.counted, 0, "right passwords were counted: {engine:?}");
    assert!(node.all_listings().is_empty(), "{:?}", node.all_listings());
}

#[test]
fn users_get_in_while_ratter_is_frozen_dead_and_back() {
    let mut node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    all_get_in(&dovecot, "well");
    nobody_was_counted(&node);

    node.freeze();
    all_get_in(&dovecot, "frozen");
    node.thaw();
    wait_asked(&node, &dovecot);
    nobody_was_counted(&node);

    node.kill();
    all_get_in(&dovecot, "dead");
    node.start_again();
    wait_asked(&node, &dovecot);
    nobody_was_counted(&node);

    // It guards as before.
    dovecot.guess(GUESSER, "alice", 0, 5);
    node.wait_listed(GUESSER, "blocked");
    assert!(!dovecot.login(GUESSER, "bob", PASSWORD).ok);
    assert_eq!(node.all_listings().len(), 1);
}

#[test]
fn guesses_during_an_outage_count_at_most_once() {
    let mut node = Node::start(&Config::new());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    dovecot.guess(GUESSER, "alice", 0, 1);
    wait::until_true("the guess before to be counted", || node.quick_status().engine.counted == 1);
    node.freeze();
    dovecot.guess(GUESSER, "alice", 1, 2);
    node.thaw();
    wait_asked(&node, &dovecot);
    dovecot.guess(GUESSER, "alice", 3, 1);
    wait::until_true("the guess after to be counted", || node.quick_status().engine.counted >= 2);
    // Dovecot's requests of the time between may have come through or not, but never twice.
    let counted = node.quick_status().engine.counted;
    assert!(counted <= 4, "{counted} of 4 guesses were counted");
    assert!(node.all_listings().is_empty(), "four guesses are not five");
    dovecot.guess(GUESSER, "alice", 4, 4);
    node.wait_listed(GUESSER, "blocked");
}

#[test]
fn dovecot_waits_for_a_silent_server_no_longer_than_its_own_limit() {
    // What the other tests rest on, shown of Dovecot alone. The kernel takes the connections of a program that never looks at them: the slowest server there is.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let dovecot = Dovecot::start(&Setup::asking(silent.local_addr().expect("it is bound")));
    assert!(dovecot.login(&home(0), "alice", PASSWORD).ok);
}

#[test]
fn a_flood_of_idle_connections_keeps_nobody_out() {
    let node = Node::start(&Config::new().with("[limits]\nconnections = 20"));
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate));
    let idle: Vec<_> = (0..60).filter_map(|_| std::net::TcpStream::connect(node.addresses().gate).ok()).collect();
    assert!(dovecot.login(&home(0), "alice", PASSWORD).ok);
    drop(idle);
    wait_asked(&node, &dovecot);
}

#[test]
fn a_password_database_that_is_down_blocks_nobody() {
    // Dovecot 2.4 says so in its reports; a hundred users whose programs try again and again are no attack.
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    for round in 0..6 {
        for user in 0..20 {
            let attempt = Attempt::new(&home(user), &format!("user{user}"));
            assert_eq!(gate.before(&attempt), 0, "round {round}");
            gate.report(&attempt, End::Internal);
        }
    }
    nobody_was_counted(&node);
}

#[test]
fn the_counting_pauses_while_owners_at_home_find_the_database_down() {
    let mut node = Node::start(&Config::new());
    let mut gate = node.gate();
    let owners = |gate: &mut Gate, end| {
        for user in 0..6 {
            gate.report(&Attempt::new(&home(user), &format!("user{user}")), end);
        }
    };
    owners(&mut gate, End::Success);
    // From elsewhere and about nobody it pauses nothing: whoever attacks could switch the counting off.
    for user in 0..20 {
        gate.report(&Attempt::new(GUESSER, &format!("user{user}")), End::Internal);
    }
    assert_eq!(node.status().engine.paused_until, None);
    owners(&mut gate, End::Internal);
    assert!(node.status().engine.paused_until.is_some());
    for _ in 0..20 {
        gate.report(&Attempt::new(&home(0), "user0"), End::Wrong);
    }
    nobody_was_counted(&node);
    wait::until_true("people to be told", || {
        node.process().stderr().contains("the password database seems to be down")
    });
}

#[test]
fn what_ratter_itself_refused_is_no_guess() {
    let node = Node::start(&Config::new());
    let mut gate = node.gate();
    for _ in 0..10 {
        gate.report(&Attempt::new(GUESSER, "alice"), End::Refused);
    }
    nobody_was_counted(&node);
}
