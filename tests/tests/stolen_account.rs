//! A stolen account, with the real servers: Postfix asks Ratter about each recipient and Dovecot about passwords, Dovecot asks
//! Ratter about logins, and the administrator's letter goes to a mail server.

use std::net::SocketAddr;

use ratter_tests::dovecot::{Dovecot, PASSWORD, Setup};
use ratter_tests::place::free_port;
use ratter_tests::postfix::{Postfix, Smtp};
use ratter_tests::ratter::{Config, Node};
use ratter_tests::sinks::Sink;
use ratter_tests::wait;

/// Where alice lives, and where the thief sits.
const HOME: &str = "192.0.2.10";
const THIEF: &str = "203.0.113.9";
/// How her program greets.
const HERS: &str = "alices-laptop.example";
/// `\0alice\0correct-horse`, as a mail program logs in (RFC 4616).
const ALICE: &str = "AUTH PLAIN AGFsaWNlAGNvcnJlY3QtaG9yc2U=";
/// What is refused because the account is locked.
const LOCKED: &str = "This account may not send at the moment";
/// The bar: recipients that a thief reaches.
const REACHED_MAX: usize = 25;

/// The mail servers.
struct Mail {
    dovecot: Dovecot,
    postfix: Postfix,
}

fn config(gate: SocketAddr, sink: &Sink, accounts: &str) -> Config {
    Config::new().with(&format!(
        "[gate.postfix]\nlisten = [\"{gate}\"]\n[accounts]\n{accounts}\n\
         [[limit]]\nname = \"wide\"\nby = \"login\"\nbuckets = [{{ burst = 1000, rate = \"1000 / 1h\" }}]\n\
         [[action.mail]]\nname = \"admin\"\nto = [\"admin@example.org\"]\nfrom = \"ratter@example.org\"\nsmtp = \"{}\"\n",
        sink.address
    ))
}

/// A node with the mail servers around it, in which alice has lived for nine days.
fn world(accounts: &str) -> (Node, Mail, Sink) {
    let (gate, auth, sink) = (free_port(), free_port(), Sink::smtp());
    let mut node = Node::start_in_the_past("9d", &config(gate, &sink, accounts));
    let listener =
        format!("service auth {{\n  inet_listener {{\n    port = {}\n    address = 127.0.0.1\n  }}\n}}\n", auth.port());
    let dovecot = Dovecot::start(&Setup::asking(node.addresses().gate).with(&listener));
    let ask = format!("check_policy_service {{ inet:{gate}, default_action=DUNNO, timeout=2s, retry_delay=1s }}");
    let postfix = Postfix::start(&format!(
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = inet:{auth}\n\
         smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination\n\
         smtpd_recipient_restrictions = {ask}\nsmtpd_end_of_data_restrictions = {ask}\n"
    ));
    let mail = Mail { dovecot, postfix };
    // Her own life: from home, with her program, to people she knows.
    let (mut alice, answer) = mail.logged_in(HOME, HERS);
    assert!(answer.starts_with("235"), "{answer}\n{}", mail.postfix.log());
    for friend in 0..30 {
        let answer = alice.mail(&[&friend_of_alice(friend)], "");
        assert!(answer.starts_with("250"), "{answer}\n{}", mail.postfix.log());
    }
    node.stop();
    node.start_again();
    (node, mail, sink)
}

impl Mail {
    /// A client of that name from there, that has logged in with alice's password; what it was answered.
    fn logged_in(&self, address: &str, name: &str) -> (Smtp, String) {
        let mut client = self.postfix.client(address, "");
        client.say(&format!("EHLO {name}"));
        let answer = client.say(ALICE);
        (client, answer)
    }

    /// The thief logs in and sends to one stranger after the other; what he was answered.
    fn steal(&self) -> Vec<String> {
        let (mut thief, answer) = self.logged_in(THIEF, "robot.example");
        assert!(answer.starts_with("235"), "the password is right: {answer}");
        (0..100).map(|number| thief.mail(&[&format!("victim{number}@made-up{number}.example")], "")).collect()
    }
}

/// All that the sink has taken, once it holds a text.
fn letters(sink: &mut Sink, wanted: &str) -> String {
    wait::until(&format!("a letter with `{wanted}`"), || {
        let taken = sink.taken();
        let text: String = taken.iter().map(|mail| mail["data"].as_str().expect("text")).collect();
        text.contains(wanted).then_some(text)
    })
}

fn friend_of_alice(number: usize) -> String {
    format!("friend{number}@example.net")
}

#[test]
fn a_stolen_account_is_stopped_everywhere_the_administrator_knows_and_one_command_undoes_it() {
    let (mut node, mail, mut sink) = world("note = 10\nlock-login = 16");
    // The owner travels with her program and writes to friends: nothing happens.
    let (mut alice, answer) = mail.logged_in("198.18.0.7", HERS);
    assert!(answer.starts_with("235"), "{answer}");
    for friend in 0..10 {
        assert!(alice.mail(&[&friend_of_alice(friend)], "").starts_with("250"));
    }
    assert!(node.listed("blocked").is_empty());

    let answers = mail.steal();
    let reached = answers.iter().filter(|answer| answer.starts_with("250")).count();
    println!("the thief reached {reached} recipients");
    assert!((3..=REACHED_MAX).contains(&reached), "{reached}\n{}", mail.postfix.log());
    // From the first refusal on, everything is refused, and for the reason that it is.
    assert!(
        answers[reached..].iter().all(|answer| answer.starts_with("554") && answer.contains(LOCKED)),
        "{answers:?}"
    );
    let listing = node.listing("login:alice", "blocked").expect("it is locked");
    assert_eq!((listing.maker.as_str(), listing.until), ("rule stolen-account", None));
    // Nobody logs in with her password any more, neither to read nor to send, not even at home.
    let login = |from: &str| mail.dovecot.login(from, "alice", PASSWORD).ok;
    assert!(!login(HOME) && !login(THIEF));
    assert!(mail.dovecot.login(HOME, "bob", PASSWORD).ok, "nobody else is refused");
    assert!(mail.logged_in(HOME, HERS).1.starts_with("535"));

    let letters = letters(&mut sink, "it is locked");
    for wanted in ["login:alice shows signs that somebody else uses it", "new recipients", "ratter unlist login:alice"]
    {
        assert!(letters.contains(wanted), "{wanted}: {letters}");
    }
    // A crash forgets neither the lock nor why it is there.
    node.kill();
    node.start_again();
    assert!(!login(HOME));
    let account = node.why("alice").account.expect("something is known of it");
    assert_eq!(account.step, "lock-login", "{account:?}");
    assert!(account.signs.iter().any(|sign| sign.sign == "new recipients"), "{account:?}");
    assert!(account.done.iter().any(|done| done.contains("lock-login at ")), "{account:?}");
    let said = node.cli(&["why", "alice"]).with_code(0);
    assert!(said.out.contains("by rule stolen-account: signs that somebody else uses it"), "{said:?}");

    let said = node.cli(&["unlist", "login:alice"]).with_code(0);
    assert!(
        said.out.contains("is off blocked") && said.out.contains("its signs of being stolen are forgotten"),
        "{said:?}"
    );
    assert!(login(HOME));
    let (mut alice, answer) = mail.logged_in(HOME, HERS);
    assert!(answer.starts_with("235"), "{answer}");
    assert!(alice.mail(&["new-friend@example.net"], "").starts_with("250"));
    assert_eq!(node.why("alice").account.expect("it is known").step, "calm");
}

#[test]
fn a_milder_ladder_tells_slows_holds_and_lets_mail_be_read() {
    let (node, mail, mut sink) = world("note = 5\nhold = 9\nlock-sending = 16");
    let answers = mail.steal();
    let taken = answers.iter().filter(|answer| answer.starts_with("250")).count();
    let held = mail.postfix.queued("hold");
    println!("of {taken} messages {held} were held");
    assert!((1..taken).contains(&held) && taken <= REACHED_MAX, "{taken} {held}\n{}", mail.postfix.log());
    assert!(answers[taken..].iter().all(|answer| answer.starts_with("554") && answer.contains(LOCKED)));
    let listing = node.listing("login:alice", "blocked").expect("it is locked");
    assert_eq!(listing.maker, "rule stolen-account-sending");
    assert!(mail.dovecot.login(HOME, "alice", PASSWORD).ok, "mail can be read");
    let letters = letters(&mut sink, "login:alice shows signs");
    assert!(letters.contains("points"), "{letters}");
    node.cli(&["unlist", "login:alice"]).with_code(0);
    let (mut alice, answer) = mail.logged_in(HOME, HERS);
    assert!(answer.starts_with("235"), "{answer}");
    assert!(alice.mail(&["friend1@example.net"], "").starts_with("250"));
}
